"""Where a summary may go: the whole table, and what each move asks for besides."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import product
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.categories import Category
from core.errors import BadInput
from core.states import Decision, InjuryTick, SummaryEvent, SummaryState
from core.transitions import (
    FIRST_STATES,
    MOVES,
    NEEDS_TICKS,
    STATE_CHANGES,
    Barred,
    Delivery,
    ForbiddenMove,
    NotDeliverable,
    NotYours,
    TicksMissing,
    barred,
    check_delivery,
    check_owner,
    check_ticks,
    created,
    move,
)

some = settings(derandomize=True, deadline=None, max_examples=100)
NOW = datetime(2026, 11, 22, 20, tzinfo=UTC)
EXPECTED = {  # the design's table, by hand
    ("pending_review", "approve"): "approved",
    ("pending_review", "edit"): "pending_review",
    ("pending_review", "suppress"): "suppressed",
    ("auto_approved", "revoke"): "suppressed",
    ("auto_approved", "deliver"): "delivered",
    ("approved", "deliver"): "delivered",
    ("delivered", "view"): "viewed",
    ("viewed", "view"): "viewed",
    ("delivered", "acknowledge"): "delivered",
    ("viewed", "acknowledge"): "viewed",
}
BECOMES = {  # what each event would have made of it
    "created": "pending_review or auto_approved",
    "approve": "approved",
    "edit": "pending_review",
    "suppress": "suppressed",
    "revoke": "suppressed",
    "deliver": "delivered",
    "view": "viewed",
    "acknowledge": "delivered or viewed",
}
READY = Delivery(
    SummaryState.AUTO_APPROVED,
    rehearsal=False,
    notification_allowed=True,
    automatic_approval_allowed=True,
    revocable_until=NOW,
)


@pytest.mark.parametrize(("state", "event"), list(product(SummaryState, SummaryEvent)))
def test_every_event_in_every_state_is_in_the_table_or_an_error_that_names_both_states(
    state: SummaryState, event: SummaryEvent
) -> None:
    if (state, event) in EXPECTED:
        assert move(state, event) == EXPECTED[state, event]
        return
    with pytest.raises(ForbiddenMove) as forbidden:
        move(state, event)
    again = " again" if state in BECOMES[event].split(" or ") else ""
    assert (
        str(forbidden.value) == f"A summary that is {state} cannot become {BECOMES[event]}{again} ({event})."
    )
    assert isinstance(forbidden.value, BadInput)


def test_the_table_has_each_move_once_and_all_of_them() -> None:
    rows = {(row.from_state, row.event): row.to_state for row in MOVES if row.from_state is not None}
    assert rows == EXPECTED
    assert len(set(MOVES)) == len(MOVES) == len(EXPECTED) + len(FIRST_STATES)


def test_a_summary_begins_as_it_was_decided() -> None:
    assert created(Decision.REVIEW) is SummaryState.PENDING_REVIEW
    assert created(Decision.APPROVE) is SummaryState.AUTO_APPROVED
    assert set(map(created, Decision)) == set(FIRST_STATES)


def test_the_store_is_to_know_these_changes_of_state_and_no_other() -> None:
    assert set(STATE_CHANGES) == {
        ("pending_review", "approved"),
        ("pending_review", "suppressed"),
        ("auto_approved", "suppressed"),
        ("auto_approved", "delivered"),
        ("approved", "delivered"),
        ("delivered", "viewed"),
    }
    assert len(set(STATE_CHANGES)) == len(STATE_CHANGES)


@given(st.sampled_from(Decision), st.lists(st.sampled_from(SummaryEvent), max_size=30))
@some
def test_a_summary_counts_once_and_what_is_suppressed_stays_so(
    decision: Decision, events: list[SummaryEvent]
) -> None:
    """Whatever is tried with it, however often."""
    state, counted, was_suppressed = created(decision), 0, False
    for event in events:
        try:
            state = move(state, event)
        except ForbiddenMove:
            continue
        counted += event in {SummaryEvent.APPROVE, SummaryEvent.SUPPRESS, SummaryEvent.REVOKE}
        was_suppressed |= state is SummaryState.SUPPRESSED
    assert counted <= 1
    assert not was_suppressed or state is SummaryState.SUPPRESSED


def test_only_its_own_coach_decides_and_the_error_names_nobody() -> None:
    check_owner("coach-17", "coach-17")
    for coach, person in (("coach-17", "coach-18"), ("coach-17", ""), ("", "")):
        with pytest.raises(NotYours) as refused:
            check_owner(coach, person)
        assert "coach-1" not in str(refused.value)
        assert isinstance(refused.value, BadInput)


@pytest.mark.parametrize("category", [Category.INJURY, Category.SAFEGUARDING])
def test_an_injury_needs_all_three_ticks_and_so_does_what_is_worse(category: Category) -> None:
    check_ticks(category, set(InjuryTick))
    for tick in InjuryTick:
        with pytest.raises(TicksMissing, match=f"about {category}, .*; missing: {tick}.$"):
            check_ticks(category, set(InjuryTick) - {tick})
    with pytest.raises(
        TicksMissing, match="missing: personally_observed, severity_accurate, no_medical_advice"
    ):
        check_ticks(category, ())
    assert issubclass(TicksMissing, BadInput)


@pytest.mark.parametrize("category", [one for one in Category if one not in NEEDS_TICKS])
def test_nothing_else_needs_a_tick(category: Category) -> None:
    check_ticks(category, ())
    check_ticks(category, [InjuryTick.NO_MEDICAL_ADVICE])


@pytest.mark.parametrize(
    ("changed", "expected"),
    [
        ({}, None),  # at the end of its window, to the microsecond
        ({"revocable_until": NOW + timedelta(microseconds=1)}, Barred.REVOCABLE),
        ({"revocable_until": None}, Barred.REVOCABLE),
        ({"state": SummaryState.APPROVED}, None),
        ({"state": SummaryState.APPROVED, "revocable_until": None}, None),
        ({"state": SummaryState.APPROVED, "revocable_until": NOW + timedelta(hours=1)}, None),
        ({"rehearsal": True}, Barred.REHEARSAL),
        ({"rehearsal": None}, Barred.REHEARSAL),
        ({"state": SummaryState.APPROVED, "rehearsal": True}, Barred.REHEARSAL),
        ({"notification_allowed": False}, Barred.NOTIFICATION_OFF),
        ({"notification_allowed": None}, Barred.NOTIFICATION_OFF),
        ({"state": SummaryState.APPROVED, "notification_allowed": False}, Barred.NOTIFICATION_OFF),
        ({"rehearsal": True, "notification_allowed": False, "revocable_until": None}, Barred.REHEARSAL),
    ],
)
def test_an_approval_goes_out_at_once_a_rule_after_its_window_and_a_rehearsal_never(
    changed: dict[str, Any], expected: Barred | None
) -> None:
    delivery = replace(READY, **changed)
    assert barred(delivery, NOW) is expected
    if expected is None:
        check_delivery(delivery, NOW)
        return
    with pytest.raises(NotDeliverable, match=r"deliver"):
        check_delivery(delivery, NOW)


@pytest.mark.parametrize("state", [one for one in SummaryState if "approved" not in one])
def test_what_nobody_approved_or_has_gone_out_already_is_not_delivered(state: SummaryState) -> None:
    with pytest.raises(ForbiddenMove, match=f"is {state} cannot become delivered"):
        barred(replace(READY, state=state), NOW)
    with pytest.raises(ForbiddenMove):
        check_delivery(replace(READY, state=state, rehearsal=True), NOW)


def test_a_summary_can_be_revoked_until_it_is_delivered_even_after_its_window() -> None:
    assert barred(READY, NOW) is None
    assert move(READY.state, SummaryEvent.REVOKE) is SummaryState.SUPPRESSED
    with pytest.raises(ForbiddenMove, match="is delivered cannot become suppressed"):
        move(move(READY.state, SummaryEvent.DELIVER), SummaryEvent.REVOKE)


@pytest.mark.parametrize("allowed", [False, None])
def test_what_was_approved_by_rule_waits_while_automatic_approval_is_off_or_unknown(
    allowed: bool | None,
) -> None:
    by_rule = replace(READY, automatic_approval_allowed=allowed)
    assert barred(by_rule, NOW) is Barred.APPROVAL_OFF
    with pytest.raises(NotDeliverable, match="Automatic approval is switched off"):
        check_delivery(by_rule, NOW)
    assert barred(replace(by_rule, state=SummaryState.APPROVED), NOW) is None
