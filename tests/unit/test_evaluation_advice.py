"""What counts as medical advice: each pattern of the word list, each alternative, and what is none."""

import re
from collections.abc import Iterator
from importlib.resources import files
from itertools import pairwise
from typing import Any

import pytest
import yaml

from tests.unit.test_evaluation_rules import answer, keeps, note

LISTS = yaml.safe_load((files("core") / "evaluation_words.yaml").read_text("utf-8"))
ADVICE = [(kind, one) for kind in ("never", "unless_noted") for one in LISTS[kind]]


@pytest.mark.parametrize(
    ("said", "summary", "kept"),
    [
        ("Sore ankle.", "Grace came off with a sore ankle.", True),
        ("Sore ankle, a bit of ice.", "Her ankle was sore and was iced.", True),
        ("Sore ankle.", "Her ankle was sore and was iced.", False),
        ("Put ice on it.", "Put ice on it this evening.", False),
        ("The physio should have a look.", "Grace should see the physio.", False),
        ("The physio had a look.", "The physio had a look at her knee.", True),
        ("Sore knee.", "Do get it checked.", False),
        ("Rest it a few days.", "Grace will rest it for now.", False),
        ("Two weeks out.", "She will be two weeks out.", False),
        ("Out for a fortnight.", "She is out for the next two weeks.", False),
        ("Should be racing in two weeks.", "She should be racing in two weeks.", False),
        ("She'll be grand.", "She will be fine.", False),
        ("A knock.", "It is nothing serious.", False),
        ("A knock.", "It looks like a sprain.", False),
        ("Doctor's advice is to wait.", "We follow the doctor's advice.", False),
        ("Sore ankle.", "Keep it raised.", False),
        ("Sore ankle.", "Keep it strapped.", False),
        ("Sore ankle.", "Keep it elevated.", False),
        ("Sore ankle.", "Ice it this evening.", False),
        ("Back next week.", "She is back next week.", False),
        ("Back next week.", "She’ll be fine.", False),
        ("Grand by Saturday.", "She should be fine by Saturday.", False),
        ("Two weeks.", "She is ready to play again in two weeks.", False),
        ("Sore ankle.", "She went for a scan.", False),
        ("Sore ankle, scan on Monday, got clear.", "She went for a scan.", True),
        ("Sore ankle, put a strap on it.", "Her ankle was strapped.", True),
        ("Sore ankle, some tape on it.", "Her ankle was taped.", True),
        ("Out for two weeks with the ankle.", "She was out for two weeks with her ankle.", True),
    ],
)
def test_no_medical_advice_is_given(said: str, summary: str, kept: bool) -> None:
    assert keeps("no_medical_advice", note(said), answer(summary)) is kept


@pytest.mark.parametrize(
    "summary",
    [
        "Nice work, and she was back in ten minutes for the rest of it.",
        "Aoife did not notice it.",
        "Twice it went over the bar.",
        "He should practice it more.",
        "Keep it up, Aoife!",
        "The next step is to keep it up on the left side.",
        "Ruby enjoyed playing in a weekend blitz.",
        "She is racing next Saturday.",
        "She is playing next weekend.",
        "He will be ready to try it in a match",
        "She should scan before the ball arrives",
        "Zofia scans well before the ball comes.",
        "She should see the pass earlier and ask for the ball.",
        "He needs to talk to his defenders and call for it.",
        "She should be back goal-side sooner.",
        "She missed one free and did not miss the next one.",
        "She came back on Saturday and did the rest for the team.",
        "The last point was the icing on the cake.",
        "She works on being ready for the pass.",
        "The next step is to raise her game, and to use the left.",
    ],
)
def test_the_same_words_about_the_sport_are_no_medical_advice(summary: str) -> None:
    assert keeps("no_medical_advice", note("Said in other words."), answer(summary))


@pytest.mark.parametrize(("kind", "advice"), ADVICE)
def test_every_alternative_of_a_pattern_has_an_example(kind: str, advice: dict[str, Any]) -> None:
    said = [example.lower() for example in advice["examples"]]
    pattern = advice["pattern"]
    assert all(re.search(pattern, example) for example in said)
    for start, end in alternatives(pattern):
        without = re.compile(pattern[:start] + "(?!)" + pattern[end:])
        assert not all(without.search(example) for example in said), pattern[start:end]


@pytest.mark.parametrize(("kind", "advice"), ADVICE)
def test_an_example_of_advice_is_told_only_when_the_note_may_say_it(
    kind: str, advice: dict[str, Any]
) -> None:
    for example in advice["examples"]:
        assert not keeps("no_medical_advice", note("Quiet."), answer(example)), example
        assert keeps("no_medical_advice", note(example), answer(example)) is (kind == "unless_noted"), example


def alternatives(pattern: str) -> Iterator[tuple[int, int]]:
    """Give where each alternative of a pattern starts and ends, at every depth."""
    levels = [[0]]
    for token in re.finditer(r"\\.|\[[^\]]*\]|\(\?<?[!=]|[(|)]", pattern + ")"):
        if token[0] == "|":
            levels[-1].append(token.end())
        elif token[0] == ")":
            starts = levels.pop()
            if len(starts) > 1:
                yield from ((start, after - 1) for start, after in pairwise([*starts, token.end()]))
        elif token[0].startswith("("):
            levels.append([token.end()])


def test_alternatives_are_found_at_every_depth() -> None:
    pattern = r"a(b|c\|d)?|(?<!e )f"
    assert sorted(pattern[start:end] for start, end in alternatives(pattern)) == [
        "(?<!e )f",
        r"a(b|c\|d)?",
        "b",
        r"c\|d",
    ]
