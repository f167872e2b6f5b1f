"""What has been billed: totals by model and service tier, which never drop a request."""

from collections import defaultdict
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from emulator.prices import decimal_text
from emulator.usage import Usage


@dataclass
class MeterRow:
    """Running totals of one model in one service tier."""

    requests: int = 0
    input_tokens: int = 0
    cache_write_5m_tokens: int = 0
    cache_write_1h_tokens: int = 0
    cache_read_tokens: int = 0
    output_tokens: int = 0
    cost_usd: Decimal = Decimal(0)

    def add(self, usage: Usage, cost_usd: Decimal) -> None:
        self.requests += 1
        self.input_tokens += usage.input_tokens
        self.cache_write_5m_tokens += usage.cache_write_5m_tokens
        self.cache_write_1h_tokens += usage.cache_write_1h_tokens
        self.cache_read_tokens += usage.cache_read_tokens
        self.output_tokens += usage.output_tokens
        self.cost_usd += cost_usd


class Meter:
    """The sum of all answers' usage, and of what they cost."""

    def __init__(self) -> None:
        self._rows: dict[tuple[str, str], MeterRow] = defaultdict(MeterRow)

    def add(self, model: str, usage: Usage, cost_usd: Decimal) -> None:
        """Count one request that has usage, whether or not its answer arrives."""
        self._rows[(model, usage.service_tier)].add(usage, cost_usd)

    def as_json(self) -> dict[str, Any]:
        """METER of the contract."""
        rows = sorted(self._rows.items())
        return {
            "requests": sum(row.requests for _, row in rows),
            "cost_usd": decimal_text(sum((row.cost_usd for _, row in rows), Decimal(0))),
            "rows": [
                {"model": model, "service_tier": tier, **vars(row), "cost_usd": decimal_text(row.cost_usd)}
                for (model, tier), row in rows
            ],
        }
