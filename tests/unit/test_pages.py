"""The calls of a page: in the order of the prefix tree, packed by player, marked where used again."""

import itertools
import random
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from core.calls import CALLS_PER_CHUNK
from core.forecast import Limits
from core.pages import plan_calls, plan_page
from core.plan import plan_run
from core.pricing import CacheTtl
from core.states import Tone
from core.survey import Survey, survey_of
from tests.unit.planned import NOW, calls, crowd, ids, insight, terms


def test_each_insight_is_planned_exactly_once() -> None:
    insights = crowd(seed=1, size=300)
    for insights_per_call in (1, 5):
        assert sorted(ids(calls(insights, insights_per_call))) == [one.id for one in insights]


def test_the_order_does_not_depend_on_the_order_of_the_claim() -> None:
    insights = crowd(seed=2, size=100)
    shuffled = random.Random(3).sample(insights, len(insights))
    assert ids(calls(insights, 3)) == ids(calls(shuffled, 3))


def test_calls_that_share_a_prefix_stand_together_and_the_largest_group_comes_first() -> None:
    planned = calls(crowd(seed=4, size=200))
    for depth in range(4):
        seen = [call.prefixes[depth].key for call in planned]
        changes = sum(before != after for before, after in itertools.pairwise(seen))
        assert changes == len(set(seen)) - 1
    sports = [call.about.sport for call in planned]
    assert sports.count(sports[0]) == max(sports.count(sport) for sport in sports)


def test_whoever_has_waited_longest_comes_first_with_all_that_is_due_of_the_player() -> None:
    due = [insight(9, player=1), insight(1, player=1), insight(5, player=2), insight(7, player=3)]
    assert ids(calls(due)) == ["i0009", "i0001", "i0007", "i0005"]


def test_earlier_summaries_are_told_without_the_last_name_and_shared_by_the_players_notes() -> None:
    earlier = ("Player0 Byrne kept going.", "A calm evening for Player0.")
    first, second = calls([insight(n, earlier_summaries=earlier) for n in range(2)])
    assert (
        '"earlier_summaries": ["Player0 kept going.", "A calm evening for Player0."]' in first.layers[-1].text
    )
    assert first.prefixes == second.prefixes
    assert first.prompt_version == second.prompt_version
    (without,) = calls([insight(3)])
    keys, others = ([prefix.key for prefix in call.prefixes] for call in (first, without))
    assert others[:3] == keys[:3]
    assert others[3] != keys[3]


def test_a_chunk_holds_at_most_a_hundred_calls_of_one_sport_and_tone() -> None:
    chunks = plan_calls([insight(n, player=n) for n in range(250)], terms())
    assert [chunk.size for chunk in chunks] == [CALLS_PER_CHUNK, CALLS_PER_CHUNK, 50]


def test_a_prefix_that_is_used_once_is_not_marked() -> None:
    (call,) = calls([insight(1)])
    assert call.marked == ()
    assert (call.predicted.cache_read_tokens, call.predicted.cache_write_5m_tokens) == (0, 0)


def test_a_prefix_that_is_still_warm_is_marked_even_for_one_use() -> None:
    (cold,) = calls([insight(1)])
    warm = {prefix.key for prefix in cold.prefixes[:3]}
    survey = Survey(survey_of([insight(1)]).groups, dict.fromkeys(warm, "5m"))
    ((call,),) = (chunk.calls for chunk in plan_page([insight(1)], plan_run(survey, terms()), set(warm)))
    assert [prefix.ttl for prefix in call.prefixes] == ["5m", "5m", "5m", None]
    assert call.predicted.cache_write_5m_tokens == 0
    assert call.predicted.cache_read_tokens == call.prefixes[2].tokens


def test_two_insights_of_one_player_share_the_players_layer_too_when_each_is_asked_alone() -> None:
    first, second = calls([insight(1), insight(2)])
    assert first.marked == second.marked == first.prefixes
    assert first.shared == 4
    assert second.predicted.cache_read_tokens == first.predicted.cache_write_5m_tokens


def test_players_of_one_name_and_facts_share_a_layer_and_others_do_not() -> None:
    first, second = calls([insight(1, player=1), insight(2, player=2)])
    assert first.prefixes[:3] == second.prefixes[:3] == first.marked == second.marked
    assert first.prefixes[3] != second.prefixes[3]
    namesakes = calls([insight(1, player=1), insight(2, player=2, first_name="Player1")], 5)
    assert len({call.prefixes[3].key for call in namesakes}) == 1
    assert [len(call.insights) for call in namesakes] == [1, 1]


def test_a_prefix_below_the_models_minimum_is_not_marked() -> None:
    first, _ = calls([insight(1), insight(2)], model="claude-haiku-4-5")
    assert len(first.layers[0].text) / 3.5 < 4096
    assert first.prefixes[0].ttl is None


def test_the_prediction_covers_the_whole_prompt_whatever_is_marked() -> None:
    insights = crowd(seed=5, size=60)
    totals = {call.about.id: call.predicted.total_input_tokens for call in calls(insights)}
    alone = {one.id: calls([one])[0].predicted.total_input_tokens for one in insights}
    assert totals == alone


@pytest.mark.parametrize("seed", range(5))
def test_a_prediction_reads_only_what_an_earlier_call_has_written(seed: int) -> None:
    written: set[str] = set()
    for call in calls(crowd(seed=seed, size=120), 1 + seed):
        marked, read = {prefix.key for prefix in call.marked}, call.predicted.cache_read_tokens
        assert read == max((one.tokens for one in call.marked if one.key in written), default=0)
        if call.predicted.cache_write_5m_tokens:
            assert marked - written
        written |= marked


def test_pages_of_one_plan_read_what_the_pages_before_have_written() -> None:
    insights = [insight(n, player=n) for n in range(4)]
    plan, readable = plan_run(survey_of(insights), terms()), set[str]()
    pages = [plan_page(insights[at : at + 2], plan, readable) for at in (0, 2)]
    first, *others = [call.predicted for chunks in pages for chunk in chunks for call in chunk.calls]
    assert first.cache_write_5m_tokens > 0
    assert [one.cache_write_5m_tokens for one in others] == [0, 0, 0]
    assert {one.cache_read_tokens for one in others} == {first.cache_write_5m_tokens}


def test_what_a_longer_read_covers_is_not_written_and_so_not_read_by_others() -> None:
    """One call's tone is in the cache, while sport and instructions are not; the other is of another tone."""
    due = [insight(n, player=n, tone=tone) for n, tone in enumerate((Tone.BRIEF, Tone.WARM))]
    warm = next(call for call in calls(due) if call.about.tone is Tone.BRIEF).prefixes[2].key
    survey = Survey(survey_of(due).groups, {warm: "5m"})
    chunks = plan_page(due, plan_run(survey, terms()), {warm})
    planned = {call.about.tone: call.predicted for chunk in chunks for call in chunk.calls}
    reader, writer = planned[Tone.BRIEF], planned[Tone.WARM]
    assert reader.cache_write_5m_tokens == writer.cache_read_tokens == 0
    assert reader.cache_read_tokens > writer.cache_write_5m_tokens > 0


def test_a_marker_for_an_hour_makes_those_before_it_last_as_long() -> None:
    """At a call a minute the sport goes cold between its two tones, the instructions by themselves do not."""
    tones = [Tone.BRIEF] * 6 + [Tone.WARM] * 5
    due = [insight(n, player=n, tone=tone) for n, tone in enumerate(tones)]
    slow = terms(limits=Limits(requests=1))
    plan = plan_run(survey_of(due), slow)
    assert [one.ttl for one in plan.shared_prefixes("soccer", Tone.BRIEF, False)] == ["5m", "1h", "5m"]
    for call in (call for chunk in plan_page(due, plan, set()) for call in chunk.calls):
        assert [prefix.ttl for prefix in call.prefixes] == ["1h", "1h", "5m", None]
        assert call.predicted.cache_write_1h_tokens in {0, call.prefixes[1].tokens}


@pytest.mark.parametrize("lifetime", ["5m", "1h"])
def test_a_players_layer_that_nobody_else_reads_is_not_marked_whatever_lifetime_is_set(
    lifetime: CacheTtl,
) -> None:
    (call,) = calls([insight(1)], lifetime=lifetime)
    assert [prefix.ttl for prefix in call.prefixes] == [lifetime, lifetime, lifetime, None]
    assert {one.prefixes[3].ttl for one in calls([insight(1), insight(2)], lifetime=lifetime)} == {lifetime}


def test_a_pack_holds_the_oldest_first_and_is_split_evenly() -> None:
    planned = calls([insight(n) for n in range(7)], 5)
    assert [len(call.insights) for call in planned] == [4, 3]
    assert ids(planned) == [f"i{n:04}" for n in range(6, -1, -1)]
    assert '"id": "1"' in planned[0].notes[0]
    assert "number 6" in planned[0].notes[0]


@pytest.mark.parametrize(
    "other",
    [
        {"player_id": "p1"},
        {"coach_id": "another"},
        {"organization_id": "another"},
        {"sport": "rugby"},
        {"tone": Tone.BRIEF},
        {"first_name": "Anna"},
        {"earlier_summaries": ("A good week.",)},
    ],
    ids=lambda other: next(iter(other)),
)
def test_only_insights_with_all_that_a_prompt_tells_in_common_share_a_pack(other: dict[str, Any]) -> None:
    due = [insight(1), insight(2), insight(3, **other)]
    packs = sorted(sorted(one.id for one in call.insights) for call in calls(due, 5))
    assert packs == [["i0001", "i0002"], ["i0003"]]


def test_a_pack_is_predicted_to_answer_each_of_its_insights() -> None:
    (packed,) = calls([insight(n) for n in range(4)], 4)
    assert packed.predicted.output_tokens == 4 * 140
    assert packed.predicted.input_tokens > calls([insight(1)])[0].predicted.input_tokens


def test_the_players_last_name_is_taken_out_of_the_note() -> None:
    spoken = insight(1, title="Byrne again", description="Player0 Byrne and PLAYER0 BYRNE, byrnes no.")
    (call,) = calls([spoken])
    (note,) = call.notes
    assert "Byrne" not in note
    assert "BYRNE" not in note
    assert '"Player0 again"' in note
    assert "Player0 and Player0, byrnes no." in note


@pytest.mark.parametrize("insights_per_call", [1, 2])
def test_a_request_carries_the_players_first_name_and_no_id_of_ours(insights_per_call: int) -> None:
    (call, *_) = calls([insight(1), insight(2)], insights_per_call)
    body = str(call.body())
    assert "Player0" in body
    assert "p0" not in body
    assert "i000" not in body
    assert "club" not in body.split("<player>")[1]


def test_a_note_about_another_sport_has_neither_team_nor_position_of_the_players_own() -> None:
    at_home = insight(1, team="U15 Blue", position="Goalkeeper")
    away = replace(at_home, id="i0002", sport="rugby")
    told = {call.about.sport: call.layers[-1].text for call in calls([at_home, away], 5)}
    assert "U15 Blue" in told["soccer"]
    assert "Goalkeeper" in told["soccer"]
    assert "U15 Blue" not in told["rugby"]
    assert "Goalkeeper" not in told["rugby"]
    assert '"first_name": "Player0", "age_group": "u12"' in told["rugby"]


def test_an_age_group_is_that_of_the_day_of_the_plan() -> None:
    born = (NOW - timedelta(days=365 * 9)).date()
    (call,) = calls([insight(1, age_group=None, date_of_birth=born)])
    assert f'"u{NOW.year - born.year}"' in call.layers[-1].text
