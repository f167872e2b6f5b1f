"""Prompt versions: how a person names one, and how two of them differ."""

import re
from collections.abc import Sequence
from dataclasses import fields
from difflib import unified_diff

from core.errors import BadInput
from core.prompt import PromptTexts, texts_of
from core.states import Tone

CURRENT = "current:"
DIGITS_MIN = 4
HOW_TO_NAME = (
    "Give a version (at least its first four hex digits) or current:SPORT/TONE. "
    "See the versions with: touchline prompts list"
)
ABOUT = ("version", "sport", "tone")  # all other fields are texts
TEXTS = tuple(field.name for field in fields(PromptTexts) if field.name not in ABOUT)


def current_texts(reference: str) -> PromptTexts | None:
    """Return the texts that `current:SPORT/TONE` names; None for a reference of another kind.

    Raises BadInput for an unknown sport or tone.
    """
    if not reference.startswith(CURRENT):
        return None
    sport, _, tone = reference.removeprefix(CURRENT).partition("/")
    if tone not in set(Tone):
        raise BadInput(f"{reference!r} names no tone; after the slash comes one of: {', '.join(Tone)}")
    return texts_of(sport, Tone(tone))


def version_digits(reference: str) -> str:
    """Return the digits that a version is to begin with. Raises BadInput when they are none."""
    digits = reference.lower()
    if not re.fullmatch(rf"[0-9a-f]{{{DIGITS_MIN},}}", digits):
        raise BadInput(f"{reference!r} names no prompt version. {HOW_TO_NAME}")
    return digits


def only_one(reference: str, found: Sequence[PromptTexts]) -> PromptTexts:
    """Return the one version that was found. Raises BadInput for none and for several."""
    versions = {texts.version: texts for texts in found}
    if not versions:
        raise BadInput(
            f"The texts of a prompt version {reference!r} are not kept (those of summaries made before texts "
            f"were kept never were), and none that is current begins so. {HOW_TO_NAME}"
        )
    if len(versions) > 1:
        raise BadInput(f"{reference!r} may be any of {', '.join(sorted(versions))}: give more digits.")
    return next(iter(versions.values()))


def difference(before: PromptTexts, after: PromptTexts) -> dict[str, list[str]]:
    """Return a unified diff, line by line, for each text that differs."""
    found = {}
    for name in TEXTS:
        lines = unified_diff(
            getattr(before, name).splitlines(),
            getattr(after, name).splitlines(),
            f"{_label(before)}/{name}",
            f"{_label(after)}/{name}",
            lineterm="",
        )
        found[name] = list(lines)
    return {name: lines for name, lines in found.items() if lines}


def _label(texts: PromptTexts) -> str:
    return f"{texts.version} {texts.sport} {texts.tone}"
