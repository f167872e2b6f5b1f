"""The floor: no run, however lucky, costs less; an ideal one costs exactly that."""

import random
from collections.abc import Iterable
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.errors import BooksDisagree
from core.floor import Layer, Observation, PrefixNode, Request, floor_usd, observed_paths
from core.pricing import minimum_prefix_tokens, price_of
from core.usage import Usage

AT = datetime(2026, 11, 2, 12, tzinfo=UTC)
HAIKU = "claude-haiku-5-5"
Path = tuple[PrefixNode, ...]


def asked(*nodes: tuple[str, int] | PrefixNode, rest: int = 0, output: int = 0, **terms: object) -> Request:
    path = tuple(PrefixNode(*node) for node in nodes)
    usage = Usage((path[-1].tokens if path else 0) + rest, output_tokens=output)
    return replace(Request(usage=usage, model=HAIKU, at=AT, path=path), **terms)  # type: ignore[arg-type]


def usd(*parts: tuple[int, str]) -> Decimal:
    """Tokens times USD per million, restated in whole numbers."""
    return Decimal(sum(tokens * int(Decimal(price) * 10**6) for tokens, price in parts)) / 10**12


def billed(requests: Iterable[Request]) -> Decimal:
    return sum(
        (
            price_of(
                r.usage, model=r.model, at=r.at, service_tier=r.service_tier, inference_geo=r.inference_geo
            ).cost_usd
            for r in requests
        ),
        Decimal(0),
    )


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


# A second opinion: the cache itself, played through request by request.


class Cache:
    """What the vendor documents: entries at marked prefixes, the longest one is read, the rest written."""

    def __init__(self, model: str) -> None:
        self.entries: set[Path] = set()
        self.minimum = minimum_prefix_tokens(model)

    def answer(self, request: Request, marked: set[int], is_missed: bool = False) -> Request:
        path, total = request.path, request.usage.total_input_tokens
        ends = [i for i in sorted(marked) if path[i].tokens >= self.minimum]
        end = path[ends[-1]].tokens if ends else 0
        hits = [path[i].tokens for i in range(len(path)) if path[: i + 1] in self.entries]
        read = 0 if is_missed else max((tokens for tokens in hits if tokens <= end), default=0)
        self.entries.update(path[: i + 1] for i in ends)
        usage = Usage(total - end, read, end - read, 0, request.usage.output_tokens)
        return replace(request, usage=usage)


def tree(random_source: random.Random, model: str, players: int) -> list[Request]:
    """Requests over a random tree of up to four layers, some below the minimum, some used once."""
    lengths: dict[tuple[str, ...], int] = {}
    requests = []
    for _ in range(players):
        path: list[PrefixNode] = []
        for depth in range(random_source.randint(1, 4)):
            keys = (*(node.key for node in path), f"{depth}{random_source.choice('abc')}")
            added = lengths.setdefault(keys, random_source.choice((20, 120, 400, 1800, 6000)))
            path.append(PrefixNode(keys[-1], (path[-1].tokens if path else 0) + added))
        for _ in range(random_source.randint(1, 3)):
            rest, output = random_source.randint(1, 200), random_source.randint(0, 300)
            requests.append(asked(*path, rest=rest, output=output, model=model))
    random_source.shuffle(requests)
    return requests


def worth_marking(requests: list[Request]) -> set[Path]:
    """Prefixes used at least twice: from there on a five-minute write pays, for every model we know."""
    uses: dict[Path, int] = {}
    for request in requests:
        for i in range(len(request.path)):
            prefix = request.path[: i + 1]
            uses[prefix] = uses.get(prefix, 0) + 1
    return {prefix for prefix, count in uses.items() if count > 1}


def ideal_marks(request: Request, worthy: set[Path]) -> set[int]:
    return {i for i in range(len(request.path)) if request.path[: i + 1] in worthy}


MODELS = st.sampled_from([HAIKU, "claude-haiku-4-5", "claude-sonnet-5-5", "claude-opus-4-8"])
trees = st.builds(tree, st.randoms(use_true_random=False), MODELS, st.integers(1, 25))


@given(trees)
@settings(derandomize=True, deadline=None, max_examples=40)
def test_an_ideal_run_costs_exactly_the_floor(requests: list[Request]) -> None:
    cache, worthy = Cache(requests[0].model), worth_marking(requests)
    run = [cache.answer(request, ideal_marks(request, worthy)) for request in requests]
    assert floor_usd(run) == billed(run)


@given(trees, st.randoms(use_true_random=False), st.floats(0, 0.5))
@settings(derandomize=True, deadline=None, max_examples=40)
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
@settings(derandomize=True, deadline=None, max_examples=40)
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


# Token counts from what the API reported.


def seen(request: Request, marked: set[int], characters: dict[str, int] | None = None) -> Observation:
    """As an observer knows it: texts by characters (3 a token, roughly), and the usage."""
    layers, parent = [], 0
    for node in request.path:
        layers.append(Layer(node.key, (characters or {}).get(node.key, 3 * (node.tokens - parent))))
        parent = node.tokens
    return Observation(
        model=request.model, layers=tuple(layers), marked=tuple(sorted(marked)), usage=request.usage
    )


def observed(*requests: tuple[Request, set[int]]) -> list[list[int]]:
    paths = observed_paths([seen(request, marked) for request, marked in requests])
    return [[node.tokens for node in path] for path in paths]


def test_the_deepest_marker_tells_the_length_exactly() -> None:
    path = (("sport", 4001), ("ann", 4123))
    written = replace(asked(*path, rest=50), usage=Usage(50, 0, 4123))
    read = replace(asked(*path, rest=70), usage=Usage(70, 4123))
    assert observed((written, {1}), (read, {1}))[1][1] == 4123
    only_sport = replace(asked(*path, rest=50), usage=Usage(172, 4001))
    assert observed((written, {1}), (only_sport, {0})) == [[4001, 4123]] * 2


def test_a_layer_that_was_read_alone_is_known_exactly() -> None:
    leader = replace(asked(("sport", 4001), ("ann", 4123), rest=50), usage=Usage(50, 0, 4123))
    follower = replace(asked(("sport", 4001), ("bob", 4111), rest=50), usage=Usage(50, 4001, 110))
    skewed = {"sport": 9000, "ann": 900, "bob": 900}
    paths = observed_paths([seen(leader, {0, 1}, skewed), seen(follower, {0, 1}, skewed)])
    assert [[node.tokens for node in path] for path in paths] == [[4001, 4123], [4001, 4111]]


def test_the_largest_of_several_readings_counts() -> None:
    """The second player's leader came too early to read the sport, and read the instructions alone."""
    layers = (("instructions", 2000), ("sport", 4000))
    marked = {0, 1, 2}
    ann = replace(asked(*layers, ("ann", 4100), rest=50), usage=Usage(50, 0, 4100))
    bob = replace(asked(*layers, ("bob", 4200), rest=50), usage=Usage(50, 2000, 2200))
    cat = replace(asked(*layers, ("cat", 4300), rest=50), usage=Usage(50, 4000, 300))
    assert observed((ann, marked), (bob, marked), (cat, marked))[0][1:] == [4000, 4100]


def test_what_was_not_observed_is_shared_out_by_characters() -> None:
    request = replace(asked(("sport", 4000), ("tone", 4100), rest=50), usage=Usage(50, 0, 4100))
    characters = {"sport": 3000, "tone": 1100}
    (path,) = observed_paths([seen(request, {1}, characters)])
    assert path == (PrefixNode("sport", 3000), PrefixNode("tone", 4100))


def test_deeper_layers_follow_the_density_of_what_was_counted() -> None:
    request = replace(asked(("sport", 4000), ("ann", 4100), rest=90), usage=Usage(190, 0, 4000))
    assert observed((request, {0})) == [[4000, 4100]]


def test_without_any_cache_the_given_density_counts_but_never_beyond_the_prompt() -> None:
    request = asked(("sport", 4000), rest=500)
    (path,) = observed_paths([seen(request, set(), {"sport": 10_000})])
    assert path == (PrefixNode("sport", 4000),)
    (path,) = observed_paths([seen(request, set(), {"sport": 100_000})])
    assert path == (PrefixNode("sport", 4500),)


def test_a_lost_request_bounds_nothing() -> None:
    lost = replace(asked(("sport", 4000)), usage=Usage(0))
    answered = replace(asked(("sport", 4000), rest=9), usage=Usage(9, 0, 4000))
    assert observed((lost, {0}), (answered, {0})) == [[4000], [4000]]


@given(trees, st.randoms(use_true_random=False))
@settings(derandomize=True, deadline=None, max_examples=40)
def test_the_floor_of_an_ideal_run_is_its_bill_even_when_only_observed(
    requests: list[Request], chance: random.Random
) -> None:
    """Characters mislead by up to half; what the API counted is enough wherever it matters."""
    cache, worthy = Cache(requests[0].model), worth_marking(requests)
    characters = {f"{d}{k}": chance.randint(30, 20_000) for d in range(4) for k in "abc"}
    marks = [ideal_marks(request, worthy) for request in requests]
    run = [cache.answer(request, marked) for request, marked in zip(requests, marks, strict=True)]
    observations = [seen(request, marked, characters) for request, marked in zip(run, marks, strict=True)]
    paths = observed_paths(observations)
    estimated = [replace(request, path=path) for request, path in zip(run, paths, strict=True)]
    assert floor_usd(estimated) <= billed(run)
