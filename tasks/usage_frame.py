"""Usage as a pandas frame: every sum exact, for whoever wants to ask more than the reports answer."""

import json
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from datetime import date, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from core.day_range import DayRange, check_range
from core.errors import BadInput
from core.local_days import stretches, zone_named
from core.pricing import prompt_size_bounds
from models.usage_sums import COUNTS
from tasks.listing import USAGE, find_organization, snapshot
from tasks.usage_sources import asked_of, reading_for, saved_by

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa

KEYS = ("utc_day", "local_day", "organization_id", "operation", "model", "lane", "service_tier")
ROWS_AT_ONCE = 10_000


def read_usage(
    engine: sa.Engine,
    from_day: date,
    to_day: date,
    organization_id: str | None = None,
    by: Sequence[str] = KEYS,
) -> "pd.DataFrame":
    """Return usage as a frame with Arrow columns: a row for each of `by`, in their order.

    Of one organisation by its local days, else of all by UTC days. Money is decimal128(30, 12), the sum of
    the hit rates decimal128(20, 6); everything adds up, so ratios are made by whoever asks. `by` takes
    utc_day, local_day, organization_id, operation, model, lane and service_tier, or fewer of them.
    Raises BadInput for an unknown organisation or key, or days that are no range.
    """
    import pandas as pd
    import pyarrow as pa

    keys = _wanted(by)
    check_range(from_day, to_day)
    schema = _schema(keys)
    batches: list[pa.RecordBatch] = []
    for rows in _rows(engine, from_day, to_day, organization_id, keys):
        columns = {name: [row[name] for row in rows] for name in schema.names}
        batches.append(pa.RecordBatch.from_pydict(columns, schema))
    frame: pd.DataFrame = pa.Table.from_batches(batches, schema).to_pandas(types_mapper=pd.ArrowDtype)
    return frame


def _wanted(by: Sequence[str]) -> tuple[str, ...]:
    if unknown := [name for name in by if name not in KEYS]:
        raise BadInput(f"Usage is not kept by {', '.join(map(repr, unknown))}; it is by {', '.join(KEYS)}.")
    return tuple(name for name in KEYS if name in by)


def _schema(keys: Iterable[str]) -> "pa.Schema":
    import pyarrow as pa

    columns = [(key, pa.date32() if key.endswith("_day") else pa.string()) for key in keys]
    columns += [(name, pa.int64()) for name in COUNTS]
    columns += [("hit_rates_sum", pa.decimal128(20, 6))]
    columns += [(name, pa.decimal128(30, 12)) for name in ("cost_usd", "saved_usd")]
    return pa.schema(columns)


def _rows(
    engine: sa.Engine, from_day: date, to_day: date, organization_id: str | None, keys: Sequence[str]
) -> Iterator[list[dict[str, Any]]]:
    """The rows, some thousands at a time."""
    opened = snapshot(engine) if organization_id is None else reading_for(engine, organization_id)
    with opened as connection:
        asked = _asked(connection, from_day, to_day, organization_id) | {"by": list(keys)}
        saved = _saved_usd(connection, asked)
        streamed = {"yield_per": ROWS_AT_ONCE}
        found = connection.execute(USAGE["frame"], asked, execution_options=streamed).mappings()
        for part in found.partitions():
            rows = [dict(row) for row in part]
            for row in rows:
                row["saved_usd"] += saved.get(tuple(row[key] for key in KEYS), Decimal(0))
            yield rows


def _asked(
    connection: sa.Connection, from_day: date, to_day: date, organization_id: str | None
) -> dict[str, Any]:
    """The parameters of the frame's queries."""
    if organization_id is None:
        days = DayRange(from_day, to_day)
        asked = asked_of(connection, days)
        clubs = connection.execute(USAGE["time_zones"]).all()
    else:
        club = find_organization(connection, organization_id)
        days = DayRange(from_day, to_day, zone_named(club.timezone, organization_id))
        asked = asked_of(connection, days, organization_id=organization_id)
        clubs = [club]
    zones = {"UTC": zone_named("UTC", "the platform")}
    zones |= {club.timezone: zone_named(club.timezone, club.id) for club in clubs}
    clean = set(asked["clean_days"])
    dirty = [day for day in days.utc_days if day not in clean]
    cut = [stretch._asdict() for stretch in stretches(dirty, zones.values())]
    return asked | {"stretches": json.dumps(cut, default=_iso)}


def _iso(value: date | datetime) -> str:
    return value.isoformat()


def _saved_usd(connection: sa.Connection, asked: dict[str, Any]) -> dict[tuple[Any, ...], Decimal]:
    """What caching saved of the dirty days, for each row of the frame."""
    saved: defaultdict[tuple[Any, ...], Decimal] = defaultdict(Decimal)
    if asked["begins_at"]:
        size_starts = [bound + 1 for bound in prompt_size_bounds()]
        for row in connection.execute(USAGE["frame_priced_alike"], asked | {"size_starts": size_starts}):
            key = (row.by_utc_day, row.local_day, row.organization_id, row.operation, row.by_model)
            saved[(*key, row.lane, row.service_tier)] += saved_by(row)
    return saved
