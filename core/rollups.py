"""What a rollup needs to know beside the ledger's rows, and what a run of it comes to."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from itertools import pairwise
from typing import Any, NamedTuple

from core.errors import BadInput, BooksDisagree
from core.local_days import utc_midnight
from core.names import count
from core.pricing import ClassPrices, prices_at, prompt_size_bounds
from core.quality import QualityReport
from core.states import ServiceTier

FIRST_DAY, LAST_DAY = date(2000, 1, 1), date(2199, 12, 31)  # beyond them a day is a slip of the pen
TOKENS_MAX = 2**31 - 1  # the ledger's integers end here
PICODOLLARS = 6  # decimal places from USD per million tokens to 1e-12 USD per token (core.pricing.PRICE_STEP)


class PricedAlike(NamedTuple):
    """What decides the price list of a call, but for the size of its prompt."""

    utc_day: date
    model: str
    service_tier: str
    inference_geo: str


@dataclass(frozen=True, slots=True)
class Taken:
    """The days that a run has staged, as its snapshot saw them.

    `marks` are the rows of `rollup_dirty_day` on these days, `published` the runs that had published them.
    """

    days: tuple[date, ...]
    marks: tuple[Mapping[str, Any], ...] = ()
    published: Mapping[date, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class RollupReport:
    """What a run of the rollup came to; `rows` were published. Without days nothing was to be done."""

    run_id: str
    days: tuple[date, ...] = ()
    rows: int = 0
    checks: QualityReport = field(default_factory=QualityReport)
    published: bool = False

    def to_json(self) -> dict[str, Any]:
        """Return it as the interfaces have it, with the checks that did not hold."""
        return {
            "run_id": self.run_id,
            "days": [day.isoformat() for day in self.days],
            "rows": self.rows,
            "checks": self.checks.to_json(),
            "published": self.published,
        }

    def sentence(self) -> str:
        """Say in one line what happened."""
        if not self.days:
            return "No day is marked: every rollup tells what the ledger says"
        days = f"{len(self.days)} {'day' if len(self.days) == 1 else 'days'} ({days_in_words(self.days)})"
        if not self.published:
            return f"{days} not published: {self.checks.failed} of the checks failed"
        warned = f", {self.checks.warned} warned" if self.checks.warned else ""
        return f"{days} published, {self.rows:,} rows; {self.checks.passed} checks passed{warned}"

    @property
    def refused(self) -> bool:
        """True when the checks kept it from being published."""
        return bool(self.days) and not self.published

    def name(self) -> str:
        """Name the run by what it published, or by why it did not."""
        if not self.days:
            return "nothing marked"
        days, checks = count(len(self.days), "day"), count(len(self.checks.outcomes), "check")
        if self.refused:
            return f"REFUSED: {self.checks.failed} of {checks} failed ({days})"
        warned = f", {self.checks.warned} warned" if self.checks.warned else ""
        return f"{days}, {count(self.rows, 'row')}, {checks}{warned}"


class RollupRefused(BooksDisagree):
    """The checks do not hold: nothing was published, and the days stay marked."""

    def __init__(self, report: RollupReport) -> None:
        super().__init__(
            f"{report.sentence()}. Nothing was published and the days stay marked; the failing rows are in "
            "the artifact `rollup-run` and in table quality_check. Mend their cause, then: touchline rollup"
        )
        self.report = report


def days_in_words(days: Iterable[date]) -> str:
    """Return days as ranges: 2026-03-01 to 2026-03-04, 2026-03-09."""
    spans: list[tuple[date, date]] = []
    for day in sorted(days):
        if spans and (day - spans[-1][1]).days == 1:
            spans[-1] = (spans[-1][0], day)
        else:
            spans.append((day, day))
    return ", ".join(f"{first}" if first == last else f"{first} to {last}" for first, last in spans)


def price_rows(alike: Iterable[PricedAlike]) -> Iterator[dict[str, Any]]:
    """Give the price lists of these calls, one row for each size of prompt that may have another price.

    Prices are whole picodollars (1e-12 USD) a token: each class by the call's own list, and `live_input` and
    `live_output` at the full price of a live call. What no list has a price for gets no row.
    """
    bounds = (-1, *prompt_size_bounds(), TOKENS_MAX)
    for one in alike:
        for over, to in pairwise(bounds):
            try:
                own = _prices(one, to, one.service_tier)
                live = _prices(one, to, ServiceTier.STANDARD)
            except BadInput:
                break  # an unknown model, tier or geography: the checks show its rows
            yield {
                **one._asdict(),
                "utc_day": one.utc_day.isoformat(),
                "tokens_over": over,
                "tokens_to": to,
                **{name: _picodollars(own, name) for name in ClassPrices.__annotations__},
                "live_input": _picodollars(live, "input"),
                "live_output": _picodollars(live, "output"),
            }


def _prices(one: PricedAlike, prompt_tokens: int, tier: str) -> ClassPrices:
    return prices_at(one.model, utc_midnight(one.utc_day), prompt_tokens, tier, one.inference_geo)


def _picodollars(prices: ClassPrices, name: str) -> int:
    price = getattr(prices, name).scaleb(PICODOLLARS)
    assert price == int(price), "core.pricing lets no finer price through"
    return int(price)


def check_asked(days: Sequence[date] | None, *, rebuild: bool) -> None:
    """Raise BadInput when it is not clear which days are meant, or one is no day of a ledger."""
    if rebuild and days:
        raise BadInput("A rebuild takes all days: give --rebuild, or days, but not both.")
    for day in days or ():
        if not FIRST_DAY <= day <= LAST_DAY:
            raise BadInput(f"{day} is no day of a ledger; give UTC days from {FIRST_DAY} to {LAST_DAY}.")
