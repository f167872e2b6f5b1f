"""Loading a season folder: what is loaded, and what is turned away and kept."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from core.errors import BadInput, NotReady
from database.engine import connect
from tasks import season
from tasks.season import Loaded
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


@pytest.fixture
def club(database_url: str, tmp_path: Path) -> Iterator[Club]:
    engine = connect(database_url)
    yield Club(engine, tmp_path)
    engine.dispose()


def test_a_season_is_loaded_whole_and_its_insights_are_pending(club: Club) -> None:
    report = club.load(**WHOLE)
    assert report.to_json() == {
        "organizations": {"inserted": 2, "updated": 0, "unchanged": 0},
        "coaches": {"inserted": 2, "updated": 0, "unchanged": 0},
        "players": {"inserted": 2, "updated": 0, "unchanged": 0},
        "guardians": {"inserted": 1, "updated": 0, "unchanged": 0},
        "insights": {"inserted": 2, "updated": 0, "unchanged": 0},
        "rejected": {},
        "unknown_fields": 0,
        "rejects_file": None,
    }
    assert club.rows("SELECT id, coach_id, state, created_at FROM insight ORDER BY id") == [
        ("i1", "c1", "pending", datetime(2026, 3, 1, 18, 30, tzinfo=UTC)),
        ("i2", "u2", "pending", datetime(2026, 3, 1, 18, 30, tzinfo=UTC)),
    ]
    assert club.rows("SELECT id, timezone FROM organization ORDER BY id") == [
        ("o1", "UTC"),
        ("o2", "Europe/Dublin"),
    ]
    assert not (club.home / "rejects").exists()


def test_a_bad_line_never_stops_the_load_and_is_never_lost(club: Club) -> None:
    lines: list[bytes] = [
        b"not json",
        b"[1]",
        b'{"id": "i3"}',
        json.dumps(insight(id=3)).encode(),
        json.dumps(insight(id="i4", created_at="now")).encode(),
        json.dumps(insight(id="i5", title="x" * 501)).encode(),
        json.dumps(insight(id="i6", title="a\x00b")).encode(),
        json.dumps(insight(id="i7", player_id="nobody")).encode(),
        json.dumps(insight(id="i8", player_id="p2")).encode(),
        json.dumps(insight(description="other")).encode(),
    ]
    report = club.load(**{**WHOLE, "insights": [insight(), *lines, insight_2()]})
    reasons = [
        "not_json",
        "not_an_object",
        "missing_field",
        "wrong_type",
        "bad_value",
        "too_long",
        "control_character",
        "unknown_reference",
        "other_organization",
        "duplicate_id",
    ]
    assert report.insights == Loaded(inserted=2)
    assert report.rejected == dict.fromkeys(sorted(reasons), 1)
    assert club.reject_lines(report) == [
        {"file": "insights.jsonl", "line": number, "reason": reason, "raw": raw.decode()}
        for number, (reason, raw) in enumerate(zip(reasons, lines, strict=True), start=2)
    ]
    assert report.to_json()["rejects_file"] == str(report.rejects_file)
    assert report.rejects_file is not None
    assert report.rejects_file.parent == club.home / "rejects"


def test_every_kind_of_bad_line_is_kept_in_the_order_of_files_and_lines(club: Club) -> None:
    report = club.load(
        guardians=[*GUARDIANS, {"id": "g2", "player_id": "nobody"}],
        insights=[insight(), b"{"],
        players=[*PLAYERS, {"id": "p3", "organization_id": "o9", "first_name": "Eva", "sport": "soccer"}],
        coaches=[{"id": "c0"}, *COACHES],
        organizations=[*ORGANIZATIONS, {"id": "", "name": "x"}],
    )
    assert club.rejects(report) == [
        ("organizations.jsonl", 3, "bad_value"),
        ("coaches.jsonl", 1, "missing_field"),
        ("players.jsonl", 3, "unknown_reference"),
        ("guardians.jsonl", 2, "unknown_reference"),
        ("insights.jsonl", 2, "not_json"),
    ]


def test_the_raw_line_comes_back_byte_for_byte_even_when_it_is_not_utf_8(club: Club) -> None:
    raw = b'{"id": "\xff\xfe", "name": "Se\xc3\xa1n \x00"}'
    report = club.load(**{**WHOLE, "organizations": [*ORGANIZATIONS, raw]})
    assert [line["raw"].encode("utf-8", "surrogateescape") for line in club.reject_lines(report)] == [raw]


def test_rejects_files_are_never_overwritten_and_private(club: Club) -> None:
    files = [club.load(**{**WHOLE, "insights": [insight(), b"{"]}).rejects_file for _ in range(3)]
    assert [file.name for file in files if file] == [
        "20260302T063000Z.jsonl",
        "20260302T063000Z-2.jsonl",
        "20260302T063000Z-3.jsonl",
    ]
    assert all(file.stat().st_mode & 0o077 == 0 for file in files if file)


def test_nothing_is_loaded_when_the_rejects_cannot_be_written(club: Club) -> None:
    club.home.write_text("a file where the folder should be")
    with pytest.raises(NotReady, match="TOUCHLINE_HOME"):
        club.load(**{**WHOLE, "insights": [insight(), b"{"]})
    assert not any(club.everything().values())


def test_unknown_fields_are_ignored_and_counted(club: Club) -> None:
    report = club.load(**{**WHOLE, "insights": [insight(mood="good", stars=5), insight_2(mood="bad")]})
    assert report.insights == Loaded(inserted=2)
    assert report.unknown_fields == 3


def test_blank_lines_crlf_and_a_byte_order_mark_do_not_matter(club: Club) -> None:
    text = "\ufeff" + json.dumps(insight()) + "\r\n\r\n \t\n\n{\r\n" + json.dumps(insight_2())
    report = club.load(**{**WHOLE, "insights": text.encode()})
    assert report.insights == Loaded(inserted=2)
    assert [(line["line"], line["raw"]) for line in club.reject_lines(report)] == [(5, "{")]


def test_unexpected_files_are_ignored_and_people_may_be_loaded_before(club: Club) -> None:
    club.load(**WHOLE)
    report = club.load(insights=[insight(id="i9")], teams=b"whatever")
    assert report.insights == Loaded(inserted=1)
    assert report.coaches == Loaded()


@pytest.mark.parametrize(
    "wrong",
    [
        {"insights": b""},
        {"insights": b"\n \n"},
        {"insights": json.dumps([insight()]).encode()},
        {"insights": json.dumps(insight(), indent=2).encode()},
        {"insights": json.dumps(insight()).encode("utf-16")},
        {"coaches": b"id,name\nc1,Aoife\n"},
        {"organizations": b"\x89PNG\r\n\x1a\n\x00"},
    ],
)
def test_a_file_that_is_not_json_lines_is_one_clear_error_and_loads_nothing(
    club: Club, wrong: dict[str, bytes]
) -> None:
    with pytest.raises(BadInput, match="Write one"):
        club.load(**{**WHOLE, **wrong})
    assert not any(club.everything().values())
    assert not club.home.exists()


def test_a_folder_without_insights_is_one_clear_error(club: Club) -> None:
    with pytest.raises(BadInput, match=r"no insights\.jsonl.*Name the folder"):
        club.load(**{name: lines for name, lines in WHOLE.items() if name != "insights"})
    with pytest.raises(BadInput, match="not there"):
        club.load_folder(club.place / "nowhere")
    with pytest.raises(BadInput, match="not a folder"):
        club.load_folder(club.folder / "coaches.jsonl")
    (club.write(**WHOLE) / "guardians.jsonl").unlink()
    (club.folder / "guardians.jsonl").mkdir()
    with pytest.raises(BadInput, match="cannot be read"):
        club.load_folder(club.folder)
    assert not any(club.everything().values())


def test_the_same_id_twice_counts_as_unchanged_or_is_a_duplicate(club: Club) -> None:
    report = club.load(
        organizations=[*ORGANIZATIONS, ORGANIZATIONS[0], {"id": "o1", "name": "Other"}],
        coaches=[*COACHES, COACHES[1], {**COACHES[1], "name": "Other"}],
        players=[*PLAYERS, PLAYERS[0], {**PLAYERS[0], "team": "u12"}],
        guardians=[*GUARDIANS, GUARDIANS[0], {**GUARDIANS[0], "consented": False}],
        insights=[
            insight(),
            insight(created_at="2026-03-01T18:30:00Z"),
            insight_2(coach_id="u2"),
            insight_2(),
            insight(urgent=True),
        ],
    )
    assert report.insights == Loaded(inserted=2, unchanged=2)
    assert report.guardians == Loaded(inserted=1, unchanged=1)
    for loaded in (report.organizations, report.coaches, report.players):
        assert loaded == Loaded(inserted=2, unchanged=1)
    assert report.rejected == {"duplicate_id": 5}
    assert club.rows("SELECT name FROM organization WHERE id = 'o1'") == [("Na Fianna",)]


def test_a_rejected_line_does_not_take_its_id(club: Club) -> None:
    report = club.load(**{**WHOLE, "insights": [insight(player_id="nobody"), insight(title=""), insight()]})
    assert report.insights == Loaded(inserted=1)
    assert report.rejected == {"bad_value": 1, "unknown_reference": 1}


def test_an_insight_may_name_its_coach_by_either_id(club: Club) -> None:
    club.load(**{**WHOLE, "insights": [insight_2(id="a"), insight_2(id="b", coach_id="u2")]})
    assert club.rows("SELECT DISTINCT coach_id FROM insight") == [("u2",)]


def test_references_to_rejected_lines_are_unknown(club: Club) -> None:
    report = club.load(
        organizations=[ORGANIZATIONS[0], {"id": "o2"}],
        coaches=COACHES,
        players=PLAYERS,
        guardians=[*GUARDIANS, {"id": "g2", "player_id": "p2"}],
        insights=[insight(), insight_2()],
    )
    assert report.rejected == {"missing_field": 1, "unknown_reference": 4}
    assert report.insights == report.coaches == report.players == report.guardians == Loaded(inserted=1)


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"organization_id": "o9"}, "unknown_reference"),
        ({"coach_id": "c9"}, "unknown_reference"),
        ({"player_id": "p9"}, "unknown_reference"),
        ({"player_id": "p9", "coach_id": "c2"}, "unknown_reference"),
        ({"organization_id": "o2"}, "other_organization"),
        ({"coach_id": "c2"}, "other_organization"),
        ({"coach_id": "u2"}, "other_organization"),
        ({"player_id": "p2"}, "other_organization"),
    ],
)
def test_an_insight_names_people_of_its_own_organisation(
    club: Club, changes: dict[str, str], reason: str
) -> None:
    report = club.load(**{**WHOLE, "insights": [insight(**changes), insight_2()]})
    assert club.rejects(report) == [("insights.jsonl", 1, reason)]


def test_lines_loaded_and_rejected_add_up(club: Club) -> None:
    lines = [insight(id=f"i{n % 40}", title=f"t{n % 3}" if n % 7 else "") for n in range(120)]
    report = club.load(**{**WHOLE, "insights": lines})
    loaded = report.insights
    assert loaded.inserted + loaded.updated + loaded.unchanged + sum(report.rejected.values()) == len(lines)


def test_progress_is_told_in_bytes(club: Club) -> None:
    folder = club.write(**WHOLE)
    told: list[tuple[int, int]] = []
    season.ingest(
        club.engine,
        folder,
        home=club.home,
        sports={"soccer", "rugby"},
        now=NOW,
        progress=lambda done, total: told.append((done, total)),
    )
    size = sum(file.stat().st_size for file in folder.iterdir())
    assert told[-1] == (size, size)
    assert told == sorted(told)
