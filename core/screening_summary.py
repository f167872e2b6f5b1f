"""What only a summary can do wrong: numbers its note does not say, its length, words of the prompt."""

import re
from collections.abc import Iterator, Sequence
from functools import cache

from core import prompt
from core.evaluation_rules import BRIEF_WORDS_MAX, SENTENCES, numbers, sentences
from core.screening_text import END, START, Word, read
from core.states import Tone

RUN_OF_WORDS = 8  # so many words in a row that are in the instructions are no chance
WORDS_MAX = 90  # of two to three sentences
WORDS_MIN = 3

_FIGURE = r"(\d+(?:\.\d+)?|one|two|three|four|five|six|seven|eight|nine|ten|twenty|hundred)"
_RATING = re.compile(rf"\b{_FIGURE}\s*(?:/|out\s+of(?:\s+an?)?|of)\s*{_FIGURE}\b", re.I)
_PERCENTAGE = re.compile(rf"\b{_FIGURE}\s*(?:%|per\s?cent\b)", re.I)
_ONE = {"one": 1.0}  # elsewhere it is mostly a pronoun


def invented_numbers(text: str, note: str) -> Iterator[str]:
    """Give the numbers, ratings and percentages that a summary says and its note does not."""
    yield from (f"{number:g}" for number in sorted(numbers(text) - numbers(note)))
    yield from ("/".join(map(str, pair)) for pair in sorted(_ratings(text) - _ratings(note)))
    yield from (f"{share:g}%" for share in sorted(_percentages(text) - _percentages(note)))


def wrong_length(text: str, tone: Tone) -> Iterator[str]:
    """Give what is too much, or that there is next to nothing. One sentence is enough in every tone."""
    count, words = len(sentences(text)), len(text.split())
    if count > SENTENCES[tone][1]:
        yield f"{count} sentences"
    if words > (BRIEF_WORDS_MAX if tone is Tone.BRIEF else WORDS_MAX) or words < WORDS_MIN:
        yield f"{words} words"


def quoted_instructions(words: Sequence[Word]) -> Iterator[str]:
    """Give each run of words that stands in the instructions too."""
    yield from (" ".join(run) for run in _runs(words) if run in _instructions())


def _ratings(text: str) -> set[tuple[float, float]]:
    return {(_value(got), _value(most)) for got, most in _RATING.findall(text)}


def _percentages(text: str) -> set[float]:
    return {_value(share) for share in _PERCENTAGE.findall(text)}


def _value(figure: str) -> float:
    figure = figure.lower()
    return float(figure) if figure[0].isdigit() else _ONE.get(figure) or next(iter(numbers(figure)))


def _runs(words: Sequence[Word]) -> Iterator[tuple[str, ...]]:
    said = [word.plain for word in words if word.plain not in (START, END)]
    return (tuple(said[start : start + RUN_OF_WORDS]) for start in range(len(said) - RUN_OF_WORDS + 1))


@cache
def _instructions() -> frozenset[tuple[str, ...]]:
    return frozenset(_runs(read((prompt.TEXTS / "instructions.md").read_text("utf-8"))))
