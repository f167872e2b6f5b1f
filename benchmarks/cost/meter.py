"""The emulator's meter: what a contender costs."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

CLASSES = ("input_tokens", "cache_write_5m_tokens", "cache_write_1h_tokens", "cache_read_tokens")


@dataclass(frozen=True, slots=True)
class Meter:
    """What one or several emulators have billed."""

    calls: int
    cost_usd: Decimal
    tokens: Mapping[str, int]
    preamble_tokens: int  # what the output format of one answer adds to a prompt

    @property
    def total_input_tokens(self) -> int:
        """The prompts' tokens of all classes."""
        return sum(self.tokens[name] for name in CLASSES)

    @property
    def uncached_tokens(self) -> int:
        """What counts towards input tokens a minute: all but reads."""
        return self.total_input_tokens - self.tokens["cache_read_tokens"]

    @property
    def hit_rate(self) -> float:
        """The share of the prompts that was read from the cache."""
        return self.tokens["cache_read_tokens"] / self.total_input_tokens


def meter_of(told: Sequence[Mapping[str, Any]], preamble_tokens: int) -> Meter:
    """Add up the meters of several emulators."""
    rows = [row for meter in told for row in meter["rows"]]
    tokens = {name: sum(int(row[name]) for row in rows) for name in (*CLASSES, "output_tokens")}
    cost_usd = sum((Decimal(meter["cost_usd"]) for meter in told), Decimal(0))
    return Meter(sum(int(meter["requests"]) for meter in told), cost_usd, tokens, preamble_tokens)
