"""Efficiency by prefix: nothing is above 1, a perfect run is at 1, and what is not known is not claimed."""

import random
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pytest

from core.cache_report import PrefixKey, PrefixTally, RunTally, avoidable, packs_saved, whole_report
from core.floor import FloorTally, PrefixNode, family_of
from core.pricing import minimum_prefix_tokens, price_of, prices_at
from core.usage import Usage

MODEL = "claude-haiku-5-5"
FRONT = 5_000
DAY = date(2026, 3, 2)
KEY = PrefixKey("v1", MODEL, "standard", "global")


def request(
    *,
    read: int = 0,
    write_5m: int = 0,
    write_1h: int = 0,
    plain: int = 300,
    front: int | None = FRONT,
    warm: int = 0,
    counted: bool = True,
    model: str = MODEL,
    tier: str = "standard",
) -> dict[str, Any]:
    """A row of the query for one request, with its front told by how it was billed."""
    usage = Usage(plain, read, write_5m, write_1h, output_tokens=140)
    at = datetime.combine(DAY, datetime.min.time(), UTC)
    front_tokens = front or 0
    return {
        "flow_run_id": "run",
        **PrefixKey("v1", model, tier, "global")._asdict(),
        "utc_day": DAY,
        "lane": "live",
        "first_at": at,
        "requests": 1,
        "prompt_tokens": usage.total_input_tokens,
        "input_tokens": plain,
        "cache_read_tokens": read,
        "cache_write_5m_tokens": write_5m,
        "cache_write_1h_tokens": write_1h,
        "output_tokens": 140,
        "cost_usd": price_of(usage, model=model, at=at, service_tier=tier).cost_usd,
        "front_tokens": front,
        "counted_tokens": front if counted else None,
        "first_read_tokens": min(warm, front_tokens),
        "front_read": min(read, front_tokens),
        "front_to_1h": min(read + write_1h, front_tokens),
        "front_cached": min(read + write_1h + write_5m, front_tokens),
    }


def tally_of(*runs: list[dict[str, Any]]) -> PrefixTally:
    tally = PrefixTally()
    for rows in runs:
        tally.add_run(rows)
    return tally


def test_a_run_that_writes_once_and_reads_otherwise_is_at_its_floor() -> None:
    tally = tally_of([request(write_5m=FRONT), *(request(read=FRONT) for _ in range(9))])
    assert tally.efficiency() == 1.0
    assert tally.floor_usd == tally.cost_usd
    assert (tally.requests, tally.runs, tally.front_tokens) == (10, 1, FRONT)


def test_what_was_never_cached_could_have_been() -> None:
    """Ten prompts at full price, in the place of one write and nine reads."""
    rows = [request(plain=FRONT + 300) for _ in range(10)]
    prices = prices_at(MODEL, datetime(2026, 3, 2, tzinfo=UTC))
    ideal = FRONT * (prices.cache_write_5m + 9 * prices.cache_read).scaleb(-6)
    paid = 10 * FRONT * prices.input.scaleb(-6)
    tally = tally_of(rows)
    assert tally.avoidable_usd == paid - ideal
    assert tally.floor_usd == tally.cost_usd - paid + ideal
    assert (tally.efficiency() or 0) < 0.6


def test_a_single_request_is_cheapest_without_a_write() -> None:
    assert tally_of([request(plain=FRONT + 300)]).efficiency() == 1.0
    written = tally_of([request(write_5m=FRONT)])
    prices = prices_at(MODEL, datetime(2026, 3, 2, tzinfo=UTC))
    assert written.avoidable_usd == FRONT * (prices.cache_write_5m - prices.input).scaleb(-6)


def test_what_the_first_request_has_found_warm_needs_no_write() -> None:
    warm = [request(read=FRONT, warm=FRONT) for _ in range(3)]
    assert tally_of(warm).efficiency() == 1.0
    missed = [*warm, request(plain=FRONT + 300, warm=FRONT)]
    prices = prices_at(MODEL, datetime(2026, 3, 2, tzinfo=UTC))
    assert avoidable(missed) == FRONT * (prices.input - prices.cache_read).scaleb(-6)


def test_what_stands_behind_the_front_is_as_billed() -> None:
    """A player's layer, read as well, makes no run better than its floor."""
    tally = tally_of([request(write_5m=FRONT + 200, plain=100), request(read=FRONT + 200, plain=100)])
    assert tally.efficiency() == 1.0


@pytest.mark.parametrize("tier", ["standard", "batch"])
def test_the_floor_is_that_of_a_run_and_is_never_above_the_bill(tier: str) -> None:
    seed = random.randrange(10**6)
    print(f"seed {seed}")
    dice = random.Random(seed)
    for _ in range(300):
        first: dict[str, Any] = dice.choice(({"write_5m": FRONT}, {"write_1h": FRONT}))
        others: list[dict[str, Any]] = [
            dice.choice(({"read": FRONT}, {"read": FRONT}, {"write_5m": FRONT}, {"plain": FRONT + 300}))
            for _ in range(dice.randrange(6))
        ]
        rows = [request(**how, tier=tier) for how in (first, *others)]
        prices = prices_at(MODEL, datetime(2026, 3, 2, tzinfo=UTC), FRONT + 300, tier)
        floor = FloorTally()
        total, path = len(rows) * (FRONT + 300), (PrefixNode("front", FRONT),)
        floor.add_alike(family_of(MODEL, tier, None), path, prices, len(rows), total, 140 * len(rows))
        tally = tally_of(rows)
        assert tally.floor_usd == floor.total_usd()
        assert (tally.efficiency() or 2) <= 1.0


def test_requests_that_others_have_written_for_are_told_and_claim_no_more_than_1() -> None:
    tally = tally_of([request(plain=FRONT + 300), *(request(read=FRONT) for _ in range(9))])
    assert tally.efficiency() == 1.0
    assert tally.warmed_by_others == 10


def test_a_front_below_the_minimum_costs_what_it_has_to() -> None:
    short = minimum_prefix_tokens(MODEL) - 1
    rows = [request(plain=short + 300, front=short) for _ in range(10)]
    report = whole_report({KEY: tally_of(rows)}, {}, {}, {"v1": {"sport": "hurling", "tone": "warm"}}, 10)
    (row,) = report["below_minimum"]
    assert (row["sport"], row["prefix_tokens"], row["requests"]) == ("hurling", short, 10)
    assert row["efficiency"] == 1.0


def test_of_a_front_of_unknown_length_no_efficiency_is_claimed() -> None:
    unknown = [request(plain=FRONT + 300, front=None, counted=False) for _ in range(2)]
    tally = tally_of(unknown)
    assert (tally.floor_usd, tally.efficiency(), tally.unmeasured_requests) == (None, None, 2)
    known = [request(write_5m=FRONT, counted=False), request(read=FRONT, counted=False)]
    both = tally_of(unknown, known)
    assert both.efficiency() == 1.0
    assert both.floor_usd == sum(row["cost_usd"] for row in known)
    row = whole_report({KEY: both}, {}, {}, {}, 10)["by_prefix"][0]
    assert (row["counted"], row["sport"], row["unmeasured_requests"]) == (False, None, 2)


def test_what_caching_and_batches_saved_adds_up_to_the_live_price_without_a_cache() -> None:
    rows = [request(write_1h=FRONT, tier="batch"), request(read=FRONT, tier="batch")]
    told = tally_of(rows).to_json()
    prices = prices_at(MODEL, datetime(2026, 3, 2, tzinfo=UTC))
    full = 2 * prices.cost_uncached(Usage(FRONT + 300, output_tokens=140))
    saved = Decimal(told["caching_saved_usd"]) + Decimal(told["batches_saved_usd"])
    assert saved + Decimal(told["cost_usd"]) == full
    assert Decimal(told["batches_saved_usd"]) == Decimal(told["cost_usd"]), "a batch is half the price"


def test_a_killed_run_has_no_savings_and_is_counted_as_unknown() -> None:
    began_at = datetime(2026, 3, 2, 19, tzinfo=UTC)
    known = {
        "lane": "live",
        "model": MODEL,
        "started_at": began_at,
        "billed_usd": Decimal("0.5"),
        "floor_usd": Decimal("0.4"),
        "efficiency": Decimal("0.8"),
        "alone_cached_usd": Decimal("0.7"),
        "packed_usd": Decimal("0.5"),
    }
    killed = known | dict.fromkeys(
        ("billed_usd", "floor_usd", "efficiency", "packed_usd", "alone_cached_usd")
    )
    assert packs_saved(known) == Decimal("0.2")
    assert packs_saved(killed) is None
    assert packs_saved(None) is None
    runs = {name: RunTally() for name in ("ended", "killed", "unheard of")}
    for tally in runs.values():
        tally.add_request(request(read=FRONT))
    report = whole_report({}, runs, {"ended": known, "killed": killed}, {}, runs_max=2)
    assert (report["packs_saved_usd"], report["packs_known_of_runs"], report["packs_unknown_of_runs"]) == (
        "0.2",
        1,
        2,
    )
    assert [row["run_id"] for row in report["by_run"]] == ["killed", "ended"]
    newest, ended = report["by_run"]
    assert (newest["run_efficiency"], newest["packs_saved_usd"]) == (None, None)
    assert (ended["run_efficiency"], ended["run_billed_usd"], ended["packs_saved_usd"]) == (0.8, "0.5", "0.2")
    assert ended["started_at"] == "2026-03-02T19:00:00Z"
