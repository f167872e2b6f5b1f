"""Load a season folder: read its files, judge every line, merge what is good, keep what is not.

Everything happens in one transaction, one load at a time. Lines are judged one by one as they are read and
stream into temporary tables (`core.season`); what can only be judged beside other lines or the database is
judged there, by the statements of `models/season.sql` and `models/season_people.sql`. The rejects file is
complete and on disk before the transaction commits, so a load is never there without it; when the process
dies just then, the file is there without the load, and the next load writes another one.

Memory is bounded by the longest line, not by the number of lines.
"""

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, cast
from zoneinfo import available_timezones

import psycopg
import sqlalchemy as sa
from psycopg import sql
from psycopg.errors import DeadlockDetected, LockNotAvailable

from core.errors import BadInput, BooksDisagree, Transient
from core.season import INSIGHTS, SEASON, Rejected, Schema, read_line
from core.season_fields import Rules
from models.sql import load
from tasks.rejects import write_rejects

QUERIES = {**load("season.sql"), **load("season_people.sql")}
ADVISORY_LOCK = 7_010_220_262  # any number that is always the same; migrations have their own
# The order matters: what is named is merged before what names it, and lines are judged before that.
MERGE = (
    "judge_organization_repeats",
    "update_organizations",
    "insert_organizations",
    "judge_coach_references",
    "judge_coach_moves",
    "judge_coach_names",
    "judge_coach_repeats",
    "hold_insights_of_moving_coaches",
    "move_ledger",
    "update_coaches",
    "insert_coaches",
    "judge_player_references",
    "judge_player_moves",
    "judge_player_repeats",
    "update_players",
    "insert_players",
    "judge_guardian_references",
    "judge_guardian_repeats",
    "update_guardians",
    "insert_guardians",
    "resolve_coaches",
    "judge_insight_references",
    "judge_insights_under_way",
    "judge_insight_repeats",
    "update_insights",
    "judge_insights_just_claimed",
    "insert_insights",
)
LOADED = ("inserted", "updated", "unchanged")
NOT_A_PLACE = {"Factory", "localtime"}  # in the time zone database, but not names of zones
LINES_PER_PROGRESS = 2_000

Progress = Callable[[int, int], None]  # bytes read so far, bytes in all files


@dataclass(frozen=True, slots=True)
class Loaded:
    """What became of the good lines of one file."""

    inserted: int = 0
    updated: int = 0
    unchanged: int = 0


@dataclass(frozen=True, slots=True)
class IngestReport:
    """What became of a season; loaded and rejected lines add up to all lines that are not blank."""

    organizations: Loaded
    coaches: Loaded
    players: Loaded
    guardians: Loaded
    insights: Loaded
    rejected: dict[str, int]  # lines by reason
    unknown_fields: int  # fields that were ignored, counted in every line that is an object
    rejects_file: Path | None

    def to_json(self) -> dict[str, Any]:
        """Return the report as `touchline ingest --json` prints it."""
        kinds = {schema.kind: getattr(self, schema.kind) for schema in SEASON}
        return {
            **{kind: {word: getattr(loaded, word) for word in LOADED} for kind, loaded in kinds.items()},
            "rejected": dict(self.rejected),
            "unknown_fields": self.unknown_fields,
            "rejects_file": str(self.rejects_file) if self.rejects_file else None,
        }


@dataclass(slots=True)
class _Tally:
    """What is counted while reading."""

    bytes_total: int
    progress: Progress | None
    bytes_read: int = 0
    unknown_fields: int = 0
    lines: Counter[str] = field(default_factory=Counter)  # not blank, by kind
    objects: Counter[str] = field(default_factory=Counter)  # lines that are a JSON object, by kind

    def tell(self) -> None:
        if self.progress:
            self.progress(self.bytes_read, self.bytes_total)


def ingest(
    engine: sa.Engine,
    folder: Path,
    *,
    home: Path,
    sports: Collection[str],
    now: datetime,
    progress: Progress | None = None,
) -> IngestReport:
    """Load the season in `folder` into the database; loading it again changes nothing.

    `home` gets the rejects file, `sports` are the codes that have a sheet, `now` names the file. Raises
    BadInput for what is no season folder, NotReady when the rejects cannot be written, and Transient when a
    run holds rows of a coach whose key changes; nothing is loaded then.
    """
    _check_folder(folder)
    rules = Rules(frozenset(sports), available_timezones() - NOT_A_PLACE)
    sizes = (path.stat().st_size for path in _files(folder).values())
    tally = _Tally(sum(sizes), progress)
    with _locks_explained(), engine.begin() as connection:
        connection.execute(QUERIES["lock"], {"key": ADVISORY_LOCK})
        connection.execute(QUERIES["wait_briefly"])
        for schema in SEASON:
            connection.execute(QUERIES[f"stage_{schema.kind}"])
        for schema, path in _files(folder).items():
            _stage(connection, schema, _rows(schema, path, rules, tally))
        for name in ("describe", *MERGE):
            connection.execute(QUERIES[name])
        return _report(connection, tally, home, now)


def _check_folder(folder: Path) -> None:
    if not folder.is_dir():
        problem = "is not a folder" if folder.exists() else "is not there"
        raise BadInput(f"{folder} {problem}. Name the folder that holds {INSIGHTS.file}.")
    if not (folder / INSIGHTS.file).exists():
        raise BadInput(
            f"{folder} has no {INSIGHTS.file}, so there is nothing to load. "
            "Name the folder that holds it, or write one insight per line into it."
        )


def _files(folder: Path) -> dict[Schema, Path]:
    """Return the files of the season that are there, in the order of loading."""
    paths = {schema: folder / schema.file for schema in SEASON}
    return {schema: path for schema, path in paths.items() if path.exists()}


def _rows(schema: Schema, path: Path, rules: Rules, tally: _Tally) -> Iterator[tuple[Any, ...]]:
    """Yield one row for every line that is not blank: line, verdict, raw, and the values if it is good."""
    nothing = (None,) * len(schema.columns)
    for number, raw in _lines(path, tally):
        tally.lines[schema.kind] += 1
        judged = read_line(schema, raw, rules)
        tally.unknown_fields += judged.unknown_fields
        if isinstance(judged, Rejected):
            tally.objects[schema.kind] += judged.is_object
            yield number, judged.reason.value, raw, *nothing
        else:
            tally.objects[schema.kind] += 1
            yield number, None, raw, *judged.values
    if tally.lines[schema.kind] and not tally.objects[schema.kind]:
        raise BadInput(
            f"{path} is not JSON Lines: not one of its lines is a JSON object. "
            "Write one object per line, in UTF-8, without brackets or commas around them."
        )
    if schema is INSIGHTS and not tally.lines[schema.kind]:
        raise BadInput(f"{path} is empty, so there is nothing to load. Write one insight per line into it.")


def _lines(path: Path, tally: _Tally) -> Iterator[tuple[int, bytes]]:
    """Yield lines that are not blank with their number, without line end and byte order mark."""
    try:
        with path.open("rb") as file:
            for number, line in enumerate(file, start=1):
                tally.bytes_read += len(line)
                raw = line.removesuffix(b"\n").removesuffix(b"\r")
                if number == 1:
                    raw = raw.removeprefix(b"\xef\xbb\xbf")
                if raw.strip(b" \t\r"):
                    yield number, raw
                if number % LINES_PER_PROGRESS == 0:
                    tally.tell()
    except OSError as error:
        raise BadInput(
            f"{path} cannot be read: {error.strerror}. Make it a file that you can read."
        ) from error
    tally.tell()


def _stage(connection: sa.Connection, schema: Schema, rows: Iterable[tuple[Any, ...]]) -> None:
    """Stream rows into the temporary table of their kind."""
    driver = cast("psycopg.Connection[Any]", connection.connection.driver_connection)
    columns = ("line", "verdict", "raw", *schema.columns)
    statement = sql.SQL("COPY {} ({}) FROM STDIN").format(
        sql.Identifier(f"season_{schema.kind}"), sql.SQL(", ").join(map(sql.Identifier, columns))
    )
    with driver.cursor() as cursor, cursor.copy(statement) as copy:
        for row in rows:
            copy.write_row(row)


def _report(connection: sa.Connection, tally: _Tally, home: Path, now: datetime) -> IngestReport:
    """Count what became of the lines and write down those that were turned away: the last step."""
    by_kind: dict[str, dict[str, int]] = {schema.kind: {} for schema in SEASON}
    for kind, verdict, lines in connection.execute(QUERIES["count_verdicts"]):
        by_kind[kind][verdict] = lines
    if {kind: sum(verdicts.values()) for kind, verdicts in by_kind.items() if verdicts} != tally.lines:
        raise BooksDisagree("Ingest has not judged as many lines as it has read; nothing was loaded.")
    loaded: dict[str, Loaded] = {}
    rejected: Counter[str] = Counter()
    for kind, verdicts in by_kind.items():
        loaded[kind] = Loaded(*(verdicts.pop(word, 0) for word in LOADED))
        rejected.update(verdicts)
    streamed = QUERIES["rejects"].execution_options(yield_per=500)
    return IngestReport(
        **loaded,
        rejected=dict(sorted(rejected.items())),
        unknown_fields=tally.unknown_fields,
        rejects_file=write_rejects(connection.execute(streamed).tuples(), home, now) if rejected else None,
    )


@contextmanager
def _locks_explained() -> Iterator[None]:
    try:
        yield
    except sa.exc.OperationalError as error:
        if isinstance(error.orig, LockNotAvailable | DeadlockDetected):
            raise Transient(
                "Somebody else holds rows that this season changes, most likely a run that writes for a "
                "coach whose key changes. Nothing was loaded; load it again when the run has ended."
            ) from error
        raise
