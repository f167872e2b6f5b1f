"""Results of batches: read once, twice, by two, half, late; insights that others have dealt with."""

import asyncio

import pytest

from flows.overnight import collect_batches, summarize_overnight
from tasks.spool import spool_folder
from tests.acceptance.conftest import World
from tests.acceptance.night import (
    OUTSIDE_PREFECT,
    NightClock,
    assert_books_equal,
    assert_each_has_one_summary,
    at_vendor,
    batches,
    collect,
    evening,
    held_after_settling,
    leave,
    live,
    load_alike,
    outcomes,
    overnight,
)
from tests.acceptance.packs import texts


def parked(world: World) -> dict[str, str]:
    """Give the reasons of what is parked."""
    rows = world.rows("SELECT id, state_reason FROM insight WHERE state = 'parked'")
    return {row["id"]: row["state_reason"] for row in rows}


def open_main_batch(world: World, players: int, size: int = 1) -> NightClock:
    """Have a main batch that has ended, and that nobody has looked at since."""
    load_alike(world, players, size)
    clock = evening(world)
    leave(world, clock, sleeps=4)  # the prime took four
    assert [one["state"] for one in batches(world)] == ["collected", "open"]
    clock.advance(120)
    return clock


def take_over(world: World, insight_id: str) -> None:
    """Have the live lane summarise an insight that is in a batch, as if a person had given up waiting."""
    world.execute("UPDATE insight SET state = 'pending', missed_due = true WHERE id = :id", id=insight_id)
    live(world)


def test_an_insight_that_was_summarised_meanwhile_is_not_overwritten_and_its_cost_is_on_the_ledger(
    world: World,
) -> None:
    clock = open_main_batch(world, players=6)
    (taken,) = world.rows("SELECT min(id) AS id FROM insight WHERE state = 'in_batch'")
    take_over(world, taken["id"])
    (before,) = world.rows("SELECT * FROM summary WHERE insight_id = :id", **taken)
    collect(world, clock)
    assert world.rows("SELECT * FROM summary WHERE insight_id = :id", **taken) == [before]
    (unused,) = [row for row in world.ledger() if row["outcome"] == "unusable"]
    assert (unused["outcome_reason"], unused["lane"], unused["cost_usd"] > 0) == (
        "claim_lost",
        "overnight",
        True,
    )
    assert_each_has_one_summary(world, 6)
    assert_books_equal(world)


def test_of_a_pack_of_which_one_was_summarised_meanwhile_the_others_are_used(world: World) -> None:
    clock = open_main_batch(world, players=3, size=3)
    (item,) = world.rows(
        "SELECT insight_ids FROM batch_item JOIN message_batch USING (batch_id) WHERE kind = 'main' LIMIT 1"
    )
    taken = item["insight_ids"][1]
    take_over(world, taken)
    collect(world, clock)
    of_taken = world.rows(
        "SELECT lane FROM summary JOIN ai_usage_log USING (attempt_id) WHERE insight_id = :id", id=taken
    )
    assert of_taken == [{"lane": "live"}]
    assert {outcome for outcome, _, _ in outcomes(world)} == {"succeeded"}
    assert_each_has_one_summary(world, 9)
    assert_books_equal(world)


def test_results_that_are_read_twice_count_once(world: World) -> None:
    load_alike(world, players=6)
    clock = evening(world)
    overnight(world, clock)
    before = world.ledger(), texts(world), world.rows("SELECT * FROM insight ORDER BY id")
    world.execute("UPDATE message_batch SET state = 'open', collected_at = NULL")
    collect(world, clock)
    assert [one["state"] for one in batches(world)] == ["collected"] * 2
    assert (world.ledger(), texts(world), world.rows("SELECT * FROM insight ORDER BY id")) == before
    assert_books_equal(world)


@pytest.mark.filterwarnings(f"ignore:{OUTSIDE_PREFECT}")
def test_of_two_collectors_one_leaves_it_to_the_other_and_what_both_read_counts_once(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The second takes over when the first has not moved for longer than a lease; then both go on."""
    clock = open_main_batch(world, players=8)
    monkeypatch.setattr("tasks.collecting.RESULTS_AT_ONCE", 2)
    monkeypatch.setattr("tasks.collecting.GROUPS_AT_ONCE", 1)
    collect_now = collect_batches.fn  # under Prefect, one of them would wait for the other to begin

    async def both() -> None:
        with held_after_settling(world, attempts=3) as waiting_for_locks:

            async def until_waiting(number: int) -> None:
                async with asyncio.timeout(30):
                    while await asyncio.to_thread(waiting_for_locks) < number:  # noqa: ASYNC110 - of the server
                        await asyncio.sleep(0.01)

            first = asyncio.create_task(collect_now(clock=clock))
            await until_waiting(1)
            await collect_now(clock=clock)
            before = world.states()
            assert before["summarized"] < 8
            clock.advance(601)
            second = asyncio.create_task(collect_now(clock=clock))
            await until_waiting(2)
            assert world.states() == before
        await asyncio.gather(first, second)

    asyncio.run(both())
    assert_each_has_one_summary(world, 8)
    assert_books_equal(world)


def test_results_that_break_off_are_read_again_and_counted_once(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = open_main_batch(world, players=8)
    monkeypatch.setattr("tasks.collecting.RESULTS_AT_ONCE", 1)
    world.fault(kind="cut_answer", at="batches.results", count=1)
    collect(world, clock)
    settled = len([row for row in world.ledger() if row["outcome"] == "succeeded"])
    assert 1 < settled < 8
    clock.advance(601)  # the lease of the first, which is another process
    collect(world, clock)
    assert_each_has_one_summary(world, 8)
    assert_books_equal(world)


def test_a_result_that_the_database_refuses_parks_its_insight_and_the_others_are_kept(world: World) -> None:
    clock = open_main_batch(world, players=8)
    (refused,) = world.rows("SELECT max(id) AS id FROM insight WHERE state = 'in_batch'")
    world.execute(
        f"ALTER TABLE summary ADD CONSTRAINT closed CHECK (insight_id <> '{refused['id']}') NOT VALID"
    )
    collect(world, clock)
    assert parked(world) == {refused["id"]: "store_refused"}
    assert world.states() == {"parked": 1, "summarized": 7}
    assert_books_equal(world)


@pytest.mark.parametrize("place", ["batches.read", "batches.results"])
def test_a_batch_that_is_not_found_once_is_looked_for_again(world: World, place: str) -> None:
    load_alike(world, players=2)
    clock = evening(world)
    world.fault(kind="error", error_type="not_found_error", at=place, count=1)
    overnight(world, clock)
    overnight(world, clock)
    assert len(at_vendor(world)) == 1
    assert_each_has_one_summary(world, 2)
    assert_books_equal(world)


def test_when_the_ledger_refuses_the_summaries_stay_and_the_next_run_replays_the_figures_once(
    world: World,
) -> None:
    clock = open_main_batch(world, players=6)
    world.execute("ALTER TABLE ai_usage_log ADD CONSTRAINT closed CHECK (outcome = 'sent') NOT VALID")
    collect(world, clock)
    assert (world.states(), len(texts(world))) == ({"summarized": 6}, 6)
    assert len(list(spool_folder(world.home).iterdir())) == 5
    world.execute("ALTER TABLE ai_usage_log DROP CONSTRAINT closed")
    clock.advance(601)
    collect(world, clock)
    assert_each_has_one_summary(world, 6)
    assert_books_equal(world)


def test_a_database_that_drops_its_connections_in_the_night_costs_nothing(world: World) -> None:
    load_alike(world, players=6)
    clock = evening(world)

    def drop(seconds: float) -> None:
        if len(clock.slept) in {2, 6}:
            world.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                " WHERE datname = current_database() AND pid <> pg_backend_pid()"
            )

    clock.woken = drop
    overnight(world, clock)
    assert len(clock.slept) > 6
    assert_each_has_one_summary(world, 6)
    assert_books_equal(world)


@pytest.mark.filterwarnings(f"ignore:{OUTSIDE_PREFECT}")
def test_two_runs_at_once_send_no_insight_twice(world: World) -> None:
    load_alike(world, players=12)
    clock = evening(world)

    async def both() -> None:
        await asyncio.gather(*(summarize_overnight.fn(clock=clock) for _ in range(2)))

    asyncio.run(both())
    asked = world.rows("SELECT insight_id FROM ai_usage_insight GROUP BY 1 HAVING count(*) = 1")
    assert len(asked) == 12
    assert_each_has_one_summary(world, 12)
    assert_books_equal(world)


def test_a_coach_who_switches_off_meanwhile_gets_no_summary_and_what_was_paid_is_on_the_ledger(
    world: World,
) -> None:
    clock = open_main_batch(world, players=6)
    world.execute("UPDATE coach SET summaries_enabled = false")
    collect(world, clock)
    assert world.states() == {"skipped": 5, "summarized": 1}
    assert len(texts(world)) == 1
    assert_books_equal(world)
