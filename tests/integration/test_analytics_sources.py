"""No answer depends on when the rollup ran: whatever is published or marked, it is the ledger's."""

import random
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
import sqlalchemy as sa

from core.errors import BadInput
from database.engine import connect
from models import tables
from tasks.analytics import (
    cache_report,
    coach_usage,
    org_usage,
    platform_usage,
    player_usage,
    read_usage,
)
from tests.integration.random_ledger import first_attempts_of, random_call, restated
from tests.integration.rolled_up import marked_days, rolled_up
from tests.integration.stored_rows import AT, TOKENS, Rows, ledger_row

ZONES = {
    "dublin": "Europe/Dublin",
    "kolkata": "Asia/Kolkata",
    "st johns": "America/St_Johns",
    "nz": "Pacific/Auckland",
}
BEGINS = datetime(2026, 3, 26, tzinfo=UTC)  # Dublin's clocks go forward on the 29th
DAYS = 7
ROUNDS = 3
MARK_EVERYTHING = """
    INSERT INTO rollup_dirty_day (subject, utc_day, writer, marks)
    SELECT DISTINCT 'usage', CAST(occurred_at AT TIME ZONE 'UTC' AS date), 0, 1 FROM ai_usage_log
    ON CONFLICT DO NOTHING
"""


@pytest.fixture
def rows(database_url: str) -> Iterator[Rows]:
    engine = connect(database_url)
    yield Rows(engine)
    engine.dispose()


def url_of(rows: Rows) -> str:
    return rows.engine.url.render_as_string(hide_password=False)


def clubs_around_the_world(rows: Rows) -> None:
    """Each with the coaches and players that random calls name."""
    for club, zone in ZONES.items():
        rows.club(club, timezone=zone)
        for number in range(8):
            rows.coach(f"coach-{number} of {club}", club)
        players = [
            {"id": f"player-{n} of {club}", "organization_id": club, "first_name": "Aoife", "sport": "soccer"}
            for n in range(12)
        ]
        rows.insert(tables.Player, *players)


def random_rows(dice: random.Random, numbers: range) -> list[dict[str, Any]]:
    """Calls of all clubs, and of one that nobody knows."""
    ledger = []
    for number in numbers:
        club = dice.choice((*ZONES, "evaluation"))
        for row in random_call(dice, number, BEGINS, DAYS * 86_400):
            people = {
                "coach_id": f"{row['coach_id']} of {club}",
                "player_id": f"{row['player_id']} of {club}",
            }
            lane = "overnight" if row["service_tier"] == "batch" else "live"
            run = f"run-{dice.randrange(5)}"
            ledger.append(row | people | {"organization_id": club, "lane": lane, "flow_run_id": run})
    return ledger


def write_late(rows: Rows, dice: random.Random, ledger: list[dict[str, Any]], numbers: range) -> None:
    """New calls, first attempts of calls that were known, and settlements of what was in flight."""
    late = random_rows(dice, numbers)
    for number, known in enumerate(dice.sample(ledger, 4)):
        earlier = known["occurred_at"] - timedelta(hours=dice.choice((1, 30)))
        row = {name: value for name, value in known.items() if name not in TOKENS}
        late.append(
            ledger_row(numbers.start * 100 + number)
            | row
            | {"attempt_id": f"late-{numbers.start}-{number}", "occurred_at": earlier}
            | {
                "outcome": "rejected",
                "cost_usd": Decimal(0),
                "cache_hit_rate": None,
                **dict.fromkeys(TOKENS, 0),
            }
        )
    rows.insert(tables.AiUsageLog, *late)
    ledger += late
    for row in [row for row in ledger if row["outcome"] in {"sent", "lost"}][:3]:
        row |= {"outcome": "succeeded", "cost_usd": Decimal("0.25"), "input_tokens": 1}
        settled = {name: row[name] for name in ("outcome", "cost_usd", "input_tokens")}
        with rows.engine.begin() as connection:
            table = tables.AiUsageLog.__table__  # type: ignore[attr-defined]
            same = table.c.attempt_id == row["attempt_id"]
            connection.execute(sa.update(table).where(same).values(**settled))


def ranges(dice: random.Random) -> list[tuple[date, date]]:
    first = BEGINS.date() + timedelta(days=dice.randrange(-1, DAYS))
    return [
        (BEGINS.date() - timedelta(days=3), BEGINS.date() + timedelta(days=DAYS + 5)),
        (first, first + timedelta(days=dice.randrange(4))),
    ]


def answers(rows: Rows, asked: list[tuple[date, date]]) -> dict[str, Any]:
    """What every function says of these ranges."""
    engine, found = rows.engine, {}
    for days in asked:
        found[f"platform {days}"] = platform_usage(engine, *days)
        found[f"frame {days}"] = read_usage(engine, *days).to_dict("list")
        found[f"months {days}"] = read_usage(engine, *days, by=["model", "lane"]).to_dict("list")
        found[f"cache {days}"] = cache_report(engine, *days)
        for club in ZONES:
            found[f"{club} {days}"] = org_usage(engine, club, *days)
            found[f"frame of {club} {days}"] = read_usage(engine, *days, club).to_dict("list")
            found[f"coach of {club} {days}"] = coach_usage(engine, f"coach-3 of {club}", *days)
            found[f"player of {club} {days}"] = player_usage(engine, f"player-3 of {club}", *days)
    return found


def test_every_answer_is_the_same_whatever_is_rolled_up_and_whenever(rows: Rows) -> None:
    seed = random.randrange(10**6)
    print(f"seed {seed}")
    dice = random.Random(seed)
    clubs_around_the_world(rows)
    ledger = random_rows(dice, range(120))
    rows.insert(tables.AiUsageLog, *ledger)
    for number in range(1, ROUNDS + 1):
        marked = marked_days(rows.engine)
        rolled_up(url_of(rows), dice.sample(marked, dice.randrange(len(marked) + 1)) or None)
        if number > 1:
            write_late(rows, dice, ledger, range(number * 1_000, number * 1_000 + 3))
        if number == ROUNDS and marked:
            rolled_up(url_of(rows), [dice.choice(marked)])
        asked = ranges(dice)
        found = answers(rows, asked)
        with rows.engine.begin() as connection:
            connection.execute(sa.text(MARK_EVERYTHING))
        from_ledger = answers(rows, asked)
        for name, answer in found.items():
            assert answer == from_ledger[name], name
    rolled_up(url_of(rows))
    assert marked_days(rows.engine) == []
    assert answers(rows, asked) == from_ledger


def test_the_platforms_sums_are_the_ledgers_row_by_row(rows: Rows) -> None:
    seed = random.randrange(10**6)
    print(f"seed {seed}")
    dice = random.Random(seed)
    clubs_around_the_world(rows)
    ledger = random_rows(dice, range(150))
    rows.insert(tables.AiUsageLog, *ledger)
    rolled_up(url_of(rows), marked_days(rows.engine)[::2])
    from_day, to_day = BEGINS.date() + timedelta(days=1), BEGINS.date() + timedelta(days=5)
    used = platform_usage(rows.engine, from_day, to_day)
    inside = [row for row in ledger if from_day <= row["occurred_at"].date() < to_day]
    expected = restated(inside, first_attempts_of(ledger))
    assert {name: Decimal(used[name]) for name in expected} == expected
    assert [row["organization_id"] for row in used["by_organization"]] == sorted(
        {row["organization_id"] for row in inside},
        key=lambda club: (-spent(used, club), club),
    )
    assert sum(spent(used, row["organization_id"]) for row in used["by_organization"]) == Decimal(
        used["total_cost_usd"]
    )
    names = {row["organization_id"]: row["name"] for row in used["by_organization"]}
    assert names["dublin"] == "A Club"
    assert names["evaluation"] == "evaluation"


def spent(used: dict[str, Any], club: str) -> Decimal:
    (found,) = (row["cost_usd"] for row in used["by_organization"] if row["organization_id"] == club)
    return Decimal(found)


def test_a_frame_has_exact_decimals_and_adds_up_to_the_report(rows: Rows) -> None:
    seed = random.randrange(10**6)
    print(f"seed {seed}")
    dice = random.Random(seed)
    clubs_around_the_world(rows)
    rows.insert(tables.AiUsageLog, *random_rows(dice, range(150)))
    rolled_up(url_of(rows), marked_days(rows.engine)[1::2])
    days = BEGINS.date(), BEGINS.date() + timedelta(days=6)
    frame, used = read_usage(rows.engine, *days, "nz"), org_usage(rows.engine, "nz", *days)
    assert str(frame.dtypes["cost_usd"]) == "decimal128(30, 12)[pyarrow]"
    assert not frame.duplicated(
        ["utc_day", "local_day", "organization_id", "operation", "model", "lane", "service_tier"]
    ).any()
    assert frame["cost_usd"].sum() == Decimal(used["total_cost_usd"])
    assert frame["saved_usd"].sum() == Decimal(used["saved_usd"])
    assert frame["calls"].sum() == used["calls"]
    daily = read_usage(rows.engine, *days, "nz", by=["local_day"])
    called = {str(day): cost for day, cost in zip(daily["local_day"], daily["cost_usd"], strict=True)}
    assert {row["day"]: Decimal(row["cost_usd"]) for row in used["daily"] if row["day"] in called} == called
    assert list(daily.columns[:2]) == ["local_day", "calls"]
    with pytest.raises(BadInput, match="not kept by 'day'"):
        read_usage(rows.engine, *days, by=["day"])


def test_a_frame_of_nothing_has_all_columns_and_no_rows(rows: Rows) -> None:
    frame = read_usage(rows.engine, date(2026, 3, 1), date(2026, 3, 2))
    assert len(frame) == 0
    assert str(frame.dtypes["saved_usd"]) == "decimal128(30, 12)[pyarrow]"


def test_a_coach_is_found_by_either_id_and_a_player_without_a_name(rows: Rows) -> None:
    rows.club(timezone="Europe/Dublin")
    key = {
        "id": "user-1",
        "auth_id": "auth-1",
        "user_id": "user-1",
        "organization_id": "club",
        "name": "Ciarán",
    }
    rows.insert(tables.Coach, key)
    rows.attempt(coach_id="user-1")
    rows.attempt(coach_id="user-1", occurred_at=AT + timedelta(days=1))
    days = date(2026, 3, 1), date(2026, 3, 5)
    used = coach_usage(rows.engine, "auth-1", *days)
    assert used == coach_usage(rows.engine, "user-1", *days)
    assert (used["coach_id"], used["name"], used["organization_id"]) == ("user-1", "Ciarán", "club")
    assert (used["calls"], used["total_cost_usd"], used["time_zone"]) == (2, "0.00024", "Europe/Dublin")
    assert [row["calls"] for row in used["daily"]] == [0, 1, 1, 0]
    player = player_usage(rows.engine, "player-club", *days)
    assert player["calls"] == 2
    assert "Aoife" not in str(player)
    with pytest.raises(BadInput, match="no coach 'nobody'"):
        coach_usage(rows.engine, "nobody", *days)
    with pytest.raises(BadInput, match="no player 'nobody'"):
        player_usage(rows.engine, "nobody", *days)


def test_empty_ranges_of_the_platform_and_of_people_have_zeros_and_empty_lists(rows: Rows) -> None:
    rows.club()
    days = date(2026, 3, 1), date(2026, 3, 1)
    for used in (
        platform_usage(rows.engine, *days),
        coach_usage(rows.engine, "coach-club", *days),
        player_usage(rows.engine, "player-club", *days),
        cache_report(rows.engine, *days),
    ):
        assert {value for value in used.values() if isinstance(value, int | float)} == {0}
        assert all(value == [] for value in used.values() if isinstance(value, list))
        assert used["from"] == used["to"] == "2026-03-01"
    with pytest.raises(BadInput, match="ends before it begins"):
        platform_usage(rows.engine, date(2026, 3, 2), date(2026, 3, 1))
