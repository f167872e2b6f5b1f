"""What must be true of the staged rollups before they are published: said here, checked elsewhere."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum

from core.states import InsightState, Lane, OutcomeSubject, ServiceTier, SummaryState


@dataclass(frozen=True, slots=True)
class NotNull:
    """Every row has a value in this column."""

    column: str


@dataclass(frozen=True, slots=True)
class NotNegative:
    """No value is below zero."""

    column: str


@dataclass(frozen=True, slots=True)
class Unique:
    """No two rows have the same values in all of these columns."""

    columns: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class OneOf:
    """No row has another value; with `where`, no row that has this value in that column."""

    column: str
    values: tuple[str, ...]
    where: tuple[str, str] | None = None


@dataclass(frozen=True, slots=True)
class NoRows:
    """A query of `quality_check.sql`, which selects what is wrong, selects nothing."""

    query: str


Claim = NotNull | NotNegative | Unique | OneOf | NoRows


@dataclass(frozen=True, slots=True)
class Check:
    """What must hold of a staged table; when it is critical and does not, nothing is published."""

    name: str
    claim: Claim
    critical: bool = True


BY_CALL = ("operation", "model", "lane", "service_tier")
KEYS: Mapping[str, tuple[str, ...]] = {
    "staged_organization_day": ("utc_day", "organization_id", "local_day", *BY_CALL),
    "staged_coach_day": ("utc_day", "organization_id", "coach_id", "local_day"),
    "staged_player_day": ("utc_day", "organization_id", "player_id", "local_day"),
    "staged_platform_day": ("utc_day", *BY_CALL),
    "staged_outcome_day": ("utc_day", "organization_id", "local_day", "subject", "state", "decision"),
    "staged_ledger_day": ("utc_day",),
}
CLOSED: Mapping[str, type[StrEnum]] = {"lane": Lane, "service_tier": ServiceTier, "subject": OutcomeSubject}


def _key(table: str) -> Iterable[Check]:
    """What the published table would refuse, with an error that shows no rows."""
    for column in KEYS[table]:
        yield Check(f"{column} is never null", NotNull(column))
        if column in CLOSED:
            yield Check(f"{column} is a known one", OneOf(column, tuple(CLOSED[column])))
    yield Check("the key is unique", Unique(KEYS[table]))


USAGE = (
    Check("no figure is missing", NoRows("figure_missing")),
    Check("no count is negative", NoRows("count_negative")),
    Check("only adjustments make a cost negative", NoRows("cost_negative")),
    Check("hit rates are within 0..1", NoRows("hit_rate_impossible")),
    Check("the days are those of the ledger", NoRows("days_differ")),
    Check("every figure of every day equals the ledger's to the last digit", NoRows("figures_differ")),
)
OF_CLUBS = (
    Check("every organisation is known", NoRows("organization_unknown")),
    Check("a local day is at most one day from its UTC day", NoRows("local_day_far")),
)
VOLUME = Check(
    "a past day has half to twice the attempts of this weekday in the four weeks before",
    NoRows("volume_unusual"),
    critical=False,
)
OUTCOMES = (
    Check("number is never null", NotNull("number")),
    Check("number is not negative", NotNegative("number")),
    Check(
        "an insight's state is a known one",
        OneOf("state", tuple(InsightState), where=("subject", OutcomeSubject.INSIGHT)),
    ),
    Check(
        "a summary's state is a known one",
        OneOf("state", tuple(SummaryState), where=("subject", OutcomeSubject.SUMMARY)),
    ),
    Check("the days are those that the run has taken", NoRows("days_not_taken")),
)
LEDGER = (
    Check("the run has taken days", NoRows("nothing_taken")),
    Check("no day has lost ledger rows since it was published", NoRows("ledger_shrunk")),
)
PRICES = (
    Check("every cost is what the price list says", NoRows("price_wrong")),
    Check(
        "what another price list priced costs the same by this one",
        NoRows("price_of_another_list"),
        critical=False,
    ),
)
EXPECTATIONS: Mapping[str, tuple[Check, ...]] = {
    "staged_organization_day": (*_key("staged_organization_day"), *USAGE, *OF_CLUBS),
    "staged_coach_day": (*_key("staged_coach_day"), *USAGE, *OF_CLUBS),
    "staged_player_day": (*_key("staged_player_day"), *USAGE, *OF_CLUBS),
    "staged_platform_day": (*_key("staged_platform_day"), *USAGE, VOLUME),
    "staged_outcome_day": (*_key("staged_outcome_day"), *OUTCOMES, *OF_CLUBS),
    "staged_ledger_day": (*_key("staged_ledger_day"), *LEDGER),
    "staged_price_gap": PRICES,
}
