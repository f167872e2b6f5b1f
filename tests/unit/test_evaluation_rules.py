"""Each rule finds what is plainly wrong, and lets a good summary pass."""

from typing import Any

import pytest

from core.answer import Answer
from core.categories import Category
from core.evaluation_rules import RULES, applies, numbers, reading_grade, sentences
from core.labelled import Case, glossary, term_pattern
from core.prompt import sport_sheet, sports
from core.states import Tone
from tests.unit.test_labelled import case
from tests.unit.test_prompt_sheets import examples


def answer(summary: str = "All good.", category: str = "normal") -> Answer:
    return Answer(
        category=Category(category),
        category_confidence=0.9,
        reason="",
        summary=summary,
        confidence=0.9,
        flags=(),
    )


def keeps(rule: str, about: Case, given: Answer) -> bool:
    return RULES[rule](about, given) is None


def note(text: str, **changed: Any) -> Case:
    return case(**({"title": "Note", "description": text, "terms": [], "other_names": []} | changed))


@pytest.mark.parametrize(
    ("tone", "category", "summary", "kept"),
    [
        ("warm", "normal", "One here.", False),
        ("warm", "normal", "One here. And two!", True),
        ("warm", "normal", "One. Two? Three.", True),
        ("professional", "normal", "One. Two. Three. Four.", False),
        ("warm", "normal", "It took 12.5 seconds.", False),
        ("warm", "safeguarding", "Your coach has a note about Grace that is kept within the club.", True),
        ("warm", "private", "Your coach has made a private note about Grace.", True),
        ("warm", "wellbeing", "Grace had a hard evening.", False),
        ("brief", "normal", "One sentence, " + "word " * 22 + "end.", True),
        ("brief", "normal", "One sentence, " + "word " * 23 + "end.", False),
        ("brief", "normal", "One. Two.", False),
    ],
)
def test_a_summary_has_the_length_of_its_tone(tone: str, category: str, summary: str, kept: bool) -> None:
    assert keeps("tone_length", case(tone=tone), answer(summary, category)) is kept


@pytest.mark.parametrize("tone", ["warm", "professional"])
@pytest.mark.parametrize(
    ("changed", "kept"),
    [
        ({}, False),
        ({"single_point": True}, True),
        ({"category": "private"}, True),
        ({"category": "safeguarding"}, True),
        ({"category": "wellbeing"}, False),
        ({"category": "wellbeing", "single_point": True}, True),
    ],
)
def test_one_sentence_is_enough_for_a_single_point_or_the_clubs_fixed_sentence(
    tone: str, changed: dict[str, Any], kept: bool
) -> None:
    given = answer("Things may not be easy for Grace at the moment.")
    assert keeps("tone_length", case(tone=tone, **changed), given) is kept


def test_a_single_point_may_have_two_sentences_and_never_four() -> None:
    about = case(single_point=True)
    assert keeps("tone_length", about, answer("One. Two."))
    assert not keeps("tone_length", about, answer("One. Two. Three. Four."))
    assert not keeps("tone_length", case(single_point=True, tone="brief"), answer("One. Two."))


@pytest.mark.parametrize(
    ("last_name", "summary", "kept"),
    [
        ("Byrne", "Grace did well.", True),
        ("Byrne", "Grace Byrne did well.", False),
        ("Byrne", "Byrne's day.", False),
        ("Long", "A long kick.", True),
        ("Long", "Long kicked well.", False),
        ("Mac Giolla Chuda", "Grace Giolla.", False),
        ("Mac Giolla Chuda", "A Mac in the rain.", True),
        ("Ó Sé", "Grace O Se did well.", False),
        (None, "Grace and Kate did well.", False),
        (None, "Grace and a team-mate did well.", True),
    ],
)
def test_only_the_first_name_is_named(last_name: str | None, summary: str, kept: bool) -> None:
    assert keeps("first_name_only", case(last_name=last_name), answer(summary)) is kept


@pytest.mark.parametrize(
    ("said", "summary", "kept"),
    [
        ("Scored two points.", "Grace scored 2 points.", True),
        ("Scored 2 points.", "Grace scored two points.", True),
        ("Scored points.", "Grace scored two points.", False),
        ("A 4 out of 5.", "Now 4 out of 10.", False),
        ("We won 1-08 to 7.", "They won with 1-08 against 7.", True),
        ("In 12.4 seconds.", "A time of 12.4 seconds.", True),
        ("In 12.4 seconds.", "A time of 12 seconds.", False),
        ("Made twenty-five passes.", "Grace made 25 passes.", True),
        ("Made twenty-five passes.", "Grace made five passes.", False),
        ("A couple of good ones.", "Twice it went well.", True),
        ("Good on the ball.", "One thing to work on is the second half.", True),
    ],
)
def test_no_number_is_invented(said: str, summary: str, kept: bool) -> None:
    assert keeps("no_invented_numbers", note(said), answer(summary)) is kept


def test_a_number_of_the_gloss_is_not_invented() -> None:
    scrum = note("The scrum was solid.", terms=["scrum"])
    assert keeps("no_invented_numbers", scrum, answer("The scrum, eight against eight, was solid."))
    assert not keeps("no_invented_numbers", note("Solid."), answer("Eight against eight, it was solid."))


@pytest.mark.parametrize(
    ("expected", "answered", "equal", "at_least"),
    [
        ("injury", "injury", True, True),
        ("injury", "normal", False, False),
        ("injury", "wellbeing", False, False),
        ("injury", "safeguarding", False, True),
        ("normal", "private", False, True),
        ("safeguarding", "injury", False, False),
    ],
)
def test_a_category_too_low_is_worse_than_one_too_high(
    expected: str, answered: str, equal: bool, at_least: bool
) -> None:
    about, given = case(category=expected), answer(category=answered)
    assert keeps("category", about, given) is equal
    assert keeps("category_at_least", about, given) is at_least


@pytest.mark.parametrize(
    ("summary", "kept"),
    [
        ("Grace's offloads are sticking.", False),
        ("Grace's offloads, passes made while being tackled, are sticking.", True),
        ("Grace keeps the ball alive when she is tackled.", True),
        ("Grace is good. Her passing while tackled is called offloading.", True),
    ],
)
def test_a_term_is_explained_or_left_out(summary: str, kept: bool) -> None:
    assert keeps("glossary_used", case(), answer(summary)) is kept


def test_a_gloss_of_one_word_is_explained_by_it() -> None:
    about = note("Great ball at the breakdown.", terms=["breakdown"])
    assert not keeps("glossary_used", about, answer("Strong at the breakdown."))
    assert keeps("glossary_used", about, answer("Strong at the breakdown, the contest after a tackle."))


def test_without_terms_there_is_no_glossary_to_use() -> None:
    assert not applies("glossary_used", case(terms=[]))
    assert applies("glossary_used", case())
    assert all(applies(rule, case(terms=[])) for rule in RULES if rule != "glossary_used")


PLAIN = "Grace won the ball on the ground. Her next step is to let go of it in time."
HARD = (
    "Grace demonstrated considerable improvement in positional awareness, facilitating collective defensive"
    " organisation. Additional concentration on communication responsibilities is recommended."
)
MIDDLING = "Grace tackled well all evening and her next step is releasing opponents earlier."


@pytest.mark.parametrize(
    ("tone", "summary", "kept"),
    [
        ("warm", PLAIN, True),
        ("warm", HARD, False),
        ("brief", HARD, False),
        ("professional", MIDDLING, False),
        ("brief", MIDDLING, True),
    ],
)
def test_a_summary_reads_easily_and_one_sentence_may_be_harder(tone: str, summary: str, kept: bool) -> None:
    assert keeps("readability", case(tone=tone), answer(summary)) is kept


def test_the_grade_is_the_formulas() -> None:
    words, in_sentences, syllables = 6, 2, 7  # the cat sat . a lit-tle one
    expected = 0.39 * words / in_sentences + 11.8 * syllables / words - 15.59
    assert reading_grade("The cat sat. A tiny one.") == pytest.approx(expected)
    assert reading_grade("...") == 0


def test_sentences_end_at_a_mark_and_a_space() -> None:
    assert sentences(" It took 12.5 s. Well done! ") == ["It took 12.5 s.", "Well done!"]


def test_numbers_are_found_in_digits_and_words() -> None:
    assert numbers("1-08, 12.4, twenty five, thirty and a dozen; one") == {1, 8, 12.4, 25, 30, 12}


@pytest.mark.parametrize("sport", sports())
def test_the_worked_answers_of_the_sheets_keep_the_rules(sport: str) -> None:
    for number, worked in enumerate(examples(sport_sheet(sport)), start=1):
        for tone in Tone:
            given = worked.answers[tone]
            about = note(worked.note, sport=sport, tone=tone, category=given.category)
            assert [rule for rule in RULES if not keeps(rule, about, given)] == [], (number, tone)


@pytest.mark.parametrize("sport", sports())
def test_a_worked_summary_explains_every_term_of_its_sheet_that_stays_in_it(sport: str) -> None:
    """The note's terms and those that only the summary says: the case's note is the summary itself."""
    for number, worked in enumerate(examples(sport_sheet(sport)), start=1):
        for tone in Tone:
            given = worked.answers[tone]
            said = [term for term in glossary(sport) if term_pattern(term).search(given.summary)]
            about = note(given.summary, sport=sport, tone=tone, terms=said)
            assert keeps("glossary_used", about, given), (number, tone)
