"""The bill of a run, and what a run teaches of lengths: its floor tells how long a prefix is held to be."""

import random
from collections.abc import Callable, Iterable
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from itertools import accumulate

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.bill import Bill
from core.floor import PrefixNode, Request
from core.pricing import minimum_prefix_tokens, price_of
from core.settlement import predicted_entry
from core.tally import Entry, RunTally, bill_of_run
from core.usage import Usage
from tests.unit.planned import NOW, calls, crowd, predicted_usd
from tests.unit.played_cache import (
    AT,
    HAIKU,
    Cache,
    cost_of,
    ideal_marks,
    tree,
    trees,
    usd,
    worth_marking,
)

Planned = Callable[[str, int], int]  # the planned length of a prefix, by its key and its true length


def entry(*path: tuple[str, int], usage: Usage, marked: int | None = None, minute: int = 0) -> Entry:
    """An attempt with prefixes of these planned lengths, by default marked at the deepest."""
    return Entry(
        at=AT + timedelta(minutes=minute),
        path=tuple(PrefixNode(*node) for node in path),
        marked=len(path) if marked is None else marked,
        usage=usage,
        model=HAIKU,
        service_tier="standard",
        inference_geo=None,
        cost_usd=price_of(usage, model=HAIKU, at=AT).cost_usd,
    )


def floor(*entries: Entry) -> Decimal:
    return bill_of_run(entries).floor_usd


def test_the_deepest_marker_tells_the_length_exactly() -> None:
    written = entry(("sport", 3000), ("ann", 9000), usage=Usage(50, 0, 4123))
    read = entry(("sport", 3000), ("ann", 9000), usage=Usage(70, 4123))
    assert floor(written, read) == usd((4123, "0.125"), (4123, "0.01"), (120, "0.10"))


def test_a_marker_further_up_tells_that_length_too() -> None:
    written = entry(("sport", 3500), ("ann", 9000), usage=Usage(50, 0, 4123))
    only_sport = entry(("sport", 3500), ("bob", 9000), usage=Usage(172, 4001), marked=1)
    assert floor(written, only_sport) == usd((4001, "0.125"), (4001, "0.01"), (122 + 50 + 172, "0.10"))


@pytest.mark.parametrize("sport", [2_500, 3_900, 4_001, 4_100, 9_000])
def test_a_prefix_that_was_read_alone_is_known_exactly_whatever_was_planned(sport: int) -> None:
    """A call that also wrote has read up to before its deepest marker, however near that is."""
    leader = entry(("sport", sport), ("ann", sport + 90), usage=Usage(50, 0, 4123))
    follower = entry(("sport", sport), ("bob", sport + 90), usage=Usage(50, 4001, 110))
    again = entry(("sport", sport), ("bob", sport + 90), usage=Usage(50, 4111))
    shared = [(4001, "0.125"), (2 * 4001, "0.01"), (110, "0.125"), (110, "0.01")]
    assert floor(leader, follower, again) == usd(*shared, (122 + 150, "0.10"))


def test_a_read_that_came_too_early_for_the_sport_ended_at_the_instructions() -> None:
    layers = (("instructions", 2_100), ("sport", 3_800))
    ann = entry(*layers, ("ann", 4_300), usage=Usage(50, 0, 4_100))
    bob = entry(*layers, ("bob", 4_300), usage=Usage(50, 2_000, 2_200))
    cat = entry(*layers, ("cat", 4_300), usage=Usage(50, 4_000, 300))
    told = usd((4_000, "0.125"), (8_000, "0.01"), (100 + 200 + 300 + 150, "0.10"))
    assert floor(ann, bob, cat) == told


def test_what_lies_inside_a_counted_prefix_is_not_longer() -> None:
    attempts = [entry(("sport", 9_000), ("ann", 9_100), usage=Usage(50, 0, 4_100)) for _ in range(2)]
    other = entry(("sport", 9_000), usage=Usage(7_000), marked=0)
    assert floor(*attempts, other) == usd((4_100, "0.125"), (2 * 4_100, "0.01"), (100 + 2_900, "0.10"))


def test_a_prefix_is_never_longer_than_a_prompt_that_begins_with_it() -> None:
    short, long = (entry(("sport", 100_000), usage=Usage(tokens), marked=0) for tokens in (4_500, 4_700))
    assert floor(short, long) == usd((4_500, "0.125"), (4_500, "0.01"), (200, "0.10"))


def test_a_prefix_is_never_shorter_than_its_parent() -> None:
    attempts = [entry(("sport", 4_000), ("tone", 3_000), usage=Usage(5_000), marked=0) for _ in range(2)]
    assert floor(*attempts) == usd((4_000, "0.125"), (4_000, "0.01"), (2_000, "0.10"))


def test_without_any_cache_the_planned_length_counts() -> None:
    attempts = [entry(("sport", 4_000), usage=Usage(4_500), marked=0) for _ in range(3)]
    assert floor(*attempts) == usd((4_000, "0.125"), (8_000, "0.01"), (1_500, "0.10"))


def test_a_lost_request_says_nothing_of_lengths_and_counts_with_its_estimate() -> None:
    lost = replace(entry(("sport", 100), usage=Usage(0)), cost_usd=Decimal("0.0001"))
    written, read = (entry(("sport", 9_000), usage=usage) for usage in (Usage(9, 0, 4_000), Usage(9, 4_000)))
    answered = usd((4_000, "0.125"), (4_000, "0.01"), (18, "0.10"))
    bill = bill_of_run([lost, written, read])
    assert bill.floor_usd == bill.cost_usd == answered + Decimal("0.0001")
    assert bill.efficiency == 1


def test_a_refusal_before_any_output_is_read_for_its_lengths_but_has_no_price() -> None:
    attempts = [entry(("sport", 9_000), usage=usage) for usage in (Usage(9, 0, 4_000), Usage(9, 4_000))]
    refused = replace(attempts[1], cost_usd=Decimal(0))
    assert bill_of_run([*attempts, refused]).floor_usd == bill_of_run(attempts).floor_usd
    assert bill_of_run([*attempts, refused]).cache_read_tokens == 8_000


def test_what_the_run_found_warm_it_did_not_have_to_write() -> None:
    reads = [entry(("sport", 4_200), usage=Usage(150, 4_000)) for _ in range(2)]
    bill = bill_of_run(reads)
    assert bill.floor_usd == bill.cost_usd == usd((8_000, "0.01"), (300, "0.10"))


def test_a_prefix_inside_one_that_was_found_warm_was_warm_too_and_a_longer_one_was_not() -> None:
    layers = (("instructions", 2_000), ("sport", 4_000), ("tone", 4_100))
    leader = entry(*layers, usage=Usage(50, 4_000, 100))
    reader = entry(*layers, usage=Usage(50, 4_100))
    bill = bill_of_run([leader, reader])
    assert (
        bill.floor_usd == bill.cost_usd == usd((8_000, "0.01"), (100, "0.125"), (100, "0.01"), (100, "0.10"))
    )


def test_what_is_settled_late_does_not_change_who_came_first() -> None:
    leader = entry(("sport", 4_000), usage=Usage(50, 0, 4_000))
    follower = entry(("sport", 4_000), usage=Usage(50, 4_000), minute=1)
    assert bill_of_run([follower, leader]) == bill_of_run([leader, follower])
    assert floor(follower, leader) == usd((4_000, "0.125"), (4_000, "0.01"), (100, "0.10"))


def test_calls_are_counted_by_their_first_attempts() -> None:
    first = entry(("sport", 4_000), usage=Usage(50, 0, 4_000))
    bill = bill_of_run([first, replace(first, first=False), first])
    assert (bill.calls, bill.attempts) == (2, 3)


def run_of(requests: list[Request], planned: Planned) -> list[Entry]:
    """An ideal run of these requests, as a tally with such planned lengths sees it."""
    cache, worthy = Cache(requests[0].model), worth_marking(requests)
    minimum = minimum_prefix_tokens(requests[0].model)
    entries = []
    for request in requests:
        marks = {place for place in ideal_marks(request, worthy) if request.path[place].tokens >= minimum}
        answered = cache.answer(request, marks)
        keys = accumulate((node.key for node in request.path), "{}/{}".format)
        path = [PrefixNode(key, planned(key, n.tokens)) for key, n in zip(keys, request.path, strict=True)]
        marked = max(marks, default=-1) + 1
        told = (answered.usage, answered.model, answered.service_tier, None, cost_of(answered))
        entries.append(Entry(request.at, tuple(path), marked, *told))
    return entries


@given(trees, st.integers(0, 40))
@settings(derandomize=True, deadline=None, max_examples=20)
def test_the_floor_of_an_ideal_run_is_its_bill(requests: list[Request], frame: int) -> None:
    """Also when a frame of unknown length stands before every prompt."""
    entries = run_of(requests, lambda _, tokens: tokens + frame if tokens > 512 else tokens)
    bill = bill_of_run(entries)
    assert bill.floor_usd == bill.cost_usd == sum(each.cost_usd for each in entries)
    assert bill.efficiency == 1


def misled(chance: random.Random, minimum: int) -> Planned:
    """Lengths that are wrong by up to a fifth, but for whether they can be cached."""
    known: dict[str, int] = {}

    def planned(key: str, tokens: int) -> int:
        guess = known.setdefault(key, round(tokens * chance.uniform(0.8, 1.2)))
        return max(guess, minimum) if tokens >= minimum else min(guess, minimum - 1)

    return planned


def test_planned_lengths_that_mislead_by_a_fifth_hardly_matter() -> None:
    """What the API counted is enough, but where two prefixes end within a few tokens of each other."""
    bills: list[Bill] = []
    for seed in range(60):
        print(f"seed {seed}")
        chance = random.Random(seed)
        requests = tree(chance, HAIKU, chance.randint(1, 25))
        bills.append(bill_of_run(run_of(requests, misled(chance, minimum_prefix_tokens(HAIKU)))))
    assert all(abs(1 - bill.efficiency) < Decimal("0.03") for bill in bills)
    assert sum(bill.efficiency == 1 for bill in bills) >= 54


def by_hand(usages: Iterable[Usage]) -> Decimal:
    """Haiku 5.5, restated in whole numbers: thousandths of a millionth of a dollar."""
    nanos = 0
    for usage in usages:
        nanos += 100 * usage.input_tokens + 10 * usage.cache_read_tokens + 500 * usage.output_tokens
        nanos += 125 * usage.cache_write_5m_tokens + 200 * usage.cache_write_1h_tokens
    return Decimal(nanos) / 10**9


@pytest.mark.parametrize("insights_per_call", [1, 5])
def test_what_a_run_is_predicted_to_cost_is_the_sum_of_its_calls(insights_per_call: int) -> None:
    planned = calls(crowd(seed=7, size=60), insights_per_call)
    tally = RunTally()
    for call in planned:
        tally.add(predicted_entry(call, NOW))
    bill = tally.bill()
    assert bill.cost_usd == predicted_usd(planned) == by_hand(call.predicted for call in planned)
    assert (bill.calls, bill.attempts) == (len(planned), len(planned))
    assert bill.output_tokens == 60 * 140
    assert bill.efficiency == 1


def test_given_the_answers_a_prediction_has_their_lengths_and_is_else_the_same() -> None:
    call = calls(crowd(seed=8, size=3))[0]
    told = predicted_entry(call, NOW, output_tokens=99)
    assert told.usage == replace(call.predicted, output_tokens=99)
    assert told.cost_usd == by_hand([told.usage])
    undone = replace(told, usage=call.predicted, cost_usd=by_hand([call.predicted]))
    assert undone == predicted_entry(call, NOW)


def test_a_run_of_no_attempts_costs_nothing() -> None:
    bill = bill_of_run([])
    assert bill.cost_usd == bill.floor_usd == 0
    assert bill.efficiency == 1
