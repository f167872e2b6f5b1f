"""What follows when the API does not answer as hoped: pure decisions on what is known of the failure."""

from dataclasses import dataclass

from core.states import Outcome

ATTEMPTS_MAX = 5  # of one call, before its insight is deferred
WAIT_SECONDS_MAX = 60.0  # the API may ask for more; then the insight is deferred instead of waited for
BACKOFF_SECONDS = 0.5  # doubled with each attempt
DEFER_SECONDS = 300.0  # how long an outage keeps insights back
RATE_LIMIT = "rate_limit"
UNREADABLE = frozenset({"answer_unreadable", "usage_unreadable"})  # a 200 that makes no sense
SPEND_CAP = "enforced_spend_limit_reached"


@dataclass(frozen=True, slots=True)
class Failure:
    """One attempt without a usable answer from the API; holds no text of the request or the answer."""

    status: int | None  # None: no answer was heard
    error_type: str  # the API's word, or ours: timeout, connection_lost, not_connected
    error_code: str | None = None
    retry_after_seconds: float | None = None
    request_id: str | None = None


@dataclass(frozen=True, slots=True)
class Retry:
    """Ask again after so many seconds."""

    after_seconds: float


@dataclass(frozen=True, slots=True)
class Defer:
    """Give up for now: the insight may run again after so many seconds."""

    cause: str
    after_seconds: float


@dataclass(frozen=True, slots=True)
class Park:
    """This request will never succeed: a person must look."""

    reason: str


@dataclass(frozen=True, slots=True)
class Stop:
    """No request of this run will succeed: defer everything (a limit), or give it back (a wrong set-up)."""

    cause: str
    after_seconds: float | None  # None: the set-up is wrong, nothing is deferred
    is_limit: bool = False  # a limit was reached, nothing is broken


NextStep = Retry | Defer | Park | Stop


def outcome_of(failure: Failure) -> Outcome:
    """Return what the ledger says of the attempt.

    An answer that broke off, or a time-out on either side, may have been billed: it is lost until
    reconciled. A connection that was never made, and any error status, was turned away before work.
    """
    if failure.error_type == "not_connected":
        return Outcome.REJECTED
    if failure.status is None or failure.status < 400 or failure.status in {408, 504}:
        return Outcome.LOST
    return Outcome.REJECTED


def next_step(failure: Failure, attempt: int, jitter: float) -> NextStep:
    """Decide what follows after the `attempt`-th (from 1) attempt failed; `jitter` is in 0..1."""
    if failure.error_code == SPEND_CAP:
        return Stop("spend_limit", after_seconds=3600.0, is_limit=True)
    if failure.status in {401, 402, 403, 404}:
        return Stop(failure.error_type, after_seconds=None)
    if failure.status is not None and 400 <= failure.status < 500 and failure.status not in {408, 409, 429}:
        return Park(f"api_{failure.error_type}")
    if failure.error_type in UNREADABLE and attempt >= 2:  # each try is paid for, like a broken answer's
        return Park(failure.error_type)
    cause = RATE_LIMIT if failure.status == 429 else "outage"
    asked = failure.retry_after_seconds
    if asked is not None and asked > WAIT_SECONDS_MAX:
        return Defer(cause, asked)
    if attempt >= ATTEMPTS_MAX:
        return Defer(cause, max(asked or 0.0, DEFER_SECONDS))
    backoff = BACKOFF_SECONDS * 2 ** (attempt - 1)
    return Retry(max(asked or 0.0, backoff / 2) + jitter * backoff / 2)
