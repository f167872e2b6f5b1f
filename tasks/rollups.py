"""The rollups: days are staged in one snapshot of the ledger, and published in one transaction."""

import json
import logging
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import date, datetime, timedelta
from typing import Any

import sqlalchemy as sa
from prefect import task
from prefect.cache_policies import NO_CACHE
from sqlalchemy.exc import OperationalError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from core.clock import Clock
from core.errors import BooksDisagree, NotReady
from core.local_days import stretches, zone_named
from core.pricing import price_version
from core.rollups import PricedAlike, Taken, price_rows
from core.settings import Settings
from database.engine import connect_async, database
from models import (
    rollup_coach_day,
    rollup_organization_day,
    rollup_outcome_day,
    rollup_platform_day,
    rollup_player_day,
    rollup_run,
)
from models.base import metadata
from models.rollup_run import QUERIES
from tasks.clock import new_id
from tasks.logs import run_logs

DAYS_AT_ONCE = 16  # that are staged together: more would take more memory of the server
KILLED_AFTER = timedelta(hours=6)  # a run that has not ended by then was killed: it takes minutes
# What is staged, and the rollup that it is published as.
ROLLUPS: Mapping[sa.Table, type[Any]] = {
    rollup_organization_day.STAGED: rollup_organization_day.RollupOrganizationDay,
    rollup_coach_day.STAGED: rollup_coach_day.RollupCoachDay,
    rollup_player_day.STAGED: rollup_player_day.RollupPlayerDay,
    rollup_platform_day.STAGED: rollup_platform_day.RollupPlatformDay,
    rollup_outcome_day.STAGED: rollup_outcome_day.RollupOutcomeDay,
}
STAGED = (*ROLLUPS, rollup_run.STAGED_LEDGER_DAY, rollup_run.STAGED_PRICE_GAP)
DATABASE_WENT_AWAY = (
    "The database went away during the rollup. What is published is whole, and the days that are not stay "
    "marked. Start the database, then run: touchline rollup"
)

logger = logging.getLogger("touchline.rollup")


class Rollup:
    """One flow run in one process. Not a dataclass: Prefect walks through those.

    `run_id` names what it stages, anew with every try: a flow run that is started again while its first
    process lives is another run here.
    """

    def __init__(self, flow_run_id: str, engine: AsyncEngine, url: str, clock: Clock) -> None:
        self.flow_run_id = flow_run_id
        self.run_id = new_id(clock.now())
        self.engine = engine
        self.url = url
        self.clock = clock


@asynccontextmanager
async def open_rollup(flow_run_id: str, settings: Settings, clock: Clock) -> AsyncIterator[Rollup]:
    """Open what a rollup needs, in the running loop, and close it. Raises NotReady without a database."""
    with run_logs(settings, run_id=flow_run_id), database(settings) as found:
        engine = connect_async(found.url, connections=2)
        try:
            yield Rollup(flow_run_id, engine, found.url, clock)
        except OperationalError as error:
            raise NotReady(DATABASE_WENT_AWAY) from error
        finally:
            await engine.dispose()


@task(name="stage", cache_policy=NO_CACHE, persist_result=False)
async def stage_days(rollup: Rollup, days: Sequence[date] | None, rebuild: bool = False) -> Taken:
    """Build the rollups of marked days, of given ones, or of all, beside the published; gives what it took.

    Everything is read as of one moment, the marks too, and committed together.
    """
    rollup.run_id = new_id(rollup.clock.now())
    await _sweep(rollup)
    async with rollup.engine.connect() as connection:
        await connection.execution_options(isolation_level="REPEATABLE READ")
        async with connection.begin():
            await connection.execute(QUERIES["prefer_indexes"])
            taken = await _take(connection, days, rebuild)
            if taken.days:
                await _stage(connection, rollup, taken.days)
    if taken.days:
        logger.info("staged %d days as %s", len(taken.days), rollup.run_id)
    return taken


async def _take(connection: AsyncConnection, days: Sequence[date] | None, rebuild: bool) -> Taken:
    """Say which days are to be rolled up, and how they stand."""
    wanted = sorted(set(days)) if days else None
    marks = (await connection.execute(QUERIES["marks"], {"days": wanted})).mappings().all()
    if wanted is None:
        wanted = [mark["utc_day"] for mark in marks]
        priced = {"price_version": price_version()}
        wanted += (await connection.execute(QUERIES["priced_otherwise"], priced)).scalars()
    if rebuild:
        wanted += (await connection.execute(QUERIES["known_days"])).scalars()
    wanted = sorted(set(wanted))
    published = await connection.execute(QUERIES["published"], {"days": wanted})
    return Taken(
        tuple(wanted),
        tuple(dict(mark) for mark in marks),
        {row.utc_day: row.run_id for row in published},
    )


async def _stage(connection: AsyncConnection, rollup: Rollup, days: Sequence[date]) -> None:
    """Fill the staging of these days."""
    begun = {
        "run_id": rollup.run_id,
        "flow_run_id": rollup.flow_run_id,
        "started_at": rollup.clock.now(),
        "days": list(days),
    }
    await connection.execute(QUERIES["begin"], begun)
    for first in range(0, len(days), DAYS_AT_ONCE):
        some = days[first : first + DAYS_AT_ONCE]
        asked = {
            "run_id": rollup.run_id,
            "days": list(some),
            "price_version": price_version(),
            "stretches": await _stretches(connection, some),
            "prices": await _prices(connection, some),
        }
        await connection.execute(QUERIES["find_repeated"], asked)
        await connection.execute(QUERIES["book"], asked)
        for name in QUERIES:
            if name.startswith("stage_"):
                await connection.execute(QUERIES[name], asked)
        await connection.execute(QUERIES["forget_booked"])
    counted = json.dumps(await _staged_rows(connection, rollup.run_id))
    await connection.execute(QUERIES["note_staged"], {"run_id": rollup.run_id, "staged_rows": counted})


async def _staged_rows(connection: AsyncConnection, run_id: str) -> dict[str, int]:
    """Count what a run has staged, by table."""
    counts = {}
    for staged in STAGED:
        counting = sa.select(sa.func.count()).select_from(staged).where(staged.c.run_id == run_id)
        counts[staged.name] = int((await connection.execute(counting)).scalar_one())
    return counts


async def _stretches(connection: AsyncConnection, days: Iterable[date]) -> str:
    """The local days of every club's time zone on these days, as the queries take them."""
    rows = (await connection.execute(QUERIES["time_zones"])).all()
    zones = {"UTC": zone_named("UTC", "the platform")}
    zones |= {row.timezone: zone_named(row.timezone, row.organization_id) for row in rows}
    return _json(stretch._asdict() for stretch in stretches(days, zones.values()))


async def _prices(connection: AsyncConnection, days: Iterable[date]) -> str:
    """The price lists that the rows of these days are held against, as the queries take them."""
    rows = await connection.execute(QUERIES["priced_alike"], {"days": list(days)})
    return _json(price_rows(PricedAlike(*row) for row in rows))


def _json(rows: Iterable[Mapping[str, Any]]) -> str:
    return json.dumps(list(rows), default=_iso)


def _iso(value: date | datetime) -> str:
    return value.isoformat()


@task(name="publish", cache_policy=NO_CACHE, persist_result=False)
async def publish_staged(rollup: Rollup, taken: Taken) -> int | None:
    """Put the staged days in the place of the published ones, in one transaction; gives the rows.

    None, with nothing changed, when another run has published one of these days since they were staged: what
    is staged may then be older than what is published.
    """
    days = {"days": list(taken.days)}
    async with rollup.engine.begin() as connection:
        await connection.execute(QUERIES["one_publisher"])
        await connection.execute(QUERIES["compare_by_hash"])
        published = await connection.execute(QUERIES["published"], days)
        if {row.utc_day: row.run_id for row in published} != taken.published:
            await _end(connection, rollup, published=False)
            logger.warning("another run has published one of these days meanwhile: they are staged again")
            return None
        counts = await _staged_as_committed(connection, rollup)
        for staged, model in ROLLUPS.items():
            await _replace(connection, rollup.run_id, staged, model.__table__, taken.days)
        noted = {
            "run_id": rollup.run_id,
            "published_at": rollup.clock.now(),
            "price_version": price_version(),
        }
        await connection.execute(QUERIES["note_published"], noted | days)
        await connection.execute(QUERIES["clear_marks"], {"marks": _json(taken.marks)})
        await _end(connection, rollup, published=True)
    rows = sum(counts[staged.name] for staged in ROLLUPS)
    logger.info("published %d days, %d rows", len(taken.days), rows)
    return rows


async def _staged_as_committed(connection: AsyncConnection, rollup: Rollup) -> dict[str, int]:
    """Count what is staged. Raises BooksDisagree when something of it is gone since it was committed."""
    run_id = rollup.run_id
    noted = (await connection.execute(QUERIES["staged_rows"], {"run_id": run_id})).scalar_one()
    found = await _staged_rows(connection, run_id)
    if found != noted:
        raise BooksDisagree(
            f"Of what run {run_id} has staged something is gone: there were {noted}, there are {found}. "
            "Nothing was published, and the days stay marked. Run: touchline rollup"
        )
    return found


async def _replace(
    connection: AsyncConnection, run_id: str, staged: sa.Table, rollup: sa.Table, days: Sequence[date]
) -> None:
    """Make the rows of these days those that are staged.

    What is published as it is staged stays where it is: a few late rows change little of their day.
    """
    names = [column.name for column in rollup.columns]
    key = [column.name for column in rollup.primary_key.columns]
    of_run, of_days = staged.c.run_id == run_id, rollup.c.utc_day.in_(days)

    def alike(columns: Sequence[str]) -> sa.ColumnElement[bool]:
        return sa.and_(of_run, of_days, *(staged.c[name] == rollup.c[name] for name in columns))

    outdated = sa.delete(rollup).where(of_days, ~sa.exists().where(alike(names)))
    await connection.execute(outdated)
    missing = sa.select(*(staged.c[name] for name in names)).where(of_run, ~sa.exists().where(alike(key)))
    in_order = missing.order_by(*(staged.c[name] for name in key))
    await connection.execute(sa.insert(rollup).from_select(names, in_order))


async def leave(rollup: Rollup) -> None:
    """End a run: what it has staged is removed, whether it was published or not."""
    async with rollup.engine.begin() as connection:
        await _end(connection, rollup, published=False)
    await _sweep(rollup)
    async with rollup.engine.connect() as connection:
        await connection.execution_options(isolation_level="AUTOCOMMIT")
        for staged in STAGED:  # so that the next run does not walk through what this one has left empty
            await connection.execute(sa.text(f"VACUUM {staged.name}"))


async def _end(connection: AsyncConnection, rollup: Rollup, *, published: bool) -> None:
    ended = {"run_id": rollup.run_id, "ended_at": rollup.clock.now(), "published": published}
    await connection.execute(QUERIES["end"], ended)


async def _sweep(rollup: Rollup) -> None:
    """Remove what is staged by runs that need it no more: this one, and others that ended or were killed.

    A run's own row is committed with what it stages: whatever is seen of staging, its run is seen, too.
    """
    runs, killed_before = metadata.tables["rollup_run"].c, rollup.clock.now() - KILLED_AFTER
    ended_or_killed = sa.or_(runs.ended_at.is_not(None), runs.started_at < killed_before)
    over = sa.select(runs.run_id).where(sa.or_(runs.run_id == rollup.run_id, ended_or_killed))
    async with rollup.engine.begin() as connection:
        for staged in STAGED:
            await connection.execute(sa.delete(staged).where(staged.c.run_id.in_(over)))
