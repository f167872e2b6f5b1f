"""From the bill of doing it plainly to the bill that came: what caching saved, and what packing did."""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from core.bill import Bill, plain_money
from core.calls import PlannedCall
from core.pricing import prices_at

SHARE_STEP = Decimal("0.0001")
STEPS = {
    "uncached": "each insight alone, uncached",
    "cached": "each alone, cached",
    "packed": "packed by player",
    "overnight": "the same in batches",
}


@dataclass(frozen=True, slots=True)
class Waterfall:
    """The same insights, dearest way first, in US dollars.

    `uncached_usd`: each in a call of its own, nothing cached. `cached_usd`: the same calls reading their
    shared prefixes as this run's did. `packed_usd`: as billed, or as it would have been live.
    `overnight_usd`: as billed, when it was in batches. `cached_token_cut` is the price cut on a token that is
    read from the cache: of one token, not of the bill.
    """

    uncached_usd: Decimal
    cached_usd: Decimal
    packed_usd: Decimal
    cached_token_cut: Decimal
    overnight_usd: Decimal | None = None

    def steps(self) -> list[tuple[str, Decimal, Decimal]]:
        """Return name, dollars and share of the plain bill of each step."""
        whole = self.uncached_usd
        named = {"uncached": whole, "cached": self.cached_usd, "packed": self.packed_usd}
        if self.overnight_usd is not None:
            named["overnight"] = self.overnight_usd
        return [(name, usd, _share(usd, whole)) for name, usd in named.items()]

    def to_json(self) -> dict[str, Any]:
        """Return the steps, with exact dollars."""
        return {
            "steps": [
                {"step": name, "cost_usd": plain_money(usd), "share": float(share)}
                for name, usd, share in self.steps()
            ],
            "cached_token_cut": float(self.cached_token_cut),
        }


class Packing:
    """Adds up what packs have spared: the prompts of the calls that were not needed."""

    def __init__(self) -> None:
        self._uncached_usd = self._cached_usd = Decimal(0)

    def add(self, call: PlannedCall, at: datetime) -> None:
        """Count an answered call: all its insights but one would have needed a call of their own."""
        read = max((prefix.tokens for prefix in call.marked), default=0)
        self.add_spared(len(call.insights) - 1, call.prefixes[-1].tokens, read, call.model, at)

    def add_spared(self, calls: int, front_tokens: int, read_tokens: int, model: str, at: datetime) -> None:
        """Count calls that were not needed: each would have had so many tokens in front of its note."""
        if not calls:
            return
        prices = prices_at(model, at)
        self._uncached_usd += calls * front_tokens * prices.input.scaleb(-6)
        reading = read_tokens * prices.cache_read + (front_tokens - read_tokens) * prices.input
        self._cached_usd += calls * reading.scaleb(-6)

    def waterfall(
        self, billed: Bill, model: str, at: datetime, *, live_usd: Decimal | None = None
    ) -> Waterfall:
        """Return the steps down to this bill; `live_usd`: what a bill of batches would have been live."""
        prices = prices_at(model, at)
        packed = billed.cost_usd if live_usd is None else live_usd
        return Waterfall(
            uncached_usd=billed.uncached_cost_usd + self._uncached_usd,
            cached_usd=packed + self._cached_usd,
            packed_usd=packed,
            cached_token_cut=_share(prices.input - prices.cache_read, prices.input),
            overnight_usd=None if live_usd is None else billed.cost_usd,
        )


def _share(part: Decimal, whole: Decimal) -> Decimal:
    return (part / whole).quantize(SHARE_STEP) if whole else Decimal(0)
