"""What an answer is worth: fails closed, and the most severe category counts."""

import json
from typing import Any

import pytest

from core import verdict
from core.calls import PlannedCall
from core.categories import Category, category_of, most_severe
from core.roster import Roster
from core.states import InsightState, Outcome
from core.usage import Usage
from core.verdict import SOME_UNUSABLE, Judged, Question, Reply
from tests.unit.planned import calls, insight, pack

ANSWER = {
    "category": "normal",
    "category_confidence": 0.9,
    "reason": "",
    "summary": "A good evening.",
    "confidence": 0.8,
    "flags": [],
}


def judge(reply: Reply, call: Question, *others: tuple[str, str | None]) -> Judged:
    return verdict.judge(reply, call, Roster(others))


def said(text: str, stop_reason: str = "end_turn") -> Reply:
    return Reply(text, stop_reason, "claude-haiku-5-5", Usage(1, output_tokens=1), "standard", None, None)


def reply(text: str | None = None, stop_reason: str = "end_turn", **changed: object) -> Reply:
    return said(json.dumps(ANSWER | changed) if text is None else text, stop_reason)


def packed_reply(*items: dict[str, Any], stop_reason: str = "end_turn") -> Reply:
    return said(json.dumps({"answers": items}), stop_reason)


def good(note_id: str, **changed: object) -> dict[str, Any]:
    return {"id": note_id, **ANSWER, **changed}


def about(category: str | None = None, *, skip_sensitive: bool = False) -> PlannedCall:
    (call,) = calls([insight(1, category=category, skip_sensitive=skip_sensitive)])
    return call


def outcome(judged: Judged) -> tuple[Outcome, str | None, InsightState, str | None]:
    (verdict,) = judged.verdicts
    return judged.outcome, judged.reason, verdict.state, verdict.state_reason


def states(judged: Judged) -> list[tuple[str, InsightState, str | None]]:
    return [(one.insight.id, one.state, one.state_reason) for one in judged.verdicts]


def test_a_valid_answer_summarizes() -> None:
    judged = judge(reply(), about("performance"))
    assert outcome(judged) == (Outcome.SUCCEEDED, None, InsightState.SUMMARIZED, None)
    assert judged.verdicts[0].category is Category.NORMAL
    assert judged.unanswered == ()


@pytest.mark.parametrize(
    ("extractor", "model", "counts"),
    [
        ("injury", "normal", Category.INJURY),
        ("recovery", "behavior", Category.INJURY),
        ("performance", "safeguarding", Category.SAFEGUARDING),
        ("behavior", "wellbeing", Category.WELLBEING),
        ("parent_communication", "normal", Category.PRIVATE),
        ("a word nobody knows", "normal", Category.NORMAL),
        (None, "injury", Category.INJURY),
    ],
)
def test_the_most_severe_category_counts(extractor: str | None, model: str, counts: Category) -> None:
    (verdict,) = judge(reply(category=model), about(extractor)).verdicts
    assert verdict.category is counts


@pytest.mark.parametrize(
    ("given", "reason"),
    [
        (reply('{"category":"nor'), "not_json"),
        (reply("Here is the summary you asked for."), "not_json"),
        (reply(category="fine"), "off_schema"),
        (reply(summary="   "), "off_schema"),
        (reply(confidence=1.2), "off_schema"),
        (reply(flags=["nonsense"]), "off_schema"),
        (reply(extra=1), "off_schema"),
        (reply(stop_reason="max_tokens"), "truncated"),
        (reply(stop_reason="model_context_window_exceeded"), "truncated"),
    ],
)
def test_whatever_is_not_a_whole_valid_answer_is_parked(given: Reply, reason: str) -> None:
    assert outcome(judge(given, about())) == (
        Outcome.UNUSABLE,
        reason,
        InsightState.PARKED,
        f"answer_{reason}",
    )


def test_a_refusal_is_parked_even_when_it_carries_a_valid_answer() -> None:
    judged = judge(reply(stop_reason="refusal"), about())
    assert outcome(judged) == (Outcome.REFUSED, "refusal", InsightState.PARKED, "refusal")
    assert judged.unanswered == ("i0001",)


@pytest.mark.parametrize("category", ["injury", "behavior"])
def test_a_coach_who_wants_nothing_sensitive_gets_no_summary_of_it(category: str) -> None:
    judged = judge(reply(category=category), about("performance", skip_sensitive=True))
    assert outcome(judged) == (Outcome.SUCCEEDED, None, InsightState.SKIPPED, "sensitive")
    (milder,) = judge(reply(category="wellbeing"), about(skip_sensitive=True)).verdicts
    assert milder.state is InsightState.SUMMARIZED


def test_each_insight_of_a_pack_gets_its_own_answer() -> None:
    answers = [good("2", summary="About the second."), good("1", summary="About the first.")]
    judged = judge(packed_reply(*answers), pack(2))
    assert (judged.outcome, judged.reason, judged.unanswered) == (Outcome.SUCCEEDED, None, ())
    told = {verdict.insight.id: verdict.answer.summary for verdict in judged.verdicts if verdict.answer}
    assert told == {"i0000": "About the first.", "i0001": "About the second."}


def test_a_pack_that_is_partly_valid_has_succeeded_and_names_the_unanswered() -> None:
    judged = judge(packed_reply(good("1"), good("2", category="fine")), pack(3))
    assert (judged.outcome, judged.reason) == (Outcome.SUCCEEDED, SOME_UNUSABLE)
    assert states(judged) == [
        ("i0000", InsightState.SUMMARIZED, None),
        ("i0001", InsightState.PARKED, "answer_off_schema"),
        ("i0002", InsightState.PARKED, "answer_missing"),
    ]
    assert judged.unanswered == ("i0001", "i0002")


def test_of_a_pack_each_insight_is_judged_by_its_own_severity() -> None:
    call = pack(3, skip_sensitive=True)
    judged = judge(packed_reply(good("1"), good("2", category="injury"), good("3")), call)
    assert [verdict.state for verdict in judged.verdicts] == [
        InsightState.SUMMARIZED,
        InsightState.SKIPPED,
        InsightState.SUMMARIZED,
    ]
    assert judged.unanswered == ()


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("Here are the summaries.", "not_json"),
        ('{"answers": []}', "missing"),
        ('{"answers": 1}', "off_schema"),
        (json.dumps(ANSWER), "off_schema"),
        (json.dumps({"answers": [good("1"), good("1"), good("2"), good("2")]}), "id_twice"),
        (json.dumps({"answers": [good("i0000"), good("i0001")]}), "missing"),
    ],
)
def test_a_pack_without_any_usable_part_is_unusable(text: str, reason: str) -> None:
    judged = judge(said(text), pack(2))
    assert (judged.outcome, judged.reason) == (Outcome.UNUSABLE, reason)
    assert states(judged) == [(one, InsightState.PARKED, f"answer_{reason}") for one in ("i0000", "i0001")]
    assert judged.unanswered == ("i0000", "i0001")


@pytest.mark.parametrize(
    ("stop_reason", "expected", "reason", "state_reason"),
    [
        ("refusal", Outcome.REFUSED, "refusal", "refusal"),
        ("max_tokens", Outcome.UNUSABLE, "truncated", "answer_truncated"),
        ("model_context_window_exceeded", Outcome.UNUSABLE, "truncated", "answer_truncated"),
    ],
)
def test_a_pack_that_was_refused_or_cut_short_answers_nothing_even_if_all_of_it_is_there(
    stop_reason: str, expected: Outcome, reason: str, state_reason: str
) -> None:
    judged = judge(packed_reply(good("1"), good("2"), stop_reason=stop_reason), pack(2))
    assert (judged.outcome, judged.reason) == (expected, reason)
    assert {verdict.state_reason for verdict in judged.verdicts} == {state_reason}
    assert judged.unanswered == ("i0000", "i0001")


def test_what_is_left_of_a_pack_is_judged_by_its_new_ids_and_in_the_packs_form() -> None:
    again = pack(3).only(["i0002"])
    judged = judge(packed_reply(good("1")), again)
    assert states(judged) == [("i0002", InsightState.SUMMARIZED, None)]
    assert judge(reply(), again).reason == "off_schema"
    assert judge(packed_reply(good("1")), about()).reason == "off_schema"


def test_severity_falls_in_the_order_of_the_table() -> None:
    order = ["safeguarding", "injury", "wellbeing", "behavior", "private", "normal"]
    assert [category.value for category in Category] == order
    for worse, milder in zip(Category, list(Category)[1:], strict=False):
        assert most_severe(milder, worse) is worse
    assert category_of("injury") is category_of("recovery") is Category.INJURY


def test_the_screen_reads_note_and_summary_with_the_names_of_the_club() -> None:
    (clean,) = judge(reply(), about()).verdicts
    assert (clean.findings, clean.category) == ((), Category.NORMAL)
    (call,) = calls([insight(1, description="Came off holding his knee after Niamh fell on him.")])
    (sensitive,) = judge(reply(), call, ("Niamh", "Kelly")).verdicts
    assert sensitive.category is Category.INJURY
    assert {"injury", "other_person"} <= set(sensitive.findings or ())
    (said,) = judge(reply(summary="A good evening with Niamh."), about(), ("Niamh", "Kelly")).verdicts
    assert said.findings == ("other_person",)


def test_a_screen_that_fails_has_found_nothing_out_and_loses_no_answer() -> None:
    """A roster that is none makes it fail as a fault of its own would."""
    judged = verdict.judge(reply(), about(), None)  # type: ignore[arg-type]
    (one,) = judged.verdicts
    assert one.findings is None
    assert (one.state, one.answer is not None) == (InsightState.SUMMARIZED, True)
