"""Lengths of prompts through the flow: counted once for free, kept, learned from, and never waited for."""

import shutil
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path

import pytest

from core import prompt
from tests.acceptance.conftest import World
from tests.acceptance.test_summarize import assert_books_equal, run

MANY = 1_000


@pytest.fixture(autouse=True)
def counting(world: World) -> None:
    """Let the emulator count how often it is asked to count: a delay of nothing is used up each time."""
    world.fault(kind="slow_first_byte", at="count_tokens", seconds=0, count=MANY)


def counts(world: World) -> int:
    """How often the emulator was asked to count."""
    (left,) = [fault["count"] for fault in world.admin("GET", "faults")["faults"]]
    return MANY - int(left)


def test_every_text_is_counted_once_for_a_model_and_counting_is_free(world: World) -> None:
    world.load(insights=40)
    run(world, insight_limit=20)
    asked = counts(world)
    kept = world.rows("SELECT text_key, tokens, counted_at FROM token_count ORDER BY text_key")
    assert asked == len(kept) > 3
    assert_books_equal(world)
    run(world)
    assert counts(world) == asked
    assert world.rows("SELECT text_key, tokens, counted_at FROM token_count ORDER BY text_key") == kept


def test_another_model_is_counted_for_itself(world: World) -> None:
    world.load(insights=4)
    run(world, insight_limit=2)
    asked = counts(world)
    run(world, model="claude-haiku-4-5")
    assert counts(world) > asked
    models = world.rows("SELECT DISTINCT model FROM token_count ORDER BY model")
    assert [row["model"] for row in models] == ["claude-haiku-4-5", "claude-haiku-5-5"]


@pytest.fixture
def changed_tone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A text that a test may change as a new release does; all is as it was afterwards."""
    texts = shutil.copytree(str(prompt.TEXTS), tmp_path / "texts")
    monkeypatch.setattr(prompt, "TEXTS", texts)
    prompt.forget_texts()
    yield texts / "tones" / "brief.md"
    monkeypatch.undo()
    prompt.forget_texts()


def test_after_a_change_only_the_changed_text_is_counted(world: World, changed_tone: Path) -> None:
    world.load(insights=2)
    world.execute("UPDATE coach SET tone = 'brief'")
    run(world)
    asked = counts(world)
    changed_tone.write_text(changed_tone.read_text("utf-8") + "\nBe brief.\n", "utf-8")
    prompt.forget_texts()
    world.execute("DELETE FROM summary")
    world.execute("UPDATE insight SET state = 'pending'")
    run(world)
    assert counts(world) == asked + 2, "the text, and what a request has without it"


def test_an_api_that_does_not_count_stops_nobody_and_is_asked_again_by_the_next_run(world: World) -> None:
    insights = world.load(insights=30)
    world.admin("DELETE", "faults")
    world.fault(kind="api_error", at="count_tokens", share=1)
    report = run(world, insight_limit=15)
    assert report.insights == {"summarized": 15}
    assert world.rows("SELECT 1 FROM token_count") == []
    assert abs(report.predicted.cost_usd / report.billed.cost_usd - 1) < Decimal("0.25")
    world.admin("DELETE", "faults")
    run(world)
    assert world.rows("SELECT 1 FROM token_count") != []
    assert world.states() == {"summarized": len(insights)}


def test_what_usage_has_taught_makes_the_next_prediction_better(world: World) -> None:
    world.load(insights=80)
    first, second = (run(world, insight_limit=limit) for limit in (40, None))
    off = [abs(1 - one.predicted.output_tokens / one.billed.output_tokens) for one in (first, second)]
    assert off[1] < off[0] / 2
    assert off[1] < 0.05
    learned = {row["kind"] for row in world.rows("SELECT kind FROM token_ratio WHERE units > 0")}
    tones = {row["tone"] for row in world.rows("SELECT DISTINCT tone FROM summary")}
    assert learned == {"text"} | {f"answer/{tone}" for tone in tones}
