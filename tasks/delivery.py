"""Summaries on their way to guardians. A transition only: the flow and the channels come later.

Nothing here returns a note: what a guardian can read has no private column in it.
"""

from datetime import datetime
from typing import Any

import sqlalchemy as sa

from core.club import AUTOMATIC_APPROVAL, NOTIFICATION, Setting, permitted
from core.states import SummaryEvent, SummaryState
from core.transitions import Delivery, check_delivery, check_guardian
from models import setting
from models.guardian import QUERIES as GUARDIAN
from models.summary_event import ACTOR_RULES
from tasks.listing import Row, snapshot
from tasks.moves import Moved, hold, move_summary


def deliver(engine: sa.Engine, summary_id: str, *, now: datetime) -> Moved:
    """Let guardians read a summary: approved at once, approved by rule when its window is over.

    Raises ForbiddenMove, and NotDeliverable for a rehearsal, while it can be revoked, or where notification
    (or, of what was approved by rule, automatic approval) is switched off.
    """
    with engine.begin() as connection:
        held = hold(connection, summary_id)
        delivery = Delivery(
            state=SummaryState(held.state),
            rehearsal=held.rehearsal,
            notification_allowed=_permitted(connection, NOTIFICATION, held.organization_id),
            automatic_approval_allowed=_permitted(connection, AUTOMATIC_APPROVAL, held.organization_id),
            revocable_until=held.revocable_until,
        )
        check_delivery(delivery, now)
        return move_summary(connection, held, SummaryEvent.DELIVER, actor=ACTOR_RULES, now=now)


def _permitted(connection: sa.Connection, switch: Setting[bool], organization_id: str) -> bool | None:
    """Say whether a kill switch permits for an organization; None when what is stored is not allowed."""
    place = {"organization_id": organization_id, "name": switch.name}
    own = connection.execute(setting.QUERIES["own"], place).scalar()
    platform = connection.execute(setting.QUERIES["own"], place | {"organization_id": None}).scalar()
    return permitted(switch, platform, own)


def view(engine: sa.Engine, summary_id: str, guardian_id: str, *, now: datetime) -> Moved:
    """Note that a guardian has read it; once more is no error, and nothing new.

    Raises NotTheirs unless the guardian has an active, consented link to its player, ForbiddenMove before it
    is delivered.
    """
    with engine.begin() as connection:
        held = _for_guardian(connection, summary_id, guardian_id)
        if held.state == SummaryState.VIEWED:
            return Moved(held.id, SummaryState.VIEWED, SummaryState.VIEWED)
        return move_summary(connection, held, SummaryEvent.VIEW, actor=guardian_id, now=now)


def acknowledge(engine: sa.Engine, summary_id: str, guardian_id: str, *, now: datetime) -> Moved:
    """Note that a guardian says so; the first time counts. Raises as `view`."""
    with engine.begin() as connection:
        held = _for_guardian(connection, summary_id, guardian_id)
        if held.acknowledged_at is not None:
            return Moved(held.id, SummaryState(held.state), SummaryState(held.state))
        event = SummaryEvent.ACKNOWLEDGE
        return move_summary(connection, held, event, actor=guardian_id, now=now, acknowledged_at=now)


def read_delivered(engine: sa.Engine, guardian_id: str) -> list[Row]:
    """Return what a guardian can read, newest first: id, player, text and times, and no column more.

    Nothing for a guardian who is not there, not active, or has not consented.
    """
    with snapshot(engine) as connection:
        rows = connection.execute(GUARDIAN["readable"], {"guardian_id": guardian_id}).mappings()
        return [dict(row) for row in rows]


def _for_guardian(connection: sa.Connection, summary_id: str, guardian_id: str) -> sa.Row[Any]:
    held = hold(connection, summary_id)
    link = connection.execute(GUARDIAN["link"], {"guardian_id": guardian_id}).first()
    if link is None:
        check_guardian(linked=False, status=None, consented=False)
    else:
        check_guardian(linked=link.player_id == held.player_id, status=link.status, consented=link.consented)
    return held
