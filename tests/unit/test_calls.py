"""A planned call says what it asks, and can be asked again for a part of its insights alone."""

from dataclasses import replace

import pytest

from core.calls import ANSWER_TOKENS_MAX, note_ids, shared_keys
from core.states import Tone
from tests.unit.planned import MODEL, calls, insight, pack


def test_the_ids_of_a_packs_notes_are_short_and_ours_stay_at_home() -> None:
    call = pack(3)
    assert call.note_ids == note_ids(3) == ("1", "2", "3")
    assert [
        f'"id": "{note_id}"' in note for note_id, note in zip(call.note_ids, call.notes, strict=True)
    ] == [
        True,
        True,
        True,
    ]


def test_a_single_note_bears_no_id() -> None:
    (call,) = calls([insight(1)])
    assert not call.packed
    assert '"id"' not in call.notes[0]


def test_a_body_has_room_for_each_answer_and_the_markers_of_the_plan() -> None:
    call, *_ = calls([insight(n, player=n) for n in range(3)])
    body = call.body()
    assert body["max_tokens"] == ANSWER_TOKENS_MAX
    assert pack(4).body()["max_tokens"] == 4 * ANSWER_TOKENS_MAX
    marked = ["cache_control" in block for block in [*body["system"], *body["messages"][0]["content"]]]
    assert marked == [True, True, True, False, False]


def test_asking_for_some_keeps_form_prefix_and_markers_so_that_the_prefix_is_warm() -> None:
    call = pack(5)
    again = call.only(["i0001", "i0003", "another call's"])
    assert [one.id for one in again.insights] == ["i0001", "i0003"]
    assert (again.packed, again.prefixes, again.layers) == (True, call.prefixes, call.layers)
    assert again.note_ids == ("1", "2")
    assert ["number 1" in again.notes[0], "number 3" in again.notes[1]] == [True, True]
    body, whole = again.body(), call.body()
    assert body["system"] == whole["system"]
    assert body["output_config"] == whole["output_config"]
    assert body["messages"][0]["content"][0] == whole["messages"][0]["content"][0]


@pytest.mark.parametrize("kept", [1, 2, 4])
def test_asking_for_some_is_predicted_to_use_their_share_of_notes_and_answers(kept: int) -> None:
    call = pack(5)
    again = call.only([one.id for one in call.insights[:kept]])
    assert again.predicted.output_tokens == kept * 140
    notes = sum(len(note) for note in again.notes) / 2.5
    prompt = call.prefixes[-1].tokens
    assert again.predicted.total_input_tokens == pytest.approx(prompt + notes, abs=6)


def test_asking_for_all_is_the_same_call() -> None:
    call = pack(3)
    assert call.only([one.id for one in call.insights]) is call


def test_keys_tell_models_forms_sports_and_tones_apart() -> None:
    ways = [
        shared_keys(MODEL, "soccer", Tone.WARM, False),
        shared_keys("claude-haiku-4-5", "soccer", Tone.WARM, False),
        shared_keys(MODEL, "soccer", Tone.WARM, True),
        shared_keys(MODEL, "rugby", Tone.WARM, False),
        shared_keys(MODEL, "soccer", Tone.BRIEF, False),
    ]
    instructions, sports, tones = (len(set(depth)) for depth in zip(*ways, strict=True))
    assert (instructions, sports, tones) == (3, 4, 5)


def test_a_call_about_a_player_names_the_same_prefix_for_the_same_bytes_only() -> None:
    one, same, other = (calls([made])[0] for made in (insight(1), insight(2), insight(1, first_name="Anna")))
    assert one.prefixes == same.prefixes
    assert one.prefixes[3].key != other.prefixes[3].key
    assert one.about == replace(insight(1))
