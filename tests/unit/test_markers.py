"""A marker is set where it is expected to pay, for the lifetime that is expected to cost least."""

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.markers import Decision, Expected, LifetimePolicy, decide, later_hits
from core.pricing import CacheTtl, prices_at
from tests.unit.planned import MODEL, NOW

PRICES = prices_at(MODEL, NOW)  # 0.10 in, 0.01 read, 0.125 written for 5 minutes, 0.20 for an hour
QUARTER, THREE_MINUTES = 900.0, 180.0


def decided(
    expected: Expected,
    tokens: int = 4_000,
    *,
    policy: LifetimePolicy = "auto",
    warm: CacheTtl | None = None,
) -> Decision:
    return decide(tokens, minimum=512, expected=expected, prices=PRICES, policy=policy, warm=warm)


@pytest.mark.parametrize("policy", ["auto", "none", "5m", "1h"])
def test_what_is_shorter_than_the_minimum_is_never_marked(policy: LifetimePolicy) -> None:
    decision = decided(Expected(1_000, uses_per_hour=1_000), 511, policy=policy, warm="1h")
    assert decision.ttl is None
    assert decision.reason == "511 tokens: below the model's minimum of 512"
    assert decision.price == pytest.approx(1_000 * 0.10)


def test_a_single_use_is_not_marked() -> None:
    decision = decided(Expected(1))
    assert decision.ttl is None
    assert decision.price == pytest.approx(0.10)
    assert decision.reason == "used once: a write would cost more than it saves"


def test_two_uses_are_worth_a_short_marker() -> None:
    decision = decided(Expected(2), 512)
    assert (decision.ttl, decision.reason) == ("5m", "2 uses")
    misses = 0.02 * 0.125 + 0.98 * 0.01
    assert decision.price == pytest.approx(0.125 + misses)


@pytest.mark.parametrize(("arrivals", "ttl"), [(0.05, None), (8, "1h"), (80, "1h"), (800, "1h")])
def test_steady_arrivals_and_a_run_every_quarter_of_an_hour_are_worth_an_hour(
    arrivals: float, ttl: CacheTtl | None
) -> None:
    expected = Expected(1, uses_per_hour=arrivals, run_every_seconds=QUARTER)
    assert decided(expected).ttl == ttl


@pytest.mark.parametrize(
    ("arrivals", "ttl"), [(0.05, None), (5, "1h"), (200, "5m"), (2_000, "5m")], ids=lambda value: str(value)
)
def test_a_run_every_three_minutes_keeps_a_short_entry_alive_only_with_many_arrivals(
    arrivals: float, ttl: CacheTtl | None
) -> None:
    assert decided(Expected(1, uses_per_hour=arrivals, run_every_seconds=THREE_MINUTES)).ttl == ttl


def test_rare_arrivals_do_not_pay_for_an_hour_but_what_a_run_needs_itself_stays_marked() -> None:
    for uses, ttl in ((1, None), (50, "5m")):
        assert decided(Expected(uses, uses_per_hour=0.05, run_every_seconds=QUARTER)).ttl == ttl


def test_later_runs_are_told_of_where_they_decide() -> None:
    decision = decided(Expected(20, uses_per_hour=80, run_every_seconds=QUARTER))
    assert decision.reason == "20 uses, and later runs will find it 8.0 times"


@pytest.mark.parametrize(
    ("every", "ttl", "runs_alive"),
    [(THREE_MINUTES, "5m", 1), (QUARTER, "5m", 0), (QUARTER, "1h", 3), (300.0, "5m", 0), (3_600.0, "1h", 0)],
)
def test_an_entry_lives_until_the_last_run_before_its_end(
    every: float, ttl: CacheTtl, runs_alive: int
) -> None:
    """With so many arrivals that no run is without one, it is found for two hours, or never."""
    hits = later_hits(ttl, Expected(1, uses_per_hour=1e6, run_every_seconds=every))
    assert hits == pytest.approx(7_200 / every if runs_alive else 0)


def test_a_chain_of_hits_ends_with_the_first_gap_that_is_too_long() -> None:
    """With half of all runs using it, and one run within its life, one more hit is expected."""
    half = Expected(1, uses_per_hour=-math.log(0.5) * 3_600 / THREE_MINUTES, run_every_seconds=THREE_MINUTES)
    assert later_hits("5m", half) == pytest.approx(1.0)


def test_going_cold_within_a_run_is_worth_a_longer_life() -> None:
    assert decided(Expected(10)).ttl == "5m"
    assert decided(Expected(10, cold_again_5m=1)).ttl == "1h"
    assert decided(Expected(10, cold_again_5m=1, cold_again_1h=1)).ttl == "5m"
    assert decided(Expected(3, cold_again_5m=2, cold_again_1h=2)).ttl is None


@pytest.mark.parametrize("uses", [1, 2, 500])
@pytest.mark.parametrize("policy", ["5m", "1h"])
def test_a_set_lifetime_overrides_what_would_pay(policy: LifetimePolicy, uses: int) -> None:
    decision = decided(Expected(uses), policy=policy)
    assert (decision.ttl, decision.reason) == (policy, f"the lifetime is set to {policy}")


def test_markers_can_be_switched_off_whatever_is_warm() -> None:
    decision = decided(Expected(500, uses_per_hour=500), policy="none", warm="1h")
    assert (decision.ttl, decision.reason) == (None, "markers are switched off")
    assert decision.price == pytest.approx(500 * 0.10)


@pytest.mark.parametrize("warm", ["5m", "1h"])
def test_what_is_warm_is_read_even_once(warm: CacheTtl) -> None:
    decision = decided(Expected(1), warm=warm)
    assert decision.ttl is not None
    assert decision.reason == "warm already, used once"
    assert decision.price == pytest.approx(0.01)


@given(
    st.integers(1, 300),
    st.integers(0, 3),
    st.floats(0, 500),
    st.floats(60, 7_200),
    st.sampled_from([None, "5m", "1h"]),
)
@settings(derandomize=True, deadline=None, max_examples=60)
def test_what_is_marked_is_expected_to_cost_less_than_plain_input(
    uses: int, cold_again: int, arrivals: float, every: float, warm: CacheTtl | None
) -> None:
    again = min(cold_again, uses - 1)
    decision = decided(Expected(uses, again, 0, arrivals, every), warm=warm)
    plain = uses * 0.10
    assert decision.price <= plain + 1e-9
    assert decision.ttl or decision.price == pytest.approx(plain)
