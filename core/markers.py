"""Whether a prefix is worth a cache marker, and for how long: pure, from its expected uses and the prices.

A write is dearer than plain input and a read far cheaper, so a marker pays when the prefix is used again
before its entry ends: within the run, or by the runs to come.
"""

import math
from collections.abc import Collection
from dataclasses import dataclass
from typing import Literal

from core.pricing import CacheTtl, ClassPrices

LifetimePolicy = Literal["auto", "none", "5m", "1h"]

LIFETIME_SECONDS: dict[CacheTtl, int] = {"5m": 300, "1h": 3600}
MISS_SHARE = 0.02  # isolated misses happen; how many is not documented
LOOK_AHEAD_SECONDS = 7200  # the last hour's arrivals are expected to go on for so long
USED_ONCE = "used once"


@dataclass(frozen=True, slots=True)
class Expected:
    """How a prefix will be used: now, and by later runs."""

    uses: int  # calls of this run that begin with it
    cold_again_5m: int = 0  # how often it is used again in this run after more than so long
    cold_again_1h: int = 0
    uses_per_hour: float = 0.0  # by the runs after this one
    run_every_seconds: float = 900.0


@dataclass(frozen=True, slots=True)
class Decision:
    """`price` is what its uses are expected to cost, a million tokens of it, less what later runs save."""

    ttl: CacheTtl | None
    reason: str
    price: float


def decide(
    tokens: int,
    *,
    minimum: int,
    expected: Expected,
    prices: ClassPrices,
    policy: LifetimePolicy = "auto",
    warm: CacheTtl | None = None,
    lifetimes: Collection[CacheTtl] = tuple(LIFETIME_SECONDS),
) -> Decision:
    """Decide on the marker of a prefix of so many tokens; `warm` is the lifetime of an entry that lives.

    A policy other than `auto` decides by itself, but never marks what cannot be cached. `lifetimes` are those
    to choose from.
    """
    plain = expected.uses * float(prices.input)
    if tokens < minimum:
        return Decision(None, f"{tokens:,} tokens: below the model's minimum of {minimum:,}", plain)
    if policy == "none":
        return Decision(None, "markers are switched off", plain)
    read = float(prices.cache_read)
    if policy != "auto":
        return Decision(policy, f"the lifetime is set to {policy}", _price(policy, expected, prices, warm))
    options = {ttl: _price(ttl, expected, prices, warm) for ttl in lifetimes}
    ttl = min(options, key=lambda one: (round(options[one], 9), LIFETIME_SECONDS[one]))
    if warm is not None and expected.uses * read < plain:
        ttl = warm if options[ttl] >= plain else ttl
        return Decision(ttl, f"warm already, {_uses(expected)}", options[ttl])
    if options[ttl] >= plain:
        return Decision(None, f"{_uses(expected)}: a write would cost more than it saves", plain)
    later = later_hits(ttl, expected) if expected.uses_per_hour else 0.0
    found = f", and later runs will find it {later:.1f} times" if later >= 0.05 else ""
    return Decision(ttl, f"{_uses(expected)}{found}", options[ttl])


def later_hits(ttl: CacheTtl, expected: Expected) -> float:
    """How many later runs are expected to find the entry alive, one after the other.

    Uses come at random at their rate; a run without any leaves a gap. The chain ends with the first gap
    that is longer than the lifetime, at the latest after LOOK_AHEAD_SECONDS.
    """
    every = expected.run_every_seconds
    used = 1 - math.exp(-expected.uses_per_hour * every / 3600)  # chance that a run has any use
    if used <= 0 or every <= 0:
        return 0.0
    runs_alive = math.floor((LIFETIME_SECONDS[ttl] - 1) / every)
    found = 1 - (1 - used) ** runs_alive
    chain = math.inf if found >= 1 else found / (1 - found)
    return min(chain, LOOK_AHEAD_SECONDS / every * used)


def _price(ttl: CacheTtl, expected: Expected, prices: ClassPrices, warm: CacheTtl | None) -> float:
    read = float(prices.cache_read)
    write = float(prices.cache_write_5m if ttl == "5m" else prices.cache_write_1h)
    cold_again = expected.cold_again_5m if ttl == "5m" else expected.cold_again_1h
    first = read if warm is not None else write
    again = expected.uses - 1 - cold_again
    now = first + again * ((1 - MISS_SHARE) * read + MISS_SHARE * write) + cold_again * write
    if not expected.uses_per_hour:
        return now
    return now - later_hits(ttl, expected) * _saved_by_a_hit(expected, prices)


def _saved_by_a_hit(expected: Expected, prices: ClassPrices) -> float:
    """What a later run pays less when it finds the entry: it would else write it, or do without."""
    every, rate = expected.run_every_seconds, expected.uses_per_hour
    mean = rate * every / 3600
    uses = mean / (1 - math.exp(-mean)) if mean > 1e-9 else 1.0  # of a run that has any
    read, plain = float(prices.cache_read), float(prices.input)
    return min(uses * plain, float(prices.cache_write_5m) + (uses - 1) * read) - uses * read


def _uses(expected: Expected) -> str:
    return USED_ONCE if expected.uses == 1 else f"{expected.uses:,} uses"
