"""What is due: counted by sport and tone, and split into packs as even as can be."""

from collections import Counter
from math import ceil

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.states import Tone
from core.survey import Group, split, survey_of
from tests.unit.planned import crowd, insight


@pytest.mark.parametrize(
    ("insights", "insights_per_call", "sizes"),
    [(1, 5, (1,)), (5, 5, (5,)), (6, 5, (3, 3)), (11, 5, (4, 4, 3)), (3, 1, (1, 1, 1)), (0, 5, ())],
)
def test_packs_are_as_few_and_as_even_as_possible(
    insights: int, insights_per_call: int, sizes: tuple[int, ...]
) -> None:
    assert split(insights, insights_per_call) == sizes


@given(st.integers(1, 400), st.integers(1, 20))
@settings(derandomize=True, deadline=None, max_examples=60)
def test_any_split_is_whole_as_few_as_possible_and_even(insights: int, insights_per_call: int) -> None:
    sizes = split(insights, insights_per_call)
    assert sum(sizes) == insights
    assert len(sizes) == ceil(insights / insights_per_call)
    assert max(sizes) <= insights_per_call
    assert max(sizes) - min(sizes) <= 1


def test_a_group_counts_its_insights_and_its_packs() -> None:
    group = Group("soccer", Tone.WARM, {1: 10, 7: 2})
    assert group.insights == 24
    assert group.packs(5) == Counter({1: 10, 4: 2, 3: 2})
    assert group.packs(1) == Counter({1: 24})


def test_a_player_of_two_coaches_or_of_two_sports_counts_for_each() -> None:
    due = [insight(1), insight(2), insight(3, coach_id="another"), insight(4, sport="rugby")]
    groups = {(group.sport, group.tone): dict(group.sizes) for group in survey_of(due).groups}
    assert groups == {("soccer", Tone.WARM): {1: 1, 2: 1}, ("rugby", Tone.WARM): {1: 1}}


def test_a_survey_loses_nobody() -> None:
    due = crowd(seed=6, size=90)
    survey = survey_of(due)
    assert survey.insights == 90
    assert sum(sum(group.sizes.values()) for group in survey.groups) == len({one.player_id for one in due})
    assert survey_of([]).groups == []
