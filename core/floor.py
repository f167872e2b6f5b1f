"""The cheapest possible bill for the same requests, to measure a real one against.

Each profitable prefix is written once, at the price of the cheapest lifetime, and read by all others; the
rest is input. A real run can reach it, never go below.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import NamedTuple

from core.errors import BooksDisagree
from core.pricing import ClassPrices, canonical_model, minimum_prefix_tokens, prices_at
from core.states import ServiceTier
from core.usage import Usage


class PrefixNode(NamedTuple):
    """One layer of a prompt: what identifies its text, and the tokens of the prompt up to its end."""

    key: str
    tokens: int
    found_warm: bool = False  # its first use was a read: somebody else had written it


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """One request as it was billed; `path` names the layers its prompt begins with, outermost first."""

    usage: Usage
    model: str
    at: datetime
    service_tier: ServiceTier | str = ServiceTier.STANDARD
    inference_geo: str | None = None
    path: tuple[PrefixNode, ...] = ()


class Family(NamedTuple):
    """Who can read each other's cache: same model and place, and batch and live apart."""

    model: str
    service_tier: str
    inference_geo: str


def family_of(model: str, service_tier: str, inference_geo: str | None) -> Family:
    """Return who a request can share its cache with."""
    return Family(canonical_model(model), service_tier, inference_geo or "global")


@dataclass(slots=True)
class _Group:
    """Requests with one prefix path and the same prices: their number and the tokens behind the prefix."""

    family: Family
    path: tuple[PrefixNode, ...]
    prices: ClassPrices
    requests: int = 0
    total_input_tokens: int = 0
    output_tokens: int = 0


@dataclass(slots=True)
class _Segment:
    """The tokens that one layer adds to its parent, and how often they are used at which prices."""

    tokens: int
    prefix_tokens: int
    parent: "_Segment | None"
    input_price: Decimal = Decimal(0)  # summed over all uses
    read_price: Decimal = Decimal(0)  # summed over all uses
    write_extra: Decimal = Decimal("Infinity")  # of the use for which writing is least dearer than reading

    def use(self, prices: ClassPrices, times: int, *, found_warm: bool) -> None:
        if found_warm:
            self.write_extra = Decimal(0)
        self.input_price += prices.input * times
        self.read_price += prices.cache_read * times
        cheapest = min(prices.cache_write_5m, prices.cache_write_1h)
        self.write_extra = min(self.write_extra, cheapest - prices.cache_read)

    @property
    def is_profitable(self) -> bool:
        """Whether caching pays, by the prices alone, so that an empty layer is decided like any other."""
        return self.read_price + self.write_extra < self.input_price

    @property
    def cost_usd(self) -> Decimal:
        """All uses read and one writes, or all are input: whichever is cheaper."""
        price = min(self.read_price + self.write_extra, self.input_price)
        return self.tokens * price.scaleb(-6)


class FloorTally:
    """Collects requests one by one, and then prices them ideally; memory grows with distinct paths only."""

    def __init__(self) -> None:
        self._groups: dict[tuple[object, ...], _Group] = {}

    def add(self, request: Request) -> None:
        """Count one request. Raises BooksDisagree when its prefix is longer than its prompt.

        A request without any counted input (lost, not yet reconciled) has no prefix either.
        """
        usage = request.usage
        total = usage.total_input_tokens
        path = request.path if total else ()
        if path and path[-1].tokens > total:
            raise BooksDisagree(f"a prefix of {path[-1].tokens} tokens in a prompt of {total}")
        prices = prices_at(request.model, request.at, total, request.service_tier, request.inference_geo)
        family = family_of(request.model, request.service_tier, request.inference_geo)
        self.add_alike(family, path, prices, 1, total, usage.output_tokens)

    def add_alike(
        self,
        family: Family,
        path: tuple[PrefixNode, ...],
        prices: ClassPrices,
        requests: int,
        total_input_tokens: int,
        output_tokens: int,
    ) -> None:
        """Count requests that have path and prices in common, with their tokens added up."""
        # By identity: prices come from a cache, and the group keeps them alive.
        group = self._groups.setdefault((family, path, id(prices)), _Group(family, path, prices))
        group.requests += requests
        group.total_input_tokens += total_input_tokens
        group.output_tokens += output_tokens

    def total_usd(self) -> Decimal:
        """The floor of everything added so far, in US dollars, exact."""
        segments: dict[tuple[object, ...], _Segment] = {}
        cost = Decimal(0)
        for group in self._groups.values():
            cached_tokens = _enter(group, segments) * group.requests
            cost += (group.total_input_tokens - cached_tokens) * group.prices.input.scaleb(-6)
            cost += group.output_tokens * group.prices.output.scaleb(-6)
        for segment in segments.values():
            _check_closed(segment)
            cost += segment.cost_usd
        return cost


def floor_usd(requests: Iterable[Request]) -> Decimal:
    """The cheapest possible bill for these requests, in US dollars.

    The price of each request is that of its own day, tier and prompt size, whoever shares its prefix; where
    they differ, the one for which it costs least writes. Raises as `prices_at`, and BooksDisagree when one
    prefix is given with different token counts.
    """
    tally = FloorTally()
    for request in requests:
        tally.add(request)
    return tally.total_usd()


def _enter(group: _Group, segments: dict[tuple[object, ...], _Segment]) -> int:
    """Add a group's uses to the segments of its path; gives the tokens they cover.

    A prefix below the model's minimum cannot be cached: its tokens belong to the next deeper layer.
    """
    minimum = minimum_prefix_tokens(group.family.model)
    keys: tuple[object, ...] = group.family
    parent: _Segment | None = None
    covered = 0
    for node in group.path:
        keys = (keys, node.key)
        if node.tokens < covered:
            raise BooksDisagree(f"the prefix {node.key!r} has {node.tokens} tokens, its parent {covered}")
        if node.tokens < minimum:
            continue
        segment = segments.setdefault(keys, _Segment(node.tokens - covered, node.tokens, parent))
        if segment.prefix_tokens != node.tokens or segment.parent is not parent:
            raise BooksDisagree(f"{node.key!r} has {segment.prefix_tokens} tokens, and also {node.tokens}")
        segment.use(group.prices, group.requests, found_warm=node.found_warm)
        parent, covered = segment, node.tokens
    return covered


def _check_closed(segment: _Segment) -> None:
    """Uses only fall along a path, so what is profitable must be closed towards the root."""
    if segment.is_profitable and segment.parent and not segment.parent.is_profitable:
        raise BooksDisagree("a prefix is worth caching, but not the shorter one that more requests share")
