"""`POST /v1/messages` and `/v1/messages/count_tokens`, from request to billed answer."""

import json
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse

from emulator import wire
from emulator.caching import CachePlan
from emulator.calls import NO_ANSWER, Arrival
from emulator.catalog import ModelTraits, find_model
from emulator.closing import ClosedConnection, CutStream
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
    started = emulator.clock.now()
    workspace, model = "", None
    try:
        workspace = workspace_of(http)
        body = await _body(http)
        request = wire.parse(wire.MessageRequest, body)
        model = request.model
        traits = find_model(emulator.catalog, model)
        validate_message(request, traits)
        fault = emulator.faults.draw(body)
        arrival = _arrival(http, started, workspace)
        if fault and fault.kind == "reset_before_billing":
            emulator.calls.add(arrival, model=model, status=NO_ANSWER)
            return ClosedConnection()
        try:
            await _refuse_by(fault, emulator, started)
            answered = _answer(emulator, arrival, request, traits, fault)
        finally:
            http.scope["answer_headers"] = emulator.limits.headers(traits.family, emulator.clock.now())
    except ApiError as error:
        emulator.calls.add(_arrival(http, started, workspace), model=model, status=error.status)
        raise
    return await _deliver(emulator, answered, stream=request.stream)


async def _body(http: Request) -> bytes:
    """The body, unless its declared length is too much to read."""
    declared = http.headers.get("content-length", "0")
    if declared.isdecimal() and int(declared) > BODY_BYTES_MAX:
        raise ApiError("request_too_large", "Request exceeds the maximum allowed number of bytes.")
    return await http.body()


def _arrival(http: Request, started: datetime, workspace: str) -> Arrival:
    return Arrival(at=started, path=http.scope["path"], workspace=workspace, attempt=attempt_of(http))


async def _refuse_by(fault: Fault | None, emulator: Emulator, started: datetime) -> None:
    """Fail with an error body, if that is the fault; a timeout takes its time first."""
    if fault and (error := refusal_by(fault)):
        if fault.kind == "timeout":
            await emulator.clock.sleep_until(started + timedelta(seconds=fault.seconds or 0))
        raise error


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
        return ClosedConnection()
    if stream:
        return _stream(emulator, answered, cut=kind == "cut_answer")
    body = json.dumps(answered.message, separators=(",", ":"), ensure_ascii=False).encode()
    if kind == "cut_answer":
        return ClosedConnection(body[: len(body) // 2], whole_length=len(body))
    return Response(body, media_type="application/json")


def _stream(emulator: Emulator, answered: Answered, *, cut: bool) -> Response:
    """The answer's events, spread over the time the tokens take; cut, the first half of them."""
    encoded = [encode(event) for event in events(answered.message, answered.reply, answered.usage)]
    sent = encoded[: len(encoded) // 2] if cut else encoded
    step = (answered.times.ends - answered.times.begins) / len(encoded)

    async def body() -> AsyncIterator[bytes]:
        for i, event in enumerate(sent):
            await emulator.clock.sleep_until(answered.times.begins + step * i)
            yield event

    response = CutStream if cut else StreamingResponse
    return response(body(), media_type="text/event-stream")
