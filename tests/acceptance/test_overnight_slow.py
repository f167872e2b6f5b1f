"""Create calls that take long: what is sent meanwhile, or given up, is paid once or at least on the books.

The real create call is made; a slow line before or behind it is the clock moved on.
"""

from collections.abc import Sequence
from typing import Any

import pytest
from anthropic import AsyncAnthropic

from flows.overnight import collect_batches
from tasks import batches, insights
from tasks.batch_api import VendorBatch, create_batch
from tests.acceptance.conftest import World
from tests.acceptance.night import (
    assert_books_equal,
    assert_each_has_one_summary,
    evening,
    load_alike,
    outcomes,
    overnight,
)

Requests = Sequence[dict[str, Any]]


def test_a_batch_that_was_given_up_while_it_was_sent_is_booked_all_the_same(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    load_alike(world, players=2)
    clock, suspended = evening(world), list[bool]()

    async def suspended_before(client: AsyncAnthropic, requests: Requests) -> VendorBatch:
        if not suspended:
            suspended.append(True)
            clock.advance(730)
            await collect_batches.fn(clock=clock)  # another process, which gives the batch up
        return await create_batch(client, requests)

    monkeypatch.setattr(batches, "create_batch", suspended_before)
    overnight(world, clock)
    assert outcomes(world) == [("unusable", "claim_lost", 2)], "paid for, and not lost from the books"
    assert_books_equal(world)
    overnight(world, clock)
    assert_each_has_one_summary(world, 2)
    assert_books_equal(world)


def test_claims_that_wait_while_others_are_sent_are_kept_and_no_insight_is_sent_twice(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    load_alike(world, players=10, elsewhere=4)
    world.execute(  # those come first, and wait for company
        "UPDATE insight SET created_at = created_at - interval '9 days' WHERE organization_id = 'club-02'"
    )
    clock = evening(world)
    monkeypatch.setattr(insights, "PAGE_INSIGHTS", 4)
    monkeypatch.setattr(batches, "REQUESTS_MAX", 4)

    async def slow_behind(client: AsyncAnthropic, requests: Requests) -> VendorBatch:
        made = await create_batch(client, requests)
        clock.advance(590)
        return made

    monkeypatch.setattr(batches, "create_batch", slow_behind)
    overnight(world, clock)
    assert world.meter()["requests"] == 14
    assert_each_has_one_summary(world, 14)
    assert_books_equal(world)
