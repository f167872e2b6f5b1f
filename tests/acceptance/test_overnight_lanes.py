"""Which lane an insight goes: each club's choice, and each flow takes only its own."""

from datetime import timedelta

from tasks.config import set_setting
from tests.acceptance.conftest import World
from tests.acceptance.night import (
    assert_books_equal,
    assert_each_has_one_summary,
    choose,
    evening,
    live,
    load_alike,
    overnight,
)


def lanes(world: World) -> dict[str, str]:
    """Give the lane in which each insight was summarised."""
    rows = world.rows("SELECT insight_id, lane FROM summary JOIN ai_usage_log USING (attempt_id)")
    return {row["insight_id"]: row["lane"] for row in rows}


def test_each_flow_takes_only_the_insights_of_clubs_that_chose_its_lane(world: World) -> None:
    ids = load_alike(world, players=3, elsewhere=3)
    choose(world, "live", "club-02")
    clock = evening(world)
    overnight(world, clock)
    assert lanes(world) == dict.fromkeys(ids[:3], "overnight")
    assert world.states() == {"pending": 3, "summarized": 3}
    live(world, clock)
    assert lanes(world) == dict.fromkeys(ids[:3], "overnight") | dict.fromkeys(ids[3:], "live")
    assert {(row["lane"], row["service_tier"]) for row in world.ledger()} == {
        ("overnight", "batch"),
        ("live", "standard"),
    }
    assert_each_has_one_summary(world, 6)
    assert_books_equal(world)


def test_with_lane_auto_what_is_urgent_or_has_waited_for_too_long_goes_live_and_the_rest_overnight(
    world: World,
) -> None:
    ids = load_alike(world, players=6)
    choose(world, "auto")
    set_setting(world.engine, "live_after_hours", "12", changed_by="test", now=world.clock.now())
    clock = evening(world)
    world.execute("UPDATE insight SET created_at = :at", at=clock.now() - timedelta(hours=11, minutes=50))
    world.execute("UPDATE insight SET urgent = true WHERE id = :id", id=ids[0])
    old = clock.now() - timedelta(hours=12, minutes=10)
    world.execute("UPDATE insight SET created_at = :at WHERE id = :id", at=old, id=ids[1])
    live(world, clock)
    assert lanes(world) == dict.fromkeys(ids[:2], "live")
    overnight(world, clock)
    assert lanes(world) == dict.fromkeys(ids[:2], "live") | dict.fromkeys(ids[2:], "overnight")
    assert_each_has_one_summary(world, 6)
    assert_books_equal(world)


def test_a_setting_that_was_changed_counts_at_the_next_run(world: World) -> None:
    ids = load_alike(world, players=3)
    clock = evening(world)
    world.execute("UPDATE insight SET created_at = :at", at=clock.now() - timedelta(hours=5))
    live(world, clock)
    assert world.states() == {"pending": 3}
    choose(world, "live")
    overnight(world, clock)
    assert world.states() == {"pending": 3}
    choose(world, "auto")
    set_setting(world.engine, "live_after_hours", "6", changed_by="test", now=clock.now())
    live(world, clock)
    assert world.states() == {"pending": 3}
    set_setting(world.engine, "live_after_hours", "4", "club-01", changed_by="test", now=clock.now())
    live(world, clock)
    assert lanes(world) == dict.fromkeys(ids, "live")
    assert_books_equal(world)


def test_the_time_at_which_a_batch_is_due_is_the_clubs_own(world: World) -> None:
    load_alike(world, players=1, elsewhere=1)
    set_setting(world.engine, "summaries_due", "23:30", changed_by="test", now=world.clock.now())
    set_setting(world.engine, "summaries_due", "05:00", "club-02", changed_by="test", now=world.clock.now())
    overnight(world, evening(world))
    due = world.rows(
        "SELECT to_char(due_at AT TIME ZONE timezone, 'HH24:MI') AS due FROM message_batch"
        " JOIN ai_usage_log USING (batch_id) JOIN organization ON organization.id = organization_id"
        " ORDER BY organization_id"
    )
    assert [row["due"] for row in due] == ["23:30", "05:00"]
    assert_each_has_one_summary(world, 2)


def test_one_club_can_be_run_by_itself_and_a_limit_takes_the_players_who_have_waited_longest(
    world: World,
) -> None:
    ids = load_alike(world, players=5, elsewhere=3)
    overnight(world, evening(world), organization_id="club-01", insight_limit=4)
    assert set(lanes(world)) == set(ids[:4])
    assert world.states() == {"pending": 4, "summarized": 4}
    assert_books_equal(world)
