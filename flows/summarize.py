"""Summarise what is pending: survey, plan, claim, ask, settle, report."""

from uuid import uuid4

from prefect import flow
from prefect.runtime import flow_run

from core.clock import Clock
from core.pages import plan_page
from core.plan import plan_run
from core.report import RunReport
from core.settings import Settings
from tasks.artifacts import publish_report
from tasks.calls import answer_chunk
from tasks.clock import SystemClock
from tasks.insights import claim_pages
from tasks.prompts import keep_prompts
from tasks.rounds import drain
from tasks.run import Run, Watch, open_run
from tasks.run_page import flow_page
from tasks.runs import begin_run, end_run
from tasks.spool import replay_spool
from tasks.surveys import Scope, survey_due
from tasks.terms import terms_of
from tasks.together import a_few_at_a_time


@flow(name="summarize-pending", flow_run_name="summarize pending insights")
async def summarize_pending(
    insight_limit: int | None = None,
    organization_id: str | None = None,
    model: str | None = None,
    insights_per_call: int | None = None,
    clock: Clock | None = None,
    watch: Watch | None = None,
) -> RunReport:
    """Summarise pending insights, player by player, sharing warm prefixes, until drained or the limit.

    `watch` is told how many insights are done, by state, after each. Raises NotReady, UnknownModel or
    BadInput with nothing claimed when the run cannot begin.
    """
    settings, clock = Settings().packing(insights_per_call), clock or SystemClock()
    asked = model or settings.model
    run_id = str(flow_run.id or uuid4())
    async with (
        flow_page() as page,
        open_run(run_id=run_id, settings=settings, model=asked, clock=clock, watch=watch) as run,
    ):
        await replay_spool(run.engine, settings.home)
        await begin_run(run, organization_id)
        try:
            await drain(run, Scope(organization_id, insight_limit), answer_what_is_due)
        finally:
            report = run.report()
            await end_run(run, report)
            await publish_report(page, run, report)
    report.raise_when_set_up_wrong()
    return report


async def answer_what_is_due(run: Run, scope: Scope) -> bool:
    """Plan for all that is due, claim it page by page in that order, answer; False when none was left."""
    survey = await survey_due(run.transactions, run.warmth, scope, model=run.model, now=run.clock.now())
    run.progress.found(survey.insights, scope.insight_limit)
    plan, claimed_before = plan_run(survey, await terms_of(run, survey)), run.claimed
    readable = set(survey.warm)
    async with a_few_at_a_time(size_max=run.calls_ahead) as few:
        async for page in claim_pages(run, plan, scope):
            chunks = plan_page(page, plan, readable)
            run.expect(chunks)
            await keep_prompts(run, chunks)
            for chunk in chunks:
                await few.start(answer_chunk(chunk, run), chunk.size)
    return run.claimed > claimed_before
