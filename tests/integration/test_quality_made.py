"""Checks that cannot be made, runs beside each other, many rows, any password, and the pages."""

from pathlib import Path
from typing import Any
from uuid import uuid4

import psycopg
import pytest
import sqlalchemy as sa
from psycopg import sql

from core.errors import BadInput
from core.states import CheckResult
from models.expectations import EXPECTATIONS
from tasks.quality import ROWS_READ
from tests.integration.staged_nights import CHECKS, Nights, complaints, only
from tests.integration.stored_rows import Rows

FIGURES = "every figure of every day equals the ledger's to the last digit"
MISSING = "no figure is missing"
UNIQUE = "the key is unique"
VOLUME = "a past day has half to twice the attempts of this weekday in the four weeks before"
PASSWORD = "p$HOME ${HOME}%25@:/\\ü'\"?&=+"


@pytest.fixture
def nights(database_url: str, rows: Rows) -> Nights:
    """A sound night of three players, staged."""
    made = Nights(database_url, rows)
    made.stage()
    return made


def test_checks_that_cannot_be_made_have_failed_and_say_why(nights: Nights) -> None:
    nights.execute("ALTER TABLE staged_coach_day RENAME COLUMN hit_rates TO hits")
    nights.execute("ALTER TABLE staged_player_day RENAME COLUMN player_id TO who")
    report = nights.check()
    assert not report.publishable
    found = complaints(report)
    assert set(found) == {
        ("coach_day", FIGURES),
        ("coach_day", MISSING),
        ("coach_day", "no count is negative"),
        ("coach_day", "hit rates are within 0..1"),
        ("player_day", "player_id is never null"),
        ("player_day", UNIQUE),
    }
    for (table, name), one in found.items():
        assert one.result is CheckResult.FAILED
        assert one.failing_rows == ()
        assert one.exception is not None
        assert ("hit_rates" if table == "coach_day" else "player_id") in one.exception
        assert len(one.exception.splitlines()) == 1
        assert one.exception in report.sentence()
        assert nights.kept()[table, name].exception == one.exception


def test_a_table_that_is_gone_fails_all_its_checks_and_a_warning_stays_one(nights: Nights) -> None:
    for table in ("rollup_platform_day", "staged_price_gap", "staged_outcome_day"):
        nights.execute(f"DROP TABLE {table}")
    report = nights.check()
    lost = len(EXPECTATIONS["staged_outcome_day"]) + 1
    assert report.to_json() == {"passed": CHECKS - lost - 2, "failed": lost, "warned": 2}
    assert all("does not exist" in str(one.exception) for one in report.complaints)
    assert complaints(report)["platform_day", VOLUME].result is CheckResult.WARNED


def test_a_run_is_not_blamed_for_what_another_has_staged(nights: Nights) -> None:
    nights.stage("b-2", players=2)
    nights.change("player_day", {"saved_usd": None}, run_id="b-2")
    nights.remove("coach_day", run_id="b-2")
    assert {table for table, _ in complaints(nights.check("b-2"))} == {"player_day", "coach_day"}
    assert nights.check().complaints == ()
    assert {row.result for row in nights.kept().values()} == {CheckResult.PASSED}
    assert sum(row.result is CheckResult.FAILED for row in nights.kept("b-2").values()) == 3


@pytest.mark.parametrize("way", ["socket", "address"])
def test_any_password_and_either_way_to_the_server_will_do(nights: Nights, way: str) -> None:
    nights.change("player_day", {"saved_usd": None})
    role = f"role_{uuid4().hex}"
    known = sql.SQL("CREATE ROLE {} SUPERUSER LOGIN PASSWORD {}").format(sql.Identifier(role), PASSWORD)
    with psycopg.connect(nights.url, autocommit=True) as connection:
        connection.execute(known)
        try:
            url = address(connection, nights.url, way).set(username=role, password=PASSWORD)
            assert only(nights.check(url=url.render_as_string(hide_password=False))).name == MISSING
        finally:
            connection.execute(sql.SQL("DROP ROLE {}").format(sql.Identifier(role)))


def address(connection: psycopg.Connection[Any], url: str, way: str) -> sa.URL:
    """The server's address on the network, or its socket."""
    if way == "address":
        return sa.make_url(url).set(host="127.0.0.1", port=connection.info.port, query={})
    settings = "SELECT current_setting('data_directory'), current_setting('unix_socket_directories')"
    data, sockets = connection.execute(settings).fetchall()[0]
    assert sockets, "both servers of the tests listen on a socket"
    socket = {"host": str(Path(data, sockets.split(",")[0]).resolve()), "port": str(connection.info.port)}
    return sa.make_url(url).set(host=None, port=None, query=socket)


def test_of_many_rows_few_are_read(nights: Nights) -> None:
    assert max(rows_read(nights)) <= ROWS_READ


def test_data_docs_are_written_on_request_and_tell_no_password(
    nights: Nights, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    docs = tmp_path / "a" / "docs"
    assert max(rows_read(nights, docs)) <= ROWS_READ
    assert (docs / "index.html").is_file()
    pages = {page.name: page.read_text("utf-8") for page in (docs / "validations").rglob("*.html")}
    assert len(pages) == len(EXPECTATIONS)
    (of_players,) = [text for name, text in pages.items() if "staged_player_day" in name]
    assert "local_day is never null" in of_players
    assert "WHERE run_id = " in of_players
    told = [*(page.read_text("utf-8") for page in docs.rglob("*.html")), *capfd.readouterr()]
    password = sa.make_url(nights.url).password
    assert nights.url not in "".join(told)
    assert not password or str(password) not in "".join(told)


def rows_read(nights: Nights, docs: Path | None = None) -> list[int]:
    """How many rows each statement has brought when a night of 2,000 players is wrong in each of them."""
    nights.stage("d-4", players=2_000)
    nights.change("player_day", {"saved_usd": None, "local_day": None}, run_id="d-4")
    brought: list[int] = []

    def note(_: Any, cursor: Any, *__: Any) -> None:
        brought.append(cursor.rowcount)

    sa.event.listen(sa.Engine, "after_cursor_execute", note)
    try:
        report = nights.check("d-4", docs=docs)
    finally:
        sa.event.remove(sa.Engine, "after_cursor_execute", note)
    assert {one.failing for one in report.complaints} == {2_000}
    assert len(brought) > CHECKS
    return brought


def test_data_docs_that_cannot_be_written_are_refused_before_anything_is_checked(
    nights: Nights, tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(BadInput, match="Data Docs"):
        nights.check(docs=tmp_path / "file" / "docs")
    assert nights.kept() == {}
