"""`/v1/messages/batches`: create, retrieve, list, cancel, delete, results."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse

from emulator.api.guard import body_of, emulator_of
from emulator.api.paging import check_names, cursors, listing
from emulator.books.batches import Batch
from emulator.errors import not_found
from emulator.identity import new_id
from emulator.request import shapes
from emulator.work import settle

BATCH_BYTES_MAX = 256 * 1024 * 1024


async def create_batch(http: Request) -> Response:
    """Take a batch in; its requests are looked at later, one by one."""
    emulator = emulator_of(http)
    body = await body_of(http, BATCH_BYTES_MAX)
    # Up to 256 MB of JSON: in a thread, so that others wait for the interpreter only now and then.
    asked = await asyncio.to_thread(shapes.parse, shapes.BatchRequest, body)
    await settle(emulator)
    id_ = new_id("msgbatch")
    emulator.batches.create(id_, http.state.workspace, asked.requests, emulator.clock.now())
    return JSONResponse(_shown(http, _batch(http, id_)))


async def retrieve_batch(http: Request) -> Response:
    await settle(emulator_of(http))
    return JSONResponse(_shown(http, _asked_for(http)))


async def list_batches(http: Request) -> Response:
    """Newest first."""
    check_names(http, ("limit", "after_id", "before_id"))
    limit, after, before = cursors(http)
    emulator = emulator_of(http)
    await settle(emulator)
    batches, has_more = emulator.batches.page(
        http.state.workspace,
        limit=limit,
        after=None if after is None else _batch(http, after).number,
        before=None if before is None else _batch(http, before).number,
        now=emulator.clock.now(),
    )
    return JSONResponse(listing([_shown(http, batch) for batch in batches], has_more))


async def cancel_batch(http: Request) -> Response:
    emulator = emulator_of(http)
    await settle(emulator)
    batch = _asked_for(http)
    emulator.batches.cancel(batch)
    return JSONResponse(_shown(http, _batch(http, batch.id)))


async def delete_batch(http: Request) -> Response:
    emulator = emulator_of(http)
    await settle(emulator)
    batch = _asked_for(http)
    emulator.batches.delete(batch)
    return JSONResponse({"id": batch.id, "type": "message_batch_deleted"})


async def batch_results(http: Request) -> Response:
    """The results as JSON Lines, once the batch has ended and while they are kept."""
    emulator = emulator_of(http)
    await settle(emulator)
    batch = _asked_for(http)
    if not batch.ended:
        raise not_found(f"Message Batch `{batch.id}` has no results yet: it is still processing")
    if batch.archived:
        raise not_found(f"Message Batch `{batch.id}` has no results any more: they are kept for 29 days")

    async def lines() -> AsyncIterator[bytes]:
        for some in emulator.batches.results(batch):
            yield some

    return StreamingResponse(lines(), media_type="application/x-jsonl")


def _asked_for(http: Request) -> Batch:
    return _batch(http, http.path_params["batch_id"])


def _batch(http: Request, id_: str) -> Batch:
    emulator = emulator_of(http)
    return emulator.batches.get(id_, http.state.workspace, emulator.clock.now())


def _shown(http: Request, batch: Batch) -> dict[str, Any]:
    base_url = str(http.base_url).rstrip("/")
    return batch.as_json(emulator_of(http).batches.counts(batch), base_url)
