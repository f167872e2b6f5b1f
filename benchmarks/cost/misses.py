"""What isolated cache misses cost: known from the emulator's list of calls, held against the excess paid."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from benchmarks.cost.asked import MODEL
from benchmarks.cost.job import Told
from benchmarks.cost.rig import asked_of
from core.pricing import ClassPrices, prices_at

PAGE = 1_000


@dataclass(frozen=True, slots=True)
class Misses:
    """How many tokens were there to be read but were written again, and what that cost more than reading."""

    calls: int
    tokens: int
    cost_usd: Decimal  # missed tokens x (write - read), each at the price of its own lifetime
    excess_usd: Decimal  # what was paid above the floor

    @property
    def ratio(self) -> float:
        """Excess / cost of the misses: 1 is a run that lost nothing else."""
        return float(self.excess_usd / self.cost_usd) if self.cost_usd else 0.0


def misses_of(base_url: str, told: Told) -> Misses:
    """Go through the calls in their order, and count what had been written before and yet was not read."""
    prices = prices_at(MODEL, datetime.now(UTC))
    written: set[str] = set()
    calls, tokens, cost_usd, after = 0, 0, Decimal(0), 0
    while page := asked_of(base_url, f"calls?after={after}&limit={PAGE}")["calls"]:
        for call in page:
            missed, missed_usd = _missed(call, written, prices)
            calls, tokens, cost_usd = calls + bool(missed), tokens + missed, cost_usd + missed_usd
            written.update(prefix["hash"] for prefix in call["prefixes"] if prefix["action"] == "write")
        after = page[-1]["n"]
    excess = told.total_usd("billed") - told.total_usd("billed", "floor_usd")
    return Misses(calls, tokens, cost_usd, excess)


def _missed(call: Mapping[str, Any], written: set[str], prices: ClassPrices) -> tuple[int, Decimal]:
    """Return the tokens of this call that had been written before but are written again, and their cost."""
    tokens, cost_usd, covered = 0, Decimal(0), 0
    prefixes: Sequence[Mapping[str, Any]] = call["prefixes"]
    for prefix in prefixes:
        if prefix["action"] == "write" and prefix["hash"] in written:
            write = prices.cache_write_1h if prefix["ttl"] == "1h" else prices.cache_write_5m
            tokens += prefix["tokens"] - covered
            cost_usd += (prefix["tokens"] - covered) * (write - prices.cache_read).scaleb(-6)
        covered = prefix["tokens"]
    return tokens, cost_usd
