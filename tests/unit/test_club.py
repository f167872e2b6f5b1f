"""What may be chosen, whose choice counts, and what is due when on a club's own clocks."""

from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest

from core.club import (
    AUTOMATIC_APPROVAL,
    DUE_AT_LEAST,
    GENERATION,
    NOTIFICATION,
    SETTINGS,
    Club,
    Source,
    club_of,
    counting,
    permitted,
    setting_named,
)
from core.errors import BadInput, NotReady
from core.states import LaneChoice

NOW = datetime(2026, 11, 22, 20, tzinfo=UTC)


def club(timezone: str = "UTC", **own: str) -> Club:
    return club_of("club", timezone, {}, own)


def due(timezone: str, summaries_due: str, now: str) -> str:
    """When it is due, in UTC, for a batch that starts at an instant."""
    found = club(timezone, summaries_due=summaries_due).due_after(datetime.fromisoformat(now))
    assert found.tzinfo is UTC
    return found.strftime("%d %H:%M")


def test_without_any_choice_the_defaults_count() -> None:
    assert club_of("club", "Europe/Dublin", {}, {}) == Club(
        "club", "Europe/Dublin", LaneChoice.LIVE, 36, time(7, 0)
    )


def test_a_clubs_own_choice_counts_before_the_platforms_each_by_itself() -> None:
    platform = {"lane": "overnight", "live_after_hours": "12"}
    found = club_of("club", "UTC", platform, {"lane": "auto", "summaries_due": "06:30"})
    assert (found.lane, found.live_after_hours, found.summaries_due) == (LaneChoice.AUTO, 12, time(6, 30))
    sources = [counting(setting, platform, {"lane": "live"})[1] for setting in SETTINGS.values()]
    assert sources == [Source.ORGANIZATION, Source.PLATFORM, *[Source.DEFAULT] * 4]


def test_a_kill_switch_of_the_platform_counts_before_a_clubs_own_choice_and_a_clubs_own_off_too() -> None:
    for switch in (GENERATION, AUTOMATIC_APPROVAL, NOTIFICATION):
        name = switch.name
        assert counting(switch, {name: "off"}, {name: "on"}) == ("off", Source.PLATFORM)
        assert counting(switch, {name: "on"}, {name: "off"}) == ("off", Source.ORGANIZATION)
        assert counting(switch, {}, {}) == ("on", Source.DEFAULT)


@pytest.mark.parametrize(
    ("platform", "own", "allowed"),
    [
        (None, None, True),
        ("on", None, True),
        ("off", None, False),
        ("off", "on", False),
        ("on", "off", False),
        (None, "off", False),
        ("maybe", "on", None),
        ("on", "", None),
    ],
)
def test_a_kill_switch_permits_only_when_both_do_and_what_cannot_be_read_is_unknown(
    platform: str | None, own: str | None, allowed: bool | None
) -> None:
    assert permitted(AUTOMATIC_APPROVAL, platform, own) is allowed


@pytest.mark.parametrize(
    ("name", "text", "value"),
    [
        ("lane", "overnight", LaneChoice.OVERNIGHT),
        ("live_after_hours", "1", 1),
        ("live_after_hours", "720", 720),
        ("summaries_due", "00:00", time(0, 0)),
        ("summaries_due", "23:59", time(23, 59)),
        ("generation", "on", True),
        ("notification", "off", False),
    ],
)
def test_a_text_that_is_allowed_is_read(name: str, text: str, value: object) -> None:
    assert setting_named(name).read(text) == value


@pytest.mark.parametrize(
    ("name", "allowed", "texts"),
    [
        ("lane", "live, overnight or auto", ("", "Live", "nightly", " live")),
        (
            "live_after_hours",
            "from 1 to 720",
            ("", "0", "721", "-1", "1.5", "036", "+5", "1_0", "٣", " 5", "x"),
        ),
        (
            "summaries_due",
            "from 00:00 to 23:59",
            ("", "7:00", "24:00", "07:60", "07:00:00", "07:00Z", "0700", "7"),
        ),
    ],
)
def test_any_other_text_is_refused_with_what_is_allowed(
    name: str, allowed: str, texts: tuple[str, ...]
) -> None:
    for text in texts:
        with pytest.raises(BadInput, match=f"{name} takes .*{allowed}.*, not") as refused:
            setting_named(name).read(text)
        assert repr(text) in str(refused.value)


def test_an_unknown_name_is_refused_with_all_names() -> None:
    with pytest.raises(
        BadInput, match="no setting 'lanes'; there are: lane, live_after_hours, summaries_due"
    ):
        setting_named("lanes")


def test_every_default_is_allowed_and_every_setting_described_in_a_line() -> None:
    for name, setting in SETTINGS.items():
        setting.read(setting.default)
        assert setting.name == name
        assert setting.description
        assert "\n" not in setting.description


def test_what_does_not_count_is_not_read() -> None:
    assert club_of("club", "UTC", {"lane": "?"}, {"lane": "auto", "later": "?"}).lane is LaneChoice.AUTO
    with pytest.raises(BadInput, match="lane takes"):
        club_of("club", "UTC", {"lane": "?"}, {})


def test_live_before_counts_real_hours_whatever_the_clocks_do() -> None:
    now = datetime(2026, 10, 25, 12, tzinfo=ZoneInfo("Europe/Dublin"))  # the clocks went back in the night
    found = club("Europe/Dublin", live_after_hours="24").live_before(now)
    assert found == datetime(2026, 10, 24, 12, tzinfo=UTC)
    assert found.tzinfo is UTC


@pytest.mark.parametrize(
    ("now", "expected"),
    [
        ("2026-11-22T05:59:59+00:00", "22 07:00"),
        ("2026-11-22T06:00:00+00:00", "22 07:00"),
        ("2026-11-22T06:00:01+00:00", "23 07:00"),
        ("2026-11-22T11:30:00+05:30", "22 07:00"),  # the same instant, told by other clocks
        ("2026-11-22T23:30:00+00:00", "23 07:00"),
    ],
)
def test_due_is_the_first_such_time_that_is_at_least_an_hour_away(now: str, expected: str) -> None:
    assert due("UTC", "07:00", now) == expected


@pytest.mark.parametrize(
    ("timezone", "now", "expected"),
    [
        ("Europe/Dublin", "2026-03-28T20:00:00+00:00", "29 06:00"),  # summer time begins that night
        ("Europe/Dublin", "2026-10-24T20:00:00+00:00", "25 07:00"),  # and ends
        ("Asia/Kolkata", "2026-03-28T20:00:00+00:00", "29 01:30"),  # no change of the clocks
        ("Asia/Kolkata", "2026-03-29T00:30:01+00:00", "30 01:30"),  # less than an hour before
        (
            "Pacific/Auckland",
            "2026-04-04T10:00:00+00:00",
            "04 19:00",
        ),  # ends: 07:00 at +12, the day after there
        ("Pacific/Auckland", "2026-04-03T10:00:00+00:00", "03 18:00"),  # the night before, still +13
        ("Pacific/Auckland", "2026-09-26T10:00:00+00:00", "26 18:00"),  # begins
        ("America/St_Johns", "2026-03-07T23:00:00+00:00", "08 09:30"),  # begins: -02:30
        ("America/St_Johns", "2026-10-31T23:00:00+00:00", "01 10:30"),  # ends: -03:30
    ],
)
def test_due_keeps_to_the_clubs_clocks_when_they_change(timezone: str, now: str, expected: str) -> None:
    assert due(timezone, "07:00", now) == expected


@pytest.mark.parametrize(
    ("timezone", "summaries_due", "now", "expected"),
    [
        (
            "Europe/Dublin",
            "01:30",
            "2026-03-28T20:00:00+00:00",
            "29 01:30",
        ),  # skipped: at 02:30 by the new time
        ("Europe/Dublin", "01:30", "2026-10-24T20:00:00+00:00", "25 00:30"),  # comes twice: the first
        ("Europe/Dublin", "01:30", "2026-10-24T23:45:00+00:00", "26 01:30"),  # the second is none
        ("Pacific/Auckland", "02:30", "2026-09-26T10:00:00+00:00", "26 14:30"),
        ("Pacific/Auckland", "02:30", "2026-04-04T10:00:00+00:00", "04 13:30"),
        ("America/St_Johns", "02:30", "2026-03-07T23:00:00+00:00", "08 06:00"),
        ("America/St_Johns", "01:30", "2026-10-31T23:00:00+00:00", "01 04:00"),
        ("America/Scoresbysund", "23:30", "2024-03-30T22:00:00+00:00", "31 00:30"),
    ],
)
def test_a_time_that_is_skipped_or_comes_twice_is_due_once(
    timezone: str, summaries_due: str, now: str, expected: str
) -> None:
    assert due(timezone, summaries_due, now) == expected


@pytest.mark.parametrize(
    "timezone", ["Europe/Dublin", "Asia/Kolkata", "Pacific/Auckland", "America/St_Johns"]
)
@pytest.mark.parametrize("summaries_due", ["00:00", "01:30", "02:30", "07:00", "23:59"])
def test_every_moment_of_a_year_has_exactly_the_next_due_time(timezone: str, summaries_due: str) -> None:
    """Held against all due times of the year, found day by day."""
    found = club(timezone, summaries_due=summaries_due)
    zone, first = ZoneInfo(timezone), date(2025, 12, 30)
    days = (first + timedelta(days=n) for n in range(370))
    all_due = [datetime.combine(day, found.summaries_due, zone).astimezone(UTC) for day in days]
    assert all_due == sorted(set(all_due))
    for hours in range(0, 360 * 24, 41):
        now = datetime(2026, 1, 1, tzinfo=UTC) + timedelta(hours=hours)
        assert found.due_after(now) == min(one for one in all_due if one - now >= DUE_AT_LEAST)


def test_a_time_zone_that_the_machine_does_not_know_is_named_with_the_next_step() -> None:
    with pytest.raises(NotReady, match="'Mars/Olympus' of club: correct it in organizations"):
        club("Mars/Olympus").due_after(NOW)
