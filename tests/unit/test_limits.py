"""Buckets that stay below the rate that is allowed, and hold little, so that calls flow evenly."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.forecast import Limits
from core.limits import Bucket, full_bucket, limits_of

NOW = datetime(2026, 11, 22, 20, tzinfo=UTC)
PER_SECOND = 1_000 / 60 * 0.98  # of a limit of 1,000 a minute


def later(seconds: float) -> datetime:
    return NOW + timedelta(seconds=seconds)


def test_a_full_bucket_holds_half_a_second_of_what_is_used_of_the_limit() -> None:
    bucket = full_bucket(1_000, NOW)
    assert bucket.per_second == pytest.approx(PER_SECOND)
    assert bucket.level == pytest.approx(PER_SECOND / 2)


def test_a_bucket_fills_with_time_and_never_beyond_its_rim() -> None:
    empty = Bucket(1_000, 0.0, NOW)
    assert empty.refilled(later(0.1)).level == pytest.approx(PER_SECOND / 10)
    assert empty.refilled(later(3_600)).level == pytest.approx(PER_SECOND / 2)
    assert empty.refilled(later(0.1)).at == later(0.1)


def test_time_that_goes_backwards_fills_nothing_and_is_not_paid_twice() -> None:
    back = Bucket(1_000, 1.0, NOW).refilled(later(-60))
    assert back == Bucket(1_000, 1.0, NOW)


def test_a_worker_takes_a_handful_at_once_or_what_is_left() -> None:
    bucket, amount = full_bucket(1_000, NOW).taken(1.0)
    assert amount == pytest.approx(PER_SECOND / 4)
    assert bucket.level == pytest.approx(PER_SECOND / 4)
    _, rest = Bucket(1_000, 2.5, NOW).taken(1.0)
    assert rest == 2.5


def test_a_call_that_needs_more_than_there_is_overdraws_and_others_wait_for_the_debt() -> None:
    bucket, amount = full_bucket(1_000, NOW).taken(100.0)
    assert amount == 100.0
    assert bucket.level == pytest.approx(PER_SECOND / 2 - 100)
    assert bucket.taken(1.0) == (bucket, 0.0)
    assert bucket.empty_seconds == pytest.approx((100 - PER_SECOND / 2) / PER_SECOND)
    assert bucket.refilled(later(bucket.empty_seconds + 0.001)).taken(1.0)[1] == 1.0


def test_who_needs_nothing_takes_nothing() -> None:
    bucket = full_bucket(1_000, NOW)
    assert bucket.taken(0.0) == bucket.taken(-5.0) == (bucket, 0.0)
    assert bucket.empty_seconds == 0.0


@given(st.lists(st.tuples(st.floats(0, 2), st.floats(0.1, 400)), min_size=1, max_size=40))
@settings(derandomize=True, deadline=None, max_examples=40)
def test_over_any_stretch_no_more_is_taken_than_the_limit_and_one_last_call(
    asked: list[tuple[float, float]],
) -> None:
    """Whatever is asked for and when: what was taken before the last call fits rate and bucket."""
    bucket, at, taken = full_bucket(1_000, NOW), 0.0, [0.0]
    for pause, needed in asked:
        at += pause
        bucket, amount = bucket.refilled(later(at)).taken(needed)
        if amount:
            assert sum(taken) <= PER_SECOND * (at + 0.5) + 1e-3
            taken.append(amount)


def test_limits_are_read_from_the_headers_of_an_answer() -> None:
    headers = {
        "anthropic-ratelimit-requests-limit": "1000",
        "anthropic-ratelimit-input-tokens-limit": "2000000",
        "anthropic-ratelimit-output-tokens-limit": "400000",
        "anthropic-ratelimit-tokens-limit": "2400000",
        "anthropic-ratelimit-requests-remaining": "7",
    }
    assert limits_of(headers) == Limits(1_000, 2_000_000, 400_000)


@pytest.mark.parametrize("text", ["", "many", "-5", "0", "1.5", " 5", "٣x"])
def test_a_limit_that_is_no_number_is_not_known(text: str) -> None:
    assert limits_of({"anthropic-ratelimit-requests-limit": text}) == Limits()
