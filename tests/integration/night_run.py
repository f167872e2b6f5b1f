"""A run of the overnight lane without its flow, for tests of one step of it."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

from core.calls import PlannedCall
from core.measured import Measured
from core.pages import plan_calls
from core.plan import Terms
from core.settings import Settings
from core.states import Lane, Tone
from core.survey import Group
from database.engine import connect_async
from models import tables
from tasks.claude import make_client
from tasks.config import set_setting
from tasks.insights import claim_page
from tasks.prompts import keep_prompts
from tasks.run import Run
from tasks.surveys import Scope, in_reach
from tests.integration.stored_rows import AT, Rows
from tests.integration.workers import START, StillClock

NOWHERE = "http://127.0.0.1:1"
DUE_AT = START + timedelta(hours=9)
GROUP = Group("soccer", Tone.WARM, {})
STORY_SECONDS_MAX = 30
Story = Callable[[Run], Awaitable[None]]


def waiting(rows: Rows, sizes: Sequence[int], club: str = "club") -> list[list[str]]:
    """Have a club in the overnight lane, with so many insights of each of its players; gives their ids."""
    set_setting(rows.engine, "lane", "overnight", changed_by="test", now=START)
    players = [f"{club}-{uuid4()}" for _ in sizes]
    facts = {"organization_id": club, "first_name": "Aoife", "sport": "soccer"}
    rows.insert(tables.Player, *({"id": player} | facts for player in players))
    return [
        [
            rows.insight(club, player_id=player, created_at=AT + timedelta(minutes=place))
            for place in range(size)
        ]
        for player, size in zip(players, sizes, strict=True)
    ]


def tell(
    rows: Rows, home: Path, story: Story, *, base_url: str = NOWHERE, clock: StillClock | None = None
) -> None:
    """Let a story of one run happen."""

    async def whole() -> None:
        async with asyncio.timeout(STORY_SECONDS_MAX):
            async with a_run(rows, home, base_url, clock or StillClock()) as run:
                await story(run)

    asyncio.run(whole())


@asynccontextmanager
async def a_run(rows: Rows, home: Path, base_url: str, clock: StillClock) -> AsyncIterator[Run]:
    """A run of the overnight lane, to be used in the running loop."""
    settings = Settings().model_copy(update={"anthropic_base_url": base_url, "home": home})
    engine = connect_async(rows.engine.url.render_as_string(hide_password=False), connections=4)
    try:
        async with make_client(settings) as client:
            yield Run(
                run_id="night",
                model=settings.model,
                settings=settings,
                engine=engine,
                client=client,
                clock=clock,
                lane=Lane.OVERNIGHT,
            )
    finally:
        await engine.dispose()


async def claimed_calls(run: Run, insights_per_call: int = 1) -> list[PlannedCall]:
    """Claim what is due, and plan the calls for it: those of who has waited longest first."""
    scope = await in_reach(run.transactions, Scope(lane=Lane.OVERNIGHT), run.clock.now())
    claimed = await claim_page(run, GROUP, scope, 100)
    terms = Terms(run.model, run.clock.now(), Measured(run.model), insights_per_call, lane=Lane.OVERNIGHT)
    chunks = plan_calls(claimed, terms)
    await keep_prompts(run, chunks)
    return [call for chunk in chunks for call in chunk.calls]


def stored(rows: Rows, query: str) -> list[tuple[Any, ...]]:
    """Run a query; gives its rows."""
    with rows.engine.connect() as connection:
        return [tuple(row) for row in connection.exec_driver_sql(query)]
