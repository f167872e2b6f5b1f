"""How long calls take is what the tightest limit makes of them."""

import pytest

from core.forecast import FIRST_TOKEN_SECONDS, Forecast, Limits, Load, forecast

LOAD = Load(calls=1_000, input_tokens=500_000, output_tokens=140_000)
ANSWER_SECONDS = 1.177 + 140 * 0.0044
LEADERS_SECONDS = 3 * 1.177


def test_without_limits_the_number_in_flight_binds() -> None:
    expected = 1_000 * ANSWER_SECONDS / 16 + LEADERS_SECONDS
    assert forecast(LOAD, Limits(), 16) == Forecast(round(expected, 1), "concurrency")
    assert forecast(LOAD, Limits(), 32).seconds < forecast(LOAD, Limits(), 16).seconds


@pytest.mark.parametrize(
    ("limits", "minutes", "name"),
    [
        (Limits(requests=100), 10.0, "requests per minute"),
        (Limits(input_tokens=100_000), 5.0, "input tokens per minute"),
        (Limits(output_tokens=20_000), 7.0, "output tokens per minute"),
        (Limits(requests=200, input_tokens=100_000, output_tokens=20_000), 7.0, "output tokens per minute"),
    ],
)
def test_the_limit_that_is_used_up_last_binds(limits: Limits, minutes: float, name: str) -> None:
    assert forecast(LOAD, limits, 1_000) == Forecast(round(60 * minutes + LEADERS_SECONDS, 1), name)


def test_a_limit_that_is_wide_enough_does_not_bind() -> None:
    wide = Limits(requests=10**6, input_tokens=10**9, output_tokens=10**9)
    assert forecast(LOAD, wide, 16) == forecast(LOAD, Limits(), 16)


def test_one_call_takes_as_long_as_its_answer_and_its_only_leader() -> None:
    alone = forecast(Load(1, 5_000, 140), Limits(), 16)
    assert alone.seconds == round(ANSWER_SECONDS + FIRST_TOKEN_SECONDS, 1)


def test_no_calls_take_no_time() -> None:
    assert forecast(Load(0, 0, 0), Limits(requests=1), 16) == Forecast(0.0, "nothing")
