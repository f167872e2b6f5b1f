"""The API's Message Batches, through the official SDK: each answer reduced to what decides."""

import asyncio
import json
import logging
from collections.abc import AsyncGenerator, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import anthropic
import httpx2
from anthropic import AsyncAnthropic
from anthropic.types.messages import MessageBatch

from core.retry import Failure
from tasks.claude import CallFailed, failure_of

CREATE_SECONDS = 600.0  # for one create call: it may have to carry tens of megabytes
RESULTS_SECONDS = 600.0  # without a byte of the results
LISTED_AT_ONCE = 100

logger = logging.getLogger("touchline.batches")


@dataclass(frozen=True, slots=True)
class VendorBatch:
    """A batch as the API shows it."""

    id: str
    created_at: datetime
    ended_at: datetime | None  # None: not yet
    requests: int
    readable: bool  # its results can be had
    canceled: bool  # somebody has asked to end it


async def create_batch(client: AsyncAnthropic, requests: Sequence[Mapping[str, Any]]) -> VendorBatch:
    """Create a batch of `{custom_id, params}`. Raises CallFailed when the API does not say that it did."""
    asked: Any = requests
    with _reduced():
        async with asyncio.timeout(CREATE_SECONDS):  # in all; the SDK's is for each read and write
            return _seen(await client.messages.batches.create(requests=asked, timeout=CREATE_SECONDS))


async def look_at_batch(client: AsyncAnthropic, vendor_id: str) -> VendorBatch:
    """Return a batch as it is now. Raises CallFailed."""
    with _reduced():
        return _seen(await client.messages.batches.retrieve(vendor_id))


async def cancel_batch(client: AsyncAnthropic, vendor_id: str) -> None:
    """Ask the API to end a batch; what of it has begun may still be answered. Raises CallFailed."""
    with _reduced():
        await client.messages.batches.cancel(vendor_id)


async def batches_since(client: AsyncAnthropic, moment: datetime) -> list[VendorBatch]:
    """Return the workspace's batches that were created since then, newest first. Raises CallFailed."""
    found: list[VendorBatch] = []
    with _reduced():
        async for batch in client.messages.batches.list(limit=LISTED_AT_ONCE):
            if batch.created_at < moment:
                break
            found.append(_seen(batch))
    return found


async def read_results(
    client: AsyncAnthropic, vendor_id: str, *, pass_over: bool = False
) -> AsyncGenerator[dict[str, Any]]:
    """Read the lines `{custom_id, result}` of a batch that has ended, as they come; none is kept.

    Raises CallFailed when they break off or a line is none; what was read before is good. With `pass_over` a
    whole line that is none is left out instead.
    """
    opened = client.messages.batches.with_streaming_response.results(vendor_id, timeout=RESULTS_SECONDS)
    with _reduced():
        async with opened as response:
            rest = b""
            async for part in response.iter_bytes():
                *lines, rest = (rest + part).split(b"\n")
                for line in lines:
                    if result := _result_or_none(line) if pass_over else _result(line):
                        yield result
            if result := _result(rest):
                yield result


def _result_or_none(line: bytes) -> dict[str, Any] | None:
    try:
        return _result(line)
    except ValueError:
        logger.error("a line of a batch's results cannot be read: whose it is cannot be told")
        return None


def _result(line: bytes) -> dict[str, Any] | None:
    if not line.strip():
        return None
    result = json.loads(line)
    if not isinstance(result, dict) or not isinstance(result.get("custom_id"), str):
        raise ValueError
    return result


def _seen(batch: MessageBatch) -> VendorBatch:
    counts = batch.request_counts
    return VendorBatch(
        id=batch.id,
        created_at=batch.created_at,
        ended_at=batch.ended_at if batch.processing_status == "ended" else None,
        requests=counts.processing + counts.succeeded + counts.errored + counts.canceled + counts.expired,
        readable=batch.results_url is not None,
        canceled=batch.cancel_initiated_at is not None,
    )


@contextmanager
def _reduced() -> Iterator[None]:
    """Reduce what can go wrong to what is known of it, without any text."""
    try:
        yield
    except anthropic.APIError as error:
        raise CallFailed(failure_of(error)) from None
    except anthropic.AnthropicError:  # of `results`: not ended, or archived
        raise CallFailed(Failure(status=404, error_type="not_found_error")) from None
    except TimeoutError:
        raise CallFailed(Failure(status=None, error_type="timeout")) from None
    except httpx2.HTTPError:
        raise CallFailed(Failure(status=None, error_type="connection_lost")) from None
    except (ValueError, AttributeError, TypeError):  # a 200 that is no batch, or a line that is no result
        raise CallFailed(Failure(status=200, error_type="answer_unreadable")) from None
