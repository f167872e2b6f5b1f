"""The two prompt sets of the bench: the product's own, and frozen reference texts pinned by their hash.

`reference/` is laid out as `core/prompts`; at 2.5 characters a token its instructions have 1,800 tokens, each
sport 4,000 and each tone 150. `lean/` holds the short prompts of the lean contenders: a classifier of 600
tokens, a summary prompt of 330, and a single one of 600. None of them may ever change: figures of different
days could not be compared.
"""

from hashlib import sha256
from importlib.resources import files
from pathlib import Path

from core import prompt
from core.errors import BadInput

FOLDER = Path(__file__).parent
REFERENCE, LEAN = FOLDER / "reference", FOLDER / "lean"
PINNED = "6bd1467563166760d5e1458de55413d7bcb9c758dc4bfa8cbdbbc477b8031d54"

PRODUCT_SET, REFERENCE_SET = "product", "reference"


def use(prompts: str) -> None:
    """Make `core.prompt` read this set from now on, in this process. Raises BadInput for changed texts."""
    check_pinned()
    prompt.TEXTS = REFERENCE if prompts == REFERENCE_SET else files("core") / "prompts"
    prompt.forget_texts()


def lean_text(name: str) -> str:
    """Return one of the lean prompts."""
    return (LEAN / f"{name}.md").read_text(encoding="utf-8").strip()


def check_pinned() -> None:
    """Raise BadInput when a reference text is not what it was when it was frozen."""
    if (found := fingerprint()) != PINNED:
        raise BadInput(f"the bench's reference texts have changed ({found[:12]}, pinned {PINNED[:12]})")


def fingerprint() -> str:
    """Hash all reference and lean texts, their names included, in the order of their names."""
    digest = sha256()
    for path in sorted(path for folder in (REFERENCE, LEAN) for path in folder.rglob("*") if path.is_file()):
        name, text = path.relative_to(FOLDER).as_posix().encode(), path.read_bytes()
        digest.update(b"%d:%b%d:%b" % (len(name), name, len(text), text))
    return digest.hexdigest()
