"""Who is in a season: clubs, coaches, players and guardians, dealt from `material/people.toml`."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from random import Random
from typing import Any
from zoneinfo import ZoneInfo

from examples.notes import plays, read

Row = dict[str, Any]  # one line of a season file

SEASON_YEAR = 2026
_SQUAD_AGES = (12, 14, 10, 13, 16, 11, 15, 9)
_COLOURS = ("", " Blue", " White", " Gold")


@dataclass(frozen=True, slots=True)
class Club:
    id: str
    name: str
    zone: ZoneInfo


@dataclass(frozen=True, slots=True)
class Coach:
    """A coach and the one squad the coach has."""

    ids: tuple[str, ...]  # an insight may name any of them
    name: str
    club: Club
    sport: str
    age: int  # the N of the squad's uN
    team: str
    profile: Row


@dataclass(frozen=True, slots=True)
class Player:
    id: str
    first_name: str
    pronoun: str
    coach: Coach


def clubs(count: int) -> list[Club]:
    """Return clubs in turn from the material; past its end their names are numbered."""
    known = read("people")["organizations"]
    return [
        Club(f"club-{n + 1:02}", _numbered(known[n % len(known)]["name"], n // len(known)), _zone(known, n))
        for n in range(count)
    ]


def coaches(count: int, of: Sequence[Club], sports: Sequence[str]) -> list[Coach]:
    """Deal coaches to clubs in turn, and sports to them club by club: enough coaches have every sport."""
    each = -(-count // len(of))
    return [
        _coach(n, of[n % len(of)], sports[(n % len(of) * each + n // len(of)) % len(sports)])
        for n in range(count)
    ]


def _coach(n: int, club: Club, sport: str) -> Coach:
    known = read("people")
    profile = known["profiles"][n % len(known["profiles"])]
    age = _SQUAD_AGES[n % len(_SQUAD_AGES)]
    colour = _COLOURS[n // len(_SQUAD_AGES) % len(_COLOURS)]
    own_id = f"coach-{n + 1:03}"
    return Coach(
        ids=(own_id, f"user-{n + 1:03}") if profile.get("own_user_id") else (own_id,),
        name=_numbered(known["coach_names"][n % len(known["coach_names"])], n // len(known["coach_names"])),
        club=club,
        sport=sport,
        age=age,
        team=f"U{age} {read(f'sports/{sport}')['squad']}{colour}",
        profile=profile,
    )


def club_rows(of: Sequence[Club]) -> Iterator[Row]:
    for club in of:
        yield {"id": club.id, "name": club.name, "timezone": club.zone.key}


def coach_rows(of: Sequence[Coach]) -> Iterator[Row]:
    """Yield coaches as the upstream app has them: what a profile leaves out is left to the defaults."""
    for coach in of:
        settings = {k: v for k, v in coach.profile.items() if k not in ("weight", "own_user_id")}
        yield {
            "id": coach.ids[0],
            "user_id": coach.ids[1] if len(coach.ids) > 1 else None,
            "organization_id": coach.club.id,
            "name": coach.name,
            **settings,
        }


def players(count: int, of: Sequence[Coach], rng: Random) -> list[Player]:
    """Deal players to coaches in rounds, each coach as often a round as the profile's weight says."""
    names = read("people")["first_names"]
    places = [coach for coach in of for _ in range(coach.profile["weight"])]
    dealt: list[Player] = []
    while len(dealt) < count:
        rng.shuffle(places)
        for coach in places[: count - len(dealt)]:
            first_name, pronoun = rng.choice([name for name in names if plays(name[1], coach.sport)])
            dealt.append(Player(f"player-{len(dealt) + 1:05}", first_name, pronoun, coach))
    return dealt


def player_rows(of: Sequence[Player], rng: Random) -> Iterator[Row]:
    """Yield players with the gaps that real registers have."""
    last_names = read("people")["last_names"]
    for player in of:
        coach = player.coach
        facts: list[tuple[str, Any, float]] = [
            ("last_name", rng.choice(last_names), 0.9),
            ("date_of_birth", _born(coach.age, rng).isoformat(), 0.85),
            ("age_group", f"u{coach.age}", 0.8),
            ("team", coach.team, 0.9),
            ("position", rng.choice(read(f"sports/{coach.sport}")["positions"]), 0.75),
        ]
        kept = {name: value for name, value, share in facts if rng.random() < share}
        own = {"id": player.id, "organization_id": coach.club.id, "first_name": player.first_name}
        yield {**own, "sport": coach.sport, **kept}


def guardian_rows(of: Sequence[Player], rng: Random) -> Iterator[Row]:
    """Yield one or two guardians for most players, in every state of the link."""
    known, serial = read("people"), 0
    for player in of:
        for _ in range(rng.choice((0, 1, 1, 1, 2))):
            serial += 1
            status = rng.choice(("active", "active", "active", "pending", "declined"))
            yield {
                "id": f"guardian-{serial:05}",
                "player_id": player.id,
                "name": f"{rng.choice(known['first_names'])[0]} {rng.choice(known['last_names'])}",
                "email": f"guardian{serial}@example.org",
                "status": status,
                "consented": status == "active" and rng.random() < 0.9,
                "parental_responsibility": rng.random() < 0.9,
            }


def _born(age: int, rng: Random) -> date:
    """Return a birthday in the squad's year or the year after it: some play a year up."""
    return date(SEASON_YEAR - age + rng.choice((0, 0, 0, 1)), 1, 1) + timedelta(days=rng.randrange(365))


def _numbered(name: str, round_: int) -> str:
    return f"{name} {round_ + 1}" if round_ else name


def _zone(known: Sequence[Row], n: int) -> ZoneInfo:
    return ZoneInfo(known[n % len(known)]["timezone"])
