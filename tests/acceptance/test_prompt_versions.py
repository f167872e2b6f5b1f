"""Prompt versions through the flow: kept before the first call, and no reason by themselves to call again."""

import asyncio
from collections.abc import Iterator
from typing import Any

import pytest

from core import prompt
from core.prompt import texts_of
from core.report import RunReport
from core.states import Tone
from flows.summarize import summarize_pending
from tasks.reviews import approve
from tests.acceptance.conftest import World


def run(world: World, **parameters: Any) -> RunReport:
    """Run the flow to its end, on the test's clock."""
    report: RunReport = asyncio.run(summarize_pending(clock=world.clock, **parameters))
    return report


@pytest.fixture
def changed_texts(monkeypatch: pytest.MonkeyPatch) -> Iterator[pytest.MonkeyPatch]:
    """Lets a test change texts as a new release does; all is as it was afterwards."""
    yield monkeypatch
    monkeypatch.undo()
    texts_of.cache_clear()


def change(monkeypatch: pytest.MonkeyPatch, ending: str) -> None:
    """Give every text of the prompts another ending."""
    read = prompt._text
    monkeypatch.setattr(prompt, "_text", lambda path: read(path) + (ending if path.endswith(".md") else ""))
    texts_of.cache_clear()


def test_every_version_of_the_summaries_is_kept_and_was_before_the_first_call(world: World) -> None:
    world.load(insights=40)
    run(world)
    unkept = world.rows(
        "SELECT id FROM summary LEFT JOIN prompt ON version = prompt_version WHERE version IS NULL"
    )
    assert unkept == []
    late = world.rows(
        "SELECT version FROM prompt JOIN ai_usage_log ON prompt_version = version"
        " GROUP BY version, first_used_at HAVING min(occurred_at) < first_used_at"
    )
    assert late == []
    for row in world.rows("SELECT * FROM prompt"):
        texts = texts_of(row["sport"], Tone(row["tone"]))
        assert row["version"] == texts.version
        assert row["sport_sheet"] == texts.sport_sheet


def test_a_changed_text_makes_a_new_version_keeps_old_summaries_and_calls_for_nothing(
    world: World, changed_texts: pytest.MonkeyPatch
) -> None:
    world.load(insights=12)
    run(world, insight_limit=8)
    before = world.rows("SELECT * FROM summary ORDER BY id")
    old = {row["version"] for row in world.rows("SELECT version FROM prompt")}
    requests = world.meter()["requests"]
    change(changed_texts, "\n\nOne sentence more.")
    assert world.states() == {"pending": 4, "summarized": 8}
    run(world)
    assert world.meter()["requests"] == requests + 4, "only what was pending"
    assert world.states() == {"summarized": 12}
    assert [row for row in world.rows("SELECT * FROM summary ORDER BY id") if row in before] == before
    new = {row["version"] for row in world.rows("SELECT version FROM prompt")} - old
    made = world.rows("SELECT prompt_version, count(*) AS n FROM summary GROUP BY 1")
    assert sum(row["n"] for row in made if row["prompt_version"] in new) == 4
    assert sum(row["n"] for row in made if row["prompt_version"] in old) == 8
    requests = world.meter()["requests"]
    run(world)
    assert world.meter()["requests"] == requests


def test_an_approved_summary_is_told_to_the_next_run_and_a_waiting_one_is_not(world: World) -> None:
    """The emulator answers so only where a request holds the words."""
    (insight,) = world.load(insights=1)
    world.execute("UPDATE insight SET category = 'performance'")
    world.fault(kind="wrong_content", share=1, answer=answer("First words."))
    run(world)
    world.admin("DELETE", "faults")
    for number, state in enumerate(("pending_review", "approved")):
        if state == "approved":
            (first,) = world.rows("SELECT id, coach_id FROM summary WHERE text = 'First words.'")
            approve(world.engine, first["coach_id"], first["id"], now=world.clock.now())
        world.execute(
            "INSERT INTO insight SELECT (jsonb_populate_record(insight, jsonb_build_object("
            "'id', CAST(:new AS text), 'state', 'pending'))).* FROM insight WHERE id = :old",
            new=f"new-{number}",
            old=insight,
        )
        world.fault(kind="wrong_content", share=1, match="First words.", answer=answer("Second words."))
        run(world)
        world.admin("DELETE", "faults")
        said = world.rows("SELECT text FROM summary WHERE insight_id = :i", i=f"new-{number}")
        assert (said == [{"text": "Second words."}]) == (state == "approved")


def answer(summary: str) -> str:
    """A valid answer with this summary."""
    return (
        '{"category":"normal","category_confidence":0.95,"reason":"",'
        f'"summary":"{summary}","confidence":0.9,"flags":[]}}'
    )
