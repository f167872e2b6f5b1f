"""The one place where a summary moves: its row, its event and the coach's counts, in one transaction."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

import sqlalchemy as sa
from sqlalchemy.exc import DBAPIError, OperationalError

from core.errors import BadInput, BooksDisagree
from core.learning import override_of
from core.states import Feedback, InjuryTick, SummaryEvent, SummaryState
from core.transitions import move
from core.trust import History
from models import coach_trust, summary_event
from models.summary import QUERIES


@dataclass(frozen=True, slots=True)
class Moved:
    """What happened to a summary; after an edit, for example, both states are the same."""

    summary_id: str
    from_state: SummaryState
    to_state: SummaryState

    def to_json(self) -> dict[str, str]:
        """Return it as the interfaces name it."""
        return {"summary_id": self.summary_id, "from": self.from_state, "to": self.to_state}


def hold(connection: sa.Connection, summary_id: str) -> sa.Row[Any]:
    """Return a summary that nobody else moves until the transaction ends. Raises BadInput without one."""
    held = connection.execute(QUERIES["hold"], {"summary_id": summary_id}).first()
    if held is None:
        raise BadInput(f"There is no summary {summary_id!r}; list yours with: touchline review list --as YOU")
    return held


def move_summary(
    connection: sa.Connection,
    held: sa.Row[Any],
    event: SummaryEvent,
    *,
    actor: str,
    now: datetime,
    feedback: Feedback | None = None,
    ticks: Collection[InjuryTick] = (),
    **changed: Any,
) -> Moved:
    """Move a held summary, with what else changes on its row; whether it may be is for the caller to ask.

    Raises ForbiddenMove for what is not in the table of moves.
    """
    before = SummaryState(held.state)
    after = move(before, event)
    kept = {name: getattr(held, name) for name in ("text", "original_text", "acknowledged_at")}
    row = {"summary_id": held.id, "state": after, "suppression_reason": None, **kept, **changed}
    try:
        connection.execute(QUERIES["move"], row)
    except OperationalError:
        raise
    except DBAPIError as error:
        refusal = type(error.orig).__name__  # only named: the server's message may quote the row's texts
        raise BooksDisagree(f"The database refuses to move summary {held.id} ({refusal}).") from None
    noted = {
        "summary_id": held.id,
        "at": now,
        "actor": actor,
        "event": event,
        "from_state": before,
        "to_state": after,
        "feedback": feedback,
        "override": override_of(event, held.confidence, _threshold_then(held)),
        "ticks": [tick.value for tick in InjuryTick if tick in ticks],
    }
    connection.execute(summary_event.QUERIES["add"], noted)
    counted = History().after(event)
    if counted != History():
        counts = {"approvals": counted.approvals, "suppressions": counted.suppressions}
        connection.execute(coach_trust.QUERIES["count_decision"], {"coach_id": held.coach_id, **counts})
    return Moved(held.id, before, after)


def _threshold_then(held: sa.Row[Any]) -> Decimal:
    """The threshold that counted when it was decided; summaries from before decisions were have none."""
    return Decimal(held.evidence.get("threshold") or 0)
