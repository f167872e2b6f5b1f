"""Rate limits: token buckets of requests, uncached input and output per minute.

Source: the rate-limits page. Buckets refill continuously; each family of models (haiku, sonnet, opus) has
its own; cache reads do not count as input; output counts as it is produced. A request larger than a bucket
passes when the bucket is full and leaves it in debt. The bucket's size is not documented ("short bursts"):
`--burst-seconds` of its rate. Batches, token counts, models and reports have a bucket of requests each; their
sizes are ours: the same as for messages.
"""

import math
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from emulator.clock import rfc3339
from emulator.errors import ApiError

TIER_PER_MINUTE = {
    "start": {"requests": 1_000, "input-tokens": 2_000_000, "output-tokens": 400_000},
    "build": {"requests": 5_000, "input-tokens": 5_000_000, "output-tokens": 1_000_000},
    "scale": {"requests": 10_000, "input-tokens": 10_000_000, "output-tokens": 2_000_000},
}
FAMILIES = ("haiku", "sonnet", "opus")
WORDS = {"requests": "requests", "input-tokens": "input tokens", "output-tokens": "output tokens"}


@dataclass
class Bucket:
    """A level that refills at a rate up to its capacity, and may be drawn below zero."""

    per_minute: int
    capacity: float
    level: float = field(init=False)
    at: datetime | None = None

    def __post_init__(self) -> None:
        self.level = self.capacity

    def refill(self, now: datetime) -> None:
        """Let the time since the last look flow in."""
        if self.at is not None and now <= self.at:
            return
        if self.at is not None:
            self.level = min(self.capacity, self.level + (now - self.at).total_seconds() * self.per_second)
        self.at = now

    @property
    def per_second(self) -> float:
        return self.per_minute / 60

    def wait_seconds(self, amount: float) -> float:
        """How long until this amount may pass: at once when it fits, or when the bucket is full."""
        missing = min(amount, self.capacity) - self.level
        return max(0.0, missing / self.per_second)


class RateLimits:
    """The buckets of one organization; without a tier nothing is limited."""

    def __init__(self, tier: str, burst_seconds: float) -> None:
        self._per_minute = TIER_PER_MINUTE.get(tier, {})
        self._burst_seconds = burst_seconds
        self._buckets: dict[tuple[str, str], Bucket] = {}

    def admit(self, family: str, input_tokens: int, now: datetime) -> None:
        """Refuse with 429 and `retry-after` what the buckets cannot serve now."""
        # Output is not known yet: a bucket in debt refuses, any other lets the request begin.
        amounts = {"requests": 1.0, "input-tokens": float(input_tokens), "output-tokens": 0.0}
        buckets = {kind: self._bucket(family, kind, now) for kind in (amounts if self._per_minute else ())}
        waits = {kind: bucket.wait_seconds(amounts[kind]) for kind, bucket in buckets.items()}
        longest = max(waits, key=waits.__getitem__, default=None)
        if longest is not None and waits[longest] > 0:
            raise _refusal(longest, buckets[longest], waits[longest])

    def draw(self, family: str, input_tokens: int, output_tokens: int, now: datetime) -> None:
        """Take what an admitted request uses."""
        amounts = {"requests": 1, "input-tokens": input_tokens, "output-tokens": output_tokens}
        for kind, amount in amounts.items() if self._per_minute else ():
            self._bucket(family, kind, now).level -= amount

    def admit_request(self, group: str, now: datetime) -> None:
        """Take a request of a group that has no tokens to limit, or refuse it with 429 and `retry-after`."""
        if not self._per_minute:
            return
        bucket = self._bucket(group, "requests", now)
        wait = bucket.wait_seconds(1)
        if wait > 0:
            raise _refusal("requests", bucket, wait)
        bucket.level -= 1

    def headers(self, group: str, now: datetime) -> dict[str, str]:
        """`anthropic-ratelimit-*`: limit per minute, what is left right now, when it is full again."""
        if not self._per_minute:
            return {}
        if group in FAMILIES:
            buckets = {kind: self._bucket(group, kind, now) for kind in self._per_minute}
            # `tokens` repeats whichever token limit is the tightest.
            both = (buckets["input-tokens"], buckets["output-tokens"])
            buckets["tokens"] = min(both, key=lambda b: b.level / b.capacity)
        else:
            buckets = {"requests": self._bucket(group, "requests", now)}
        headers: dict[str, str] = {}
        for kind, bucket in buckets.items():
            headers[f"anthropic-ratelimit-{kind}-limit"] = str(bucket.per_minute)
            headers[f"anthropic-ratelimit-{kind}-remaining"] = str(max(0, math.floor(bucket.level)))
            full_in = timedelta(seconds=(bucket.capacity - bucket.level) / bucket.per_second)
            headers[f"anthropic-ratelimit-{kind}-reset"] = rfc3339(_whole_second(now + full_in))
        return headers

    def _bucket(self, group: str, kind: str, now: datetime) -> Bucket:
        key = (group, kind)
        if key not in self._buckets:
            per_minute = self._per_minute[kind]
            self._buckets[key] = Bucket(per_minute, per_minute / 60 * self._burst_seconds)
        bucket = self._buckets[key]
        bucket.refill(now)
        return bucket


def _whole_second(moment: datetime) -> datetime:
    """The next whole second: a reset must not be told before it is true."""
    return moment if moment.microsecond == 0 else moment.replace(microsecond=0) + timedelta(seconds=1)


def _refusal(kind: str, bucket: Bucket, wait_seconds: float) -> ApiError:
    return ApiError(
        "rate_limit_error",
        "This request would exceed your organization's rate limit of "
        f"{bucket.per_minute:,} {WORDS[kind]} per minute.",
        retry_after_seconds=max(1, math.ceil(wait_seconds)),
    )
