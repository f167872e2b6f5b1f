"""A small season, and what a test of ingest does with folders and rows."""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from models.tables import metadata
from tasks import season
from tasks.season import IngestReport

NOW = datetime(2026, 3, 2, 6, 30, tzinfo=UTC)
ORGANIZATIONS: list[dict[str, Any]] = [
    {"id": "o1", "name": "Na Fianna"},
    {"id": "o2", "name": "Rovers", "timezone": "Europe/Dublin"},
]
COACHES: list[dict[str, Any]] = [
    {"id": "c1", "user_id": None, "organization_id": "o1", "name": "Aoife"},
    {"id": "c2", "user_id": "u2", "organization_id": "o2", "name": "Brian", "tone": "brief"},
]
PLAYERS: list[dict[str, Any]] = [
    {"id": "p1", "organization_id": "o1", "first_name": "Ciarán", "sport": "soccer"},
    {"id": "p2", "organization_id": "o2", "first_name": "Dara", "sport": "rugby"},
]
GUARDIANS: list[dict[str, Any]] = [{"id": "g1", "player_id": "p1", "status": "active", "consented": True}]


def insight(**changes: Any) -> dict[str, Any]:
    return {
        "id": "i1",
        "organization_id": "o1",
        "coach_id": "c1",
        "player_id": "p1",
        "title": "Passing",
        "description": "Left foot is getting better",
        "created_at": "2026-03-01T19:30:00+01:00",
        **changes,
    }


def insight_2(**changes: Any) -> dict[str, Any]:
    return insight(**{"id": "i2", "organization_id": "o2", "coach_id": "c2", "player_id": "p2", **changes})


WHOLE: dict[str, Any] = {
    "organizations": ORGANIZATIONS,
    "coaches": COACHES,
    "players": PLAYERS,
    "guardians": GUARDIANS,
    "insights": [insight(), insight_2()],
}


class Club:
    """A database, a home folder, and season folders to load."""

    def __init__(self, engine: sa.Engine, place: Path) -> None:
        self.engine, self.place, self.home = engine, place, place / "home"
        self.folder = place / "season"

    def write(self, **files: list[Any] | bytes) -> Path:
        """Write a season folder with only these files; a line is an object, or the bytes of a line."""
        self.folder.mkdir(exist_ok=True)
        for old in self.folder.iterdir():
            old.unlink()
        for name, lines in files.items():
            if not isinstance(lines, bytes):
                raws = [line if isinstance(line, bytes) else json.dumps(line).encode() for line in lines]
                lines = b"".join(raw + b"\n" for raw in raws)
            (self.folder / f"{name}.jsonl").write_bytes(lines)
        return self.folder

    def load(self, **files: list[Any] | bytes) -> IngestReport:
        return self.load_folder(self.write(**files))

    def load_folder(self, folder: Path) -> IngestReport:
        return season.ingest(self.engine, folder, home=self.home, sports={"soccer", "rugby"}, now=NOW)

    def rows(self, query: str) -> list[tuple[Any, ...]]:
        with self.engine.connect() as connection:
            return [tuple(row) for row in connection.execute(sa.text(query))]

    def run(self, statement: str) -> None:
        with self.engine.begin() as connection:
            connection.execute(sa.text(statement))

    def everything(self) -> dict[str, list[tuple[Any, ...]]]:
        """Every row with the transaction that wrote it: rewriting a row with itself shows too."""
        with self.engine.connect() as connection:
            return {
                table.name: sorted(
                    (tuple(row) for row in connection.execute(sa.select(sa.text("xmin::text"), table))),
                    key=repr,
                )
                for table in metadata.sorted_tables
            }

    def rejects(self, report: IngestReport) -> list[tuple[str, int, str]]:
        return [(found["file"], found["line"], found["reason"]) for found in self.reject_lines(report)]

    def reject_lines(self, report: IngestReport) -> list[dict[str, Any]]:
        assert report.rejects_file is not None
        return [json.loads(line) for line in report.rejects_file.read_text().splitlines()]
