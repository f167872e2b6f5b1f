"""The plan: one call an insight, in the order of the prefix tree, marked where a prefix is used again."""

import itertools
import random
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from core.plan import CALLS_PER_CHUNK, ClaimedInsight, PlannedCall, plan_calls
from core.states import Tone

NOW = datetime(2026, 11, 22, 20, tzinfo=UTC)
MODEL = "claude-haiku-5-5"


def insight(number: int, *, player: int = 0, sport: str = "soccer", tone: Tone = Tone.WARM) -> ClaimedInsight:
    return ClaimedInsight(
        id=f"i{number:04}",
        organization_id="club",
        coach_id="coach",
        player_id=f"p{player}",
        title="Left foot",
        description=f"Hesitant on the left foot again, number {number}.",
        category="skill_progress",
        created_at=NOW - timedelta(minutes=number),
        sport=sport,
        player_sport="soccer",
        tone=tone,
        skip_sensitive=False,
        first_name=f"Player{player}",
        last_name="Byrne",
        age_group="u12",
        date_of_birth=None,
        team=None,
        position=None,
    )


def calls(insights: list[ClaimedInsight], **options: object) -> list[PlannedCall]:
    chunks = plan_calls(insights, model=MODEL, now=NOW, **options)  # type: ignore[arg-type]
    return [call for chunk in chunks for call in chunk.calls]


def crowd(seed: int, size: int) -> list[ClaimedInsight]:
    print(f"seed {seed}")
    chance = random.Random(seed)
    sports = ("gaa_football", "soccer", "rugby")
    players = [(chance.choice(sports), chance.choice(list(Tone))) for _ in range(size // 3)]
    made = []
    for number in range(size):
        player = chance.randrange(len(players))
        made.append(insight(number, player=player, sport=players[player][0], tone=players[player][1]))
    return made


def test_each_insight_is_planned_exactly_once() -> None:
    insights = crowd(seed=1, size=300)
    assert sorted(call.insight.id for call in calls(insights)) == [one.id for one in insights]


def test_the_order_does_not_depend_on_the_order_of_the_claim() -> None:
    insights = crowd(seed=2, size=100)
    shuffled = random.Random(3).sample(insights, len(insights))
    assert [c.insight.id for c in calls(insights)] == [c.insight.id for c in calls(shuffled)]


def test_calls_that_share_a_prefix_stand_together_and_the_largest_group_comes_first() -> None:
    planned = calls(crowd(seed=4, size=200))
    for depth in range(4):
        seen = [call.prefixes[depth] for call in planned]
        changes = sum(before != after for before, after in itertools.pairwise(seen))
        assert changes == len(set(seen)) - 1
    sports = [call.insight.sport for call in planned]
    assert sports.count(sports[0]) == max(sports.count(sport) for sport in sports)


def test_earlier_summaries_are_told_without_the_last_name_and_shared_by_the_players_notes() -> None:
    earlier = ("Player0 Byrne kept going.", "A calm evening for Player0.")
    first, second = calls([replace(insight(n), earlier_summaries=earlier) for n in range(2)])
    assert (
        '"earlier_summaries": ["Player0 kept going.", "A calm evening for Player0."]' in first.layers[-1].text
    )
    assert first.prefixes == second.prefixes
    assert first.prompt_version == second.prompt_version
    (without,) = calls([insight(3)])
    assert without.prefixes[:3] == first.prefixes[:3]
    assert without.prefixes[3] != first.prefixes[3]


def test_a_chunk_holds_at_most_a_hundred_calls_of_one_sport_and_tone() -> None:
    chunks = plan_calls([insight(n, player=n) for n in range(250)], model=MODEL, now=NOW)
    assert [chunk.size for chunk in chunks] == [CALLS_PER_CHUNK, CALLS_PER_CHUNK, 50]


def test_a_prefix_that_is_used_once_is_not_marked() -> None:
    (call,) = calls([insight(1)])
    assert call.marked == ()
    assert call.predicted.cache_write_5m_tokens == 0


def test_a_prefix_that_is_still_warm_is_marked_even_for_one_use() -> None:
    (cold,) = calls([insight(1)])
    (call,) = calls([insight(1)], warm=cold.prefixes[:3])
    assert call.marked == (0, 1, 2)
    assert call.predicted.cache_write_5m_tokens == 0
    assert call.predicted.cache_read_tokens > 0


def test_two_insights_of_one_player_share_the_players_layer_too() -> None:
    first, second = calls([insight(1), insight(2)])
    assert first.marked == second.marked == (0, 1, 2, 3)
    assert second.predicted.cache_read_tokens == first.predicted.cache_write_5m_tokens


def test_players_of_one_name_and_facts_share_a_layer_and_others_do_not() -> None:
    first, second = calls([insight(1, player=1), insight(2, player=2)])
    assert first.prefixes[:3] == second.prefixes[:3]
    assert first.prefixes[3] != second.prefixes[3]
    assert first.marked == second.marked == (0, 1, 2)


def test_a_prefix_below_the_models_minimum_is_not_marked() -> None:
    chunks = plan_calls([insight(1), insight(2)], model="claude-haiku-4-5", now=NOW)
    first = chunks[0].calls[0]
    lengths = {layer.name: len(layer.text) / 3.5 for layer in first.layers}
    assert lengths["instructions"] < 4096
    assert 0 not in first.marked


def test_the_prediction_covers_the_whole_prompt_whatever_is_marked() -> None:
    insights = crowd(seed=5, size=60)
    totals = {call.insight.id: call.predicted.total_input_tokens for call in calls(insights)}
    alone = {one.id: calls([one])[0].predicted.total_input_tokens for one in insights}
    assert totals == alone


@pytest.mark.parametrize("seed", range(5))
def test_a_prediction_reads_only_what_an_earlier_call_has_written(seed: int) -> None:
    written: set[str] = set()
    for call in calls(crowd(seed=seed, size=120)):
        if call.predicted.cache_read_tokens:
            assert written & set(call.marked_prefixes)
        if call.predicted.cache_write_5m_tokens:
            assert set(call.marked_prefixes) - written
        written |= set(call.marked_prefixes)


def test_the_players_last_name_is_taken_out_of_the_note() -> None:
    spoken = replace(
        insight(1), title="Byrne again", description="Player0 Byrne and PLAYER0 BYRNE, byrnes no."
    )
    (call,) = calls([spoken])
    assert "Byrne" not in call.note
    assert "BYRNE" not in call.note
    assert '"Player0 again"' in call.note
    assert "Player0 and Player0, byrnes no." in call.note


def test_a_request_carries_the_players_first_name_and_no_id() -> None:
    body = str(calls([insight(1)])[0].body())
    assert "Player0" in body
    assert "p0" not in body
    assert "club" not in body.split("<player>")[1]


def test_a_note_about_another_sport_has_neither_team_nor_position_of_the_players_own() -> None:
    at_home = replace(insight(1), team="U15 Blue", position="Goalkeeper")
    away = replace(at_home, id="i0002", sport="rugby")
    told = {call.insight.sport: call.layers[-1].text for call in calls([at_home, away])}
    assert "U15 Blue" in told["soccer"]
    assert "Goalkeeper" in told["soccer"]
    assert "U15 Blue" not in told["rugby"]
    assert "Goalkeeper" not in told["rugby"]
    assert '"first_name": "Player0", "age_group": "u12"' in told["rugby"]
