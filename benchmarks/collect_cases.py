"""`python -m benchmarks.collect_cases plain|touchline`: one of the processes that `benchmarks.collect` times.

`plain` takes the file of the results and that of what is known of them as arguments. The environment says
which database, and `touchline` also which API. The last line on stdout is what it took.
"""

import asyncio
import json
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path
from time import perf_counter, process_time
from typing import Any
from uuid import uuid4

import sqlalchemy as sa

from benchmarks.cost.job import peak_memory_mb
from core.settings import Settings
from core.states import Lane
from database.engine import connect
from models import ai_usage_log, insight, summary
from tasks.clock import SystemClock
from tasks.collecting import RESULTS_AT_ONCE, look_at_all
from tasks.run import open_run

Known = Mapping[str, Mapping[str, str]]  # by attempt


@dataclass(slots=True)
class Taken:
    """What a process took; seconds of what is compared, the peak of all of it."""

    seconds: float = 0.0
    cpu_seconds: float = 0.0
    peak_memory_mb: float = 0.0

    @contextmanager
    def timed(self) -> Iterator[None]:
        """Note the time of a block, on the wall and on the processor."""
        wall, cpu = perf_counter(), process_time()
        yield
        self.seconds, self.cpu_seconds = perf_counter() - wall, process_time() - cpu


def touchline(taken: Taken) -> None:
    """Collect whatever is open."""
    asyncio.run(_collect(taken))


async def _collect(taken: Taken) -> None:
    settings = Settings()
    async with open_run(
        run_id="bench-collect",
        settings=settings,
        model=settings.model,
        clock=SystemClock(),
        lane=Lane.OVERNIGHT,
    ) as run:
        with taken.timed():
            still_open = await look_at_all(run)
        assert not still_open


def plain(taken: Taken, results: Path, known: Path) -> None:
    """Parse and insert."""
    with known.open(encoding="utf-8") as file:
        items = {row["attempt_id"]: row for row in map(json.loads, file)}
    url = Settings().database_url
    assert url is not None
    engine = connect(url.get_secret_value())
    with engine.connect():
        pass
    with taken.timed(), results.open(encoding="utf-8") as lines:
        while some := list(islice(lines, RESULTS_AT_ONCE)):
            _insert([json.loads(line) for line in some], items, engine)


def _insert(results: list[dict[str, Any]], known: Known, engine: sa.Engine) -> None:
    now = datetime.now(UTC).isoformat()
    summaries, settlements, conclusions = [], [], []
    for result in results:
        item, message = known[result["custom_id"]], result["result"]["message"]
        answer = json.loads(message["content"][-1]["text"])
        summaries.append(_summary(item, message, answer, now))
        settlements.append(_settlement(item, message, now))
        conclusions.append({"insight_id": item["insight_id"], "state": "summarized", "missed_due": False})
        conclusions[-1] |= {"unusable_answers": 0}
    with engine.begin() as connection:
        connection.execute(summary.QUERIES["store_many"], {"summaries": json.dumps(summaries)})
        connection.execute(insight.QUERIES["take_out_of_batch"], {"conclusions": json.dumps(conclusions)})
        connection.execute(ai_usage_log.QUERIES["settle_many"], {"settlements": json.dumps(settlements)})


def _summary(
    item: Mapping[str, str], message: Mapping[str, Any], answer: Mapping[str, Any], now: str
) -> dict[str, Any]:
    return {
        "id": str(uuid4()),
        "insight_id": item["insight_id"],
        "attempt_id": item["attempt_id"],
        "prompt_version": item["prompt_version"],
        "model": message["model"],
        "tone": item["tone"],
        "category": answer["category"],
        "model_category": answer["category"],
        "category_confidence": answer["category_confidence"],
        "confidence": answer["confidence"],
        "reason": answer["reason"],
        "flags": answer["flags"],
        "text": answer["summary"],
        "state": "pending_review",
        "rehearsal": True,
        "created_at": now,
    }


def _settlement(item: Mapping[str, str], message: Mapping[str, Any], now: str) -> dict[str, Any]:
    usage = message["usage"]
    written = usage["cache_creation"]
    return {
        "attempt_id": item["attempt_id"],
        "outcome": "succeeded",
        "model": message["model"],
        "service_tier": usage["service_tier"],
        "input_tokens": usage["input_tokens"],
        "cache_read_tokens": usage["cache_read_input_tokens"],
        "cache_write_5m_tokens": written["ephemeral_5m_input_tokens"],
        "cache_write_1h_tokens": written["ephemeral_1h_input_tokens"],
        "output_tokens": usage["output_tokens"],
        "thinking_tokens": 0,
        "cost_usd": "0.00004",  # nothing is priced here
        "price_version": "none",
        "cache_hit_rate": 0,
        "recorded_at": now,
    }


def main(case: str, *files: str) -> None:
    """Run it."""
    taken = Taken()
    if case == "plain":
        plain(taken, *map(Path, files))
    else:
        touchline(taken)
    taken.peak_memory_mb = peak_memory_mb()
    print(json.dumps(asdict(taken)))


if __name__ == "__main__":
    main(*sys.argv[1:])
