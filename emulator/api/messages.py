"""`POST /v1/messages` and `/v1/messages/count_tokens`, from request to delivered answer."""

from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import datetime

from pydantic_core import from_json
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse

from emulator.api.closing import CutAnswer, ResetConnection
from emulator.api.guard import CUT_SHARE, body_of, compact, emulator_of, fail, replacement
from emulator.books.calls import NO_ANSWER, Arrival
from emulator.errors import ApiError
from emulator.faults import Fault, error_by, is_
from emulator.identity import attempt_of, workspace_of
from emulator.request import shapes
from emulator.request.catalog import ModelTraits, find_model
from emulator.request.prompt import render
from emulator.request.validation import validate_message, validate_prompt
from emulator.state import Emulator
from emulator.work import Answered, answer
from emulator.writer.streaming import encode, events


async def count_tokens(http: Request) -> Response:
    """`POST /v1/messages/count_tokens`: free, and blind to the cache."""
    emulator = emulator_of(http)
    request = shapes.parse(shapes.PromptRequest, await body_of(http))
    traits = find_model(emulator.catalog, request.model)
    validate_prompt(request, traits)
    prompt = render(request, traits, emulator.settings.preamble_tokens)
    return JSONResponse({"input_tokens": prompt.tokens})


async def create_message(http: Request) -> Response:
    """`POST /v1/messages`; what is refused is on the list of calls as well, with its status and no usage."""
    emulator = emulator_of(http)
    arrival, model, body = _arrival(http, emulator.clock.request_came()), None, b""
    try:
        arrival = replace(arrival, workspace=workspace_of(http))
        body = await body_of(http)
        request = shapes.parse(shapes.MessageRequest, body)
        model = request.model
        traits = find_model(emulator.catalog, model)
        validate_message(request, traits)
        fault = emulator.faults.draw("messages", body)
        if is_(fault, "reset_before_billing"):
            emulator.calls.add(arrival, model=model, status=NO_ANSWER)
            return ResetConnection()
        answered = await _answer_or_fail(emulator, arrival, request, traits, fault)
    except ApiError as error:
        emulator.calls.add(arrival, model=model, status=error.status)
        raise
    except Exception:
        emulator.calls.add(arrival, model=model, status=500)
        raise
    finally:
        # However it ends, the answer tells how the limits of the model stand.
        if family := _family(emulator, model, body):
            http.scope["answer_headers"] |= emulator.limits.headers(family, emulator.clock.now())
    return await _deliver(emulator, answered, fault, http.scope["request_id"], stream=request.stream)


def _family(emulator: Emulator, model: str | None, body: bytes) -> str | None:
    """The class of the model that was asked for, also by a body that is refused for its shape."""
    if model is None:
        try:
            asked = from_json(body)  # refuses what lies too deep, where `json` would run out of stack
        except ValueError:
            return None
        model = asked.get("model") if isinstance(asked, dict) else None
    traits = emulator.catalog.get(model) if isinstance(model, str) else None
    return traits.family if traits else None


def _arrival(http: Request, started: datetime) -> Arrival:
    return Arrival(at=started, path=http.scope["path"], workspace="", attempt=attempt_of(http))


async def _answer_or_fail(
    emulator: Emulator,
    arrival: Arrival,
    request: shapes.MessageRequest,
    traits: ModelTraits,
    fault: Fault | None,
) -> Answered:
    if fault:
        await fail(emulator, fault)
        if is_(fault, "stream_error") and not request.stream and (error := error_by(fault)):
            raise error
    return answer(emulator, arrival, request, traits, fault)


async def _deliver(
    emulator: Emulator, answered: Answered, fault: Fault | None, request_id: str, *, stream: bool
) -> Response:
    """Send what has been billed, at its time, as far as the fault lets it."""
    await emulator.clock.sleep_until(answered.times.begins if stream else answered.times.ends)
    if instead := replacement(fault):
        return instead
    if stream:
        error = error_by(fault) if fault and is_(fault, "stream_error") else None
        share = CUT_SHARE if is_(fault, "cut_answer", "stream_error") else 1
        parts = _timed_events(emulator, answered, share, error.body(request_id) if error else None)
        response = CutAnswer if is_(fault, "cut_answer") else StreamingResponse
        return response(parts, media_type="text/event-stream")
    body = compact(answered.message)
    if is_(fault, "cut_answer"):
        half = iter([body[: int(len(body) * CUT_SHARE)]])
        return CutAnswer(half, media_type="application/json", headers={"content-length": str(len(body))})
    return Response(body, media_type="application/json")


async def _timed_events(
    emulator: Emulator, answered: Answered, share: float, ending: dict[str, object] | None
) -> AsyncIterator[bytes]:
    """The answer's events, spread over the time its tokens take, up to a share of them; then the ending."""
    encoded = [encode(event) for event in events(answered.message, answered.reply, answered.usage)]
    step = (answered.times.ends - answered.times.begins) / len(encoded)
    for i, event in enumerate(encoded[: int(len(encoded) * share)]):
        await emulator.clock.sleep_until(answered.times.begins + step * i)
        yield event
    if ending is not None:
        yield encode(ending)
