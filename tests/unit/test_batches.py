"""What becomes of a batch's insights, and what its calls tell of their prefixes: tables of results."""

import json
from collections.abc import Mapping
from dataclasses import replace
from itertools import pairwise
from typing import Any

import pytest

from core.batches import (
    POLL_SECONDS_FIRST,
    After,
    BatchedAttempt,
    BatchedInsight,
    after_answer,
    after_error,
    all_after,
    errored,
    kept_warm,
    next_pause,
    prefix_path,
    prefixes_of,
)
from core.floor import PrefixNode
from core.retry import Failure, outcome_of
from core.roster import Roster
from core.states import InsightState, Lane, Outcome, Tone
from core.tally import path_of
from core.usage import Usage
from core.verdict import Reply, judge
from tests.unit.planned import MODEL, NOW, calls, crowd
from tests.unit.test_verdict import good, packed_reply, reply

PENDING, PARKED, SKIPPED = InsightState.PENDING, InsightState.PARKED, InsightState.SKIPPED
INVALID, UNREADABLE = errored("invalid_request_error", None), Failure(200, "answer_unreadable")
Told = Mapping[str, tuple[InsightState, str | None, bool]]
NOTE = ("Passing", "Calm on the ball.", "Aoife", None)


def item(*unusable_answers: int, **changed: Any) -> BatchedAttempt:
    """An item about an insight for each number, which says how many unusable answers it has had before."""
    insights = (
        BatchedInsight(
            f"i{place}",
            "Passing",
            "Calm.",
            "Aoife",
            None,
            "performance",
            False,
            Tone.WARM,
            before,
            True,
            **changed,
        )
        for place, before in enumerate(unusable_answers, 1)
    )
    packed = len(unusable_answers) > 1
    return BatchedAttempt("a1", NOW, MODEL, "prices", "prompt", packed, tuple(insights))


def answered(attempt: BatchedAttempt, given: Reply) -> Mapping[str, After]:
    return after_answer(attempt, judge(given, attempt, Roster(())))


def told(after: Mapping[str, After]) -> Told:
    """State, reason, and whether it counts as an answer that cannot be used; nothing of it was late."""
    assert not any(one.missed_due for one in after.values())
    return {insight_id: (one.state, one.reason, one.unusable) for insight_id, one in after.items()}


@pytest.mark.parametrize(
    ("before", "given", "state", "reason"),
    [
        ((0,), reply("{"), PENDING, "answer_not_json"),
        ((1,), reply("{"), PARKED, "answer_not_json"),
        ((0,), reply(stop_reason="max_tokens"), PENDING, "answer_truncated"),
        ((0,), reply(stop_reason="refusal"), PARKED, "refusal"),
        ((0, 0), packed_reply(good("1"), good("2"), stop_reason="refusal"), PENDING, "refusal"),
        ((0, 0), packed_reply(stop_reason="max_tokens"), PENDING, "answer_truncated"),
        ((1, 1), packed_reply(stop_reason="refusal"), PARKED, "refusal"),
    ],
)
def test_without_a_usable_answer_it_waits_once_more_and_is_parked_the_second_time_or_when_refused_alone(
    before: tuple[int, ...], given: Reply, state: InsightState, reason: str
) -> None:
    attempt = item(*before)
    assert told(answered(attempt, given)) == {one.id: (state, reason, True) for one in attempt.insights}


def test_what_is_good_of_a_pack_is_kept_and_only_the_rest_is_asked_about_again() -> None:
    attempt = item(0, 0, 1, 0)
    attempt = replace(
        attempt, insights=(*attempt.insights[:3], replace(attempt.insights[3], skip_sensitive=True))
    )
    given = packed_reply(good("1", summary="Kept."), good("2", category="fine"), good("4", category="injury"))
    after = answered(attempt, given)
    assert told(after) == {
        "i1": (InsightState.SUMMARIZED, None, False),
        "i2": (PENDING, "answer_off_schema", True),
        "i3": (PARKED, "answer_missing", True),
        "i4": (SKIPPED, "sensitive", False),
    }
    verdicts = {insight_id: one.verdict for insight_id, one in after.items() if one.verdict}
    assert {insight_id: one.insight.id for insight_id, one in verdicts.items()} == {"i1": "i1", "i4": "i4"}
    assert verdicts["i1"].answer is not None
    assert verdicts["i1"].answer.summary == "Kept."


def test_a_good_answer_for_a_coach_who_has_switched_summaries_off_meanwhile_is_not_used() -> None:
    after = answered(item(1, 1, summaries_enabled=False), packed_reply(good("1"), good("2")))
    assert told(after) == dict.fromkeys(("i1", "i2"), (SKIPPED, "summaries_off", False))
    assert [one.verdict for one in after.values()] == [None, None]


@pytest.mark.parametrize(
    ("before", "failure", "states", "reason"),
    [
        ((0,), INVALID, [PARKED], "api_invalid_request_error"),
        ((0, 1), INVALID, [PENDING, PARKED], "api_invalid_request_error"),
        ((0,), errored("request_too_large", None), [PARKED], "api_request_too_large"),
        ((0,), UNREADABLE, [PENDING], "answer_unreadable"),
        ((1,), UNREADABLE, [PARKED], "answer_unreadable"),
        ((0, 1), Failure(200, "usage_unreadable"), [PENDING, PARKED], "usage_unreadable"),
    ],
)
def test_what_the_api_will_never_take_is_parked_alone_and_an_unreadable_answer_the_second_time(
    before: tuple[int, ...], failure: Failure, states: list[InsightState], reason: str
) -> None:
    """Of several insights any one may be at fault: each is asked about alone."""
    after = told(after_error(item(*before), failure))
    assert list(after.items()) == [(f"i{n}", (state, reason, True)) for n, state in enumerate(states, 1)]


@pytest.mark.parametrize(
    "cause", ["overloaded_error", "rate_limit_error", "api_error", "timeout_error", "authentication_error"]
)
def test_what_may_succeed_later_waits_with_its_cause_and_is_no_insights_fault(cause: str) -> None:
    assert told(after_error(item(0, 1), errored(cause, None))) == dict.fromkeys(
        ("i1", "i2"), (PENDING, cause, False)
    )


def test_what_was_not_answered_at_all_is_said_of_every_insight() -> None:
    expired = After(PENDING, "batch_expired", missed_due=True)
    assert all_after(item(0, 1, 0), expired) == dict.fromkeys(("i1", "i2", "i3"), expired)


@pytest.mark.parametrize(
    ("error_type", "status"),
    [
        ("invalid_request_error", 400),
        ("authentication_error", 401),
        ("billing_error", 402),
        ("permission_error", 403),
        ("not_found_error", 404),
        ("request_too_large", 413),
        ("rate_limit_error", 429),
        ("api_error", 500),
        ("timeout_error", 500),
        ("overloaded_error", 500),
        ("a word nobody knows", 500),
    ],
)
def test_an_errored_item_has_its_errors_status_and_was_never_billed(error_type: str, status: int) -> None:
    """Not even a time-out: the batch says that it errored, and only what has succeeded is billed."""
    failure = errored(error_type, "req_1")
    assert (failure.status, failure.error_type, failure.request_id) == (status, error_type, "req_1")
    assert outcome_of(failure) is Outcome.REJECTED


def test_pauses_between_looks_grow_by_half_until_five_minutes_and_stay_there() -> None:
    pauses = [POLL_SECONDS_FIRST]
    while len(pauses) < 12:
        pauses.append(next_pause(pauses[-1]))
    assert pauses[:4] == [10.0, 15.0, 22.5, 33.75]
    assert pauses[9:] == [300.0] * 3
    assert all(before < after for before, after in pairwise(pauses[:10]))


def test_the_prefixes_of_a_call_come_back_from_what_is_stored_with_its_batch() -> None:
    planned = calls(crowd(seed=7, size=60), 3, lane=Lane.OVERNIGHT)
    stored = json.loads(json.dumps(prefixes_of(planned)))
    paths = [path_of(call) for call in planned]
    assert [prefix_path(stored, path[-1].key) for path in paths] == paths
    assert len({path[-1].key for path in paths}) > 3
    assert stored.keys() == {node.key for path in paths for node in path}


@pytest.mark.parametrize(
    ("usage", "warm"),
    [
        (Usage(6_100), ""),
        (Usage(150, cache_write_1h_tokens=5_950), "root sport tone"),
        (Usage(150, 1_800, 0, 4_150), "root sport tone"),
        (Usage(150, 5_800, 0, 150), "sport tone"),
        (Usage(150, 5_900, 0, 150), "sport tone"),  # planned a little shorter than the API has counted
        (Usage(150, 5_700, 0, 150), "sport tone"),  # and a little longer
        (Usage(150, 5_950), "tone"),
    ],
)
def test_what_was_written_or_read_is_warm_and_what_lies_inside_the_part_read_is_not(
    usage: Usage, warm: str
) -> None:
    path = [PrefixNode("root", 1_800), PrefixNode("sport", 5_800), PrefixNode("tone", 5_950)]
    assert kept_warm(path, usage) == tuple(warm.split())
