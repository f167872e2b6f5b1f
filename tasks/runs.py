"""The run's own row: when it began, and what it came to."""

import logging

from sqlalchemy.ext.asyncio import AsyncConnection

from core.report import RunReport
from models.summary_run import QUERIES
from tasks.run import Run

logger = logging.getLogger("touchline.run")


async def begin_run(run: Run, organization_id: str | None) -> None:
    """Write the row of a run that begins, and forget prefixes that have long gone cold."""
    row = {
        "run_id": run.run_id,
        "lane": run.lane,
        "model": run.model,
        "organization_id": organization_id,
        "started_at": run.began_at,
    }

    async def begin(connection: AsyncConnection) -> None:
        await connection.execute(QUERIES["begin"], row)

    await run.commit(begin)
    await run.warmth.forget_cold()


async def end_run(run: Run, report: RunReport) -> None:
    """Write what the run came to, and keep what it has learned; a database that is away ends neither."""
    logger.info(
        "run ended: %s%s", report.sentence(), f", stopped: {run.stopped.cause}" if run.stopped else ""
    )
    if run.failure:
        return  # the database is away: its row says that the run never ended
    await keep_figures(run, run.run_id, report, run.claimed)
    await run.lessons.keep(run.transactions, run.model)


async def keep_figures(run: Run, run_id: str, report: RunReport, insights: int) -> None:
    """Write what a run came to into its row; `insights` it had claimed."""
    billed, waterfall = report.billed, report.waterfall
    row = {
        "run_id": run_id,
        "ended_at": run.clock.now(),
        "insights": insights,
        "calls": billed.calls,
        "predicted_usd": report.predicted.cost_usd,
        "billed_usd": billed.cost_usd,
        "uncached_usd": billed.uncached_cost_usd,
        "floor_usd": billed.floor_usd,
        "efficiency": billed.efficiency,
        "alone_uncached_usd": waterfall.uncached_usd,
        "alone_cached_usd": waterfall.cached_usd,
        "packed_usd": waterfall.packed_usd,
        "stopped": report.stopped.cause if report.stopped else None,
    }

    async def end(connection: AsyncConnection) -> None:
        await connection.execute(QUERIES["end"], row)

    await run.commit(end)
