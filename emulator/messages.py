"""`POST /v1/messages` and `/v1/messages/count_tokens`, from request to billed answer."""

import json
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse

from emulator import wire
from emulator.caching import CachePlan
from emulator.calls import NO_ANSWER, Arrival
from emulator.catalog import ModelTraits, find_model
from emulator.closing import CutAnswer, ResetConnection
from emulator.errors import ApiError
from emulator.faults import Fault, refusal_by
from emulator.identity import attempt_of, new_id, workspace_of
from emulator.prompt import render
from emulator.reply import Reply, write_reply
from emulator.state import Emulator
from emulator.streaming import encode, events
from emulator.usage import Usage
from emulator.validation import validate_message, validate_prompt

# Measured on live calls of Haiku 5.5 (see README): until the answer begins, and for each token of it.
FIRST_BYTE_MS = 1_177.0
OUTPUT_TOKEN_MS = 4.40
BODY_BYTES_MAX = 32 * 1024 * 1024
# How much of an answer arrives when it is cut.
CUT_SHARE = 0.5


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
    fault: Fault | None


async def count_tokens(http: Request) -> Response:
    """`POST /v1/messages/count_tokens`: free, and blind to the cache."""
    emulator: Emulator = http.app.state.emulator
    workspace_of(http)
    request = wire.parse(wire.PromptRequest, await _body(http))
    traits = find_model(emulator.catalog, request.model)
    validate_prompt(request, traits)
    prompt = render(request, traits, emulator.settings.preamble_tokens)
    return JSONResponse({"input_tokens": prompt.tokens})


async def create_message(http: Request) -> Response:
    """`POST /v1/messages`; what is refused is on the list of calls as well, with its status and no usage."""
    emulator: Emulator = http.app.state.emulator
    arrival, model = _arrival(http, emulator.clock.now()), None
    try:
        arrival = replace(arrival, workspace=workspace_of(http))
        body = await _body(http)
        request = wire.parse(wire.MessageRequest, body)
        model = request.model
        traits = find_model(emulator.catalog, model)
        validate_message(request, traits)
        fault = emulator.faults.draw(body)
        if fault and fault.kind == "reset_before_billing":
            emulator.calls.add(arrival, model=model, status=NO_ANSWER)
            return ResetConnection()
        answered = await _answer_or_fail(http, arrival, request, traits, fault)
    except ApiError as error:
        emulator.calls.add(arrival, model=model, status=error.status)
        raise
    return await _deliver(emulator, answered, stream=request.stream)


async def _body(http: Request) -> bytes:
    """The body, unless its declared length is too much to read."""
    declared = http.headers.get("content-length", "0")
    if declared.isdecimal() and int(declared) > BODY_BYTES_MAX:
        raise ApiError("request_too_large", "Request exceeds the maximum allowed number of bytes.")
    return await http.body()


def _arrival(http: Request, started: datetime) -> Arrival:
    return Arrival(at=started, path=http.scope["path"], workspace="", attempt=attempt_of(http))


async def _answer_or_fail(
    http: Request, arrival: Arrival, request: wire.MessageRequest, traits: ModelTraits, fault: Fault | None
) -> Answered:
    """Fail with an error body if that is the fault, else answer; either way tell how the limits stand."""
    emulator: Emulator = http.app.state.emulator
    try:
        if fault and (error := refusal_by(fault)):
            if fault.kind == "timeout":
                await emulator.clock.sleep_until(arrival.at + timedelta(seconds=fault.seconds or 0))
            raise error
        return _answer(emulator, arrival, request, traits, fault)
    finally:
        http.scope["answer_headers"] = emulator.limits.headers(traits.family, emulator.clock.now())


def _answer(
    emulator: Emulator,
    arrival: Arrival,
    request: wire.MessageRequest,
    traits: ModelTraits,
    fault: Fault | None,
) -> Answered:
    """Plan the cache, ask the limits, write the answer and enter it into the books, all at one instant."""
    kind = fault.kind if fault else None
    prompt = render(request, traits, emulator.settings.preamble_tokens)
    plan = emulator.cache.plan(
        traits.name,
        arrival.workspace,
        prompt,
        minimum_tokens=traits.cache_minimum_tokens,
        now=arrival.at,
        miss=emulator.misses_by_chance() or kind == "cache_miss",
    )
    emulator.limits.admit(traits.family, plan.input_tokens + _written(plan), arrival.at)
    reply = write_reply(request, traits, fault, emulator.settings.answer_tokens)
    usage = _usage(plan, reply, request.inference_geo)
    times = _timetable(emulator, arrival.at, reply, fault)
    # A refusal before any output is not billed; it leaves nothing in the cache either.
    if reply.stop_reason != "refusal":
        emulator.cache.commit(plan, started=arrival.at, begins=times.begins)
    emulator.limits.draw(traits.family, usage.limited_input_tokens, usage.output_tokens, arrival.at)
    status = NO_ANSWER if kind == "reset_after_billing" else 200
    emulator.bill(arrival, plan, traits.name, usage, free=reply.stop_reason == "refusal", status=status)
    return Answered(_message(traits.name, reply, usage), reply, usage, times, fault)


def _written(plan: CachePlan) -> int:
    return plan.write_5m_tokens + plan.write_1h_tokens


def _usage(plan: CachePlan, reply: Reply, geography: str | None) -> Usage:
    return Usage(
        input_tokens=plan.input_tokens,
        cache_write_5m_tokens=plan.write_5m_tokens,
        cache_write_1h_tokens=plan.write_1h_tokens,
        cache_read_tokens=plan.read_tokens,
        output_tokens=reply.output_tokens,
        thinking_tokens=reply.thinking_tokens,
        inference_geo=geography or "not_available",
    )


def _timetable(emulator: Emulator, started: datetime, reply: Reply, fault: Fault | None) -> Timetable:
    late = fault.seconds or 0 if fault and fault.kind == "slow_first_byte" else 0
    if emulator.settings.latency == "off":
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


async def _deliver(emulator: Emulator, answered: Answered, *, stream: bool) -> Response:
    """Send what has been billed, at its time, as far as the fault lets it."""
    kind = answered.fault.kind if answered.fault else None
    await emulator.clock.sleep_until(answered.times.begins if stream else answered.times.ends)
    if kind == "reset_after_billing":
        return ResetConnection()
    if stream:
        parts = _timed_events(emulator, answered, share=CUT_SHARE if kind == "cut_answer" else 1)
        response = CutAnswer if kind == "cut_answer" else StreamingResponse
        return response(parts, media_type="text/event-stream")
    body = json.dumps(answered.message, separators=(",", ":"), ensure_ascii=False).encode()
    if kind == "cut_answer":
        half = iter([body[: int(len(body) * CUT_SHARE)]])
        return CutAnswer(half, media_type="application/json", headers={"content-length": str(len(body))})
    return Response(body, media_type="application/json")


async def _timed_events(emulator: Emulator, answered: Answered, *, share: float) -> AsyncIterator[bytes]:
    """The answer's events, spread over the time its tokens take, up to a share of them."""
    encoded = [encode(event) for event in events(answered.message, answered.reply, answered.usage)]
    step = (answered.times.ends - answered.times.begins) / len(encoded)
    for i, event in enumerate(encoded[: int(len(encoded) * share)]):
        await emulator.clock.sleep_until(answered.times.begins + step * i)
        yield event
