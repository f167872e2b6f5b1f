"""The generator writes seasons that are varied, consistent, and the same for the same seed."""

import json
from collections import Counter
from datetime import date, datetime, time
from random import Random
from typing import Any

import pytest

from core.prompt import sports
from examples.generate import Season, insight_lines, insight_rows, parse_season, season_players
from examples.notes import NoteWriter, known_sports, read
from examples.people import (
    Player,
    clubs,
    coaches,
)
from examples.rejects import KINDS, bad_line, serials

DEFAULT = Season()
GISTS = {
    "skill_rating": "skill_rating",
    "weak_side": "skill_progress",
    "under_pressure": "performance",
    "mixed_match": "performance",
    "tough_night": "wellbeing",
    "strain": "injury",
    "tightness": "injury",
    "row": "behavior",
    "dizzy": "injury",
    "nearly_healed": "recovery",
    "leader": "behavior",
    "missed_training": "attendance",
    "panel": "development_milestone",
    "new_position": "tactical",
    "restarts": "skill_progress",
    "parent_talk": "parent_communication",
}
REASONS = {
    "not_json",
    "not_an_object",
    "missing_field",
    "wrong_type",
    "bad_value",
    "too_long",
    "duplicate_id",
    "control_character",
    "unknown_reference",
    "other_organization",
}
EACH_SPORT = pytest.mark.parametrize("sport", known_sports())


def people(season: Season = DEFAULT) -> list[Player]:
    return season_players(season, coaches(season.coaches, clubs(season.organizations), season.sports))


def rows(season: Season = DEFAULT) -> list[dict[str, Any]]:
    return list(insight_rows(season, people(season)))


def all_lines(season: Season) -> list[str]:
    return list(insight_lines(season, clubs(season.organizations), people(season)))


def test_the_same_seed_gives_the_same_lines_and_another_seed_others() -> None:
    assert all_lines(DEFAULT) == all_lines(Season())
    assert all_lines(DEFAULT) != all_lines(Season(seed=DEFAULT.seed + 1))


@EACH_SPORT
def test_one_deck_of_notes_holds_every_gist_of_the_domain(sport: str) -> None:
    writer = NoteWriter(sport, Random(1))
    deck = [
        writer.write("Aoife", "she").gist
        for _ in range(sum(gist["copies"] for gist in read("common")["gists"]))
    ]
    assert GISTS.items() <= {gist.code: gist.category for gist in deck}.items()
    assert {gist.code for gist in deck if gist.urgent} == {"dizzy"}


def test_the_default_season_has_a_full_deck_of_every_sport() -> None:
    sport_of = {player.id: player.coach.sport for player in people()}
    told = Counter(row.get("sport", sport_of[row["player_id"]]) for row in rows())
    deck = sum(gist["copies"] for gist in read("common")["gists"])
    assert set(told) == set(DEFAULT.sports)
    assert min(told.values()) >= deck


@EACH_SPORT
def test_notes_are_about_as_long_as_a_coach_speaks(sport: str) -> None:
    writer = NoteWriter(sport, Random(2))
    lengths = [len(writer.write("Ó", "he").text) for _ in range(2_000)]
    assert min(lengths) >= 120
    assert max(lengths) <= 600


@EACH_SPORT
def test_notes_seldom_repeat_and_leave_no_brace_open(sport: str) -> None:
    writer = NoteWriter(sport, Random(3))
    notes = [writer.write("Mary Kate", "she") for _ in range(200)]
    assert len({note.text for note in notes}) >= 195
    assert all("{" not in note.title + note.text and 1 <= len(note.title) <= 500 for note in notes)
    assert all("Mary Kate" in note.title + note.text for note in notes)


def fillers_in(text: str) -> list[str]:
    return [
        filler
        for kind in read("common")["fillers"]
        for filler in kind["texts"]
        if (text.startswith(f"{filler} ") if kind.get("before") else text.endswith(f" {filler}"))
    ]


def test_a_filler_fits_its_gist_and_none_stands_in_a_sensitive_note_or_a_milestone() -> None:
    plain = {gist for kind in read("common")["fillers"] for gist in kind["gists"]}
    category = {gist["code"]: gist["category"] for gist in read("common")["gists"]}
    assert not {"injury", "recovery", "wellbeing", "development_milestone", "parent_communication"} & {
        category[gist] for gist in plain
    }
    assert "unnamed_pain" not in plain
    for sport in known_sports():
        writer = NoteWriter(sport, Random(7))
        for note in (writer.write("Aoife", "she") for _ in range(500)):
            assert len(fillers_in(note.text)) <= (note.gist.code in plain)


def test_no_filler_recurs_often_in_the_default_season() -> None:
    told = Counter(filler for row in rows() for filler in fillers_in(row["description"]))
    assert DEFAULT.insights / 4 < told.total() < DEFAULT.insights * 2 / 3
    assert max(told.values()) <= DEFAULT.insights / 50


@EACH_SPORT
def test_a_sport_indoors_has_no_pitch_and_no_weather(sport: str) -> None:
    writer, outdoors = (
        NoteWriter(sport, Random(5)),
        read(f"sports/{sport}")["place"] in ("pitch", "track", "astro"),
    )
    said = " ".join(writer.write("Mary Kate", "she").text for _ in range(300))
    assert outdoors == ("lashing rain" in said)
    assert ("near side of the pitch" in said) == (read(f"sports/{sport}")["place"] == "pitch")


def test_notes_are_written_as_they_are_spoken() -> None:
    for row in rows(Season(insights=2_000)):
        assert not set(row["description"].split()) & {"v", "vs", "&"}
        assert "/5" not in row["description"]


@EACH_SPORT
def test_every_text_has_its_title(sport: str) -> None:
    for notes in (read("common")["notes"], read(f"sports/{sport}")["notes"]):
        assert all("{name}" in text for each in notes.values() for text in each["texts"])
        assert all(len(each["titles"]) == len(each["texts"]) >= 2 for each in notes.values())


@EACH_SPORT
def test_every_sport_with_notes_has_a_sheet(sport: str) -> None:
    assert sport in sports()


def test_insights_belong_together_and_have_ids_of_their_own() -> None:
    by_id = {player.id: player for player in people()}
    told = rows()
    assert len({row["id"] for row in told}) == len(told) == DEFAULT.insights
    for row in told:
        coach = by_id[row["player_id"]].coach
        assert row["coach_id"] in coach.ids
        assert row["organization_id"] == coach.club.id
        assert row.get("sport") != coach.sport


def test_insights_come_in_the_order_of_evening_sessions() -> None:
    zones = {club.id: club.zone for club in clubs(DEFAULT.organizations)}
    days: list[date] = []
    for row in rows():
        at = datetime.fromisoformat(row["created_at"])
        assert at.utcoffset() == at.astimezone(zones[row["organization_id"]]).utcoffset()
        assert time(18, 45) <= at.time() <= time(21, 15)
        days.append(at.date())
    assert days == sorted(days)
    assert len(set(days)) == 22


def test_some_insights_have_another_sport_no_category_or_an_odd_one() -> None:
    told = rows(Season(insights=2_000))
    assert 20 < sum("sport" in row for row in told) < 120
    assert 40 < sum("category" not in row for row in told) < 140
    assert 5 < sum(row.get("category") == "banter" for row in told) < 50


def test_ten_bad_lines_show_every_reason_once() -> None:
    assert {reason for _, reason, _ in KINDS} == REASONS
    assert len(KINDS) == len(REASONS)
    assert sorted(n for file in ("insights", "players", "guardians") for n in serials(file, 10)) == list(
        range(10)
    )


def test_bad_lines_are_bad_in_the_way_they_say() -> None:
    good = rows()[0]
    line = {reason: bad_line(n, good, clubs(2)) for n, (_, reason, _) in enumerate(KINDS)}
    with pytest.raises(json.JSONDecodeError):
        json.loads(line["not_json"])
    read_back = {reason: json.loads(text) for reason, text in line.items() if reason != "not_json"}
    assert isinstance(read_back["not_an_object"], list)
    assert "description" not in read_back["missing_field"]
    assert read_back["wrong_type"]["consented"] == "yes"
    assert read_back["bad_value"]["sport"] not in sports()
    assert len(read_back["too_long"]["title"]) == 501
    assert read_back["duplicate_id"]["id"] == good["id"]
    assert read_back["duplicate_id"] != good
    assert "\x00" in read_back["control_character"]["description"]
    assert read_back["unknown_reference"]["player_id"] == "player-who-left"
    assert read_back["other_organization"]["organization_id"] != good["organization_id"]
    assert not any("\n" in text for text in line.values())


@pytest.mark.parametrize(("insights", "bad"), [(1, 0), (1, 10), (7, 25), (200, 10)])
def test_all_bad_insights_are_written_however_few_the_good_ones_are(insights: int, bad: int) -> None:
    lines = all_lines(Season(insights=insights, bad_lines=bad))
    assert len(lines) == insights + len(serials("insights", bad))


def test_a_season_of_one_club_and_one_sport_is_possible() -> None:
    lines = all_lines(Season(insights=50, players=5, coaches=1, organizations=1, sports=("rugby",)))
    assert len(lines) == 58


def test_the_command_line_without_options_is_the_default_season() -> None:
    assert parse_season(["folder"])[1] == Season()


def test_people_grow_with_the_insights_unless_they_are_given() -> None:
    season = parse_season(["folder", "--insights", "10000", "--sports", "rugby,soccer"])[1]
    assert (season.players, season.coaches, season.sports) == (3_000, 120, ("rugby", "soccer"))
    assert parse_season(["folder", "--insights", "10000", "--players", "7"])[1].players == 7


@pytest.mark.parametrize(
    "options",
    [
        ["--insights", "0"],
        ["--sports", "curling"],
        ["--coaches", "1"],
        ["--bad-lines", "-1"],
        ["--players", "0"],
    ],
)
def test_options_that_make_no_season_end_with_a_usage_message(
    options: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        parse_season(["folder", *options])
    assert ended.value.code == 2
    assert "usage:" in capsys.readouterr().err
