"""Loading into a database that is not empty, or not alone: what changes, and what never does."""

from collections.abc import Iterator
from pathlib import Path
from threading import Thread
from typing import Any

import pytest
import sqlalchemy as sa

from core.errors import Transient
from database.engine import connect
from models.tables import metadata
from tasks.season import IngestReport, Loaded
from tests.integration.season_folder import (
    COACHES,
    GUARDIANS,
    NOW,
    ORGANIZATIONS,
    PLAYERS,
    WHOLE,
    Club,
    insight,
    insight_2,
)

INSIGHT = metadata.tables["insight"]
LEDGER_ROW = """
    INSERT INTO ai_usage_log (attempt_id, call_id, occurred_at, recorded_at, organization_id, coach_id,
        player_id, operation, model, lane, service_tier, input_tokens, cache_read_tokens,
        cache_write_5m_tokens, cache_write_1h_tokens, output_tokens, thinking_tokens, estimated_cost_usd,
        price_version, outcome, prompt_version, flow_run_id)
    VALUES ('a1', 'k1', '2026-03-01T20:00Z', '2026-03-01T20:00Z', 'o1', 'c1', 'p1', 'parent_summary', 'm',
        'live', 'standard', 0, 0, 0, 0, 0, 0, 0.01, 'v', 'sent', 'v', 'r')
"""
REFUSE_AT_COMMIT = """
    CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE 'power cut'; END $$;
    CREATE CONSTRAINT TRIGGER refuse AFTER INSERT ON insight DEFERRABLE INITIALLY DEFERRED
        FOR EACH ROW EXECUTE FUNCTION refuse();
"""


@pytest.fixture
def club(database_url: str, tmp_path: Path) -> Iterator[Club]:
    engine = connect(database_url)
    yield Club(engine, tmp_path)
    engine.dispose()


def test_loading_twice_changes_no_row(club: Club) -> None:
    bad: list[Any] = [insight(id="i3", coach_id="nobody"), b"{", insight(id="i1", title="other"), insight()]
    files = {**WHOLE, "insights": [*WHOLE["insights"], *bad]}
    first = club.load(**files)
    before = club.everything()
    second = club.load_folder(club.folder)
    assert club.everything() == before
    assert second.insights == Loaded(unchanged=3)
    assert second.coaches == second.players == second.organizations == Loaded(unchanged=2)
    assert second.rejected == first.rejected == {"duplicate_id": 1, "not_json": 1, "unknown_reference": 1}
    assert second.rejects_file != first.rejects_file
    assert club.reject_lines(second) == club.reject_lines(first)


def test_in_a_later_load_other_content_updates_people(club: Club) -> None:
    club.load(**WHOLE)
    report = club.load(
        organizations=[{"id": "o1", "name": "Na Fianna CLG", "timezone": "Europe/Dublin"}, ORGANIZATIONS[1]],
        coaches=[{**COACHES[0], "tone": "professional", "approvals": 12, "preferred_level": 1}, COACHES[1]],
        players=[{**PLAYERS[0], "last_name": "Óg", "date_of_birth": "2014-02-28"}],
        guardians=[{**GUARDIANS[0], "status": "declined"}],
        insights=[insight()],
    )
    assert report.organizations == report.coaches == Loaded(updated=1, unchanged=1)
    assert report.players == report.guardians == Loaded(updated=1)
    assert club.rows("SELECT tone, approvals, preferred_level FROM coach WHERE id = 'c1'") == [
        ("professional", 12, 1)
    ]
    assert club.rows("SELECT status FROM guardian") == [("declined",)]
    back = club.load(**{**WHOLE, "players": [{"last_name": None, **PLAYERS[0]}]})
    assert back.players == Loaded(updated=1)
    assert club.rows("SELECT last_name, date_of_birth FROM player WHERE id = 'p1'") == [(None, None)]


def test_in_a_later_load_other_content_updates_pending_insights(club: Club) -> None:
    club.load(**WHOLE)
    report = club.load(insights=[insight(title="Passing, better", urgent=True), insight_2()])
    assert report.insights == Loaded(updated=1, unchanged=1)
    assert club.rows("SELECT title, urgent, state FROM insight WHERE id = 'i1'") == [
        ("Passing, better", True, "pending")
    ]


@pytest.mark.parametrize(
    "state",
    [
        {"state": "claimed", "claimed_by": "run", "lease_until": NOW},
        {"state": "in_batch"},
        {"state": "summarized"},
        {"state": "deferred", "state_reason": "limit", "not_before": NOW},
        {"state": "skipped", "state_reason": "sensitive"},
        {"state": "parked", "state_reason": "refusal"},
    ],
    ids=lambda state: state["state"],
)
def test_an_insight_that_is_no_longer_pending_never_changes(club: Club, state: dict[str, Any]) -> None:
    club.load(**WHOLE)
    with club.engine.begin() as run:
        run.execute(sa.update(INSIGHT).where(INSIGHT.c.id == "i1").values(state))
    before = club.everything()
    report = club.load(insights=[insight(title="Other"), insight(), insight_2()])
    assert club.everything() == before
    assert report.insights == Loaded(unchanged=2)
    assert club.rejects(report) == [("insights.jsonl", 1, "duplicate_id")]


def test_an_insight_that_a_run_is_just_claiming_is_left_to_it(club: Club) -> None:
    club.load(**WHOLE)
    with club.engine.connect() as run:
        run.execute(sa.text("SELECT FROM insight WHERE id = 'i1' FOR UPDATE"))
        report = club.load(insights=[insight(title="Other"), insight_2(title="Other")])
    assert report.insights == Loaded(updated=1)
    assert report.rejected == {"duplicate_id": 1}


def test_people_with_insights_stay_at_their_organisation(club: Club) -> None:
    club.load(**{**WHOLE, "insights": [insight()]})
    report = club.load(
        coaches=[{**person, "organization_id": "o2"} for person in COACHES],
        players=[{**person, "organization_id": "o2"} for person in PLAYERS],
        insights=[insight()],
    )
    assert club.rejects(report) == [
        ("coaches.jsonl", 1, "other_organization"),
        ("players.jsonl", 1, "other_organization"),
    ]
    moved = club.load(coaches=[{**COACHES[1], "organization_id": "o1"}], insights=[insight(coach_id="c2")])
    assert (moved.coaches, moved.insights) == (Loaded(updated=1), Loaded(updated=1))


def test_a_coach_whose_user_id_appears_keeps_everything(club: Club) -> None:
    club.load(**WHOLE)
    club.run(LEDGER_ROW)
    report = club.load(coaches=[{**COACHES[0], "user_id": "u1"}], insights=[insight(), insight(id="i3")])
    assert (report.coaches, report.insights) == (Loaded(updated=1), Loaded(inserted=1, unchanged=1))
    assert club.rows("SELECT id, auth_id, user_id FROM coach WHERE auth_id = 'c1'") == [("u1", "c1", "u1")]
    assert club.rows("SELECT coach_id FROM insight WHERE organization_id = 'o1'") == [("u1",)] * 2
    assert club.rows("SELECT coach_id FROM ai_usage_log") == [("u1",)]
    before = club.everything()
    again = club.load_folder(club.folder)
    assert (again.coaches, again.insights) == (Loaded(unchanged=1), Loaded(unchanged=2))
    assert club.everything() == before


def test_a_coach_whom_a_run_is_writing_for_is_not_moved_under_it(club: Club) -> None:
    club.load(**WHOLE)
    before = club.everything()
    with club.engine.connect() as run:
        run.execute(sa.text("SELECT FROM insight WHERE id = 'i1' FOR UPDATE"))
        with pytest.raises(Transient, match="Nothing was loaded"):
            club.load(coaches=[{**COACHES[0], "user_id": "u1"}], insights=[insight(id="i3")])
    assert club.everything() == before


@pytest.mark.parametrize(
    "clash",
    [
        {"id": "u2"},
        {"id": "c3", "user_id": "u2"},
        {"id": "c3", "user_id": "c2"},
        {"id": "c3", "user_id": "c1"},
    ],
)
def test_each_id_of_a_coach_names_nobody_else(club: Club, clash: dict[str, str]) -> None:
    line = {"organization_id": "o1", "name": "Clash", **clash}
    expected = [("coaches.jsonl", 3, "duplicate_id")]
    assert club.rejects(club.load(**{**WHOLE, "coaches": [*COACHES, line]})) == expected
    later = club.load(coaches=[line, line], insights=[insight()])
    assert club.rejects(later) == [("coaches.jsonl", 1, "duplicate_id"), ("coaches.jsonl", 2, "duplicate_id")]


def test_two_loads_at_once_neither_deadlock_nor_duplicate(club: Club) -> None:
    folder = club.write(**{**WHOLE, "insights": [insight(id=f"i{n}") for n in range(2_000)]})
    reports: list[IngestReport] = []
    loads = [Thread(target=lambda: reports.append(club.load_folder(folder))) for _ in range(3)]
    for load in loads:
        load.start()
    for load in loads:
        load.join(timeout=60)
    assert sorted(report.insights.inserted for report in reports) == [0, 0, 2_000]
    assert sorted(report.insights.unchanged for report in reports) == [0, 2_000, 2_000]
    assert club.rows("SELECT count(*) FROM insight") == [(2_000,)]


def test_a_crash_at_the_last_step_loads_nothing_and_the_next_load_does(club: Club) -> None:
    folder = club.write(**{**WHOLE, "insights": [insight(), insight_2(), b"{"]})
    with club.engine.begin() as other:
        other.execute(sa.text(REFUSE_AT_COMMIT))
    with pytest.raises(sa.exc.DBAPIError, match="power cut"):
        club.load_folder(folder)
    assert not any(club.everything().values())
    assert len(list((club.home / "rejects").iterdir())) == 1, "the rejects are on disk before the commit"
    club.run("DROP FUNCTION refuse CASCADE")
    report = club.load_folder(folder)
    assert report.insights == Loaded(inserted=2)
    assert club.rejects(report) == [("insights.jsonl", 3, "not_json")]
