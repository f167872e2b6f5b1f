"""A coach's switches are read again before every page that a run claims."""

from collections import Counter

import pytest

from tasks import insights
from tests.acceptance.conftest import World
from tests.acceptance.test_summarize import run


def test_a_coach_who_switches_off_during_a_run_is_heard_before_the_next_page(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    loaded = world.load(insights=150)
    monkeypatch.setattr(insights, "PAGE_INSIGHTS", 10)

    def switch_off(states: Counter[str]) -> None:
        if states["summarized"] == 1:
            world.execute("UPDATE coach SET summaries_enabled = false")

    report = run(world, watch=switch_off)
    assert set(world.states()) == {"skipped", "summarized"}
    assert report.insights["skipped"] > len(loaded) / 4
    assert {row["state_reason"] for row in world.rows("SELECT state_reason FROM insight")} == {
        None,
        "summaries_off",
    }
