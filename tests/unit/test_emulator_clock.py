"""The emulator's clock, on a hand-moved source of time."""

import asyncio
from datetime import UTC, datetime, timedelta

import pytest

from emulator.clock import CLIENT_AT_WORK_SECONDS, Clock, rfc3339
from emulator.errors import ApiError

START = datetime(2026, 11, 1, tzinfo=UTC)


class HandMoved:
    """A monotonic source that moves when the test says so."""

    def __init__(self) -> None:
        self.seconds = 100.0

    def __call__(self) -> float:
        return self.seconds


@pytest.mark.parametrize("speed", [0.5, 1, 60])
def test_time_runs_at_its_speed(speed: float) -> None:
    source = HandMoved()
    clock = Clock(START, speed, source)
    source.seconds += 10
    assert clock.now() == START + timedelta(seconds=10 * speed)


def test_an_advance_is_in_emulator_seconds_whatever_the_speed() -> None:
    clock = Clock(START, 60, HandMoved())
    assert clock.advance(300) == clock.now() == START + timedelta(seconds=300)


def test_sleepers_follow_an_advance() -> None:
    async def scenario() -> list[str]:
        clock, woken, short_is_awake = Clock(START, 1, HandMoved()), [], asyncio.Event()

        async def sleep(name: str, seconds: float) -> None:
            await clock.sleep_until(START + timedelta(seconds=seconds))
            woken.append(name)
            short_is_awake.set()

        async with asyncio.TaskGroup() as group:
            group.create_task(sleep("long", 7_200))
            group.create_task(sleep("short", 3_600))
            await asyncio.sleep(0)
            clock.advance(3_599)
            await asyncio.sleep(0)
            woken.append("not yet")
            clock.advance(1)
            await short_is_awake.wait()
            clock.advance(3_600)
        return woken

    assert asyncio.run(asyncio.wait_for(scenario(), 5)) == ["not yet", "short", "long"]


def test_what_is_already_past_is_not_waited_for() -> None:
    clock = Clock(START, 1, HandMoved())
    asyncio.run(asyncio.wait_for(clock.sleep_until(START), 5))


def test_a_restart_forgets_every_advance() -> None:
    clock = Clock(START, 1, HandMoved())
    clock.advance(1_000)
    clock.restart(START)
    assert clock.now() == START


def test_times_are_written_in_utc() -> None:
    assert rfc3339(START) == "2026-11-01T00:00:00Z"


def test_while_requests_come_a_second_is_a_second_at_any_speed() -> None:
    seconds = [0.0]
    clock = Clock(START, 10, lambda: seconds[0])
    for _ in range(100):
        clock.request_came()
        seconds[0] += CLIENT_AT_WORK_SECONDS / 2
    busy = 100 * CLIENT_AT_WORK_SECONDS / 2
    assert clock.now() - START == pytest.approx(timedelta(seconds=busy), abs=timedelta(milliseconds=1))
    seconds[0] += CLIENT_AT_WORK_SECONDS / 2 + 1
    waited = timedelta(seconds=busy + CLIENT_AT_WORK_SECONDS / 2 + 10)
    assert clock.now() - START == pytest.approx(waited, abs=timedelta(milliseconds=1))


def test_a_slow_clock_stays_slow_while_requests_come() -> None:
    seconds = [0.0]
    clock = Clock(START, 0.001, lambda: seconds[0])
    clock.request_came()
    seconds[0] += 10
    assert clock.now() - START == pytest.approx(timedelta(milliseconds=10), abs=timedelta(microseconds=10))


def test_a_restart_wakes_who_waits_for_a_moment_of_the_time_before() -> None:
    async def scenario() -> None:
        clock = Clock(START, 1, lambda: 0.0)
        clock.advance(86_400)
        waiting = asyncio.create_task(clock.sleep_until(clock.now() + timedelta(seconds=5)))
        await asyncio.sleep(0)
        clock.restart(START)
        await asyncio.wait_for(waiting, 5)

    asyncio.run(scenario())


def test_an_advance_beyond_the_calendar_is_refused_and_moves_nothing() -> None:
    clock = Clock(START, 1, lambda: 0.0)
    with pytest.raises(ApiError, match="advance_seconds"):
        clock.advance(1e12)
    assert clock.now() == START
