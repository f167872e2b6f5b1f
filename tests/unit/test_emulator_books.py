"""The meter, the ring of calls and the book of faults."""

import json
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest

from emulator.calls import Arrival, CallRing
from emulator.errors import ApiError
from emulator.faults import FaultBook, FaultRequest
from emulator.meter import Meter
from emulator.usage import Usage

ARRIVAL = Arrival(at=datetime(2026, 11, 1, tzinfo=UTC), path="/v1/messages", workspace="w", attempt=0)


def ring_of(calls: int, size: int) -> CallRing:
    ring = CallRing(size)
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
    meter = Meter()
    meter.add("a", Usage(input_tokens=1, cache_read_tokens=2, output_tokens=3), Decimal("0.0000001"))
    meter.add("a", Usage(cache_write_5m_tokens=4, cache_write_1h_tokens=5), Decimal("0.2"))
    meter.add("b", Usage(input_tokens=9), Decimal("0.3"))
    total = meter.as_json()
    assert (total["requests"], total["cost_usd"]) == (3, "0.5000001")
    assert total["rows"][0] == {
        "model": "a",
        "service_tier": "standard",
        "requests": 2,
        "input_tokens": 1,
        "cache_write_5m_tokens": 4,
        "cache_write_1h_tokens": 5,
        "cache_read_tokens": 2,
        "output_tokens": 3,
        "cost_usd": "0.2000001",
    }


def kinds_drawn(requests: list[bytes], *asked: dict[str, Any]) -> list[str | None]:
    book = FaultBook(seed=0)
    for one in asked:
        book.add(FaultRequest.model_validate(one))
    return [fault.kind if (fault := book.draw(body)) else None for body in requests]


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
