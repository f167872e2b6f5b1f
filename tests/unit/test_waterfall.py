"""From the plain bill to the one that came: each step restated by hand, to the last digit."""

from decimal import Decimal

import pytest

from core.bill import Bill
from core.calls import PlannedCall
from core.pages import plan_page
from core.plan import plan_run
from core.settlement import predicted_entry
from core.states import Lane
from core.survey import survey_of
from core.tally import bill_of_run
from core.waterfall import STEPS, Packing, Waterfall
from tests.unit.planned import MODEL, NOW, calls, crowd, insight, predicted_usd, terms


def billed(planned: list[PlannedCall]) -> Bill:
    return bill_of_run(predicted_entry(call, NOW) for call in planned)


def fall(planned: list[PlannedCall], model: str = MODEL) -> Waterfall:
    packing = Packing()
    for call in planned:
        packing.add(call, NOW)
    return packing.waterfall(billed(planned), model, NOW)


@pytest.mark.parametrize("seed", range(3))
def test_each_step_is_cheaper_than_the_one_before(seed: int) -> None:
    water = fall(calls(crowd(seed, 90), 5))
    assert water.packed_usd < water.cached_usd < water.uncached_usd
    assert water.packed_usd == billed(calls(crowd(seed, 90), 5)).cost_usd


def test_three_packs_of_two_come_out_as_restated_by_hand() -> None:
    """A prompt of S shared tokens, P of the player and N of two notes, asked three times, 280 answered."""
    planned = calls([insight(number, player=number // 2) for number in range(6)], 2)
    shared, whole = planned[0].prefixes[2].tokens, planned[0].prefixes[3].tokens
    notes = planned[0].predicted.total_input_tokens - whole
    assert [call.predicted.total_input_tokens for call in planned] == [whole + notes] * 3
    player = whole - shared
    packed = 125 * shared + 2 * 10 * shared + 3 * (100 * (player + notes) + 500 * 280)
    cached = packed + 3 * (10 * shared + 100 * player)  # three more calls that read what is shared
    uncached = 6 * 100 * whole + 3 * (100 * notes + 500 * 280)
    water = fall(planned)
    steps = [Decimal(nanos) / 10**9 for nanos in (uncached, cached, packed)]
    assert [water.uncached_usd, water.cached_usd, water.packed_usd] == steps


def test_three_packs_of_two_in_a_batch_end_with_the_night_and_begin_with_the_same_calls_by_day() -> None:
    """Of S shared tokens, all read at night: 50 in, 5 read, 250 out; by day 100, 10 and 500."""
    due = [insight(number, player=number // 2) for number in range(6)]
    plan = plan_run(survey_of(due), terms(2, lane=Lane.OVERNIGHT))
    warm = set(plan.marked_keys)
    planned = [call for chunk in plan_page(due, plan, set(warm)) for call in chunk.calls]
    shared, whole = planned[0].prefixes[2].tokens, planned[0].prefixes[3].tokens
    assert [call.predicted.cache_read_tokens for call in planned] == [shared] * 3
    own, player = planned[0].predicted.total_input_tokens - shared, whole - shared
    packing = Packing()
    for call in planned:
        packing.add(call, NOW)
    night = 3 * (5 * shared + 50 * own + 250 * 280)
    packed = 2 * night
    cached = packed + 3 * (10 * shared + 100 * player)
    uncached = 6 * 100 * whole + 3 * (100 * (own - player) + 500 * 280)
    water = packing.waterfall(billed(planned), MODEL, NOW, live_usd=Decimal(packed) / 10**9)
    steps = [Decimal(nanos) / 10**9 for nanos in (uncached, cached, packed, night)]
    assert [usd for _, usd, _ in water.steps()] == steps
    told = water.to_json()["steps"]
    assert [step["step"] for step in told] == ["uncached", "cached", "packed", "overnight"] == list(STEPS)
    assert told[-1]["share"] == round(night / uncached, 4)


def test_the_cut_on_a_cached_token_is_nine_tenths_at_a_tenth_of_the_price() -> None:
    planned = calls(crowd(seed=4, size=12), 5)
    assert fall(planned).cached_token_cut == Decimal("0.9000")
    assert fall(planned, "claude-opus-5-5").cached_token_cut == Decimal("0.9500")  # reads at 0.20 of 4


def test_without_packs_the_last_step_saves_nothing() -> None:
    planned = calls(crowd(seed=5, size=30))
    water = fall(planned)
    assert water.packed_usd == water.cached_usd == predicted_usd(planned)
    assert water.uncached_usd == billed(planned).uncached_cost_usd


def test_without_markers_the_first_step_saves_nothing() -> None:
    water = fall(calls(crowd(seed=6, size=30), 5, lifetime="none"))
    assert water.uncached_usd == water.cached_usd > water.packed_usd


def test_what_is_told_is_exact_in_dollars_and_a_share_of_the_plain_bill() -> None:
    water = Waterfall(Decimal("0.04"), Decimal("0.01"), Decimal("0.0050"), Decimal("0.9"))
    assert water.to_json() == {
        "steps": [
            {"step": "uncached", "cost_usd": "0.04", "share": 1.0},
            {"step": "cached", "cost_usd": "0.01", "share": 0.25},
            {"step": "packed", "cost_usd": "0.005", "share": 0.125},
        ],
        "cached_token_cut": 0.9,
    }


def test_a_run_without_calls_has_steps_of_zero() -> None:
    assert [(usd, share) for _, usd, share in fall([]).steps()] == [(Decimal(0), Decimal(0))] * 3
