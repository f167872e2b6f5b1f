"""A second opinion for the floor: the cache itself, played through request by request, over random trees."""

import random
from collections.abc import Iterable
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal

from hypothesis import strategies as st

from core.floor import PrefixNode, Request
from core.pricing import minimum_prefix_tokens, price_of
from core.usage import Usage

AT = datetime(2026, 11, 2, 12, tzinfo=UTC)
HAIKU = "claude-haiku-5-5"
Path = tuple[PrefixNode, ...]


def asked(*nodes: tuple[str, int] | PrefixNode, rest: int = 0, output: int = 0, **terms: object) -> Request:
    """A request whose prompt begins with these prefixes, not cached yet."""
    path = tuple(PrefixNode(*node) for node in nodes)
    usage = Usage((path[-1].tokens if path else 0) + rest, output_tokens=output)
    return replace(Request(usage=usage, model=HAIKU, at=AT, path=path), **terms)  # type: ignore[arg-type]


def usd(*parts: tuple[int, str]) -> Decimal:
    """Tokens times USD per million, restated in whole numbers."""
    return Decimal(sum(tokens * int(Decimal(price) * 10**6) for tokens, price in parts)) / 10**12


def cost_of(request: Request) -> Decimal:
    """What one request is billed."""
    return price_of(
        request.usage,
        model=request.model,
        at=request.at,
        service_tier=request.service_tier,
        inference_geo=request.inference_geo,
    ).cost_usd


def billed(requests: Iterable[Request]) -> Decimal:
    """What all of them are billed."""
    return sum(map(cost_of, requests), Decimal(0))


class Cache:
    """What the vendor documents: entries at marked prefixes, the longest one is read, the rest written."""

    def __init__(self, model: str) -> None:
        self.entries: set[Path] = set()
        self.minimum = minimum_prefix_tokens(model)

    def answer(self, request: Request, marked: set[int], is_missed: bool = False) -> Request:
        """The request as it is billed; `marked` are places in its path."""
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
    """Where an ideal run marks this request."""
    return {i for i in range(len(request.path)) if request.path[: i + 1] in worthy}


MODELS = st.sampled_from([HAIKU, "claude-haiku-4-5", "claude-sonnet-5-5", "claude-opus-4-8"])
trees = st.builds(tree, st.randoms(use_true_random=False), MODELS, st.integers(1, 25))
