"""Send a message batch: written down with all its items, then created, so that nothing of it can be lost."""

import json
import logging
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from uuid import uuid4

from sqlalchemy.ext.asyncio import AsyncConnection

from core.batches import BYTES_MAX, REQUESTS_MAX, prefixes_of
from core.calls import Chunk, PlannedCall
from core.club import Club
from core.pricing import price_of
from core.retry import RATE_LIMIT, Defer, Failure, NextStep, Retry, Stop, next_step
from core.settlement import Attempt
from core.states import BatchKind, BatchState, InsightState, Outcome
from core.tally import depth_marked
from models import insight
from models.message_batch import QUERIES
from tasks.batch_api import CREATE_SECONDS, create_batch
from tasks.claude import CallFailed
from tasks.clock import new_id
from tasks.insights import lease_end
from tasks.ledger import sent_row
from tasks.logs import about
from tasks.run import Run

HEARD_WITHIN = timedelta(seconds=CREATE_SECONDS + 60)  # of a create call, else its sender is dead
TURNED_AWAY = frozenset({429, 503, 529})  # these say that nothing was created; other 5xx do not

logger = logging.getLogger("touchline.batches")


@dataclass(slots=True)
class _Load:
    calls: list[PlannedCall] = field(default_factory=list)
    size: int = 0  # in bytes, about


class Outbox:
    """Calls that wait to be sent in main batches: those that are due at the same time together."""

    def __init__(self, run: Run, clubs: Collection[Club], bytes_max: int = BYTES_MAX) -> None:
        self._run = run
        self._began_at = self._held_at = run.clock.now()
        self._clubs = {club.organization_id: club for club in clubs}
        self._loads: dict[datetime, _Load] = {}
        self._bytes_max = bytes_max
        self.sent: list[str] = []  # ids of batches

    async def add(self, call: PlannedCall) -> None:
        """Take a call; a batch that is full goes out."""
        club, size = self._clubs[call.about.organization_id], len(json.dumps(call.body()))
        due_at = club.due_after(self._began_at)
        load = self._loads.setdefault(due_at, _Load())
        if load.calls and (load.size + size > self._bytes_max or len(load.calls) >= REQUESTS_MAX):
            await self._send(due_at)
            load = self._loads.setdefault(due_at, _Load())
        load.calls.append(call)
        load.size += size

    async def add_all(self, chunks: Iterable[Chunk]) -> None:
        """Take the calls of these chunks."""
        await self._hold()
        for call in (call for chunk in chunks for call in chunk.calls):
            await self.add(call)

    async def _hold(self) -> None:
        """Prolong the claims of what waits here; what is no longer ours is left out when it is sent."""
        run = self._run
        if run.clock.now() - self._held_at < timedelta(seconds=run.settings.lease_seconds / 4):
            return
        self._held_at = run.clock.now()
        waiting = [one.id for load in self._loads.values() for call in load.calls for one in call.insights]
        holding = {"insight_ids": waiting, "holder": run.holder, "lease_until": lease_end(run)}

        async def hold(connection: AsyncConnection) -> None:
            await connection.execute(insight.QUERIES["hold"], holding)

        await run.commit(hold)

    async def send_all(self) -> None:
        """Send what waits; after a stop it stays claimed, to be given back."""
        for due_at in sorted(self._loads):
            await self._send(due_at)

    async def _send(self, due_at: datetime) -> None:
        load = self._loads.pop(due_at)
        if not self._run.stopped and (
            batch_id := await send_batch(self._run, load.calls, BatchKind.MAIN, due_at=due_at)
        ):
            self.sent.append(batch_id)


async def send_batch(
    run: Run, calls: Sequence[PlannedCall], kind: BatchKind, *, due_at: datetime, stage: int = 0
) -> str | None:
    """Write a batch down and have it created; gives its id.

    None when the API has turned it away, or nothing of it was still ours: then none of it waits. Whether the
    API has it may stay unknown: then `tasks.unheard` finds out.
    """
    batch_id = str(uuid4())
    attempts = await _record(run, batch_id, [_attempt(run, call) for call in calls], kind, due_at, stage)
    if not attempts:
        return None
    with about(batch_id=batch_id):
        return batch_id if await _create(run, batch_id, attempts) else None


def _attempt(run: Run, call: PlannedCall) -> Attempt:
    now = run.clock.now()
    estimate = price_of(call.predicted, model=call.model, at=now, service_tier=call.service_tier)
    return Attempt(new_id(now), new_id(now), call, now, estimate)


async def _record(
    run: Run, batch_id: str, attempts: Sequence[Attempt], kind: BatchKind, due_at: datetime, stage: int
) -> list[Attempt]:
    """Commit batch, items and attempts, and give the insights into it; what is not ours is left out."""
    asked = [one.id for attempt in attempts for one in attempt.call.insights]

    async def record(connection: AsyncConnection) -> list[Attempt]:
        ours = {"insight_ids": asked, "holder": run.holder}
        rows = (await connection.execute(insight.QUERIES["put_in_batch"], ours)).all()
        coaches = {row.id: row.coach_id for row in rows}
        kept, left = list[Attempt](), set(coaches)
        for attempt in attempts:  # one that was released and claimed again may be in two of them
            if ours_of_it := left & {one.id for one in attempt.call.insights}:
                kept.append(attempt.about(attempt.call.only(ours_of_it)))
                left -= ours_of_it
        if not kept:
            return []
        batch = _batch_row(run, batch_id, kept, kind, due_at, stage)
        await connection.execute(QUERIES["record"], batch)
        ledger = [
            sent_row(run, attempt) | {"batch_id": batch_id, "coach_id": coaches[attempt.call.insights[0].id]}
            for attempt in kept
        ]
        items = [_item_row(batch_id, attempt) for attempt in kept]
        await connection.execute(QUERIES["record_attempts"], {"attempts": json.dumps(ledger, default=str)})
        await connection.execute(QUERIES["record_items"], {"items": json.dumps(items)})
        return kept

    return await run.commit(record)


def _batch_row(
    run: Run, batch_id: str, attempts: Sequence[Attempt], kind: BatchKind, due_at: datetime, stage: int
) -> dict[str, Any]:
    now = run.clock.now()
    return {
        "batch_id": batch_id,
        "run_id": run.run_id,
        "account": run.settings.account,
        "model": run.model,
        "kind": kind,
        "stage": stage,
        "requests": len(attempts),
        "prefixes": json.dumps(prefixes_of(attempt.call for attempt in attempts)),
        "created_at": now,
        "sent_until": now + HEARD_WITHIN,
        "due_at": due_at,
    }


def _item_row(batch_id: str, attempt: Attempt) -> dict[str, Any]:
    call, predicted = attempt.call, attempt.call.predicted
    return {
        "attempt_id": attempt.attempt_id,
        "batch_id": batch_id,
        "insight_ids": [one.id for one in call.insights],
        "packed": call.packed,
        "prefix_key": call.prefixes[call.shared - 1].key,
        "marked": depth_marked(call),
        "front_tokens": call.prefixes[-1].tokens,
        "predicted_input_tokens": predicted.input_tokens,
        "predicted_read_tokens": predicted.cache_read_tokens,
        "predicted_write_tokens": predicted.cache_write_1h_tokens,
        "predicted_output_tokens": predicted.output_tokens,
    }


async def _create(run: Run, batch_id: str, attempts: Sequence[Attempt]) -> bool:
    """Have the API create it; False when it was turned away for good."""
    requests = [{"custom_id": attempt.attempt_id, "params": attempt.call.body()} for attempt in attempts]
    tries = 0
    while await _still_ours_to_send(run, batch_id):
        tries += 1
        try:
            made = await create_batch(run.client, requests)
        except CallFailed as failed:
            if not surely_not_created(failed.failure):
                logger.warning("whether batch %s was created is not known (%s)", batch_id, failed)
                await _tell(run, "still_sending", batch_id, sent_until=run.clock.now())
                return True
            step = next_step(failed.failure, tries, run.jitter.random())
            if not isinstance(step, Retry):
                await _turned_away(run, batch_id, failed.failure, step)
                return False
            await run.clock.sleep(step.after_seconds)
            continue
        await _tell(run, "opened", batch_id, vendor_id=made.id, opened_at=run.clock.now())
        logger.info("batch created: %d requests", len(attempts))
        return True
    return False


async def _still_ours_to_send(run: Run, batch_id: str) -> bool:
    """Say whether nobody has given the batch up for never created, and claim the time that a try may take."""
    sending = {"batch_id": batch_id, "sent_until": run.clock.now() + HEARD_WITHIN}

    async def prove(connection: AsyncConnection) -> bool:
        return (await connection.execute(QUERIES["still_sending"], sending)).rowcount > 0

    return await run.commit(prove)


def surely_not_created(failure: Failure) -> bool:
    """Say whether the API's word, or its silence, means that no batch came to be."""
    if failure.status is None:
        return failure.error_type == "not_connected"
    wrong = 400 <= failure.status < 500 and failure.status not in {408, 409}
    return wrong or failure.status in TURNED_AWAY


async def _turned_away(run: Run, batch_id: str, failure: Failure, step: NextStep) -> None:
    """End a batch that the API does not take, and the run with it: the next batch would fare no better."""
    if isinstance(step, Defer):
        run.stopped = run.stopped or Stop(step.cause, step.after_seconds, is_limit=step.cause == RATE_LIMIT)
    else:
        run.stopped = run.stopped or (
            step if isinstance(step, Stop) else Stop(failure.error_type, after_seconds=None)
        )
    reason = failure.error_code or failure.error_type
    await close_without_results(run, batch_id, BatchState.REFUSED, Outcome.REJECTED, reason, run.stopped)


async def close_without_results(
    run: Run, batch_id: str, state: BatchState, outcome: Outcome, reason: str, stop: Stop | None = None
) -> None:
    """Close a batch that will have no results (any more), and let its insights go.

    They go back to pending with the reason, or with a limit or an outage as the stop are deferred.
    """
    now, after = run.clock.now(), stop.after_seconds if stop else None
    ending = {
        "batch_id": batch_id,
        "now": now,
        "outcome": outcome,
        "outcome_reason": reason,
        "state": InsightState.PENDING if after is None else InsightState.DEFERRED,
        "state_reason": stop.cause if stop and after is not None else reason,
        "not_before": None if after is None else now + timedelta(seconds=after),
        "missed_due": False,
        "unusable": int(outcome is Outcome.LOST),
    }

    async def close(connection: AsyncConnection) -> None:
        await connection.execute(QUERIES["end_unsettled"], ending)
        closing = {"batch_id": batch_id, "state": state, "ended_at": None, "now": now}
        await connection.execute(QUERIES["closed"], closing)

    await run.commit(close)


async def _tell(run: Run, query: str, batch_id: str, **values: Any) -> None:
    async def write(connection: AsyncConnection) -> None:
        await connection.execute(QUERIES[query], {"batch_id": batch_id, **values})

    await run.commit(write)
