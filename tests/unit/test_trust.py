"""What a coach has earned, how far it reaches, and what is missing to more."""

from dataclasses import replace
from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.errors import BadInput, BooksDisagree
from core.states import SummaryEvent
from core.trust import (
    LEVEL_MAX,
    PREVIEW_DECISIONS,
    History,
    Preview,
    check_own_threshold,
    earned_level,
    effective_level,
    progress,
    threshold_that_counts,
)

some = settings(derandomize=True, deadline=None, max_examples=100)
counts = st.integers(0, 60) | st.integers(0, 400)
histories = st.builds(History, counts, counts)
levels = st.integers(0, LEVEL_MAX)
preferences = st.none() | levels


@pytest.mark.parametrize(
    ("approvals", "suppressions", "level"),
    [
        (0, 0, 0),
        (9, 0, 0),
        (10, 0, 1),
        (10, 1_000, 1),  # no rate is asked for
        (49, 0, 1),
        (50, 0, 2),
        (50, 5, 2),
        (50, 6, 1),  # 6 / 56 is more than 0.10
        (54, 6, 2),  # 0.10 exactly
        (53, 6, 1),
        (199, 0, 2),
        (200, 0, 3),
        (200, 22, 3),
        (200, 23, 1),  # the rate counts for level 2, too
        (207, 23, 3),  # 0.10 exactly
        (206, 23, 1),
        (9 * 10**17, 10**17, 3),  # where a float can no longer tell
        (9 * 10**17 - 1, 10**17, 1),
    ],
)
def test_a_level_is_earned_at_its_count_and_with_its_rate(
    approvals: int, suppressions: int, level: int
) -> None:
    assert earned_level(History(approvals, suppressions)) == level


@given(histories)
@some
def test_what_is_earned_follows_from_the_counts_alone(history: History) -> None:
    """Stated again, with fractions: also a level that was earned before is lost when the rate is too high."""
    total = history.approvals + history.suppressions
    rate = Fraction(history.suppressions, total) if total else Fraction(0)
    is_low = rate <= Fraction(1, 10)
    expected = (
        3
        if history.approvals >= 200 and is_low
        else 2
        if history.approvals >= 50 and is_low
        else int(history.approvals >= 10)
    )
    assert earned_level(history) == expected
    assert abs(history.suppression_rate - Decimal(rate.numerator) / rate.denominator) < Decimal("1e-20")


@given(histories)
@some
def test_approving_never_costs_trust_and_suppressing_never_earns_any(history: History) -> None:
    assert earned_level(history.after(SummaryEvent.APPROVE)) >= earned_level(history)
    assert earned_level(history.after(SummaryEvent.SUPPRESS)) <= earned_level(history)


def test_the_rate_is_zero_when_there_is_nothing_to_rate() -> None:
    assert History().suppression_rate == 0
    assert History(9, 1).suppression_rate == Decimal("0.1")


def test_approvals_count_for_a_coach_suppressions_and_revocations_against_and_nothing_else_counts() -> None:
    history = History(3, 2)
    counted = {event: history.after(event) for event in SummaryEvent}
    assert counted.pop(SummaryEvent.APPROVE) == History(4, 2)
    assert counted.pop(SummaryEvent.SUPPRESS) == counted.pop(SummaryEvent.REVOKE) == History(3, 3)
    assert set(counted.values()) == {history}


def test_a_count_below_zero_stops_everything() -> None:
    for wrong in ((-1, 0), (0, -1)):
        with pytest.raises(BooksDisagree, match="are no counts"):
            History(*wrong)


@pytest.mark.parametrize("earned", range(LEVEL_MAX + 1))
def test_without_a_preference_level_2_is_the_most_and_a_preference_is_only_a_cap(earned: int) -> None:
    assert effective_level(earned, None) == min(earned, 2)
    assert [effective_level(earned, preferred) for preferred in range(4)] == [
        min(earned, preferred) for preferred in range(4)
    ]


@given(histories, preferences, levels)
@some
def test_lowering_the_preference_and_restoring_it_restores_exactly_what_was(
    history: History, preferred: int | None, lowered: int
) -> None:
    def now(preference: int | None) -> tuple[int, int, object]:
        earned = earned_level(history)
        return earned, effective_level(earned, preference), progress(history)

    before, between, after = now(preferred), now(lowered), now(preferred)
    assert between[1] <= lowered
    assert (between[0], between[2]) == (before[0], before[2])
    assert after == before


@pytest.mark.parametrize("wrong", [-1, 4, True, Decimal(2)])
def test_a_level_that_does_not_exist_is_refused(wrong: int) -> None:
    with pytest.raises(BadInput, match="from 0 to 3, not"):
        effective_level(3, wrong)
    with pytest.raises(BadInput, match="from 0 to 3, not"):
        effective_level(wrong, None)


def test_the_learned_threshold_counts_before_the_coachs_own_and_that_before_the_default() -> None:
    learned, own = Decimal("0.65"), Decimal("0.90")
    assert threshold_that_counts(learned, own) == learned
    assert threshold_that_counts(None, own) == own
    assert threshold_that_counts(None, None) == Decimal("0.70")


def test_an_own_threshold_is_from_0_60_to_1() -> None:
    for allowed in ("0.60", "0.7", "1"):
        assert check_own_threshold(Decimal(allowed)) == Decimal(allowed)
    for wrong in (*map(Decimal, ("0.599999", "1.000001", "-1", "NaN", "sNaN", "Infinity")), 0.7, None):
        with pytest.raises(BadInput, match=r"from 0\.60 to 1, not .*: what is less sure"):
            check_own_threshold(wrong)  # type: ignore[arg-type]


@given(histories)
@some
def test_progress_says_exactly_how_many_approvals_are_missing(history: History) -> None:
    way = progress(history)
    assert way.earned == earned_level(history)
    if way.next_level is None:
        assert (way.earned, way.approvals_needed, way.held_back_by_rate) == (LEVEL_MAX, 0, False)
        return
    assert way.next_level == way.earned + 1
    reached = replace(history, approvals=history.approvals + way.approvals_needed)
    assert earned_level(reached) >= way.next_level
    assert earned_level(replace(reached, approvals=reached.approvals - 1)) == way.earned


@pytest.mark.parametrize(
    ("history", "needed", "held_back", "sentence"),
    [
        (History(9, 0), 1, False, "Level 1 is 1 more approval away."),
        (History(40, 0), 10, False, "Level 2 is 10 more approvals away."),
        (History(45, 10), 45, False, "Level 2 is 45 more approvals away."),  # the count is missing, too
        (
            History(60, 10),
            30,
            True,
            "Held back from level 2 by the suppression rate: "
            "30 more approvals without a suppression bring it to 0.10.",
        ),
        (
            History(53, 6),
            1,
            True,
            "Held back from level 2 by the suppression rate: "
            "1 more approval without a suppression bring it to 0.10.",
        ),
        (History(199, 10), 1, False, "Level 3 is 1 more approval away."),
        (History(500, 10), 0, False, "The highest level is earned."),
    ],
)
def test_progress_tells_a_missing_count_from_a_rate_that_holds_back(
    history: History, needed: int, held_back: bool, sentence: str
) -> None:
    way = progress(history)
    assert (way.approvals_needed, way.held_back_by_rate) == (needed, held_back)
    assert way.suppression_rate == history.suppression_rate
    assert way.sentence() == sentence


def test_a_preview_is_complete_at_twenty_decisions_and_rates_what_was_agreed_on() -> None:
    assert Preview().agreement is None
    assert not Preview(PREVIEW_DECISIONS - 1, 19).complete
    assert Preview(20, 19).complete
    assert Preview(20, 19).agreement == Decimal("0.95")
    for decided, more in ((1, 2), (1, -1), (-1, -1)):
        with pytest.raises(BooksDisagree):
            Preview(decided, more)
