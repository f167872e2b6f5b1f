"""Who is asking, and the identifiers that every answer carries.

Source: the API overview. `Authorization: Bearer` or `x-api-key`; every answer has a `request-id` and the
organization's id. Here any non-empty key is good, and its digest names the workspace.
"""

import secrets
from hashlib import sha256

from starlette.datastructures import MutableHeaders
from starlette.requests import HTTPConnection
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from emulator.errors import ApiError

ORGANIZATION_ID = "00000000-0000-4000-8000-000000000001"


class IdentifyAnswers:
    """Puts `request-id`, `anthropic-organization-id` and the request's own headers on every answer.

    Wraps the whole application, so that even its failures are identified. An endpoint adds headers by
    leaving them in `scope["answer_headers"]`.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        request_id = scope["request_id"] = new_id("req")

        async def send_identified(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                headers["request-id"] = request_id
                headers["anthropic-organization-id"] = ORGANIZATION_ID
                headers.update(scope.get("answer_headers", {}))
            await send(message)

        await self._app(scope, receive, send_identified)


def new_id(prefix: str) -> str:
    """An identifier in the API's style, never the same twice."""
    return f"{prefix}_{secrets.token_hex(12)}"


def workspace_of(connection: HTTPConnection) -> str:
    """The workspace that this request's key belongs to; never the key itself, which must not be logged."""
    headers = connection.headers
    scheme, _, token = headers.get("authorization", "").partition(" ")
    key = headers.get("x-api-key", "") or (token.strip() if scheme.lower() == "bearer" else "")
    if not key:
        raise ApiError("authentication_error", "x-api-key header is required")
    return "wrkspc_" + sha256(key.encode()).hexdigest()[:16]


def attempt_of(connection: HTTPConnection) -> int:
    """Which attempt the SDK says this is: 0 is the first."""
    text = connection.headers.get("x-stainless-retry-count", "0")
    return int(text) if text.isdecimal() else 0
