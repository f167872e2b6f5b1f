"""Errors as the API words them.

Source: the API's table of error types. One kind of failure is one `ApiError`; what it becomes on the wire
(`{"type": "error", "error": {...}, "request_id"}` and its status) is decided here alone.
"""

from collections.abc import Mapping
from typing import Any

STATUS_BY_TYPE = {
    "invalid_request_error": 400,
    "authentication_error": 401,
    "billing_error": 402,
    "permission_error": 403,
    "not_found_error": 404,
    "conflict_error": 409,
    "request_too_large": 413,
    "rate_limit_error": 429,
    "api_error": 500,
    "timeout_error": 504,
    "overloaded_error": 529,
}


class ApiError(Exception):
    """A request the API answers with an error body; nothing of it is billed."""

    def __init__(
        self,
        error_type: str,
        message: str,
        *,
        details: Mapping[str, Any] | None = None,
        retry_after_seconds: int | None = None,
        status: int | None = None,
    ) -> None:
        super().__init__(message)
        self.error_type = error_type
        self.message = message
        self.details = details
        self.retry_after_seconds = retry_after_seconds
        self.status = STATUS_BY_TYPE[error_type] if status is None else status

    def body(self, request_id: str) -> dict[str, Any]:
        """The documented error body."""
        error: dict[str, Any] = {"type": self.error_type, "message": self.message}
        if self.details is not None:
            error["details"] = dict(self.details)
        return {"type": "error", "error": error, "request_id": request_id}

    def headers(self) -> dict[str, str]:
        """`retry-after` where the API sends one."""
        return {} if self.retry_after_seconds is None else {"retry-after": str(self.retry_after_seconds)}


def invalid(message: str) -> ApiError:
    """A 400: the request can never succeed as it is."""
    return ApiError("invalid_request_error", message)


NOT_IMITATED = "the emulator does not imitate this yet"


def not_imitated(field: str) -> ApiError:
    """A 400 for what the real API knows and this emulator does not: refused, never silently ignored."""
    return invalid(f"{field}: {NOT_IMITATED}")


def not_found(what: str) -> ApiError:
    """A 404: there is nothing by that name, or not for this workspace."""
    return ApiError("not_found_error", what)
