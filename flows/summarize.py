"""Summarise what is pending: claim, plan, ask, settle, report."""

from uuid import uuid4

from prefect import flow
from prefect.runtime import flow_run

from core.clock import Clock
from core.plan import plan_calls
from core.report import RunReport
from core.settings import Settings
from tasks.artifacts import publish_report
from tasks.calls import answer_chunk
from tasks.clock import SystemClock
from tasks.insights import claim_insights, give_back_claims
from tasks.prompts import keep_prompts
from tasks.run import Run, Watch, open_run
from tasks.spool import replay_spool
from tasks.together import together

ROUND_SIZE = 500  # insights claimed at once


@flow(name="summarize-pending", flow_run_name="summarize pending insights")
async def summarize_pending(
    insight_limit: int | None = None,
    organization_id: str | None = None,
    model: str | None = None,
    clock: Clock | None = None,
    watch: Watch | None = None,
) -> RunReport:
    """Summarise pending insights, player by player, sharing warm prefixes, until drained or the limit.

    `watch` is told how many insights are done, by state, after each. Raises NotReady, UnknownModel or
    BadInput with nothing claimed when the run cannot begin.
    """
    settings, clock = Settings(), clock or SystemClock()
    asked = model or settings.model
    run_id = str(flow_run.id or uuid4())
    async with open_run(run_id=run_id, settings=settings, model=asked, clock=clock, watch=watch) as run:
        await replay_spool(run.engine, settings.home)
        try:
            await drain(run, organization_id, insight_limit)
        finally:
            report = run.report()
            await publish_report(report)
    report.raise_when_set_up_wrong()
    return report


async def drain(run: Run, organization_id: str | None, insight_limit: int | None) -> None:
    """Claim round after round and answer each, until nothing is due, the limit, or a reason to stop."""
    try:
        while wanted := run.wanted(ROUND_SIZE, insight_limit):
            claimed = await claim_insights(run, organization_id, wanted)
            if not claimed:
                break
            chunks = plan_calls(claimed, model=run.model, now=run.clock.now(), warm=run.warm_prefixes())
            run.expect(chunks)
            await keep_prompts(run, chunks)
            await together(answer_chunk(chunk, run) for chunk in chunks)
        if run.failure:
            raise run.failure
    finally:
        await give_back_claims(run)
