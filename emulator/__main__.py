"""`python -m emulator`: parse the command line, then serve until told to stop."""

from emulator.serving import serve
from emulator.settings import parse_settings

if __name__ == "__main__":
    serve(parse_settings())
