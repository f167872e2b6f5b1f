"""Answer the calls of a chunk: each call asks until it has an answer, or a reason to stop asking."""

from collections.abc import Callable
from datetime import timedelta
from functools import partial
from itertools import count
from uuid import uuid4

from prefect import task
from prefect.cache_policies import NO_CACHE

from core.plan import Chunk, PlannedCall
from core.pricing import price_of
from core.retry import Defer, Failure, NextStep, Park, Retry, next_step
from core.settlement import Attempt, Settlement, entry_of, settled_by_failure, settled_by_reply
from core.states import InsightState, Outcome
from core.verdict import Reply, judge
from tasks.claude import CallFailed, ask
from tasks.ledger import Conclusion, record_sent, settle
from tasks.run import Run
from tasks.summaries import summary_row
from tasks.together import together
from tasks.warmth import Lead

ASKS_MAX = 2  # a broken answer is asked for once more, then the insight is parked


@task(
    name="answer-chunk",
    task_run_name="{chunk.sport} {chunk.tone}: {chunk.size} calls",
    cache_policy=NO_CACHE,
    persist_result=False,
)
async def answer_chunk(chunk: Chunk, run: Run) -> None:
    """Make the calls of a chunk, as many at once as the run has slots for."""
    await together(_answer(run, call) for call in chunk.calls)


async def _answer(run: Run, call: PlannedCall) -> None:
    lead = Lead(run.warmth, call.marked_prefixes)
    try:
        await lead.take(run.clock)
        async with run.slots:
            await _converse(run, call, lead)
    finally:
        lead.give_up()


async def _converse(run: Run, call: PlannedCall, lead: Lead) -> None:
    """Ask until the insight's fate is settled; when the run stops, leave it claimed to be given back."""
    call_id, asks = str(uuid4()), 0
    for tries in count(1):
        attempt = _attempt(run, call, call_id)
        if run.stopped or not await record_sent(run, attempt):
            return
        try:
            reply = await ask(run.client, call.body(), _when_begun(lead, attempt))
        except CallFailed as failed:
            step = next_step(failed.failure, tries, run.jitter.random())
            await _settle_failure(run, attempt, failed.failure, step)
            if not isinstance(step, Retry):
                return
            await run.clock.sleep(step.after_seconds)
        else:
            asks += 1
            if await _settle_reply(run, attempt, reply, may_ask_again=asks < ASKS_MAX):
                return


def _attempt(run: Run, call: PlannedCall, call_id: str) -> Attempt:
    now = run.clock.now()
    return Attempt(str(uuid4()), call_id, call, now, price_of(call.predicted, model=call.model, at=now))


def _when_begun(lead: Lead, attempt: Attempt) -> Callable[[], None] | None:
    """Only a leader must know when its answer begins; a follower's request uses the prefix as it is sent."""
    if lead.leading:
        return partial(lead.begun, attempt.occurred_at)
    lead.begun(attempt.occurred_at)
    return None


async def _settle_failure(run: Run, attempt: Attempt, failure: Failure, step: NextStep) -> None:
    now = run.clock.now()
    settlement = settled_by_failure(attempt, failure, now)
    conclusion = None  # asked again, or given back when the run ends
    if isinstance(step, Park):
        conclusion = Conclusion(InsightState.PARKED, step.reason)
    elif isinstance(step, Defer):
        conclusion = Conclusion(
            InsightState.DEFERRED, step.cause, now + timedelta(seconds=step.after_seconds)
        )
    await _settle(run, attempt, settlement, conclusion)
    run.heard(step)


async def _settle_reply(run: Run, attempt: Attempt, reply: Reply, *, may_ask_again: bool) -> bool:
    """Settle an answered attempt; False when its call should be asked again."""
    now, about = run.clock.now(), attempt.call.insight
    verdict = judge(reply, about)
    settlement = settled_by_reply(attempt, reply, verdict, now)
    again = verdict.outcome is Outcome.UNUSABLE and may_ask_again
    conclusion = None
    if not again:
        summary = summary_row(attempt, reply, verdict, rehearsal=run.settings.rehearsal, now=now)
        conclusion = Conclusion(verdict.state, verdict.state_reason, summary=summary)
    await _settle(run, attempt, settlement, conclusion)
    run.heard(None)
    return not again


async def _settle(run: Run, attempt: Attempt, settlement: Settlement, conclusion: Conclusion | None) -> None:
    used = await settle(run, settlement, attempt.call.insight.id, conclusion)
    run.billed.append(entry_of(attempt, settlement))
    if used and conclusion is not None:
        run.concluded(conclusion.state, conclusion.reason)
