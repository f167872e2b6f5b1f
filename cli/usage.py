"""`touchline usage`: what an organisation used, and what it cost."""

from collections.abc import Mapping
from datetime import date, datetime, timedelta
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cli.output import JsonOption, print_facts, print_json, print_rows
from cli.session import open_database
from core.errors import BadInput

if TYPE_CHECKING:
    from zoneinfo import ZoneInfo

DAYS = 30  # when nothing else is asked for
LISTS = {
    "by_operation": ("operation",),
    "by_model": ("model",),
    "top_coaches": ("coach_id", "name"),
    "top_players": ("player_id",),
    "daily": ("day",),
}
FIGURES = ("calls", "total_input_tokens", "output_tokens", "cache_hit_rate", "cost_usd")


def usage(
    organization: Annotated[str, typer.Option("--org", help="The organization's id.")],
    from_time: Annotated[
        datetime | None,
        typer.Option("--from", formats=["%Y-%m-%d"], help="First local day (default: 30 days before --to)."),
    ] = None,
    to_time: Annotated[
        datetime | None,
        typer.Option(
            "--to", formats=["%Y-%m-%d"], help="The local day after the last one (default: tomorrow)."
        ),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Show tokens, cost and savings of an organization, by local days in its time zone."""
    from tasks import analytics

    with open_database() as engine:
        zone = analytics.organization_time_zone(engine, organization)
        from_day, to_day = _range(from_time, to_time, zone)
        used = analytics.org_usage(engine, organization, from_day, to_day)
    if as_json:
        print_json(used)
    else:
        _print_usage(organization, used)


def _range(from_time: datetime | None, to_time: datetime | None, zone: "ZoneInfo") -> tuple[date, date]:
    """What was asked for; by default the last 30 local days, today included."""
    to_day = to_time.date() if to_time else datetime.now(zone).date() + timedelta(days=1)
    try:
        return (from_time.date() if from_time else to_day - timedelta(days=DAYS)), to_day
    except OverflowError:
        raise BadInput(f"The calendar has no {DAYS} days before {to_day}; give --from as well.") from None


def _print_usage(organization: str, used: Mapping[str, Any]) -> None:
    title = f"{organization}, {used['from']} up to {used['to']} (not included), {used['time_zone']}"
    print_facts(title, {name: value for name, value in used.items() if name not in (*LISTS, "from", "to")})
    for name, keys in LISTS.items():
        rows = [row for row in used[name] if name != "daily" or row["calls"] or row["cost_usd"] != "0"]
        print_rows(
            name.replace("_", " ")
            + (", days without a call left out" if len(rows) < len(used[name]) else ""),
            [{part: row[part] for part in (*keys, *FIGURES) if part in row} for row in rows],
        )
