"""One request worked on, live or in a batch: cache, words, bill; and the batches whose turn has come."""

import asyncio
import logging
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from emulator.books.batches import DueItem
from emulator.books.caching import CachePlan, Lane
from emulator.books.calls import NO_ANSWER, Arrival
from emulator.books.usage import Usage
from emulator.errors import ApiError, invalid
from emulator.faults import Fault, error_by, is_
from emulator.identity import new_id
from emulator.request import shapes
from emulator.request.catalog import ModelTraits, find_model
from emulator.request.prompt import render
from emulator.request.validation import validate_message
from emulator.state import Emulator
from emulator.writer.reply import Reply, write_reply

# Measured on live calls of Haiku 5.5 (see README): until the answer begins, and for each token of it.
FIRST_BYTE_MS = 1_177.0
OUTPUT_TOKEN_MS = 4.40
ITEMS_AT_ONCE = 10

logger = logging.getLogger(__name__)
SERVICE_TIER: dict[Lane, str] = {"live": "standard", "batch": "batch"}


@dataclass(frozen=True)
class Timetable:
    """When the answer begins and when it is complete."""

    begins: datetime
    ends: datetime


@dataclass(frozen=True)
class Answered:
    """A billed request whose answer has yet to be delivered."""

    message: dict[str, Any]
    reply: Reply
    usage: Usage
    times: Timetable


class TooLate(Exception):
    """A batch item that would end after its batch has expired; nothing of it is billed."""


def answer(
    emulator: Emulator,
    arrival: Arrival,
    request: shapes.MessageRequest,
    traits: ModelTraits,
    fault: Fault | None,
    *,
    lane: Lane = "live",
    until: datetime | None = None,
) -> Answered:
    """Plan the cache, ask the limits, write the answer and enter it into the books, all at one instant.

    Raises ApiError for what cannot be answered, and TooLate where the answer would end after `until`.
    """
    prompt_tokens, plan = _planned(emulator, arrival, request, traits, fault, lane)
    if lane == "live":
        emulator.limits.admit(traits.family, plan.limited_input_tokens, arrival.at)
    reply = write_reply(request, traits, fault, emulator.settings.answer_tokens, prompt_tokens)
    usage = _usage(plan, reply, request.inference_geo, SERVICE_TIER[lane])
    times = _timetable(
        arrival.at, reply, fault, at_once=lane == "live" and emulator.settings.latency == "off"
    )
    if until is not None and times.ends > until:
        raise TooLate
    status = NO_ANSWER if is_(fault, "reset_after_billing") else 200
    with emulator.store.transaction():
        # A refusal before any output is not billed; it leaves nothing in the cache either.
        if not reply.free:
            emulator.caches[lane].commit(plan, started=arrival.at, begins=times.begins)
        emulator.bill(arrival, lane, plan, traits.name, usage, free=reply.free, status=status)
    if lane == "live":
        emulator.limits.draw(traits.family, plan.limited_input_tokens, usage.output_tokens, arrival.at)
    return Answered(_message(traits.name, reply, usage), reply, usage, times)


def _planned(
    emulator: Emulator,
    arrival: Arrival,
    request: shapes.MessageRequest,
    traits: ModelTraits,
    fault: Fault | None,
    lane: Lane,
) -> tuple[int, CachePlan]:
    """The size of the prompt, and what it would read and write."""
    prompt = render(request, traits, emulator.settings.preamble_tokens)
    if prompt.tokens > traits.context_tokens:
        raise invalid(f"prompt is too long: {prompt.tokens} tokens > {traits.context_tokens} maximum")
    miss = emulator.misses_by_chance(lane) or is_(fault, "cache_miss")
    return prompt.tokens, emulator.caches[lane].plan(
        traits.name,
        arrival.workspace,
        prompt,
        minimum_tokens=traits.cache_minimum_tokens,
        now=arrival.at,
        miss=miss,
    )


async def settle(emulator: Emulator) -> None:
    """Let every batch item work whose turn has come, in the order of their turns and each at its own time."""
    async with emulator.settling:
        now = emulator.clock.now()
        while due := emulator.batches.due(now, ITEMS_AT_ONCE):
            with emulator.store.transaction():
                for item in due:
                    _work_on_item(emulator, item)
            await asyncio.sleep(0)  # let live requests in between
        emulator.batches.archive(now)


def _work_on_item(emulator: Emulator, item: DueItem) -> None:
    if item.starts_at >= item.expires_at:
        emulator.batches.finish(item, {"type": "expired"}, item.expires_at)
        return
    arrival = Arrival(item.starts_at, "/v1/messages/batches", item.workspace, attempt=0)
    fault = emulator.faults.draw("batches.items", item.params)
    try:
        answered = _answer_item(emulator, arrival, item, fault)
    except TooLate:
        emulator.batches.finish(item, {"type": "expired"}, item.expires_at)
    except ApiError as error:
        _fail_item(emulator, arrival, item, error)
    except Exception as error:
        # One item must not hold up all the others for ever.
        logger.exception("the emulator itself failed at an item of %s", item.batch_id)
        _fail_item(emulator, arrival, item, ApiError("api_error", f"The emulator itself failed: {error!r}"))
    else:
        result = {"type": "succeeded", "message": answered.message}
        emulator.batches.finish(item, result, answered.times.ends)


def _fail_item(emulator: Emulator, arrival: Arrival, item: DueItem, error: ApiError) -> None:
    emulator.calls.add(arrival, model=None, status=error.status)
    result = {"type": "errored", "error": error.body(new_id("req"))}
    emulator.batches.finish(item, result, item.starts_at)


def _answer_item(emulator: Emulator, arrival: Arrival, item: DueItem, fault: Fault | None) -> Answered:
    request = shapes.parse(shapes.MessageRequest, item.params)
    if request.stream:
        raise invalid("stream: streaming is not supported in batch requests")
    if request.max_tokens == 0:
        raise invalid("max_tokens: 0 is not supported in batch requests")
    traits = find_model(emulator.catalog, request.model)
    validate_message(request, traits)
    if fault and (error := error_by(fault)):
        raise error
    return answer(emulator, arrival, request, traits, fault, lane="batch", until=item.expires_at)


def _usage(plan: CachePlan, reply: Reply, geography: str | None, service_tier: str) -> Usage:
    return Usage(
        input_tokens=plan.input_tokens,
        cache_write_5m_tokens=plan.write_5m_tokens,
        cache_write_1h_tokens=plan.write_1h_tokens,
        cache_read_tokens=plan.read_tokens,
        output_tokens=reply.output_tokens,
        thinking_tokens=reply.thinking_tokens,
        service_tier=service_tier,
        inference_geo=geography or "not_available",
    )


def _timetable(started: datetime, reply: Reply, fault: Fault | None, *, at_once: bool) -> Timetable:
    late = fault.seconds or 0 if fault and is_(fault, "slow_first_byte") else 0
    if at_once:
        begins = started + timedelta(seconds=late)
        return Timetable(begins, begins)
    begins = started + timedelta(seconds=late, milliseconds=FIRST_BYTE_MS)
    return Timetable(begins, begins + timedelta(milliseconds=OUTPUT_TOKEN_MS * reply.output_tokens))


def _message(model: str, reply: Reply, usage: Usage) -> dict[str, Any]:
    message: dict[str, Any] = {
        "id": new_id("msg"),
        "type": "message",
        "role": "assistant",
        "model": model,
        "content": reply.content,
        "stop_reason": reply.stop_reason,
        "stop_sequence": reply.stop_sequence,
        "usage": usage.as_message_usage(),
    }
    if reply.stop_reason == "refusal":
        message["stop_details"] = {"type": "refusal", "category": None, "explanation": None}
    return message
