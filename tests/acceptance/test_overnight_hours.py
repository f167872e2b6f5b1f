"""Nights in which batches take hours: patience with primes, the due time, expiry, and cancelling by hand."""

import asyncio
import threading
from collections.abc import Callable, Iterator
from datetime import datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest

from core.settings import Settings
from tasks.canceling import cancel_by_hand
from tests.acceptance.conftest import World
from tests.acceptance.night import (
    NightClock,
    assert_books_equal,
    assert_each_has_one_summary,
    at_vendor,
    batches,
    calls,
    collect,
    evening,
    leave,
    live,
    load_alike,
    outcomes,
    overnight,
    vendor,
    waiting,
)
from tests.integration.emulator_process import RunningEmulator, running_emulator

DELAY_SECONDS = 9_000  # from a batch's creation until its first items start
WAVE_SECONDS = 3_600  # from one wave to the next
OPTIONS = (
    f"--latency off --tier unlimited --batch-delay-seconds {DELAY_SECONDS}"
    f" --batch-wave 2 --batch-wave-seconds {WAVE_SECONDS}"
)
SUMMARIES_DUE = time(7)
POLL_SECONDS_MAX = 300


@pytest.fixture(scope="module")
def slow_emulator() -> Iterator[RunningEmulator]:
    """An emulator that works on two items of a batch an hour, the first after two and a half hours."""
    with running_emulator(*OPTIONS.split()) as running:
        yield running


@pytest.fixture
def slow(world: World, slow_emulator: RunningEmulator, monkeypatch: pytest.MonkeyPatch) -> World:
    """The world with that emulator in it, as good as new."""
    slow_emulator.reset()
    world.emulator_url = slow_emulator.base_url
    monkeypatch.setenv("ANTHROPIC_BASE_URL", slow_emulator.base_url)
    return world


@pytest.fixture
def unprimed(monkeypatch: pytest.MonkeyPatch) -> None:
    """No markers, and so no primes: what a test is about may be the main batch alone."""
    monkeypatch.setenv("TOUCHLINE_CACHE_LIFETIME", "none")


def once_at(clock: NightClock, moment: datetime, act: Callable[[], None]) -> None:
    """Do something when the clock has come so far."""

    def woken(seconds: float) -> None:
        if clock.now() >= moment:
            clock.woken = lambda seconds: None
            act()

    clock.woken = woken


def test_after_two_hours_without_the_primes_the_rest_goes_out_unmarked_and_all_is_collected_in_the_end(
    slow: World,
) -> None:
    load_alike(slow, players=7)
    clock = evening(slow)
    overnight(slow, clock)
    prime, main = batches(slow)
    assert (prime["kind"], main["kind"], main["requests"]) == ("prime", "main", 6)
    assert timedelta(hours=2) <= main["created_at"] - prime["created_at"] <= timedelta(hours=2, minutes=10)
    assert main["created_at"] < prime["created_at"] + timedelta(seconds=DELAY_SECONDS)
    for row in calls(slow, "main"):
        assert row["cache_read_tokens"] == row["cache_write_1h_tokens"] == row["cache_write_5m_tokens"] == 0
    collect(slow, clock)
    assert {one["state"] for one in batches(slow)} == {"collected"}
    assert calls(slow, "prime")[0]["cache_write_1h_tokens"] > 0
    assert_each_has_one_summary(slow, 7)
    assert_books_equal(slow)


def local_time(moment: datetime, zone: str) -> time:
    return moment.astimezone(ZoneInfo(zone)).time().replace(microsecond=0)


@pytest.mark.usefixtures("unprimed")
def test_what_a_batch_has_not_answered_when_it_is_due_is_cancelled_then_and_done_live(slow: World) -> None:
    """Each club at its own time: in Dublin hours before it is in New York."""
    load_alike(slow, players=8, elsewhere=18)
    clock = evening(slow, at=time(2))
    overnight(slow, clock)
    in_dublin, in_new_york = sorted(batches(slow), key=lambda one: one["due_at"])
    assert (in_dublin["requests"], in_new_york["requests"]) == (8, 18)
    zones = {"Europe/Dublin": in_dublin, "America/New_York": in_new_york}
    for zone, batch in zones.items():
        assert local_time(batch["due_at"], zone) == SUMMARIES_DUE
        assert timedelta(0) <= batch["canceled_at"] - batch["due_at"] < timedelta(seconds=10)
        assert batch["cancel_reason"] == "due"
        assert batch["collected_at"] - batch["due_at"] < timedelta(seconds=POLL_SECONDS_MAX + 30)
        answered = slow.rows(
            "SELECT outcome, count(*) AS n FROM ai_usage_log WHERE batch_id = :id GROUP BY 1 ORDER BY 1",
            id=batch["batch_id"],
        )
        assert [row["outcome"] for row in answered] == ["canceled", "succeeded"]
    canceled = len([row for row in slow.ledger() if row["outcome"] == "canceled"])
    assert waiting(slow) == [
        ("pending", "batch_canceled", True, canceled),
        ("summarized", None, False, 26 - canceled),
    ]
    assert len(at_vendor(slow)) == 2
    overnight(slow, clock)
    assert len(at_vendor(slow)) == 2, "what has missed its time is not asked overnight again"
    live(slow, clock)
    assert {(row["lane"], row["outcome"]) for row in slow.ledger()} == {
        ("overnight", "succeeded"),
        ("overnight", "canceled"),
        ("live", "succeeded"),
    }
    assert_each_has_one_summary(slow, 26)
    assert_books_equal(slow)


@pytest.mark.usefixtures("unprimed")
def test_a_collector_cancels_what_is_due_not_before_and_again_when_the_api_did_not_listen(
    slow: World,
) -> None:
    load_alike(slow, players=4)
    clock = evening(slow)
    leave(slow, clock, sleeps=0)
    (batch,) = batches(slow)

    def canceled() -> bool:
        collect(slow, clock)
        return batches(slow)[0]["canceled_at"] is not None

    slow.execute(  # no other: the emulator's first items would be done by then
        "UPDATE message_batch SET due_at = created_at + interval '1 hour'"
    )
    clock.advance_to(batch["created_at"] + timedelta(minutes=59))
    assert not canceled()
    clock.advance(60)
    slow.fault(kind="api_error", at="batches.cancel", count=1)
    assert not canceled()
    assert canceled()
    assert slow.states() == {"in_batch": 4}
    clock.advance(20)
    collect(slow, clock)
    assert waiting(slow) == [("pending", "batch_canceled", True, 4)]
    live(slow, clock)
    assert_each_has_one_summary(slow, 4)
    assert_books_equal(slow)


def cancel_by_us(world: World, clock: NightClock) -> None:
    """Cancel our open batches as the command does, from another process."""
    (batch,) = [one for one in batches(world) if one["state"] == "open"]

    def work() -> None:
        asyncio.run(cancel_by_hand(batch["batch_id"], settings=Settings(), clock=clock))

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()


def cancel_at_the_vendors(world: World, clock: NightClock) -> None:
    """Cancel our open batches as a person does at the vendor's console."""
    for batch in at_vendor(world):
        if batch.processing_status == "in_progress":
            vendor(world).messages.batches.cancel(batch.id)


@pytest.mark.usefixtures("unprimed")
@pytest.mark.parametrize("how", [cancel_by_us, cancel_at_the_vendors], ids=["by us", "at the vendor's"])
def test_a_batch_cancelled_by_hand_keeps_what_was_answered_and_the_rest_waits_for_the_next_run(
    slow: World, how: Callable[[World, NightClock], None]
) -> None:
    load_alike(slow, players=6)
    clock = evening(slow)
    once_at(clock, clock.now() + timedelta(seconds=DELAY_SECONDS + 600), lambda: how(slow, clock))
    report = overnight(slow, clock)
    assert outcomes(slow) == [("canceled", "batch_canceled", 4), ("succeeded", None, 2)]
    assert waiting(slow) == [
        ("pending", "batch_canceled", False, 4),
        ("summarized", None, False, 2),
    ]
    assert report.insights == {"pending": 4, "summarized": 2}
    assert len(at_vendor(slow)) == 1, "the run that was cut short sends nothing again by itself"
    overnight(slow, clock)
    assert_each_has_one_summary(slow, 6)
    assert_books_equal(slow)


def test_when_the_primes_are_cancelled_by_hand_nothing_more_is_sent(slow: World) -> None:
    load_alike(slow, players=4)
    clock = evening(slow)
    once_at(clock, clock.now() + timedelta(minutes=30), lambda: cancel_by_us(slow, clock))
    overnight(slow, clock)
    assert [one["kind"] for one in batches(slow)] == ["prime"]
    assert waiting(slow) == [("pending", "batch_canceled", False, 1), ("pending", None, False, 3)]
    assert outcomes(slow) == [("canceled", "batch_canceled", 1)]
    assert_books_equal(slow)


@pytest.mark.usefixtures("unprimed")
def test_what_has_expired_after_a_day_costs_nothing_and_is_done_live(world: World) -> None:
    """Asked for less than an hour before it is due, a batch is due on the next day, after it has expired."""
    load_alike(world, players=6)
    world.execute("UPDATE organization SET timezone = 'UTC'")
    clock = evening(world, at=time(6, 30))
    world.fault(kind="slow_first_byte", at="batches.items", count=4, seconds=90_000)

    def sleep_longer(seconds: float) -> None:
        if seconds == POLL_SECONDS_MAX:
            clock.advance(WAVE_SECONDS)

    clock.woken = sleep_longer
    report = overnight(world, clock)
    (batch,) = batches(world)
    assert (batch["state"], batch["canceled_at"]) == ("collected", None)
    assert (batch["ended_at"] - batch["created_at"]) == pytest.approx(
        timedelta(hours=24), abs=timedelta(seconds=10)
    )
    assert outcomes(world) == [("expired", "batch_expired", 4), ("succeeded", None, 2)]
    assert waiting(world) == [("pending", "batch_expired", True, 4), ("summarized", None, False, 2)]
    assert report.insights == {"pending": 4, "summarized": 2}
    assert_books_equal(world)
    live(world, clock)
    assert_each_has_one_summary(world, 6)
    assert_books_equal(world)


@pytest.mark.usefixtures("unprimed")
@pytest.mark.parametrize(("gone", "reason"), [("archived", "batch_archived"), ("deleted", "batch_forgotten")])
def test_a_batch_whose_results_are_no_longer_kept_is_lost_at_its_estimate_and_asked_again(
    world: World, gone: str, reason: str
) -> None:
    load_alike(world, players=2)
    clock = evening(world)
    leave(world, clock, sleeps=0)
    (theirs,) = at_vendor(world)
    clock.advance(timedelta(days=30 if gone == "archived" else 1).total_seconds())
    if gone == "deleted":
        vendor(world).messages.batches.delete(theirs.id)
    collect(world, clock)
    assert batches(world)[0]["state"] == "missing"
    assert outcomes(world) == [("lost", reason, 2)]
    assert all(row["cost_usd"] is None and row["estimated_cost_usd"] > 0 for row in world.ledger())
    assert waiting(world) == [("pending", reason, False, 2)]
    overnight(world, clock)
    assert_each_has_one_summary(world, 2)
    assert world.meter()["requests"] == 4


def test_primes_that_are_cancelled_when_one_club_is_due_do_not_keep_the_others_waiting(world: World) -> None:
    load_alike(world, players=6, elsewhere=6)
    clock = evening(world, at=time(5))
    world.fault(kind="slow_first_byte", at="batches.items", seconds=7_200, count=1)
    overnight(world, clock)
    of_new_york = world.rows("SELECT DISTINCT state FROM insight WHERE organization_id = 'club-02'")
    assert of_new_york == [{"state": "summarized"}]


def test_a_kill_between_noting_a_cancel_and_hearing_of_it_does_not_forget_that_the_batch_was_due(
    world: World,
) -> None:
    load_alike(world, players=2)
    clock = evening(world)
    leave(world, clock, sleeps=0)
    (theirs,) = at_vendor(world)
    world.execute("UPDATE message_batch SET cancel_reason = 'due'")  # the killed one's last commit
    vendor(world).messages.batches.cancel(theirs.id)
    clock.advance(30)
    collect(world, clock)
    assert batches(world)[0]["cancel_reason"] == "due"
    assert waiting(world) == [("pending", "batch_canceled", True, 2)]
