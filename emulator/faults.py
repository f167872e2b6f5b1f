"""Failures by script: what the admin interface asked for, and which request each one meets."""

from dataclasses import asdict, dataclass
from random import Random
from typing import Any, Literal

from pydantic import Field

from emulator.errors import ApiError, invalid
from emulator.wire import Strict

Kind = Literal[
    "rate_limited",
    "spend_cap",
    "api_error",
    "overloaded",
    "timeout",
    "reset_before_billing",
    "reset_after_billing",
    "cut_answer",
    "truncated_json",
    "break_schema",
    "wrong_content",
    "refusal",
    "slow_first_byte",
    "cache_miss",
]
DEFAULT_SECONDS: dict[str, float] = {"rate_limited": 1.0, "timeout": 0.0, "slow_first_byte": 60.0}
FAULTS_MAX = 1_000


class FaultRequest(Strict):
    """`POST /_emulator/faults`."""

    kind: Kind
    count: int | None = Field(default=None, ge=1)
    share: float | None = Field(default=None, gt=0, le=1)
    match: str | None = None
    seconds: float | None = Field(default=None, ge=0, lt=1e9)
    answer: str | None = None


@dataclass
class Fault:
    """One scripted failure; `count` is what is left of it, None without end."""

    kind: str
    count: int | None
    share: float | None
    match: str | None
    seconds: float | None
    answer: str | None

    def as_json(self) -> dict[str, Any]:
        return asdict(self)


class FaultBook:
    """The failures to come, in the order they were asked for; the first that fits a request happens to it."""

    def __init__(self, seed: int) -> None:
        self._faults: list[Fault] = []
        self._chance = Random(seed)

    def add(self, asked: FaultRequest) -> Fault:
        """Take one in, refusing what would otherwise be ignored."""
        if asked.count is not None and asked.share is not None:
            raise invalid("count, share: give one of the two")
        if asked.seconds is not None and asked.kind not in DEFAULT_SECONDS:
            raise invalid(f"seconds: a {asked.kind} fault has no duration")
        if (asked.answer is not None) != (asked.kind == "wrong_content"):
            raise invalid("answer: a wrong_content fault needs it, no other fault takes it")
        if len(self._faults) >= FAULTS_MAX:
            raise invalid(f"at most {FAULTS_MAX} faults at a time")
        count = 1 if asked.count is None and asked.share is None else asked.count
        seconds = DEFAULT_SECONDS.get(asked.kind) if asked.seconds is None else asked.seconds
        fault = Fault(asked.kind, count, asked.share, asked.match, seconds, asked.answer)
        self._faults.append(fault)
        return fault

    def list(self) -> list[dict[str, Any]]:
        """The failures that can still happen."""
        return [fault.as_json() for fault in self._faults]

    def clear(self) -> None:
        """Nothing fails any more."""
        self._faults = []

    def draw(self, body: bytes) -> Fault | None:
        """The failure that meets this request, used up by one."""
        text = body.decode("utf-8", "replace") if self._faults else ""
        for fault in self._faults:
            if fault.match is not None and fault.match not in text:
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


def refusal_by(fault: Fault) -> ApiError | None:
    """The error body of a failure that is answered with one."""
    if fault.kind == "rate_limited":
        message = "This request would exceed your organization's rate limit."
        return ApiError("rate_limit_error", message, retry_after_seconds=round(fault.seconds or 0))
    if fault.kind == "spend_cap":
        details = {"error_code": "enforced_spend_limit_reached"}
        return ApiError("rate_limit_error", "Your organization has reached its spend limit.", details=details)
    if fault.kind == "api_error":
        return ApiError("api_error", "Internal server error")
    if fault.kind == "overloaded":
        return ApiError("overloaded_error", "Overloaded")
    if fault.kind == "timeout":
        return ApiError("timeout_error", "Request timed out")
    return None
