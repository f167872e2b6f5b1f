"""What follows when the API does not answer: a table of failures and decisions."""

import pytest

from core.retry import ATTEMPTS_MAX, Defer, Failure, NextStep, Park, Retry, Stop, next_step, outcome_of
from core.states import Outcome


def failed(status: int | None, error_type: str = "some_error", **known: object) -> Failure:
    return Failure(status=status, error_type=error_type, **known)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("failure", "expected"),
    [
        (failed(429), Outcome.REJECTED),
        (failed(529), Outcome.REJECTED),
        (failed(500), Outcome.REJECTED),
        (failed(400), Outcome.REJECTED),
        (failed(504), Outcome.LOST),
        (failed(None, "timeout"), Outcome.LOST),
        (failed(None, "connection_lost"), Outcome.LOST),
        (failed(None, "not_connected"), Outcome.REJECTED),
        (failed(200, "overloaded_error"), Outcome.LOST),
    ],
)
def test_only_what_was_surely_turned_away_costs_nothing(failure: Failure, expected: Outcome) -> None:
    assert outcome_of(failure) is expected


@pytest.mark.parametrize(
    ("failure", "expected"),
    [
        (failed(429, error_code="enforced_spend_limit_reached"), Stop("spend_limit", 3600.0, is_limit=True)),
        (failed(401, "authentication_error"), Stop("authentication_error", None)),
        (failed(402, "billing_error"), Stop("billing_error", None)),
        (failed(403, "permission_error"), Stop("permission_error", None)),
        (failed(404, "not_found_error"), Stop("not_found_error", None)),
        (failed(400, "invalid_request_error"), Park("api_invalid_request_error")),
        (failed(413, "request_too_large"), Park("api_request_too_large")),
        (failed(429, retry_after_seconds=61.0), Defer("rate_limit", 61.0)),
        (failed(529, retry_after_seconds=600.0), Defer("outage", 600.0)),
    ],
)
def test_what_waiting_cannot_mend_is_not_asked_again(failure: Failure, expected: NextStep) -> None:
    assert next_step(failure, 1, 0.5) == expected


@pytest.mark.parametrize("status", [408, 409, 429, 500, 504, 529, None])
def test_what_may_succeed_later_is_asked_again_and_then_deferred(status: int | None) -> None:
    for attempt in range(1, ATTEMPTS_MAX):
        assert isinstance(next_step(failed(status), attempt, 0.5), Retry)
    assert isinstance(next_step(failed(status), ATTEMPTS_MAX, 0.5), Defer)


@pytest.mark.parametrize("error_type", ["answer_unreadable", "usage_unreadable"])
def test_a_paid_answer_that_makes_no_sense_is_asked_for_once_more_then_parked(error_type: str) -> None:
    assert isinstance(next_step(failed(200, error_type), 1, 0.5), Retry)
    assert next_step(failed(200, error_type), 2, 0.5) == Park(error_type)


def test_the_wait_doubles_is_spread_by_jitter_and_never_shorter_than_the_api_asked() -> None:
    shortest = [next_step(failed(529), attempt, 0.0) for attempt in range(1, ATTEMPTS_MAX)]
    longest = [next_step(failed(529), attempt, 1.0) for attempt in range(1, ATTEMPTS_MAX)]
    assert shortest == [Retry(0.25), Retry(0.5), Retry(1.0), Retry(2.0)]
    assert longest == [Retry(0.5), Retry(1.0), Retry(2.0), Retry(4.0)]
    assert next_step(failed(429, retry_after_seconds=7.0), 1, 0.0) == Retry(7.0)
