"""Where a summary may go from where it is: one table, and what each move asks for besides.

What is not in the table is an error. The store enforces the same: its trigger is held against
`STATE_CHANGES`.
"""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from core.categories import Category
from core.errors import BadInput
from core.states import Decision, GuardianStatus, InjuryTick, SummaryEvent, SummaryState

# Those that are about harm to a child's body. Safeguarding is more severe than injury: what is both counts
# as safeguarding, and must not be easier to approve for it.
NEEDS_TICKS = frozenset({Category.SAFEGUARDING, Category.INJURY})


class ForbiddenMove(BadInput):
    """A summary cannot go there from where it is; the text names both states, and the event."""


class NotYours(BadInput):
    """This summary belongs to another coach."""


class TicksMissing(BadInput):
    """An injury is approved only when its coach vouches for three things; the text names the missing ones."""


class NotTheirs(BadInput):
    """Only a guardian of its player, active and consenting, reads a summary."""


class NotDeliverable(BadInput):
    """The summary must not go out, or not yet; the text says why."""


class Barred(StrEnum):
    """Why an approved summary does not go out."""

    REHEARSAL = "rehearsal"  # made elsewhere than at the vendor's own address: never
    NOTIFICATION_OFF = "notification_off"  # switched off for the platform or the organisation, or not known
    APPROVAL_OFF = (
        "approval_off"  # approved by rule, and automatic approval is switched off by now, or not known
    )
    REVOCABLE = "revocable"  # its revocation window is not over, or its end is not known


@dataclass(frozen=True, slots=True)
class Move:
    """One row of the table: `from_state` None is before the summary exists."""

    from_state: SummaryState | None
    event: SummaryEvent
    to_state: SummaryState


@dataclass(frozen=True, slots=True)
class Delivery:
    """What must be known of a summary that is about to go out."""

    state: SummaryState
    rehearsal: bool
    notification_allowed: (
        bool | None
    )  # by the switches of platform and organisation together; None: not known
    automatic_approval_allowed: bool | None  # as above; matters only while it is approved by rule
    revocable_until: datetime | None  # matters only while it is approved by rule; None: not known


_S, _E = SummaryState, SummaryEvent
MOVES = (
    Move(None, _E.CREATED, _S.PENDING_REVIEW),
    Move(None, _E.CREATED, _S.AUTO_APPROVED),
    Move(_S.PENDING_REVIEW, _E.APPROVE, _S.APPROVED),
    Move(_S.PENDING_REVIEW, _E.EDIT, _S.PENDING_REVIEW),
    Move(_S.PENDING_REVIEW, _E.SUPPRESS, _S.SUPPRESSED),
    Move(_S.AUTO_APPROVED, _E.REVOKE, _S.SUPPRESSED),  # until it is delivered, also after its window
    Move(_S.AUTO_APPROVED, _E.DELIVER, _S.DELIVERED),
    Move(_S.APPROVED, _E.DELIVER, _S.DELIVERED),
    Move(_S.DELIVERED, _E.VIEW, _S.VIEWED),
    Move(_S.VIEWED, _E.VIEW, _S.VIEWED),  # read again, or by the other parent: no error, and nothing new
    Move(_S.DELIVERED, _E.ACKNOWLEDGE, _S.DELIVERED),  # sets a time, and moves nothing
    Move(_S.VIEWED, _E.ACKNOWLEDGE, _S.VIEWED),
)
FIRST_STATES = tuple(move.to_state for move in MOVES if move.from_state is None)
STATE_CHANGES: tuple[tuple[SummaryState, SummaryState], ...] = tuple(
    (move.from_state, move.to_state)
    for move in MOVES
    if move.from_state is not None and move.from_state is not move.to_state
)
_TO = {(move.from_state, move.event): move.to_state for move in MOVES if move.from_state is not None}
_CREATED = {Decision.REVIEW: _S.PENDING_REVIEW, Decision.APPROVE: _S.AUTO_APPROVED}


def created(decision: Decision) -> SummaryState:
    """Return the state in which a summary begins."""
    return _CREATED[decision]


def move(state: SummaryState, event: SummaryEvent) -> SummaryState:
    """Return the state after an event, often the same. Raises ForbiddenMove for what is not in the table."""
    if (state, event) in _TO:
        return _TO[state, event]
    targets = list(dict.fromkeys(row.to_state for row in MOVES if row.event is event))
    again = " again" if state in targets else ""
    raise ForbiddenMove(f"A summary that is {state} cannot become {' or '.join(targets)}{again} ({event}).")


def check_owner(coach_id: str, person_id: str) -> None:
    """Raise NotYours unless the person is the summary's coach, both by their key; it names nobody."""
    if not coach_id or coach_id != person_id:
        raise NotYours("This summary belongs to another coach: only its own coach decides about it.")


def check_guardian(*, linked: bool, status: str | None, consented: bool) -> None:
    """Raise NotTheirs unless a guardian is linked to the player, active and consenting; it says only that."""
    if not (linked is True and status == GuardianStatus.ACTIVE and consented is True):
        raise NotTheirs("Only a guardian of its player who is active and has consented can read a summary.")


def check_ticks(category: Category, ticks: Collection[InjuryTick]) -> None:
    """Raise TicksMissing unless a coach vouches for all that the category that counts asks for."""
    missing = [tick for tick in InjuryTick if tick not in ticks]
    if category in NEEDS_TICKS and missing:
        raise TicksMissing(
            f"To approve a summary about {category}, its coach must vouch for {', '.join(InjuryTick)}; "
            f"missing: {', '.join(missing)}."
        )


def barred(delivery: Delivery, now: datetime) -> Barred | None:
    """Return why an approved summary does not go out at `now`; None: it does.

    What its coach approved goes out at once, what was approved by rule when its window is over. Raises
    ForbiddenMove when it is neither.
    """
    move(delivery.state, SummaryEvent.DELIVER)
    if delivery.rehearsal is not False:
        return Barred.REHEARSAL
    if delivery.notification_allowed is not True:
        return Barred.NOTIFICATION_OFF
    if delivery.state is SummaryState.AUTO_APPROVED and delivery.automatic_approval_allowed is not True:
        return Barred.APPROVAL_OFF
    until = delivery.revocable_until
    if delivery.state is SummaryState.AUTO_APPROVED and (until is None or now < until):
        return Barred.REVOCABLE
    return None


def check_delivery(delivery: Delivery, now: datetime) -> None:
    """Raise NotDeliverable when a summary must not go out at `now`, ForbiddenMove when it is not approved."""
    why = barred(delivery, now)
    if why is None:
        return
    raise NotDeliverable(
        {
            Barred.REHEARSAL: "This summary was made in a rehearsal: it is never delivered.",
            Barred.NOTIFICATION_OFF: "Notification is switched off: nothing is delivered.",
            Barred.APPROVAL_OFF: "Automatic approval is switched off: what it has approved waits.",
            Barred.REVOCABLE: "This summary can still be revoked: it is delivered when its window is over.",
        }[why]
    )
