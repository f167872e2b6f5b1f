"""What has been billed, by minute and by everything it can be asked by; nothing is ever dropped."""

from dataclasses import replace
from datetime import datetime
from decimal import Decimal
from typing import Any, NamedTuple

from emulator.books.prices import PriceBook, decimal_text
from emulator.books.store import Store, micros, moment
from emulator.books.usage import BILLED_CLASSES, Usage

MINUTE = 60_000_000
PICODOLLARS = Decimal(10**12)
LONG_CONTEXT_TOKENS = 200_000


class UsageRow(NamedTuple):
    """Sums over the requests of one minute, or of any span within one UTC day, that agree in all the rest."""

    since: datetime
    workspace: str
    model: str
    service_tier: str
    inference_geo: str
    context_window: str
    price_step: int
    billed: bool
    requests: int
    usage: Usage
    cost_usd: Decimal


class Meter:
    """The sum of all answers' usage, and of what they cost."""

    def __init__(self, store: Store, prices: PriceBook) -> None:
        self._store = store
        self._prices = prices

    def add(self, at: datetime, workspace: str, model: str, usage: Usage, *, free: bool = False) -> Decimal:
        """Count one request that has usage, whether or not its answer arrives; gives its cost in dollars."""
        step = self._prices.price(model, at, usage.total_input_tokens).prompt_tokens_above
        cost = Decimal(0) if free else self._prices.cost_usd(model, usage, at)
        window = "200k-1M" if usage.total_input_tokens > LONG_CONTEXT_TOKENS else "0-200k"
        key = (usage.service_tier, usage.inference_geo, window, step, not free)
        tokens = [getattr(usage, name) for name in BILLED_CLASSES]
        minute = micros(at) // MINUTE * MINUTE
        self._store.run(ADD, minute, workspace, model, *key, *tokens, picodollars(cost))
        return cost

    def rows(self, since: datetime, until: datetime, width_minutes: int) -> list[UsageRow]:
        """Usage in [since, until), summed over spans of that width, which lie within one UTC day."""
        width = width_minutes * MINUTE
        found = self._store.run(ROWS, width, width, micros(since), micros(until), width)
        return [_row(*values) for values in found]

    def as_json(self) -> dict[str, Any]:
        """METER of the contract."""
        rows = [dict(zip(METER_COLUMNS, values, strict=True)) for values in self._store.run(TOTALS)]
        costs = [row.pop("cost_picodollars") / PICODOLLARS for row in rows]
        return {
            "requests": sum(row["requests"] for row in rows),
            "cost_usd": decimal_text(sum(costs, Decimal(0))),
            "rows": [{**row, "cost_usd": decimal_text(cost)} for row, cost in zip(rows, costs, strict=True)],
        }


def picodollars(cost_usd: Decimal) -> int:
    """A cost as it is stored; a price too fine for that is an error, never rounded."""
    exact = cost_usd * PICODOLLARS
    if exact != int(exact):
        raise ValueError(f"{cost_usd} dollars is not a whole number of 1e-12 dollars")
    return int(exact)


def _row(
    since: int, workspace: str, model: str, tier: str, geography: str, window: str, step: int, billed: int,
    requests: int, fresh: int, write_5m: int, write_1h: int, read: int, output: int, cost: int,
) -> UsageRow:  # fmt: skip
    usage = replace(
        Usage(fresh, write_5m, write_1h, read, output), service_tier=tier, inference_geo=geography
    )
    key = (moment(since), workspace, model, tier, geography, window, step, bool(billed))
    return UsageRow(*key, requests, usage, cost / PICODOLLARS)


METER_COLUMNS = (
    "model",
    "service_tier",
    "requests",
    "input_tokens",
    "cache_write_5m_tokens",
    "cache_write_1h_tokens",
    "cache_read_tokens",
    "output_tokens",
    "cost_picodollars",
)
ADD = """
    INSERT INTO usage_minute VALUES (?, ?, ?, ?, ?, ?, ?, ?, 1, ?, ?, ?, ?, ?, ?)
    ON CONFLICT DO UPDATE SET
        requests = requests + 1,
        input_tokens = input_tokens + excluded.input_tokens,
        cache_write_5m_tokens = cache_write_5m_tokens + excluded.cache_write_5m_tokens,
        cache_write_1h_tokens = cache_write_1h_tokens + excluded.cache_write_1h_tokens,
        cache_read_tokens = cache_read_tokens + excluded.cache_read_tokens,
        output_tokens = output_tokens + excluded.output_tokens,
        cost_picodollars = cost_picodollars + excluded.cost_picodollars
"""
SUMS = """
    sum(requests), sum(input_tokens), sum(cache_write_5m_tokens), sum(cache_write_1h_tokens),
    sum(cache_read_tokens), sum(output_tokens), sum(cost_picodollars)
"""
DIMENSIONS = "workspace, model, service_tier, inference_geo, context_window, price_step, billed"
TOTALS = f"SELECT model, service_tier, {SUMS} FROM usage_minute GROUP BY 1, 2 ORDER BY 1, 2"  # noqa: S608
ROWS = f"""
    SELECT minute / ? * ?, {DIMENSIONS}, {SUMS} FROM usage_minute
    WHERE minute >= ? AND minute < ? GROUP BY minute / ?, {DIMENSIONS} ORDER BY 1, 2, 3, 4, 5, 6, 7, 8
"""  # noqa: S608
