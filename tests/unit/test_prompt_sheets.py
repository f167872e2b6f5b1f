"""Every text of the prompt has its structure and length; worked examples obey the rules they teach."""

import json
import re
import unicodedata
from collections.abc import Iterator
from dataclasses import replace
from importlib.resources import files
from itertools import pairwise
from typing import NamedTuple

import pytest

from core.answer import Answer, parse_answer
from core.categories import Category
from core.prompt import (
    EARLIER_SUMMARIES_MAX,
    EARLIER_SUMMARY_LENGTH_MAX,
    PlayerFacts,
    estimated_tokens,
    layers,
    player_text,
    sport_sheet,
    sports,
)
from core.states import Tone

MODEL = "claude-haiku-5-5"
CACHEABLE_TOKENS_MIN = 512  # the default model's minimum
SECTIONS = [
    "Rules in short",
    "Positions",
    "Skills",
    "Terms",
    "Age groups",
    "What parents often misread",
    "Worked examples",
]
BRIEF_WORDS_MAX = 25
CALENDAR = {"August", "September", "Tuesday", "Thursday", "Saturday", "Sunday"}


class Example(NamedTuple):
    note: str
    answers: dict[Tone, Answer]


def sections(sheet: str) -> dict[str, str]:
    parts = re.split(r"^## (.+)$", sheet, flags=re.MULTILINE)
    return dict(zip(parts[1::2], (part.strip() for part in parts[2::2]), strict=True))


def items(section: str) -> dict[str, str]:
    """Return a section's `- **name**: text` lines; a line of another kind is an error."""
    found = [re.fullmatch(r"- \*\*(.+?)\*\*: (.+)", line) for line in section.splitlines()]
    assert all(found)
    return {match[1]: match[2] for match in found if match}


def examples(sheet: str) -> list[Example]:
    blocks = re.split(r"^### .+\n\n", sections(sheet)["Worked examples"], flags=re.MULTILINE)[1:]
    return [example(block.strip()) for block in blocks]


def example(block: str) -> Example:
    """Read one worked example; its answer holds SUMMARY in the place of each tone's line."""
    said = dict(line.split(": ", 1) for line in block.splitlines())
    assert list(said) == ["Note", "Answer", *(tone.value for tone in Tone)]
    shown = json.loads(said["Answer"])
    assert list(shown) == list(Answer.model_fields)
    assert shown["summary"] == "SUMMARY"
    answers = {tone: parse_answer(json.dumps(shown | {"summary": said[tone.value]})) for tone in Tone}
    return Example(said["Note"], answers)


def sentences(text: str) -> int:
    return len(re.findall(r"[.!?](?:\s|$)", text))


ALL = pytest.mark.parametrize("sport", sports())


def worked(sport: str) -> Iterator[tuple[str, Tone, str, Answer]]:
    """Give each worked example in each tone: where it stands, the tone, the note, the answer."""
    for number, each in enumerate(examples(sport_sheet(sport)), start=1):
        for tone in Tone:
            yield f"{sport} {number} {tone.value}", tone, each.note, each.answers[tone]


def test_the_nine_sports_are_there() -> None:
    gaelic = {"gaa_football", "hurling", "camogie"}
    assert gaelic | {"soccer", "rugby", "basketball", "athletics", "swimming", "hockey"} <= set(sports())


@ALL
def test_a_sheet_has_one_title_and_the_sections_in_order(sport: str) -> None:
    sheet = sport_sheet(sport)
    assert re.match(r"# Sport: \S", sheet)
    assert re.findall(r"^#{1,2} (.+)$", sheet, flags=re.MULTILINE)[1:] == SECTIONS


@ALL
def test_a_sheet_has_twelve_to_twenty_skills_with_five_levels_each(sport: str) -> None:
    skills = items(sections(sport_sheet(sport))["Skills"].partition("\n\n")[2])
    assert 12 <= len(skills) <= 20
    for name, levels in skills.items():
        found = re.fullmatch(r"1 (.+); 2 (.+); 3 (.+); 4 (.+); 5 (.+)\.", levels)
        assert found, name
        assert len(set(found.groups())) == 5


@ALL
def test_a_sheet_explains_positions_terms_and_misreadings(sport: str) -> None:
    parts = sections(sport_sheet(sport))
    assert len(items(parts["Positions"])) >= 5
    assert len(items(parts["Terms"])) >= 12
    assert len(parts["What parents often misread"].splitlines()) >= 4
    assert len(parts["Rules in short"].splitlines()) >= 4


@ALL
def test_the_age_groups_leave_no_gap_from_the_youngest_to_the_senior(sport: str) -> None:
    groups = list(items(sections(sport_sheet(sport))["Age groups"]))
    assert groups.pop() == "senior"
    spans = [[int(end) for end in re.findall(r"\d+", group)] for group in groups]
    assert (spans[0][0], spans[-1][-1]) == (6, 18)
    assert all(later[0] == earlier[-1] + 1 for earlier, later in pairwise(spans))


@ALL
def test_a_sheet_works_examples_of_ordinary_and_of_sensitive_notes(sport: str) -> None:
    categories = {answer.category for _, _, _, answer in worked(sport)}
    assert {Category.NORMAL, Category.INJURY} <= categories
    assert len(categories) >= 3


@ALL
def test_a_worked_summary_has_the_length_of_its_tone(sport: str) -> None:
    for place, tone, _, answer in worked(sport):
        fewest, most = (1, 1) if tone is Tone.BRIEF else (2, 3)
        assert fewest <= sentences(answer.summary) <= most, place
        assert tone is not Tone.BRIEF or len(answer.summary.split()) <= BRIEF_WORDS_MAX, place


@ALL
def test_a_worked_summary_invents_no_number(sport: str) -> None:
    for place, _, note, answer in worked(sport):
        assert set(re.findall(r"\d+", answer.summary)) <= set(re.findall(r"\d+", note)), place


@ALL
def test_a_worked_summary_names_nobody_but_the_child(sport: str) -> None:
    for place, _, note, answer in worked(sport):
        named = set(re.findall(r"(?<=[a-z,] )[A-ZÁÉÍÓÚ]\w+", note)) - CALENDAR
        assert len({name for name in named if name in answer.summary}) <= 1, place


@ALL
def test_a_worked_answer_gives_a_reason_only_when_it_is_not_normal(sport: str) -> None:
    for place, _, _, answer in worked(sport):
        assert bool(answer.reason) == (answer.category is not Category.NORMAL), place
        assert len(answer.reason.split()) <= 12, place


@ALL
def test_a_sheet_is_as_long_as_it_is_useful(sport: str) -> None:
    assert 2_000 <= estimated_tokens(sport_sheet(sport), MODEL) <= 4_000


@ALL
def test_instructions_and_sheet_exceed_the_default_models_minimum_by_far(sport: str) -> None:
    instructions, sheet, *_ = layers(sport, Tone.BRIEF, PlayerFacts("Aoife", None, None, None))
    assert estimated_tokens(instructions.text + sheet.text, MODEL) > 4 * CACHEABLE_TOKENS_MIN


def test_instructions_tones_and_player_keep_to_their_budgets() -> None:
    longest = PlayerFacts(
        "Abd al-Rahman Muhammad", "senior", "U16 Football Development Squad", "Corner-forward"
    )
    for tone in Tone:
        instructions, _, voice, _ = layers("soccer", tone, longest)
        assert 1_600 <= estimated_tokens(instructions.text, MODEL) <= 2_000
        assert 100 <= estimated_tokens(voice.text, MODEL) <= 150
    assert estimated_tokens(player_text(longest), MODEL) <= 120
    earlier = ("x" * EARLIER_SUMMARY_LENGTH_MAX,) * EARLIER_SUMMARIES_MAX
    talked_of = replace(longest, earlier_summaries=earlier)
    assert estimated_tokens(player_text(talked_of), MODEL) <= 120 + EARLIER_SUMMARIES_MAX * 130


def test_the_instructions_say_what_earlier_summaries_are_for() -> None:
    text = layers("soccer", Tone.WARM, PlayerFacts("Aoife", None, None, None))[0].text
    (line,) = [line for line in text.splitlines() if "`earlier_summaries`" in line]
    assert all(
        words in line
        for words in ("were sent before", "neither their praise nor their wording", "no fact from them")
    )


def test_the_instructions_name_every_category_flag_and_field() -> None:
    text = layers("soccer", Tone.WARM, PlayerFacts("Aoife", None, None, None))[0].text
    properties = json.loads((files("core") / "prompts" / "answer.schema.json").read_text())["properties"]
    words = [*properties["category"]["enum"], *properties["flags"]["items"]["enum"]]
    assert all(f"`{word}`" in text for word in words)
    shown = [json.loads(line) for line in text.splitlines() if line.startswith("{")]
    assert len(shown) == 2
    assert all(list(each) == list(properties) for each in shown)


def test_the_answers_shown_in_the_instructions_are_valid() -> None:
    text = layers("soccer", Tone.WARM, PlayerFacts("Aoife", None, None, None))[0].text
    shown = [parse_answer(line) for line in text.splitlines() if line.startswith("{")]
    assert [answer.category for answer in shown] == [Category.NORMAL, Category.INJURY]


@ALL
def test_texts_are_normalised_and_tidy(sport: str) -> None:
    for tone in Tone:
        for layer in layers(sport, tone, PlayerFacts("Aoife", None, None, None)):
            assert layer.text == unicodedata.normalize("NFC", layer.text).strip()
            assert not re.search(r"[ \t]+$|\t|\r", layer.text, flags=re.MULTILINE)
