"""How a run goes about what is due: its order, its forms, and the lifetimes of what is shared."""

import random
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest

from core.forecast import Limits
from core.measured import Measured, text_key
from core.plan import Branch, RunPlan, bare_prefixes, plan_run
from core.prompt import texts_of
from core.states import Tone
from core.survey import Group, Survey
from tests.unit.planned import MODEL, terms

WARM, BRIEF, PROFESSIONAL = Tone.WARM, Tone.BRIEF, Tone.PROFESSIONAL


def planned(groups: Sequence[Group], insights_per_call: int = 5, **changed: Any) -> RunPlan:
    survey = Survey(groups, run_every_seconds=changed.pop("every", 900.0))
    return plan_run(survey, terms(insights_per_call, **changed))


def ttls(plan: RunPlan, sport: str = "soccer", *, packed: bool = False) -> list[str | None]:
    return [prefix.ttl for prefix in plan.shared_prefixes(sport, WARM, packed)]


def names(plan: RunPlan) -> list[tuple[str, Tone]]:
    return [(group.sport, group.tone) for group in plan.order]


GROUPS = (
    Group("soccer", WARM, {1: 40}),
    Group("rugby", WARM, {1: 99}),
    Group("soccer", BRIEF, {1: 60}),
    Group("hurling", PROFESSIONAL, {1: 99}),
)


@pytest.mark.parametrize("seed", range(4))
def test_the_order_is_depth_first_with_the_largest_subtree_first(seed: int) -> None:
    print(f"seed {seed}")
    shuffled = random.Random(seed).sample(GROUPS, len(GROUPS))
    assert names(planned(shuffled)) == [
        ("soccer", BRIEF),
        ("soccer", WARM),
        ("hurling", PROFESSIONAL),
        ("rugby", WARM),
    ]


def test_a_subtree_is_as_large_as_the_calls_it_takes_not_as_its_insights() -> None:
    groups = [Group("rugby", WARM, {1: 12}), Group("soccer", WARM, {20: 2})]
    assert names(planned(groups)) == [("rugby", WARM), ("soccer", WARM)]
    assert names(planned(groups, 1)) == [("soccer", WARM), ("rugby", WARM)]


def test_each_prefix_is_counted_for_all_calls_that_begin_with_it() -> None:
    plan = planned(GROUPS)
    uses = {branch: one.uses for branch, one in plan.prefixes.items()}
    assert uses[Branch(False)] == 298
    assert uses[Branch(False, "soccer")] == 100
    assert uses[Branch(False, "soccer", BRIEF)] == 60
    rugby = [one.segment_tokens for branch, one in plan.prefixes.items() if branch.sport in (None, "rugby")]
    assert sum(rugby) == plan.shared_prefixes("rugby", WARM, False)[-1].tokens


def test_only_single_insights_are_asked_in_the_single_form() -> None:
    plan = planned([Group("soccer", WARM, {1: 100})])
    assert not plan.packed(1)
    assert {branch.packed for branch in plan.prefixes} == {False}


@pytest.mark.parametrize("single", [1, 10, 30])
def test_singles_among_many_packs_take_the_packs_form_and_share_their_prefix(single: int) -> None:
    plan = planned([Group("soccer", WARM, {1: single, 5: 20})])
    assert (plan.insights_max, plan.packed(1), plan.packed(2)) == (5, True, True)
    assert {branch.packed for branch in plan.prefixes} == {True}
    assert plan.prefixes[Branch(True)].uses == 20 + single


def test_so_many_singles_that_their_ids_cost_more_than_a_second_write_keep_their_own_form() -> None:
    plan = planned([Group("soccer", WARM, {1: 1_000, 5: 20})])
    assert (plan.insights_max, plan.packed(1), plan.packed(5)) == (5, False, True)
    assert {branch.packed for branch in plan.prefixes} == {False, True}


@pytest.mark.parametrize("singles", [100, 1_000])
def test_a_rare_pack_alone_in_a_run_is_not_worth_a_form_of_its_own(singles: int) -> None:
    plan = planned([Group("soccer", WARM, {1: singles, 2: 1})])
    assert plan.insights_max == 1
    assert plan.prefixes[Branch(False)].uses == singles + 2


def test_insights_of_one_player_are_packed_even_when_nothing_else_is_due() -> None:
    plan = planned([Group("soccer", WARM, {5: 1})])
    assert plan.insights_max == 5
    assert ttls(plan, packed=True) == [None, None, None]


def test_one_insight_per_call_is_obeyed_however_dear_it_is() -> None:
    plan = planned([Group("soccer", WARM, {20: 50})], 1)
    assert (plan.insights_max, plan.packed(1)) == (1, False)


def test_the_plan_chosen_is_the_cheapest_of_those_it_may_choose() -> None:
    for groups in (GROUPS, [Group("soccer", WARM, {1: 1_000, 5: 20})], [Group("rugby", BRIEF, {3: 4, 1: 2})]):
        prices = [planned(groups, most).price for most in (1, 5)]
        assert prices[1] <= prices[0]


def test_a_prefix_that_is_used_once_is_not_marked_and_says_why() -> None:
    plan = planned([Group("soccer", WARM, {1: 1}), Group("rugby", WARM, {1: 2})])
    assert ttls(plan) == ["5m", None, None]
    assert ttls(plan, "rugby") == ["5m", "5m", "5m"]
    reason = plan.prefixes[Branch(False, "soccer")].decision.reason
    assert reason == "used once: a write would cost more than it saves"


def test_a_sport_that_the_plan_knows_nothing_of_is_asked_without_markers() -> None:
    plan = planned([Group("soccer", WARM, {1: 9})])
    assert ttls(plan, "rugby") == ["5m", None, None]
    assert ttls(plan, "rugby", packed=True) == [None, None, None]


def test_what_is_warm_is_marked_for_a_single_use() -> None:
    groups = [Group("soccer", WARM, {1: 1})]
    keys = [prefix.key for prefix in bare_prefixes(terms(), "soccer", WARM, False)]
    plan = plan_run(Survey(groups, {keys[1]: "1h"}), terms())
    assert ttls(plan)[1] is not None
    assert ttls(plan)[2] is None


@pytest.mark.parametrize(
    ("every", "arrivals", "ttl"),
    [(900, 0.0, None), (900, 0.01, None), (900, 40.0, "1h"), (180, 400.0, "5m"), (180, 4.0, "1h")],
)
def test_arrivals_and_the_rhythm_of_runs_decide_on_the_lifetime(
    every: int, arrivals: float, ttl: str | None
) -> None:
    plan = planned([Group("soccer", WARM, {1: 1}, arrivals)], every=every)
    assert ttls(plan) == [ttl] * 3


def test_a_later_run_is_expected_to_pack_as_this_one_does() -> None:
    """Ten arrivals an hour of players with five insights each are two calls an hour."""
    packed = planned([Group("soccer", WARM, {5: 20}, 10.0)]).prefixes[Branch(True, "soccer", WARM)]
    alone = planned([Group("soccer", WARM, {1: 20}, 2.0)]).prefixes[Branch(False, "soccer", WARM)]
    assert packed.uses == alone.uses == 20
    assert packed.decision == alone.decision


@pytest.mark.parametrize("backwards", [False, True])
def test_what_goes_cold_while_a_large_branch_runs_is_kept_for_longer(backwards: bool) -> None:
    """A call a second: twenty minutes of one sport pass between two uses of the instructions."""
    groups = [Group("soccer", WARM, {1: 1_200}), Group("rugby", WARM, {1: 3})]
    plan = planned(groups[::-1] if backwards else groups, limits=Limits(requests=60))
    assert names(plan)[0] == ("soccer", WARM)
    assert ttls(plan)[0] in {"5m", "1h"}
    quick = planned(groups)
    slow_price, quick_price = (one.prefixes[Branch(False)].decision.price for one in (plan, quick))
    assert slow_price > quick_price
    assert plan.prefixes[Branch(False, "soccer")].decision == quick.prefixes[Branch(False, "soccer")].decision


def test_a_policy_other_than_auto_is_obeyed() -> None:
    for policy in ("5m", "1h"):
        assert ttls(planned(GROUPS, lifetime=policy)) == [policy] * 3
    assert ttls(planned(GROUPS, lifetime="none")) == [None] * 3


def test_counted_lengths_take_the_place_of_estimates_and_a_frame_stands_before_all() -> None:
    texts = texts_of("soccer", WARM)
    counted = {text_key(texts.instructions): 1_800, text_key(texts.sport_sheet): 4_000}
    measured = Measured(MODEL, layers=counted, frames={True: 70, False: 60})
    bare = [
        [prefix.tokens for prefix in bare_prefixes(replace(terms(), measured=measured), "soccer", WARM, form)]
        for form in (False, True)
    ]
    assert bare[0][:2] == [1_860, 5_860]
    assert bare[1] == [tokens + 10 for tokens in bare[0]]


@pytest.mark.parametrize(
    ("instructions", "segments", "markers"),
    [
        (1_800, [1_800, 4_000, 150], ["5m", "5m", "5m"]),
        (300, [0, 4_300, 150], [None, "5m", "5m"]),
    ],
)
def test_what_is_too_short_to_be_cached_is_priced_with_the_next_layer(
    instructions: int, segments: list[int], markers: list[str | None]
) -> None:
    texts = texts_of("soccer", WARM)
    lengths = {texts.instructions: instructions, texts.sport_sheet: 4_000, texts.tone_text: 150}
    measured = Measured(MODEL, layers={text_key(text): tokens for text, tokens in lengths.items()})
    plan = plan_run(Survey([Group("soccer", WARM, {1: 9})]), replace(terms(), measured=measured))
    assert [one.segment_tokens for one in plan.prefixes.values()] == segments
    assert ttls(plan) == markers


def test_a_prompt_too_short_for_its_model_is_priced_once_as_plain_input() -> None:
    plan = planned([Group("soccer", WARM, {1: 9})], model="claude-haiku-4-5")
    whole = plan.shared_prefixes("soccer", WARM, False)[-1].tokens
    assert whole < 4_096
    assert [one.segment_tokens for one in plan.prefixes.values()] == [0, 0, whole]
    assert plan.price == pytest.approx(9 * (whole + 60))  # at a dollar a million


def test_nothing_due_is_a_plan_of_nothing() -> None:
    plan = planned([])
    assert (plan.order, dict(plan.prefixes), plan.price) == ((), {}, 0)
