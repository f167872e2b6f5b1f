"""Who is in a generated season: clubs, coaches, players and guardians as real registers have them."""

from collections import defaultdict
from datetime import date
from random import Random
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from core.prompt import age_group_of
from core.states import GuardianStatus, Tone
from examples.generate import Season, insight_rows, season_players
from examples.notes import known_sports, read
from examples.people import (
    Player,
    club_rows,
    clubs,
    coach_rows,
    coaches,
    guardian_rows,
    player_rows,
)

DEFAULT = Season()


def people(season: Season = DEFAULT) -> list[Player]:
    return season_players(season, coaches(season.coaches, clubs(season.organizations), season.sports))


def rows(season: Season = DEFAULT) -> list[dict[str, Any]]:
    return list(insight_rows(season, people(season)))


def test_players_and_team_mates_of_camogie_are_girls() -> None:
    season = Season(insights=300, sports=("camogie",))
    assert {player.pronoun for player in people(season)} == {"she"}
    assert not {mate for mate, pronoun in read("people")["mates"] if pronoun == "he"} & {
        word.strip(".,'s") for row in rows(season) for word in row["description"].split()
    }


def test_a_team_mate_never_has_a_players_name() -> None:
    material = read("people")
    assert not {name for name, _ in material["mates"]} & {name for name, _ in material["first_names"]}


def test_the_coaches_have_every_tone_and_every_setting() -> None:
    told = list(coach_rows(coaches(8, clubs(2), DEFAULT.sports)))
    assert {row.get("tone", "warm") for row in told} == {tone.value for tone in Tone}
    assert sum(row.get("summaries_enabled", True) is False for row in told) == 1
    assert sum(row.get("skip_sensitive", False) for row in told) == 2
    assert sum(row["user_id"] is not None for row in told) == 1
    assert {row.get("preferred_level") for row in told} == {None, 0, 1, 3}
    assert max(row.get("approvals", 0) for row in told) >= 200


def test_both_ids_of_a_coach_with_two_occur() -> None:
    assert {"coach-005", "user-005"} <= {row["coach_id"] for row in rows()}


def test_the_coach_without_summaries_covers_less_than_a_tenth() -> None:
    off = {
        row["id"]
        for row in coach_rows(coaches(8, clubs(2), DEFAULT.sports))
        if not row.get("summaries_enabled", True)
    }
    assert 0 < sum(row["coach_id"] in off for row in rows()) < DEFAULT.insights / 10


def test_every_sport_is_played_every_club_has_several_and_its_own_time_zone() -> None:
    of_clubs = clubs(DEFAULT.organizations)
    played = defaultdict(set)
    for coach in coaches(DEFAULT.coaches, of_clubs, DEFAULT.sports):
        played[coach.club.id].add(coach.sport)
    assert set().union(*played.values()) == set(DEFAULT.sports)
    assert all(len(each) == 4 for each in played.values())
    assert len({row["timezone"] for row in club_rows(of_clubs)}) == DEFAULT.organizations
    assert all(ZoneInfo(row["timezone"]) for row in club_rows(of_clubs))


def test_players_have_the_gaps_and_the_names_of_real_registers() -> None:
    told = list(player_rows(people(), Random(4)))
    assert len({row["id"] for row in told}) == len(told) == DEFAULT.players
    for gap in ("last_name", "date_of_birth", "age_group", "team", "position"):
        assert 0 < sum(gap in row for row in told) < len(told)
    assert any(" " in row["first_name"] for row in told)
    assert any(not row["first_name"].isascii() for row in told)


def test_a_birth_date_fits_the_squads_age_group_or_the_one_below() -> None:
    for player, row in zip(people(), player_rows(people(), Random(5)), strict=True):
        if "date_of_birth" in row:
            group = age_group_of(None, date.fromisoformat(row["date_of_birth"]), date(2026, 9, 1))
            assert group in (f"u{player.coach.age}", f"u{player.coach.age - 1}")


def test_only_active_guardians_have_consented() -> None:
    told = list(guardian_rows(people(), Random(6)))
    assert {row["status"] for row in told} == {status.value for status in GuardianStatus}
    assert {row["status"] for row in told if row["consented"]} == {"active"}
    assert all(row["email"].endswith("@example.org") for row in told)


@pytest.mark.parametrize("organizations", [1, 3, 5, 9])
def test_with_enough_coaches_no_sport_is_left_out_and_no_club_has_one_sport_alone(organizations: int) -> None:
    played = defaultdict(set)
    for coach in coaches(18, clubs(organizations), known_sports()):
        played[coach.club.id].add(coach.sport)
    assert set().union(*played.values()) == set(known_sports())
    assert all(len(each) >= 2 for each in played.values())


def test_a_note_about_another_sport_is_about_one_that_the_player_plays() -> None:
    season = Season(insights=1_500, sports=known_sports(), coaches=18)
    girls = {player.id for player in people(season) if player.pronoun == "she"}
    told = [row for row in rows(season) if "sport" in row]
    assert {row["player_id"] in girls for row in told if row["sport"] == "camogie"} == {True}
    assert {row["player_id"] in girls for row in told if row["sport"] == "hurling"} == {False}
