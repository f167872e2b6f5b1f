"""What a week teaches: both rules at their edges, the bounds, the decay, and the calendar."""

from collections.abc import Iterable
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from itertools import repeat

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.errors import BadInput, BooksDisagree
from core.learning import (
    DECISIONS_MIN,
    HIGHEST,
    LOWEST,
    STEP,
    Act,
    Learned,
    Why,
    learn,
    override_of,
    week_of,
    window_of,
)
from core.states import Override, SummaryEvent
from core.trust import threshold_that_counts

APPROVE, SUPPRESS, REVOKE = SummaryEvent.APPROVE, SummaryEvent.SUPPRESS, SummaryEvent.REVOKE
DELIVER = SummaryEvent.DELIVER
some = settings(derandomize=True, deadline=None, max_examples=100)
acts = st.builds(
    Act,
    st.sampled_from(["0.59", "0.60", "0.65", "0.699999", "0.70", "0.79", "0.80", "1"]).map(Decimal),
    st.sampled_from([APPROVE, APPROVE, SUPPRESS, REVOKE, DELIVER]),
)
months = st.lists(acts, max_size=60)
hundredths = st.integers(60, 100).map(lambda number: Decimal(number) / 100)
learned_before = st.none() | hundredths.map(lambda threshold: min(threshold, HIGHEST))
own_settings = st.none() | hundredths


def month(low: tuple[int, int] = (0, 0), high: tuple[int, int] = (0, 0), others: int = 20) -> list[Act]:
    """Approved and rejected summaries of low and of high confidence, and others in between."""

    def times(number: int, confidence: str, event: SummaryEvent) -> Iterable[Act]:
        return repeat(Act(Decimal(confidence), event), number)

    return [
        *times(low[0], "0.65", APPROVE),
        *times(low[1], "0.65", SUPPRESS),
        *times(high[0], "0.90", APPROVE),
        *times(high[1], "0.90", SUPPRESS),
        *times(others, "0.75", APPROVE),
    ]


def after(found: list[Act], previous: str | None = None, own: str | None = None) -> tuple[str | None, Why]:
    """What is learned, as a text, and why."""
    learned = learn(found, previous and Decimal(previous), own and Decimal(own))  # type: ignore[arg-type]
    return None if learned.threshold is None else str(learned.threshold), learned.reason


@pytest.mark.parametrize(
    ("low", "high", "expected"),
    [
        ((0, 0), (0, 0), (None, Why.UNCHANGED)),
        ((1, 0), (0, 0), ("0.65", Why.LOWERED)),
        ((5, 5), (0, 0), (None, Why.UNCHANGED)),  # half is not more than half
        ((6, 5), (0, 0), ("0.65", Why.LOWERED)),
        ((0, 0), (8, 2), (None, Why.UNCHANGED)),  # a fifth is not more than a fifth
        ((0, 0), (7, 2), ("0.75", Why.RAISED)),
        ((6, 5), (7, 2), (None, Why.BOTH_CANCEL)),
    ],
)
def test_each_rule_begins_just_past_its_share_and_both_cancel(
    low: tuple[int, int], high: tuple[int, int], expected: tuple[str | None, Why]
) -> None:
    assert after(month(low, high)) == expected


@pytest.mark.parametrize(
    ("confidence", "low", "high"),
    [
        ("0.599999", 0, 0),
        ("0.60", 1, 0),
        ("0.699999", 1, 0),
        ("0.70", 0, 0),
        ("0.799999", 0, 0),
        ("0.80", 0, 1),
        ("1", 0, 1),
    ],
)
def test_low_is_from_0_60_to_below_0_70_and_high_from_0_80(confidence: str, low: int, high: int) -> None:
    for event, approved, rejected in ((APPROVE, 1, 0), (SUPPRESS, 0, 1), (REVOKE, 0, 1)):
        found = learn([Act(Decimal(confidence), event)], None, None)
        assert (found.low_reviewed, found.low_approved) == (low, low * approved)
        assert (found.high_reviewed, found.high_rejected) == (high, high * rejected)


def test_nineteen_decisions_teach_nothing_and_twenty_do() -> None:
    assert after(month(low=(1, 0), others=18)) == (None, Why.TOO_FEW)
    assert after(month(low=(1, 0), others=19)) == ("0.65", Why.LOWERED)


def test_one_revocation_among_many_that_were_let_pass_is_no_fifth() -> None:
    revoked = [*month(), Act(Decimal("0.9"), REVOKE)]
    passed = [Act(Decimal("0.9"), DELIVER)] * 4
    assert after(revoked) == ("0.75", Why.RAISED)
    assert after([*revoked, *passed]) == (None, Why.UNCHANGED)


def test_what_was_let_pass_is_no_decision_of_the_coach() -> None:
    found = learn([Act(Decimal(one), DELIVER) for one in ("0.65", "0.75", "0.9")] * 20, None, None)
    assert found == Learned(None, Why.TOO_FEW, 0, 0, 0, high_reviewed=20, high_rejected=0)


def test_learning_starts_from_the_coachs_own_setting_and_goes_on_from_what_was_learned() -> None:
    assert after(month(low=(1, 0)), own="0.80") == ("0.75", Why.LOWERED)
    assert after(month(low=(1, 0)), previous="0.65", own="0.80") == ("0.60", Why.LOWERED)
    assert after(month(), previous="0.65", own="0.80") == ("0.65", Why.UNCHANGED)


def test_learning_stops_at_its_bounds() -> None:
    assert after(month(low=(1, 0)), previous="0.62") == ("0.60", Why.LOWERED)
    assert after(month(low=(1, 0)), previous="0.60") == ("0.60", Why.AT_LOWEST)
    assert after(month(low=(1, 0)), own="0.60") == (None, Why.AT_LOWEST)
    assert after(month(high=(0, 1)), previous="0.82") == ("0.85", Why.RAISED)
    assert after(month(high=(0, 1)), previous="0.85") == ("0.85", Why.AT_HIGHEST)
    assert after(month(high=(0, 1)), own="0.85") == (None, Why.AT_HIGHEST)


@pytest.mark.parametrize("rejected", [0, 9])
def test_an_own_setting_stricter_than_all_that_can_be_learned_is_left_alone(rejected: int) -> None:
    found = month(low=(1, 0), high=(0, rejected))
    assert after(found, own="0.86") == after(found, previous="0.70", own="1") == (None, Why.OWN_IS_STRICTER)


@pytest.mark.parametrize(
    ("previous", "own", "weeks"),
    [
        ("0.60", None, ["0.65", None, None]),
        ("0.85", None, ["0.80", "0.75", None, None]),
        ("0.67", None, [None]),
        ("0.70", None, [None]),
        ("0.60", "0.72", ["0.65", "0.70", None]),
        ("0.75", "0.60", ["0.70", "0.65", None]),
    ],
)
def test_with_too_little_to_learn_from_it_is_forgotten_step_by_step(
    previous: str, own: str | None, weeks: list[str | None]
) -> None:
    known: str | None = previous
    for expected in weeks:
        known, why = after(month(others=3), known, own)
        assert known == expected
        assert why in ({Why.DECAYED} if expected else {Why.FORGOTTEN, Why.TOO_FEW})


@given(months, learned_before, own_settings)
@some
def test_whatever_happens_the_threshold_keeps_to_its_bounds_and_moves_by_one_step_at_most(
    found: list[Act], previous: Decimal | None, own: Decimal | None
) -> None:
    learned = learn(found, previous, own)
    assert learned.threshold is None or LOWEST <= learned.threshold <= HIGHEST
    before, now = threshold_that_counts(previous, own), threshold_that_counts(learned.threshold, own)
    if learned.reason is not Why.OWN_IS_STRICTER:
        assert abs(now - before) <= STEP
    assert now >= before or learned.reason in {Why.LOWERED, Why.DECAYED, Why.FORGOTTEN}
    upwards = {Why.RAISED, Why.DECAYED, Why.FORGOTTEN, Why.OWN_IS_STRICTER}
    assert now <= before or learned.reason in upwards


@given(months, learned_before, own_settings)
@some
def test_the_counts_are_those_of_the_acts_and_do_not_depend_on_their_order(
    found: list[Act], previous: Decimal | None, own: Decimal | None
) -> None:
    learned = learn(found, previous, own)
    assert learn(reversed(found), previous, own) == learned
    assert learned.decisions == sum(act.event is not DELIVER for act in found)
    assert learned.low_approved <= learned.low_reviewed <= learned.decisions
    assert learned.high_rejected <= learned.high_reviewed <= len(found)


@given(st.lists(acts, max_size=DECISIONS_MIN - 1), learned_before, own_settings)
@some
def test_without_data_it_comes_to_the_default_and_never_leaves_it(
    found: list[Act], previous: Decimal | None, own: Decimal | None
) -> None:
    known = previous
    for _ in range(6):
        known = learn(found, known, own).threshold
    assert known is None


@given(st.sampled_from(["0.60", "0.75", "0.85"]).map(Decimal))
@some
def test_it_can_fall_as_well_as_rise(previous: Decimal) -> None:
    assert (learn(month(low=(9, 0)), previous, None).threshold or 0) <= previous
    assert (learn(month(high=(0, 9)), previous, None).threshold or 0) >= previous


def test_what_is_not_allowed_is_refused() -> None:
    with pytest.raises(BadInput, match=r"from 0\.60 to 1"):
        learn([], None, Decimal("0.5"))
    for wrong in ("0.59", "0.86", "NaN"):
        with pytest.raises(BooksDisagree, match=r"from 0\.60 to 0\.85"):
            learn([], Decimal(wrong), None)
    for wrong in ("NaN", "-0.1", "1.1"):
        with pytest.raises(BadInput, match="from 0 to 1"):
            Act(Decimal(wrong), APPROVE)
    for event in set(SummaryEvent) - {APPROVE, SUPPRESS, REVOKE, DELIVER}:
        with pytest.raises(BadInput, match=f"Nothing is learned from {event}"):
            Act(Decimal(1), event)


@pytest.mark.parametrize(
    ("event", "confidence", "expected"),
    [
        (APPROVE, "0.749999", Override.APPROVED_LOW_CONFIDENCE),
        (APPROVE, "0.75", None),
        (SUPPRESS, "0.80", Override.REJECTED_HIGH_CONFIDENCE),
        (SUPPRESS, "0.799999", None),
        (SummaryEvent.EDIT, "0.1", Override.EDITED),
        (SummaryEvent.EDIT, "1", Override.EDITED),
        (REVOKE, "0.60", Override.REVOKED_AUTO),
        (REVOKE, "1", Override.REVOKED_AUTO),
        (DELIVER, "1", None),
        (SummaryEvent.CREATED, "0.1", None),
        (SummaryEvent.VIEW, "0.1", None),
        (SummaryEvent.ACKNOWLEDGE, "0.1", None),
    ],
)
def test_every_way_to_differ_from_the_rules_is_recorded_approvals_too(
    event: SummaryEvent, confidence: str, expected: Override | None
) -> None:
    assert override_of(event, Decimal(confidence), threshold=Decimal("0.75")) is expected


def test_no_override_is_found_by_what_is_no_number() -> None:
    for confidence, threshold in (("NaN", "0.7"), ("0.7", "NaN"), ("2", "0.7")):
        with pytest.raises(BadInput, match="from 0 to 1"):
            override_of(APPROVE, Decimal(confidence), Decimal(threshold))


@pytest.mark.parametrize(
    ("now", "monday"),
    [
        ("2026-11-22T23:59:59.999999+00:00", date(2026, 11, 16)),  # a Sunday
        ("2026-11-23T00:00:00+00:00", date(2026, 11, 23)),
        ("2026-11-23T00:30:00+01:00", date(2026, 11, 16)),  # still Sunday in UTC
        ("2026-11-22T19:30:00-05:00", date(2026, 11, 23)),  # Monday already
        ("2027-01-01T12:00:00+00:00", date(2026, 12, 28)),  # a week of two years
    ],
)
def test_a_week_begins_on_monday_in_utc(now: str, monday: date) -> None:
    assert week_of(datetime.fromisoformat(now)) == monday


@given(st.datetimes(datetime(2000, 1, 1), datetime(2100, 1, 1)), st.integers(-12, 14))  # noqa: DTZ001
@some
def test_a_moment_is_in_one_week_whatever_clock_tells_it(moment: datetime, hours: int) -> None:
    now = moment.replace(tzinfo=UTC)
    monday = week_of(now.astimezone(timezone(timedelta(hours=hours))))
    assert monday == date.fromisocalendar(*moment.isocalendar()[:2], 1)


def test_the_window_is_the_last_30_days() -> None:
    now = datetime(2026, 11, 23, 4, tzinfo=UTC)
    assert window_of(now) == (datetime(2026, 10, 24, 4, tzinfo=UTC), now)
