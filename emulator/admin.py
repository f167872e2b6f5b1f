"""`/_emulator/...`: looking into the emulator, moving its clock and scripting its failures. Needs no key."""

from pydantic import Field
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from emulator import wire
from emulator.clock import rfc3339
from emulator.errors import invalid
from emulator.faults import FaultRequest
from emulator.state import Emulator

CALLS_DEFAULT = 1_000


class Advance(wire.Strict):
    """`POST /_emulator/clock`; time never runs backwards."""

    advance_seconds: float = Field(ge=0, lt=1e9)


async def show_meter(http: Request) -> Response:
    return JSONResponse(_emulator(http).meter.as_json())


async def show_calls(http: Request) -> Response:
    after, limit = _number(http, "after", 0), _number(http, "limit", CALLS_DEFAULT)
    return Response(_emulator(http).calls.page(after, limit), media_type="application/json")


async def show_clock(http: Request) -> Response:
    return JSONResponse({"now": rfc3339(_emulator(http).clock.now())})


async def move_clock(http: Request) -> Response:
    asked = wire.parse(Advance, await http.body())
    return JSONResponse({"now": rfc3339(_emulator(http).clock.advance(asked.advance_seconds))})


async def list_faults(http: Request) -> Response:
    return JSONResponse({"faults": _emulator(http).faults.list()})


async def add_fault(http: Request) -> Response:
    asked = wire.parse(FaultRequest, await http.body())
    return JSONResponse(_emulator(http).faults.add(asked).as_json())


async def clear_faults(http: Request) -> Response:
    _emulator(http).faults.clear()
    return await list_faults(http)


async def reset(http: Request) -> Response:
    _emulator(http).reset()
    return await show_clock(http)


def _emulator(http: Request) -> Emulator:
    emulator: Emulator = http.app.state.emulator
    return emulator


def _number(http: Request, name: str, default: int) -> int:
    text = http.query_params.get(name, str(default))
    if not text.isdecimal():
        raise invalid(f"{name}: Input should be a whole number of 0 or more")
    return int(text)


ROUTES = [
    Route("/_emulator/meter", show_meter, methods=["GET"]),
    Route("/_emulator/calls", show_calls, methods=["GET"]),
    Route("/_emulator/clock", show_clock, methods=["GET"]),
    Route("/_emulator/clock", move_clock, methods=["POST"]),
    Route("/_emulator/faults", list_faults, methods=["GET"]),
    Route("/_emulator/faults", add_fault, methods=["POST"]),
    Route("/_emulator/faults", clear_faults, methods=["DELETE"]),
    Route("/_emulator/reset", reset, methods=["POST"]),
]
