"""Prompts in the database: what a claim tells of earlier summaries, and versions that are kept once."""

import asyncio
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest
import sqlalchemy as sa

from core.calls import Chunk
from core.claimed import ClaimedInsight
from core.errors import BadInput
from core.measured import Measured
from core.pages import plan_calls
from core.plan import RunPlan, Terms, plan_run
from core.prompt import EARLIER_SUMMARIES_MAX, PromptTexts, texts_of
from core.settings import Settings
from core.states import SummaryState, Tone
from core.survey import Group, Survey
from database.engine import connect_async
from models.tables import Player, Prompt
from tasks import prompts
from tasks.claude import make_client
from tasks.clock import SystemClock
from tasks.insights import claim_pages
from tasks.run import Run
from tasks.surveys import Scope, in_reach
from tests.integration.stored_rows import AT, Rows

SENT = {SummaryState.APPROVED, SummaryState.DELIVERED, SummaryState.VIEWED}
LIVE = "https://api.anthropic.com"
REHEARSAL = "http://127.0.0.1:1"
SPORTS = ("soccer", "rugby", "gaa_football")
TERMS = Terms("claude-haiku-5-5", AT, Measured("claude-haiku-5-5"))


class World:
    """Claims and keeps as a run does."""

    def __init__(self, database_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
        self.database_url = database_url
        self.monkeypatch = monkeypatch

    def settings(self, base_url: str = REHEARSAL) -> Settings:
        self.monkeypatch.setenv("ANTHROPIC_BASE_URL", base_url)
        return Settings()

    def claim(self, base_url: str = REHEARSAL) -> list[ClaimedInsight]:
        async def claim() -> list[ClaimedInsight]:
            run = self.run(self.settings(base_url))
            try:
                scope = await in_reach(run.transactions, Scope(), run.clock.now())
                return [one async for page in claim_pages(run, all_sports(), scope) for one in page]
            finally:
                await run.engine.dispose()

        return asyncio.run(claim())

    def run(self, settings: Settings) -> Run:
        return Run(
            run_id=str(uuid4()),
            model=settings.model,
            settings=settings,
            engine=connect_async(self.database_url),
            client=make_client(settings),
            clock=SystemClock(),
        )


def all_sports() -> RunPlan:
    """A plan that goes through the sports that these tests have, in one tone."""
    return plan_run(Survey([Group(sport, Tone.WARM, {1: 1}) for sport in SPORTS]), TERMS)


def planned(claimed: list[ClaimedInsight]) -> tuple[Chunk, ...]:
    """Plan one call for each insight."""
    return plan_calls(claimed, TERMS)


@pytest.fixture
def world(database_url: str, monkeypatch: pytest.MonkeyPatch) -> World:
    return World(database_url, monkeypatch)


@pytest.mark.parametrize("state", list(SummaryState))
def test_only_what_the_parents_were_or_will_surely_be_sent_is_told(
    rows: Rows, world: World, monkeypatch: pytest.MonkeyPatch, state: SummaryState
) -> None:
    monkeypatch.setenv("ANTHROPIC_API_KEY", "never used")
    rows.summary(state=state, text="Aoife kept at it.", rehearsal=False)
    rows.insight()
    (claimed,) = world.claim(LIVE)
    assert claimed.earlier_summaries == (("Aoife kept at it.",) if state in SENT else ())


def test_the_three_newest_are_told_newest_first(rows: Rows, world: World) -> None:
    for hour in (3, 1, 4, 2, 0):
        rows.summary(state="approved", text=f"At {hour}.", created_at=AT + timedelta(hours=hour))
    rows.insight()
    (claimed,) = world.claim()
    assert claimed.earlier_summaries == ("At 4.", "At 3.", "At 2.")
    assert len(claimed.earlier_summaries) == EARLIER_SUMMARIES_MAX


def test_other_players_and_other_clubs_stay_out(rows: Rows, world: World) -> None:
    rows.club("other")
    player = {"id": "sister", "organization_id": "club", "first_name": "Niamh", "sport": "soccer"}
    rows.insert(Player, player)
    rows.summary(state="approved", player_id="sister", text="Of a sister.")
    rows.summary("other", state="approved", text="Of another club's player.")
    rows.summary("other", state="approved", player_id="player-club", text="Of her, by another club.")
    rows.insight()
    (claimed,) = world.claim()
    assert claimed.earlier_summaries == ()


@pytest.mark.parametrize(("base_url", "told"), [(LIVE, "Live."), (REHEARSAL, "Rehearsed.")])
def test_a_run_is_told_summaries_of_its_own_kind_only(
    rows: Rows, world: World, monkeypatch: pytest.MonkeyPatch, base_url: str, told: str
) -> None:
    monkeypatch.setenv("ANTHROPIC_API_KEY", "never used")
    rows.summary(state="viewed", rehearsal=False, text="Live.")
    rows.summary(state="approved", rehearsal=True, text="Rehearsed.")
    rows.insight()
    (claimed,) = world.claim(base_url)
    assert claimed.earlier_summaries == (told,)


def test_all_notes_of_a_player_share_one_prefix(rows: Rows, world: World) -> None:
    for number in range(5):
        rows.summary(state="approved", text=f"Summary {number}.", created_at=AT)
    for _ in range(4):
        rows.insight()
    claimed = world.claim()
    (chunk,) = planned(claimed)
    assert len({call.prefixes[-1] for call in chunk.calls}) == 1
    assert len(claimed) == 4
    assert "Summary 4." in chunk.calls[0].layers[-1].text


def test_what_was_made_of_an_insight_itself_is_not_told_for_it_again(rows: Rows, world: World) -> None:
    summary_id = rows.summary(state="approved", text="Of this note.")
    with rows.engine.begin() as connection:
        asked = sa.text("SELECT insight_id FROM summary WHERE id = :s")
        insight_id = connection.execute(asked, {"s": summary_id}).scalar_one()
    call = prompts.planned_for(rows.engine, world.settings(), insight_id, AT)
    assert call.about.earlier_summaries == ()


def test_the_prompt_of_an_insight_is_shown_as_sent_and_nothing_is_claimed(rows: Rows, world: World) -> None:
    with rows.engine.begin() as connection:
        connection.execute(sa.text("UPDATE player SET last_name = 'Byrne'"))
    rows.summary(state="approved", text="A good evening for Aoife Byrne.")
    insight_id = rows.insight(description="Aoife Byrne kept going.")
    shown = prompts.planned_for(rows.engine, world.settings(), insight_id, AT)
    assert "Byrne" not in shown.layers[-1].text + shown.notes[0]
    assert "A good evening for Aoife." in shown.layers[-1].text
    (claimed,) = world.claim()
    (chunk,) = planned([claimed])
    assert chunk.calls[0].body() == shown.body()


def kept(engine: sa.Engine) -> list[dict[str, Any]]:
    with engine.connect() as connection:
        return [dict(row) for row in connection.execute(sa.select(Prompt.__table__)).mappings()]  # type: ignore[attr-defined]


def test_a_version_is_kept_whole_once_and_by_whoever_used_it_first(rows: Rows, world: World) -> None:
    rows.insight()
    chunks = planned(world.claim())

    async def runs_at_once() -> None:
        runs = [world.run(world.settings()) for _ in range(8)]
        await asyncio.gather(*(prompts.keep_prompts(run, chunks) for run in runs))
        for run in runs:
            assert run.kept_versions == {texts_of("soccer", Tone.WARM).version}
            await run.engine.dispose()

    before = datetime.now(UTC)
    asyncio.run(runs_at_once())
    (row,) = kept(rows.engine)
    assert before <= row["first_used_at"] <= datetime.now(UTC)
    texts = texts_of("soccer", Tone.WARM)
    assert PromptTexts(**{name: value for name, value in row.items() if name != "first_used_at"}) == texts
    first = row["first_used_at"]
    asyncio.run(runs_at_once())
    assert kept(rows.engine)[0]["first_used_at"] == first


def test_a_run_writes_each_version_in_one_statement_and_never_twice(rows: Rows, world: World) -> None:
    for sport in SPORTS:
        rows.insight(sport=sport)
    chunks = planned(world.claim())
    statements: list[str] = []

    async def keep_twice() -> None:
        run = world.run(world.settings())
        seen = lambda *about: statements.append(about[2])  # noqa: E731
        sa.event.listen(run.engine.sync_engine, "before_cursor_execute", seen)
        await prompts.keep_prompts(run, chunks)
        await prompts.keep_prompts(run, chunks)
        await run.engine.dispose()

    asyncio.run(keep_twice())
    assert len(statements) == 1
    assert {row["sport"] for row in kept(rows.engine)} == set(SPORTS)


def keep(rows: Rows, texts: PromptTexts) -> None:
    """Store the texts of a version as a run did it some day."""
    rows.insert(Prompt, {name: getattr(texts, name) for name in texts.__slots__} | {"first_used_at": AT})


def old_version(version: str = "0af300000000") -> PromptTexts:
    now = texts_of("soccer", Tone.WARM)
    return replace(now, version=version, instructions=now.instructions.replace("# Your job", "# The job"))


def test_a_version_is_found_by_its_digits_kept_or_current(rows: Rows) -> None:
    old, now = old_version(), texts_of("soccer", Tone.WARM)
    keep(rows, old)
    keep(rows, now)
    assert prompts.find_prompt(rows.engine, "0AF3") == old
    assert prompts.find_prompt(rows.engine, now.version) == now
    rugby = texts_of("rugby", Tone.BRIEF)
    assert prompts.find_prompt(rows.engine, rugby.version) == rugby, "current, though never used"
    assert prompts.find_prompt(rows.engine, "current:rugby/brief") == rugby


def test_digits_that_two_versions_begin_with_are_refused_and_both_are_named(rows: Rows) -> None:
    keep(rows, old_version("0af300000001"))
    keep(rows, old_version("0af300000002"))
    with pytest.raises(BadInput, match="0af300000001, 0af300000002"):
        prompts.find_prompt(rows.engine, "0af3")
    assert prompts.find_prompt(rows.engine, "0af300000002").version == "0af300000002"


def test_every_version_is_listed_with_its_summaries_also_one_whose_texts_were_never_kept(rows: Rows) -> None:
    keep(rows, old_version())
    for version in ("0af300000000", "0af300000000", "v0"):
        rows.summary(prompt_version=version)
    _, older = prompts.list_versions(rows.engine, "claude-haiku-5-5")
    listed = {row["version"]: row for row in older}
    assert listed["0af300000000"]["summaries"] == 2
    assert listed["0af300000000"]["first_used_at"] == AT
    assert (listed["v0"]["summaries"], listed["v0"]["first_used_at"], listed["v0"]["sport"]) == (
        1,
        None,
        None,
    )
