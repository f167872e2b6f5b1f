"""What no word list can find: numbers and addresses to reach somebody at, markup, and unreadable text."""

import re
import unicodedata
from collections.abc import Iterator, Sequence
from functools import cache

from core.screening_lists import file
from core.screening_text import Word, plain, visible

DIGITS_MIN = 7  # of a telephone number
LONG_WORD = 30  # letters; nobody says such a word
FOREIGN_WORDS_MIN = 4  # "De La Salle" has two

_EMAIL = re.compile(r"[\w.+-]+\s?@\s?[\w-]+\s?\.\s?\w+|(?<!\w)@\w{3,}")
_SAID_EMAIL = re.compile(
    r"\w\s*(?:\bat\b|[\[(]\s*at\s*[\])])\s*[\w-]+\s*(?:\bdot\b|[\[(]\s*dot\s*[\])])\s*\w"
    r"|\bdot\s+(?:com|ie|net|org|co)\b",
    re.I,
)
_LINK = re.compile(r"https?:|www\.|\b[\w-]{2,}\.(?:com|ie|net|org|io|co\.uk|uk|me|gg|tv|ly|app)\b", re.I)
_NUMBER = re.compile(r"(?<![\w.:-])(?:\+|\(?0)?\d[\d ().\-/]{5,}\d(?![\w:])")
_SCORE = re.compile(r"^\d{1,2}[-/]\d{1,3}$")
_SINGLE_DIGITS = re.compile(r"(?:\b\d[ ,.-]+){6,}\d\b")
_EIRCODE = re.compile(r"\b[AC-FHKNPRTV-Y]\d[\dW] ?(?=\w*\d)[\dAC-FHKNPRTV-Y]{4}\b")
_POSTCODE = re.compile(r"\b(?!U\d)[A-Z]{1,2}\d[A-Z\d]? ?\d[A-Z]{2}\b")
_STREET = re.compile(
    r"\b\d{1,4}[a-zA-Z]?,? (?:[A-Z][\w'’]+ ){1,3}(?:Road|Rd|Street|St|Avenue|Ave|Drive|Close|Terrace|"
    r"Crescent|Estate|Grove|Heights|Gardens|Lawn|Lawns|Park|Lane|Court|View|Way|Green|Place|Rise|Manor|Square)\b"
    r"|\b\d{1,4}[a-z]? (?:\w+ ){1,3}(?:road|street|avenue|terrace|crescent|estate|gardens|lawns)\b"
)
_BIRTHDAY = re.compile(r"\b\d{1,2}[/.-]\d{1,2}[/.-](?:200[5-9]|201\d|202[0-2])\b")
_DIGITS = (
    "zero",
    "oh",
    "o",
    "nought",
    "one",
    "two",
    "three",
    "four",
    "five",
    "six",
    "seven",
    "eight",
    "nine",
)
_ZERO = frozenset({"zero", "oh", "o", "nought"})
_TIMES = frozenset({"double", "treble", "triple"})
_DIGIT = frozenset({*_DIGITS, *_TIMES, *(f"{digit}{end}" for digit in _DIGITS for end in ("s", "es"))})
_TENS = frozenset(
    (
        *("ten", "eleven", "twelve", "thirteen", "fourteen", "fifteen", "sixteen", "seventeen", "eighteen"),
        *("nineteen", "twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety"),
    )
)
_BETWEEN_DIGITS = frozenset({"then", "and"})
_HE = frozenset({"he", "him", "his", "himself", "hes"})
_SHE = frozenset({"she", "her", "hers", "herself", "shes"})
_MARKUP = re.compile(
    r"<\s*/?\s*[a-z!|]|&lt;|\\u00|```|\{\s*[\"'\w}]|\"\s*\}|\[/?(?:inst|system|user)|###|\]\s*\(|\*\*|__\w|</|^\W*(?:system|assistant|user)\s*:|^\W*system\b(?!\.?\s*$)|\w_\w+_\w|--\s*$|;--",
    re.I | re.M,
)


def contacts(text: str, words: Sequence[Word]) -> Iterator[str]:
    """Give what somebody can be reached at or found by."""
    seen = visible(text)
    patterns = [_LINK]
    patterns += [_EMAIL] if "@" in seen else []
    patterns += [_SAID_EMAIL] if "dot" in seen.lower() else []
    if any(char.isdigit() for char in seen):
        patterns += [_EIRCODE, _POSTCODE, _STREET, _BIRTHDAY, _SINGLE_DIGITS]
        yield from (found[0] for found in _NUMBER.finditer(seen) if _is_telephone(found[0]))
    for pattern in patterns:
        yield from (found[0] for found in pattern.finditer(seen))
    if _digits_in_words(words):
        yield "a number said digit by digit"


def _digits_in_words(words: Sequence[Word]) -> bool:
    """Say whether so many digits are said one after the other as a telephone number has.

    "Nineteen" is two of them, but only behind a zero or a "double": times and distances have neither.
    """
    run = told = 0
    telephone = False
    for word in words:
        if word.plain in _DIGIT or (len(word.plain) == 1 and word.plain.isdigit()):
            run, told = run + 1, told + 1
            telephone = telephone or word.plain in _ZERO or word.plain in _TIMES
        elif word.plain in _TENS:
            run, told = 0, told + 2
        elif word.plain not in _BETWEEN_DIGITS:
            run, told, telephone = 0, 0, False
        if run >= DIGITS_MIN or (telephone and told >= DIGITS_MIN):
            return True
    return False


def two_kinds_of_person(words: Sequence[Word]) -> Iterator[str]:
    """Give a "he" beside a "she": one of them is not the child."""
    said = {word.plain for word in words}
    if said & _HE and said & _SHE:
        yield f"{min(said & _HE)} and {min(said & _SHE)}"


def markup(text: str) -> Iterator[str]:
    """Give tags, JSON and other text for machines."""
    yield from (found[0] for found in _MARKUP.finditer(visible(text)))


def unreadable(words: Sequence[Word], *names: frozenset[str]) -> Iterator[str]:
    """Give words in another script that are no known names, words too long to be any, and foreign text."""
    for word in words:
        if len(word.plain) > LONG_WORD or (
            not word.plain.isascii()
            and not _latin(word.plain)
            and not any(word.plain in known for known in names)
        ):
            yield word.plain
    if language := _language(words):
        yield language


def _is_telephone(number: str) -> bool:
    """Say whether digits are a telephone number, and not scores, distances or times."""
    groups = re.findall(r"\d+", number)
    digits = sum(map(len, groups))
    if digits < DIGITS_MIN or any(_SCORE.match(part) for part in number.split()):
        return False
    if max(map(len, groups)) >= DIGITS_MIN or number.startswith(("+", "00")):
        return True
    if number.lstrip("(").startswith("0"):
        return digits >= 9 and len(groups) <= 6
    lengths = tuple(map(len, groups))
    return lengths in {(3, 3, 4), (3, 4), (3, 3, 3), (2, 3, 4), (2, 7), (3, 2, 2, 3)} and any(
        int(group) % 5 for group in groups
    )


@cache
def _latin(word: str) -> bool:
    return all(unicodedata.name(char, "").startswith("LATIN") for char in word if char.isalpha())


def _language(words: Sequence[Word]) -> str | None:
    """Return the language of a stretch of text that has clearly more words of it than of English."""
    english, others = _languages()
    said = [word.plain for word in words]
    if sum(word not in english for word in said) < FOREIGN_WORDS_MIN:
        return None
    for name, known in others.items():
        if len(known.intersection(said)) < 2:
            continue
        ahead = 0
        for word in said:
            ahead = max(0, ahead + (word in known) - (word in english))
            if ahead >= FOREIGN_WORDS_MIN:
                return name
    return None


@cache
def _languages() -> tuple[frozenset[str], dict[str, frozenset[str]]]:
    lists = file("foreign")
    english = frozenset(map(plain, lists["english"].split()))
    return english, {
        name: frozenset(map(plain, text.split())) - english for name, text in lists["languages"].items()
    }
