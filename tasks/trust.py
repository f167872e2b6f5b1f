"""What a coach stands at and sets: the level that counts, the threshold, and the way to the next level.

Importable and stable, as `tasks.reviews`; a person is given by either of the auth system's ids.
"""

from datetime import datetime
from decimal import Decimal
from typing import Any

import sqlalchemy as sa

from core.trust import (
    History,
    Preview,
    check_level,
    check_own_threshold,
    earned_level,
    effective_level,
    progress,
    threshold_that_counts,
)
from models import setting
from models.coach_trust import QUERIES
from tasks.listing import Row, snapshot
from tasks.people import find_coach

WEEKS_SHOWN = 4


def show_trust(engine: sa.Engine, person: str) -> Row:
    """Return what the coach has earned, prefers and stands at. Raises PersonNotFound."""
    with snapshot(engine) as connection:
        coach_id = find_coach(connection, person)
        row = connection.execute(QUERIES["standing"], {"coach_id": coach_id}).one()
        weeks = connection.execute(QUERIES["weeks"], {"coach_id": coach_id, "row_limit": WEEKS_SHOWN})
        learned = [dict(week) for week in weeks.mappings()]
    history = History(row.approvals, row.suppressions)
    earned, preview = earned_level(history), Preview(row.previewed, row.agreed)
    way = progress(history)
    return {
        "coach_id": coach_id,
        "earned": earned,
        "preferred": row.preferred_level,
        "effective": effective_level(earned, row.preferred_level),
        "threshold": _as_set(threshold_that_counts(row.learned_threshold, row.own_threshold)),
        "own_threshold": _as_set(row.own_threshold),
        "learned_threshold": _as_set(row.learned_threshold),
        "approvals": history.approvals,
        "suppressions": history.suppressions,
        "suppression_rate": float(history.suppression_rate),
        "progress": {
            "next_level": way.next_level,
            "approvals_needed": way.approvals_needed,
            "held_back_by_suppression_rate": way.held_back_by_rate,
            "sentence": way.sentence(),
        },
        "preview": {
            "decisions": preview.decided,
            "agreement": None if preview.agreement is None else float(preview.agreement),
            "complete": preview.complete,
        },
        "weeks": learned,
    }


def set_level(engine: sa.Engine, person: str, level: int | None, *, now: datetime) -> Row:
    """Cap the coach's level; None: as the upstream app says. What is earned stays. Raises BadInput."""
    return _set(engine, person, "preferred_level", level if level is None else check_level(level), now)


def set_threshold(engine: sa.Engine, person: str, threshold: Decimal | None, *, now: datetime) -> Row:
    """Set the coach's own threshold, or none; what was learned stays and counts first. Raises BadInput."""
    return _set(
        engine,
        person,
        "own_threshold",
        threshold if threshold is None else check_own_threshold(threshold),
        now,
    )


def _as_set(threshold: Decimal | None) -> Decimal | None:
    """A threshold without the zeros that its column adds: two digits, or as many as it has."""
    if threshold is None:
        return None
    short = threshold.quantize(Decimal("0.01"))
    return short if short == threshold else threshold.normalize()


def _set(engine: sa.Engine, person: str, name: str, value: Any, now: datetime) -> Row:
    """Change one of them, and note who did, as every change of a setting is noted."""
    with engine.begin() as connection:
        coach_id = find_coach(connection, person)
        before = getattr(connection.execute(QUERIES["ensure"], {"coach_id": coach_id}).one(), name)
        before = _as_set(before) if isinstance(before, Decimal) else before
        if before != value:
            query = {"preferred_level": "set_level", "own_threshold": "set_threshold"}[name]
            connection.execute(QUERIES[query], {"coach_id": coach_id, "value": value})
            row = connection.execute(QUERIES["standing"], {"coach_id": coach_id}).one()
            change = {
                "changed_at": now,
                "organization_id": row.organization_id,
                "name": f"{name} of {coach_id}",
                "old_value": None if before is None else str(before),
                "new_value": None if value is None else str(value),
                "changed_by": coach_id,
            }
            connection.execute(setting.QUERIES["note_change"], change)
    return {"coach_id": coach_id, "name": name, "from": before, "to": value}
