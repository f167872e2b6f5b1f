"""What the coaches' decisions teach about their thresholds, once a week."""

import logging
from collections import defaultdict
from collections.abc import Sequence
from datetime import datetime

import sqlalchemy as sa
from prefect.artifacts import acreate_table_artifact
from prefect.runtime import flow_run

from core.learning import Act, learn, week_of, window_of
from core.names import learned_name
from core.settings import Settings
from core.states import SummaryEvent
from database.engine import connect, database
from models.coach_trust import QUERIES
from tasks.listing import Row
from tasks.logs import run_logs
from tasks.run_page import Page, shown

LEARNED_KEY = "learned-thresholds"
TOLD = "What each coach's decisions of the last 30 days have taught about the threshold, in the week of"

logger = logging.getLogger("touchline.learning")


def learn_thresholds(settings: Settings, now: datetime) -> list[Row]:
    """Learn for every coach who has not learned this week; gives what each has, in one transaction for all.

    A second time in the same week it changes nothing, and two at once learn once. Raises NotReady without a
    database.
    """
    with run_logs(settings, run_id=flow_run.id), database(settings) as found:
        engine = connect(found.url)
        try:
            with engine.begin() as connection:
                taught = _learn(connection, now)
            logger.info("learned for %d coaches", len(taught))
            return taught
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


HEADINGS = {
    "coach_id": "coach",
    "previous": "threshold before",
    "threshold": "threshold now",
    "reason": "why",
    "decisions": "decisions",
    "low_reviewed": "below it: reviewed",
    "low_approved": "below it: approved",
    "high_reviewed": "above it: reviewed",
    "high_rejected": "above it: rejected",
}


async def publish_taught(page: Page, taught: Sequence[Row]) -> None:
    """Show what each coach has taught, if any has; the run is named by for how many it learned."""
    await page.tell(learned_name(len(taught)), {"learn"})
    if taught:
        async with shown("what was learned"):
            await acreate_table_artifact(
                key=LEARNED_KEY, table=taught_table(taught), description=f"{TOLD} {taught[0]['week']}."
            )


def taught_table(taught: Sequence[Row]) -> list[dict[str, str]]:
    """Return one row per coach, with headings for people."""
    return [
        {heading: "" if row[name] is None else str(row[name]) for name, heading in HEADINGS.items()}
        for row in taught
    ]
