"""The rules that a good summary keeps, each by itself: pure, from a labelled note and the model's answer.

A rule looks at words, not at meaning: it finds what is plainly wrong, and what it passes may still be
poor. Each returns what is wrong in a few words, or nothing when the rule is kept.
"""

import re
import unicodedata
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

import yaml
from readability.langdata import countsyllables_en

from core.answer import Answer
from core.categories import Category, most_severe
from core.labelled import Case, glossary, term_pattern
from core.states import Tone

BRIEF_WORDS_MAX = 25
SENTENCES = {Tone.WARM: (2, 3), Tone.PROFESSIONAL: (2, 3), Tone.BRIEF: (1, 1)}
FIXED_SENTENCE = frozenset(
    {Category.SAFEGUARDING, Category.PRIVATE}
)  # answered by one sentence in every tone
# School grades of Flesch and Kincaid; the measure takes a single sentence for harder than two halves of it.
GRADE_MAX = {Tone.WARM: 8.0, Tone.PROFESSIONAL: 8.0, Tone.BRIEF: 10.0}
GLOSS_WORDS_MIN = 2  # of a gloss, beside its term; all of them when it has fewer
STEM_LETTERS = 4  # "restarts" and "restart", "flicking" and "flick" are one word

Rule = Callable[[Case, Answer], str | None]

_WORD = re.compile(r"\w[\w'’]*")
_SENTENCE_END = re.compile(r"(?<=[.!?])\s+")
_DIGITS = re.compile(r"\d+(?:\.\d+)?")


def tone_length(case: Case, answer: Answer) -> str | None:
    """Two or three sentences; brief is one of at most 25 words.

    One is enough in every tone for a note with a single point, and for the club's fixed sentences.
    """
    found = len(sentences(answer.summary))
    fewest, most = SENTENCES[case.tone]
    if case.single_point or {case.category, answer.category} & FIXED_SENTENCE:
        fewest = 1
    if not fewest <= found <= most:
        return f"{found} sentences"
    words = len(answer.summary.split())
    return f"{words} words" if case.tone is Tone.BRIEF and words > BRIEF_WORDS_MAX else None


def first_name_only(case: Case, answer: Answer) -> str | None:
    """No last name and nobody else's name, with or without accents; a name is one by its capital."""
    unwanted = [*case.other_names, *_last_names(case)]
    summary = _without_accents(answer.summary)
    named = [name for name in unwanted if re.search(rf"\b{re.escape(_without_accents(name))}\b", summary)]
    return f"names {', '.join(named)}" if named else None


def no_invented_numbers(case: Case, answer: Answer) -> str | None:
    """Every number, in digits or words, is in the note, or in the gloss of a term of the note."""
    known = glossary(case.sport)
    given = numbers(" ".join([case.note, *(known[term] for term in case.terms)]))
    invented = sorted(numbers(answer.summary) - given)
    return f"not in the note: {', '.join(f'{number:g}' for number in invented)}" if invented else None


def no_medical_advice(case: Case, answer: Answer) -> str | None:
    """No advice, plan, prognosis or return date; a treatment only when the note says it was done."""
    summary, note = _lowered(answer.summary), _lowered(case.note)
    for advice in _words().never:
        if found := advice.pattern.search(summary):
            return f"{found[0]!r}: {advice.why}"
    for advice in _words().unless_noted:
        if (found := advice.pattern.search(summary)) and not advice.noted.search(note):
            return f"{found[0]!r}: {advice.why} that is not in the note"
    return None


def category(case: Case, answer: Answer) -> str | None:
    """The category is the one that a careful reader would choose."""
    return None if answer.category is case.category else f"{answer.category}, not {case.category}"


def category_at_least(case: Case, answer: Answer) -> str | None:
    """The category is at least as severe: too low is the dangerous direction."""
    worst = most_severe(case.category, answer.category)
    return None if answer.category is worst else f"{answer.category}, not {case.category}"


def glossary_used(case: Case, answer: Answer) -> str | None:
    """A term that the case lists is left out of the summary, or explained in it with words of its gloss.

    Only what the case lists: a term has everyday senses too, and there it needs no gloss.
    """
    known, summary = glossary(case.sport), answer.summary
    bare = [
        term
        for term in case.terms
        if term_pattern(term).search(summary) and not _explains(summary, term, known[term])
    ]
    return f"not explained: {', '.join(bare)}" if bare else None


def readability(case: Case, answer: Answer) -> str | None:
    """The school grade that the words ask for is not above the tone's."""
    grade, most = reading_grade(answer.summary), GRADE_MAX[case.tone]
    return f"grade {grade:.1f}, at most {most:g}" if grade > most else None


RULES: Mapping[str, Rule] = {
    rule.__name__: rule
    for rule in (
        tone_length,
        first_name_only,
        no_invented_numbers,
        no_medical_advice,
        category,
        category_at_least,
        glossary_used,
        readability,
    )
}


def applies(rule: str, case: Case) -> bool:
    """Say whether a rule has anything to look at: without terms there is no glossary to use."""
    return rule != glossary_used.__name__ or bool(case.terms)


def sentences(text: str) -> list[str]:
    """Cut a text where a sentence ends."""
    return [part for part in _SENTENCE_END.split(text.strip()) if part]


def numbers(text: str) -> set[float]:
    """Return all numbers of a text, in digits or words; "1-08" is 1 and 8, "twenty-five" is 25."""
    named = _words().numbers
    found = {float(digits) for digits in _DIGITS.findall(text)}
    words = re.findall(r"[a-z]+", text.lower())
    for before, word, after in zip(["", *words], words, [*words[1:], ""], strict=False):
        if word in named and not _together(before, word):
            found.add(named[word] + (named[after] if _together(word, after) else 0))
    return found


def _together(tens: str, unit: str) -> bool:
    """Say whether two words are one number, as "twenty five" is."""
    named = _words().numbers
    return named.get(tens, 0) in range(20, 100, 10) and named.get(unit, 0) in range(2, 10)


def reading_grade(text: str) -> float:
    """Return the grade by Flesch and Kincaid: 0.39 words a sentence + 11.8 syllables a word - 15.59.

    A part of a hyphenated word is a word to speak, and each has a syllable at least ("the" has).
    """
    words = _WORD.findall(text)
    if not words:
        return 0.0
    syllables: int = sum(max(1, countsyllables_en(word.lower().replace("’", "'"))) for word in words)
    return 0.39 * len(words) / len(sentences(text)) + 11.8 * syllables / len(words) - 15.59


def _last_names(case: Case) -> Iterator[str]:
    """Give the last name, and those of its words that are no particle: of Mac Giolla Chuda, two."""
    if case.last_name:
        yield case.last_name
        yield from (word for word in case.last_name.split() if len(word) > 3 and word != case.last_name)


def _explains(text: str, term: str, gloss: str) -> bool:
    wanted = _stems(gloss) - _stems(term)
    return len(wanted & _stems(term_pattern(term).sub(" ", text))) >= min(GLOSS_WORDS_MIN, len(wanted))


def _stems(text: str) -> set[str]:
    words = (word.lower().removesuffix("'s").removesuffix("’s") for word in _WORD.findall(text))
    return {word[:STEM_LETTERS] for word in words if len(word) > 2 and word not in _words().empty}


def _lowered(text: str) -> str:
    return text.lower().replace("’", "'")


def _without_accents(text: str) -> str:
    return "".join(part for part in unicodedata.normalize("NFKD", text) if not unicodedata.combining(part))


@dataclass(frozen=True, slots=True)
class _Advice:
    """What a summary must not say, and why; what to look for in a note that says it."""

    pattern: re.Pattern[str]
    noted: re.Pattern[str]
    why: str


@dataclass(frozen=True, slots=True)
class _Words:
    never: tuple[_Advice, ...]
    unless_noted: tuple[_Advice, ...]
    numbers: Mapping[str, int]
    empty: frozenset[str]


@cache
def _words() -> _Words:
    lists = yaml.safe_load((files("core") / "evaluation_words.yaml").read_text("utf-8"))
    never, unless_noted = (
        tuple(
            _Advice(re.compile(one["pattern"]), re.compile(one.get("noted", one["pattern"])), one["why"])
            for one in lists[name]
        )
        for name in ("never", "unless_noted")
    )
    return _Words(never, unless_noted, lists["numbers"], frozenset(lists["empty"].split()))
