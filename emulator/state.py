"""Everything the emulator remembers, in one place, so that it can be forgotten at once."""

import asyncio
import time
from datetime import UTC, datetime, timedelta
from random import Random

from emulator.books.batches import BatchBook
from emulator.books.caching import CachePlan, Lane, PromptCache
from emulator.books.calls import Arrival, CallRing
from emulator.books.limits import RateLimits
from emulator.books.meter import Meter
from emulator.books.prices import load_prices
from emulator.books.store import Store, micros, moment
from emulator.books.usage import Usage
from emulator.clock import LATEST, Clock
from emulator.faults import FaultBook
from emulator.request.catalog import load_catalog
from emulator.settings import Settings


class Emulator:
    """Settings, models and prices stay; clock, cache, books, limits and faults can be reset.

    Cache, meter, calls, batches and the time are in the store: with `--state` they are found again.
    """

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.catalog = load_catalog()
        self.prices = load_prices()
        self.store = Store(settings.state)
        self.clock = Clock(self._time_found(), settings.speed, time.monotonic)
        self._open_books()

    def reset(self) -> None:
        """Forget everything but the command line's settings."""
        self.store.forget()
        self.clock.restart(datetime.now(UTC))
        self._open_books()

    def _open_books(self) -> None:
        self.caches: dict[Lane, PromptCache] = {
            "live": PromptCache(self.store, "live"),
            "batch": PromptCache(self.store, "batch"),
        }
        self.meter = Meter(self.store, self.prices)
        self.calls = CallRing(self.store)
        self.batches = BatchBook(self.store, self.settings)
        self.settling = asyncio.Lock()
        self.limits = RateLimits(self.settings.tier, self.settings.burst_seconds)
        self.faults = FaultBook(self.settings.seed)
        self._chance: dict[Lane, Random] = {
            "live": Random(self.settings.seed),
            "batch": Random(self.settings.seed),
        }
        self._drawn: dict[Lane, float] = {lane: chance.random() for lane, chance in self._chance.items()}

    def misses_by_chance(self, lane: Lane) -> bool:
        """Whether this request would be one of the isolated misses that happen (`--miss-share`).

        The same until a request of that lane is billed: how often one is refused changes nothing.
        """
        share = self.settings.miss_share if lane == "live" else self.settings.batch_miss_share
        return self._drawn[lane] < share

    def bill(
        self,
        arrival: Arrival,
        lane: Lane,
        plan: CachePlan,
        model: str,
        usage: Usage,
        *,
        free: bool,
        status: int,
    ) -> None:
        """Enter a request into the books; the answer goes out only after this."""
        self._drawn[lane] = self._chance[lane].random()
        cost = self.meter.add(arrival.at, arrival.workspace, model, usage, free=free)
        self.calls.add(
            arrival, model=model, status=status, prefixes=plan.prefixes, usage=usage, cost_usd=cost
        )
        self.remember_clock()

    def remember_clock(self) -> None:
        """Keep what the clock shows, and when, so that it never runs backwards."""
        self.store.set_fact("clock", micros(self.clock.now()))
        self.store.set_fact("system_clock", micros(datetime.now(UTC)))
        self.store.set_fact("clock_speed_millionths", round(self.settings.speed * 1e6))

    def _time_found(self) -> datetime:
        """What the clock shows now, if it has gone on at its speed since it was last looked at."""
        now, shown = datetime.now(UTC), self.store.fact("clock")
        if not shown:
            return now
        since = max(now - moment(self.store.fact("system_clock")), timedelta(0))
        return min(moment(shown) + since * self.store.fact("clock_speed_millionths") / 1_000_000, LATEST)
