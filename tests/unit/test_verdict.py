"""What an answer is worth: fails closed, and the most severe category counts."""

import json

import pytest

from core.categories import Category, category_of, most_severe
from core.plan import ClaimedInsight
from core.states import InsightState, Outcome
from core.usage import Usage
from core.verdict import Reply, Verdict, judge
from tests.unit.test_plan import insight


def reply(text: str | None = None, stop_reason: str = "end_turn", **changed: object) -> Reply:
    answer = {
        "category": "normal",
        "category_confidence": 0.9,
        "reason": "",
        "summary": "A good evening.",
        "confidence": 0.8,
        "flags": [],
    }
    body = json.dumps(answer | changed) if text is None else text
    return Reply(body, stop_reason, "claude-haiku-5-5", Usage(1, output_tokens=1), "standard", None, None)


def about(category: str | None = None, *, skip_sensitive: bool = False) -> ClaimedInsight:
    from dataclasses import replace

    return replace(insight(1), category=category, skip_sensitive=skip_sensitive)


def outcome(verdict: Verdict) -> tuple[Outcome, str | None, InsightState, str | None]:
    return verdict.outcome, verdict.reason, verdict.state, verdict.state_reason


def test_a_valid_answer_summarizes() -> None:
    verdict = judge(reply(), about("performance"))
    assert outcome(verdict) == (Outcome.SUCCEEDED, None, InsightState.SUMMARIZED, None)
    assert verdict.category is Category.NORMAL


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
    assert judge(reply(category=model), about(extractor)).category is counts


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
    verdict = judge(reply(stop_reason="refusal"), about())
    assert outcome(verdict) == (Outcome.REFUSED, "refusal", InsightState.PARKED, "refusal")
    assert verdict.answer is None


@pytest.mark.parametrize("category", ["injury", "behavior"])
def test_a_coach_who_wants_nothing_sensitive_gets_no_summary_of_it(category: str) -> None:
    verdict = judge(reply(category=category), about("performance", skip_sensitive=True))
    assert outcome(verdict) == (Outcome.SUCCEEDED, None, InsightState.SKIPPED, "sensitive")
    assert judge(reply(category="wellbeing"), about(skip_sensitive=True)).state is InsightState.SUMMARIZED


def test_severity_falls_in_the_order_of_the_table() -> None:
    order = ["safeguarding", "injury", "wellbeing", "behavior", "private", "normal"]
    assert [category.value for category in Category] == order
    for worse, milder in zip(Category, list(Category)[1:], strict=False):
        assert most_severe(milder, worse) is worse
    assert category_of("injury") is category_of("recovery") is Category.INJURY
