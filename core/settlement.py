"""An attempt before it is sent, and the figures that settle it afterwards: values of the ledger."""

from dataclasses import dataclass, fields, replace
from datetime import datetime
from decimal import Decimal
from typing import Any, Protocol

from core.calls import PlannedCall
from core.errors import TouchlineError
from core.pricing import Price, price_of
from core.retry import Failure, outcome_of
from core.states import Outcome, ServiceTier
from core.tally import Entry, depth_marked, path_of
from core.usage import Usage
from core.verdict import Judged, Reply


class Sent(Protocol):
    """What must be known of an attempt to settle it."""

    @property
    def attempt_id(self) -> str: ...
    @property
    def occurred_at(self) -> datetime: ...
    @property
    def model(self) -> str: ...
    @property
    def service_tier(self) -> ServiceTier: ...
    @property
    def price_version(self) -> str: ...
    @property
    def prompt_version(self) -> str: ...


@dataclass(frozen=True, slots=True)
class Attempt:
    """One HTTP request for one call, about to be sent."""

    attempt_id: str
    call_id: str
    call: PlannedCall
    occurred_at: datetime
    estimate: Price
    first: bool = True  # of its call

    @property
    def model(self) -> str:
        """The model that is asked."""
        return self.call.model

    @property
    def service_tier(self) -> ServiceTier:
        """What it is billed as."""
        return self.call.service_tier

    @property
    def prompt_version(self) -> str:
        """The version of its prompt's texts."""
        return self.call.prompt_version

    @property
    def price_version(self) -> str:
        """The prices that its estimate was made with."""
        return self.estimate.price_version

    def about(self, call: PlannedCall) -> "Attempt":
        """Return the attempt for fewer insights: others have been taken over meanwhile."""
        return replace(self, call=call)


@dataclass(frozen=True, slots=True)
class Settlement:
    """What became of an attempt; `cost_usd` is None when it is not known what was billed."""

    attempt_id: str
    outcome: Outcome
    outcome_reason: str | None
    model: str
    service_tier: str
    inference_geo: str | None
    usage: Usage
    cost_usd: Decimal | None
    price_version: str
    latency_ms: int | None  # None: not known of a batch's items
    request_id: str | None
    recorded_at: datetime

    def unused(self, reason: str) -> "Settlement":
        """Return the same figures for an answer that was good but is not used."""
        if self.outcome is not Outcome.SUCCEEDED:
            return self
        return replace(self, outcome=Outcome.UNUSABLE, outcome_reason=reason)

    def figures(self) -> dict[str, Any]:
        """Return the row's new values, by column."""
        usage = self.usage
        row = {name: getattr(self, name) for name in _FIGURES} | {
            name: getattr(usage, name) for name in _TOKENS
        }
        return row | {"cache_hit_rate": usage.cache_hit_rate if usage.total_input_tokens else None}


_FIGURES = tuple(field.name for field in fields(Settlement) if field.name != "usage")
_TOKENS = tuple(field.name for field in fields(Usage))


def settled_by_failure(attempt: Sent, failure: Failure, now: datetime) -> Settlement:
    """Settle an attempt that the API did not answer: free when it was turned away, else lost."""
    settled = settled_without_answer(
        attempt, outcome_of(failure), failure.error_code or failure.error_type, now
    )
    return replace(settled, request_id=failure.request_id, latency_ms=_milliseconds(attempt, now))


def settled_without_answer(attempt: Sent, outcome: Outcome, reason: str, now: datetime) -> Settlement:
    """Settle an attempt that used nothing; of a lost one nobody knows, so its estimate stands."""
    return Settlement(
        attempt_id=attempt.attempt_id,
        outcome=outcome,
        outcome_reason=reason,
        model=attempt.model,
        service_tier=attempt.service_tier,
        inference_geo=None,
        usage=Usage(0),
        cost_usd=None if outcome is Outcome.LOST else Decimal(0),
        price_version=attempt.price_version,
        latency_ms=None,
        request_id=None,
        recorded_at=now,
    )


def settled_by_reply(attempt: Sent, reply: Reply, judged: Judged, now: datetime) -> Settlement:
    """Settle an attempt that was answered; a service tier that the ledger does not know is as it was asked.

    A refusal before any output is not billed. An answer that no price is known for (another model than
    was asked, say) keeps its tokens and its estimate as lost, for a person to settle; it is never $0.
    """
    outcome, reason, price = judged.outcome, judged.reason, _price(attempt, reply)
    cost_usd = price.cost_usd if price else None
    if outcome is Outcome.REFUSED and not reply.text:
        cost_usd = Decimal(0)
    tier = reply.service_tier if reply.service_tier in set(ServiceTier) else attempt.service_tier
    if cost_usd is None:
        outcome, reason = Outcome.LOST, "no_price"
    return Settlement(
        attempt_id=attempt.attempt_id,
        outcome=outcome,
        outcome_reason=reason,
        model=reply.model,
        service_tier=tier,
        inference_geo=reply.inference_geo,
        usage=reply.usage,
        cost_usd=cost_usd,
        price_version=price.price_version if price else attempt.price_version,
        latency_ms=_milliseconds(attempt, now),
        request_id=reply.request_id,
        recorded_at=now,
    )


def entry_of(attempt: Attempt, settlement: Settlement) -> Entry:
    """Return what a settled attempt adds to the run's bill; the estimate where the cost is not known."""
    priced = settlement.cost_usd is not None
    return Entry(
        at=attempt.occurred_at,
        path=path_of(attempt.call),
        marked=depth_marked(attempt.call),
        usage=settlement.usage,
        model=settlement.model if priced else attempt.call.model,
        service_tier=settlement.service_tier if priced else attempt.service_tier,
        inference_geo=settlement.inference_geo if priced else None,
        cost_usd=attempt.estimate.cost_usd if settlement.cost_usd is None else settlement.cost_usd,
        first=attempt.first,
    )


def predicted_entry(call: PlannedCall, at: datetime, output_tokens: int | None = None) -> Entry:
    """Return what a planned call is expected to add to the run's bill, or would with such an answer."""
    usage = call.predicted
    if output_tokens is not None:
        usage = replace(usage, output_tokens=output_tokens)
    return Entry(
        at=at,
        path=path_of(call),
        marked=depth_marked(call),
        usage=usage,
        model=call.model,
        service_tier=call.service_tier,
        inference_geo=None,
        cost_usd=price_of(usage, model=call.model, at=at, service_tier=call.service_tier).cost_usd,
    )


def _price(attempt: Sent, reply: Reply) -> Price | None:
    try:
        return price_of(
            reply.usage,
            model=reply.model,
            at=attempt.occurred_at,
            service_tier=reply.service_tier,
            inference_geo=reply.inference_geo,
        )
    except TouchlineError:
        return None


def _milliseconds(attempt: Sent, now: datetime) -> int | None:
    if attempt.service_tier is ServiceTier.BATCH:
        return None  # when it was worked on is not told
    return max(0, round((now - attempt.occurred_at).total_seconds() * 1000))
