"""The cheapest possible bill for the same requests, to measure a real one against.

Each profitable prefix is written once, at the 5m price, and read by all others; the rest is input. A real
run can reach it, never go below. Lengths that were not observed are estimated.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from fractions import Fraction
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
        self.write_extra = min(self.write_extra, prices.cache_write_5m - prices.cache_read)

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
        geo = request.inference_geo or "global"
        family = Family(canonical_model(request.model), request.service_tier, geo)
        # By identity: prices come from a cache, and the group keeps them alive.
        group = self._groups.setdefault((family, path, id(prices)), _Group(family, path, prices))
        group.requests += 1
        group.total_input_tokens += total
        group.output_tokens += usage.output_tokens

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


class Layer(NamedTuple):
    """One layer of a prompt as it was rendered: what identifies its text, and its length."""

    key: str
    characters: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Observation:
    """One request as sent and answered: its layers, which of them ended in a cache marker, and the usage."""

    model: str
    layers: tuple[Layer, ...]
    marked: tuple[int, ...]  # indexes into `layers`
    usage: Usage


@dataclass(slots=True)
class _Node:
    """What is known of one layer in its place: characters and tokens of the prompt up to its end."""

    key: str
    characters: int
    tokens: int | None = None  # as observed, or else as estimated
    tokens_max: int | None = None  # the shortest prompt that began with it
    is_counted: bool = False  # the API counted exactly up to its end
    is_marked: bool = False  # a request so far had a marker at its end


def observed_paths(
    observations: Sequence[Observation], characters_per_token: Fraction = Fraction(5, 2)
) -> list[tuple[PrefixNode, ...]]:
    """The prefix path of each request, with tokens from what the API counted.

    `observations` are in the order of sending. Exact: the deepest marked layer of a request that cached
    anything (it has read + written tokens), and a layer that was read alone: when a request reads less than
    it marks, it has read up to the deepest layer that an earlier request had marked. Where observations
    differ, the largest counts. The rest is estimated by characters: between the exact layers around it, or
    at the model's own characters per token; the argument serves a model of which nothing was ever cached.
    """
    nodes: dict[tuple[object, ...], _Node] = {}
    known: dict[tuple[str, tuple[Layer, ...]], list[_Node]] = {}
    for seen in observations:
        path = known.get((seen.model, seen.layers))
        if path is None:
            path = known[seen.model, seen.layers] = _nodes_of(seen, nodes)
        _observe_counts(seen, path)
    for seen in observations:
        _observe_read(seen, known[seen.model, seen.layers])
    models = {model for model, _ in known}
    densities = {model: _density(known, model) or 1 / characters_per_token for model in models}
    for path in known.values():
        _interpolate(path)
    for (model, _), path in known.items():
        _extrapolate(path, densities[model])
    paths = {place: _bounded(path) for place, path in known.items()}
    return [paths[seen.model, seen.layers] for seen in observations]


def _nodes_of(seen: Observation, nodes: dict[tuple[object, ...], _Node]) -> list[_Node]:
    place: tuple[object, ...] = (seen.model,)
    path, characters = [], 0
    for layer in seen.layers:
        place, characters = (place, layer.key), characters + layer.characters
        path.append(nodes.setdefault(place, _Node(layer.key, characters)))
    return path


def _observe_counts(seen: Observation, path: list[_Node]) -> None:
    """The deepest marker ends the cached part; and no prefix is longer than its prompt."""
    usage = seen.usage
    cached = usage.total_input_tokens - usage.input_tokens
    if cached and seen.marked:
        deepest = path[max(seen.marked)]
        deepest.tokens, deepest.is_counted = max(deepest.tokens or 0, cached), True
    if usage.total_input_tokens:
        for node in path:
            node.tokens_max = min(node.tokens_max or usage.total_input_tokens, usage.total_input_tokens)


def _observe_read(seen: Observation, path: list[_Node]) -> None:
    """A read that ends before the deepest marker ends at a layer that was marked before."""
    read = seen.usage.cache_read_tokens
    above = path[: max(seen.marked, default=0)]
    if read and all(node.tokens != read for node in path):
        target = next((node for node in reversed(above) if node.is_marked and not node.is_counted), None)
        if target:
            target.tokens = max(target.tokens or 0, read)
    for index in seen.marked:
        path[index].is_marked = True


def _density(known: Mapping[tuple[str, tuple[Layer, ...]], list[_Node]], model: str) -> Fraction | None:
    """Tokens per character over all layers of a model that were counted; None when there are none."""
    counted = {id(node): node for place, path in known.items() if place[0] == model for node in path}
    tokens = sum(node.tokens for node in counted.values() if node.tokens)
    characters = sum(node.characters for node in counted.values() if node.tokens)
    return Fraction(tokens, characters) if tokens and characters else None


def _interpolate(path: list[_Node]) -> None:
    """Fill the gaps between two known layers in proportion to characters."""
    start_characters, start_tokens, gap = 0, 0, list[_Node]()
    for node in path:
        if node.tokens is None:
            gap.append(node)
            continue
        characters, tokens = node.characters - start_characters, node.tokens - start_tokens
        for missing in gap:
            share = Fraction(missing.characters - start_characters, characters or 1)
            missing.tokens = start_tokens + int(tokens * share)
        start_characters, start_tokens, gap = node.characters, node.tokens, []


def _extrapolate(path: list[_Node], density: Fraction) -> None:
    """Fill what lies deeper than the last known layer."""
    start_characters, start_tokens = 0, 0
    for node in path:
        if node.tokens is None:
            node.tokens = start_tokens + int((node.characters - start_characters) * density)
        start_characters, start_tokens = node.characters, node.tokens


def _bounded(path: list[_Node]) -> tuple[PrefixNode, ...]:
    """The path, with no layer shorter than its parent or longer than a prompt that begins with it."""
    bounded, parent_tokens = [], 0
    for node in path:
        tokens = node.tokens or 0
        parent_tokens = max(parent_tokens, min(tokens, node.tokens_max or tokens))
        bounded.append(PrefixNode(node.key, parent_tokens))
    return tuple(bounded)
