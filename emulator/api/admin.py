"""`/_emulator/...`: looking into the emulator, moving its clock and scripting its failures. Needs no key."""

from pydantic import Field
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from emulator.api.guard import emulator_of
from emulator.api.paging import number
from emulator.clock import rfc3339
from emulator.faults import FaultRequest
from emulator.request import shapes
from emulator.work import settle

CALLS_DEFAULT = 1_000


class Advance(shapes.Strict):
    """`POST /_emulator/clock`; time never runs backwards."""

    advance_seconds: float = Field(ge=0, lt=1e9)


async def show_meter(http: Request) -> Response:
    await settle(emulator_of(http))
    return JSONResponse(emulator_of(http).meter.as_json())


async def show_calls(http: Request) -> Response:
    await settle(emulator_of(http))
    after, limit = number(http, "after", 0), number(http, "limit", CALLS_DEFAULT)
    return Response(emulator_of(http).calls.page(after, limit), media_type="application/json")


async def show_clock(http: Request) -> Response:
    return JSONResponse({"now": rfc3339(emulator_of(http).clock.now())})


async def move_clock(http: Request) -> Response:
    asked = shapes.parse(Advance, await http.body())
    emulator = emulator_of(http)
    now = emulator.clock.advance(asked.advance_seconds)
    emulator.remember_clock()
    return JSONResponse({"now": rfc3339(now)})


async def list_faults(http: Request) -> Response:
    return JSONResponse({"faults": emulator_of(http).faults.list()})


async def add_fault(http: Request) -> Response:
    asked = shapes.parse(FaultRequest, await http.body())
    return JSONResponse(emulator_of(http).faults.add(asked).as_json())


async def clear_faults(http: Request) -> Response:
    emulator_of(http).faults.clear()
    return await list_faults(http)


async def reset(http: Request) -> Response:
    emulator_of(http).reset()
    return await show_clock(http)


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
