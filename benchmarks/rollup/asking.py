"""Questions that dashboards ask: how long the answer takes, beside the same answer by other means."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psycopg

from benchmarks.rollup.by_pandas import in_pandas
from benchmarks.rollup.by_sql import in_duckdb, in_postgres
from benchmarks.rollup.evenings import TODAY
from benchmarks.rollup.parquet import duck
from benchmarks.rollup.questions import Question, Usage
from benchmarks.rollup.timing import Spread, in_turns
from database.engine import connect
from tasks.analytics import org_usage, platform_usage

SQL, PANDAS, DUCKDB = "the ledger by SQL", "pandas over Parquet", "DuckDB over Parquet"
Ask = Callable[[], Usage]


@dataclass(frozen=True, slots=True)
class Asked:
    """How long each way of asking took, and what was answered."""

    ours: Spread
    others: Mapping[str, Spread]
    answers: Mapping[str, Usage]  # of the others; all must be ours
    answer: Usage

    @property
    def calls(self) -> int:
        """The logical calls that it is about."""
        return int(self.answer["calls"])

    @property
    def differing(self) -> list[str]:
        """Name who answers otherwise than we do."""
        return [name for name, answer in self.answers.items() if answer != self.answer]


def ask_everybody(url: str, file: Path, question: Question, times: int, others: Mapping[str, int]) -> Asked:
    """Ask by rollups so many times, then each of the others so many times."""
    with by_rollups(url, question) as ask:
        (answer,), (ours,) = in_turns([ask], times)
    answers, spreads = {}, {}
    with other_ways(url, file, question) as ways:
        for name, way in ways.items():
            (answers[name],), (spreads[name],) = in_turns([way], others[name])
    return Asked(ours, spreads, answers, answer)


def ask_both(urls: tuple[str, str], question: Question, times: int) -> list[Spread]:
    """Ask two histories by their rollups, in turns."""
    with by_rollups(urls[0], question) as one, by_rollups(urls[1], question) as other:
        return in_turns([one, other], times)[1]


def ask_while_dirty(url: str, question: Question, times: int) -> tuple[Usage, Spread]:
    """Ask by rollups while today is marked, so that today is read from the ledger."""
    with psycopg.connect(url) as connection:
        assert connection.execute(MARK, {"day": TODAY}).rowcount == 1
    with by_rollups(url, question) as ask:
        (answer,), (spread,) = in_turns([ask], times)
    return answer, spread


@contextmanager
def by_rollups(url: str, question: Question) -> Iterator[Ask]:
    """Have the function that our commands call."""
    engine = connect(url)
    from_day, to_day = question.days.from_day, question.days.to_day
    try:
        if question.organization_id is None:
            yield lambda: platform_usage(engine, from_day, to_day)
        else:
            organization_id = question.organization_id
            yield lambda: org_usage(engine, organization_id, from_day, to_day)
    finally:
        engine.dispose()


@contextmanager
def other_ways(url: str, file: Path, question: Question) -> Iterator[Mapping[str, Ask]]:
    """Have everybody else, connected."""
    with psycopg.connect(url) as connection, duck() as engine:
        yield {
            SQL: in_postgres(connection, question),
            PANDAS: in_pandas(question, file),
            DUCKDB: in_duckdb(engine, question, file),
        }


# A row that changes without a change marks its day.
MARK = """
    UPDATE ai_usage_log SET recorded_at = recorded_at WHERE attempt_id = (
        SELECT attempt_id FROM ai_usage_log
        WHERE occurred_at >= %(day)s AND occurred_at < %(day)s + 1
        ORDER BY occurred_at, attempt_id LIMIT 1
    )
"""
