"""What coaches do with their summaries: each an event, in one transaction with what follows from it.

Importable and stable: a web page or an API calls these. A person is given by either of the auth system's ids;
everybody but the owning coach is refused. Errors are BadInput, and name no text and no name.
"""

from collections.abc import Collection, Iterator
from contextlib import contextmanager
from datetime import datetime
from decimal import Decimal
from typing import Any

import sqlalchemy as sa

from core.answer import SUMMARY_CHARS_MAX, fit_for_parents
from core.approval import band
from core.categories import Category
from core.errors import BadInput
from core.states import Feedback, InjuryTick, SummaryEvent, SummaryState
from core.transitions import check_owner, check_ticks
from models import summary_event
from models.summary import QUERIES
from tasks.listing import Row, place_of, plain_row, show_summary, snapshot
from tasks.moves import Moved, hold, move_summary
from tasks.people import find_coach

REASON_CHARS_MAX = 2_000


def list_reviews(
    engine: sa.Engine,
    person: str,
    *,
    state: SummaryState = SummaryState.PENDING_REVIEW,
    limit: int | None = None,
    after: str | None = None,
) -> list[Row]:
    """Return the coach's summaries in a state, oldest first, each beside its note.

    `auto_approved` are those that go by themselves; `revocable` says which can still be taken back. Raises
    PersonNotFound, and BadInput for an `after` that does not exist.
    """
    with snapshot(engine) as connection:
        asked = {"coach_id": find_coach(connection, person), "state": state, "row_limit": limit}
        asked |= place_of(connection, QUERIES, "summary", after)
        return [_shown(dict(row)) for row in connection.execute(QUERIES["to_review"], asked).mappings()]


def show_review(engine: sa.Engine, person: str, summary_id: str) -> Row:
    """Return one of the coach's summaries whole, beside its note, with its decision and all its events.

    Raises NotYours when it is another coach's, BadInput when there is none.
    """
    row = show_summary(engine, summary_id)
    with snapshot(engine) as connection:
        check_owner(row["coach_id"], find_coach(connection, person))
        events = connection.execute(summary_event.QUERIES["of_summary"], {"summary_id": summary_id})
        return _shown(row) | {"events": [dict(event) for event in events.mappings()]}


def approve(
    engine: sa.Engine,
    person: str,
    summary_id: str,
    *,
    ticks: Collection[InjuryTick] = (),
    now: datetime,
) -> Moved:
    """Let a summary go out. Of an injury or safeguarding the coach vouches for three things (`ticks`).

    Raises NotYours, TicksMissing or ForbiddenMove.
    """
    with _own(engine, person, summary_id) as (connection, held):
        check_ticks(Category(held.category), ticks)
        return _move(connection, held, SummaryEvent.APPROVE, now, ticks=ticks)


def edit(engine: sa.Engine, person: str, summary_id: str, text: str, *, now: datetime) -> Moved:
    """Replace the text of a summary that waits for review; the model's own is kept.

    Raises NotYours or ForbiddenMove, and BadInput for a text that no parent could read.
    """
    with _own(engine, person, summary_id) as (connection, held):
        if not fit_for_parents(text):
            raise BadInput(
                f"A summary has 1 to {SUMMARY_CHARS_MAX} characters, and no control characters but newlines."
            )
        original = held.text if held.original_text is None else held.original_text
        return _move(connection, held, SummaryEvent.EDIT, now, text=text.strip(), original_text=original)


def suppress(
    engine: sa.Engine,
    person: str,
    summary_id: str,
    *,
    reason: str | None = None,
    feedback: Feedback | None = None,
    now: datetime,
) -> Moved:
    """Keep a summary back for good; the reason is the coach's own words, and private. Raises as `approve`."""
    return _keep_back(SummaryEvent.SUPPRESS, engine, person, summary_id, reason, feedback, now)


def revoke(
    engine: sa.Engine,
    person: str,
    summary_id: str,
    *,
    reason: str | None = None,
    feedback: Feedback | None = None,
    now: datetime,
) -> Moved:
    """Take an automatic approval back, as long as the summary is not delivered. Raises as `approve`."""
    return _keep_back(SummaryEvent.REVOKE, engine, person, summary_id, reason, feedback, now)


def _keep_back(
    event: SummaryEvent,
    engine: sa.Engine,
    person: str,
    summary_id: str,
    reason: str | None,
    feedback: Feedback | None,
    now: datetime,
) -> Moved:
    with _own(engine, person, summary_id) as (connection, held):
        said = _checked(reason)
        return _move(connection, held, event, now, feedback=feedback, suppression_reason=said)


@contextmanager
def _own(engine: sa.Engine, person: str, summary_id: str) -> Iterator[tuple[sa.Connection, sa.Row[Any]]]:
    """Hold a summary of the person's own in a transaction."""
    with engine.begin() as connection:
        coach_id = find_coach(connection, person)
        held = hold(connection, summary_id)
        check_owner(held.coach_id, coach_id)
        yield connection, held


def _move(
    connection: sa.Connection, held: sa.Row[Any], event: SummaryEvent, now: datetime, **what: Any
) -> Moved:
    return move_summary(connection, held, event, actor=held.coach_id, now=now, **what)


def _checked(reason: str | None) -> str | None:
    if reason is None or not reason.strip():
        return None
    if len(reason) > REASON_CHARS_MAX or not fit_for_parents(reason):
        raise BadInput(
            f"A reason has at most {REASON_CHARS_MAX} characters, and no control characters but newlines."
        )
    return reason.strip()


def _shown(row: Row) -> Row:
    return plain_row(row) | {
        "confidence_band": band(Decimal(str(row["confidence"]))),
        "revocable": row["state"] == SummaryState.AUTO_APPROVED,
    }
