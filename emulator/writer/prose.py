"""A message to a parent, and the judgement that goes with it, made from a note without a model.

Topic, growth phrase and category come from the word lists in `phrases.yaml`; the choice between sentences
comes from the note's hash, so the same note always gets the same answer and two notes rarely do.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from hashlib import blake2b
from importlib import resources
from typing import Any

import yaml

from emulator.writer.notes import COMMANDS, Brief, Note

RATING = re.compile(r"\b([0-9]|10)\s?(?:/|out of)\s?(5|10)\b")
OTHER_NAME = re.compile(r"\b(?:with|by|and|at|to|from|pushed|shoved) ([A-ZÁÉÍÓÚ][a-záéíóú]{2,})")
SUPERLATIVES = re.compile(r"best (ever|player)|brilliant|superb|outstanding|amazing|perfect", re.IGNORECASE)
PLAIN_WORD = re.compile(r"[^\W\d_][^\W_'’-]*(?:['’-][^\W_]+)*")
SHORT_NOTE_CHARACTERS = 25
TOPIC_WORDS_MAX = 6
DEFAULT_TOPIC = "the basics"
DEFAULT_FOCUS = "taking it one step at a time"


@dataclass(frozen=True)
class Judgement:
    """All that is ever said about one note."""

    id: str
    category: str
    category_confidence: float
    reason: str
    summary: str
    confidence: float
    flags: tuple[str, ...]
    topic: str
    number: int


def judge(note: Note, brief: Brief) -> Judgement:
    """Read one note the way the model would."""
    number = int.from_bytes(blake2b(note.words.encode("utf-8", "replace"), digest_size=8).digest(), "big")
    category, keyword = _category(note)
    topic = _topic(note, brief)
    return Judgement(
        id=note.id,
        category=category,
        category_confidence=_confidence(number, low=0.82, high=0.98, doubtful_one_in=25),
        reason=f"The note mentions {keyword.lower()}." if keyword else "",
        summary=_summary(note, brief, category, topic, number),
        confidence=_confidence(number // 7, low=0.74, high=0.95, doubtful_one_in=12),
        flags=_flags(note, brief),
        topic=topic,
        number=number,
    )


def _summary(note: Note, brief: Brief, category: str, topic: str, number: int) -> str:
    phrases = _phrases()
    if category != "normal":
        text = _pick(phrases["sensitive"][category], number)
        text = text.split(". ")[0].rstrip(".") + "." if brief.tone == "brief" else text
    elif moment := _first_match("moments", note.words):
        closing = "" if brief.tone == "brief" else _pick(phrases[brief.tone]["closing"], number)
        text = f"{moment} {closing}".rstrip()
    elif brief.tone == "brief":
        text = _pick(phrases["brief"]["single"], number)
    else:
        text = " ".join(_sentences(phrases[brief.tone], note, number))
    words = {"name": brief.name, "topic": topic, "focus": _focus(note)}
    filled = text.format_map(words)
    return filled[0].upper() + filled[1:]


def _sentences(tone: dict[str, list[str]], note: Note, number: int) -> list[str]:
    """Two or three sentences; a rating in the note is passed on as it is."""
    sentences = [_pick(tone["opening"], number), _pick(tone["middle"], number // 11)]
    rating = RATING.search(note.words)
    if rating:
        return [*sentences, _phrases()["rating"].format(mark=rating[1], scale=rating[2])]
    return [*sentences, _pick(tone["closing"], number // 101)] if number % 5 else sentences


def _topic(note: Note, brief: Brief) -> str:
    """What it is about: a known topic, else the note's own title in plain words."""
    known = _first_match("topics", note.title) or _first_match("topics", note.text)
    if known or COMMANDS.search(note.words):
        return known or DEFAULT_TOPIC
    title = note.title
    for pattern, gentler in _patterns("softened"):
        title = pattern.sub(gentler, title.lower())
    words = [word for word in PLAIN_WORD.findall(title) if word.lower() != brief.name.lower()]
    lowered = " ".join(word.lower() for word in words[:TOPIC_WORDS_MAX])
    return lowered or DEFAULT_TOPIC


def _focus(note: Note) -> str:
    return _first_match("focuses", note.text) or _first_match("focuses", note.title) or DEFAULT_FOCUS


def _category(note: Note) -> tuple[str, str]:
    """The most severe category a word of the note belongs to, and that word."""
    lowered = note.words.lower()
    for pattern, category in _patterns("categories"):
        if found := pattern.search(lowered):
            return category, found[0]
    return "normal", ""


def _flags(note: Note, brief: Brief) -> tuple[str, ...]:
    others = {found[1] for found in OTHER_NAME.finditer(note.text)} - set(brief.name.split())
    found = {
        "needs_context": len(note.text) < SHORT_NOTE_CHARACTERS,
        "overly_positive": bool(SUPERLATIVES.search(note.words)),
        "technical_jargon": bool(re.search(_phrases()["jargon"], note.words.lower())),
        "names_other_person": bool(others),
    }
    return tuple(name for name, present in found.items() if present)


def _confidence(number: int, *, low: float, high: float, doubtful_one_in: int) -> float:
    """A figure in the usual range, now and then a doubtful one."""
    if number % doubtful_one_in == 0:
        low, high = 0.55, low
    return round(low + (high - low) * (number // doubtful_one_in % 101) / 100, 2)


def _pick(choices: Sequence[str], number: int) -> str:
    return choices[number % len(choices)]


def _first_match(name: str, text: str) -> str:
    lowered = text.lower()
    return next((words for pattern, words in _patterns(name) if pattern.search(lowered)), "")


@cache
def _phrases() -> dict[str, Any]:
    text = resources.files("emulator.writer").joinpath("phrases.yaml").read_text(encoding="utf-8")
    phrases: dict[str, Any] = yaml.safe_load(text)
    # Categories are written worst first by name; everything else as [pattern, words].
    phrases["categories"] = [(pattern, category) for category, pattern in phrases["categories"]]
    return phrases


@cache
def _patterns(name: str) -> list[tuple[re.Pattern[str], str]]:
    # All are written in lower case and look at lowered text: several times faster than ignoring case.
    return [(re.compile(pattern), words) for pattern, words in _phrases()[name]]
