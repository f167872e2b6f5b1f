"""Other people's names are found against the club's roster, and words are not taken for names."""

import pytest

from core.roster import Child, Roster
from core.screening import Finding, explain_note

ROSTER = Roster(
    [
        ("Mark", "Byrne"),
        ("Grace", "Long"),
        ("Seán", "Power"),
        ("Aoife", "Kelly"),
        ("Aoife", "Ní Bhriain"),
        ("Ciarán", "Mac Giolla Chuda"),
        ("Will", "Young"),
        ("Rose", "Day"),
        ("Jack", "O'Brien"),
        ("May", "Field"),
        ("Mary Kate", "Walsh"),
        ("Clare", "Hand"),
        ("Brigid", "Best"),
        ("Summer", "Ball"),
        ("He", "So"),
    ]
)
AOIFE = Child("Aoife", "Kelly")


def names(text: str, child: Child = AOIFE) -> list[str]:
    return [
        words
        for finding, words in explain_note("Tuesday", text, child, ROSTER)
        if finding is Finding.OTHER_PERSON
    ]


@pytest.mark.parametrize(
    "text",
    [
        "Row with Mark in the warm-up",
        "Mark took it off the line",
        "mark took it off the line",
        "Pushed by mark",
        "ROW WITH MARK AND GRACE",
        "Sean was on the left",
        "ciaran's pass",
        "CIARÁN",
        "Ciarans pass",
        "Mac Giolla Chuda took the free",
        "Chuda took the free",
        "Told Will to shoot",
        "Passed it to Mary",
        "O'Brien scored",
        "O’Brien scored",
        "OBrien scored",
        "O Brien scored",
        "Long fouled the forward",
        "May said it",
        "Aoife Ní Bhriain scored",
        "Next to Ni Bhriain",
        "Mark's shot was saved",
        "Passed it to Niamh on the left",
    ],
)
def test_another_persons_name_is_found(text: str) -> None:
    assert names(text)


@pytest.mark.parametrize(
    "text",
    [
        "Took the mark",
        "Took The Mark",
        "Took a Mark from the kick-out",
        "Needs to mark tighter",
        "Mark up at throw-ins",
        "Grace under pressure",
        "In May the striking was better",
        "May need more work",
        "Will need work on the left",
        "Long kick-outs were good",
        "Aoife's power is good",
        "Hand up, field well covered",
        "Best game yet",
        "Rose highest for the ball",
        "Won by three against St Brigid's",
        "Byrne Cup final",
        "Picked for the Clare panel",
        "Beat Clare on Saturday",
        "Summer camp helped",
        "So close to the line",
        "Tried the Kevin turn",
        "Played in Páirc St Brendan and won",
        "The will to win is huge, and it was there at will",
    ],
)
def test_a_word_is_not_taken_for_a_name(text: str) -> None:
    assert names(text) == []


@pytest.mark.parametrize(
    "text", ["Aoife", "aoife kelly", "Aoife's", "Aoifes pass", "KELLY", "Kelly was late"]
)
def test_the_childs_own_names_are_nobody_elses(text: str) -> None:
    assert names(text) == []


def test_each_part_of_the_childs_own_names_counts() -> None:
    ciaran = Child("Ciarán", "Mac Giolla Chuda")
    assert names("Ciaran Chuda, or Mac Giolla", ciaran) == []
    assert names("Mary again", Child("Mary Kate", None)) == []
    assert names("Mary Kate again", Child("Mary", None)) == ["mary kate"]


def test_a_name_is_no_misspelled_word() -> None:
    assert list(explain_note("Tuesday", "Ankel scored", Child("Ankel", None), Roster([]))) == []
    assert list(explain_note("Tuesday", "Ankel scored", AOIFE, Roster([])))


def test_a_club_without_people_has_no_names() -> None:
    assert list(Roster([]).others((), AOIFE)) == []
    assert Roster([("", None), ("  ", "")]).words == frozenset()


def test_a_short_form_of_the_childs_own_name_is_the_childs() -> None:
    assert names("Great to see Dan take the free", Child("Daniel", None)) == []
    assert names("Great to see Dan take the free") == ["dan"]
