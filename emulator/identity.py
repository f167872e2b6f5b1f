"""Who is asking, and the identifiers that every answer carries.

Source: the API overview and the page on versions. `Authorization: Bearer` or `x-api-key`; a version is
required; every answer has a `request-id` and the organization's id. Here any non-empty key is good, and its
digest names the workspace. Reports want an Admin key, which the vendor's begin with.
"""

import logging
import secrets
from hashlib import sha256

from starlette.datastructures import MutableHeaders
from starlette.requests import HTTPConnection
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from emulator.errors import ApiError, invalid, not_imitated

ORGANIZATION_ID = "00000000-0000-4000-8000-000000000001"
VERSIONS = frozenset({"2023-01-01", "2023-06-01", "2026-10-21"})
ADMIN_KEY_PREFIX = "sk-ant-admin"


class IdentifyAnswers:
    """Puts `request-id`, `anthropic-organization-id` and the request's own headers on every answer.

    Wraps the whole application, so that even its failures are identified. An endpoint adds headers by
    putting them into `scope["answer_headers"]`.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        request_id = scope["request_id"] = new_id("req")
        own_headers: dict[str, str] = {}
        scope["answer_headers"] = own_headers

        async def send_identified(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                headers["request-id"] = request_id
                headers["anthropic-organization-id"] = ORGANIZATION_ID
                headers.update(own_headers)
            await send(message)

        try:
            await self._app(scope, receive, send_identified)
        except Exception:
            # Starlette has answered it with a 500; the server would reset the connection as well.
            logging.getLogger(__name__).exception("the emulator itself failed")


def new_id(prefix: str) -> str:
    """An identifier in the API's style, never the same twice."""
    return f"{prefix}_{secrets.token_hex(12)}"


def workspace_of(connection: HTTPConnection) -> str:
    """The workspace that this request's key belongs to; never the key itself, which must not be logged.

    Raises ApiError without a key, without a version, or when another workspace is asked for.
    """
    workspace = "wrkspc_" + sha256(_key(connection).encode()).hexdigest()[:16]
    _check_version(connection)
    if "anthropic-user-profile-id" in connection.headers:
        raise not_imitated("anthropic-user-profile-id")
    if connection.headers.get("anthropic-workspace-id", workspace) != workspace:
        raise invalid("anthropic-workspace-id: does not match the workspace of this key")
    connection.scope["answer_headers"]["anthropic-workspace-id"] = workspace
    return workspace


def require_admin_key(connection: HTTPConnection) -> None:
    """Raises ApiError unless the key is one that may see the organization's reports."""
    if not _key(connection).startswith(ADMIN_KEY_PREFIX):
        raise ApiError("authentication_error", f"an Admin API key ({ADMIN_KEY_PREFIX}...) is required")
    _check_version(connection)


def _key(connection: HTTPConnection) -> str:
    headers = connection.headers
    scheme, _, token = headers.get("authorization", "").partition(" ")
    key = headers.get("x-api-key", "") or (token.strip() if scheme.lower() == "bearer" else "")
    if not key:
        raise ApiError("authentication_error", "x-api-key header is required")
    return key


def _check_version(connection: HTTPConnection) -> None:
    version = connection.headers.get("anthropic-version")
    if version is None:
        raise invalid("anthropic-version: header is required")
    if version not in VERSIONS:
        raise invalid(f'anthropic-version: "{version}" is not a valid version')


def attempt_of(connection: HTTPConnection) -> int:
    """Which attempt the SDK says this is: 0 is the first."""
    text = connection.headers.get("x-stainless-retry-count", "0")
    return int(text) if text.isdecimal() and len(text) < 10 else 0
