"""The web application: which path leads where, and how errors leave."""

from collections.abc import Mapping

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp

from emulator import admin
from emulator.errors import ApiError
from emulator.identity import IdentifyAnswers
from emulator.messages import count_tokens, create_message
from emulator.settings import Settings
from emulator.state import Emulator

TYPE_BY_STATUS: Mapping[int, str] = {404: "not_found_error", 405: "invalid_request_error"}


def build_app(settings: Settings) -> ASGIApp:
    """An emulator of its own behind the API's paths and the admin ones."""
    app = Starlette(
        routes=[
            Route("/v1/messages", create_message, methods=["POST"]),
            Route("/v1/messages/count_tokens", count_tokens, methods=["POST"]),
            *admin.ROUTES,
        ],
        exception_handlers={
            ApiError: _api_error,
            HTTPException: _http_error,
            ClientDisconnect: _nobody_listens,
            Exception: _own_error,
        },
    )
    app.state.emulator = Emulator(settings)
    return IdentifyAnswers(app)


async def _api_error(http: Request, error: Exception) -> Response:
    assert isinstance(error, ApiError)
    body = error.body(http.scope["request_id"])
    return JSONResponse(body, status_code=error.status, headers=error.headers())


async def _http_error(http: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    error_type = TYPE_BY_STATUS.get(error.status_code, "invalid_request_error")
    return await _api_error(http, ApiError(error_type, error.detail, status=error.status_code))


async def _nobody_listens(http: Request, error: Exception) -> Response:
    """The client left before its request was complete: nothing was worked on, and nobody reads this."""
    return Response()


async def _own_error(http: Request, error: Exception) -> Response:
    return await _api_error(http, ApiError("api_error", f"The emulator itself failed: {error!r}"))
