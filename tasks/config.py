"""Settings in the database: read for the clubs of a run, shown, changed with a note of who changed what."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from core.club import SETTINGS, Club, Setting, Source, club_of, counting, setting_named
from core.errors import BadInput, BooksDisagree
from models.setting import QUERIES
from tasks.listing import Row, find_organization, snapshot
from tasks.transactions import Transactions


async def read_clubs(transactions: Transactions, organization_id: str | None) -> tuple[Club, ...]:
    """Return one club, or all, by id; none when there is no such organization.

    Raises BooksDisagree when a value that counts is not allowed: nobody may guess a club's choice. What is
    stored under a name that this version does not know is left alone.
    """

    async def read(connection: AsyncConnection) -> Sequence[sa.Row[Any]]:
        return (await connection.execute(QUERIES["clubs"], {"organization_id": organization_id})).all()

    return tuple(_club(row) for row in await transactions.commit(read))


def list_settings(engine: sa.Engine, organization_id: str | None = None) -> list[Row]:
    """Return each setting with the value that counts, where it comes from, and when that was set.

    Values are the stored texts. Raises BadInput for an unknown organization.
    """
    rows = _in_reach(engine, organization_id)
    return [_standing(setting, rows) for setting in SETTINGS.values()]


def get_setting(engine: sa.Engine, name: str, organization_id: str | None = None) -> Row:
    """Return one of them. Raises BadInput for an unknown name or organization."""
    setting = setting_named(name)
    return _standing(setting, _in_reach(engine, organization_id))


def list_changes(engine: sa.Engine, organization_id: str | None = None) -> list[Row]:
    """Return what was changed, of one organization or of all and the platform, oldest first.

    Raises BadInput for an unknown organization.
    """
    asked = {"organization_id": organization_id}
    with snapshot(engine) as connection:
        if organization_id is not None:
            find_organization(connection, organization_id)
        return [dict(row) for row in connection.execute(QUERIES["changes"], asked).mappings()]


def set_setting(
    engine: sa.Engine,
    name: str,
    value: str | None,
    organization_id: str | None = None,
    *,
    changed_by: str,
    now: datetime,
) -> Row:
    """Set a value for an organization or the platform, or none any more, and note the change.

    Return the value of its own that it had and has, None for none; when they are the same, nothing was
    written. Raises BadInput for a value that is not allowed, an unknown name or organization.
    """
    setting = setting_named(name)
    if value is not None:
        setting.read(value)
    place = {"organization_id": organization_id, "name": name}
    with engine.begin() as connection:
        if organization_id is not None:
            find_organization(connection, organization_id)
        connection.execute(QUERIES["one_at_a_time"])
        old_value = connection.execute(QUERIES["own"], place).scalar()
        if value != old_value:
            written = {**place, "value": value, "changed_at": now}
            connection.execute(QUERIES["remove" if value is None else "keep"], written)
            change = {**written, "old_value": old_value, "new_value": value, "changed_by": changed_by}
            connection.execute(QUERIES["note_change"], change)
    return {"name": name, "from": old_value, "to": value, "organization_id": organization_id}


def _club(row: sa.Row[Any]) -> Club:
    try:
        return club_of(row.id, row.timezone, row.platform, row.own)
    except BadInput as error:
        raise BooksDisagree(
            f"What is stored for {row.id} is not allowed: {error} See whose value it is with: "
            f"touchline config list --org {row.id}; then correct it with: touchline config set"
        ) from error


def _in_reach(engine: sa.Engine, organization_id: str | None) -> Sequence[sa.RowMapping]:
    with snapshot(engine) as connection:
        if organization_id is not None:
            find_organization(connection, organization_id)
        asked = {"organization_id": organization_id}
        return connection.execute(QUERIES["in_reach"], asked).mappings().all()


def _standing(setting: Setting[Any], rows: Sequence[sa.RowMapping]) -> Row:
    """The value of a setting that counts, out of the platform's rows and an organization's."""
    platform = {row["name"]: row["value"] for row in rows if row["organization_id"] is None}
    own = {row["name"]: row["value"] for row in rows if row["organization_id"] is not None}
    value, source = counting(setting, platform, own)
    times = [
        row["changed_at"]
        for row in rows
        if row["name"] == setting.name and (row["organization_id"] is None) == (source is Source.PLATFORM)
    ]
    return {
        "name": setting.name,
        "value": value,
        "source": source,
        "changed_at": times[0] if times else None,
        "description": setting.description,
    }
