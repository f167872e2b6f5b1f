"""What a run has asked and paid for, added up attempt by attempt; memory grows with distinct prefixes."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from core.bill import Bill, BillSums
from core.calls import PlannedCall
from core.floor import Family, FloorTally, PrefixNode, Request, family_of
from core.pricing import ClassPrices, prices_at
from core.usage import Usage


@dataclass(frozen=True, slots=True)
class Entry:
    """One attempt as it was (or is predicted to be) billed, with the prefixes of its prompt."""

    at: datetime
    path: tuple[PrefixNode, ...]  # as planned, outermost first: those that other calls share
    marked: int  # how many of them, counted from the front, the deepest marker covers
    usage: Usage
    model: str
    service_tier: str
    inference_geo: str | None
    cost_usd: Decimal
    first: bool = True  # the first attempt of its call


@dataclass(slots=True)
class _Seen:
    """What the API has told of one prefix; the plan's length holds until it has."""

    tokens: int
    counted: int | None = None
    tokens_max: int | None = None  # the shortest prompt that began with it
    first_at: datetime | None = None
    found_warm: bool = False  # its first use in the run was a read: no bill of this run holds its write


@dataclass(slots=True)
class _Alike:
    """Attempts with the same prefixes and prices."""

    prices: ClassPrices
    requests: int = 0
    total_input_tokens: int = 0
    output_tokens: int = 0


def path_of(call: PlannedCall) -> tuple[PrefixNode, ...]:
    """Return what the floor needs to know of a call's prefixes."""
    return tuple(PrefixNode(prefix.key, prefix.tokens) for prefix in call.prefixes[: call.shared])


def depth_marked(call: PlannedCall) -> int:
    """Return how many of its prefixes the deepest marker of a call covers, at most those that are shared."""
    depth = max((place for place, prefix in enumerate(call.prefixes, 1) if prefix.ttl), default=0)
    return depth if depth <= call.shared else 0


class RunTally:
    """The bill of a run so far; its floor takes prefix lengths from what the API counted."""

    def __init__(self) -> None:
        self._sums = BillSums()
        self._seen: dict[tuple[Family, str], _Seen] = {}
        self._alike: dict[tuple[Family, tuple[str, ...], int], _Alike] = {}

    def add(self, entry: Entry) -> None:
        """Add one attempt. Raises as `price_of`."""
        request = Request(
            usage=entry.usage, model=entry.model, at=entry.at, inference_geo=entry.inference_geo
        )
        counts = self._sums.add(request, entry.cost_usd, new_call=entry.first)
        if not entry.usage.total_input_tokens:
            return  # turned away or lost: says nothing of lengths
        family = family_of(entry.model, entry.service_tier, entry.inference_geo)
        seen = [self._seen.setdefault((family, n.key), _Seen(n.tokens)) for n in entry.path]
        _observe(entry, seen)
        if not counts:
            return
        total = entry.usage.total_input_tokens
        prices = prices_at(entry.model, entry.at, total, entry.service_tier, entry.inference_geo)
        key = (family, tuple(node.key for node in entry.path), id(prices))
        alike = self._alike.setdefault(key, _Alike(prices))
        alike.requests += 1
        alike.total_input_tokens += total
        alike.output_tokens += entry.usage.output_tokens

    def bill(self) -> Bill:
        """Return the bill of everything added so far."""
        floor = FloorTally()
        for (family, keys, _), alike in self._alike.items():
            floor.add_alike(
                family,
                self._path(family, keys),
                alike.prices,
                alike.requests,
                alike.total_input_tokens,
                alike.output_tokens,
            )
        return self._sums.bill(floor.total_usd())

    def _path(self, family: Family, keys: Iterable[str]) -> tuple[PrefixNode, ...]:
        """The prefixes with their lengths: none shorter than its parent or longer than a prompt with it."""
        path: list[PrefixNode] = []
        parent_tokens = 0
        for key in keys:
            seen = self._seen[family, key]
            tokens = seen.tokens if seen.counted is None else seen.counted
            parent_tokens = max(parent_tokens, min(tokens, seen.tokens_max or tokens))
            path.append(PrefixNode(key, parent_tokens, seen.found_warm))
        return tuple(path)


def bill_of_run(entries: Iterable[Entry]) -> Bill:
    """Add up a run."""
    tally = RunTally()
    for entry in entries:
        tally.add(entry)
    return tally.bill()


def _observe(entry: Entry, seen: Sequence[_Seen]) -> None:
    """Learn lengths, and what was warm: the deepest marker ends what is cached, a read ends at a prefix."""
    usage = entry.usage
    cached = usage.total_input_tokens - usage.input_tokens
    if cached and entry.marked:
        deepest = seen[entry.marked - 1]
        deepest.counted = max(deepest.counted or 0, cached)
    read = usage.cache_read_tokens
    ended_at = _read_place(entry, seen) if read else -1
    for place, one in enumerate(seen):
        if place == ended_at and one.counted is None:
            one.counted = read
        longest = cached if cached and place < entry.marked else usage.total_input_tokens
        one.tokens_max = min(one.tokens_max or longest, longest)
        if one.first_at is None or entry.at < one.first_at:
            one.first_at, one.found_warm = entry.at, place <= ended_at


def _read_place(entry: Entry, seen: Sequence[_Seen]) -> int:
    """Say where a read ended: at the deepest marker if nothing was written, else where it is likeliest."""
    read = entry.usage.cache_read_tokens
    if entry.marked and entry.usage.total_input_tokens == entry.usage.input_tokens + read:
        return entry.marked - 1
    before = seen[: entry.marked - 1] if entry.marked > 1 else seen

    def unlikely(place: int) -> tuple[bool, int]:
        counted = before[place].counted
        length = before[place].tokens if counted is None else counted
        return counted not in (None, read), abs(length - read)

    return min(range(len(before)), key=unlikely, default=-1)
