"""Packs that go wrong: what is good of an answer is kept, and the rest is asked about once more, alone."""

from collections import Counter
from typing import Any

import pytest

from tests.acceptance.conftest import World
from tests.acceptance.packs import answers, asked_about, load_pack, load_packs, part, texts
from tests.acceptance.test_summarize import assert_books_equal, run
from tests.acceptance.test_summarize_faults import outcomes

STRAY = "Words that belong to nobody."


def told(world: World, insight_ids: list[str]) -> dict[str, str | None]:
    """Give the state and reason of insights."""
    rows = world.rows("SELECT id, state, state_reason FROM insight WHERE id = ANY(:ids)", ids=insight_ids)
    return {row["id"]: row["state_reason"] for row in rows if row["state"] == "parked"}


BROKEN = {
    "missing": [part("1"), part("3")],
    "unknown category": [part("1"), part("2", STRAY, category="fine"), part("3")],
    "blank": [part("1"), part("2", "  "), part("3")],
    "a property too many": [part("1"), part("2", STRAY, note="x"), part("3")],
    "its id twice": [part("1"), part("2", STRAY), part("2", STRAY), part("3")],
    "a foreign id instead": [part("1"), part("9", STRAY), part("3")],
    "a number as id": [part("1"), part("2", STRAY, id=2), part("3")],
    "no object": [part("1"), STRAY, part("3")],
}


@pytest.mark.parametrize("parts", list(BROKEN.values()), ids=list(BROKEN))
def test_the_valid_parts_of_a_pack_are_kept_and_the_other_is_asked_about_alone(
    world: World, parts: list[Any]
) -> None:
    first, broken, third = ids = load_pack(world, 3)
    world.fault(kind="wrong_content", answer=answers(*parts))
    run(world)
    assert asked_about(world) == [sorted(ids), [broken]]
    found = texts(world)
    assert (found[first], found[third]) == ("Words about note 1.", "Words about note 3.")
    assert STRAY not in found.values()
    assert [(row["outcome"], row["outcome_reason"]) for row in world.ledger()] == [
        ("succeeded", "some_unusable"),
        ("succeeded", None),
    ]
    assert_books_equal(world)


def test_a_foreign_answer_beside_the_asked_ones_is_left_out_and_costs_no_second_call(world: World) -> None:
    ids = load_pack(world, 2)
    world.fault(kind="wrong_content", answer=answers(part("1"), part("2"), part("7", STRAY)))
    run(world)
    assert texts(world) == {one: f"Words about note {place}." for place, one in enumerate(ids, 1)}
    assert len(world.ledger()) == 1


def test_an_insight_that_gets_nothing_usable_a_second_time_is_parked_and_the_others_stay(
    world: World,
) -> None:
    ids = load_pack(world, 3)
    world.fault(kind="wrong_content", answer=answers(part("1"), part("2")))
    world.fault(kind="wrong_content", answer=answers(part("3", STRAY)))
    report = run(world)
    assert set(texts(world)) == set(ids[:2])
    assert told(world, ids) == {ids[2]: "answer_missing"}
    assert report.insights == {"parked": 1, "summarized": 2}
    assert outcomes(world) == ["succeeded", "unusable"]
    assert_books_equal(world)


@pytest.mark.parametrize(
    ("fault", "reason"),
    [
        ({"kind": "truncated_json"}, "truncated"),
        ({"kind": "break_schema"}, "off_schema"),
        ({"kind": "wrong_content", "answer": "no JSON"}, "not_json"),
        ({"kind": "wrong_content", "answer": answers()}, "missing"),
    ],
    ids=str,
)
def test_of_a_pack_without_any_usable_answer_all_are_asked_about_alone(
    world: World, fault: dict[str, Any], reason: str
) -> None:
    ids = load_pack(world, 3)
    world.fault(**fault)
    run(world)
    whole, *alone = asked_about(world)
    assert whole == sorted(ids)
    assert sorted(alone) == sorted([one] for one in ids)
    first = world.ledger()[0]
    assert (first["outcome"], first["outcome_reason"]) == ("unusable", reason)
    assert first["cost_usd"] > 0
    assert world.states() == {"summarized": 3}
    assert_books_equal(world)


@pytest.mark.parametrize(
    ("fault", "outcome", "reason"),
    [
        ({"kind": "refusal"}, "refused", "refusal"),
        (
            {"kind": "error", "error_type": "invalid_request_error"},
            "rejected",
            "api_invalid_request_error",
        ),
    ],
    ids=["refusal", "400"],
)
def test_of_a_pack_that_is_turned_away_only_what_is_turned_away_alone_is_parked(
    world: World, fault: dict[str, Any], outcome: str, reason: str
) -> None:
    first, culprit, third = ids = load_pack(world, 3)
    world.execute("UPDATE insight SET title = 'xyzzy' WHERE id = :id", id=culprit)
    world.fault(**fault, share=1, match="xyzzy")
    report = run(world)
    assert told(world, ids) == {culprit: reason}
    assert set(texts(world)) == {first, third}
    assert report.parked == {reason: 1}
    whole, *alone = asked_about(world)
    assert (whole, sorted(alone)) == (sorted(ids), sorted([one] for one in ids))
    assert Counter(outcomes(world)) == {outcome: 2, "succeeded": 2}
    assert_books_equal(world)


def test_a_pack_that_is_refused_once_is_summarized_whole(world: World) -> None:
    ids = load_pack(world, 3)
    world.fault(kind="refusal", count=1)
    run(world)
    assert set(texts(world)) == set(ids)


def test_a_pack_that_meets_an_outage_is_asked_whole_again_and_then_deferred_whole(world: World) -> None:
    ids = load_pack(world, 3)
    world.fault(kind="overloaded", share=1)
    report = run(world)
    assert asked_about(world) == [sorted(ids)] * 5
    assert report.deferred == {"outage": 3}
    assert world.states() == {"deferred": 3}


def test_a_pack_that_is_never_heard_of_is_lost_once_and_asked_again(world: World) -> None:
    ids = load_pack(world, 3)
    world.fault(kind="reset_after_billing", count=1)
    run(world)
    assert asked_about(world) == [sorted(ids)] * 2
    assert outcomes(world) == ["lost", "succeeded"]
    assert set(texts(world)) == set(ids)


def test_one_players_bad_notes_are_not_taken_for_a_wrong_set_up(world: World) -> None:
    """The first pack of a cold run goes alone, so that nothing was answered yet when it is turned away."""
    first, *others = load_packs(world, players=4, size=3)
    world.execute("UPDATE insight SET title = title || ' xyzzy' WHERE id = ANY(:ids)", ids=first)
    world.fault(kind="error", error_type="invalid_request_error", share=1, match="xyzzy")
    report = run(world)
    assert report.parked == {"api_invalid_request_error": len(first)}
    assert world.states() == {"parked": len(first), "summarized": sum(map(len, others))}
    assert_books_equal(world)
