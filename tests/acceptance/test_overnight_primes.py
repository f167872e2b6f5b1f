"""Prime, then main: what is shared is written once, for an hour, before everything else reads it."""

from datetime import timedelta

from tests.acceptance.conftest import World
from tests.acceptance.night import (
    assert_books_equal,
    assert_each_has_one_summary,
    at_vendor,
    batches,
    calls,
    choose,
    evening,
    load_alike,
    outcomes,
    overnight,
)


def assert_all_read(world: World) -> None:
    """Have every call of the main batches read what was primed, and write nothing."""
    for row in calls(world, "main"):
        assert row["cache_read_tokens"] > 0
        assert row["cache_write_1h_tokens"] == row["cache_write_5m_tokens"] == 0


def assert_none_marked(world: World) -> None:
    for row in calls(world, "main"):
        assert row["cache_read_tokens"] == row["cache_write_1h_tokens"] == row["cache_write_5m_tokens"] == 0


def test_one_call_writes_for_an_hour_and_when_it_has_ended_every_other_reads_it(world: World) -> None:
    load_alike(world, players=12)
    overnight(world, evening(world))
    assert [(one["kind"], one["stage"], one["requests"]) for one in batches(world)] == [
        ("prime", 1, 1),
        ("main", 0, 11),
    ]
    (prime,) = calls(world, "prime")
    assert prime["cache_write_1h_tokens"] > 0
    assert prime["cache_read_tokens"] == prime["cache_write_5m_tokens"] == 0
    assert_all_read(world)
    assert {row["cache_read_tokens"] for row in calls(world, "main")} == {prime["cache_write_1h_tokens"]}
    of_prime, of_main = at_vendor(world)
    assert of_prime.ended_at is not None
    assert of_main.created_at > of_prime.ended_at
    assert {(row["service_tier"], row["lane"]) for row in world.ledger()} == {("batch", "overnight")}
    assert_each_has_one_summary(world, 12)
    assert_books_equal(world)


def test_several_sports_and_tones_are_primed_in_stages_so_that_what_they_share_is_written_once(
    world: World,
) -> None:
    world.load(insights=40)
    choose(world)
    overnight(world, evening(world))
    first, second, *mains = batches(world)
    assert [(one["kind"], one["stage"]) for one in (first, second)] == [("prime", 1), ("prime", 2)]
    assert (first["requests"], second["requests"] > 1) == (1, True)
    assert {one["kind"] for one in mains} == {"main"}
    assert first["ended_at"] < second["created_at"] <= second["ended_at"] < mains[0]["created_at"]
    root, *others = calls(world, "prime")
    assert root["cache_read_tokens"] == 0
    for row in others:
        assert 0 < row["cache_read_tokens"] < root["cache_write_1h_tokens"]
        assert row["cache_write_1h_tokens"] > 0
    assert sum(row["cache_write_1h_tokens"] for row in calls(world, "main")) == 0
    assert_each_has_one_summary(world, 40)
    assert_books_equal(world)


def test_what_two_calls_share_is_not_worth_a_prime_and_goes_without_markers(world: World) -> None:
    load_alike(world, players=2)
    overnight(world, evening(world))
    assert [(one["kind"], one["requests"]) for one in batches(world)] == [("main", 2)]
    assert_none_marked(world)
    assert_each_has_one_summary(world, 2)
    assert_books_equal(world)


def test_a_prime_that_meets_an_outage_is_made_again_and_the_rest_reads(world: World) -> None:
    load_alike(world, players=6)
    world.fault(kind="api_error", at="batches.items", count=1)
    overnight(world, evening(world))
    assert [one["kind"] for one in batches(world)] == ["prime", "prime", "main"]
    failed, made = calls(world, "prime")
    assert (failed["outcome"], failed["cost_usd"], failed["cache_write_1h_tokens"]) == ("rejected", 0, 0)
    assert (made["outcome"], made["cache_write_1h_tokens"] > 0) == ("succeeded", True)
    assert_all_read(world)
    assert_each_has_one_summary(world, 6)
    assert_books_equal(world)


def test_a_prime_that_fails_twice_is_done_without(world: World) -> None:
    load_alike(world, players=6)
    world.fault(kind="api_error", at="batches.items", count=2)
    overnight(world, evening(world))
    assert [one["kind"] for one in batches(world)] == ["prime", "prime", "main"]
    assert outcomes(world) == [("rejected", "api_error", 2), ("succeeded", None, 6)]
    assert_none_marked(world)
    assert_each_has_one_summary(world, 6)
    assert_books_equal(world)


def test_when_the_primes_note_is_refused_for_good_another_primes_and_it_alone_is_parked(world: World) -> None:
    first, *_ = load_alike(world, players=6)
    world.execute("UPDATE insight SET title = 'xyzzy' WHERE id = :id", id=first)
    world.fault(kind="error", error_type="invalid_request_error", share=1, match="xyzzy", at="batches.items")
    overnight(world, evening(world))
    assert [(one["kind"], one["requests"]) for one in batches(world)] == [
        ("prime", 1),
        ("prime", 1),
        ("main", 4),
    ]
    assert world.rows("SELECT id, state_reason FROM insight WHERE state = 'parked'") == [
        {"id": first, "state_reason": "api_invalid_request_error"}
    ]
    assert world.states() == {"parked": 1, "summarized": 5}
    assert_all_read(world)
    assert_books_equal(world)


def test_of_a_primes_pack_that_is_refused_for_good_each_is_asked_alone_and_the_culprit_parked(
    world: World,
) -> None:
    first, second, third, *_ = load_alike(world, players=5, size=3)
    world.execute("UPDATE insight SET title = 'xyzzy' WHERE id = :id", id=second)
    world.fault(kind="error", error_type="invalid_request_error", share=1, match="xyzzy", at="batches.items")
    overnight(world, evening(world))
    assert world.rows("SELECT id, state, state_reason FROM insight WHERE state <> 'summarized'") == [
        {"id": second, "state": "parked", "state_reason": "api_invalid_request_error"}
    ]
    alone = world.rows(
        "SELECT insight_ids FROM batch_item WHERE cardinality(insight_ids) = 1 ORDER BY insight_ids"
    )
    assert [row["insight_ids"] for row in alone] == sorted([one] for one in (first, second, third))
    assert outcomes(world) == [("rejected", "invalid_request_error", 2), ("succeeded", None, 6)]
    assert_books_equal(world)


def test_what_has_gone_cold_before_the_main_batch_is_primed_again(world: World) -> None:
    load_alike(world, players=6)
    clock = evening(world)

    def sleep_in(seconds: float) -> None:
        clock.woken = lambda seconds: None
        clock.advance(5400)

    clock.woken = sleep_in
    overnight(world, clock)
    assert [one["kind"] for one in batches(world)] == ["prime", "prime", "main"]
    first, second = calls(world, "prime")
    assert first["cache_write_1h_tokens"] == second["cache_write_1h_tokens"] > 0
    assert_all_read(world)
    assert_each_has_one_summary(world, 6)
    assert_books_equal(world)


def test_a_run_within_the_hour_finds_what_was_primed_and_a_later_one_primes_again(world: World) -> None:
    load_alike(world, players=18)
    clock = evening(world)
    kinds = []
    for minutes in (0, 30, 120):
        clock.advance(timedelta(minutes=minutes).total_seconds())
        known = len(batches(world))
        overnight(world, clock, insight_limit=6)
        kinds.append([one["kind"] for one in batches(world)][known:])
    assert kinds == [["prime", "main"], ["main"], ["prime", "main"]]
    assert_all_read(world)
    assert_each_has_one_summary(world, 18)
    assert_books_equal(world)
