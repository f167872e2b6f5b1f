"""USAGE of the interfaces, shaped from sums: money as exact decimal strings, ratios in millionths."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from typing import Any

from core.bill import plain_money
from core.day_range import DayRange
from core.usage import RATE_STEP

Sums = Mapping[Any, Any]  # one row of a query on usage: key, calls, tokens, cost_usd, ...
INPUT_CLASSES = ("input_tokens", "cache_read_tokens", "cache_write_5m_tokens", "cache_write_1h_tokens")


class Parts:
    """The rows of a query on usage by the part that they are of."""

    def __init__(self, rows: Iterable[Sums]) -> None:
        self._parts: defaultdict[str, list[Sums]] = defaultdict(list)
        for row in rows:
            self._parts[row["part"]].append(row)

    @property
    def whole(self) -> Sums:
        """The sums of all rows."""
        return self._parts["all"][0]

    def dearest(self, part: str) -> list[Sums]:
        """The rows of a part by cost, ties by key."""
        return sorted(self._parts[part], key=lambda row: (-row["cost_usd"], row["key"]))

    def by(self, part: str) -> list[dict[str, Any]]:
        """Every row of a part as `by_operation` and its like have it."""
        return [{part: row["key"], **figures(row)} for row in self.dearest(part)]

    def daily(self, days: DayRange) -> list[dict[str, Any]]:
        """Every day of the range in order; nothing at all when nothing happened on any."""
        rows = {row["key"]: spent(row) for row in self._parts["day"]}
        nothing = {"calls": 0, "cost_usd": "0"}
        wanted = [day.isoformat() for day in days.days] if rows else []
        return [{"day": day, **rows.get(day, nothing)} for day in wanted]


def totals(whole: Sums, saved_usd: Decimal) -> dict[str, Any]:
    """Return what USAGE has of everything together; `saved_usd` is of what the rollups do not know."""
    return {
        "calls": whole["calls"],
        "attempts": whole["attempts"],
        **tokens(whole),
        "average_cache_hit_rate": ratio(whole["hit_rates_sum"], whole["hit_rates"]),
        "total_cost_usd": plain_money(whole["cost_usd"]),
        "saved_usd": plain_money(whole["saved_usd"] + saved_usd),
    }


def range_of(days: DayRange) -> dict[str, Any]:
    """Return what USAGE says of its range."""
    return {
        "from": days.from_day.isoformat(),
        "to": days.to_day.isoformat(),
        "time_zone": days.zone.key,
    }


def figures(row: Sums) -> dict[str, Any]:
    """Return calls, tokens and cost."""
    return {
        "calls": row["calls"],
        "attempts": row["attempts"],
        **tokens(row),
        "cost_usd": plain_money(row["cost_usd"]),
    }


def spent(row: Sums) -> dict[str, Any]:
    """Return calls and cost."""
    return {"calls": row["calls"], "cost_usd": plain_money(row["cost_usd"])}


def tokens(row: Sums) -> dict[str, Any]:
    """Return BILL's token fields: the input classes, output, the whole input, and the share that was read."""
    total_input_tokens = sum(row[name] for name in INPUT_CLASSES)
    return {name: row[name] for name in INPUT_CLASSES} | {
        "output_tokens": row["output_tokens"],
        "total_input_tokens": total_input_tokens,
        "cache_hit_rate": ratio(row["cache_read_tokens"], total_input_tokens),
    }


def ratio(part: int | Decimal, whole: int | Decimal) -> float:
    """Return a ratio as BILL has it, in millionths; 0 of nothing."""
    return float((Decimal(part) / whole).quantize(RATE_STEP)) if whole else 0.0


def organization_report(days: DayRange, parts: Parts, saved_usd: Decimal) -> dict[str, Any]:
    """Return USAGE of one organisation. A coach whom the ledger alone remembers is named by the id."""
    return {
        **totals(parts.whole, saved_usd),
        "by_operation": parts.by("operation"),
        "by_model": parts.by("model"),
        "top_coaches": [
            {"coach_id": row["key"], "name": row["name"] or row["key"], **spent(row)}
            for row in parts.dearest("coach_id")
        ],
        "top_players": [{"player_id": row["key"], **spent(row)} for row in parts.dearest("player_id")],
        "daily": parts.daily(days),
        **range_of(days),
    }


def platform_report(
    days: DayRange, parts: Parts, saved_usd: Decimal, organizations: Sequence[tuple[str, Sums]]
) -> dict[str, Any]:
    """Return USAGE of the platform; `organizations` are its dearest, each with its name."""
    return {
        **totals(parts.whole, saved_usd),
        "by_operation": parts.by("operation"),
        "by_model": parts.by("model"),
        "by_organization": [
            {"organization_id": row["key"], "name": name, **figures(row)} for name, row in organizations
        ],
        "daily": parts.daily(days),
        **range_of(days),
    }


def person_report(
    person: Mapping[str, str], days: DayRange, parts: Parts, saved_usd: Decimal
) -> dict[str, Any]:
    """Return the part of USAGE that one coach or player has."""
    return {
        **person,
        **totals(parts.whole, saved_usd),
        "daily": parts.daily(days),
        **range_of(days),
    }
