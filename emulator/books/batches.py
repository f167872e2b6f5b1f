"""Message batches and their items: from `create` to the last result, at the times the clock will reach.

Source: the guide and reference of Message Batches. When an item's turn comes is known from the start: all
items of a batch start together, `--batch-delay-seconds` after its creation, or in waves (`--batch-wave`).
Nothing runs in the background: whoever looks first lets the items work whose turn has come
(`emulator.work.settle`), each at its own time, so that the outcome does not depend on who looks, or when.
"""

import json
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from random import Random
from typing import Any, NamedTuple

from emulator.books.store import Store, micros, moment
from emulator.clock import rfc3339
from emulator.errors import ApiError, invalid, not_found
from emulator.request.shapes import BatchItem
from emulator.settings import Settings

EXPIRES_AFTER = timedelta(hours=24)
RESULTS_KEPT_FOR = timedelta(days=29)
# How long a batch is `canceling` when nothing of it was being worked on: not documented, ours.
CANCELING_FOR = timedelta(seconds=10)
RESULT_LINES_AT_ONCE = 200


class DueItem(NamedTuple):
    """An item whose turn has come."""

    batch: int
    batch_id: str
    workspace: str
    position: int
    custom_id: str
    starts_at: datetime
    expires_at: datetime
    params: str


@dataclass(frozen=True)
class Batch:
    """One batch as it stands at `now`."""

    number: int
    id: str
    workspace: str
    created_at: datetime
    expires_at: datetime
    cancel_initiated_at: datetime | None
    ends_at: datetime
    queued: int
    archived: bool
    now: datetime

    @property
    def ended(self) -> bool:
        return self.queued == 0 and self.ends_at <= self.now

    def as_json(self, counts: dict[str, int], base_url: str) -> dict[str, Any]:
        """The API's object; every count but `processing` is 0 until the end."""
        total = sum(counts.values())
        processing = {"processing": total, "succeeded": 0, "errored": 0, "canceled": 0, "expired": 0}
        open_ = "canceling" if self.cancel_initiated_at else "in_progress"
        readable = self.ended and not self.archived
        return {
            "id": self.id,
            "type": "message_batch",
            "processing_status": "ended" if self.ended else open_,
            "request_counts": {**processing, "processing": 0, **counts} if self.ended else processing,
            "created_at": rfc3339(self.created_at),
            "expires_at": rfc3339(self.expires_at),
            "ended_at": rfc3339(self.ends_at) if self.ended else None,
            "cancel_initiated_at": rfc3339(self.cancel_initiated_at) if self.cancel_initiated_at else None,
            "archived_at": rfc3339(self.created_at + RESULTS_KEPT_FOR) if self.archived else None,
            "results_url": f"{base_url}/v1/messages/batches/{self.id}/results" if readable else None,
        }


class BatchBook:
    """All batches; each belongs to a workspace, and only that one sees it."""

    def __init__(self, store: Store, settings: Settings) -> None:
        self._store = store
        self._settings = settings

    def create(self, id_: str, workspace: str, items: Sequence[BatchItem], now: datetime) -> None:
        """Take a batch in, or refuse it with a 400 or, when the queue is full, a 429."""
        if len({item.custom_id for item in items}) < len(items):
            raise invalid("requests: custom_id must be unique within the batch")
        limit = self._settings.batch_queue
        (waiting,) = self._store.one("SELECT coalesce(sum(queued), 0) FROM batch")
        if self._settings.tier != "unlimited" and waiting + len(items) > limit:
            raise self._queue_is_full(limit, now)
        places = list(range(len(items)))
        Random(f"{self._settings.seed} {len(items)}").shuffle(places)
        with self._store.transaction():
            times = [micros(now), micros(now + EXPIRES_AFTER), micros(now)]
            number = self._store.run(CREATE, id_, workspace, *times, len(items)).lastrowid
            # One by one: a batch may have 256 MB.
            rows = (
                (number, i, item.custom_id, places[i], micros(self._turn(i, now)), json.dumps(item.params))
                for i, item in enumerate(items)
            )
            self._store.run_many(CREATE_ITEM, rows)

    def _queue_is_full(self, limit: int, now: datetime) -> ApiError:
        (turn,) = self._store.one("SELECT min(starts_at) FROM batch_item WHERE state = 'queued'")
        wait = math.ceil((moment(turn) - now).total_seconds()) if turn is not None else 0
        return ApiError(
            "rate_limit_error",
            f"This request would exceed your organization's limit of {limit:,} batch requests in the "
            "processing queue.",
            retry_after_seconds=max(1, wait),
        )

    def get(self, id_: str, workspace: str, now: datetime) -> Batch:
        """The batch by this id, if this workspace has it."""
        row = self._store.one(f"{SELECT} WHERE id = ? AND workspace = ?", id_, workspace)
        if row is None:
            raise not_found(f"Message Batch `{id_}` not found")
        return _batch(row, now)

    def page(
        self, workspace: str, *, limit: int, after: int | None, before: int | None, now: datetime
    ) -> tuple[list[Batch], bool]:
        """Newest first: those behind `after`, or those just ahead of `before`; and whether there are more."""
        if before is not None:
            rows = self._store.run(PAGE_BEFORE, workspace, before, limit + 1).fetchall()
            page = rows[:limit][::-1]
        else:
            rows = self._store.run(PAGE_AFTER, workspace, after, after, limit + 1).fetchall()
            page = rows[:limit]
        return [_batch(row, now) for row in page], len(rows) > limit

    def counts(self, batch: Batch) -> dict[str, int]:
        """How many items ended in which state; what has not ended counts as `processing`."""
        rows = self._store.run(
            "SELECT state, count(*) FROM batch_item WHERE batch = ? GROUP BY 1", batch.number
        )
        return {"processing" if state == "queued" else state: count for state, count in rows}

    def cancel(self, batch: Batch) -> None:
        """Stop what has not started; what has will finish. Called again it changes nothing."""
        if batch.ended:
            raise invalid(f"Message Batch `{batch.id}` has ended and can no longer be canceled")
        if batch.cancel_initiated_at:
            return
        with self._store.transaction():
            self._store.run(CANCEL_ITEMS, json.dumps({"type": "canceled"}), batch.number)
            now, until = micros(batch.now), micros(batch.now + CANCELING_FOR)
            self._store.run(CANCEL, now, until, batch.number)

    def delete(self, batch: Batch) -> None:
        """Forget a batch that has ended."""
        if not batch.ended:
            raise invalid(f"Message Batch `{batch.id}` is still processing; cancel it before deleting it")
        with self._store.transaction():
            self._store.run("DELETE FROM batch_item WHERE batch = ?", batch.number)
            self._store.run("DELETE FROM batch WHERE number = ?", batch.number)

    def results(self, batch: Batch) -> Iterator[bytes]:
        """The results as JSON Lines, in no order that means anything, some lines at a time."""
        place = -1
        while rows := self._store.run(RESULTS, batch.number, place, RESULT_LINES_AT_ONCE).fetchall():
            place = rows[-1][0]
            lines = (
                f'{{"custom_id":{json.dumps(custom)},"result":{result}}}\n' for _, custom, result in rows
            )
            yield "".join(lines).encode()

    def due(self, now: datetime, limit: int) -> list[DueItem]:
        """The next items whose turn has come by `now`, in the order of their turns."""
        rows = self._store.run(DUE, micros(now), limit).fetchall()
        return [DueItem._make((*row[:5], moment(row[5]), moment(row[6]), row[7])) for row in rows]

    def finish(self, item: DueItem, result: dict[str, Any], ends_at: datetime) -> None:
        """Keep an item's result; `result["type"]` is the state that it ends in."""
        text = json.dumps(result, separators=(",", ":"), ensure_ascii=False)
        self._store.run(FINISH_ITEM, result["type"], text, item.batch, item.position)
        self._store.run(FINISH, micros(min(ends_at, item.expires_at)), item.batch)

    def archive(self, now: datetime) -> None:
        """Let go of results that are older than the API keeps them."""
        old = micros(now - RESULTS_KEPT_FOR)
        with self._store.transaction():
            self._store.run(ARCHIVE_ITEMS, old)
            self._store.run("UPDATE batch SET archived = 1 WHERE created_at <= ? AND queued = 0", old)

    def _turn(self, position: int, created_at: datetime) -> datetime:
        """When an item starts, or when it expires instead."""
        settings = self._settings
        wave = position // settings.batch_wave if settings.batch_wave else 0
        wait = settings.batch_delay_seconds + wave * settings.batch_wave_seconds
        return created_at + min(timedelta(seconds=wait), EXPIRES_AFTER)


def _batch(row: Sequence[Any], now: datetime) -> Batch:
    number, id_, workspace, created, expires, canceled, ends, queued, archived = row
    cancel_at = None if canceled is None else moment(canceled)
    times = (moment(created), moment(expires), cancel_at, moment(ends))
    return Batch(number, id_, workspace, *times, queued, bool(archived), now)


SELECT = """
    SELECT number, id, workspace, created_at, expires_at, cancel_initiated_at, ends_at, queued, archived
    FROM batch
"""
CREATE = """
    INSERT INTO batch (id, workspace, created_at, expires_at, ends_at, queued) VALUES (?, ?, ?, ?, ?, ?)
"""
CREATE_ITEM = """
    INSERT INTO batch_item (batch, position, custom_id, place, starts_at, params) VALUES (?, ?, ?, ?, ?, ?)
"""
PAGE_AFTER = f"{SELECT} WHERE workspace = ? AND (? IS NULL OR number < ?) ORDER BY number DESC LIMIT ?"
PAGE_BEFORE = f"{SELECT} WHERE workspace = ? AND number > ? ORDER BY number LIMIT ?"
CANCEL_ITEMS = """
    UPDATE batch_item SET state = 'canceled', params = NULL, result = ? WHERE batch = ? AND state = 'queued'
"""
CANCEL = "UPDATE batch SET cancel_initiated_at = ?, queued = 0, ends_at = max(ends_at, ?) WHERE number = ?"
RESULTS = """
    SELECT place, custom_id, result FROM batch_item WHERE batch = ? AND place > ? ORDER BY place LIMIT ?
"""
DUE = """
    SELECT batch.number, batch.id, batch.workspace, position, custom_id, starts_at, batch.expires_at, params
    FROM batch_item JOIN batch ON batch.number = batch_item.batch
    WHERE state = 'queued' AND starts_at <= ? ORDER BY starts_at, batch, position LIMIT ?
"""
FINISH_ITEM = "UPDATE batch_item SET state = ?, params = NULL, result = ? WHERE batch = ? AND position = ?"
FINISH = "UPDATE batch SET queued = queued - 1, ends_at = max(ends_at, ?) WHERE number = ?"
ARCHIVE_ITEMS = """
    UPDATE batch_item SET result = NULL
    WHERE batch IN (SELECT number FROM batch WHERE created_at <= ? AND queued = 0 AND archived = 0)
"""
