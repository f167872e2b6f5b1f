"""Failures by script: what the admin interface asked for, and which request or batch item each one meets."""

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from random import Random
from typing import Any, Literal

from pydantic import Field

from emulator.errors import STATUS_BY_TYPE, ApiError, invalid
from emulator.request.shapes import Strict

Kind = Literal[
    "rate_limited",
    "spend_cap",
    "api_error",
    "overloaded",
    "timeout",
    "error",
    "reset_before_billing",
    "reset_after_billing",
    "cut_answer",
    "not_json",
    "stream_error",
    "truncated_json",
    "break_schema",
    "wrong_content",
    "refusal",
    "refusal_mid_answer",
    "slow_first_byte",
    "cache_miss",
]
Place = Literal[
    "messages",
    "count_tokens",
    "models",
    "batches.create",
    "batches.read",
    "batches.cancel",
    "batches.delete",
    "batches.results",
    "batches.items",
    "reports",
]
# Something is wrong with what carries the answer.
TRANSPORT = frozenset({"reset_before_billing", "reset_after_billing", "cut_answer", "not_json"})
# Something is wrong with the answer itself: only where a model writes one.
CONTENT = frozenset(
    {"truncated_json", "break_schema", "wrong_content", "refusal", "refusal_mid_answer", "cache_miss"}
)
DEFAULT_SECONDS: Mapping[str, float] = {"rate_limited": 1.0, "timeout": 0.0, "slow_first_byte": 60.0}
FAULTS_MAX = 1_000


class FaultRequest(Strict):
    """`POST /_emulator/faults`."""

    kind: Kind
    count: int | None = Field(default=None, ge=1)
    share: float | None = Field(default=None, gt=0, le=1)
    match: str | None = None
    seconds: float | None = Field(default=None, ge=0, lt=1e9)
    answer: str | None = None
    at: Place | None = None
    error_type: str | None = None
    status: int | None = Field(default=None, ge=400, le=599)


@dataclass
class Fault:
    """One scripted failure; `count` is what is left of it, None without end."""

    kind: str
    count: int | None = None
    share: float | None = None
    match: str | None = None
    seconds: float | None = None
    answer: str | None = None
    at: list[str] = field(default_factory=list)
    error_type: str | None = None
    status: int | None = None

    def as_json(self) -> dict[str, Any]:
        return asdict(self)


class FaultBook:
    """The failures to come, in the order they were asked for; the first that fits a request happens to it."""

    def __init__(self, seed: int) -> None:
        self._faults: list[Fault] = []
        self._chance = Random(seed)

    def __len__(self) -> int:
        return len(self._faults)

    def add(self, asked: FaultRequest) -> Fault:
        """Take one in, refusing what would otherwise be ignored."""
        _check(asked)
        if len(self._faults) >= FAULTS_MAX:
            raise invalid(f"at most {FAULTS_MAX} faults at a time")
        fault = Fault(
            kind=asked.kind,
            count=1 if asked.count is None and asked.share is None else asked.count,
            share=asked.share,
            match=asked.match,
            seconds=DEFAULT_SECONDS.get(asked.kind) if asked.seconds is None else asked.seconds,
            answer=asked.answer,
            at=[asked.at] if asked.at else _default_places(asked.kind),
            error_type=asked.error_type,
            status=asked.status,
        )
        self._faults.append(fault)
        return fault

    def list(self) -> list[dict[str, Any]]:
        """The failures that can still happen."""
        return [fault.as_json() for fault in self._faults]

    def clear(self) -> None:
        """Nothing fails any more."""
        self._faults = []

    def draw(self, place: Place, body: bytes | str = b"") -> Fault | None:
        """The failure that meets this request, used up by one."""
        if not self._faults:
            return None
        text = body.decode("utf-8", "replace") if isinstance(body, bytes) else body
        for fault in self._faults:
            if place not in fault.at or (fault.match is not None and fault.match not in text):
                continue
            if fault.share is not None and self._chance.random() >= fault.share:
                continue
            self._use(fault)
            return fault
        return None

    def _use(self, fault: Fault) -> None:
        if fault.count is None:
            return
        fault.count -= 1
        if fault.count == 0:
            self._faults.remove(fault)


def is_(fault: Fault | None, *kinds: Kind) -> bool:
    """Whether there is a fault, and of one of these kinds."""
    return fault is not None and fault.kind in kinds


def error_by(fault: Fault) -> ApiError | None:
    """The error body of a failure that is answered with one."""
    if fault.kind == "rate_limited":
        message = "This request would exceed your organization's rate limit."
        return ApiError("rate_limit_error", message, retry_after_seconds=math.ceil(fault.seconds or 0))
    if fault.kind == "spend_cap":
        details = {"error_code": "enforced_spend_limit_reached"}
        return ApiError("rate_limit_error", "Your organization has reached its spend limit.", details=details)
    if fault.kind == "api_error":
        return ApiError("api_error", "Internal server error")
    if fault.kind in ("overloaded", "stream_error"):
        return ApiError("overloaded_error", "Overloaded")
    if fault.kind == "timeout":
        return ApiError("timeout_error", "Request timed out")
    if fault.kind == "error":
        assert fault.error_type is not None
        return ApiError(fault.error_type, "An error by script", status=fault.status)
    return None


def _default_places(kind: str) -> list[str]:
    if kind in CONTENT or kind == "slow_first_byte":
        return ["messages", "batches.items"]
    return ["messages"]


def _check(asked: FaultRequest) -> None:
    kind, place = asked.kind, asked.at
    if asked.count is not None and asked.share is not None:
        raise invalid("count, share: give one of the two")
    lasts = kind in DEFAULT_SECONDS and (place != "batches.items" or kind == "slow_first_byte")
    if asked.seconds is not None and not lasts:
        raise invalid(f"seconds: a {kind} fault has no duration{' there' if kind in DEFAULT_SECONDS else ''}")
    if (asked.answer is not None) != (kind == "wrong_content"):
        raise invalid("answer: a wrong_content fault needs it, no other fault takes it")
    if (asked.error_type is not None) != (kind == "error"):
        raise invalid("error_type: an error fault needs it, no other fault takes it")
    if asked.error_type is not None and asked.error_type not in STATUS_BY_TYPE:
        raise invalid(f"error_type: Input should be one of {', '.join(STATUS_BY_TYPE)}")
    if asked.status is not None and kind != "error":
        raise invalid("status: only an error fault takes it")
    if place is None or place == "messages":
        return
    if place == "batches.items" and (kind in TRANSPORT or kind in ("spend_cap", "stream_error")):
        raise invalid(f"at: a {kind} fault cannot happen to a batch item")
    if place != "batches.items" and (kind in CONTENT or kind == "stream_error"):
        raise invalid(f"at: a {kind} fault needs an answer by a model; {place} has none")
