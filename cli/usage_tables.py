"""Usage for a person to read: sentences, and tables with bars."""

from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any

from cli.bars import bar, dollars, plain_table, short
from cli.output import console

BAR_WIDTH = 30
SHARE_WIDTH = 12
NAME_WIDTH = 24  # so that a row fits in 80 columns
DAYS_SHOWN_MAX = 62  # more are shown by month
SHARES = {  # lists of USAGE: title, and what names a row
    "by_operation": ("By operation", ("operation",)),
    "by_model": ("By model", ("model",)),
    "by_organization": ("Dearest organizations", ("name", "organization_id")),
    "top_coaches": ("Dearest coaches", ("name", "coach_id")),
    "top_players": ("Dearest players", ("player_id",)),
}


def print_usage(title: str, used: Mapping[str, Any]) -> None:
    """Show USAGE; exact figures are in `--json` and `--csv`."""
    name = f" ({used['name']})" if "name" in used else ""
    console().print(f"{title}{name}: {used['from']} up to {used['to']} (not included), {used['time_zone']}")
    for sentence in sentences(used):
        console().print(sentence)
    if not used["daily"]:
        return
    print_daily(used["daily"])
    for part, (heading, names) in SHARES.items():
        if used.get(part):
            print_shares(heading, names, used[part], float(used["total_cost_usd"]))


def sentences(used: Mapping[str, Any]) -> list[str]:
    """Say the totals."""
    if not used["attempts"] and not used["daily"]:
        return ["Nothing was called in these days."]
    attempts = "" if used["attempts"] == used["calls"] else f" ({used['attempts']:,} attempts)"
    written = used["cache_write_5m_tokens"] + used["cache_write_1h_tokens"]
    return [
        f"{dollars(used['total_cost_usd'])} for {used['calls']:,} calls{attempts}; "
        f"{dollars(used['saved_usd'])} less than live without the cache.",
        f"Input {short(used['total_input_tokens'])} tokens: {used['cache_hit_rate']:.1%} read from the "
        f"cache, {short(written)} written to it, {short(used['input_tokens'])} neither.",
        f"Output {short(used['output_tokens'])} tokens. Mean of the calls' hit rates: "
        f"{used['average_cache_hit_rate']:.1%}.",
    ]


def print_daily(daily: Sequence[Mapping[str, Any]]) -> None:
    """Show cost by day, or by month when the days are many."""
    used = from_first_to_last(daily)
    rows = used if len(used) <= DAYS_SHOWN_MAX else by_month(used)
    largest = max(float(row["cost_usd"]) for row in rows)
    table = plain_table(("By day" if rows is used else "By month") + ", from the first call to the last")
    table.add_column("", no_wrap=True)
    for heading in ("calls", "cost"):
        table.add_column(heading, justify="right", no_wrap=True)
    table.add_column("")
    for row in rows:
        cost = float(row["cost_usd"])
        calls = f"{row['calls']:,}" if row["calls"] or cost else ""
        table.add_row(
            row["day"] if "month" in row else _weekday(row["day"]),
            calls,
            dollars(cost) if calls else "",
            bar(cost, largest, BAR_WIDTH),
        )
    console().print(table)


def from_first_to_last(daily: Sequence[Mapping[str, Any]]) -> Sequence[Mapping[str, Any]]:
    """Leave out the days before the first call and after the last one."""
    called = [place for place, row in enumerate(daily) if row["calls"] or float(row["cost_usd"])]
    return daily[called[0] : called[-1] + 1] if called else daily[:1]


def by_month(daily: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Add days up by month."""
    months: dict[str, dict[str, Any]] = {}
    for row in daily:
        month = row["day"][:7]
        sums = months.setdefault(month, {"day": month, "month": True, "calls": 0, "cost_usd": 0.0})
        sums["calls"] += row["calls"]
        sums["cost_usd"] += float(row["cost_usd"])
    return list(months.values())


def print_shares(
    heading: str, names: Sequence[str], rows: Sequence[Mapping[str, Any]], total_usd: float
) -> None:
    """Show what each of a list cost, and its share of the whole."""
    table = plain_table(heading)
    table.add_column("", overflow="fold", width=NAME_WIDTH)
    for column in ("calls", "cost", "share"):
        table.add_column(column, justify="right", no_wrap=True)
    table.add_column("", no_wrap=True)
    largest = max(float(row["cost_usd"]) for row in rows)
    for row in rows:
        cost = float(row["cost_usd"])
        known = dict.fromkeys(str(row[name]) for name in names)  # a name that is its id is said once
        share = f"{cost / total_usd:.1%}" if total_usd else ""
        table.add_row(
            ", ".join(known), f"{row['calls']:,}", dollars(cost), share, bar(cost, largest, SHARE_WIDTH)
        )
    console().print(table)


def _weekday(day: str) -> str:
    return f"{day} {date.fromisoformat(day):%a}"
