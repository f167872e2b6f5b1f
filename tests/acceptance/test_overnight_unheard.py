"""Batches whose sender never heard whether the API has them: nothing is sent again before that is certain."""

import pytest

from tests.acceptance.conftest import World
from tests.acceptance.night import (
    FOREIGN_MODEL,
    assert_books_equal,
    assert_each_has_one_summary,
    at_vendor,
    batches,
    collect,
    evening,
    leave,
    load_alike,
    outcomes,
    overnight,
    someone_elses_batch,
    vendor,
    waiting,
)

GRACE_SECONDS = 60  # until a batch that the API does not list was never created
HEARD_WITHIN_SECONDS = 660  # of a create call, else its sender is dead


@pytest.mark.parametrize("kind", ["reset_after_billing", "not_json"])
def test_a_batch_of_which_no_answer_came_is_found_by_its_results_and_sent_only_once(
    world: World, kind: str
) -> None:
    load_alike(world, players=2)
    world.fault(kind=kind, at="batches.create", count=1)
    overnight(world, evening(world))
    (theirs,), (ours,) = at_vendor(world), batches(world)
    assert (ours["vendor_id"], ours["state"]) == (theirs.id, "collected")
    assert_each_has_one_summary(world, 2)
    assert_books_equal(world)


@pytest.mark.parametrize("kind", ["reset_before_billing", "api_error"])
def test_a_batch_that_was_never_created_lets_go_after_a_grace_and_the_next_run_sends_it(
    world: World, kind: str
) -> None:
    load_alike(world, players=2)
    clock = evening(world)
    world.fault(kind=kind, at="batches.create", count=1)
    overnight(world, clock)
    assert at_vendor(world) == []
    (ours,) = batches(world)
    assert ours["state"] == "missing"
    assert (ours["collected_at"] - ours["created_at"]).total_seconds() >= GRACE_SECONDS
    assert waiting(world) == [("pending", "batch_not_created", False, 2)]
    assert outcomes(world) == [("rejected", "batch_not_created", 2)]
    overnight(world, clock)
    assert len(at_vendor(world)) == 1
    assert_each_has_one_summary(world, 2)
    assert_books_equal(world)


def test_until_it_is_certain_the_items_wait_and_no_run_sends_them_again(world: World) -> None:
    load_alike(world, players=2)
    clock = evening(world)
    world.fault(kind="reset_after_billing", at="batches.create", count=1)
    leave(world, clock, sleeps=0)
    overnight(world, clock)
    collect(world, clock)
    assert world.states() == {"in_batch": 2}
    assert outcomes(world) == [("sent", None, 2)]
    assert len(at_vendor(world)) == 1
    clock.advance(120)
    collect(world, clock)  # finds it
    collect(world, clock)  # collects it
    assert_each_has_one_summary(world, 2)
    assert_books_equal(world)


@pytest.mark.parametrize("created", [True, False], ids=["created", "never created"])
def test_a_batch_of_the_same_size_that_is_somebody_elses_is_excluded_by_its_results(
    world: World, created: bool
) -> None:
    load_alike(world, players=2)
    clock = evening(world)
    foreign = someone_elses_batch(world, requests=2)
    world.fault(
        kind="reset_after_billing" if created else "reset_before_billing", at="batches.create", count=1
    )
    leave(world, clock, sleeps=2)  # beyond the grace, before the foreign batch has ended
    later = someone_elses_batch(world, requests=2)
    clock.advance(GRACE_SECONDS - 10)
    collect(world, clock)
    if not created:
        assert world.states() == {"in_batch": 2}, "the later one may be it, until it has ended"
    clock.advance(GRACE_SECONDS)
    collect(world, clock)
    collect(world, clock)
    (ours,) = batches(world)
    assert ours["vendor_id"] not in {foreign.id, later.id}
    if not created:
        assert waiting(world) == [("pending", "batch_not_created", False, 2)]
        overnight(world, clock)
    assert len(at_vendor(world)) == 3
    assert len(world.ledger()) == (2 if created else 4)
    assert_each_has_one_summary(world, 2)
    assert_books_equal(world, but_model=FOREIGN_MODEL)


def test_two_of_our_own_batches_of_one_size_that_were_not_heard_of_are_told_apart(world: World) -> None:
    load_alike(world, players=1, elsewhere=1)
    world.fault(kind="reset_after_billing", at="batches.create", count=2)
    overnight(world, evening(world))
    assert {one.id for one in at_vendor(world)} == {one["vendor_id"] for one in batches(world)}
    assert len(batches(world)) == 2
    assert_each_has_one_summary(world, 2)
    assert_books_equal(world)


def test_a_batch_that_somebody_has_cancelled_before_it_was_found_is_found_all_the_same(world: World) -> None:
    load_alike(world, players=2)
    clock = evening(world)
    world.fault(kind="reset_after_billing", at="batches.create", count=1)
    leave(world, clock, sleeps=0)
    (theirs,) = at_vendor(world)
    vendor(world).messages.batches.cancel(theirs.id)
    clock.advance(HEARD_WITHIN_SECONDS)
    collect(world, clock)
    collect(world, clock)
    assert waiting(world) == [("pending", "batch_canceled", False, 2)]
    assert outcomes(world) == [("canceled", "batch_canceled", 2)]
    overnight(world, clock)
    assert_each_has_one_summary(world, 2)
    assert_books_equal(world)
