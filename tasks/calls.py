"""Answer the calls of a chunk: each call asks until it has an answer, or a reason to stop asking."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from itertools import count
from uuid import uuid4

from prefect import task
from prefect.cache_policies import NO_CACHE

from core.errors import NotReady
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


@dataclass(frozen=True, slots=True)
class Booking:
    """How the attempts of a call are written down, and what becomes of their results."""

    record_sent: Callable[[Run, Attempt], Awaitable[bool]]  # False: it must not be sent
    settle_failure: Callable[[Run, Attempt, Failure, NextStep], Awaitable[None]]
    settle_reply: Callable[[Run, Attempt, Reply, bool], Awaitable[bool]]  # given and gives: ask again?


@task(
    name="answer-chunk",
    task_run_name="{chunk.sport} {chunk.tone}: {chunk.size} calls",
    cache_policy=NO_CACHE,
    persist_result=False,
)
async def answer_chunk(chunk: Chunk, run: Run) -> None:
    """Make the calls of a chunk, as many at once as the run has slots for."""
    await together(ask_until_settled(run, call, SUMMARIES) for call in chunk.calls)


async def ask_until_settled(run: Run, call: PlannedCall, booking: Booking) -> None:
    """Ask until the call's fate is settled; when the run stops, leave an insight claimed to be given back.

    Whoever waits, for a slot or for another try, waits without a slot; and whether the prefix is still
    warm is looked at when the slot is there.
    """
    lead, call_id, asks = Lead(run.warmth, call.marked_prefixes), str(uuid4()), 0
    try:
        for tries in count(1):
            async with _turn(run, lead):
                attempt = _attempt(run, call, call_id)
                if run.stopped or not await booking.record_sent(run, attempt):
                    return
                try:
                    reply = await ask(run.client, call.body(), _when_begun(lead, attempt))
                except CallFailed as failed:
                    step = next_step(failed.failure, tries, run.jitter.random())
                    await booking.settle_failure(run, attempt, failed.failure, step)
                else:
                    asks += 1
                    lead.begun(attempt.occurred_at)
                    if not await booking.settle_reply(run, attempt, reply, asks < ASKS_MAX):
                        return
                    step = Retry(0.0)
            if not isinstance(step, Retry):
                return
            await run.clock.sleep(step.after_seconds)
    except NotReady as away:
        if away is not run.failure:
            raise
        # The flow raises it at the end: cancelling the others now would lose answers that are paid for.
    finally:
        lead.give_up()


@asynccontextmanager
async def _turn(run: Run, lead: Lead) -> AsyncIterator[None]:
    """Hold a slot, with the prefix warm or ours to write."""
    while True:
        await lead.take(run.clock)
        async with run.slots:
            if lead.is_ready(run.clock):
                yield
                return


def _attempt(run: Run, call: PlannedCall, call_id: str) -> Attempt:
    now = run.clock.now()
    return Attempt(str(uuid4()), call_id, call, now, price_of(call.predicted, model=call.model, at=now))


def _when_begun(lead: Lead, attempt: Attempt) -> Callable[[], None] | None:
    """Only a leader must know when its answer begins: its followers wait for that."""
    return partial(lead.begun, attempt.occurred_at) if lead.leading else None


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


async def _settle_reply(run: Run, attempt: Attempt, reply: Reply, may_ask_again: bool) -> bool:
    """Settle an answered attempt; True when its call should be asked again."""
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
    return again


async def _settle(run: Run, attempt: Attempt, settlement: Settlement, conclusion: Conclusion | None) -> None:
    insight_id = attempt.call.insight.id
    effect = await settle(run, settlement, insight_id, conclusion)
    run.billed.append(entry_of(attempt, settlement))
    if effect is None:
        return
    if effect.state is InsightState.DEFERRED:
        run.deferred_one(insight_id, str(effect.reason))
    else:
        run.concluded(effect.state, effect.reason)


SUMMARIES = Booking(record_sent, _settle_failure, _settle_reply)
