"""Summarise in message batches, at half the price: prime what prompts share, send, collect, report."""

from uuid import uuid4

from prefect import flow
from prefect.runtime import flow_run

from core.clock import Clock
from core.pages import plan_page
from core.plan import RunPlan, plan_run
from core.report import Collected, RunReport
from core.settings import Settings
from core.states import Lane
from tasks.artifacts import publish_collected, publish_report
from tasks.batch_report import report_collected, report_of_runs
from tasks.batches import Outbox
from tasks.clock import SystemClock
from tasks.collecting import look_at_all, unfinished_batches, wait_until_collected
from tasks.insights import claim_pages
from tasks.primes import prime
from tasks.prompts import keep_prompts
from tasks.rounds import drain
from tasks.run import Run, Watch, open_run
from tasks.run_page import flow_page
from tasks.runs import begin_run, end_run
from tasks.spool import replay_spool
from tasks.surveys import Scope, survey_due
from tasks.terms import terms_of


@flow(name="summarize-overnight", flow_run_name="summarize overnight")
async def summarize_overnight(
    insight_limit: int | None = None,
    organization_id: str | None = None,
    model: str | None = None,
    insights_per_call: int | None = None,
    clock: Clock | None = None,
    watch: Watch | None = None,
) -> RunReport:
    """Summarise what is due in the overnight lane in message batches, and wait until they are collected.

    The flow may end at any time: `collect_batches` then collects what is open. Raises as
    `summarize_pending`.
    """
    settings, clock = Settings().packing(insights_per_call), clock or SystemClock()
    asked = model or settings.model
    run_id = str(flow_run.id or uuid4())
    async with (
        flow_page() as page,
        open_run(
            run_id=run_id, settings=settings, model=asked, clock=clock, watch=watch, lane=Lane.OVERNIGHT
        ) as run,
    ):
        await replay_spool(run.engine, settings.home)
        await begin_run(run, organization_id)
        try:
            await collect_open(run)  # of earlier runs: what it did not answer is due again
            await drain(run, Scope(organization_id, insight_limit, Lane.OVERNIGHT), answer_what_is_due)
        finally:
            report = await report_of_runs(run, [run_id])
            await end_run(run, report)
            await publish_report(page, run, report)
    report.raise_when_set_up_wrong()
    return report


@flow(name="collect-batches", flow_run_name="collect batches")
async def collect_batches(clock: Clock | None = None, watch: Watch | None = None) -> RunReport:
    """Settle what has ended of the batches that are open, whoever has sent them, and cancel what is due.

    Reports on the runs whose batches were open. Raises as `summarize_overnight`.
    """
    settings, clock = Settings(), clock or SystemClock()
    run_id, asked = str(flow_run.id or uuid4()), settings.model
    async with (
        flow_page() as page,
        open_run(
            run_id=run_id, settings=settings, model=asked, clock=clock, watch=watch, lane=Lane.OVERNIGHT
        ) as run,
    ):
        await replay_spool(run.engine, settings.home)
        collected = await collect_open(run)
        await publish_collected(page, run, collected)
    collected.report.raise_when_set_up_wrong()
    return collected.report


async def collect_open(run: Run) -> Collected:
    """Settle what has ended of all that is open; gives what that came to, for the runs that had sent it."""
    before = await unfinished_batches(run, None)
    await look_at_all(run)
    return await report_collected(run, before)


async def answer_what_is_due(run: Run, scope: Scope) -> bool:
    """Plan for all that is due, prime, send and wait; False when nothing was finished or it was cut short."""
    survey = await survey_due(run.transactions, run.warmth, scope, model=run.model, now=run.clock.now())
    run.progress.found(survey.insights, scope.insight_limit)
    plan, finished_before = plan_run(survey, await terms_of(run, survey)), run.finished
    if not await prime(run, plan, scope):
        return False
    by_themselves = await wait_until_collected(run, await send_main(run, plan, scope))
    return by_themselves and run.finished > finished_before


async def send_main(run: Run, plan: RunPlan, scope: Scope) -> list[str]:
    """Send what is due, reading what is warm by now and writing nothing; gives the batches' ids."""
    outbox = Outbox(run, scope.clubs)
    async for page in claim_pages(run, plan, scope):
        warm = await run.warmth.look(plan.marked_keys)
        chunks = plan_page(page, plan.reading_only(warm), set(warm))
        await keep_prompts(run, chunks)
        await outbox.add_all(chunks)
    await outbox.send_all()
    return outbox.sent
