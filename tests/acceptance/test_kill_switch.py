"""The kill switch of generation: nothing is asked, everything waits, and goes on when it is switched on."""

import json

import pytest

from tasks import insights
from tasks.config import set_setting
from tests.acceptance.commands import in_process, told_by
from tests.acceptance.conftest import World
from tests.acceptance.night import choose, evening, overnight
from tests.acceptance.test_summarize import run


def switch(world: World, value: str, organization_id: str | None = None) -> None:
    set_setting(world.engine, "generation", value, organization_id, changed_by="test", now=world.clock.now())


def clubs_of(world: World, state: str) -> set[str]:
    rows = world.rows("SELECT DISTINCT organization_id FROM insight WHERE state = :s", s=state)
    return {row["organization_id"] for row in rows}


def test_switched_off_for_the_platform_nothing_is_asked_and_all_waits_with_the_cause(world: World) -> None:
    ids = world.load(insights=12)
    switch(world, "off")
    report = run(world)
    assert world.meter()["requests"] == 0
    assert report.deferred == {"generation_off": len(ids)}
    assert report.stopped is not None
    assert report.stopped.is_limit
    assert world.rows("SELECT DISTINCT state, state_reason FROM insight") == [
        {"state": "deferred", "state_reason": "generation_off"}
    ]
    switch(world, "on")
    run(world)
    assert world.states() == {"summarized": len(ids)}


def test_switched_off_for_one_club_the_others_go_on(world: World) -> None:
    world.load(insights=12)
    club, *others = sorted(clubs_of(world, "pending"))
    switch(world, "off", club)
    report = run(world)
    assert report.stopped is None
    assert clubs_of(world, "deferred") == {club}
    assert clubs_of(world, "summarized") == set(others)
    assert run(world, organization_id=club).stopped is not None


def test_a_clubs_own_on_does_not_count_while_the_platforms_is_off(world: World) -> None:
    world.load(insights=2)
    switch(world, "off")
    for club in clubs_of(world, "pending"):
        switch(world, "on", club)
    run(world)
    assert world.meter()["requests"] == 0


def test_switched_off_during_a_run_it_is_heard_before_the_next_page(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.load(insights=60)
    monkeypatch.setattr(insights, "PAGE_INSIGHTS", 10)
    report = run(world, watch=lambda states: switch(world, "off") if states["summarized"] == 1 else None)
    assert set(world.states()) == {"deferred", "summarized"}
    assert report.deferred["generation_off"] > 10


def test_overnight_nothing_is_sent_and_what_is_out_already_is_collected(world: World) -> None:
    world.load(insights=6)
    choose(world)
    switch(world, "off")
    clock = evening(world)
    assert overnight(world, clock).deferred == {"generation_off": 6}
    assert world.meter()["requests"] == 0
    switch(world, "on")
    overnight(world, clock)
    assert world.states() == {"summarized": 6}


def test_the_commands_end_with_code_3_and_say_how_to_switch_it_on(world: World) -> None:
    world.load(insights=3)
    assert told_by("config", "set", "generation", "off")["to"] == "off"
    stopped = in_process("summarize", "--json")
    assert stopped.returncode == 3
    assert json.loads(stopped.stdout)["deferred"] == {"generation_off": 3}
    assert "touchline config set generation on" in stopped.stderr
    evaluated = in_process("evaluate", "--limit", "1")
    assert evaluated.returncode == 3
    assert "Generation is switched off" in evaluated.stderr
    assert world.meter()["requests"] == 0
    refused = in_process("config", "set", "generation", "maybe")
    assert (refused.returncode, "generation takes on or off" in refused.stderr) == (2, True)
