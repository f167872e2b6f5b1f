"""What an organisation used and what it cost, added up from the ledger."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import sqlalchemy as sa

from core.bill import plain_money
from core.errors import BadInput, NotReady
from core.pricing import prices_at, prompt_size_bounds
from core.usage import RATE_STEP, Usage
from tasks.listing import USAGE, find_organization, snapshot

TOP = 5
DAYS_MAX = 3660  # ten years: more is a slip of the pen, and a day costs memory

Sums = sa.RowMapping  # a row of the query `sums`


def organization_time_zone(engine: sa.Engine, organization_id: str) -> ZoneInfo:
    """Return the zone in which an organisation's people read days. Raises BadInput for an unknown one."""
    with snapshot(engine) as connection:
        return _zone(find_organization(connection, organization_id))


def org_usage(engine: sa.Engine, organization_id: str, from_day: date, to_day: date) -> dict[str, Any]:
    """Return USAGE of the interfaces for the local days from `from_day` up to, not including, `to_day`.

    Ready for JSON: money as exact decimal strings, ratios as numbers, days as YYYY-MM-DD. Everything is read
    as of one moment. Raises BadInput for an unknown organisation, or days that are no range.

    `calls` are logical calls, counted where their first attempt is, so that single days add up to their
    range; `attempts` are requests, whatever their outcome. Money not yet settled is an estimate. `saved_usd`
    is what the answered calls would have cost live at full input price, less what they did cost. `daily` has
    every day of the range, with zeros where nothing was called; when that is all of them, it is empty.
    """
    _check_range(from_day, to_day)
    with snapshot(engine) as connection:
        zone = _zone(find_organization(connection, organization_id))
        starts = day_starts(from_day, to_day, zone)
        asked = {"organization_id": organization_id, "begins_at": starts[0], "ends_at": starts[-1]}
        parts = _sums(connection, asked, starts)
        saved_usd = _saved_usd(connection, asked)
        top_coaches = _top_coaches(connection, parts["coach_id"])
    return {
        **_totals(parts["all"][0]),
        "saved_usd": plain_money(saved_usd),
        "by_operation": [_part("operation", row) for row in _dearest_first(parts["operation"])],
        "by_model": [_part("model", row) for row in _dearest_first(parts["model"])],
        "top_coaches": top_coaches,
        "top_players": [
            {"player_id": row["key"], **_spent(row)} for row in _dearest_first(parts["player_id"])[:TOP]
        ],
        "daily": _daily(parts["day_number"], from_day, to_day),
        "from": from_day.isoformat(),
        "to": to_day.isoformat(),
        "time_zone": zone.key,
    }


def day_starts(from_day: date, to_day: date, zone: ZoneInfo) -> list[datetime]:
    """Return the instants at which local days begin, from the first up to and including `to_day`'s.

    Days so cut have no gap and no overlap whatever the clocks do. A day whose midnight is skipped begins at
    the jump; one whose midnight comes twice, at the first.
    """
    days = [from_day + timedelta(days=n) for n in range((to_day - from_day).days + 1)]
    try:
        return [datetime.combine(day, time(), zone).astimezone(UTC) for day in days]
    except OverflowError:
        raise BadInput(f"{from_day} to {to_day} reaches the end of the calendar.") from None


def _zone(organization: sa.Row[Any]) -> ZoneInfo:
    try:
        return ZoneInfo(organization.timezone)
    except (ZoneInfoNotFoundError, ValueError) as error:
        raise NotReady(
            f"This machine does not know the time zone {organization.timezone!r} of {organization.id}: "
            "correct it in organizations.jsonl and ingest again, or install the package tzdata."
        ) from error


def _check_range(from_day: date, to_day: date) -> None:
    if from_day > to_day:
        raise BadInput(f"The range ends before it begins: it goes from {from_day} up to {to_day}.")
    if (to_day - from_day).days > DAYS_MAX:
        raise BadInput(f"{from_day} to {to_day} is too long; ask for {DAYS_MAX} days at most.")


def _sums(
    connection: sa.Connection, asked: Mapping[str, Any], starts: Sequence[datetime]
) -> Mapping[str, list[Sums]]:
    """The rows of the query by the part that they are of."""
    parts: defaultdict[str, list[Sums]] = defaultdict(list)
    for row in connection.execute(USAGE["sums"], {**asked, "day_starts": list(starts)}).mappings():
        parts[row["part"]].append(row)
    return parts


def _top_coaches(connection: sa.Connection, rows: Iterable[Sums]) -> list[dict[str, Any]]:
    """The dearest coaches with their names; the id of one whom the ledger alone remembers."""
    top = _dearest_first(rows)[:TOP]
    found = connection.execute(USAGE["coach_names"], {"coach_ids": [row["key"] for row in top]})
    names = {row.id: row.name for row in found}
    return [{"coach_id": row["key"], "name": names.get(row["key"], row["key"]), **_spent(row)} for row in top]


def _saved_usd(connection: sa.Connection, asked: Mapping[str, Any]) -> Decimal:
    """The price at full input, live, of what was answered and paid, less what was paid."""
    size_starts = [bound + 1 for bound in prompt_size_bounds()]
    saved_usd = Decimal(0)
    for row in connection.execute(USAGE["priced_alike"], {**asked, "size_starts": size_starts}):
        prices = prices_at(
            row.model,
            datetime.combine(row.utc_day, time(), UTC),
            row.prompt_tokens,
            inference_geo=row.inference_geo,
        )
        usage = Usage(row.total_input_tokens, output_tokens=row.output_tokens)
        saved_usd += prices.cost_uncached(usage) - row.cost_usd
    return saved_usd


def _dearest_first(rows: Iterable[Sums]) -> list[Sums]:
    return sorted(rows, key=lambda row: (-row["cost_usd"], row["key"]))


def _totals(row: Sums) -> dict[str, Any]:
    return {
        "calls": row["calls"],
        "attempts": row["attempts"],
        **_tokens(row),
        "average_cache_hit_rate": _ratio(row["hit_rates_sum"], row["hit_rates"]),
        "total_cost_usd": plain_money(row["cost_usd"]),
    }


def _part(name: str, row: Sums) -> dict[str, Any]:
    return {
        name: row["key"],
        "calls": row["calls"],
        "attempts": row["attempts"],
        **_tokens(row),
        "cost_usd": plain_money(row["cost_usd"]),
    }


def _spent(row: Sums) -> dict[str, Any]:
    return {"calls": row["calls"], "cost_usd": plain_money(row["cost_usd"])}


def _tokens(row: Sums) -> dict[str, Any]:
    """BILL's token fields: the four input classes, output, the whole input, and the share that was read."""
    input_classes = ("input_tokens", "cache_read_tokens", "cache_write_5m_tokens", "cache_write_1h_tokens")
    total_input_tokens = sum(row[name] for name in input_classes)
    return {name: row[name] for name in input_classes} | {
        "output_tokens": row["output_tokens"],
        "total_input_tokens": total_input_tokens,
        "cache_hit_rate": _ratio(row["cache_read_tokens"], total_input_tokens),
    }


def _ratio(part: int | Decimal, whole: int) -> float:
    """A ratio as BILL has it, in millionths; 0 of nothing."""
    return float((Decimal(part) / whole).quantize(RATE_STEP)) if whole else 0.0


def _daily(rows: Sequence[Sums], from_day: date, to_day: date) -> list[dict[str, Any]]:
    """Every day of the range in order; nothing at all when nothing happened on any."""
    spent = {int(row["key"]): _spent(row) for row in rows}
    nothing = {"calls": 0, "cost_usd": "0"}
    return [
        {"day": (from_day + timedelta(days=number)).isoformat(), **spent.get(number + 1, nothing)}
        for number in range((to_day - from_day).days if rows else 0)
    ]
