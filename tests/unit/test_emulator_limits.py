"""Token buckets: what passes, what is refused, and what the headers say."""

from datetime import UTC, datetime, timedelta

import pytest

from emulator.books.limits import RateLimits
from emulator.errors import ApiError

START = datetime(2026, 11, 1, tzinfo=UTC)


def at(seconds: float) -> datetime:
    return START + timedelta(seconds=seconds)


def send(limits: RateLimits, seconds: float = 0, input_tokens: int = 0, output_tokens: int = 0) -> None:
    limits.admit("haiku", input_tokens, at(seconds))
    limits.draw("haiku", input_tokens, output_tokens, at(seconds))


@pytest.mark.parametrize(("tier", "burst"), [("start", 16), ("build", 83), ("scale", 166)])
def test_a_burst_is_one_second_of_the_tiers_rate(tier: str, burst: int) -> None:
    limits = RateLimits(tier, 1)
    for _ in range(burst):
        send(limits)
    with pytest.raises(ApiError, match="requests per minute") as refused:
        send(limits)
    assert refused.value.status == 429
    assert refused.value.retry_after_seconds == 1


def test_a_bucket_refills_at_its_rate() -> None:
    limits = RateLimits("start", 1)
    for _ in range(16):
        send(limits)
    send(limits, seconds=0.06)
    with pytest.raises(ApiError):
        send(limits, seconds=0.06)


def test_a_request_larger_than_the_bucket_passes_when_full_and_leaves_a_debt() -> None:
    limits = RateLimits("start", 1)
    send(limits, input_tokens=100_000)
    with pytest.raises(ApiError, match="2,000,000 input tokens per minute") as refused:
        send(limits, seconds=1, input_tokens=10)
    # 100,000 drawn from 33,333: back to 10 after 2.0003 s, of which one has passed.
    assert refused.value.retry_after_seconds == 2
    send(limits, seconds=2.01, input_tokens=10)


def test_output_in_debt_refuses_the_next_request() -> None:
    limits = RateLimits("start", 1)
    send(limits, output_tokens=10_000)
    with pytest.raises(ApiError, match="output tokens"):
        send(limits)


def test_each_family_of_models_has_its_own_buckets() -> None:
    limits = RateLimits("start", 1)
    send(limits, input_tokens=100_000)
    limits.admit("sonnet", 10, START)


def test_a_refused_request_draws_nothing() -> None:
    limits = RateLimits("start", 1)
    send(limits, input_tokens=33_000)
    before = limits.headers("haiku", START)
    with pytest.raises(ApiError):
        send(limits, input_tokens=10_000)
    assert limits.headers("haiku", START) == before


def test_headers_tell_the_limit_what_is_left_and_when_it_is_full_again() -> None:
    limits = RateLimits("start", 60)
    send(limits, input_tokens=1_000_000, output_tokens=100)
    headers = limits.headers("haiku", START)
    assert headers["anthropic-ratelimit-requests-limit"] == "1000"
    assert headers["anthropic-ratelimit-requests-remaining"] == "999"
    assert headers["anthropic-ratelimit-input-tokens-remaining"] == "1000000"
    assert headers["anthropic-ratelimit-input-tokens-reset"] == "2026-11-01T00:00:30Z"
    assert headers["anthropic-ratelimit-output-tokens-remaining"] == "399900"
    assert headers["anthropic-ratelimit-tokens-limit"] == "2000000"


def test_an_unlimited_tier_refuses_nothing_and_says_nothing() -> None:
    limits = RateLimits("unlimited", 1)
    for _ in range(10_000):
        send(limits, input_tokens=1_000_000, output_tokens=1_000_000)
    assert limits.headers("haiku", START) == {}


def test_retry_after_is_long_enough_for_every_bucket_that_is_short() -> None:
    limits = RateLimits("start", 1)
    for _ in range(15):
        send(limits)
    send(limits, input_tokens=200_000)
    with pytest.raises(ApiError) as refused:
        send(limits, input_tokens=10)
    wait = refused.value.retry_after_seconds
    assert wait is not None
    send(limits, seconds=wait, input_tokens=10)


def test_a_reset_is_never_told_before_it_is_true() -> None:
    limits = RateLimits("start", 1)
    send(limits, seconds=0.191)
    reset = datetime.fromisoformat(limits.headers("haiku", at(0.191))["anthropic-ratelimit-requests-reset"])
    assert reset == START + timedelta(seconds=1)
