"""Contenders that send with the vendor's SDK alone: no planner, no ledger, no database."""

import asyncio
import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from anthropic import AsyncAnthropic

from benchmarks.cost.asked import ANSWER_TOKENS_MAX, MODEL, THINKING, Asked, Row, answer_format, text_block
from benchmarks.cost.job import Job, Told
from benchmarks.cost.texts import lean_text

AT_ONCE = 64
AT_ONCE_AS_FIRST_DESIGNED = 16
CLASSIFIER_SCHEMA = {
    "type": "object",
    "properties": {
        "category": {"enum": ["safeguarding", "injury", "wellbeing", "behavior", "private", "normal"]},
        "category_confidence": {"type": "number"},
    },
    "required": ["category", "category_confidence"],
    "additionalProperties": False,
}


def naive(job: Job, asked: Sequence[Asked], told: Told) -> None:
    """One live call for each insight, no markers."""
    _run(job.base_url, (each.body(()) for each in asked), AT_ONCE, told)


def as_first_designed(job: Job, asked: Sequence[Asked], told: Told) -> None:
    """Markers on instructions and player, in the order of arrival, nobody waits for a first one."""
    bodies = (each.body(("instructions", "player")) for each in asked)
    _run(job.base_url, bodies, AT_ONCE_AS_FIRST_DESIGNED, told)


def lean_two_calls(job: Job, asked: Sequence[Asked], told: Told) -> None:
    """A short classifier prompt and a shorter summary prompt for each insight, nothing cached.

    The second emulator gets the classifier's calls, so that their answers can be billed at another length.
    """
    output = {"format": {"type": "json_schema", "schema": CLASSIFIER_SCHEMA}}
    classifier, summary = lean_text("classifier"), lean_text("summary")
    for_category = (_lean(classifier, each.note, output_config=output) for each in asked)
    _run(job.base_urls[1], for_category, AT_ONCE, told)
    _run(job.base_url, (_lean(summary, each.note) for each in asked), AT_ONCE, told)


def lean_cached(job: Job, asked: Sequence[Asked], told: Told) -> None:
    """One short prompt that does both, cached; the first call goes ahead and writes it."""
    text, output = lean_text("single"), {"format": answer_format()}
    bodies = [_lean(text, each.note, marked=True, output_config=output) for each in asked]
    _run(job.base_url, bodies[:1], 1, told)
    _run(job.base_url, bodies[1:], AT_ONCE, told)


def bare(job: Job, asked: Sequence[Asked], told: Told) -> None:
    """The very requests that Touchline made on this season, sent again by bare asyncio, 64 at a time."""
    assert job.record is not None
    lines = Path(job.record).read_text(encoding="utf-8").splitlines()
    _run(job.base_url, (json.loads(line) for line in lines), AT_ONCE, told)


def _lean(text: str, note: str, *, marked: bool = False, **more: Any) -> Row:
    return {
        "model": MODEL,
        "max_tokens": ANSWER_TOKENS_MAX,
        "thinking": THINKING,
        "system": [text_block(text, "5m" if marked else None)],
        "messages": [{"role": "user", "content": [text_block(note)]}],
        **more,
    }


def _run(base_url: str, bodies: Iterable[Row], at_once: int, told: Told) -> None:
    with told.timed():
        asyncio.run(_send(base_url, bodies, at_once))


async def _send(base_url: str, bodies: Iterable[Row], at_once: int) -> None:
    """Send all, so many at a time, each as soon as another is answered."""
    waiting = iter(bodies)

    async def sender(client: AsyncAnthropic) -> None:
        for body in waiting:
            await client.messages.create(**body)

    async with AsyncAnthropic(api_key="bench", base_url=base_url, max_retries=0) as client:
        await asyncio.gather(*[sender(client) for _ in range(at_once)])
