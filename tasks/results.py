"""One result of a batch: what it settles, and what becomes of the insights that it is about."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

from sqlalchemy.ext.asyncio import AsyncConnection

from core.batches import (
    NOT_ANSWERED,
    After,
    BatchedAttempt,
    BatchedInsight,
    after_answer,
    after_error,
    after_unreadable,
    all_after,
    errored,
)
from core.retry import NextStep, Park, Stop, next_step
from core.roster import Roster
from core.settlement import Settlement, settled_by_failure, settled_by_reply, settled_without_answer
from core.states import InsightState, Outcome, Tone
from core.verdict import Reply, judge
from models.message_batch import QUERIES
from tasks.claude import CallFailed, reply_of
from tasks.ledger import Conclusion, Conclusions
from tasks.lengths import ANSWER
from tasks.run import Run
from tasks.summaries import summary_row

UNREADABLE = "result_unreadable"


@dataclass(frozen=True, slots=True)
class Read:
    """A result that was read: the attempt's settlement, and the conclusions that take effect."""

    attempt: BatchedAttempt
    settlement: Settlement
    effects: Conclusions
    step: NextStep | None = None  # what an error means for the run; None: it was answered

    @property
    def answered(self) -> bool:
        """Whether there was an answer, of whatever worth."""
        return self.settlement.usage.total_input_tokens > 0

    def tell(self, run: Run, *, claimed_by_us: bool) -> None:
        """Count what became of it, once committed; what we may claim again is not counted as claimed."""
        for effect in self.effects.values():
            run.concluded(effect.state, effect.reason)
            if claimed_by_us and effect.state is InsightState.PENDING:
                run.claimed -= 1
        if self.answered or isinstance(self.step, Park | Stop):
            run.heard(self.step, self.attempt.player_id)
        if self.settlement.outcome is Outcome.SUCCEEDED:
            insights = self.attempt.insights
            run.lessons.add(ANSWER + insights[0].tone, len(insights), self.settlement.usage.output_tokens)


async def attempts_to_settle(
    connection: AsyncConnection, batch_id: str, attempt_ids: Collection[str]
) -> list[BatchedAttempt]:
    """Return those of these items that are not settled yet, held until the transaction ends."""
    asked = {"batch_id": batch_id, "attempt_ids": list(attempt_ids)}
    rows = (await connection.execute(QUERIES["to_settle"], asked)).all()
    insight_ids = [insight_id for row in rows for insight_id in row.insight_ids]
    found = await connection.execute(QUERIES["insights_to_settle"], {"insight_ids": insight_ids})
    facts = {row.id: row for row in found}
    return [
        BatchedAttempt(
            attempt_id=row.attempt_id,
            occurred_at=row.occurred_at,
            model=row.model,
            price_version=row.price_version,
            prompt_version=row.prompt_version,
            packed=row.packed,
            organization_id=row.organization_id,
            player_id=row.player_id,
            insights=tuple(
                BatchedInsight(tone=Tone(row.tone), **facts[insight_id]._mapping)
                for insight_id in row.insight_ids
            ),
        )
        for row in rows
    ]


class _Heard(NamedTuple):
    """What a result says, before it is known which insights still wait for it."""

    settlement: Settlement
    after: Mapping[str, After]
    reply: Reply | None = None
    step: NextStep | None = None


def read_result(run: Run, attempt: BatchedAttempt, result: Any, roster: Roster, *, late: bool) -> Read:
    """Read a result. `late`: its batch was cancelled because it was due."""
    heard = _hear(run, attempt, result, roster)
    if late:
        after = {
            one: how._replace(missed_due=True) if how.state is InsightState.PENDING else how
            for one, how in heard.after.items()
        }
        heard = heard._replace(after=after)
    return _read(run, attempt, heard)


def unreadable_result(run: Run, attempt: BatchedAttempt) -> Read:
    """Give up on a result: nobody knows what it cost, and its insights are asked about alone, or parked."""
    return _read(run, attempt, _unreadable(run, attempt))


def _read(run: Run, attempt: BatchedAttempt, heard: _Heard) -> Read:
    waiting = {insight.id for insight in attempt.insights if insight.waiting}
    effects = {
        insight_id: _conclusion(run, attempt, one, heard.reply)
        for insight_id, one in heard.after.items()
        if insight_id in waiting
    }
    settlement = heard.settlement if effects else heard.settlement.unused("claim_lost")
    return Read(attempt, settlement, effects, heard.step)


def _hear(run: Run, attempt: BatchedAttempt, result: Any, roster: Roster) -> _Heard:
    now, kind = run.clock.now(), str(_mapping(result).get("type"))
    if kind == "succeeded":
        try:
            reply = reply_of(result.get("message"))
        except CallFailed as unreadable:
            failure = unreadable.failure
            return _Heard(settled_by_failure(attempt, failure, now), after_error(attempt, failure))
        judged = judge(reply, attempt, roster)
        return _Heard(settled_by_reply(attempt, reply, judged, now), after_answer(attempt, judged), reply)
    if kind == "errored":
        failure = errored(*_error_of(result))
        step = next_step(failure, 1, 0.0)
        return _Heard(settled_by_failure(attempt, failure, now), after_error(attempt, failure), step=step)
    if kind not in NOT_ANSWERED:
        return _unreadable(run, attempt)
    outcome, reason = NOT_ANSWERED[kind]
    after = After(InsightState.PENDING, reason, missed_due=outcome is Outcome.EXPIRED)
    settlement = settled_without_answer(attempt, outcome, reason, now)
    return _Heard(settlement, all_after(attempt, after))


def _unreadable(run: Run, attempt: BatchedAttempt) -> _Heard:
    lost = settled_without_answer(attempt, Outcome.LOST, UNREADABLE, run.clock.now())
    return _Heard(lost, after_unreadable(attempt, UNREADABLE))


def _error_of(result: Mapping[str, Any]) -> tuple[str, str | None, str | None]:
    """Return type, request id and code of an errored item's error; its message may quote the request."""
    body = _mapping(result.get("error"))
    error = _mapping(body.get("error"))
    told = error.get("type"), body.get("request_id"), _mapping(error.get("details")).get("error_code")
    kind, request_id, code = (one if isinstance(one, str) else None for one in told)
    return kind or "unknown_error", request_id, code


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}


def _conclusion(run: Run, attempt: BatchedAttempt, after: After, reply: Reply | None) -> Conclusion:
    row = None
    if after.verdict is not None and reply is not None:
        row = summary_row(
            attempt, reply, after.verdict, rehearsal=run.settings.rehearsal, now=run.clock.now()
        )
    return Conclusion(
        after.state,
        after.reason,
        summary=row,
        from_batch=True,
        missed_due=after.missed_due,
        unusable=after.unusable,
    )
