"""The emulator's own prices: each bill restated by independent arithmetic."""

import csv
from datetime import UTC, datetime
from decimal import Decimal
from email.utils import parsedate_to_datetime
from pathlib import Path

import pytest

from emulator.books.prices import decimal_text, load_prices
from emulator.books.usage import Usage
from emulator.request.catalog import load_catalog

NOW = datetime(2026, 11, 1, tzinfo=UTC)
PRICES = load_prices()
SAMPLES = Path(__file__).parents[1] / "data" / "usage_samples.csv"


def cost(model: str, usage: Usage, at: datetime = NOW) -> str:
    return decimal_text(PRICES.cost_usd(model, usage, at))


@pytest.mark.parametrize(
    ("model", "usage", "expected"),
    [
        ("claude-haiku-5-5", Usage(input_tokens=1_000_000 // 10), "0.01"),
        ("claude-haiku-5-5", Usage(output_tokens=1_000_000), "0.5"),
        ("claude-haiku-5-5", Usage(cache_write_5m_tokens=80_000), "0.01"),
        ("claude-haiku-5-5", Usage(cache_write_1h_tokens=50_000), "0.01"),
        ("claude-haiku-5-5", Usage(cache_read_tokens=100_000), "0.001"),
        (
            "claude-sonnet-4-6",
            Usage(input_tokens=3, cache_write_5m_tokens=12_304, output_tokens=550),
            "0.054399",
        ),
        ("claude-opus-5-5", Usage(cache_read_tokens=1), "0.0000002"),
    ],
)
def test_each_class_has_its_own_price(model: str, usage: Usage, expected: str) -> None:
    assert cost(model, usage) == expected


@pytest.mark.parametrize(
    ("usage", "expected"),
    [
        (Usage(input_tokens=100_000, output_tokens=1_000), "0.0105"),
        (Usage(input_tokens=100_001, output_tokens=1_000), "0.0525005"),
        (Usage(input_tokens=1, cache_read_tokens=100_000), "0.0050005"),
        (Usage(cache_write_5m_tokens=50_000, cache_write_1h_tokens=50_001), "0.081251"),
    ],
)
def test_a_prompt_above_100_000_tokens_is_dearer_as_a_whole(usage: Usage, expected: str) -> None:
    assert cost("claude-haiku-5-5", usage) == expected


@pytest.mark.parametrize(
    ("at", "expected"),
    [
        (datetime(2026, 9, 20, tzinfo=UTC), "0.02"),
        (datetime(2026, 10, 6, 23, 59, 59, tzinfo=UTC), "0.02"),
        (datetime(2026, 10, 7, tzinfo=UTC), "0.01"),
    ],
)
def test_a_price_holds_from_its_date(at: datetime, expected: str) -> None:
    assert cost("claude-sonnet-5-5", Usage(cache_read_tokens=100_000), at) == expected


@pytest.mark.parametrize(
    ("tier", "geography", "expected"),
    [
        ("standard", "us", "1.1"),
        ("standard", "global", "1"),
        ("batch", "not_available", "0.5"),
        ("batch", "us", "0.55"),
    ],
)
def test_geography_and_service_tier_are_factors_on_every_class(
    tier: str, geography: str, expected: str
) -> None:
    usage = Usage(input_tokens=1_000_000, service_tier=tier, inference_geo=geography)
    assert decimal_text(PRICES.cost_usd("claude-haiku-4-5", usage, NOW)) == expected


def test_an_unknown_model_is_an_error_and_never_free() -> None:
    with pytest.raises(KeyError, match="claude-unknown"):
        cost("claude-unknown", Usage(input_tokens=1))


def test_every_model_that_is_served_has_a_price() -> None:
    served = {name for name, model in load_catalog().items() if model.lifecycle != "retired"}
    assert served == set(PRICES.rows)


def _samples() -> list[dict[str, str]]:
    with SAMPLES.open(newline="", encoding="utf-8") as file:
        return [row for row in csv.DictReader(file) if row["model"] in PRICES.rows]


def test_recorded_usage_of_the_real_api_costs_the_recorded_amount_to_the_last_digit() -> None:
    samples = _samples()
    assert len(samples) > 20
    for row in samples:
        usage = Usage(
            input_tokens=int(row["input_tokens"]),
            cache_write_5m_tokens=int(row["cache_write_5m_tokens"]),
            cache_write_1h_tokens=int(row["cache_write_1h_tokens"]),
            cache_read_tokens=int(row["cache_read_tokens"]),
            output_tokens=int(row["output_tokens"]),
            inference_geo=row["inference_geo"] or "not_available",
        )
        at = parsedate_to_datetime(row["date"]) if row["date"] else NOW
        assert PRICES.cost_usd(row["model"], usage, at) == Decimal(row["cost_usd"]), row


@pytest.mark.parametrize(
    ("amount", "text"), [("0", "0"), ("1E-9", "0.000000001"), ("10", "10"), ("0.500", "0.5"), ("0E-12", "0")]
)
def test_money_is_written_with_every_digit_and_no_exponent(amount: str, text: str) -> None:
    assert decimal_text(Decimal(amount)) == text
