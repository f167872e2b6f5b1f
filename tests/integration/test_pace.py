"""Pacing over the database: no worker sends before the buckets that all share hold what it needs."""

import asyncio
from collections.abc import Sequence
from datetime import datetime, timedelta

import pytest

from core.forecast import Limits
from core.usage import Usage
from tasks.limits import Pace
from tests.integration.workers import MODEL, START, MovingClock, PatientClock, Workers, still_waits, tell

CALL = Usage(input_tokens=1_000, output_tokens=100)
Sent = list[tuple[datetime, float]]


def headers(
    requests: int = 600, input_tokens: int = 6_000_000, output_tokens: int = 600_000
) -> dict[str, str]:
    """What an answer says of the limits a minute."""
    told = {"requests": requests, "input-tokens": input_tokens, "output-tokens": output_tokens}
    return {f"anthropic-ratelimit-{kind}-limit": str(limit) for kind, limit in told.items()}


async def paces(workers: Workers, number: int = 2, **limits: int) -> list[Pace]:
    """Give the paces of so many workers who know these limits."""
    made = [workers.pace() for _ in range(number)]
    await made[0].heard(headers(**limits))
    for pace in made[1:]:
        await pace.load()
    return made


async def send(workers: Workers, pace: Pace, sent: Sent, calls: int, amount: float, usage: Usage) -> None:
    for _ in range(calls):
        await pace.wait(usage)
        sent.append((workers.clock.now(), amount))


def most_in_a_second_more(sent: Sequence[tuple[datetime, float]], per_minute: float) -> float:
    """How much of a second's rate any stretch of time had beyond what the rate lets flow in during it."""
    level = worst = 0.0
    before = sent[0][0]
    for at, amount in sent:
        level = max(0.0, level - (at - before).total_seconds() * per_minute / 60) + amount
        worst, before = max(worst, level), at
    return worst / (per_minute / 60)


def test_when_no_limit_is_known_nobody_waits_and_nothing_is_asked(database_url: str) -> None:
    async def story(workers: Workers) -> None:
        pace = workers.pace()
        await pace.load()
        await pace.heard({"request-id": "r"})
        before = workers.statements
        for _ in range(100):
            await pace.wait(CALL)
            pace.correct(CALL, Usage(input_tokens=5, output_tokens=5))
        assert workers.statements - before == 0
        assert workers.clock.slept == 0
        assert pace.limits == Limits()

    tell(database_url, story)


def test_limits_that_one_worker_is_told_are_known_to_the_next(database_url: str) -> None:
    async def story(workers: Workers) -> None:
        first, second = await paces(workers, requests=600)
        assert first.limits == second.limits == Limits(600, 6_000_000, 600_000)
        assert await workers.rows("SELECT DISTINCT model FROM rate_limit") == [(MODEL,)]

    tell(database_url, story)


def test_limits_that_are_told_again_are_not_written_again_and_a_new_one_is(database_url: str) -> None:
    async def story(workers: Workers) -> None:
        (pace,) = await paces(workers, 1)
        before = workers.statements
        await pace.heard(headers())
        assert workers.statements == before
        await pace.heard(headers(requests=60))
        told = await workers.rows("SELECT kind, per_minute FROM rate_limit ORDER BY kind")
        assert told == [("input_tokens", 6_000_000), ("output_tokens", 600_000), ("requests", 60)]

    tell(database_url, story)


def test_many_workers_that_learn_the_limits_at_once_make_one_bucket_of_each_kind(database_url: str) -> None:
    async def story(workers: Workers) -> None:
        await asyncio.gather(*(workers.pace().heard(headers()) for _ in range(8)))
        assert await workers.rows("SELECT count(*) FROM rate_limit") == [(3,)]

    tell(database_url, story)


@pytest.mark.parametrize(
    ("limits", "amount", "usage"),
    [
        ({"requests": 600}, 1.0, CALL),
        ({"input_tokens": 600_000}, 1_000.0, CALL),
        ({"output_tokens": 60_000}, 100.0, CALL),
        ({"input_tokens": 600_000}, 1_000.0, Usage(500, cache_read_tokens=9_000, cache_write_5m_tokens=500)),
    ],
    ids=["requests", "input", "output", "reads are free"],
)
def test_two_workers_together_never_take_more_than_the_rate_and_hardly_less(
    database_url: str, limits: dict[str, int], amount: float, usage: Usage
) -> None:
    async def story(workers: Workers) -> None:
        sent: Sent = []
        both = await paces(workers, 2, **limits)
        await asyncio.gather(*(send(workers, pace, sent, 40, amount, usage) for pace in both))
        (per_minute,) = limits.values()
        assert most_in_a_second_more(sent, per_minute) <= 1.2, "what a bucket of one second lets pass"
        seconds = (sent[-1][0] - START).total_seconds()
        assert seconds <= 1.1 * sum(amount for _, amount in sent) / (per_minute / 60)

    tell(database_url, story, MovingClock())


def test_a_call_that_is_larger_than_the_bucket_passes_and_the_next_waits_for_its_debt(
    database_url: str,
) -> None:
    async def story(workers: Workers) -> None:
        first, second = await paces(workers, input_tokens=60_000)
        await first.wait(Usage(input_tokens=10_000, output_tokens=1))
        assert workers.clock.now() == START
        await second.wait(CALL)
        assert workers.clock.now() - START >= timedelta(seconds=9)

    tell(database_url, story, MovingClock())


def test_what_an_answer_used_beyond_its_prediction_is_taken_from_the_bucket(database_url: str) -> None:
    async def story(workers: Workers) -> None:
        (pace,) = await paces(workers, 1, output_tokens=6_000)
        await pace.wait(CALL)
        pace.correct(CALL, Usage(input_tokens=1_000, output_tokens=2_100))
        for _ in range(2):
            await pace.wait(CALL)
        assert workers.clock.now() - START >= timedelta(seconds=20)

    tell(database_url, story, MovingClock())


def test_when_the_api_asks_to_wait_all_workers_do(database_url: str) -> None:
    async def story(workers: Workers) -> None:
        first, second = await paces(workers)
        await first.block(30)
        await first.block(10)
        tasks = [asyncio.create_task(pace.wait(CALL)) for pace in (first, second)]
        workers.clock.move(seconds=29)
        assert await still_waits(tasks[0])
        assert await still_waits(tasks[1])
        workers.clock.move(seconds=1)
        await asyncio.gather(*tasks)

    tell(database_url, story, PatientClock())


def test_a_worker_that_begins_during_a_block_waits_for_its_end(database_url: str) -> None:
    async def story(workers: Workers) -> None:
        (first,) = await paces(workers, 1)
        await first.block(30)
        late = workers.pace()
        await late.load()
        await late.wait(CALL)
        assert workers.clock.now() - START >= timedelta(seconds=30)

    tell(database_url, story, MovingClock())


def test_another_model_has_buckets_of_its_own(database_url: str) -> None:
    async def story(workers: Workers) -> None:
        (busy,) = await paces(workers, 1, requests=60)
        await busy.block(60)
        other = workers.pace("claude-sonnet-5")
        await other.load()
        assert other.limits == Limits()
        await other.heard(headers())
        await other.wait(CALL)
        assert workers.clock.slept == 0

    tell(database_url, story)
