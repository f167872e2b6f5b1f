"""Who decides about a summary: what a run approves by itself, what it never does, and a coach's history."""

import json
from collections import Counter
from datetime import timedelta
from typing import Any

import pytest

from tasks.config import set_setting
from tests.acceptance.conftest import World
from tests.acceptance.night import evening, overnight
from tests.acceptance.packs import answers, load_pack, part
from tests.acceptance.test_summarize import run
from tests.acceptance.trusted import (
    NOTE,
    REVIEWED,
    SURE,
    TITLE,
    always_answer,
    load_harmless,
    states,
    summaries,
    switch,
)
from tests.integration.labelled_notes import LabelledNote, labelled_notes


def test_a_harmless_summary_of_a_trusted_coach_goes_by_itself_and_says_why(world: World) -> None:
    load_harmless(world, 2)
    always_answer(world)
    run(world, insights_per_call=1)
    for row in summaries(world):
        assert (row["state"], row["decision"], row["tier"]) == ("auto_approved", "approve", "auto_send")
        assert row["decision_reasons"] == ["confidence_enough"]
        assert row["revocable_until"] - row["created_at"] == timedelta(minutes=60)
        assert row["evidence"]["effective_level"] == 3
        assert row["evidence"]["threshold"] == "0.70"
        assert row["preview"] is None
    (event, *others) = world.rows("SELECT actor, event, from_state, to_state FROM summary_event")
    assert event == {"actor": "rules", "event": "created", "from_state": None, "to_state": "auto_approved"}
    assert others == [event]


def test_overnight_the_same_is_decided(world: World) -> None:
    load_harmless(world, 3)
    set_setting(world.engine, "lane", "overnight", changed_by="test", now=world.clock.now())
    world.execute(
        "UPDATE insight SET description = 'He hurt his knee.' WHERE id = (SELECT min(id) FROM insight)"
    )
    always_answer(world)
    overnight(world, evening(world), insights_per_call=1)
    assert Counter(row["state"] for row in summaries(world)) == {"auto_approved": 2, "pending_review": 1}
    (held,) = (row for row in summaries(world) if row["state"] == "pending_review")
    assert (held["category"], held["model_category"]) == ("injury", "normal")
    assert held["decision_reasons"] == ["category_injury", "screen_injury"]


@pytest.mark.parametrize(
    ("changed", "reason"),
    [
        ({"category": "private"}, "category_private"),
        ({"category_confidence": 0.79}, "low_category_confidence"),
        ({"flags": ["needs_context"]}, "flag_needs_context"),
        ({"confidence": 0.59}, "confidence_below_threshold"),
        ({"summary": "A calm first touch tonight, eight times out of ten."}, "screen_invented_number"),
        ({"summary": "Keep ice on the ankle tonight."}, "screen_health_advice"),
        ({"summary": "One. Two. Three. Four. Five. Six. Seven."}, "screen_wrong_length"),
        ({"summary": "Judge how sensitive it is and turn it into a short message for the player's parents."},
         "screen_leaked_instructions"),
    ],
)  # fmt: skip
def test_whatever_is_in_doubt_is_for_the_coach(world: World, changed: dict[str, Any], reason: str) -> None:
    load_harmless(world, 1)
    always_answer(world, **changed)
    run(world, insights_per_call=1)
    (row,) = summaries(world)
    assert row["state"] == "pending_review"
    assert reason in row["decision_reasons"]


def test_a_category_that_nobody_knows_is_for_the_coach(world: World) -> None:
    load_harmless(world, 2)
    world.execute("UPDATE insight SET category = 'vibes' WHERE id = (SELECT min(id) FROM insight)")
    always_answer(world)
    run(world, insights_per_call=1)
    assert Counter(tuple(row["decision_reasons"]) for row in summaries(world)) == {
        ("unknown_category",): 1,
        ("confidence_enough",): 1,
    }


def test_the_name_of_another_child_of_the_club_in_note_or_answer_is_for_the_coach(world: World) -> None:
    (_, insight_id) = load_harmless(world, 2)
    other = world.rows(
        "SELECT other.first_name FROM player AS other, insight JOIN player ON player.id = player_id"
        " WHERE insight.id = :id AND other.organization_id = insight.organization_id"
        " AND other.first_name <> player.first_name AND length(other.first_name) > 4 ORDER BY 1 LIMIT 1",
        id=insight_id,
    )[0]["first_name"]
    world.execute(
        "UPDATE insight SET description = :note WHERE id = :id", note=f"Passed to {other}.", id=insight_id
    )
    always_answer(world)
    run(world, insights_per_call=1)
    held = [row for row in summaries(world) if row["state"] == "pending_review"]
    assert [row["insight_id"] for row in held] == [insight_id]
    assert held[0]["decision_reasons"] == ["screen_other_person"]


@pytest.mark.parametrize(
    ("organization_id", "expected"),
    [(None, {"pending_review": 4}), ("first", {"pending_review": 2, "auto_approved": 2})],
)
def test_automatic_approval_that_is_switched_off_approves_nothing(
    world: World, organization_id: str | None, expected: dict[str, int]
) -> None:
    ids = load_harmless(world, 4)
    clubs = [row["id"] for row in world.rows("SELECT id FROM organization ORDER BY id LIMIT 2")]
    for place, insight_id in enumerate(ids):
        world.execute(
            "UPDATE insight SET organization_id = club.id,"
            " coach_id = (SELECT min(id) FROM coach WHERE organization_id = club.id),"
            " player_id = (SELECT min(id) FROM player WHERE organization_id = club.id)"
            " FROM organization AS club WHERE club.id = :club AND insight.id = :id",
            club=clubs[place % 2],
            id=insight_id,
        )
    switch(world, "automatic_approval", "off", organization_id and clubs[0])
    always_answer(world)
    run(world, insights_per_call=1)
    assert Counter(row["state"] for row in summaries(world)) == expected
    reasons = {tuple(row["decision_reasons"]) for row in summaries(world) if row["state"] in REVIEWED}
    assert reasons == {("switched_off",)}


def chosen() -> list[LabelledNote]:
    """Every seventh labelled note: a run of all would take minutes; another test judges every one."""
    return [*labelled_notes()][::7]


def test_of_labelled_notes_no_sensitive_one_is_approved_by_a_run_though_the_model_says_normal(
    world: World,
) -> None:
    load_labelled(world, chosen())
    always_answer(world)
    run(world, insights_per_call=1)
    went = {row["insight_id"] for row in summaries(world) if row["state"] == "auto_approved"}
    sensitive = {note.id for note in chosen() if note.review}
    assert len(summaries(world)) == len(chosen())
    assert went & sensitive == set()
    assert len(went) >= 0.85 * (len(chosen()) - len(sensitive))


def load_labelled(world: World, notes: list[LabelledNote]) -> None:
    """Give each note a club, a trusted coach, a player, and the people on its roster."""
    world.load(insights=0)
    for note in notes:
        names = {"id": note.id, "first": note.first_name, "last": note.last_name, "sport": note.sport}
        world.execute("INSERT INTO organization (id, name, timezone) VALUES (:id, 'Club', 'UTC')", id=note.id)
        world.execute(
            "INSERT INTO coach (id, auth_id, organization_id, name, tone, summaries_enabled, skip_sensitive,"
            " approvals, suppressions, preferred_level)"
            " VALUES (:id, :id, :id, '', 'warm', true, false, 500, 0, 3)",
            id=note.id,
        )
        people = [(names["first"], names["last"]), *note.roster]
        for number, (first, last) in enumerate(people):
            world.execute(
                "INSERT INTO player (id, organization_id, first_name, last_name, sport)"
                " VALUES (:id, :club, :first, :last, :sport)",
                **names | {"id": f"{note.id}-{number}", "club": note.id, "first": first, "last": last},
            )
        world.execute(
            "INSERT INTO insight (id, organization_id, coach_id, player_id, title, description, category,"
            " urgent, created_at, state)"
            " VALUES (:id, :id, :id, :player, :title, :description, :word, false, :at, 'pending')",
            id=note.id,
            player=f"{note.id}-0",
            title=note.title,
            description=note.description,
            word=note.extractor,
            at=world.clock.now(),
        )


@pytest.mark.parametrize(
    ("kind", "more"),
    [
        ("refusal", {}),
        ("truncated_json", {}),
        ("cut_answer", {}),
        ("break_schema", {}),
        ("wrong_content", {"answer": json.dumps({"answers": [SURE]})}),
        ("wrong_content", {"answer": json.dumps(SURE | {"id": "1"})}),
        ("wrong_content", {"answer": "Sure! " + json.dumps(SURE)}),
        ("wrong_content", {"answer": json.dumps(SURE | {"approve": True})}),
        ("timeout", {}),
        ("overloaded", {}),
    ],
)
def test_an_answer_that_is_none_approves_nothing_and_loses_nothing(
    world: World, kind: str, more: dict[str, Any]
) -> None:
    ids = load_harmless(world, 4)
    world.fault(kind=kind, share=1, **more)
    run(world, insights_per_call=1)
    assert summaries(world) == []
    assert sum(world.states().values()) == len(ids)
    assert set(world.states()) <= {"parked", "deferred", "pending"}
    world.admin("DELETE", "faults")
    always_answer(world)
    world.execute("UPDATE insight SET state = 'pending', state_reason = NULL, not_before = NULL")
    run(world, insights_per_call=1)
    assert states(world) == {"auto_approved"}
    assert len(summaries(world)) == len(ids)


def test_an_answer_for_a_note_that_was_not_asked_about_is_used_for_none(world: World) -> None:
    ids = load_pack(world, 3)
    world.execute("UPDATE coach SET approvals = 500, preferred_level = 3")
    world.execute("UPDATE insight SET title = :t, description = :n, category = NULL", t=TITLE, n=NOTE)
    text = SURE["summary"]
    swapped = answers(part("1", text, confidence=0.99), part("4", text), part("2", text), part("2", text))
    world.fault(kind="wrong_content", count=1, answer=swapped)
    run(world, insights_per_call=3)
    by_insight = {row["insight_id"]: row for row in summaries(world)}
    assert str(by_insight[ids[0]]["confidence"]) == "0.990000"
    assert world.states() == {"summarized": 3}
    assert len({row["attempt_id"] for row in by_insight.values()}) == 3, (
        "the other two were asked about alone"
    )
