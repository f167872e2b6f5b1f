"""Everything the emulator remembers, in one place, so that it can be forgotten at once."""

import time
from datetime import UTC, datetime
from random import Random

from emulator.caching import CachePlan, PromptCache
from emulator.calls import Arrival, CallRing
from emulator.catalog import load_catalog
from emulator.clock import Clock
from emulator.faults import FaultBook
from emulator.limits import RateLimits
from emulator.meter import Meter
from emulator.prices import load_prices
from emulator.settings import Settings
from emulator.usage import Usage


class Emulator:
    """Settings, models and prices stay; clock, cache, books, limits and faults can be reset."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.catalog = load_catalog()
        self.prices = load_prices()
        self.clock = Clock(datetime.now(UTC), settings.speed, time.monotonic)
        self.reset()

    def reset(self) -> None:
        """Forget everything but the command line's settings."""
        self.clock.restart(datetime.now(UTC))
        self.cache = PromptCache()
        self.meter = Meter()
        self.calls = CallRing()
        self.limits = RateLimits(self.settings.tier, self.settings.burst_seconds)
        self.faults = FaultBook(self.settings.seed)
        self._chance = Random(self.settings.seed)

    def misses_by_chance(self) -> bool:
        """Whether this request is one of the isolated misses that happen (`--miss-share`)."""
        return self.settings.miss_share > 0 and self._chance.random() < self.settings.miss_share

    def bill(
        self, arrival: Arrival, plan: CachePlan, model: str, usage: Usage, *, free: bool, status: int
    ) -> None:
        """Enter a request into the books; the answer goes out only after this."""
        cost = self.prices.cost_usd(model, usage, arrival.at)
        cost = cost * 0 if free else cost
        self.meter.add(model, usage, cost)
        self.calls.add(
            arrival, model=model, status=status, prefixes=plan.prefixes, usage=usage, cost_usd=cost
        )
