"""What a coach's own decisions teach about the threshold: once a week, from the last 30 days, both ways."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from enum import StrEnum
from typing import NamedTuple

from core.approval import BAND_HIGH_MIN, is_share
from core.errors import BadInput, BooksDisagree
from core.states import Override, SummaryEvent
from core.trust import THRESHOLD_DEFAULT, THRESHOLD_MIN, check_own_threshold, threshold_that_counts

DAYS = timedelta(days=30)
DECISIONS_MIN = 20
STEP = Decimal("0.05")
LOWEST = THRESHOLD_MIN
HIGHEST = Decimal("0.85")
LOW_MIN, LOW_BELOW = Decimal("0.60"), THRESHOLD_DEFAULT  # 0.70 itself is no longer low
HIGH_MIN = BAND_HIGH_MIN  # 0.80 itself is high

_DECISIONS = frozenset({SummaryEvent.APPROVE, SummaryEvent.SUPPRESS, SummaryEvent.REVOKE})
_REJECTIONS = frozenset({SummaryEvent.SUPPRESS, SummaryEvent.REVOKE})


class Why(StrEnum):
    """Why a learned threshold is what it is."""

    LOWERED = "lowered"  # more than half of low confidence was approved
    RAISED = "raised"  # more than a fifth of high confidence was rejected
    BOTH_CANCEL = "both_cancel"  # both at once
    UNCHANGED = "unchanged"  # neither
    AT_LOWEST = "at_lowest"  # would be lowered, but is 0.60
    AT_HIGHEST = "at_highest"  # would be raised, but is 0.85
    DECAYED = "decayed"  # too few decisions: a step towards what counts without learning
    FORGOTTEN = "forgotten"  # the last such step: nothing learned is left
    TOO_FEW = "too_few"  # decisions, and nothing was learned before
    OWN_IS_STRICTER = "own_is_stricter"  # the coach's own setting is above all that could be learned


@dataclass(frozen=True, slots=True)
class Act:
    """What became of one summary: `approve`, `suppress` or `revoke` by its coach, or `deliver`.

    `deliver` is for a summary that was approved by rule and went out without being revoked: it is no decision
    of the coach, but without it the one that was revoked out of a hundred would be all there is of high
    confidence. Raises BadInput for any other event, and for a confidence that is no Decimal in 0..1.
    """

    confidence: Decimal
    event: SummaryEvent

    def __post_init__(self) -> None:
        _check(self.confidence)
        if self.event not in _DECISIONS | {SummaryEvent.DELIVER}:
            raise BadInput(f"Nothing is learned from {self.event}.")


class Counts(NamedTuple):
    """What was counted. A reviewed summary is one that its coach has acted on."""

    decisions: int  # of the coach, at any confidence
    low_reviewed: int  # 0.60 <= confidence < 0.70
    low_approved: int
    high_reviewed: int  # 0.80 <= confidence; with those that were delivered unrevoked
    high_rejected: int  # suppressed or revoked


@dataclass(frozen=True, slots=True)
class Learned:
    """The threshold (0.60..0.85) that a week has taught, why, and from how much; None: none is learned."""

    threshold: Decimal | None
    reason: Why
    decisions: int
    low_reviewed: int
    low_approved: int
    high_reviewed: int
    high_rejected: int


class Window(NamedTuple):
    """The time that is learned from: later than `after`, up to and including `until`."""

    after: datetime
    until: datetime


def window_of(now: datetime) -> Window:
    """Return the last 30 days, each of 24 hours."""
    return Window(now - DAYS, now)


def week_of(now: datetime) -> date:
    """Return the Monday of the ISO week in UTC: who has learned for it does so no more."""
    today = now.astimezone(UTC).date()
    return today - timedelta(days=today.weekday())


def learn(acts: Iterable[Act], previous: Decimal | None, own: Decimal | None) -> Learned:
    """Learn from the acts of a window, each summary once.

    `previous` is what was learned before (None: nothing), `own` the coach's own setting (None: not set). What
    counts without learning, the own setting or else 0.70, is where learning starts from and decays to. Raises
    BadInput for an own setting that is not allowed, BooksDisagree for a previous one out of 0.60..0.85.
    """
    unlearned = threshold_that_counts(None, None if own is None else check_own_threshold(own))
    if previous is not None and not (is_share(previous) and LOWEST <= previous <= HIGHEST):
        raise BooksDisagree(f"A learned threshold is from {LOWEST} to {HIGHEST}, not {previous}.")
    counts = _count(acts)
    threshold, reason = _next(counts, previous, unlearned)
    return Learned(threshold, reason, *counts)


def override_of(event: SummaryEvent, confidence: Decimal, threshold: Decimal) -> Override | None:
    """Return in what a coach's act differs from the rules; None: in nothing.

    `threshold` is the one that counted when it was decided. Raises BadInput unless both are a Decimal
    in 0..1.
    """
    _check(confidence)
    _check(threshold)
    if event is SummaryEvent.APPROVE and confidence < threshold:
        return Override.APPROVED_LOW_CONFIDENCE
    if event is SummaryEvent.SUPPRESS and confidence >= HIGH_MIN:
        return Override.REJECTED_HIGH_CONFIDENCE
    return {SummaryEvent.EDIT: Override.EDITED, SummaryEvent.REVOKE: Override.REVOKED_AUTO}.get(event)


def _count(acts: Iterable[Act]) -> Counts:
    known = list(acts)
    decided = [act for act in known if act.event in _DECISIONS]
    low = [act.event for act in decided if LOW_MIN <= act.confidence < LOW_BELOW]
    high = [act.event for act in known if act.confidence >= HIGH_MIN]
    return Counts(
        decisions=len(decided),
        low_reviewed=len(low),
        low_approved=low.count(SummaryEvent.APPROVE),
        high_reviewed=len(high),
        high_rejected=sum(event in _REJECTIONS for event in high),
    )


def _next(counts: Counts, previous: Decimal | None, unlearned: Decimal) -> tuple[Decimal | None, Why]:
    """Apply both rules. An own setting above the range is left alone: even a raise would lower it."""
    if unlearned > HIGHEST:
        return None, Why.OWN_IS_STRICTER
    if counts.decisions < DECISIONS_MIN:
        return _decayed(previous, unlearned)
    lower = counts.low_approved * 2 > counts.low_reviewed
    higher = counts.high_rejected * 5 > counts.high_reviewed
    if lower == higher:
        return previous, Why.BOTH_CANCEL if lower else Why.UNCHANGED
    now = unlearned if previous is None else previous
    if lower:
        return (previous, Why.AT_LOWEST) if now == LOWEST else (max(now - STEP, LOWEST), Why.LOWERED)
    return (previous, Why.AT_HIGHEST) if now == HIGHEST else (min(now + STEP, HIGHEST), Why.RAISED)


def _decayed(previous: Decimal | None, unlearned: Decimal) -> tuple[Decimal | None, Why]:
    if previous is None:
        return None, Why.TOO_FEW
    if abs(previous - unlearned) <= STEP:
        return None, Why.FORGOTTEN
    return previous + STEP if previous < unlearned else previous - STEP, Why.DECAYED


def _check(share: Decimal) -> None:
    if not is_share(share):
        raise BadInput(f"A confidence or threshold is from 0 to 1, not {share}.")
