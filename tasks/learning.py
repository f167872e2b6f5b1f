"""What the coaches' decisions teach about their thresholds, once a week."""

import logging
from collections import defaultdict
from collections.abc import Sequence
from datetime import datetime

import sqlalchemy as sa
from prefect.artifacts import acreate_table_artifact

from core.learning import Act, learn, week_of, window_of
from core.settings import Settings
from core.states import SummaryEvent
from database.engine import connect, database
from models.coach_trust import QUERIES
from tasks.listing import Row

LEARNED_KEY = "learned-thresholds"

logger = logging.getLogger("touchline.artifacts")


def learn_thresholds(settings: Settings, now: datetime) -> list[Row]:
    """Learn for every coach who has not learned this week; gives what each has, in one transaction for all.

    A second time in the same week it changes nothing, and two at once learn once. Raises NotReady without a
    database.
    """
    with database(settings) as found:
        engine = connect(found.url)
        try:
            with engine.begin() as connection:
                return _learn(connection, now)
        finally:
            engine.dispose()


def _learn(connection: sa.Connection, now: datetime) -> list[Row]:
    week = week_of(now)
    connection.execute(QUERIES["one_at_a_time"])
    coaches = connection.execute(QUERIES["to_learn"], {"week": week}).all()
    acts: dict[str, list[Act]] = defaultdict(list)
    for act in connection.execute(QUERIES["acts"], window_of(now)._asdict()):
        acts[act.coach_id].append(Act(act.confidence, SummaryEvent(act.event)))
    taught: list[Row] = []
    for coach in coaches:
        learned = learn(acts[coach.coach_id], coach.learned_threshold, coach.own_threshold)
        row = {
            "coach_id": coach.coach_id,
            "week": week,
            "learned_at": now,
            "previous": coach.learned_threshold,
            "threshold": learned.threshold,
            "reason": learned.reason,
            "decisions": learned.decisions,
            "low_reviewed": learned.low_reviewed,
            "low_approved": learned.low_approved,
            "high_reviewed": learned.high_reviewed,
            "high_rejected": learned.high_rejected,
        }
        connection.execute(QUERIES["keep_week"], row)
        connection.execute(QUERIES["set_learned"], row)
        taught.append(row)
    return taught


async def publish_taught(taught: Sequence[Row]) -> None:
    """Show in the Prefect UI what each coach has taught; when Prefect takes none, nothing is worse for it."""
    table = [{name: "" if value is None else str(value) for name, value in row.items()} for row in taught]
    try:
        await acreate_table_artifact(
            key=LEARNED_KEY, table=table, description="What the last 30 days have taught about thresholds."
        )
    except Exception as error:  # noqa: BLE001 - what was learned is committed, whatever Prefect says
        logger.warning("no artifact of what was learned could be made: %s", type(error).__name__)
