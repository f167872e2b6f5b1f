"""The bill: every recorded call to the last digit, the keys of the interfaces, ratios within bounds."""

import csv
import json
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from email.utils import parsedate_to_datetime
from pathlib import Path

import pytest

from core.bill import BilledAttempt, bill_of
from core.errors import UnknownModel
from core.floor import PrefixNode
from core.pricing import ClassPrices, price_of, uncached_cost
from core.usage import Usage

AT = datetime(2026, 11, 2, 12, tzinfo=UTC)
SAMPLES = list(csv.DictReader((Path(__file__).parents[1] / "data" / "usage_samples.csv").open(newline="")))
SPORT = (PrefixNode("sport", 4000),)


def attempt(call_id: str, usage: Usage, *, service_tier: str = "standard") -> BilledAttempt:
    price = price_of(usage, model="claude-haiku-5-5", at=AT, service_tier=service_tier)
    return BilledAttempt(
        call_id=call_id,
        usage=usage,
        cost_usd=price.cost_usd,
        model="claude-haiku-5-5",
        at=AT,
        service_tier=service_tier,
        path=SPORT,
    )


LEADER = attempt("one", Usage(50, 0, 4000, 0, 140))
FOLLOWER = attempt("two", Usage(60, 4000, 0, 0, 120))


@pytest.mark.parametrize("sample", SAMPLES, ids=lambda row: f"{row['model']}-{row['cost_usd']}")
def test_a_recorded_call_costs_what_it_cost(sample: dict[str, str]) -> None:
    """An undated sample is of a model whose price never changed below 200,000 tokens: any day will do."""
    usage = Usage(
        int(sample["input_tokens"]),
        int(sample["cache_read_tokens"]),
        int(sample["cache_write_5m_tokens"]),
        int(sample["cache_write_1h_tokens"]),
        int(sample["output_tokens"]),
    )
    at = parsedate_to_datetime(sample["date"]) if sample["date"] else datetime(2026, 10, 9, tzinfo=UTC)
    price = price_of(
        usage,
        model=sample["model"],
        at=at,
        service_tier=sample["service_tier"],
        inference_geo=sample["inference_geo"] or None,
    )
    assert price.cost_usd == Decimal(sample["cost_usd"])


def test_all_37_recorded_calls_are_there() -> None:
    assert len(SAMPLES) == 37


def test_the_well_known_example_comes_out_when_its_numbers_are_a_total(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    prices = ClassPrices(Decimal(5), Decimal("0.5"), Decimal("6.25"), Decimal(10), Decimal(15))
    usage = Usage(5_000 - 4_000, cache_read_tokens=4_000, output_tokens=500)
    assert prices.cost_of(usage) == Decimal("0.0145")
    assert prices.cost_uncached(usage) == Decimal("0.0325")


def test_the_uncached_cost_is_live_and_of_the_same_size_tier() -> None:
    usage = Usage(1, 100_000, output_tokens=10)
    assert uncached_cost(usage, model="claude-haiku-5-5", at=AT) == Decimal("0.0500255")
    assert uncached_cost(usage, model="claude-haiku-5-5", at=AT, inference_geo="us") == Decimal("0.05502805")


def test_a_bill_has_exactly_the_keys_of_the_interfaces() -> None:
    assert bill_of([LEADER, FOLLOWER]).to_json() == {
        "calls": 2,
        "attempts": 2,
        "input_tokens": 110,
        "cache_read_tokens": 4000,
        "cache_write_5m_tokens": 4000,
        "cache_write_1h_tokens": 0,
        "output_tokens": 260,
        "total_input_tokens": 8110,
        "cache_hit_rate": 0.493218,
        "cost_usd": "0.000681",
        "uncached_cost_usd": "0.000941",
        "floor_usd": "0.000681",
        "efficiency": 1.0,
    }


def test_no_calls_make_a_bill_of_zeros() -> None:
    bill = bill_of([]).to_json()
    assert bill.pop("efficiency") == 1
    assert set(map(float, bill.values())) == {0.0}
    assert bill["cost_usd"] == "0"


def test_money_is_written_out_in_full_without_an_exponent() -> None:
    one_token = attempt("one", Usage(0, 1), service_tier="batch")
    bill = bill_of([replace(one_token, path=())]).to_json()
    assert bill["cost_usd"] == "0.000000005"
    assert bill_of([replace(LEADER, cost_usd=Decimal("1E+2"))]).to_json()["cost_usd"] == "100"
    assert json.loads(json.dumps(bill)) == bill


def test_attempts_are_all_requests_and_calls_the_distinct_ones() -> None:
    bill = bill_of([LEADER, FOLLOWER, replace(FOLLOWER)])
    assert (bill.calls, bill.attempts) == (2, 3)


def test_a_refusal_before_output_has_tokens_but_no_price_in_any_world() -> None:
    refused = replace(attempt("three", Usage(60, 4000)), cost_usd=Decimal(0))
    bill, without = bill_of([LEADER, FOLLOWER, refused]), bill_of([LEADER, FOLLOWER])
    assert bill.cache_read_tokens == 8000
    assert (bill.cost_usd, bill.uncached_cost_usd, bill.floor_usd) == (
        without.cost_usd,
        without.uncached_cost_usd,
        without.floor_usd,
    )


def test_the_uncached_bill_of_a_batch_is_the_live_price() -> None:
    usage = Usage(50, 4000, output_tokens=140)
    live, batch = (bill_of([attempt("one", usage, service_tier=tier)]) for tier in ("standard", "batch"))
    assert batch.cost_usd * 2 == live.cost_usd
    assert batch.uncached_cost_usd == live.uncached_cost_usd == Decimal("0.000475")


def test_what_was_saved_is_the_share_of_the_uncached_bill() -> None:
    assert bill_of([LEADER, FOLLOWER]).saved_fraction == 0.276302
    assert bill_of([]).saved_fraction == 0


def test_a_missed_cache_lowers_the_efficiency() -> None:
    missed = attempt("three", Usage(60, 0, 4000, 0, 120))
    bill = bill_of([LEADER, missed])
    assert bill.floor_usd == Decimal("0.000681")
    assert bill.efficiency == Decimal("0.596845")


def test_an_unsettled_attempt_counts_with_its_estimate_on_every_side() -> None:
    lost = replace(attempt("three", Usage(0)), cost_usd=Decimal("0.0001"))
    bill = bill_of([LEADER, FOLLOWER, lost])
    assert bill.cost_usd == Decimal("0.000781")
    assert bill.floor_usd == Decimal("0.000781")
    assert bill.saved_fraction < bill_of([LEADER, FOLLOWER]).saved_fraction


def test_a_call_of_an_unknown_model_makes_no_bill() -> None:
    with pytest.raises(UnknownModel, match="claude-unheard-of"):
        bill_of([replace(LEADER, model="claude-unheard-of")])
