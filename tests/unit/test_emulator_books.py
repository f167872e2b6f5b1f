"""The meter, the ring of calls and the book of faults."""

import json
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest

from emulator.books.calls import Arrival, CallRing
from emulator.books.meter import Meter, picodollars
from emulator.books.prices import load_prices
from emulator.books.store import Store
from emulator.books.usage import Usage
from emulator.errors import ApiError
from emulator.faults import FaultBook, FaultRequest

ARRIVAL = Arrival(at=datetime(2026, 11, 1, tzinfo=UTC), path="/v1/messages", workspace="w", attempt=0)


def ring_of(calls: int, size: int) -> CallRing:
    ring = CallRing(Store(), size)
    for _ in range(calls):
        ring.add(ARRIVAL, model="m", status=200)
    return ring


@pytest.mark.parametrize(
    ("after", "limit", "numbers", "following"),
    [
        (0, 100, [1, 2, 3, 4, 5], 5),
        (0, 2, [1, 2], 2),
        (2, 2, [3, 4], 4),
        (4, 2, [5], 5),
        (5, 2, [], 5),
        (9, 2, [], 9),
        (0, 0, [], 0),
    ],
)
def test_calls_are_read_page_by_page(after: int, limit: int, numbers: list[int], following: int) -> None:
    page = json.loads(ring_of(calls=5, size=100).page(after, limit))
    assert [call["n"] for call in page["calls"]] == numbers
    assert page["next"] == following


def test_the_ring_forgets_the_oldest_calls_and_keeps_their_numbers() -> None:
    page = json.loads(ring_of(calls=5, size=3).page(0, 2))
    assert [call["n"] for call in page["calls"]] == [3, 4]


def test_the_meter_adds_up_by_model_and_tier_and_over_all() -> None:
    meter = Meter(Store(), load_prices())
    haiku, sonnet = "claude-haiku-5-5", "claude-sonnet-5-5"
    meter.add(ARRIVAL.at, "w", haiku, Usage(input_tokens=1, cache_read_tokens=2, output_tokens=3))
    meter.add(ARRIVAL.at, "v", haiku, Usage(cache_write_5m_tokens=4, cache_write_1h_tokens=5))
    meter.add(ARRIVAL.at, "w", haiku, Usage(input_tokens=1, service_tier="batch"))
    meter.add(ARRIVAL.at, "w", sonnet, Usage(input_tokens=9))
    total = meter.as_json()
    # 0.1 + 0.02 + 1.5, 0.5 + 1.0, half of 0.1, and 18 millionths of a dollar.
    assert (total["requests"], total["cost_usd"]) == (4, "0.00002117")
    assert [(row["model"], row["service_tier"]) for row in total["rows"]] == [
        (haiku, "batch"),
        (haiku, "standard"),
        (sonnet, "standard"),
    ]
    assert total["rows"][1] == {
        "model": haiku,
        "service_tier": "standard",
        "requests": 2,
        "input_tokens": 1,
        "cache_write_5m_tokens": 4,
        "cache_write_1h_tokens": 5,
        "cache_read_tokens": 2,
        "output_tokens": 3,
        "cost_usd": "0.00000312",
    }


def test_what_is_free_has_tokens_and_no_cost() -> None:
    meter = Meter(Store(), load_prices())
    meter.add(ARRIVAL.at, "w", "claude-haiku-5-5", Usage(input_tokens=1_000), free=True)
    assert meter.as_json()["cost_usd"] == "0"
    assert meter.as_json()["rows"][0]["input_tokens"] == 1_000


def test_a_cost_too_fine_to_be_kept_is_an_error_and_never_rounded() -> None:
    assert picodollars(Decimal("0.000000000001")) == 1
    with pytest.raises(ValueError, match="1e-12"):
        picodollars(Decimal("0.0000000000001"))


def kinds_drawn(requests: list[bytes], *asked: dict[str, Any]) -> list[str | None]:
    book = FaultBook(seed=0)
    for one in asked:
        book.add(FaultRequest.model_validate(one))
    return [fault.kind if (fault := book.draw("messages", body)) else None for body in requests]


def test_a_fault_without_count_or_share_happens_once() -> None:
    assert kinds_drawn([b"", b""], {"kind": "overloaded"}) == ["overloaded", None]


def test_faults_happen_in_the_order_they_were_asked_for() -> None:
    drawn = kinds_drawn([b""] * 4, {"kind": "api_error", "count": 2}, {"kind": "overloaded"})
    assert drawn == ["api_error", "api_error", "overloaded", None]


def test_a_fault_meets_only_the_requests_it_matches() -> None:
    asked = {"kind": "refusal", "count": 5, "match": "Ciarán"}
    assert kinds_drawn(["a Ciarán b".encode(), b"another"], asked) == ["refusal", None]


def test_a_share_is_met_by_that_share_of_requests_the_same_ones_each_time() -> None:
    asked = {"kind": "cache_miss", "share": 0.25}
    drawn = kinds_drawn([b""] * 1_000, asked)
    assert drawn == kinds_drawn([b""] * 1_000, asked)
    assert 200 < len([kind for kind in drawn if kind]) < 300


@pytest.mark.parametrize(
    ("asked", "complaint"),
    [
        ({"kind": "api_error", "count": 1, "share": 0.5}, "count, share"),
        ({"kind": "api_error", "seconds": 3}, "seconds"),
        ({"kind": "wrong_content"}, "answer"),
        ({"kind": "refusal", "answer": "no"}, "answer"),
    ],
)
def test_what_a_fault_would_ignore_is_refused(asked: dict[str, Any], complaint: str) -> None:
    with pytest.raises(ApiError, match=complaint):
        FaultBook(seed=0).add(FaultRequest.model_validate(asked))
