"""Writes a season folder to try Touchline on: seeded, so that the same arguments give the same bytes.

    python examples/generate.py FOLDER --insights 10000 --seed 7

The folder `season/` beside this file is what it writes without options. Insights are streamed, so a season of
any length needs memory for its people only.
"""

import argparse
import json
import sys
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from pathlib import Path
from random import Random

if not __package__:  # run as a script: Python then looks beside this file, not in the folder above
    sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from examples.notes import NoteWriter, known_sports, plays
from examples.people import (
    Club,
    Coach,
    Player,
    Row,
    club_rows,
    clubs,
    coach_rows,
    coaches,
    guardian_rows,
    player_rows,
    players,
)
from examples.rejects import bad_line, serials

DEFAULT_SPORTS = ("gaa_football", "camogie", "soccer", "basketball", "swimming")
_FIRST_SESSION = date(2026, 9, 1)  # a Tuesday
_SESSIONS = 22  # Tuesdays and Thursdays, eleven weeks
_SESSION_STARTS = time(18, 45)
_SESSION_MINUTES = 150  # notes are spoken until the lights go out
_OTHER_SPORT_SHARE = 0.03  # notes about another sport than the player's own
_NO_CATEGORY_SHARE = 0.04
_ODD_CATEGORY_SHARE = 0.01


@dataclass(frozen=True, slots=True)
class Season:
    """What to write. Sizes left out follow from the number of insights."""

    insights: int = 600
    players: int = 180
    coaches: int = 12
    organizations: int = 3
    sports: tuple[str, ...] = DEFAULT_SPORTS
    seed: int = 2026
    bad_lines: int = 10


def write_season(folder: Path, season: Season) -> None:
    """Write the five files of a season into `folder`, over those that are there."""
    folder.mkdir(parents=True, exist_ok=True)
    of_clubs = clubs(season.organizations)
    of_coaches = coaches(season.coaches, of_clubs, season.sports)
    of_players = season_players(season, of_coaches)
    extra = {
        file: [bad_line(serial, {}, of_clubs) for serial in serials(file, season.bad_lines)]
        for file in ("players", "guardians")
    }
    registered = player_rows(of_players, _rng(season, "register"))
    guarded = guardian_rows(of_players, _rng(season, "guardians"))
    _write(folder / "organizations.jsonl", _lines(club_rows(of_clubs)))
    _write(folder / "coaches.jsonl", _lines(coach_rows(of_coaches)))
    _write(folder / "players.jsonl", [*_lines(registered), *extra["players"]])
    _write(folder / "guardians.jsonl", [*_lines(guarded), *extra["guardians"]])
    _write(folder / "insights.jsonl", insight_lines(season, of_clubs, of_players))


def season_players(season: Season, of_coaches: list[Coach]) -> list[Player]:
    """Return who plays in a season."""
    return players(season.players, of_coaches, _rng(season, "players"))


def insight_lines(season: Season, of_clubs: list[Club], of_players: list[Player]) -> Iterator[str]:
    """Yield all lines of `insights.jsonl` in the order of the sessions, bad ones spread among the good."""
    bad = serials("insights", season.bad_lines)
    written = 0
    for n, row in enumerate(insight_rows(season, of_players), start=1):
        yield _line(row)
        due = len(bad) * n // season.insights
        yield from (bad_line(serial, row, of_clubs) for serial in bad[written:due])
        written = due


def insight_rows(season: Season, of_players: list[Player]) -> Iterator[Row]:
    """Yield the good insights."""
    rng = _rng(season, "insights")
    writers = {sport: NoteWriter(sport, rng) for sport in season.sports}
    for n in range(season.insights):
        session = n * _SESSIONS // season.insights
        yield _insight(n + 1, session, rng.choice(of_players), writers, rng)


def _insight(serial: int, session: int, player: Player, writers: dict[str, NoteWriter], rng: Random) -> Row:
    coach = player.coach
    others = [sport for sport in writers if sport != coach.sport and plays(player.pronoun, sport)]
    sport = rng.choice(others) if others and rng.random() < _OTHER_SPORT_SHARE else coach.sport
    note = writers[sport].write(player.first_name, player.pronoun)
    row: Row = {
        "id": f"insight-{serial:06}",
        "organization_id": coach.club.id,
        "coach_id": rng.choice(coach.ids),
        "player_id": player.id,
        "voice_note_id": f"voice-{coach.ids[0]}-{session + 1:02}",
        "title": note.title,
        "description": note.text,
    }
    drawn = rng.random()
    if drawn >= _NO_CATEGORY_SHARE:
        row["category"] = "banter" if drawn > 1 - _ODD_CATEGORY_SHARE else note.gist.category
    if sport != coach.sport:
        row["sport"] = sport
    if note.gist.urgent:
        row["urgent"] = True
    row["created_at"] = _spoken_at(session, coach, rng)
    return row


def _spoken_at(session: int, coach: Coach, rng: Random) -> str:
    """Return a time in the evening of a session, in the club's own time zone."""
    day = _FIRST_SESSION + timedelta(days=session // 2 * 7 + session % 2 * 2)
    start = datetime.combine(day, _SESSION_STARTS, coach.club.zone)
    return (start + timedelta(seconds=rng.randrange(_SESSION_MINUTES * 60))).isoformat()


def _rng(season: Season, purpose: str) -> Random:
    """Return a source of chance for one purpose, so that a change to one file leaves the others alone."""
    return Random(f"{season.seed} {purpose}")  # a text seeds by SHA-512, not by Python's own hash


def _lines(rows: Iterable[Row]) -> Iterator[str]:
    return (_line(row) for row in rows)


def _line(row: Row) -> str:
    return json.dumps(row, ensure_ascii=False)


def _write(path: Path, lines: Iterable[str]) -> None:
    with path.open("w", encoding="utf-8", newline="\n") as file:
        file.writelines(f"{line}\n" for line in lines)


def parse_season(arguments: Sequence[str] | None = None) -> tuple[Path, Season]:
    """Read the command line. Ends the program with a usage message when it makes no season."""
    parser = argparse.ArgumentParser(description="Write a season folder: seeded, the same bytes every time.")
    parser.add_argument("folder", type=Path, help="where to write; made if it is missing")
    parser.add_argument("--insights", type=int, default=600, help="good insights (default 600)")
    parser.add_argument("--players", type=int, help="default: 3 for every 10 insights")
    parser.add_argument("--coaches", type=int, help="default: 1 for every 25 players, at least 12")
    parser.add_argument("--organizations", type=int, default=3, help="clubs (default 3)")
    parser.add_argument("--sports", default=",".join(DEFAULT_SPORTS), help="codes, separated by commas")
    parser.add_argument("--seed", type=int, default=2026)
    parser.add_argument(
        "--bad-lines", type=int, default=10, help="lines that a load must refuse (default 10)"
    )
    given = parser.parse_args(arguments)
    of_players = given.players if given.players is not None else max(1, given.insights * 3 // 10)
    sports = tuple(sport.strip() for sport in given.sports.split(","))
    of_coaches = (
        given.coaches
        if given.coaches is not None
        else max(12, given.organizations, len(sports), of_players // 25)
    )
    if unknown := sorted(set(sports) - set(known_sports())):
        parser.error(f"no notes for {', '.join(unknown)}; known sports: {', '.join(known_sports())}")
    if min(given.insights, of_players, given.organizations) < 1 or given.bad_lines < 0:
        parser.error("at least one insight, one player and one organization, and no fewer than 0 bad lines")
    if of_coaches < max(given.organizations, len(sports)):
        parser.error("every organization and every sport needs a coach")
    season = Season(
        given.insights, of_players, of_coaches, given.organizations, sports, given.seed, given.bad_lines
    )
    return given.folder, season


def main() -> None:
    folder, season = parse_season()
    write_season(folder, season)
    print(f"{season.insights} insights about {season.players} players in {folder}")


if __name__ == "__main__":
    main()
