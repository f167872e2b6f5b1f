"""What is asked after the sessions of one day: calls, their attempts, when, and what became of them."""

from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import numpy as np

from benchmarks.rollup.league import SEED, ZONES, League, Numbers, Truths
from core.states import Outcome

ROWS, DAYS = 5_000_000, 400
TODAY = date(2026, 11, 28)
NOW = datetime(2026, 11, 28, 6, tzinfo=UTC)  # after the sessions of yesterday, and after the night

MICROSECOND = timedelta(microseconds=1)
MILLISECOND, SECOND = 1_000, 1_000_000  # microseconds
MINUTE, HOUR, DAY = 60 * SECOND, 3_600 * SECOND, 86_400 * SECOND
NIGHT_BEGINS = 2 * HOUR  # UTC; for all clubs at once
MODELS = ("claude-haiku-5-5", "claude-haiku-4-5", "claude-sonnet-5-5")
FALLBACK_SHARE = 0.06
OPERATIONS = ("parent_summary", "evaluation", "session_plan", "progress_report")
OPERATION_SHARES = (0.94, 0.01, 0.03, 0.02)
SECOND_CALLS = 0.05  # of a day's calls are for a player who has one already
TRIES = (0.97, 0.024, 0.006)  # calls of one, two, three attempts
NEXT_NIGHT_SHARE = 0.3
LATE_SHARE, LATE_DAYS = 0.0305, 3.0
ADJUSTMENT_SHARE = 0.0002

OUTCOMES = tuple(Outcome)
LAST = {
    Outcome.SUCCEEDED: 0.991,
    Outcome.UNUSABLE: 0.003,
    Outcome.REFUSED: 0.002,
    Outcome.LOST: 0.003,
    Outcome.SENT: 0.001,
}
EARLIER_LIVE = {Outcome.REJECTED: 0.6, Outcome.UNUSABLE: 0.3, Outcome.LOST: 0.1}
EARLIER_OVERNIGHT = {Outcome.EXPIRED: 0.45, Outcome.CANCELED: 0.05, Outcome.UNUSABLE: 0.5}


@dataclass(frozen=True, slots=True)
class Calls:
    """The calls of a day, in no order."""

    player: Numbers
    team: Numbers
    overnight: Truths
    model: Numbers  # of MODELS
    operation: Numbers  # of OPERATIONS
    sent_at: Numbers  # microseconds since 1970


@dataclass(frozen=True, slots=True)
class Attempts:
    """The attempts of a day's calls; columns of the ledger, by row."""

    call: Numbers  # its number among the day's calls
    outcome: Numbers  # of OUTCOMES
    occurred_at: Numbers
    recorded_at: Numbers


def schedule(of: League, rows: int) -> list[tuple[date, int]]:
    """Return the days with sessions, oldest first, and how many ledger rows each has.

    As many days up to yesterday as it takes: with a tenth of the rows, the last tenth of the same history.
    """
    by_weekday = [len(of.candidates(weekday)) for weekday in range(7)]
    whole = [TODAY - timedelta(days=n) for n in range(1, DAYS + 1)]
    share = ROWS / sum(by_weekday[day.weekday()] for day in whole)
    days: list[tuple[date, int]] = []
    players, done, day = 0, 0, TODAY
    while done < rows:
        day -= timedelta(days=1)
        players += by_weekday[day.weekday()]
        until = min(rows, round(share * players))
        days.append((day, until - done))
        done = until
    return days[::-1]


def dice_of(day: date) -> np.random.Generator:
    """Return the dice of a day, so that each day is the same in every history."""
    return np.random.default_rng((SEED, day.toordinal()))


def calls_of(of: League, day: date, rows: int, dice: np.random.Generator) -> Calls:
    """Return more calls than it takes for so many attempts."""
    candidates = of.candidates(day.weekday())
    firsts = dice.permutation(candidates)[: round(rows * (1 - SECOND_CALLS))]
    player = dice.permutation(np.concatenate((firsts, dice.choice(candidates, rows - len(firsts)))))
    team = of.player_team[player]
    club = of.team_club[team]
    overnight = of.club_overnight[club]
    ended_at = _local_midnights(day)[club % len(ZONES)] + of.team_ends[team] * MINUTE
    live_at = ended_at + (np.minimum(dice.exponential(25, rows), 180) * MINUTE).astype(np.int64)
    night_at = -(-(ended_at - NIGHT_BEGINS) // DAY) * DAY + NIGHT_BEGINS + dice.integers(0, 40 * MINUTE, rows)
    model = np.where(of.club_sonnet[club], 2, 0)
    return Calls(
        player=player,
        team=team,
        overnight=overnight,
        model=np.where(dice.random(rows) < FALLBACK_SHARE, 1, model),
        operation=dice.choice(len(OPERATIONS), rows, p=OPERATION_SHARES),
        sent_at=np.where(overnight, night_at, live_at),
    )


def attempts_of(calls: Calls, rows: int, dice: np.random.Generator) -> Attempts:
    """Return exactly so many attempts, in the order in which they were recorded."""
    tries = dice.choice((1, 2, 3), len(calls.player), p=TRIES)
    call = np.repeat(np.arange(len(tries)), tries)[:rows]
    number = np.arange(rows) - np.repeat(np.cumsum(tries) - tries, tries)[:rows]
    overnight = calls.overnight[call]
    occurred_at = calls.sent_at[call] + number * _pauses(calls, dice)[call]
    answered_at = occurred_at + np.where(
        overnight, dice.integers(10 * MINUTE, HOUR, rows), dice.integers(SECOND, 6 * SECOND, rows)
    )
    late_at = occurred_at + DAY + (dice.exponential(LATE_DAYS, rows) * DAY).astype(np.int64)
    is_late = (dice.random(rows) < LATE_SHARE) & (late_at < microseconds(NOW))
    recorded_at = np.where(is_late, late_at, answered_at)
    order = np.argsort(recorded_at, kind="stable")
    outcome = _outcomes(number, tries[call], overnight, dice)
    return Attempts(call[order], outcome[order], occurred_at[order], recorded_at[order])


def _pauses(calls: Calls, dice: np.random.Generator) -> Numbers:
    """How long each call waits before it is tried again: some items of a night only in the next one."""
    many = len(calls.player)
    next_night = (dice.random(many) < NEXT_NIGHT_SHARE) & (calls.sent_at + 2 * DAY + HOUR < microseconds(NOW))
    night = np.where(next_night, DAY, 25 * MINUTE)
    return np.where(calls.overnight, night, dice.integers(2 * SECOND, 20 * SECOND, many))


def microseconds(at: datetime) -> int:
    """Return an instant as microseconds since 1970."""
    return (at - datetime(1970, 1, 1, tzinfo=UTC)) // MICROSECOND


def _outcomes(number: Numbers, tries: Numbers, overnight: Truths, dice: np.random.Generator) -> Numbers:
    rows = len(number)
    earlier = np.where(overnight, _thrown(EARLIER_OVERNIGHT, rows, dice), _thrown(EARLIER_LIVE, rows, dice))
    outcome = np.where(number + 1 == tries, _thrown(LAST, rows, dice), earlier)
    adjusts = (tries == 1) & (dice.random(rows) < ADJUSTMENT_SHARE)
    return np.where(adjusts, OUTCOMES.index(Outcome.ADJUSTMENT), outcome)


def _thrown(shares: dict[Outcome, float], rows: int, dice: np.random.Generator) -> Numbers:
    numbers = [OUTCOMES.index(outcome) for outcome in shares]
    return dice.choice(numbers, rows, p=list(shares.values()))


def _local_midnights(day: date) -> Numbers:
    """When a day begins in each zone, by the clock of its evening."""
    evenings = [datetime.combine(day, time(20), ZoneInfo(zone)) for zone in ZONES]
    return np.array([microseconds(evening) - 20 * HOUR for evening in evenings])
