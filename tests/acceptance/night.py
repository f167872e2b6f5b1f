"""What tests of the overnight lane share: clubs that chose it, and a night that passes by moving the clock."""

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from core.report import RunReport
from flows.overnight import collect_batches, summarize_overnight
from tasks.config import set_setting
from tests.acceptance.conftest import World


class NightClock:
    """The emulator's time; sleeping moves it on, and tells `woken` how long it was."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.shift = datetime.fromisoformat(world.admin("GET", "clock")["now"]) - datetime.now(UTC)
        self.slept: list[float] = []
        self.woken: Callable[[float], None] = lambda seconds: None

    def now(self) -> datetime:
        return datetime.now(UTC) + self.shift

    def advance(self, seconds: float) -> None:
        self.world.admin("POST", "clock", {"advance_seconds": seconds})
        self.shift += timedelta(seconds=seconds)

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.advance(seconds)
        self.woken(seconds)
        await asyncio.sleep(0)


def choose(world: World, lane: str = "overnight", organization_id: str | None = None) -> None:
    """Have all clubs, or one, choose a lane."""
    set_setting(world.engine, "lane", lane, organization_id, changed_by="test", now=world.clock.now())


def overnight(world: World, clock: NightClock | None = None, **parameters: Any) -> RunReport:
    """Run the flow to its end."""
    report: RunReport = asyncio.run(summarize_overnight(clock=clock or NightClock(world), **parameters))
    return report


def collect(world: World, clock: NightClock | None = None) -> RunReport:
    """Collect what is open, once."""
    report: RunReport = asyncio.run(collect_batches(clock=clock or NightClock(world)))
    return report


def assert_books_equal(world: World) -> None:
    """Hold the ledger against the emulator's meter, to the last digit; what is not billed is on no meter."""
    booked = world.rows(
        "SELECT model, service_tier, count(*) AS requests, sum(input_tokens) AS input_tokens,"
        " sum(cache_read_tokens) AS cache_read_tokens, sum(cache_write_5m_tokens) AS cache_write_5m_tokens,"
        " sum(cache_write_1h_tokens) AS cache_write_1h_tokens, sum(output_tokens) AS output_tokens,"
        " sum(cost_usd) AS cost_usd FROM ai_usage_log"
        " WHERE outcome NOT IN ('rejected', 'canceled', 'expired') GROUP BY 1, 2 ORDER BY 1, 2"
    )
    metered = [{**row, "cost_usd": Decimal(row["cost_usd"])} for row in world.meter()["rows"]]
    assert booked == sorted(metered, key=lambda row: (row["model"], row["service_tier"]))
