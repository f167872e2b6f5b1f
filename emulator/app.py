"""The web application: which path leads where, and how errors leave."""

from collections.abc import Mapping

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp

from emulator.api import admin, batches, models, reports
from emulator.api.guard import Endpoint, guarded
from emulator.api.messages import count_tokens, create_message
from emulator.errors import ApiError
from emulator.faults import Place
from emulator.identity import IdentifyAnswers
from emulator.settings import Settings
from emulator.state import Emulator

TYPE_BY_STATUS: Mapping[int, str] = {404: "not_found_error", 405: "invalid_request_error"}


def build_app(settings: Settings) -> ASGIApp:
    """An emulator of its own behind the API's paths and the admin ones."""
    app = Starlette(
        routes=[
            *_api_routes(),
            *admin.ROUTES,
        ],
        exception_handlers={
            ApiError: _api_error,
            HTTPException: _http_error,
            ClientDisconnect: _nobody_listens,
            Exception: _own_error,
        },
    )
    app.router.redirect_slashes = False
    app.state.emulator = Emulator(settings)
    return IdentifyAnswers(app)


def _api_routes() -> list[Route]:
    """Every path of the API: method, place of its faults, group of its limits, endpoint."""
    messages, one_batch = "/v1/messages", "/v1/messages/batches/{batch_id}"
    organization = "/v1/organizations"
    table: list[tuple[str, str, Place, str, Endpoint]] = [
        ("POST", f"{messages}/count_tokens", "count_tokens", "token_count", count_tokens),
        ("POST", f"{messages}/batches", "batches.create", "batch", batches.create_batch),
        ("GET", f"{messages}/batches", "batches.read", "batch", batches.list_batches),
        ("GET", one_batch, "batches.read", "batch", batches.retrieve_batch),
        ("DELETE", one_batch, "batches.delete", "batch", batches.delete_batch),
        ("POST", f"{one_batch}/cancel", "batches.cancel", "batch", batches.cancel_batch),
        ("GET", f"{one_batch}/results", "batches.results", "batch", batches.batch_results),
        ("GET", "/v1/models", "models", "models", models.list_models),
        ("GET", "/v1/models/{model_id}", "models", "models", models.retrieve_model),
        ("GET", f"{organization}/usage_report/messages", "reports", "organization", reports.usage_report),
        ("GET", f"{organization}/cost_report", "reports", "organization", reports.cost_report),
    ]
    guards = [
        Route(path, guarded(place, group, end), methods=[how]) for how, path, place, group, end in table
    ]
    return [Route(messages, create_message, methods=["POST"]), *guards]


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
