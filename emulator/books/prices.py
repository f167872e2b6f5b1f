"""What a request costs, by the dated price file beside this module.

Source: the published price table; `prices.yaml` is this emulator's own copy, so that it can be a second
opinion on any other. All arithmetic is `Decimal` and never rounded.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from importlib import resources
from typing import Any

import yaml

from emulator.books.usage import Usage

MILLION = Decimal(1_000_000)


@dataclass(frozen=True)
class Price:
    """One row of the price file: dollars per million tokens of each class, and when the row holds."""

    since: datetime
    prompt_tokens_above: int
    input: Decimal
    output: Decimal
    write_5m: Decimal
    write_1h: Decimal
    read: Decimal


@dataclass(frozen=True)
class PriceBook:
    """All rows by model, and the factors of service tiers and geographies."""

    rows: Mapping[str, tuple[Price, ...]]
    service_tiers: Mapping[str, Decimal]
    geographies: Mapping[str, Decimal]

    def price(self, model: str, at: datetime, prompt_tokens: int) -> Price:
        """The row for a prompt of this size at this time; KeyError for an unknown model, never $0."""
        holding = [p for p in self.rows[model] if p.since <= at and prompt_tokens > p.prompt_tokens_above]
        return max(holding, key=lambda p: (p.prompt_tokens_above, p.since))

    def cost_usd(self, model: str, usage: Usage, at: datetime) -> Decimal:
        """The exact bill of one request: every class at its own price, the size tier on the whole request."""
        price = self.price(model, at, usage.total_input_tokens)
        return sum(self.costs_usd(price, usage).values(), Decimal(0))

    def costs_usd(self, price: Price, usage: Usage) -> dict[str, Decimal]:
        """The same, class by class, under the names of `Usage`'s fields."""
        factor = self.service_tiers[usage.service_tier] * self.geographies[usage.inference_geo] / MILLION
        return {
            "input_tokens": usage.input_tokens * price.input * factor,
            "cache_write_5m_tokens": usage.cache_write_5m_tokens * price.write_5m * factor,
            "cache_write_1h_tokens": usage.cache_write_1h_tokens * price.write_1h * factor,
            "cache_read_tokens": usage.cache_read_tokens * price.read * factor,
            "output_tokens": usage.output_tokens * price.output * factor,
        }


def load_prices() -> PriceBook:
    """Read `prices.yaml`."""
    text = resources.files("emulator.books").joinpath("prices.yaml").read_text(encoding="utf-8")
    content = yaml.safe_load(text)
    return PriceBook(
        rows={model: tuple(_price(row) for row in rows) for model, rows in content["models"].items()},
        service_tiers={name: Decimal(factor) for name, factor in content["service_tiers"].items()},
        geographies={name: Decimal(factor) for name, factor in content["geographies"].items()},
    )


def decimal_text(amount: Decimal) -> str:
    """Money for JSON: every digit, no exponent, no trailing zeros."""
    text = format(amount, "f")
    return text.rstrip("0").rstrip(".") if "." in text else text


def _price(row: Mapping[str, Any]) -> Price:
    day = row.get("from")
    since = (
        datetime.min.replace(tzinfo=UTC)
        if day is None
        else datetime(day.year, day.month, day.day, tzinfo=UTC)
    )
    classes = {name: Decimal(row[name]) for name in ("input", "output", "write_5m", "write_1h", "read")}
    return Price(since=since, prompt_tokens_above=row.get("prompt_tokens_above", -1), **classes)
