"""The vendor's own reports over the meter: usage by minute, hour or day, and cost by day.

Source: the reference of the Admin API (usage report, cost report). Buckets are of UTC; a dimension that is
not grouped by is null; `page` is the start of the next bucket; amounts are cents as exact decimals.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from emulator.books.meter import UsageRow
from emulator.books.prices import PriceBook, decimal_text
from emulator.books.usage import Usage
from emulator.clock import rfc3339

CENTS = 100


@dataclass(frozen=True)
class Width:
    """A width of bucket, with how many a page has by default and at most."""

    minutes: int
    default_limit: int
    limit_max: int

    @property
    def span(self) -> timedelta:
        return timedelta(minutes=self.minutes)


WIDTHS = {"1m": Width(1, 60, 1_440), "1h": Width(60, 24, 168), "1d": Width(1_440, 7, 31)}

# What usage can be grouped by and filtered on, with the name each has in a row.
USAGE_DIMENSIONS: Mapping[str, Callable[[UsageRow], str]] = {
    "api_key_id": lambda row: row.workspace.replace("wrkspc_", "apikey_"),
    "workspace_id": lambda row: row.workspace,
    "model": lambda row: row.model,
    "service_tier": lambda row: row.service_tier,
    "context_window": lambda row: row.context_window,
    "inference_geo": lambda row: row.inference_geo,
}
# Fields of `Usage`, as the cost report calls them and as its descriptions word them.
TOKEN_TYPES = {
    "input_tokens": ("uncached_input_tokens", "Input Tokens"),
    "cache_write_5m_tokens": ("cache_creation.ephemeral_5m_input_tokens", "Input Tokens, Cache Write 5m"),
    "cache_write_1h_tokens": ("cache_creation.ephemeral_1h_input_tokens", "Input Tokens, Cache Write 1h"),
    "cache_read_tokens": ("cache_read_input_tokens", "Input Tokens, Cache Hit"),
    "output_tokens": ("output_tokens", "Output Tokens"),
}
Results = Callable[[Sequence[UsageRow]], list[dict[str, Any]]]


def buckets(
    rows: Iterable[UsageRow], first: datetime, count: int, width: Width, results: Results
) -> list[dict[str, Any]]:
    """That many buckets from `first` on, each with the results made of its rows; empty ones too."""
    by_start: dict[datetime, list[UsageRow]] = defaultdict(list)
    for row in rows:
        by_start[row.since].append(row)
    starts = [first + i * width.span for i in range(count)]
    return [
        {
            "starting_at": rfc3339(start),
            "ending_at": rfc3339(start + width.span),
            "results": results(by_start[start]),
        }
        for start in starts
    ]


def usage_results(rows: Sequence[UsageRow], group_by: Sequence[str]) -> list[dict[str, Any]]:
    """The results of one bucket of the usage report."""
    sums: dict[tuple[str | None, ...], Usage] = {}
    for row in rows:
        key = tuple(value(row) if name in group_by else None for name, value in USAGE_DIMENSIONS.items())
        sums[key] = sums[key].plus(row.usage) if key in sums else row.usage
    return [
        {
            "uncached_input_tokens": usage.input_tokens,
            "cache_creation": {
                "ephemeral_5m_input_tokens": usage.cache_write_5m_tokens,
                "ephemeral_1h_input_tokens": usage.cache_write_1h_tokens,
            },
            "cache_read_input_tokens": usage.cache_read_tokens,
            "output_tokens": usage.output_tokens,
            "server_tool_use": {"web_search_requests": 0},
            **dict(zip(USAGE_DIMENSIONS, key, strict=True)),
        }
        for key, usage in sums.items()
    ]


def cost_results(
    rows: Sequence[UsageRow], group_by: Sequence[str], prices: PriceBook, names: Mapping[str, str]
) -> list[dict[str, Any]]:
    """The results of one bucket of the cost report; `names` are the models' display names."""
    sums: dict[tuple[str | None, ...], Decimal] = defaultdict(Decimal)
    for row in rows:
        if not row.billed:
            continue
        price = prices.price(row.model, row.since, row.price_step + 1)
        for field, amount in prices.costs_usd(price, row.usage).items():
            if amount:
                sums[_cost_key(row, field, group_by, names)] += amount
    return [
        {
            "currency": "USD",
            "amount": decimal_text(amount * CENTS),
            **dict(zip(COST_FIELDS, key, strict=True)),
        }
        for key, amount in sums.items()
    ]


COST_FIELDS = (
    "workspace_id",
    "description",
    "cost_type",
    "context_window",
    "model",
    "service_tier",
    "token_type",
    "inference_geo",
)


def _cost_key(
    row: UsageRow, field: str, group_by: Sequence[str], names: Mapping[str, str]
) -> tuple[str | None, ...]:
    workspace = row.workspace if "workspace_id" in group_by else None
    if "description" not in group_by:
        return (workspace, *[None] * (len(COST_FIELDS) - 1))
    token_type, words = TOKEN_TYPES[field]
    batch = " - Batch" if row.service_tier == "batch" else ""
    description = f"{names[row.model]} Usage{batch} - {words}"
    traits = (row.context_window, row.model, row.service_tier, token_type, row.inference_geo)
    return (workspace, description, "tokens", *traits)
