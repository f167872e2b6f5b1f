"""What tests of the overnight lane share: clubs that chose it, a night that passes by moving the clock."""

import asyncio
import warnings
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, time, timedelta
from decimal import Decimal
from functools import cache
from typing import Any, Protocol

import sqlalchemy as sa
from anthropic import Anthropic
from anthropic.types.messages import MessageBatch

from core.report import RunReport
from flows.overnight import collect_batches, summarize_overnight
from flows.summarize import summarize_pending
from tasks.config import set_setting
from tests.acceptance.conftest import World

KEY = "rehearsal"  # of the flows when none is set: keys are workspaces
OUTSIDE_PREFECT = "Artifact creation outside of a flow"  # Prefect warns of it
FOREIGN_MODEL = "claude-haiku-4-5"  # which none of our calls asks


class Administered(Protocol):
    """An emulator that can be told things."""

    def admin(self, method: str, path: str, body: dict[str, Any] | None = None) -> dict[str, Any]:
        """Call its admin interface."""


class NightClock:
    """The emulator's time; sleeping moves it on, and tells `woken` how long it was."""

    def __init__(self, world: Administered) -> None:
        self.world = world
        self.shift = datetime.fromisoformat(world.admin("GET", "clock")["now"]) - datetime.now(UTC)
        self.slept: list[float] = []
        self.woken: Callable[[float], None] = lambda seconds: None

    def now(self) -> datetime:
        return datetime.now(UTC) + self.shift

    def advance(self, seconds: float) -> None:
        self.world.admin("POST", "clock", {"advance_seconds": seconds})
        self.shift += timedelta(seconds=seconds)

    def advance_to(self, moment: datetime) -> None:
        """Move on to a moment that is still to come."""
        self.advance((moment - self.now()).total_seconds())

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.advance(seconds)
        self.woken(seconds)
        await asyncio.sleep(0)


def evening(world: Administered, at: time = time(20)) -> NightClock:
    """Give a clock that shows this time, in UTC: what is due when must not depend on when tests run."""
    clock = NightClock(world)
    now = clock.now()
    moment = datetime.combine(now.date(), at, UTC)
    clock.advance_to(moment if moment > now else moment + timedelta(days=1))
    return clock


def choose(world: World, lane: str = "overnight", organization_id: str | None = None) -> None:
    """Have all clubs, or one, choose a lane."""
    set_setting(world.engine, "lane", lane, organization_id, changed_by="test", now=world.clock.now())


def load_alike(world: World, players: int, size: int = 1, *, elsewhere: int = 0) -> list[str]:
    """Load so many insights of each player, of one sport and tone, for the overnight lane; gives their ids.

    The players are of the first club, in Dublin, and `elsewhere` more of the second, in New York.
    """
    world.load(insights=(players + elsewhere) * size)
    world.execute("UPDATE coach SET tone = 'warm'")
    world.execute("UPDATE player SET sport = 'soccer'")
    world.execute(
        "UPDATE insight SET player_id = player.id, organization_id = player.organization_id, sport = NULL,"
        " coach_id = (SELECT min(id) FROM coach WHERE organization_id = player.organization_id)"
        " FROM (SELECT id, organization_id, n + (club - 1) * :players AS n FROM ("
        "    SELECT id, organization_id, dense_rank() OVER (ORDER BY organization_id) AS club,"
        "    row_number() OVER (PARTITION BY organization_id ORDER BY id) - 1 AS n FROM player) AS numbered"
        "  WHERE club = 1 AND n < :players OR club = 2 AND n < :elsewhere) AS player,"
        " (SELECT id, row_number() OVER (ORDER BY created_at, id) - 1 AS n FROM insight) AS numbered"
        " WHERE insight.id = numbered.id AND player.n = numbered.n / :size",
        players=players,
        elsewhere=elsewhere,
        size=size,
    )
    choose(world)
    return [row["id"] for row in world.rows("SELECT id FROM insight ORDER BY created_at, id")]


class Left(Exception):
    """The process that ran the flow is gone."""


def leave(world: World, clock: NightClock, *, sleeps: int) -> None:
    """Run the flow until it would sleep the next time after so many, and leave it there."""
    left = sleeps

    def count(seconds: float) -> None:
        nonlocal left
        left -= 1
        if left < 0:
            raise Left

    clock.woken = count
    try:
        overnight(world, clock)
    except Left:
        return
    finally:
        clock.woken = lambda seconds: None
    raise AssertionError("the flow has ended by itself")


def overnight(world: World, clock: NightClock | None = None, **parameters: Any) -> RunReport:
    """Run the flow to its end, by itself: under Prefect, which takes twice as long, others do."""
    return _run(summarize_overnight.fn(clock=clock or NightClock(world), **parameters))


def collect(world: World, clock: NightClock | None = None) -> RunReport:
    """Collect what is open, once."""
    return _run(collect_batches.fn(clock=clock or NightClock(world)))


def live(world: World, clock: NightClock | None = None) -> RunReport:
    """Run the flow of the live lane to its end."""
    report: RunReport = asyncio.run(summarize_pending(clock=clock or NightClock(world)))
    return report


def _run(flow: Coroutine[Any, Any, RunReport]) -> RunReport:
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", OUTSIDE_PREFECT)
        return asyncio.run(flow)


def vendor(world: World) -> Anthropic:
    """Give a client for a person at the vendor's console: the same workspace, another program."""
    return _client(world.emulator_url)


@cache
def _client(base_url: str) -> Anthropic:
    """One client per emulator: building one takes longer than many calls."""
    return Anthropic(api_key=KEY, base_url=base_url, max_retries=0)


def someone_elses_batch(world: World, requests: int) -> MessageBatch:
    """Have somebody else in the workspace create a batch of so many requests."""
    params: Any = {
        "model": FOREIGN_MODEL,
        "max_tokens": 50,
        "messages": [{"role": "user", "content": "Say hello."}],
    }
    asked: Any = [{"custom_id": f"theirs-{n}", "params": params} for n in range(requests)]
    return vendor(world).messages.batches.create(requests=asked)


def at_vendor(world: World) -> list[MessageBatch]:
    """Give the batches that the emulator has, oldest first."""
    return list(vendor(world).messages.batches.list(limit=100))[::-1]


def batches(world: World, kind: str | None = None) -> list[dict[str, Any]]:
    """Give our batches in the order they were made."""
    return world.rows(
        "SELECT * FROM message_batch WHERE CAST(:kind AS text) IS NULL OR kind = :kind"
        " ORDER BY created_at, batch_id",
        kind=kind,
    )


def calls(world: World, kind: str) -> list[dict[str, Any]]:
    """Give the ledger's rows of the batches of a kind, in the order they were sent."""
    return world.rows(
        "SELECT ai_usage_log.* FROM ai_usage_log JOIN message_batch USING (batch_id) WHERE kind = :kind"
        " ORDER BY occurred_at, attempt_id",
        kind=kind,
    )


def waiting(world: World) -> list[tuple[str, str | None, bool, int]]:
    """Count insights by state, reason and whether they have missed the time at which they were due."""
    rows = world.rows(
        "SELECT state, state_reason, missed_due, count(*) AS n FROM insight GROUP BY 1, 2, 3 ORDER BY 1, 2, 3"
    )
    return [(row["state"], row["state_reason"], row["missed_due"], row["n"]) for row in rows]


def outcomes(world: World) -> list[tuple[str, str | None, int]]:
    """Count attempts by outcome and reason."""
    rows = world.rows(
        "SELECT outcome, outcome_reason, count(*) AS n FROM ai_usage_log GROUP BY 1, 2 ORDER BY 1, 2"
    )
    return [(row["outcome"], row["outcome_reason"], row["n"]) for row in rows]


@contextmanager
def held_after_settling(world: World, attempts: int) -> Iterator[Callable[[], int]]:
    """Let nobody settle more than so many attempts until the end; gives how many wait for locks."""
    world.execute("CREATE TABLE settled_at_most (attempts int)")
    world.execute("INSERT INTO settled_at_most VALUES (:attempts)", attempts=attempts)
    world.execute(
        "CREATE FUNCTION hold() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN"
        " IF (SELECT count(*) FROM ai_usage_log WHERE outcome = 'succeeded')"
        " >= (SELECT attempts FROM settled_at_most)"
        " THEN PERFORM pg_advisory_xact_lock(1); END IF; RETURN NEW; END $$"
    )
    world.execute("CREATE TRIGGER hold BEFORE UPDATE ON ai_usage_log FOR EACH ROW EXECUTE FUNCTION hold()")

    def waiting_for_locks() -> int:
        return len(
            world.rows(
                "SELECT 1 FROM pg_stat_activity"
                " WHERE datname = current_database() AND wait_event_type = 'Lock'"
            )
        )

    with world.engine.connect() as holding:
        holding.execute(sa.text("SELECT pg_advisory_lock(1)"))
        try:
            yield waiting_for_locks
        finally:
            holding.execute(sa.text("SELECT pg_advisory_unlock(1)"))


def assert_each_has_one_summary(world: World, insights: int) -> None:
    """Have so many insights, all summarised, each with exactly one live summary and one used answer."""
    assert world.states() == {"summarized": insights}
    rows = world.rows(
        "SELECT insight_id FROM summary WHERE state <> 'suppressed' GROUP BY insight_id HAVING count(*) = 1"
    )
    assert len(rows) == insights
    unpaid = world.rows(
        "SELECT summary.id FROM summary JOIN ai_usage_log USING (attempt_id) WHERE outcome <> 'succeeded'"
    )
    assert unpaid == []


def assert_books_equal(world: World, but_model: str | None = None) -> None:
    """Hold the ledger against the emulator's meter, to the last digit; what is not billed is on no meter."""
    booked = world.rows(
        "SELECT model, service_tier, count(*) AS requests, sum(input_tokens) AS input_tokens,"
        " sum(cache_read_tokens) AS cache_read_tokens, sum(cache_write_5m_tokens) AS cache_write_5m_tokens,"
        " sum(cache_write_1h_tokens) AS cache_write_1h_tokens, sum(output_tokens) AS output_tokens,"
        " sum(cost_usd) AS cost_usd FROM ai_usage_log"
        " WHERE outcome NOT IN ('rejected', 'canceled', 'expired') GROUP BY 1, 2 ORDER BY 1, 2"
    )
    told = [row for row in world.meter()["rows"] if row["model"] != but_model]
    metered = [{**row, "cost_usd": Decimal(row["cost_usd"])} for row in told]
    assert booked == sorted(metered, key=lambda row: (row["model"], row["service_tier"]))
    free = world.rows(
        "SELECT attempt_id FROM ai_usage_log WHERE outcome IN ('rejected', 'canceled', 'expired')"
        " AND cost_usd IS DISTINCT FROM 0"
    )
    assert free == []
