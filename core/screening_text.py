"""Reading a text as the screen does: as words in one plain spelling, in sentences and clauses."""

import re
import unicodedata
from collections.abc import Iterator
from functools import lru_cache
from typing import NamedTuple

from snowballstemmer import stemmer

START, END = "^", "$"  # stand for the two ends of a sentence, as if they were words
WORDS_KEPT = 1 << 16  # how many words each cache holds; a club's notes have far fewer

_WORD = re.compile(r"[^\W_]+(?:['’‘ʼ`´][^\W_]+)*")
_UNUSUAL = re.compile(r"[^\x00-\xac\xae-\u017f‘’“”–—…]")
_SENTENCE_END = re.compile(r"[.!?…](?:\s|$)|[。！？]")
_CLAUSE_END = re.compile(r"[,;:()\"“”\n\r]|\s[-–—]+\s|—|\.\.")
_SHORTENED = re.compile(r"['’‘ʼ`´](?:s|ll|d|re|ve)?$")  # "I'll" is no "ill"
_POSSESSIVE = re.compile(r"['’‘ʼ`´][sS]$")
_STRETCHED = re.compile(r"([a-z])\1{2,}")
_LETTERS = str.maketrans(
    {"ł": "l", "ø": "o", "đ": "d", "ð": "d", "þ": "th", "æ": "ae", "œ": "oe", "ħ": "h", "ı": "i"}
)
_OTHER_WORD = (
    "ness",
    "ful",
    "ly",
    "able",
    "ant",
    "ity",
    "ous",
    "ation",
)  # ends of another word, not of a form
_SPELLED_LETTERS_MIN = 4  # "s o r e" is a word, "a b" is none
_STEMMER = stemmer("english")


class Word(NamedTuple):
    """One word of a text."""

    plain: str  # lower case, no accents, no apostrophes
    capital: bool  # begins with a capital letter
    sentence: int
    clause: int  # ends with every comma too; counted through the whole text
    possessive: bool = False  # written with 's


def read(text: str) -> tuple[Word, ...]:
    """Cut a text into its words. START and END stand around each sentence."""
    return tuple(_with_ends(_spelled_out(tuple(_words(visible(text))))))


def visible(text: str) -> str:
    """Return the text with wide letters made plain, and without marks that nobody can see."""
    if not _UNUSUAL.search(text):
        return text
    normal = unicodedata.normalize("NFKC", text)
    return "".join(char for char in normal if unicodedata.category(char) not in ("Cf", "Mn"))


@lru_cache(WORDS_KEPT)
def plain(word: str) -> str:
    """Return the one spelling of a word: "Ciarán's" is "ciaran", "DIDN'T" is "didnt"."""
    bare = unicodedata.normalize("NFKD", _SHORTENED.sub("", word.casefold()))
    letters = "".join(char for char in bare if char.isalnum())
    return _STRETCHED.sub(r"\1", letters.translate(_LETTERS))


@lru_cache(WORDS_KEPT)
def stem(word: str) -> str:
    """Return the stem of a plain word: "limping" and "limped" are "limp", but "helpful" is not "help"."""
    stemmed: str = _STEMMER.stemWord(word)
    singular = word[:-1] if word.endswith("s") and not word.endswith("ss") else word
    return singular if singular.endswith(_OTHER_WORD) and len(singular) > len(stemmed) + 1 else stemmed


def _words(text: str) -> Iterator[Word]:
    sentence = clause = end = 0
    for found in _WORD.finditer(text):
        gap, end = text[end : found.start()], found.end()
        if len(gap) > 1 or gap not in ("", " ", "-", "/"):
            ends_sentence = bool(_SENTENCE_END.search(gap))
            sentence += ends_sentence
            clause += ends_sentence or bool(_CLAUSE_END.search(gap))
        if spelled := plain(found[0]):
            owns = bool(_POSSESSIVE.search(found[0]))
            yield Word(spelled, found[0][0].isupper(), sentence, clause, owns)


def _spelled_out(words: tuple[Word, ...]) -> Iterator[Word]:
    """Add, behind letters that stand alone in a row, the word that they spell."""
    letters: list[Word] = []
    for word in words:
        if letters and (len(word.plain) > 1 or word.sentence != letters[0].sentence):
            yield from _joined(letters)
            letters = []
        if len(word.plain) == 1 and word.plain.isalpha():
            letters.append(word)
        yield word
    yield from _joined(letters)


def _joined(letters: list[Word]) -> Iterator[Word]:
    if len(letters) >= _SPELLED_LETTERS_MIN:
        first = letters[0]
        yield Word("".join(letter.plain for letter in letters), first.capital, first.sentence, first.clause)


def _with_ends(words: Iterator[Word]) -> Iterator[Word]:
    before: Word | None = None
    for word in words:
        if before is None or before.sentence != word.sentence:
            if before is not None:
                yield Word(END, False, before.sentence, before.clause)
            yield Word(START, False, word.sentence, word.clause)
        yield word
        before = word
    if before is not None:
        yield Word(END, False, before.sentence, before.clause)
