"""Contenders that send everything in message batches with the vendor's SDK alone, one insight a call.

On the emulator all items of a batch start together, a minute after its creation (its default; waves are
off), and read nothing of each other. That is what others measured on live batches: 138 cold items read 0 %,
and all read what a batch that had ended before had written; live calls and batches do not serve each other.
The vendor's guide promises no more than 30 to 98 % in batches, so a cold batch may fare better than it does
here, and a primed one worse: with `--batch-wave` 200, 50 or 10, ten seconds apart, the cold `club` costs
$ 0.265, 0.123 or 0.086 per 1,000 instead of 0.641. What is too large for one batch goes out in as few as the
API takes, which start together too.
"""

import asyncio
from collections.abc import Collection, Iterable, Iterator, Sequence

from anthropic import AsyncAnthropic

from benchmarks.cost.asked import SHARED_LAYERS, Asked, Row
from benchmarks.cost.emulator_clock import NightClock
from benchmarks.cost.job import Job, Told

REQUESTS_MAX = 10_000  # of one batch: some 160 MB of the 256 that the API takes
POLL_SECONDS = 60.0
SECONDS_MAX = 600.0  # real ones, for one request: a batch is a large one


def naive(job: Job, asked: Sequence[Asked], told: Told) -> None:
    """One call for each insight, no markers."""
    _run(job, (each.body(()) for each in asked), told)


def cold(job: Job, asked: Sequence[Asked], told: Told) -> None:
    """The same with Touchline's markers for an hour, and nobody goes ahead."""
    _run(job, _marked(asked), told)


def prewarmed(job: Job, asked: Sequence[Asked], told: Told) -> None:
    """The same after the first call of each sport and tone was made live, one after another."""
    shared = {tuple(layer.text for layer in each.layers[:-1]): n for n, each in reversed([*enumerate(asked)])}
    first = set(shared.values())
    live = [each for n, each in enumerate(asked) if n in first]
    _run(job, _marked([each for n, each in enumerate(asked) if n not in first]), told, _marked(live))


def _marked(asked: Collection[Asked]) -> Iterator[Row]:
    return (each.body(SHARED_LAYERS, "1h") for each in asked)


def _run(job: Job, bodies: Iterable[Row], told: Told, live: Iterable[Row] = ()) -> None:
    clock = NightClock(job.base_url)
    with told.timed():
        told.summaries = asyncio.run(_send(job.base_url, clock, bodies, live))


async def _send(base_url: str, clock: NightClock, bodies: Iterable[Row], live: Iterable[Row]) -> int:
    """Make the live calls, create all batches before any of them starts; gives how many were answered."""
    answered = 0
    async with AsyncAnthropic(
        api_key="bench", base_url=base_url, max_retries=0, timeout=SECONDS_MAX
    ) as client:
        for body in live:
            await client.messages.create(**body)
            answered += 1
        ids = [await _create(client, some) for some in _batches(bodies)]
        for batch_id in ids:
            answered += await _answered(client, clock, batch_id)
    return answered


def _batches(bodies: Iterable[Row]) -> Iterator[list[Row]]:
    requests: list[Row] = []
    for n, body in enumerate(bodies):
        requests.append({"custom_id": f"insight-{n}", "params": body})
        if len(requests) == REQUESTS_MAX:
            yield requests
            requests = []
    if requests:
        yield requests


async def _create(client: AsyncAnthropic, requests: Iterable[Row]) -> str:
    asked: Iterable[object] = requests
    return (await client.messages.batches.create(requests=asked)).id  # type: ignore[arg-type]


async def _answered(client: AsyncAnthropic, clock: NightClock, batch_id: str) -> int:
    """Wait until a batch has ended, and read its results."""
    while (await client.messages.batches.retrieve(batch_id)).processing_status != "ended":
        await clock.sleep(POLL_SECONDS)
    results = await client.messages.batches.results(batch_id)
    return len([line async for line in results if line.result.type == "succeeded"])
