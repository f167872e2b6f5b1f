"""What batches answer: unusable answers, insights that others have dealt with, results read twice or half."""

from typing import Any

from tests.acceptance.conftest import World
from tests.acceptance.night import (
    assert_books_equal,
    assert_each_has_one_summary,
    evening,
    load_alike,
    outcomes,
    overnight,
)
from tests.acceptance.packs import answers, part, texts


def name_note(world: World, insight_id: str, name: str) -> None:
    """Put a word into a note by which faults find it."""
    world.execute("UPDATE insight SET title = :name WHERE id = :id", name=name, id=insight_id)


def attempts_at(world: World, insight_id: str) -> list[str]:
    """Give what became of the attempts at an insight, in their order."""
    rows = world.rows(
        "SELECT outcome FROM ai_usage_log JOIN ai_usage_insight USING (attempt_id) WHERE insight_id = :id"
        " ORDER BY occurred_at",
        id=insight_id,
    )
    return [row["outcome"] for row in rows]


def told(world: World, insight_id: str) -> tuple[str, str | None, int]:
    """Give state and reason of an insight, and how many answers about it could not be used."""
    (row,) = world.rows(
        "SELECT state, state_reason, unusable_answers FROM insight WHERE id = :id", id=insight_id
    )
    return row["state"], row["state_reason"], row["unusable_answers"]


SUMMARIZED_LATE = (("summarized", None, 1), ["unusable", "succeeded"])
EXPECTED: dict[str, tuple[dict[str, Any], tuple[tuple[str, str | None, int], list[str]]]] = {
    "cutonce": ({"kind": "truncated_json", "count": 1}, SUMMARIZED_LATE),
    "cutalways": (
        {"kind": "truncated_json", "share": 1},
        (("parked", "answer_truncated", 2), ["unusable", "unusable"]),
    ),
    "oddonce": ({"kind": "break_schema", "count": 1}, SUMMARIZED_LATE),
    "oddalways": (
        {"kind": "break_schema", "share": 1},
        (("parked", "answer_off_schema", 2), ["unusable", "unusable"]),
    ),
    "nojson": (
        {"kind": "wrong_content", "share": 1, "answer": "no JSON"},
        (("parked", "answer_not_json", 2), ["unusable", "unusable"]),
    ),
    "declined": ({"kind": "refusal", "share": 1}, (("parked", "refusal", 1), ["refused"])),
    "midway": ({"kind": "refusal_mid_answer", "share": 1}, (("parked", "refusal", 1), ["refused"])),
    "turnedaway": (
        {"kind": "error", "error_type": "invalid_request_error", "share": 1, "at": "batches.items"},
        (("parked", "api_invalid_request_error", 1), ["rejected"]),
    ),
    "outage": (
        {"kind": "api_error", "count": 1, "at": "batches.items"},
        (("summarized", None, 0), ["rejected", "succeeded"]),
    ),
}


def test_an_unusable_answer_is_asked_for_once_more_then_parked_and_a_refusal_at_once(world: World) -> None:
    ids = load_alike(world, players=3 + len(EXPECTED))
    named = dict(zip(EXPECTED, ids[3:], strict=True))  # the first ones prime
    for name, insight_id in named.items():
        name_note(world, insight_id, name)
        world.fault(match=name, **EXPECTED[name][0])
    report = overnight(world, evening(world))
    found = {name: (told(world, one), attempts_at(world, one)) for name, one in named.items()}
    assert found == {name: expected for name, (_, expected) in EXPECTED.items()}
    assert [told(world, one) for one in ids[:3]] == [("summarized", None, 0)] * 3
    cost = {row["outcome"]: row["cost_usd"] for row in world.ledger() if row["outcome"] != "refused"}
    assert (cost["unusable"] > 0, cost["rejected"]) == (True, 0)
    assert sorted(row["cost_usd"] > 0 for row in world.ledger() if row["outcome"] == "refused") == [
        False,
        True,
    ]
    assert report.insights == world.states() == {"parked": 6, "summarized": 6}
    assert report.parked["refusal"] == 2
    assert_books_equal(world)


def test_the_good_parts_of_a_pack_are_kept_and_the_other_is_asked_about_alone(world: World) -> None:
    ids = load_alike(world, players=4, size=3)
    first, broken, third = ids[-3:]
    name_note(world, broken, "xyzzy")
    world.fault(kind="wrong_content", count=1, match="xyzzy", answer=answers(part("1"), part("3")))
    overnight(world, evening(world))
    found = texts(world)
    assert (found[first], found[third]) == ("Words about note 1.", "Words about note 3.")
    assert told(world, broken) == ("summarized", None, 1)
    assert ("succeeded", "some_unusable", 1) in outcomes(world)
    last = world.rows(
        "SELECT insight_ids FROM batch_item JOIN ai_usage_log USING (attempt_id) ORDER BY occurred_at"
    )
    assert last[-1]["insight_ids"] == [broken]
    assert_each_has_one_summary(world, 12)
    assert_books_equal(world)


def test_of_a_pack_that_is_refused_only_what_is_refused_alone_is_parked(world: World) -> None:
    ids = load_alike(world, players=4, size=3)
    culprit = ids[-2]
    name_note(world, culprit, "xyzzy")
    world.fault(kind="refusal", share=1, match="xyzzy")
    overnight(world, evening(world))
    assert told(world, culprit) == ("parked", "refusal", 2)
    assert world.states() == {"parked": 1, "summarized": 11}
    assert ("refused", "refusal", 2) in outcomes(world)
    assert_books_equal(world)
