"""A batch of which nobody heard: what could be it at the vendor's is waited for, and its results decide."""

from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from anthropic.types.messages import MessageBatch

from core.states import BatchKind
from tasks.batches import send_batch
from tasks.collecting import look_at_all
from tasks.run import Run
from tests.integration.emulator_batches import create, item
from tests.integration.emulator_process import RunningEmulator
from tests.integration.night_run import DUE_AT, claimed_calls, stored, tell, waiting
from tests.integration.stored_rows import Rows
from tests.integration.workers import StillClock

KEY = "rehearsal"  # of runs that have none of their own: a key is a workspace
REQUESTS = 2  # of the batch that nobody heard of
HOUR_SECONDS = 3_600
GRACE_SECONDS = 60  # until a batch that is not listed was never created
CLOCKS_DIFFER_SECONDS = 600  # between the vendor's time and ours, at most


class Night(StillClock):
    """The emulator's time, moved together with ours; it also goes on by itself, by less than a second."""

    def __init__(self, emulator: RunningEmulator) -> None:
        super().__init__()
        self.emulator = emulator
        self.time = datetime.fromisoformat(emulator.now())

    def advance(self, seconds: float) -> None:
        self.emulator.advance(seconds)
        self.move(seconds=seconds)

    def elses(self, name: str, requests: int, open_seconds: float) -> MessageBatch:
        """Have somebody else with our key create a batch that ends after so many seconds, more or less."""
        self.emulator.fault(
            "slow_first_byte", at="batches.items", count=requests, seconds=open_seconds, match=name
        )
        return create(self.emulator, *(item(f"{name}-{n}") for n in range(requests)), key=KEY)


async def send(run: Run, emulator: RunningEmulator, fault: str) -> None:
    emulator.fault(fault, at="batches.create")
    assert await send_batch(run, await claimed_calls(run), BatchKind.MAIN, due_at=DUE_AT)
    assert not any("batches.create" in one["at"] for one in emulator.faults())


def theirs(emulator: RunningEmulator) -> list[MessageBatch]:
    return list(emulator.client(KEY).messages.batches.list())


def standing(rows: Rows) -> tuple[Any, ...]:
    """State of the batch, and of all its insights."""
    (found,) = stored(rows, "SELECT state, vendor_id FROM message_batch WHERE run_id = 'night'")
    (insights,) = stored(rows, "SELECT DISTINCT state, state_reason FROM insight")
    return *found, *insights


@pytest.fixture
def two_due(rows: Rows) -> Rows:
    waiting(rows, [1] * REQUESTS)
    return rows


def test_nobody_asks_while_the_sender_may_still_hear_and_then_its_results_tell_whose_it_is(
    two_due: Rows, home: Path, emulator: RunningEmulator
) -> None:
    night = Night(emulator)

    async def story(run: Run) -> None:
        await send(run, emulator, "reset_after_billing")
        with two_due.engine.begin() as connection:
            until = "UPDATE message_batch SET sent_until = sent_until + interval '10 minutes'"
            connection.exec_driver_sql(until)
        (vendors,) = theirs(emulator)
        night.advance(599)
        emulator.fault("api_error", at="batches.read")
        await look_at_all(run)
        assert len(emulator.faults()) == 1, "the vendor was not asked"
        emulator.clear_faults()
        assert standing(two_due) == ("sent", None, "in_batch", None)
        night.advance(1)
        (found,) = await look_at_all(run)
        assert standing(two_due) == ("open", vendors.id, "in_batch", None)
        assert found.opened_at == vendors.created_at
        assert await look_at_all(run) == []
        assert standing(two_due) == ("collected", vendors.id, "summarized", None)

    tell(two_due, home, story, base_url=emulator.base_url, clock=night)


def test_while_a_batch_that_could_be_it_is_open_its_items_wait_for_however_long(
    two_due: Rows, home: Path, emulator: RunningEmulator
) -> None:
    night = Night(emulator)

    async def story(run: Run) -> None:
        emulator.fault("slow_first_byte", at="batches.items", count=1, seconds=5 * HOUR_SECONDS)
        await send(run, emulator, "reset_after_billing")
        for seconds in (0, 2 * GRACE_SECONDS, 4 * HOUR_SECONDS):
            night.advance(seconds)
            await look_at_all(run)
            assert standing(two_due) == ("sent", None, "in_batch", None)
        night.advance(2 * HOUR_SECONDS)
        await look_at_all(run)
        assert standing(two_due)[0] == "open"
        assert len(theirs(emulator)) == 1

    tell(two_due, home, story, base_url=emulator.base_url, clock=night)


def test_a_batch_was_never_created_when_after_a_grace_no_other_of_its_size_and_time_is_left(
    two_due: Rows, home: Path, emulator: RunningEmulator
) -> None:
    """Of those that stay open, one is too old, one too new, one of another size, and one known as another."""
    night = Night(emulator)

    async def story(run: Run) -> None:
        night.elses("older", REQUESTS, HOUR_SECONDS)
        night.advance(CLOCKS_DIFFER_SECONDS + 5)
        await send(run, emulator, "reset_before_billing")
        night.elses("larger", REQUESTS + 1, HOUR_SECONDS)
        known = night.elses("known", REQUESTS, HOUR_SECONDS)
        two_due.batch(account=run.settings.account, vendor_id=known.id, state="collected")
        night.advance(GRACE_SECONDS - 2)
        await look_at_all(run)
        assert standing(two_due) == ("sent", None, "in_batch", None), "it need not be listed yet"
        night.elses("alike", REQUESTS, 300)
        night.advance(300)
        await look_at_all(run)
        assert standing(two_due) == ("sent", None, "in_batch", None), "it could be the one that is open"
        night.advance(CLOCKS_DIFFER_SECONDS)
        night.elses("newer", REQUESTS, HOUR_SECONDS)
        open_ones = [one for one in theirs(emulator) if one.processing_status == "in_progress"]
        assert len(open_ones) == 4
        assert await look_at_all(run) == []
        assert standing(two_due) == ("missing", None, "pending", "batch_not_created")

    tell(two_due, home, story, base_url=emulator.base_url, clock=night)
    ledger = stored(two_due, "SELECT DISTINCT outcome, outcome_reason, cost_usd FROM ai_usage_log")
    assert ledger == [("rejected", "batch_not_created", Decimal(0))]
