"""Where usage is read from: one moment, one organisation where it is one's, rollups where they hold."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from decimal import Decimal
from typing import Any

import sqlalchemy as sa

from core.day_range import DayRange, Sources, sources_of
from core.local_days import utc_midnight
from core.pricing import price_version, prices_at, prompt_size_bounds
from core.usage import Usage
from database.roles import read_only_for
from tasks.listing import USAGE, snapshot

EVERYBODY: dict[str, str | None] = {"organization_id": None, "coach_id": None, "player_id": None}


@contextmanager
def reading_for(engine: sa.Engine, organization_id: str) -> Iterator[sa.Connection]:
    """Give a connection that reads one organisation's rows and no others, all as of one moment.

    Raises NotReady when the database's user may not read so.
    """
    with snapshot(engine) as connection:
        read_only_for(connection, organization_id)
        yield connection


def asked_of(connection: sa.Connection, days: DayRange, **whose: str) -> dict[str, Any]:
    """Return the parameters of the queries on usage: the range, whose it is, and where it is read from."""
    sources = _sources(connection, days)
    return {
        **EVERYBODY,
        **whose,
        "from_day": days.from_day,
        "to_day": days.to_day,
        "day_starts": days.starts,
        "clean_days": sources.clean_days,
        "begins_at": sources.begins_at,
        "ends_at": sources.ends_at,
        "first_at": sources.begins_at[0] if sources.begins_at else days.starts[0],
        "last_at": sources.ends_at[-1] if sources.ends_at else days.starts[0],
    }


def _sources(connection: sa.Connection, days: DayRange) -> Sources:
    if not days.utc_days:
        return Sources([], [], [])
    within = {
        "first_day": days.utc_days[0],
        "last_day": days.utc_days[-1],
        "price_version": price_version(),
    }
    return sources_of(days, set(connection.execute(USAGE["dirty_days"], within).scalars()))


def saved_usd(connection: sa.Connection, asked: Mapping[str, Any]) -> Decimal:
    """Return what caching saved in the dirty intervals: the full live price of answers, less their cost."""
    if not asked["begins_at"]:
        return Decimal(0)
    size_starts = [bound + 1 for bound in prompt_size_bounds()]
    rows = connection.execute(USAGE["priced_alike"], {**asked, "size_starts": size_starts})
    return sum(map(saved_by, rows), Decimal(0))


def saved_by(row: sa.Row[Any]) -> Decimal:
    """Return what calls that share one price list saved."""
    prices = prices_at(
        row.model, utc_midnight(row.utc_day), row.prompt_tokens, inference_geo=row.inference_geo
    )
    usage = Usage(int(row.total_input_tokens), output_tokens=int(row.output_tokens))
    saved: Decimal = prices.cost_uncached(usage) - row.cost_usd
    return saved
