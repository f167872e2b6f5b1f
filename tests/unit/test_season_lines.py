"""What one line of a season file may say, sentence by sentence of the format."""

import json
from datetime import UTC, date, datetime
from typing import Any

import pytest

from core.season import (
    COACHES,
    GUARDIANS,
    INSIGHTS,
    ORGANIZATIONS,
    PLAYERS,
    SEASON,
    Accepted,
    Rejected,
    Schema,
    read_line,
)
from core.season_fields import Reason, Rules

RULES = Rules(sports={"soccer", "rugby"}, time_zones={"UTC", "Europe/Dublin"})
LEAST: dict[Schema, dict[str, Any]] = {
    ORGANIZATIONS: {"id": "o1", "name": "Club"},
    COACHES: {"id": "c1", "organization_id": "o1", "name": "Aoife"},
    PLAYERS: {"id": "p1", "organization_id": "o1", "first_name": "Ciarán Mac Giolla", "sport": "soccer"},
    GUARDIANS: {"id": "g1", "player_id": "p1"},
    INSIGHTS: {
        "id": "i1",
        "organization_id": "o1",
        "coach_id": "c1",
        "player_id": "p1",
        "title": "Passing",
        "description": "Left foot\tbetter\nthan before",
        "created_at": "2026-03-01T19:30:00+01:00",
    },
}


def accepted(schema: Schema, **changes: Any) -> dict[str, Any]:
    judged = read_line(schema, json.dumps({**LEAST[schema], **changes}).encode(), RULES)
    assert isinstance(judged, Accepted)
    return dict(zip(schema.columns, judged.values, strict=True))


def reason(schema: Schema, **changes: Any) -> Reason:
    return reason_of(schema, json.dumps({**LEAST[schema], **changes}).encode())


def reason_of(schema: Schema, raw: bytes) -> Reason:
    judged = read_line(schema, raw, RULES)
    assert isinstance(judged, Rejected)
    return judged.reason


@pytest.mark.parametrize("schema", SEASON, ids=lambda schema: schema.kind)
def test_a_line_with_only_its_required_fields_is_good(schema: Schema) -> None:
    values = accepted(schema)
    assert (
        LEAST[schema].items() - {("created_at", "2026-03-01T19:30:00+01:00"), ("id", "c1")} <= values.items()
    )


@pytest.mark.parametrize(
    ("schema", "name"),
    [(schema, field.name) for schema in SEASON for field in schema.fields if field.required],
)
def test_a_required_field_must_be_there(schema: Schema, name: str) -> None:
    line = {key: value for key, value in LEAST[schema].items() if key != name}
    assert reason_of(schema, json.dumps(line).encode()) is Reason.MISSING_FIELD
    assert reason(schema, **{name: None}) is Reason.WRONG_TYPE


@pytest.mark.parametrize(
    ("schema", "name"),
    [(schema, field.name) for schema in SEASON for field in schema.fields if not field.required],
)
def test_null_in_an_optional_field_counts_as_absent(schema: Schema, name: str) -> None:
    assert accepted(schema, **{name: None}) == accepted(schema)


@pytest.mark.parametrize(
    ("schema", "name"), [(schema, field.name) for schema in SEASON for field in schema.fields]
)
def test_a_value_of_another_type_is_the_wrong_type(schema: Schema, name: str) -> None:
    values: tuple[Any, ...] = (7.5, [], {"a": "\x00"})
    for value in values:
        assert reason(schema, **{name: value}) is Reason.WRONG_TYPE


def test_defaults_are_as_documented() -> None:
    assert accepted(ORGANIZATIONS)["timezone"] == "UTC"
    coach = accepted(COACHES)
    assert (coach["tone"], coach["summaries_enabled"], coach["skip_sensitive"]) == ("warm", True, False)
    assert (coach["approvals"], coach["suppressions"], coach["preferred_level"]) == (0, 0, None)
    guardian = accepted(GUARDIANS)
    assert (guardian["status"], guardian["consented"]) == ("pending", False)
    assert guardian["parental_responsibility"] is False
    assert accepted(INSIGHTS)["urgent"] is False


def test_the_key_of_a_coach_is_user_id_if_set_else_id() -> None:
    assert accepted(COACHES)["id"] == accepted(COACHES, user_id="")["id"] == "c1"
    coach = accepted(COACHES, user_id="u1")
    assert (coach["id"], coach["auth_id"], coach["user_id"]) == ("u1", "c1", "u1")


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        (b"{", Reason.NOT_JSON),
        (b"nonsense", Reason.NOT_JSON),
        (b'{"id": "o1"} {"id": "o2"}', Reason.NOT_JSON),
        (b'{"id": "o1", "name": NaN}', Reason.NOT_JSON),
        (b'{"id": "o1", "name": -Infinity}', Reason.NOT_JSON),
        (b'{"id": "o\xff1", "name": "Club"}', Reason.NOT_JSON),
        (b'{"id": "\xed\xa0\x80", "name": "Club"}', Reason.NOT_JSON),
        (b"[" * 100_000, Reason.NOT_JSON),
        (b'{"id": "o1", "name": "Club", "x": ' + b"9" * 5_000 + b"}", Reason.NOT_JSON),
        (b"[]", Reason.NOT_AN_OBJECT),
        (b'"o1"', Reason.NOT_AN_OBJECT),
        (b"null", Reason.NOT_AN_OBJECT),
        (b'{"id": "o1", "name": "a\x00b"}', Reason.CONTROL_CHARACTER),
        (b'{"id": "o1", "name": "a\tb"}', Reason.NOT_JSON),
        ('{"id": "o1", "name": "a\x85b"}'.encode(), Reason.CONTROL_CHARACTER),
        (b'{"id": "o1", "name": "a", "name": "b"}', Reason.BAD_VALUE),
        (b'{"id": "o1", "name": "a", "name": "a"}', Reason.BAD_VALUE),
    ],
)
def test_a_line_that_is_not_one_clean_json_object_says_why(raw: bytes, expected: Reason) -> None:
    assert reason_of(ORGANIZATIONS, raw) is expected


def test_unknown_fields_are_counted_and_otherwise_ignored() -> None:
    raw = b'{"id": "o1", "name": "Club", "x": 1, "x": 2, "y": "\\u0000", "z": {"a": 1, "a": 2}}'
    assert read_line(ORGANIZATIONS, raw, RULES) == Accepted(("o1", "Club", "UTC"), unknown_fields=3)
    assert read_line(ORGANIZATIONS, b'{"id": 1, "x": 2}', RULES) == Rejected(Reason.MISSING_FIELD, True, 1)


@pytest.mark.parametrize("character", ["\x00", "\x08", "\x0b", "\r", "\x1f", "\x7f", "\x80", "\x9f"])
def test_a_control_character_but_newline_and_tab_is_a_reject(character: str) -> None:
    assert reason(INSIGHTS, description=f"a{character}b") is Reason.CONTROL_CHARACTER
    assert reason(INSIGHTS, id=f"a{character}b") is Reason.CONTROL_CHARACTER


def test_newline_tab_and_any_script_are_kept_as_they_are() -> None:
    note = "Seán Óg\t蹴る\nيركض ⚽ \u2028 \ufeff"
    assert accepted(INSIGHTS, description=note)["description"] == note


def test_a_lone_surrogate_cannot_be_stored() -> None:
    assert reason_of(ORGANIZATIONS, b'{"id": "o1", "name": "a\\ud800"}') is Reason.BAD_VALUE


def test_ids_are_opaque_strings_of_1_to_128_characters() -> None:
    assert accepted(PLAYERS, id="é" * 128)["id"] == "é" * 128
    assert reason(PLAYERS, id="é" * 129) is Reason.TOO_LONG
    assert reason(PLAYERS, id="") is Reason.BAD_VALUE
    assert reason(PLAYERS, id=17) is Reason.WRONG_TYPE
    assert reason(INSIGHTS, voice_note_id="v" * 129) is Reason.TOO_LONG
    assert reason(COACHES, user_id="u" * 129) is Reason.TOO_LONG


@pytest.mark.parametrize(("name", "longest"), [("title", 500), ("description", 8_000)])
def test_titles_and_descriptions_have_their_lengths(name: str, longest: int) -> None:
    assert accepted(INSIGHTS, **{name: "⚽" * longest})[name] == "⚽" * longest
    assert reason(INSIGHTS, **{name: "⚽" * (longest + 1)}) is Reason.TOO_LONG
    assert reason(INSIGHTS, **{name: ""}) is Reason.BAD_VALUE


def test_other_texts_are_at_most_500_characters_long() -> None:
    assert accepted(PLAYERS, team="t" * 500)["team"] == "t" * 500
    assert reason(PLAYERS, team="t" * 501) is Reason.TOO_LONG
    assert reason(PLAYERS, first_name="") is Reason.BAD_VALUE


@pytest.mark.parametrize(
    ("schema", "name", "value"),
    [
        (ORGANIZATIONS, "timezone", "Dublin"),
        (COACHES, "tone", "Warm"),
        (COACHES, "approvals", -1),
        (COACHES, "suppressions", 2**31),
        (COACHES, "preferred_level", 4),
        (PLAYERS, "sport", "quidditch"),
        (PLAYERS, "age_group", "u5"),
        (PLAYERS, "age_group", "U12"),
        (PLAYERS, "date_of_birth", "2014-02-30"),
        (PLAYERS, "date_of_birth", "20140228"),
        (PLAYERS, "date_of_birth", "2014-W09-5"),
        (GUARDIANS, "status", "gone"),
        (INSIGHTS, "sport", "quidditch"),
        (INSIGHTS, "created_at", "2026-03-01T19:30:00"),
        (INSIGHTS, "created_at", "2026-03-01"),
        (INSIGHTS, "created_at", "2026-02-30T19:30:00Z"),
        (INSIGHTS, "created_at", "2026-03-01T24:30:00Z"),
        (INSIGHTS, "created_at", "2026-03-01T19:30:60Z"),
        (INSIGHTS, "created_at", "20260301T193000Z"),
        (INSIGHTS, "created_at", "2026-03-01T19:30:00+0100"),
        (INSIGHTS, "created_at", "0001-01-01T00:00:00+14:00"),
        (INSIGHTS, "created_at", "9999-12-31T23:59:59-12:00"),
        (INSIGHTS, "created_at", "yesterday"),
    ],
)
def test_a_value_outside_its_list_or_range_is_a_bad_value(schema: Schema, name: str, value: Any) -> None:
    assert reason(schema, **{name: value}) is Reason.BAD_VALUE


@pytest.mark.parametrize(
    ("schema", "name", "value"),
    [
        (COACHES, "approvals", True),
        (COACHES, "approvals", "3"),
        (COACHES, "approvals", 3.0),
        (COACHES, "preferred_level", False),
        (COACHES, "summaries_enabled", 1),
        (INSIGHTS, "urgent", "true"),
        (INSIGHTS, "created_at", 1_772_000_000),
    ],
)
def test_numbers_flags_and_strings_are_never_taken_for_each_other(
    schema: Schema, name: str, value: Any
) -> None:
    assert reason(schema, **{name: value}) is Reason.WRONG_TYPE


def test_values_at_the_edge_are_good() -> None:
    coach = accepted(COACHES, approvals=2**31 - 1, preferred_level=0, tone="brief")
    assert (coach["approvals"], coach["preferred_level"], coach["tone"]) == (2**31 - 1, 0, "brief")
    player = accepted(PLAYERS, age_group="senior", date_of_birth="2012-02-29")
    assert (player["age_group"], player["date_of_birth"]) == ("senior", date(2012, 2, 29))
    assert [accepted(PLAYERS, age_group=group)["age_group"] for group in ("u6", "u18")] == ["u6", "u18"]


@pytest.mark.parametrize(
    ("written", "read"),
    [
        ("2026-03-01T19:30:00+01:00", datetime(2026, 3, 1, 18, 30, tzinfo=UTC)),
        ("2026-03-01t19:30:00z", datetime(2026, 3, 1, 19, 30, tzinfo=UTC)),
        ("2026-03-01 19:30:00-00:00", datetime(2026, 3, 1, 19, 30, tzinfo=UTC)),
        ("2026-03-01T19:30:00.5Z", datetime(2026, 3, 1, 19, 30, 0, 500_000, tzinfo=UTC)),
        ("2026-03-01T19:30:00.1234567Z", datetime(2026, 3, 1, 19, 30, 0, 123_456, tzinfo=UTC)),
    ],
)
def test_created_at_is_read_as_rfc_3339_writes_it(written: str, read: datetime) -> None:
    assert accepted(INSIGHTS, created_at=written)["created_at"] == read


def test_any_word_is_kept_as_a_category() -> None:
    assert accepted(INSIGHTS, category="county_panel")["category"] == "county_panel"


def test_of_several_reasons_the_first_in_the_list_counts() -> None:
    line = {**LEAST[INSIGHTS], "urgent": "no", "title": "\x00", "description": "x" * 8_001, "sport": "go"}
    in_order = ["urgent", "title", "description", "sport"]
    seen = []
    for name in in_order:
        seen.append(reason_of(INSIGHTS, json.dumps(line).encode()))
        line[name] = LEAST[INSIGHTS].get(name)
    assert seen == [Reason.WRONG_TYPE, Reason.CONTROL_CHARACTER, Reason.TOO_LONG, Reason.BAD_VALUE]
    assert isinstance(read_line(INSIGHTS, json.dumps(line).encode(), RULES), Accepted)
