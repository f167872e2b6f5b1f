"""The floor: no run, however lucky, costs less; an ideal one costs exactly that."""

import random
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.errors import BooksDisagree
from core.floor import PrefixNode, Request, floor_usd
from core.usage import Usage
from tests.unit.played_cache import AT, Cache, asked, billed, ideal_marks, trees, usd, worth_marking


def test_a_shared_prefix_is_written_once_and_read_by_all_others() -> None:
    requests = [asked(("sport", 4000), rest=50, output=140) for _ in range(10)]
    expected = usd((4000, "0.125"), (9 * 4000, "0.01"), (10 * 50, "0.10"), (10 * 140, "0.50"))
    assert floor_usd(requests) == expected


def test_a_prefix_used_once_is_plain_input() -> None:
    assert floor_usd([asked(("sport", 4000), rest=50)]) == usd((4050, "0.10"))


def test_a_prefix_below_the_minimum_belongs_to_the_next_layer() -> None:
    short = [asked(("instructions", 511), rest=50), asked(("instructions", 511), rest=50)]
    assert floor_usd(short) == usd((2 * 561, "0.10"))
    enough = [asked(("instructions", 512)), asked(("instructions", 512))]
    assert floor_usd(enough) == usd((512, "0.125"), (512, "0.01"))
    deeper = [asked(("instructions", 511), ("sport", 600)), asked(("instructions", 511), ("sport", 600))]
    assert floor_usd(deeper) == usd((600, "0.125"), (600, "0.01"))


def test_each_layer_is_decided_by_its_own_uses() -> None:
    requests = [
        asked(("sport", 4000), ("ann", 4100), rest=50),
        asked(("sport", 4000), ("ann", 4100), rest=50),
        asked(("sport", 4000), ("bob", 4120), rest=50),
    ]
    sport, ann = [(4000, "0.125"), (2 * 4000, "0.01")], [(100, "0.125"), (100, "0.01")]
    assert floor_usd(requests) == usd(*sport, *ann, (120, "0.10"), (3 * 50, "0.10"))


def test_the_same_key_below_another_parent_is_another_prefix() -> None:
    requests = [asked(("soccer", 4000), ("warm", 4100)), asked(("rugby", 3000), ("warm", 3100))]
    assert floor_usd(requests) == usd((7200, "0.10"))


def test_models_and_lanes_do_not_share_their_caches() -> None:
    live = asked(("sport", 4000))
    batch = asked(("sport", 4000), service_tier="batch")
    other = asked(("sport", 4000), model="claude-sonnet-5")
    assert floor_usd([live, batch, other]) == usd((4000, "0.10"), (4000, "0.05"), (4000, "2"))
    dated = asked(("sport", 4000), model="claude-haiku-5-5-20260915")
    assert floor_usd([live, dated]) == usd((4000, "0.125"), (4000, "0.01"))


def test_each_request_has_the_price_of_its_own_size_and_day() -> None:
    large = asked(("sport", 4000), rest=100_000)
    expected = usd((100_000, "0.50"), (4000, "0.125"), (4000, "0.05"))
    assert floor_usd([large, asked(("sport", 4000))]) == expected
    september = asked(("sport", 4000), model="claude-sonnet-5-5", at=datetime(2026, 9, 20, tzinfo=UTC))
    november = asked(("sport", 4000), model="claude-sonnet-5-5")
    assert floor_usd([november, september]) == usd((4000, "2.50"), (4000, "0.10"))


def test_what_somebody_else_has_written_is_only_read() -> None:
    warm = asked(PrefixNode("sport", 4000, found_warm=True), rest=50)
    assert floor_usd([warm]) == usd((4000, "0.01"), (50, "0.10"))
    assert floor_usd([warm, warm]) == usd((8000, "0.01"), (100, "0.10"))


def test_a_lost_request_without_counted_tokens_has_no_floor() -> None:
    lost = replace(asked(("sport", 4000)), usage=Usage(0))
    assert floor_usd([lost]) == 0
    assert floor_usd([]) == 0


def test_one_prefix_with_two_lengths_stops_the_books() -> None:
    with pytest.raises(BooksDisagree, match="4000 tokens, and also 4001"):
        floor_usd([asked(("sport", 4000)), asked(("sport", 4001))])
    with pytest.raises(BooksDisagree, match="its parent"):
        floor_usd([asked(("sport", 4000), ("tone", 3000), rest=2000)])


def test_a_prefix_longer_than_its_prompt_stops_the_books() -> None:
    with pytest.raises(BooksDisagree, match="4000 tokens in a prompt of 3999"):
        floor_usd([replace(asked(("sport", 4000)), usage=Usage(3999))])


@given(trees)
@settings(derandomize=True, deadline=None, max_examples=20)
def test_an_ideal_run_costs_exactly_the_floor(requests: list[Request]) -> None:
    cache, worthy = Cache(requests[0].model), worth_marking(requests)
    run = [cache.answer(request, ideal_marks(request, worthy)) for request in requests]
    assert floor_usd(run) == billed(run)


@given(trees, st.randoms(use_true_random=False), st.floats(0, 0.5))
@settings(derandomize=True, deadline=None, max_examples=20)
def test_no_run_costs_less_than_the_floor(
    requests: list[Request], chance: random.Random, miss_share: float
) -> None:
    """Whatever is marked, however often the cache fails, and in two lanes that share nothing."""
    lanes = {"standard": Cache(requests[0].model), "batch": Cache(requests[0].model)}
    run = []
    for request in requests:
        tier = chance.choice(("standard", "batch"))
        marked = {i for i in range(len(request.path)) if chance.random() < 0.7}
        request = replace(request, service_tier=tier)
        run.append(lanes[tier].answer(request, marked, chance.random() < miss_share))
    assert floor_usd(run) <= billed(run)


@given(trees, st.randoms(use_true_random=False))
@settings(derandomize=True, deadline=None, max_examples=20)
def test_no_run_over_a_price_change_and_two_sizes_costs_less_than_the_floor(
    requests: list[Request], chance: random.Random
) -> None:
    cache, worthy = Cache(requests[0].model), worth_marking(requests)
    run = []
    for request in requests:
        at = chance.choice((AT, datetime(2026, 9, 20, tzinfo=UTC)))
        usage = request.usage + Usage(chance.choice((0, 120_000)))
        run.append(cache.answer(replace(request, at=at, usage=usage), ideal_marks(request, worthy)))
    assert floor_usd(run) <= billed(run)
