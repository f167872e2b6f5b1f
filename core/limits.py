"""Rate limits as token buckets that stay just below what the API allows: pure values.

What the API allows is learned from the headers of its answers. How large its own buckets are is not
documented, so ours hold little: calls flow evenly instead of in bursts.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime

from core.forecast import Limits

KINDS = ("requests", "input_tokens", "output_tokens")
SHARE_USED = 0.98  # of the allowed rate
BUCKET_SECONDS = 0.5  # what a shared bucket holds, in seconds of its rate
HANDFUL_SECONDS = 0.25  # what one worker takes out at once


@dataclass(frozen=True, slots=True)
class Bucket:
    """What is left of one limit at `at`; below zero when one large call has overdrawn it."""

    per_minute: int
    level: float
    at: datetime

    @property
    def per_second(self) -> float:
        """The rate that is used."""
        return self.per_minute / 60 * SHARE_USED

    def refilled(self, now: datetime) -> "Bucket":
        """Let the time since flow in."""
        flown = max(0.0, (now - self.at).total_seconds()) * self.per_second
        full = self.per_second * BUCKET_SECONDS
        return replace(self, level=min(full, self.level + flown), at=max(now, self.at))

    def taken(self, needed: float) -> tuple["Bucket", float]:
        """Take a handful, or what one call needs if that is more; gives what was taken, 0 when empty."""
        if self.level <= 0 or needed <= 0:
            return self, 0.0
        amount = max(needed, min(self.level, self.per_second * HANDFUL_SECONDS))
        return replace(self, level=self.level - amount), amount

    @property
    def empty_seconds(self) -> float:
        """How long until anything is left."""
        return max(0.0, -self.level / self.per_second) if self.level <= 0 else 0.0


def full_bucket(per_minute: int, now: datetime) -> Bucket:
    """Return a bucket that nobody has taken from yet."""
    empty = Bucket(per_minute, 0.0, now)
    return replace(empty, level=empty.per_second * BUCKET_SECONDS)


def limits_of(headers: Mapping[str, str]) -> Limits:
    """Read the limits a minute from an answer's headers; what is missing or no number is not known."""
    return Limits(**{kind: _number(headers, kind.replace("_", "-")) for kind in KINDS})


def _number(headers: Mapping[str, str], kind: str) -> int | None:
    text = headers.get(f"anthropic-ratelimit-{kind}-limit", "")
    return int(text) if text.isdecimal() and int(text) > 0 else None
