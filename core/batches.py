"""Message batches: how large they may be, when to look at them, and what becomes of their items: pure."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple

from core.calls import PlannedCall
from core.floor import PrefixNode
from core.retry import UNREADABLE, Failure, Park, next_step
from core.states import InsightState, Outcome, ServiceTier, SkipReason, Tone
from core.tally import path_of
from core.usage import Usage
from core.verdict import Judged, Verdict

REQUESTS_MAX = 100_000  # of one batch, by the API
BYTES_MAX = 32_000_000  # the API takes 256 MB; what is sent is held in memory several times over
POLL_SECONDS_FIRST = 10.0
POLL_SECONDS_MAX = 300.0
POLL_GROWTH = 1.5
ANSWERS_MAX = 2  # an insight without a usable answer is asked about once more, then parked
NOT_ANSWERED = {  # result types without a message, as the ledger and the insights have them
    "canceled": (Outcome.CANCELED, "batch_canceled"),
    "expired": (Outcome.EXPIRED, "batch_expired"),
}
_STATUS = {  # by the type of an errored item's error; anything else is an outage
    "invalid_request_error": 400,
    "authentication_error": 401,
    "billing_error": 402,
    "permission_error": 403,
    "not_found_error": 404,
    "request_too_large": 413,
    "rate_limit_error": 429,
}


@dataclass(frozen=True, slots=True)
class BatchedInsight:
    """One insight of an item, as it is when the result is read."""

    id: str
    title: str
    description: str
    first_name: str
    last_name: str | None
    category: str | None  # the extractor's word
    skip_sensitive: bool
    tone: Tone  # in which it was asked about
    unusable_answers: int
    waiting: bool  # still in the batch: nobody else has dealt with it meanwhile
    summaries_enabled: bool = True  # else its coach has switched them off since


@dataclass(frozen=True, slots=True)
class BatchedAttempt:
    """One item of a batch, read back from the ledger to be settled."""

    attempt_id: str
    occurred_at: datetime
    model: str
    price_version: str
    prompt_version: str
    packed: bool
    insights: tuple[BatchedInsight, ...]  # in the order of the notes
    organization_id: str = ""
    player_id: str = ""
    service_tier: ServiceTier = ServiceTier.BATCH


class After(NamedTuple):
    """What becomes of an insight when its batch is done with it."""

    state: InsightState
    reason: str | None = None
    missed_due: bool = False
    unusable: bool = False  # it got an answer that cannot be used
    verdict: Verdict | None = None  # of an answer


def after_answer(attempt: BatchedAttempt, judged: Judged) -> Mapping[str, After]:
    """Say what becomes of the insights of an answered item, by id.

    Without a usable answer an insight waits to be asked about alone, and is parked the second time; one
    that was refused alone is parked at once.
    """
    refused_alone = judged.outcome is Outcome.REFUSED and len(attempt.insights) == 1
    after: dict[str, After] = {}
    for insight, verdict in zip(attempt.insights, judged.verdicts, strict=True):
        if verdict.answer is None:
            after[insight.id] = _unusable(insight, verdict.state_reason, at_once=refused_alone)
        elif not insight.summaries_enabled:
            after[insight.id] = After(InsightState.SKIPPED, SkipReason.SUMMARIES_OFF)
        else:
            after[insight.id] = After(verdict.state, verdict.state_reason, verdict=verdict)
    return after


def after_error(attempt: BatchedAttempt, failure: Failure) -> Mapping[str, After]:
    """Say what becomes of the insights of an errored item: what the API will never take is parked.

    An answer that cannot be read was paid for, so it counts as one that cannot be used.
    """
    step = next_step(failure, 1, 0.0)
    if failure.error_type not in UNREADABLE and not isinstance(step, Park):
        return all_after(attempt, After(InsightState.PENDING, failure.error_type))
    reason = step.reason if isinstance(step, Park) else failure.error_type
    at_once = isinstance(step, Park) and len(attempt.insights) == 1  # of several, one may be at fault
    return {insight.id: _unusable(insight, reason, at_once=at_once) for insight in attempt.insights}


def _unusable(insight: BatchedInsight, reason: str | None, *, at_once: bool) -> After:
    last = at_once or insight.unusable_answers + 1 >= ANSWERS_MAX
    return After(InsightState.PARKED if last else InsightState.PENDING, reason, unusable=True)


def after_unreadable(attempt: BatchedAttempt, reason: str) -> Mapping[str, After]:
    """Say what becomes of the insights of an item whose result makes no sense: it may have been paid for."""
    return {insight.id: _unusable(insight, reason, at_once=False) for insight in attempt.insights}


def all_after(attempt: BatchedAttempt, after: After) -> Mapping[str, After]:
    """Say the same of every insight of an item."""
    return {insight.id: after for insight in attempt.insights}


def errored(error_type: str, request_id: str | None, error_code: str | None = None) -> Failure:
    """Return what is known of an errored item. No item of a batch is heard twice, so none is lost."""
    status = _STATUS.get(error_type, 500)
    return Failure(status=status, error_type=error_type, error_code=error_code, request_id=request_id)


def next_pause(seconds: float) -> float:
    """Return how long to wait before the next look at open batches, after a wait of so many seconds."""
    return min(POLL_SECONDS_MAX, seconds * POLL_GROWTH)


def prefix_path(prefixes: Mapping[str, Sequence[Any]], key: str) -> tuple[PrefixNode, ...]:
    """Return the shared prefixes of a call, outermost first, from a batch's `{key: [tokens, parent]}`."""
    path: list[PrefixNode] = []
    parent: str | None = key
    while parent is not None:
        tokens, before = prefixes[parent]
        path.append(PrefixNode(parent, tokens))
        parent = before
    return tuple(reversed(path))


def prefixes_of(calls: Iterable[PlannedCall]) -> dict[str, tuple[int, str | None]]:
    """Return what `prefix_path` reads, of these calls."""
    found: dict[str, tuple[int, str | None]] = {}
    for call in calls:
        before: str | None = None
        for node in path_of(call):
            found[node.key] = (node.tokens, before)
            before = node.key
    return found


def kept_warm(path: Sequence[PrefixNode], usage: Usage) -> tuple[str, ...]:
    """Return which of a call's marked prefixes it has written or read; nothing when nothing was cached.

    What lies inside the prefix that it read is not kept alive by that, so far as is documented.
    """
    read, cached = usage.cache_read_tokens, usage.total_input_tokens - usage.input_tokens
    if not path or not cached:
        return ()
    counted = cached / path[-1].tokens  # of a planned token: the deepest marker ends what is cached
    places = range(len(path))
    read_place = min(places, key=lambda place: abs(path[place].tokens * counted - read)) if read else 0
    return tuple(node.key for node in path[read_place:])
