"""Seeded season folders for the bench, put together from the parts of the season generator.

Every coach has summaries on and `skip_sensitive` off, insights are about the player's own sport, and tones
are dealt so that every sport has all of them. With the reference prompts each note has 110 tokens and each
player 120, at 2.5 characters a token; with the product's own, texts stay as the generator writes them.
"""

import json
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random

from benchmarks.cost.texts import REFERENCE_SET
from core.prompt import PlayerFacts, note_text, player_text
from core.states import Tone
from examples.notes import NoteWriter
from examples.people import Coach, Player, Row, club_rows, clubs, coach_rows, coaches, player_rows, players

SEED = 2026
NOTE_CHARACTERS = 275
PLAYER_CHARACTERS = 300
SEASON_BEGINS = datetime(2026, 9, 1, 17, tzinfo=UTC)
SEASON_DAYS = 77
SIX_SPORTS = ("soccer", "basketball", "gaa_football", "swimming", "camogie", "athletics")
_SQUAD_WORDS = " of the development programme for girls and boys who train with us on the home pitch" * 4
_NOTE_WORDS = " We talked it through after the session and will look at it again next week together." * 4


@dataclass(frozen=True, slots=True)
class Size:
    """How large a workload is; `mixed`: each player has two coaches, of different tones."""

    insights: int
    players: int
    coaches: int
    organizations: int = 1
    sports: tuple[str, ...] = SIX_SPORTS[:3]
    mixed: bool = False


def write_workload(folder: Path, size: Size, prompts: str) -> None:
    """Write the files of a season: the same arguments give the same bytes."""
    folder.mkdir(parents=True)
    fixed = prompts == REFERENCE_SET
    of_clubs = clubs(size.organizations)
    of_coaches = _toned(coaches(size.coaches, of_clubs, size.sports))
    of_players = players(size.players, of_coaches, _rng("players"))
    registered = player_rows(of_players, _rng("register"))
    _write(folder / "organizations.jsonl", club_rows(of_clubs))
    _write(folder / "coaches.jsonl", coach_rows(of_coaches))
    _write(folder / "players.jsonl", (_fixed_player(row) if fixed else row for row in registered))
    _write(folder / "insights.jsonl", _insights(size, of_coaches, of_players, fixed=fixed))


def _toned(of: Sequence[Coach]) -> list[Coach]:
    """Give every coach one id and a plain profile; tones go round within each sport."""
    seen: Counter[str] = Counter()
    toned = []
    for coach in of:
        tone = tuple(Tone)[seen[coach.sport] % len(Tone)]
        seen[coach.sport] += 1
        toned.append(replace(coach, ids=coach.ids[:1], profile={"tone": tone.value, "weight": 1}))
    return toned


def _fixed_player(row: Row) -> Row:
    """Return a player whose part of the prompt has its fixed length, without a last name to be taken out."""
    fixed = {name: row[name] for name in ("id", "organization_id", "first_name", "sport")}
    fixed |= {"age_group": row.get("age_group", "u12"), "position": row.get("position", "all-round")}
    team = row.get("team", "U12 squad")
    bare = player_text(PlayerFacts(row["first_name"], fixed["age_group"], team, fixed["position"]))
    return fixed | {"team": team + _SQUAD_WORDS[: PLAYER_CHARACTERS - len(bare)]}


def _insights(size: Size, of: Sequence[Coach], of_players: Sequence[Player], *, fixed: bool) -> Iterator[Row]:
    rng = _rng("insights")
    writers = {sport: NoteWriter(sport, rng) for sport in size.sports}
    second = _second_coaches(of) if size.mixed else {}
    step = timedelta(days=SEASON_DAYS) / size.insights
    for n in range(size.insights):
        player = rng.choice(of_players)
        note = writers[player.coach.sport].write(player.first_name, player.pronoun)
        coach = rng.choice([player.coach, second[player.coach.ids]]) if size.mixed else player.coach
        yield {
            "id": f"insight-{n + 1:06}",
            "organization_id": coach.club.id,
            "coach_id": coach.ids[0],
            "player_id": player.id,
            "title": note.title,
            "description": _fixed_note(note.title, note.text) if fixed else note.text,
            "category": note.gist.category,
            "created_at": (SEASON_BEGINS + step * (n + rng.random())).isoformat(),
        }


def _second_coaches(of: Sequence[Coach]) -> dict[tuple[str, ...], Coach]:
    """Name for each coach another of the same club and sport, with another tone."""
    beside: dict[tuple[str, str], list[Coach]] = defaultdict(list)
    for coach in of:
        beside[coach.club.id, coach.sport].append(coach)
    return {
        coach.ids: next(
            other
            for other in beside[coach.club.id, coach.sport]
            if other.profile["tone"] != coach.profile["tone"]
        )
        for coach in of
    }


def _fixed_note(title: str, text: str) -> str:
    """Cut or pad a note so that its part of the prompt has its fixed length, escapes included."""
    padded = text + _NOTE_WORDS
    cut = padded[: NOTE_CHARACTERS - len(note_text(title, padded))]  # a negative end: so many fewer
    return cut + "." * (NOTE_CHARACTERS - len(note_text(title, cut)))


def _rng(purpose: str) -> Random:
    return Random(f"{SEED} {purpose}")


def _write(path: Path, rows: Iterable[Row]) -> None:
    with path.open("w", encoding="utf-8", newline="\n") as file:
        file.writelines(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
