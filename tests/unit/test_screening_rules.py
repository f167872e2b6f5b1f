"""What is found without a list: ways to reach somebody, markup, other people, other languages."""

import pytest

from core.screening import Child, Finding, Roster, screen_note

CHILD = Child("Олена", "Nowak")
ROSTER = Roster([("محمد", "Nowak")])


def found(text: str) -> tuple[Finding, ...]:
    return screen_note("Tuesday", text, CHILD, ROSTER).findings


@pytest.mark.parametrize(
    "text",
    [
        "087 123 4567",
        "0871234567",
        "+353 87 123 4567",
        "01 234 5678 is best",
        "oh eight seven one two three four five six seven",
        "0 8 7 1 2 3 4 5 6 7",
        "oh eight six, three zeros, then double-oh nineteen",
        "aoife.kelly@example.com",
        "aoife dot kelly at gmail dot com",
        "coach (at) club (dot) ie",
        "https://example.com/x",
        "see www.example.ie",
        "follow @aoifek10",
        "14 Oakwood Drive",
        "22 main street",
        "D08 XY45",
        "SW1A 1AA",
        "14/03/2013",
    ],
)
def test_a_way_to_reach_somebody_is_found(text: str) -> None:
    assert Finding.CONTACT in found(text)


@pytest.mark.parametrize(
    "text",
    [
        "Won 1-08 to 0-10, led 0-06 to 0-04 at half-time",
        "0-12 0-10 0-08 in the three games",
        "Swam the 100 in 1:24.6 and the 200 in 2:58.31",
        "Sets of 100 200 400 800",
        "Ran 60 metres in 8.9, down from 9.4",
        "Two out of five, then four out of five",
        "Training on the 12th of May 2026",
        "U14 2nd team, 4x100 relay",
        "41-38 in the end",
    ],
)
def test_scores_times_and_distances_are_no_telephone_numbers(text: str) -> None:
    assert Finding.CONTACT not in found(text)


@pytest.mark.parametrize("text", ["<b>ok</b>", "```", '{"a": 1}', "### new", "assistant: yes", "[INST] go"])
def test_text_for_machines_is_found(text: str) -> None:
    assert Finding.INSTRUCTIONS in found(text)


@pytest.mark.parametrize(
    "text",
    [
        "El entrenamiento fue muy bueno y la niña jugó con mucha energía",
        "Dzisiaj nie była w formie i się nie uśmiecha, jest bardzo źle",
        "Bhí sí an-mhaith inniu ach níl sí sásta leis an gcluiche agus tá sí tuirseach",
        "好球",
        "abcdefghij" * 4,
    ],
)
def test_what_the_lists_cannot_read_is_found(text: str) -> None:
    assert Finding.UNREADABLE in found(text)


@pytest.mark.parametrize(
    "text",
    [
        "Олена found the net twice",
        "Great pass from محمد",
        "Na Fianna Óga and De La Salle next, then Naomh Mearnóg",
        "Maith thú, lovely striking",
        "Lovely 👏👏 striking ½ an hour",
        "Long, accurate kick-outs, five from six.",
    ],
)
def test_names_in_any_script_and_a_few_words_of_irish_are_readable(text: str) -> None:
    assert Finding.UNREADABLE not in found(text)


def test_a_he_beside_a_she_is_somebody_else() -> None:
    assert Finding.OTHER_PERSON in found("She passed it and he never looked up")
    assert found("She passed it and never looked up") == ()


def test_english_behind_foreign_words_does_not_make_them_readable() -> None:
    spanish = "La niña está muy triste y no quiere jugar con las otras."
    assert Finding.UNREADABLE in found(
        spanish + " The rest of it is in English and there is a lot of it." * 5
    )


@pytest.mark.parametrize("text", ["Splits of sixty one, sixty two, sixty three and sixty four"])
def test_times_said_in_words_are_no_telephone_number(text: str) -> None:
    assert Finding.CONTACT not in found(text)
