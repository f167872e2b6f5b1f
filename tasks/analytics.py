"""What was used and what it cost: read from the rollups where they hold, from the ledger where they do not.

Days that the ledger has written since their rollup was published are marked, in the transaction that wrote;
they are read from the ledger, in the same snapshot as the marks. So no answer depends on when the rollup ran.
Whatever is read for one organisation is read by a role that sees no other (`database.roles`).
"""

from collections import defaultdict
from datetime import date
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import sqlalchemy as sa

from core.day_range import PLATFORM_ZONE, DayRange, check_range
from core.errors import BadInput
from core.local_days import zone_named
from core.usage_report import Parts, Sums, organization_report, person_report, platform_report
from database.roles import read_only_for
from tasks.cache_report import cache_report
from tasks.listing import USAGE, find_organization, snapshot
from tasks.usage_frame import read_usage
from tasks.usage_sources import asked_of, reading_for, saved_usd

__all__ = [
    "PLATFORM_ZONE",
    "cache_report",
    "coach_usage",
    "org_usage",
    "organization_time_zone",
    "person_time_zone",
    "platform_usage",
    "player_usage",
    "read_usage",
]

TOP = 5  # coaches and players of an organisation
TOP_ORGANIZATIONS = 10


def organization_time_zone(engine: sa.Engine, organization_id: str) -> ZoneInfo:
    """Return the zone in which an organisation's people read days. Raises BadInput for an unknown one."""
    with reading_for(engine, organization_id) as connection:
        return _zone(connection, organization_id)


def org_usage(engine: sa.Engine, organization_id: str, from_day: date, to_day: date) -> dict[str, Any]:
    """Return USAGE of the interfaces for the local days from `from_day` up to, not including, `to_day`.

    Ready for JSON: money as exact decimal strings, ratios as numbers, days as YYYY-MM-DD. Everything is read
    as of one moment. Raises BadInput for an unknown organisation, or days that are no range.

    `calls` are logical calls, counted where their first attempt is, so that single days add up to their
    range; `attempts` are requests, whatever their outcome. Money not yet settled is an estimate. `saved_usd`
    is what the answered calls would have cost live at full input price, less what they did cost. `daily` has
    every day of the range, with zeros where nothing was called; when that is all of them, it is empty.
    """
    check_range(from_day, to_day)
    with reading_for(engine, organization_id) as connection:
        days = DayRange(from_day, to_day, _zone(connection, organization_id))
        asked = asked_of(connection, days, organization_id=organization_id)
        parts = _parts(connection, "organization_usage", asked | {"top": TOP})
        return organization_report(days, parts, saved_usd(connection, asked))


def platform_usage(engine: sa.Engine, from_day: date, to_day: date) -> dict[str, Any]:
    """Return USAGE of the platform for the UTC days from `from_day` up to, not including, `to_day`.

    As `org_usage`, but `by_organization` has the ten dearest organisations, with their names, in the place of
    coaches and players; one whom the ledger alone knows (`evaluation`, say) is named by its id.
    """
    days = DayRange(from_day, to_day)
    with snapshot(engine) as connection:
        asked = asked_of(connection, days)
        parts = _parts(connection, "platform_usage", asked)
        organizations = _dearest_organizations(connection, asked)
        return platform_report(days, parts, saved_usd(connection, asked), organizations)


def coach_usage(engine: sa.Engine, coach_id: str, from_day: date, to_day: date) -> dict[str, Any]:
    """Return what a coach's notes have cost, by the local days of the coach's club.

    `coach_id` is the key of the person, or the auth system's own id. The totals and `daily` of `org_usage`,
    with `coach_id` (the key), `name` and `organization_id`. Raises BadInput for an unknown coach.
    """
    check_range(from_day, to_day)
    with snapshot(engine) as connection:
        coach = _find_coach(connection, coach_id)
        person = {"coach_id": coach.id, "name": coach.name, "organization_id": coach.organization_id}
        return _person_usage(connection, "coach", person, from_day, to_day)


def player_usage(engine: sa.Engine, player_id: str, from_day: date, to_day: date) -> dict[str, Any]:
    """Return what summaries of a player have cost, by the local days of the player's club.

    The totals and `daily` of `org_usage`, with `player_id` and `organization_id`; no name: a player is a
    child. Raises BadInput for an unknown player.
    """
    check_range(from_day, to_day)
    with snapshot(engine) as connection:
        player = _find_player(connection, player_id)
        person = {"player_id": player.id, "organization_id": player.organization_id}
        return _person_usage(connection, "player", person, from_day, to_day)


def person_time_zone(
    engine: sa.Engine, *, coach_id: str | None = None, player_id: str | None = None
) -> ZoneInfo:
    """Return the zone in which a person's club reads days. Raises BadInput for an unknown person."""
    with snapshot(engine) as connection:
        if coach_id is not None:
            person = _find_coach(connection, coach_id)
        else:
            person = _find_player(connection, player_id or "")
        return _zone(connection, person.organization_id)


def _person_usage(
    connection: sa.Connection, who: str, person: dict[str, str], from_day: date, to_day: date
) -> dict[str, Any]:
    """From here on, only the person's club is seen."""
    organization_id, key = person["organization_id"], f"{who}_id"
    read_only_for(connection, organization_id)
    days = DayRange(from_day, to_day, _zone(connection, organization_id))
    asked = asked_of(connection, days, **{"organization_id": organization_id, key: person[key]})
    parts = _parts(connection, f"{who}_usage", asked)
    return person_report(person, days, parts, saved_usd(connection, asked))


def _parts(connection: sa.Connection, query: str, asked: dict[str, Any]) -> Parts:
    rows: list[Sums] = list(connection.execute(USAGE[query], asked).mappings())
    return Parts(rows)


def _zone(connection: sa.Connection, organization_id: str) -> ZoneInfo:
    return zone_named(find_organization(connection, organization_id).timezone, organization_id)


def _dearest_organizations(connection: sa.Connection, asked: dict[str, Any]) -> list[tuple[str, Sums]]:
    """The ten that cost most, with their names, dearest first; ties by id."""
    cost_usd: defaultdict[str, Decimal] = defaultdict(Decimal)
    for query in ("dirty_cost_of_organizations", "rolled_cost_of_organizations"):
        if query.startswith("rolled"):
            connection.execute(USAGE["scan_rollups"])
        for row in connection.execute(USAGE[query], asked):
            cost_usd[row.organization_id] += row.cost_usd
    connection.execute(USAGE["read_by_index"])
    top = sorted(cost_usd, key=lambda one: (-cost_usd[one], one))[:TOP_ORGANIZATIONS]
    found = connection.execute(USAGE["organization_names"], {"organization_ids": top})
    names = {row.id: row.name for row in found}
    rows = connection.execute(USAGE["usage_of_organizations"], asked | {"organization_ids": top}).mappings()
    used: dict[str, Sums] = {row["key"]: row for row in rows}
    return [(names.get(one, one), used[one]) for one in top]


def _find_coach(connection: sa.Connection, person_id: str) -> sa.Row[Any]:
    found = connection.execute(USAGE["coach"], {"person_id": person_id}).first()
    if found is None:
        raise BadInput(f"There is no coach {person_id!r}; the id is the one in coaches.jsonl.")
    return found


def _find_player(connection: sa.Connection, player_id: str) -> sa.Row[Any]:
    found = connection.execute(USAGE["player"], {"player_id": player_id}).first()
    if found is None:
        raise BadInput(f"There is no player {player_id!r}; the id is the one in players.jsonl.")
    return found
