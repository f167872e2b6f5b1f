"""A coach's own history: trust from nothing to level 3 and back, the window, the ticks, the switches."""

from datetime import timedelta
from typing import Any

import pytest

from core.states import InjuryTick
from core.transitions import ForbiddenMove, NotDeliverable, TicksMissing
from tasks import delivery, reviews, trust
from tests.acceptance.conftest import World
from tests.acceptance.test_summarize import run
from tests.acceptance.trusted import (
    always_answer,
    load_harmless,
    summaries,
)


def test_a_coachs_history_from_nothing_to_level_3_and_back(world: World) -> None:
    ids = load_harmless(world, 8)
    world.execute(
        "UPDATE insight SET organization_id = club.id, coach_id = club.coach_id, player_id = club.player_id"
        " FROM (SELECT organization.id,"
        " (SELECT min(id) FROM coach WHERE organization_id = organization.id) AS coach_id,"
        " (SELECT min(id) FROM player WHERE organization_id = organization.id) AS player_id"
        " FROM organization ORDER BY id LIMIT 1) AS club"
    )
    world.execute("UPDATE coach SET approvals = 8, preferred_level = NULL, tone = 'warm'")
    always_answer(world, confidence=0.65)
    coach = world.rows("SELECT DISTINCT coach_id FROM insight")[0]["coach_id"]

    def next_summary() -> dict[str, Any]:
        before = {row["id"] for row in summaries(world)}
        run(world, insights_per_call=1, insight_limit=1)
        (new,) = (row for row in summaries(world) if row["id"] not in before)
        return new

    def approve(row: dict[str, Any]) -> None:
        reviews.approve(world.engine, coach, row["id"], now=world.clock.now())

    def stands() -> tuple[int, int]:
        found = trust.show_trust(world.engine, coach)
        return found["earned"], found["effective"]

    assert stands() == (0, 0)
    approve(next_summary())
    approve(next_summary())
    assert stands() == (1, 1)
    world.execute("UPDATE coach SET approvals = 48")
    assert stands() == (2, 2)
    low = next_summary()
    assert (low["state"], low["decision_reasons"]) == ("pending_review", ["confidence_below_threshold"])
    always_answer(world, confidence=0.70)
    by_rule = next_summary()
    assert by_rule["state"] == "auto_approved"
    reviews.revoke(world.engine, coach, by_rule["id"], now=world.clock.now())
    with pytest.raises(ForbiddenMove):
        approve(by_rule)
    assert trust.show_trust(world.engine, coach)["suppressions"] == 1

    world.execute("UPDATE coach SET approvals = 300")
    assert stands() == (3, 2)
    trust.set_level(world.engine, coach, 1, now=world.clock.now())
    assert (stands(), next_summary()["state"]) == ((3, 1), "pending_review")
    trust.set_level(world.engine, coach, 3, now=world.clock.now())
    assert stands() == (3, 3)
    always_answer(world, confidence=0.60)
    delivered = next_summary()
    assert delivered["decision_reasons"] == ["confidence_enough_at_level_3"]
    with pytest.raises(NotDeliverable, match="rehearsal"):
        delivery.deliver(world.engine, delivered["id"], now=world.clock.now() + timedelta(hours=2))
    assert len(ids) - 6 == world.states()["pending"]


def test_live_what_was_approved_by_rule_can_be_revoked_within_the_window_and_not_once_it_is_out(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    load_harmless(world, 2)
    monkeypatch.setenv("TOUCHLINE_LIVE_BASE_URLS", world.emulator_url)
    monkeypatch.setenv("TOUCHLINE_REVOCATION_MINUTES", "30")
    always_answer(world)
    run(world, insights_per_call=1)
    first, second = summaries(world)
    assert not first["rehearsal"]
    moment = first["revocable_until"]
    assert moment - first["created_at"] == timedelta(minutes=30)
    reviews.revoke(world.engine, first["coach_id"], first["id"], now=moment - timedelta(minutes=1))
    later = second["revocable_until"]
    assert delivery.deliver(world.engine, second["id"], now=later).to_state == "delivered"
    with pytest.raises(ForbiddenMove, match="is delivered cannot become suppressed"):
        reviews.revoke(world.engine, second["coach_id"], second["id"], now=later)


def test_an_injury_waits_for_three_ticks(world: World) -> None:
    load_harmless(world, 1)
    world.execute("UPDATE insight SET description = 'Came off with a sore hamstring after the second drill.'")
    always_answer(world)
    run(world, insights_per_call=1)
    (row,) = summaries(world)
    assert (row["category"], row["model_category"], row["state"]) == ("injury", "normal", "pending_review")
    now = world.clock.now()
    with pytest.raises(TicksMissing):
        reviews.approve(world.engine, row["coach_id"], row["id"], now=now)
    reviews.approve(world.engine, row["coach_id"], row["id"], ticks=set(InjuryTick), now=now)


def test_a_coach_who_wants_nothing_sensitive_gets_none_also_of_what_only_the_screen_sees(
    world: World,
) -> None:
    load_harmless(world, 1)
    world.execute("UPDATE coach SET skip_sensitive = true")
    world.execute("UPDATE insight SET description = 'Came off with a sore hamstring after the second drill.'")
    always_answer(world)
    run(world, insights_per_call=1)
    assert world.rows("SELECT state, state_reason FROM insight") == [
        {"state": "skipped", "state_reason": "sensitive"}
    ]
