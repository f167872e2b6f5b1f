"""What stands before every endpoint: its key, its limit, and the faults scripted for it."""

import json
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import timedelta

from starlette.requests import Request
from starlette.responses import HTMLResponse, Response, StreamingResponse

from emulator.api.closing import CutAnswer, ResetConnection
from emulator.errors import ApiError
from emulator.faults import Fault, Place, error_by, is_
from emulator.identity import require_admin_key, workspace_of
from emulator.state import Emulator

BODY_BYTES_MAX = 32 * 1024 * 1024
# How much of an answer arrives when it is cut.
CUT_SHARE = 0.5
A_PAGE = "<html><body>Something stands between you and the API.</body></html>"

Endpoint = Callable[[Request], Awaitable[Response]]


def emulator_of(http: Request) -> Emulator:
    """The emulator behind this application."""
    emulator: Emulator = http.app.state.emulator
    return emulator


async def body_of(http: Request, bytes_max: int = BODY_BYTES_MAX) -> bytes:
    """The body, unless it is too much to read, by its declared length or as it comes."""
    declared = http.headers.get("content-length", "0")
    chunks: list[bytes] = []
    size = int(declared) if declared.isdecimal() else 0
    if size <= bytes_max:
        size = 0
        async for chunk in http.stream():
            size += len(chunk)
            if size > bytes_max:
                break
            chunks.append(chunk)
    if size > bytes_max:
        raise ApiError("request_too_large", "Request exceeds the maximum allowed number of bytes.")
    return b"".join(chunks)


def guarded(place: Place, group: str, endpoint: Endpoint) -> Endpoint:
    """An endpoint that asks for a key (an Admin key for reports) and counts towards its group's limit."""

    async def endpoint_behind_guard(http: Request) -> Response:
        emulator = emulator_of(http)
        if group == "organization":
            require_admin_key(http)
        else:
            http.state.workspace = workspace_of(http)
        try:
            emulator.limits.admit_request(group, emulator.clock.now())
        finally:
            http.scope["answer_headers"] |= emulator.limits.headers(group, emulator.clock.now())
        # The body is read here only when a fault may want to match it.
        words = await http.body() or http.scope["path"] if emulator.faults else b""
        fault = emulator.faults.draw(place, words)
        return await (endpoint(http) if fault is None else _failing(http, endpoint, fault))

    return endpoint_behind_guard


async def fail(emulator: Emulator, fault: Fault) -> None:
    """Raise the error that a fault asks for, at its time; return if it asks for none."""
    error = error_by(fault)
    if error is None or is_(fault, "stream_error"):
        return
    if is_(fault, "timeout"):
        await emulator.clock.sleep_until(emulator.clock.now() + timedelta(seconds=fault.seconds or 0))
    raise error


async def _failing(http: Request, endpoint: Endpoint, fault: Fault) -> Response:
    """The endpoint's answer, spoiled as the fault asks."""
    emulator = emulator_of(http)
    await fail(emulator, fault)
    if is_(fault, "reset_before_billing"):
        return ResetConnection()
    response = await endpoint(http)
    if is_(fault, "slow_first_byte"):
        await emulator.clock.sleep_until(emulator.clock.now() + timedelta(seconds=fault.seconds or 0))
    if is_(fault, "cut_answer"):
        return CutAnswer(_half(response), media_type=response.media_type, headers=_declared(response))
    return replacement(fault) or response


def replacement(fault: Fault | None) -> Response | None:
    """What goes out instead of an answer that has been worked on, if the fault says so."""
    if is_(fault, "reset_after_billing"):
        return ResetConnection()
    return HTMLResponse(A_PAGE) if is_(fault, "not_json") else None


async def _half(response: Response) -> AsyncIterator[bytes]:
    """Half of what comes first."""
    if isinstance(response, StreamingResponse):
        async for chunk in response.body_iterator:
            data = chunk.encode() if isinstance(chunk, str) else bytes(chunk)
            yield data[: int(len(data) * CUT_SHARE)]
            return
    else:
        yield bytes(response.body)[: int(len(response.body) * CUT_SHARE)]


def _declared(response: Response) -> dict[str, str]:
    """The length of the whole answer, where it has one: what makes a cut visible."""
    length = response.headers.get("content-length")
    return {"content-length": length} if length else {}


def compact(value: object) -> bytes:
    """JSON as the API sends it."""
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False).encode()
