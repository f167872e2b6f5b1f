"""Answer the calls of a chunk: each call asks until it has an answer, or a reason to stop asking."""

import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta

from prefect import task
from prefect.cache_policies import NO_CACHE
from tenacity import AsyncRetrying, RetryCallState, retry_if_exception_type

from core.calls import Chunk, PlannedCall
from core.errors import NotReady, Transient
from core.pricing import price_of
from core.retry import Defer, Failure, NextStep, Park, Retry, next_step, outcome_of
from core.settlement import Attempt, Settlement, entry_of, settled_by_failure, settled_by_reply
from core.states import InsightState, Outcome
from core.verdict import Reply, Verdict, judge
from tasks.claude import CallFailed, ask
from tasks.clock import new_id
from tasks.ledger import Conclusion, Conclusions, record_sent, settle
from tasks.logs import about
from tasks.run import Run
from tasks.summaries import summary_row
from tasks.together import together
from tasks.warmth import Lead

ASKS_MAX = 2  # an insight without a usable answer is asked about once more, then parked

Ids = tuple[str, ...]

logger = logging.getLogger("touchline.calls")


@dataclass(frozen=True, slots=True)
class Booking:
    """How the attempts of a call are written down, and what becomes of their results.

    `record_sent` gives the insights that may be asked about; `settle_failure` and `settle_reply` are told
    whether insights may be asked about again, and give those that should be.
    """

    record_sent: Callable[[Run, Attempt], Awaitable[Ids]]
    settle_failure: Callable[[Run, Attempt, Failure, NextStep], Awaitable[Ids]]
    settle_reply: Callable[[Run, Attempt, Reply, bool], Awaitable[Ids]]


class AskAgain(Transient):
    """The call is to be made again after so many seconds."""

    def __init__(self, after_seconds: float) -> None:
        super().__init__(f"again after {after_seconds} s")
        self.after_seconds = after_seconds


@task(
    name="answer-chunk",
    task_run_name="{chunk.sport} {chunk.tone}: {chunk.size} calls",
    cache_policy=NO_CACHE,
    persist_result=False,
)
async def answer_chunk(chunk: Chunk, run: Run) -> None:
    """Make the calls of a chunk, as many at once as the run has slots for."""
    await together(
        ask_until_settled(run, call, SUMMARIES, call.about.unusable_answers) for call in chunk.calls
    )


async def ask_until_settled(run: Run, call: PlannedCall, booking: Booking, asked: int = 0) -> None:
    """Ask until the fate of every insight is settled; when the run stops, they stay claimed to be given back.

    What of a pack gets no usable answer is asked about singly. `asked` counts the answers before.
    """
    try:
        again = await _Asking(run, call, booking, asked).until_settled()
    except NotReady as away:
        if away is not run.failure:
            raise
        # The flow raises it at the end: cancelling the others now would lose answers that are paid for.
        return
    await run.progress.tell()
    for insight_id in again:
        await ask_until_settled(run, call.only({insight_id}), booking, asked + 1)


class _Asking:
    """One call, from its first attempt to its last."""

    def __init__(self, run: Run, call: PlannedCall, booking: Booking, asked: int) -> None:
        self._run = run
        self._call = call
        self._booking = booking
        self._asked = asked
        self._call_id = new_id(run.clock.now())
        self._lead = Lead(run.warmth, call.marked)
        self._tries = 0

    async def until_settled(self) -> Ids:
        """Make attempts until one ends the call; gives the insights of a pack to be asked about singly.

        Whoever waits, for a slot or for another try, waits without a slot; and whether the prefix is still
        warm is looked at when the slot is there.
        """
        retrying = AsyncRetrying(
            sleep=self._run.clock.sleep,
            wait=_as_long_as_told,
            retry=retry_if_exception_type(AskAgain),  # `next_step` says when it is enough
            reraise=True,
        )
        with about(call_id=self._call_id, organization_id=self._call.about.organization_id):
            try:
                again: Ids = await retrying(self._attempt)
            finally:
                await self._lead.give_up()
        return again

    async def _attempt(self) -> Ids:
        run, booking = self._run, self._booking
        self._tries += 1
        async with self._turn():
            attempt = self._new_attempt()
            held = () if run.stopped else await booking.record_sent(run, attempt)
            if not held:
                return ()
            if len(held) < len(self._call.insights):
                self._call = self._call.only(held)
                attempt = attempt.about(self._call)
            with about(attempt_id=attempt.attempt_id, insight_ids=held):
                return await self._ask(attempt)

    async def _ask(self, attempt: Attempt) -> Ids:
        try:
            begun = self._when_begun(attempt)
            reply = await ask(self._run.client, self._call.body(), self._headers_came, begun)
        except CallFailed as failed:
            return await self._failed(attempt, failed.failure)
        return await self._replied(attempt, reply)

    async def _failed(self, attempt: Attempt, failure: Failure) -> Ids:
        run = self._run
        step = next_step(failure, self._tries, run.jitter.random())
        if outcome_of(failure) is Outcome.REJECTED:
            run.pace.give_back(self._call.predicted)
        again = await self._booking.settle_failure(run, attempt, failure, step)
        if isinstance(step, Retry):
            if failure.status == 429 and failure.retry_after_seconds:
                await run.pace.block(failure.retry_after_seconds)  # a longer one than that is deferred
            logger.info(
                "asked again in %.1f s: %s (status %s)",
                step.after_seconds,
                failure.error_type,
                failure.status,
            )
            raise AskAgain(step.after_seconds)
        return again

    async def _replied(self, attempt: Attempt, reply: Reply) -> Ids:
        self._asked += 1
        await self._note(self._lead.begun(attempt.occurred_at))
        self._run.pace.correct(self._call.predicted, reply.usage)
        again = await self._booking.settle_reply(self._run, attempt, reply, self._asked < ASKS_MAX)
        if again and len(self._call.insights) == 1:
            raise AskAgain(0.0)
        return again

    def _when_begun(self, attempt: Attempt) -> Callable[[], Awaitable[None]] | None:
        """Only a leader must know when its answer begins: its followers wait for that."""
        if not self._lead.leading:
            return None
        return lambda: self._note(self._lead.begun(attempt.occurred_at))

    async def _headers_came(self, headers: Mapping[str, str]) -> None:
        await self._note(self._run.pace.heard(headers))

    async def _note(self, work: Awaitable[None]) -> None:
        """Tell the other workers; should the database be away, the run knows, and the answer still counts."""
        try:
            await work
        except NotReady as away:
            if away is not self._run.failure:
                raise

    @asynccontextmanager
    async def _turn(self) -> AsyncIterator[None]:
        """Hold a slot, with the prefix warm or ours to write."""
        while True:
            await self._lead.take()
            async with self._run.slots:
                await self._run.pace.wait(self._call.predicted)
                # Waiting may have outlasted the prefix, or the lease on leading it.
                if self._lead.is_ready() and await self._lead.still_leads():
                    yield
                    return
                self._run.pace.give_back(self._call.predicted)

    def _new_attempt(self) -> Attempt:
        now, call = self._run.clock.now(), self._call
        estimate = price_of(call.predicted, model=call.model, at=now, service_tier=call.service_tier)
        return Attempt(new_id(now), self._call_id, call, now, estimate, first=self._tries == 1)


def _as_long_as_told(state: RetryCallState) -> float:
    failed = state.outcome.exception() if state.outcome else None
    return failed.after_seconds if isinstance(failed, AskAgain) else 0.0


async def _settle_failure(run: Run, attempt: Attempt, failure: Failure, step: NextStep) -> Ids:
    now, call = run.clock.now(), attempt.call
    settlement = settled_by_failure(attempt, failure, now)
    conclusions: Conclusions = {}  # asked again, or given back when the run ends
    singly = isinstance(step, Park) and len(call.insights) > 1  # one of a pack may be at fault, not all
    if isinstance(step, Park) and not singly:
        conclusions = {call.about.id: Conclusion(InsightState.PARKED, step.reason)}
    elif isinstance(step, Defer):
        not_before = now + timedelta(seconds=step.after_seconds)
        deferred = Conclusion(InsightState.DEFERRED, step.cause, not_before)
        conclusions = {insight.id: deferred for insight in call.insights}
    await _settle(run, attempt, settlement, conclusions)
    run.heard(step, call.about.player_id)
    return tuple(insight.id for insight in call.insights) if singly else ()


async def _settle_reply(run: Run, attempt: Attempt, reply: Reply, may_ask_again: bool) -> Ids:
    """Settle an answered attempt; gives the insights to ask about again: those that got nothing usable."""
    now, call = run.clock.now(), attempt.call
    judged = judge(reply, call, run.rosters.kept(call.about.organization_id))
    settlement = settled_by_reply(attempt, reply, judged, now)
    refused_alone = judged.outcome is Outcome.REFUSED and len(call.insights) == 1
    again = judged.unanswered if may_ask_again and not refused_alone else ()
    conclusions = {
        verdict.insight.id: _conclusion(run, attempt, reply, verdict)
        for verdict in judged.verdicts
        if verdict.insight.id not in again
    }
    await _settle(run, attempt, settlement, conclusions)
    if judged.outcome is Outcome.SUCCEEDED:
        run.answered(call, reply.usage)
    run.heard(None, call.about.player_id)
    return again


def _conclusion(run: Run, attempt: Attempt, reply: Reply, verdict: Verdict) -> Conclusion:
    summary = summary_row(attempt, reply, verdict, rehearsal=run.settings.rehearsal, now=run.clock.now())
    return Conclusion(verdict.state, verdict.state_reason, summary=summary)


async def _settle(run: Run, attempt: Attempt, settlement: Settlement, conclusions: Conclusions) -> None:
    effects = await settle(run, settlement, conclusions)
    run.billed.add(entry_of(attempt, settlement))
    for insight_id, effect in effects.items():
        if effect.state is InsightState.DEFERRED:
            run.deferred_one(insight_id, str(effect.reason))
        else:
            run.concluded(effect.state, effect.reason)


async def _record_sent(run: Run, attempt: Attempt) -> Ids:
    """Record an attempt; the names that its answer will be screened for are read before it is sent."""
    await run.rosters.of_one(attempt.call.about.organization_id)
    return await record_sent(run, attempt)


SUMMARIES = Booking(_record_sent, _settle_failure, _settle_reply)
