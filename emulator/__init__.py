"""A local Anthropic API that bills like the real one; `python -m emulator`, imports nothing of ours."""
