"""Packs: one call answers several insights of one player, and nothing of one child reaches another."""

import asyncio
from collections import Counter
from typing import Any

import pytest

from flows.summarize import summarize_pending
from tests.acceptance.conftest import World
from tests.acceptance.packs import answers, asked_about, load_pack, load_packs, mark_notes, part, texts
from tests.acceptance.test_summarize import assert_books_equal, run
from tests.integration.recording_proxy import recording_proxy


def test_a_season_is_summarized_with_far_fewer_calls_than_insights(world: World) -> None:
    world.load()
    report = run(world)
    assert world.meter()["requests"] == report.billed.calls <= 0.5 * report.insights["summarized"]
    assert_books_equal(world)
    assert max(map(len, asked_about(world))) <= 5
    unlinked = world.rows(
        "SELECT id FROM summary LEFT JOIN ai_usage_insight AS link"
        " ON link.attempt_id = summary.attempt_id AND link.insight_id = summary.insight_id"
        " WHERE link.insight_id IS NULL"
    )
    assert unlinked == []
    mixed = world.rows(
        "SELECT attempt_id FROM ai_usage_insight JOIN insight ON insight.id = insight_id"
        " JOIN ai_usage_log USING (attempt_id) GROUP BY attempt_id"
        " HAVING count(DISTINCT (insight.player_id, insight.coach_id)) > 1"
        " OR min(insight.player_id) <> min(ai_usage_log.player_id)"
        " OR min(insight.coach_id) <> min(ai_usage_log.coach_id)"
    )
    assert mixed == [], "a call is about one player, for one coach"


def test_each_insight_of_a_pack_has_its_own_answer_whatever_their_order(world: World) -> None:
    ids = load_pack(world, 5)
    world.fault(kind="wrong_content", answer=answers(*(part(note_id) for note_id in "31524")))
    run(world)
    assert texts(world) == {one: f"Words about note {place}." for place, one in enumerate(ids, 1)}
    assert asked_about(world) == [sorted(ids)]
    assert_books_equal(world)


@pytest.mark.parametrize(("insights", "calls"), [(5, [5]), (11, [3, 4, 4])])
def test_a_players_insights_are_split_into_as_few_calls_as_possible_of_like_size(
    world: World, insights: int, calls: list[int]
) -> None:
    load_pack(world, insights)
    run(world)
    assert sorted(map(len, asked_about(world))) == calls
    assert world.states() == {"summarized": insights}


def test_nothing_of_one_player_or_coach_is_in_a_request_about_another(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.load()
    mark_notes(world)
    players = {row["id"]: row for row in world.rows("SELECT * FROM player")}
    with recording_proxy(world.emulator_url) as recorded:
        monkeypatch.setenv("ANTHROPIC_BASE_URL", recorded.base_url)
        run(world)
    assert max(len(body["messages"][0]["content"]) for body in recorded.bodies) == 6
    for body in recorded.bodies:
        player, *notes = (block["text"] for block in body["messages"][0]["content"])
        ((player_id, _),) = {whose(note) for note in notes}
        assert f'"first_name": "{players[player_id]["first_name"]}"' in player
        assert " of player-" not in player + "".join(block["text"] for block in body["system"])


def whose(note: str) -> tuple[str, str]:
    """Read the mark of a note: its player and coach."""
    player_id, _, coach_id = note.rpartition(" of ")[2].partition(" by ")
    return player_id, coach_id.partition('"')[0]


def test_a_player_of_two_coaches_has_a_call_in_the_tone_of_each(world: World) -> None:
    ids = load_pack(world, 4)
    first, second = world.rows(
        "SELECT id FROM coach WHERE organization_id = (SELECT min(organization_id) FROM insight)"
        " ORDER BY id LIMIT 2"
    )
    world.execute("UPDATE coach SET summaries_enabled = true, skip_sensitive = false")
    world.execute(
        "UPDATE coach SET tone = CASE id WHEN :first THEN 'warm' ELSE 'brief' END", first=first["id"]
    )
    for number, one in enumerate(ids):
        coach = (first, second)[number % 2]["id"]
        world.execute("UPDATE insight SET coach_id = :coach WHERE id = :id", coach=coach, id=one)
    run(world)
    assert sorted(asked_about(world)) == sorted([sorted(ids[::2]), sorted(ids[1::2])])
    tones = world.rows("SELECT insight_id, tone FROM summary")
    assert {row["insight_id"]: row["tone"] for row in tones} == {
        one: ("warm", "brief")[number % 2] for number, one in enumerate(ids)
    }


def test_the_rest_of_a_pack_is_asked_about_when_one_of_its_claims_is_lost_before(world: World) -> None:
    leading, waiting = load_packs(world, players=2, size=3)
    world.fault(kind="slow_first_byte", count=1, seconds=1)
    take_over_while_running(world, waiting[1])
    assert Counter(map(tuple, asked_about(world))) == Counter(
        [tuple(sorted(leading)), tuple(sorted({*waiting} - {waiting[1]}))]
    )
    assert world.states() == {"claimed": 1, "summarized": 5}
    assert_books_equal(world)


def test_of_a_pack_that_was_sent_only_the_insight_whose_claim_was_lost_gets_nothing(world: World) -> None:
    ids = load_pack(world, 3)
    world.fault(kind="slow_first_byte", count=1, seconds=1)
    take_over_while_running(world, ids[1])
    assert set(texts(world)) == {ids[0], ids[2]}
    assert world.states() == {"claimed": 1, "summarized": 2}
    assert [(row["outcome"], row["outcome_reason"]) for row in world.ledger()] == [("succeeded", None)]


def take_over_while_running(world: World, insight_id: str) -> None:
    """Run, and let somebody else take an insight over once the first call is in flight."""

    async def meanwhile() -> Any:
        flow = asyncio.create_task(summarize_pending(clock=world.clock))
        while not await asyncio.to_thread(world.ledger) and not flow.done():  # noqa: ASYNC110 - the row is in another process
            await asyncio.sleep(0.02)
        world.execute("UPDATE insight SET claimed_by = 'somebody else' WHERE id = :id", id=insight_id)
        return await flow

    asyncio.run(meanwhile())


def test_one_summary_that_the_database_refuses_parks_its_insight_alone(world: World) -> None:
    ids = load_pack(world, 4)
    world.execute(f"ALTER TABLE summary ADD CONSTRAINT closed CHECK (insight_id <> '{ids[2]}')")
    report = run(world)
    assert report.parked == {"store_refused": 1}
    assert set(texts(world)) == {*ids} - {ids[2]}
    assert world.rows("SELECT id FROM insight WHERE state = 'parked'") == [{"id": ids[2]}]
    assert [row["outcome"] for row in world.ledger()] == ["succeeded"], "the others are used"
    assert_books_equal(world)


def test_a_sensitive_answer_in_a_pack_is_kept_from_a_coach_who_wants_none_and_the_others_are_kept(
    world: World,
) -> None:
    ids = load_pack(world, 3)
    world.execute("UPDATE coach SET skip_sensitive = true")
    world.execute("UPDATE insight SET category = 'performance'")
    told = answers(part("1"), part("2", category="injury"), part("3"))
    world.fault(kind="wrong_content", answer=told)
    report = run(world)
    assert report.insights == {"skipped": 1, "summarized": 2}
    assert set(texts(world)) == {ids[0], ids[2]}
