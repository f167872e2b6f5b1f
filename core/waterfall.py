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
    "packed": "packed by player: the bill",
}


@dataclass(frozen=True, slots=True)
class Waterfall:
    """The same insights, dearest way first, in US dollars.

    `uncached_usd`: each in a call of its own, nothing cached. `cached_usd`: the same calls reading their
    shared prefixes as this run's did. `packed_usd`: as billed. `cached_token_cut` is the price cut on a token
    that is read from the cache: of one token, not of the bill.
    """

    uncached_usd: Decimal
    cached_usd: Decimal
    packed_usd: Decimal
    cached_token_cut: Decimal

    def steps(self) -> list[tuple[str, Decimal, Decimal]]:
        """Return name, dollars and share of the plain bill of each step."""
        whole = self.uncached_usd
        named = {"uncached": whole, "cached": self.cached_usd, "packed": self.packed_usd}
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
        spared = len(call.insights) - 1
        if not spared:
            return
        prices = prices_at(call.model, at)
        whole = call.prefixes[-1].tokens
        read = max((prefix.tokens for prefix in call.marked), default=0)
        self._uncached_usd += spared * whole * prices.input.scaleb(-6)
        reading = read * prices.cache_read + (whole - read) * prices.input
        self._cached_usd += spared * reading.scaleb(-6)

    def waterfall(self, billed: Bill, model: str, at: datetime) -> Waterfall:
        """Return the steps down to this bill."""
        prices = prices_at(model, at)
        return Waterfall(
            uncached_usd=billed.uncached_cost_usd + self._uncached_usd,
            cached_usd=billed.cost_usd + self._cached_usd,
            packed_usd=billed.cost_usd,
            cached_token_cut=_share(prices.input - prices.cache_read, prices.input),
        )


def _share(part: Decimal, whole: Decimal) -> Decimal:
    return (part / whole).quantize(SHARE_STEP) if whole else Decimal(0)
