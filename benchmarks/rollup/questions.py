"""What is asked, of whom, and what everybody who answers is given beforehand: names, and full prices."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from itertools import groupby
from typing import Any, NamedTuple

from benchmarks.rollup.evenings import MODELS, TODAY
from benchmarks.rollup.league import club_id, coach_id, league
from benchmarks.rollup.lines import GEOGRAPHIES
from core.day_range import DayRange
from core.local_days import utc_midnight, zone_named
from core.pricing import prices_at, prompt_size_bounds
from core.usage_report import Parts, Sums, organization_report, platform_report
from tasks.analytics import TOP, TOP_ORGANIZATIONS

LARGEST = 0  # the number of the largest club
MONTH, YEAR = timedelta(days=30), timedelta(days=365)
TOMORROW = TODAY + timedelta(days=1)  # ranges end before it
PRICED = ("succeeded", "unusable", "refused")  # what may have been answered, and paid
DIGITS = 12  # of money; prices are whole 1e-12 USD a token
RATE_DIGITS = 6
COUNTS = (
    "calls",
    "attempts",
    "adjustments",
    "input_tokens",
    "cache_read_tokens",
    "cache_write_5m_tokens",
    "cache_write_1h_tokens",
    "output_tokens",
    "hit_rates",
)

Usage = dict[str, Any]  # USAGE of the interfaces


class FullPrice(NamedTuple):
    """What a token costs live without caching, in 1e-12 USD, from one day up to another."""

    model: str
    inference_geo: str
    from_day: date
    to_day: date
    input: int
    output: int


@dataclass(frozen=True)
class Question:
    """Usage of one club by its local days, or of the platform by UTC days."""

    days: DayRange
    organization_id: str | None
    keys: tuple[str, ...]  # what it is broken down by; those that `tops` names only for the dearest
    tops: Mapping[str, int]
    names: Mapping[str, str]
    prices: tuple[FullPrice, ...]

    def answer(self, rows: Iterable[Sums]) -> Usage:
        """Shape sums, each with its `part` and `key`, as the interfaces have them."""
        named = [{**row, "name": self.names.get(row["key"], row["key"])} for row in rows]
        parts = Parts(named)
        if self.organization_id is not None:
            return organization_report(self.days, parts, Decimal(0))
        dearest = [(row["name"], row) for row in parts.dearest("organization_id")]
        return platform_report(self.days, parts, Decimal(0), dearest)


def organization_month() -> Question:
    """Thirty local days of the largest club, all breakdowns."""
    of = league()
    zone = zone_named(of.zone(LARGEST), club_id(LARGEST))
    names = {coach_id(team): f"Coach {team + 1}" for team in range(len(of.team_club))}
    return Question(
        days=DayRange(TOMORROW - MONTH, TOMORROW, zone),
        organization_id=club_id(LARGEST),
        keys=("operation", "model", "day", "coach_id", "player_id"),
        tops={"coach_id": TOP, "player_id": TOP},
        names=names,
        prices=tuple(full_prices(TOMORROW - MONTH, TOMORROW)),
    )


def platform_year() -> Question:
    """A year of everybody."""
    return Question(
        days=DayRange(TOMORROW - YEAR, TOMORROW),
        organization_id=None,
        keys=("operation", "model", "day", "organization_id"),
        tops={"organization_id": TOP_ORGANIZATIONS},
        names={club_id(number): f"Club {number + 1}" for number in range(len(set(league().team_club)))},
        prices=tuple(full_prices(TOMORROW - YEAR, TOMORROW)),
    )


def full_prices(from_day: date, to_day: date) -> Iterator[FullPrice]:
    """Give the full prices of UTC days and those beside them; no prompt here is so large that others hold."""
    days = [from_day + timedelta(days=n) for n in range(-1, (to_day - from_day).days + 1)]
    for model, geography in zip(MODELS, GEOGRAPHIES, strict=True):
        dated = ((day, _tokens_cost(model, geography, day)) for day in days)
        for prices, alike in groupby(dated, key=lambda one: one[1]):
            same: Sequence[tuple[date, tuple[int, int]]] = list(alike)
            yield FullPrice(model, geography, same[0][0], same[-1][0] + timedelta(days=1), *prices)


def _tokens_cost(model: str, geography: str, day: date) -> tuple[int, int]:
    size = min(prompt_size_bounds())
    prices = prices_at(model, utc_midnight(day), size, inference_geo=geography)
    return int(prices.input.scaleb(6)), int(prices.output.scaleb(6))
