"""Settings in the database: whose value counts, who changed it, and nothing without a note."""

import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import time, timedelta
from typing import Any

import pytest
import sqlalchemy as sa
from typer.testing import CliRunner

from cli.main import app
from core.club import SETTINGS, Club
from core.errors import BadInput, BooksDisagree
from core.states import LaneChoice
from models.tables import Organization, Setting, SettingChange
from tasks import config
from tests.integration.stored_rows import AT, Rows
from tests.integration.workers import Workers, tell

LATER = AT + timedelta(hours=1)


def put(
    rows: Rows, name: str, value: str | None, organization_id: str | None = None, by: str = "ann"
) -> tuple[str | None, str | None]:
    """Set a value at AT; gives what was and is set."""
    row = config.set_setting(rows.engine, name, value, organization_id, changed_by=by, now=AT)
    assert (row["name"], row["organization_id"]) == (name, organization_id)
    return row["from"], row["to"]


def lane(rows: Rows, organization_id: str | None = None) -> tuple[str, str, Any]:
    """The lane that counts, where it comes from, and since when."""
    row = config.get_setting(rows.engine, "lane", organization_id)
    return row["value"], row["source"], row["changed_at"]


def clubs(database_url: str, organization_id: str | None = None) -> tuple[Club, ...]:
    """The clubs as a run reads them."""
    found: list[Club] = []

    async def story(workers: Workers) -> None:
        found.extend(await config.read_clubs(workers.transactions(), organization_id))

    tell(database_url, story)
    return tuple(found)


def test_a_clubs_own_value_counts_else_the_platforms_else_the_default(rows: Rows, database_url: str) -> None:
    rows.insert(Organization, {"id": "other", "name": "Other", "timezone": "Pacific/Auckland"})
    assert lane(rows, "club") == ("live", "default", None)
    assert put(rows, "lane", "overnight") == (None, "overnight")
    assert put(rows, "lane", "auto", "club") == (None, "auto")
    assert put(rows, "summaries_due", "06:15", "other") == (None, "06:15")
    assert lane(rows) == lane(rows, "other") == ("overnight", "platform", AT)
    assert lane(rows, "club") == ("auto", "organization", AT)
    club = Club("club", "UTC", LaneChoice.AUTO, 36, time(7))
    other = Club("other", "Pacific/Auckland", LaneChoice.OVERNIGHT, 36, time(6, 15))
    assert clubs(database_url) == (club, other)
    assert clubs(database_url, "other") == (other,)
    assert clubs(database_url, "nobody") == ()
    assert put(rows, "lane", None, "club") == ("auto", None)
    assert lane(rows, "club") == ("overnight", "platform", AT)


def test_every_change_is_noted_and_what_changes_nothing_is_not(rows: Rows) -> None:
    assert put(rows, "lane", None) == (None, None)
    assert put(rows, "lane", "auto") == (None, "auto")
    assert put(rows, "lane", "auto", by="ben") == ("auto", "auto")
    assert put(rows, "lane", "auto", "club", by="ben") == (None, "auto")
    config.set_setting(rows.engine, "lane", "live", changed_by="ben", now=LATER)
    assert put(rows, "lane", None) == ("live", None)
    noted = [tuple(row.values()) for row in config.list_changes(rows.engine)]
    assert noted == [
        (AT, None, "lane", None, "auto", "ann"),
        (AT, "club", "lane", None, "auto", "ben"),
        (LATER, None, "lane", "auto", "live", "ben"),
        (AT, None, "lane", "live", None, "ann"),
    ]
    assert [row["organization_id"] for row in config.list_changes(rows.engine, "club")] == ["club"]


def test_what_is_not_allowed_is_refused_and_leaves_no_trace(rows: Rows) -> None:
    for name, value, organization_id, told in (
        ("lane", "fast", None, "live, overnight or auto"),
        ("lanes", "live", None, "there are: lane, "),
        ("lanes", None, None, "there are: lane, "),
        ("lane", "live", "nobody", "no organization 'nobody'"),
    ):
        with pytest.raises(BadInput, match=told):
            put(rows, name, value, organization_id)
    for look in (config.list_settings, config.list_changes):
        with pytest.raises(BadInput, match="no organization 'nobody'"):
            look(rows.engine, "nobody")
    assert config.list_changes(rows.engine) == []
    assert {row["source"] for row in config.list_settings(rows.engine)} == {"default"}


def test_a_stored_value_that_is_not_allowed_stops_a_run_but_can_be_seen_and_corrected(
    rows: Rows, database_url: str
) -> None:
    broken = {"organization_id": None, "name": "lane", "value": "fast", "changed_at": AT}
    rows.insert(Setting, broken, {**broken, "name": "from_a_later_version"})
    with pytest.raises(BooksDisagree, match=r"stored for club is not allowed: lane takes .*, not 'fast'"):
        clubs(database_url)
    assert lane(rows, "club") == ("fast", "platform", AT)
    assert put(rows, "lane", "live") == ("fast", "live")
    assert [club.lane for club in clubs(database_url)] == [LaneChoice.LIVE]
    assert [row["name"] for row in config.list_settings(rows.engine)] == list(SETTINGS)


def test_changes_at_the_same_time_each_note_the_value_that_they_replaced(rows: Rows) -> None:
    def change(hours: int) -> None:
        put(rows, "live_after_hours", str(hours))

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(change, range(1, 21)))
    noted = config.list_changes(rows.engine)
    assert [row["from"] for row in noted] == [None, *(row["to"] for row in noted[:-1])]
    assert len(noted) == 20


@pytest.mark.parametrize(
    "statement",
    ["UPDATE setting_change SET changed_by = 'eve'", "DELETE FROM setting_change", "TRUNCATE setting_change"],
)
def test_the_notes_of_changes_only_grow(rows: Rows, statement: str) -> None:
    put(rows, "lane", "auto")
    with (
        pytest.raises(sa.exc.IntegrityError, match="setting_change only grows"),
        rows.engine.begin() as begun,
    ):
        begun.execute(sa.text(statement))
    rows.insert(SettingChange, {"name": "lane", "changed_at": AT, "changed_by": "ann"})
    assert len(config.list_changes(rows.engine)) == 2


def test_the_command_sets_shows_and_takes_back_a_value(
    rows: Rows, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DATABASE_URL", database_url)
    monkeypatch.setenv("LOGNAME", "ann")

    def told(*arguments: str) -> Any:
        result = CliRunner().invoke(app, ["config", *arguments, "--json"])
        assert result.exit_code == 0, result.exception
        return json.loads(result.stdout)

    place = {"name": "lane", "organization_id": "club"}
    assert told("set", "lane", "auto", "--org", "club") == {**place, "from": None, "to": "auto"}
    assert told("get", "lane", "--org", "club") == {**place, "value": "auto", "source": "organization"}
    assert told("unset", "lane", "--org", "club") == {**place, "from": "auto", "to": None}
    told("set", "summaries_due", "06:30")
    settings = {row.pop("name"): row for row in told("list", "--org", "club")["settings"]}
    assert list(settings) == list(SETTINGS)
    assert set(settings["lane"]) == {"value", "source", "changed_at", "description"}
    assert (settings["lane"]["value"], settings["lane"]["changed_at"]) == ("live", None)
    assert (settings["summaries_due"]["value"], settings["summaries_due"]["source"]) == ("06:30", "platform")
    (first, *_, last) = told("list", "--changes")["changes"]
    assert (first["organization_id"], first["from"], first["to"]) == ("club", None, "auto")
    assert (last["name"], last["to"], last["changed_by"]) == ("summaries_due", "06:30", "ann")
    assert last["changed_at"].endswith("Z")


def test_the_command_tells_a_person_the_value_that_counts(
    rows: Rows, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DATABASE_URL", database_url)
    command: Callable[..., Any] = lambda *arguments: CliRunner().invoke(app, ["config", *arguments])  # noqa: E731
    assert command("set", "lane", "auto").stdout == "lane is auto (platform)\n"
    assert command("unset", "lane").stdout == "lane is live (default)\n"
    assert "Settings of club" in command("list", "--org", "club").stdout
    assert "changed_by" in command("list", "--changes").stdout
    refused = command("set", "lane", "fast")
    assert (refused.stdout, type(refused.exception)) == ("", BadInput)
