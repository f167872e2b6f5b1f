"""The proofs that the benches of several workers make: each finds what it is there to find."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from benchmarks.workers.proofs import (
    ProofFailed,
    asked_again,
    asked_twice,
    book_differences,
    hold,
    prefix_writes,
    unanswered,
)

BEGAN = datetime(2026, 11, 3, 18, tzinfo=UTC)


def call(seconds: float, action: str, ttl: str = "5m", key: str = "front") -> dict[str, Any]:
    at = (BEGAN + timedelta(seconds=seconds)).isoformat().replace("+00:00", "Z")
    return {"at": at, "prefixes": [{"hash": key, "tokens": 2_000, "action": action, "ttl": ttl}]}


def row(cost_usd: str, requests: int = 3) -> dict[str, Any]:
    return {"model": "m", "service_tier": "standard", "requests": requests, "cost_usd": cost_usd}


def test_an_insight_in_two_answered_attempts_was_asked_twice() -> None:
    attempts = [("succeeded", ["a", "b"]), ("succeeded", ["b"]), ("succeeded", ["c"])]
    assert asked_twice(attempts) == ["b"]


def test_an_insight_may_be_asked_about_again_after_an_attempt_that_gave_nothing() -> None:
    attempts = [("lost", ["a"]), ("rejected", ["a"]), ("unusable", ["a", "b"]), ("succeeded", ["a"])]
    assert asked_twice(attempts) == []


def test_an_attempt_that_is_still_in_flight_counts_as_one_that_will_be_answered() -> None:
    assert asked_twice([("sent", ["a"]), ("succeeded", ["a"])]) == ["a"]


def test_a_summary_without_an_answered_attempt_is_found() -> None:
    assert unanswered([("succeeded", ["a"]), ("lost", ["b"])], ["a", "b"]) == ["b"]


def test_what_had_its_answer_and_was_asked_about_later_is_found() -> None:
    assert asked_again(["a", "b"], ["b", "c"]) == ["b"]


def test_a_second_write_of_a_warm_prefix_is_found() -> None:
    assert prefix_writes([call(0, "write"), call(10, "write")]) == (1, {"front": 1})


def test_a_read_keeps_a_prefix_warm_for_its_lifetime() -> None:
    calls = [call(0, "write"), call(200, "read"), call(450, "write")]
    assert prefix_writes(calls) == (1, {"front": 1})


@pytest.mark.parametrize(("ttl", "seconds"), [("5m", 301), ("1h", 3_601)])
def test_a_prefix_that_has_gone_cold_may_be_written_again(ttl: str, seconds: int) -> None:
    assert prefix_writes([call(0, "write", ttl), call(seconds, "write", ttl)]) == (1, {})


def test_a_prefix_of_one_call_is_not_shared() -> None:
    assert prefix_writes([call(0, "write", key="one"), call(0, "none", key="two")]) == (0, {})


def test_books_that_differ_in_the_last_digit_differ() -> None:
    assert book_differences([row("0.100000000001")], [row("0.100000000002")])
    assert book_differences([row("0.10")], [row("0.1")]) == {}


def test_a_model_that_only_one_side_knows_is_a_difference() -> None:
    assert book_differences([], [row("0")]).keys() == {"m standard requests", "m standard cost_usd"}


def test_what_does_not_hold_is_raised_with_its_name() -> None:
    hold("nothing wrong", [])
    with pytest.raises(ProofFailed, match=r"asked twice: .*insight-7"):
        hold("asked twice", ["insight-7"])
