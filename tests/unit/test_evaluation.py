"""An evaluation adds up: every case is scored, and what is not answered is never called good."""

import json
from datetime import UTC, datetime
from typing import Any

from core.categories import Category
from core.evaluation import (
    ANSWERED,
    NO_ANSWER,
    Evaluation,
    Response,
    evaluation_of,
    plan_cases,
    predicted_bill,
    score,
)
from core.evaluation_rules import RULES
from core.labelled import Case
from tests.unit.test_evaluation_rules import answer
from tests.unit.test_labelled import case

NOW = datetime(2026, 11, 24, 15, tzinfo=UTC)
MODEL = "claude-haiku-5-5"
GOOD = "Grace kept the ball well. She is working on looking up."


def good(output_tokens: int = 100) -> Response:
    return Response(answer(GOOD), None, output_tokens)


def evaluation(pairs: list[tuple[Case, Response]]) -> Evaluation:
    cases = [about for about, _ in pairs]
    calls = plan_cases(cases, model=MODEL, now=NOW)
    responses = {about.id: response for about, response in pairs}
    return evaluation_of(cases, calls, responses, model=MODEL, bill=predicted_bill(calls, NOW))


def test_a_good_answer_passes_every_rule() -> None:
    scored = score(case(), good())
    assert scored.passed
    assert [check.rule for check in scored.checks] == [ANSWERED, *RULES]


def test_an_answer_that_breaks_a_rule_says_which_and_how() -> None:
    scored = score(case(), Response(answer("Grace and Kate did well. Good work."), None, 90))
    assert not scored.passed
    wrong = [(check.rule, check.detail) for check in scored.checks if not check.passed]
    assert wrong == [("first_name_only", "names Kate")]


def test_no_answer_fails_with_its_reason_and_nothing_else_is_held_against_it() -> None:
    scored = score(case(), Response(None, "refusal", 3))
    assert [(check.rule, check.passed, check.detail) for check in scored.checks] == [
        (ANSWERED, False, "refusal")
    ]


def test_rules_count_only_the_answers_they_were_held_against() -> None:
    told = evaluation([(case(), good()), (case(id="2"), Response(None, "truncated", 700))]).rules()
    assert told[ANSWERED] == {"passed": 1, "failed": 1, "share": 0.5}
    assert told["tone_length"] == {"passed": 1, "failed": 0, "share": 1.0}


def test_a_rule_that_was_held_against_nothing_has_no_share() -> None:
    assert evaluation([(case(terms=[]), good())]).rules()["glossary_used"]["share"] is None


def test_categories_are_counted_by_what_was_expected() -> None:
    told = evaluation(
        [
            (case(), good()),
            (case(id="2", category="injury"), good()),
            (case(id="3", category="injury"), Response(None, "refusal", 3)),
        ]
    ).categories()
    assert told == {"normal": {"normal": 1}, "injury": {"normal": 1, NO_ANSWER: 1}}


def test_output_tokens_have_their_mean_and_their_95th_percentile() -> None:
    hundred = [(case(id=str(n)), good(output_tokens=n)) for n in range(1, 101)]
    assert evaluation(hundred).output_tokens() == {"mean": 50.5, "p95": 95}
    assert evaluation([(case(), good(7))]).output_tokens() == {"mean": 7.0, "p95": 7}
    assert evaluation([(case(), Response(None, "outage", None))]).output_tokens() == {"mean": 0.0, "p95": 0}


def test_a_case_without_a_response_was_not_heard() -> None:
    cases = [case()]
    calls = plan_cases(cases, model=MODEL, now=NOW)
    told = evaluation_of(cases, calls, {}, model=MODEL, bill=predicted_bill(calls, NOW))
    assert (told.unheard, told.passed) == (1, 0)
    assert told.scored[0].checks[0].detail == "stopped"


def test_a_refusal_was_heard() -> None:
    assert evaluation([(case(), Response(None, "refusal", 3))]).unheard == 0


def test_what_is_written_holds_answers_and_checks_but_no_note() -> None:
    told = evaluation([(case(), good())])
    written = json.dumps([told.to_json(), told.scored[0].to_json()])
    assert GOOD in written
    assert case().description not in written
    assert "O'Driscoll" not in written


def test_calls_are_those_of_a_run_without_a_word_of_the_extractors() -> None:
    (call,) = plan_cases([case()], model=MODEL, now=NOW)
    about = call.about
    assert about.category is None
    assert {about.organization_id, about.coach_id, about.player_id} == {"evaluation"}
    assert "Two offloads stuck" in call.notes[0]


def test_each_case_is_asked_alone_so_that_no_other_case_colours_its_answer() -> None:
    calls = plan_cases([case(id=str(n)) for n in range(8)], model=MODEL, now=NOW)
    assert sorted(call.about.id for call in calls) == [str(n) for n in range(8)]
    assert not any(call.packed for call in calls)


def test_the_own_last_name_is_not_in_the_prompt() -> None:
    (call,) = plan_cases([case(description="O'Driscoll: two offloads, Kate outside.")], model=MODEL, now=NOW)
    assert "O'Driscoll" not in json.dumps(call.body(), ensure_ascii=False)


def test_every_category_is_a_column_of_the_expected() -> None:
    pairs: list[tuple[Case, Response]] = [
        (case(id=each.value, category=each.value), good()) for each in Category
    ]
    told: dict[str, Any] = evaluation(pairs).to_json()
    assert set(told["categories"]) == {each.value for each in Category}
    assert told["prompt_versions"].keys() == {"rugby/warm"}
