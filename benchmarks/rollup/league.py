"""Who there is: clubs of very different sizes in many time zones, their coaches, and each coach's players."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from core.prompt import sports, texts_of
from core.states import Tone

Numbers = npt.NDArray[np.int64]
Truths = npt.NDArray[np.bool_]

SEED = 2026
CLUBS, PLAYERS, LARGEST = 200, 60_000, 6_000
SKEW = 1.08  # sizes fall like 1 / (rank + SKEW): the largest then has a tenth of all players by itself
TEAM_SIZES = (15, 20)
ZONES = (
    "Europe/Dublin",
    "America/New_York",
    "Europe/London",
    "Asia/Kolkata",
    "Pacific/Auckland",
    "America/St_Johns",
    "Australia/Sydney",
    "UTC",
)
CLUB_TRAINS = (0.7, 1.0, 0.9, 1.0, 0.6, 0.9, 0.5)  # from Monday on: how likely a club uses the day
EVENINGS_A_WEEK = (0.4, 0.45, 0.15)  # of a team: one, two, three
ENDS_MINUTES = (17 * 60 + 45, 20 * 60 + 45)  # local time
SONNET_SHARE, OVERNIGHT_SHARE = 0.04, 0.4  # of all clubs
TONES = (Tone.WARM, Tone.WARM, Tone.PROFESSIONAL, Tone.BRIEF)
NAMES = ("Aoife", "Saoirse", "Niamh", "Clodagh", "Róisín", "Éabha", "Grace", "Orla")


@dataclass(frozen=True, slots=True)
class League:
    """Everybody, by number: clubs, teams and players count from 0, the largest club first.

    A team is what one coach trains; its players are numbered in a row.
    """

    club_overnight: Truths
    club_sonnet: Truths
    team_club: Numbers
    team_trains: Truths  # by weekday, Monday first
    team_ends: Numbers  # minutes after local midnight
    team_first: Numbers  # the number of its first player, and at the end that of all players
    team_read_tokens: Numbers  # how long the shared front of its prompts is
    player_team: Numbers

    def candidates(self, weekday: int) -> Numbers:
        """Return the players whose teams train on a weekday."""
        found: Numbers = np.flatnonzero(self.team_trains[self.player_team, weekday])
        return found

    def zone(self, club: int) -> str:
        """Name the time zone of a club."""
        return ZONES[club % len(ZONES)]


def league() -> League:
    """Return the league, always the same."""
    dice = np.random.default_rng(SEED)
    team_club, team_size = _teams(dice)
    teams = len(team_club)
    sonnet = dice.random(CLUBS) < SONNET_SHARE
    sonnet[0] = False
    return League(
        club_overnight=dice.random(CLUBS) < OVERNIGHT_SHARE,
        club_sonnet=sonnet,
        team_club=team_club,
        team_trains=_weekdays(dice, team_club),
        team_ends=dice.integers(*ENDS_MINUTES, teams, endpoint=True),
        team_first=np.concatenate(([0], np.cumsum(team_size))),
        team_read_tokens=dice.integers(4_000, 5_800, teams),
        player_team=np.repeat(np.arange(teams), team_size),
    )


def club_id(number: int) -> str:
    """Return the id of a club."""
    return f"club-{number + 1:03}"


def coach_id(team: int) -> str:
    """Return the id of the coach of a team."""
    return f"coach-{team + 1:05}"


def player_id(number: int) -> str:
    """Return the id of a player."""
    return f"player-{number + 1:06}"


def sport_and_tone(team: int) -> tuple[str, Tone]:
    """Return what a team plays, and how its coach writes."""
    codes = sports()
    return codes[team % len(codes)], TONES[team % len(TONES)]


def prompt_version(team: int) -> str:
    """Return the version of the prompt that the summaries of a team are asked with."""
    return texts_of(*sport_and_tone(team)).version


def organization_rows(of: League) -> Iterator[tuple[Any, ...]]:
    """Give `organization (id, name, timezone)`."""
    return ((club_id(n), f"Club {n + 1}", of.zone(n)) for n in range(CLUBS))


def coach_rows(of: League) -> Iterator[tuple[Any, ...]]:
    """Give `coach (id, auth_id, organization_id, name, tone, ...)`: the switches on, no history."""
    for team, club in enumerate(of.team_club.tolist()):
        named = (coach_id(team), f"auth-{team + 1:05}", club_id(club), f"Coach {team + 1}")
        yield (*named, sport_and_tone(team)[1].value, True, False, 0, 0)


def player_rows(of: League) -> Iterator[tuple[Any, ...]]:
    """Give `player (id, organization_id, first_name, sport)`."""
    for player, team in enumerate(of.player_team.tolist()):
        club = club_id(int(of.team_club[team]))
        yield (player_id(player), club, NAMES[player % len(NAMES)], sport_and_tone(team)[0])


def _teams(dice: np.random.Generator) -> tuple[Numbers, Numbers]:
    """The club and the size of each team."""
    others = 1 / (np.arange(1, CLUBS) + 1 + SKEW)
    bounds = np.round(np.cumsum(others) / others.sum() * (PLAYERS - LARGEST)).astype(np.int64)
    clubs, sizes = [], []
    for club, size in enumerate([LARGEST, *np.diff(bounds, prepend=0).tolist()]):
        teams = max(1, round(size / dice.integers(*TEAM_SIZES, endpoint=True)))
        clubs += [club] * teams
        sizes += [size // teams + (n < size % teams) for n in range(teams)]
    return np.array(clubs, np.int64), np.array(sizes, np.int64)


def _weekdays(dice: np.random.Generator, team_club: Numbers) -> Truths:
    """On which days each team trains: one to three of those that its club uses."""
    likely = np.array(CLUB_TRAINS)
    club_uses = dice.random((CLUBS, 7)) < likely
    club_uses[:, [1, 3]] = True
    trains = np.zeros((len(team_club), 7), np.bool_)
    for team, club in enumerate(team_club.tolist()):
        shares = likely * club_uses[club]
        used = int(np.count_nonzero(shares))
        evenings = min(used, int(dice.choice((1, 2, 3), p=EVENINGS_A_WEEK)))
        trains[team, dice.choice(7, evenings, replace=False, p=shares / shares.sum())] = True
    return trains
