"""The nightly rollup: stage the days whose rows have changed, check them, publish them."""

from collections.abc import Sequence
from datetime import date
from pathlib import Path
from uuid import uuid4

from prefect import flow
from prefect.runtime import flow_run

from core.clock import Clock
from core.rollups import RollupRefused, RollupReport, check_asked
from core.settings import Settings
from tasks.clock import SystemClock
from tasks.rollup_artifacts import publish_rollup_report
from tasks.rollups import Rollup, leave, open_rollup, publish_staged, stage_days
from tasks.run_page import flow_page


@flow(name="nightly-rollup", flow_run_name="nightly rollup")
async def nightly_rollup(
    days: list[date] | None = None,
    rebuild: bool = False,
    data_docs: Path | None = None,
    clock: Clock | None = None,
) -> RollupReport:
    """Roll up the days that are marked, or the given UTC days, or (`rebuild`) all that ever were.

    `data_docs`: a folder for Great Expectations' pages about the checks. Raises RollupRefused, with the
    report, when a critical check does not hold; BadInput or NotReady before anything is done.
    """
    check_asked(days, rebuild=rebuild)
    settings, flow_run_id = Settings(), str(flow_run.id or uuid4())
    async with flow_page() as page, open_rollup(flow_run_id, settings, clock or SystemClock()) as rollup:
        try:
            report = await roll_up(rollup, days, rebuild=rebuild, data_docs=data_docs)
        finally:
            await leave(rollup)
        await publish_rollup_report(page, rollup, report, settings.home)
    if report.days and not report.published:
        raise RollupRefused(report)
    return report


async def roll_up(
    rollup: Rollup, days: Sequence[date] | None, *, rebuild: bool, data_docs: Path | None
) -> RollupReport:
    """Stage, check and publish; once more when another run has published the same days meanwhile."""
    while (taken := await stage_days(rollup, days, rebuild)).days:
        from tasks.quality import check_staged  # 10 s to import: a night without marks does without

        now = rollup.clock.now()
        checks = await check_staged(rollup.url, rollup.run_id, today=now.date(), now=now, docs=data_docs)
        if not checks.publishable:
            return RollupReport(rollup.run_id, taken.days, checks=checks)
        rows = await publish_staged(rollup, taken)
        if rows is not None:
            return RollupReport(rollup.run_id, taken.days, rows, checks, published=True)
    return RollupReport(rollup.run_id)
