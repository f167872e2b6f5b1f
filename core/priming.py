"""Which calls write the shared prefixes before the overnight batches, and in how many batches: pure.

The items of one batch cannot read what its other items write, so every shared prefix is written by a call of
an earlier, small batch. Where calls share a cold layer, all but one may wait for a batch after that, and read
it: in stages, where that saves enough.
"""

import math
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from decimal import Decimal

from core.calls import Prefix
from core.markers import LIFETIME_SECONDS
from core.plan import Branch, PlannedPrefix
from core.pricing import ClassPrices
from core.usage import Usage

Stage = tuple[Branch, ...]  # leaves, one call each, in one batch
Writes = Mapping[Branch, tuple[Branch, ...]]  # what a call in each leaf would write, shortest first

STAGE_PAYS = 0.005  # of what the run is expected to cost: a stage that saves less is not worth its wait
SAFETY_SECONDS = 600
STAGES_MAX = 3  # one for each shared layer
ROOT, SPORT = 0, 1
SHARED_LAYERS: tuple[frozenset[int], ...] = (  # from few stages to many: the first of equals is taken
    frozenset(),
    frozenset({SPORT}),
    frozenset({ROOT}),
    frozenset({ROOT, SPORT}),
)


def prime_stages(
    prefixes: Mapping[Branch, PlannedPrefix],
    warm: Collection[str],
    prices: ClassPrices,
    *,
    total_price: float,
    stages_max: int,
) -> tuple[Stage, ...]:
    """Return the calls that write all that is marked and cold, in the stages that are expected to pay.

    `warm` holds the keys of what can be read already, `prices` are those of batches, `total_price` is what
    all calls of the run are expected to cost, in millionths of a dollar, and `stages_max` is at least 1. A
    cold prefix is left out when every call below it reads a longer one: none would write it, none needs it.
    """
    leaves = sorted((one for one in prefixes if one.tone), key=lambda leaf: (-prefixes[leaf].uses, leaf))
    writes = {leaf: _written(leaf, prefixes, warm) for leaf in leaves}
    calls = _fewest_calls(writes)
    if not calls:
        return ()
    schedules = dict.fromkeys(_staged(calls, writes, layers) for layers in SHARED_LAYERS)
    stage_price = STAGE_PAYS * total_price
    return min(
        (stages for stages in schedules if len(stages) <= stages_max),
        key=lambda stages: _price(stages, prefixes, warm, prices) + len(stages) * stage_price,
    )


def stages_in_time(batch_seconds: float) -> int:
    """Return how many stages may follow each other until the main batch reads what the first has written.

    Each stage, and the start of the main batch, takes `batch_seconds`. Never less than one, in time or not.
    """
    in_time = math.floor((LIFETIME_SECONDS["1h"] - SAFETY_SECONDS) / max(batch_seconds, 1.0))
    return min(STAGES_MAX, max(1, in_time - 1))


def readable_before(
    stages: Sequence[Stage], prefixes: Mapping[Branch, PlannedPrefix], warm: Collection[str]
) -> list[frozenset[str]]:
    """Return the keys of what can be read when each stage begins, and at the end what all of them leave."""
    readable = [frozenset(warm)]
    for stage in stages:
        written = {branch for call in stage for branch in _written(call, prefixes, readable[-1])}
        readable.append(readable[-1] | {prefixes[branch].prefix.key for branch in written})
    return readable


def writes_of(
    stages: Sequence[Stage], prefixes: Mapping[Branch, PlannedPrefix], warm: Collection[str]
) -> Counter[Branch]:
    """Count how many calls of the stages write each prefix: those of one stage do not see each other."""
    before = readable_before(stages, prefixes, warm)
    return Counter(
        branch
        for stage, readable in zip(stages, before, strict=False)
        for call in stage
        for branch in _written(call, prefixes, readable)
    )


def _path(leaf: Branch) -> tuple[Branch, Branch, Branch]:
    return Branch(leaf.packed), Branch(leaf.packed, leaf.sport), leaf


def _layer(branch: Branch) -> int:
    return len(branch) - branch.count(None) - 1


def _written(
    leaf: Branch, prefixes: Mapping[Branch, PlannedPrefix], warm: Collection[str]
) -> tuple[Branch, ...]:
    """Return what a call writes: the marked prefixes behind the longest one that it reads."""
    marked = [branch for branch in _path(leaf) if prefixes[branch].prefix.ttl]
    read = [place for place, branch in enumerate(marked, 1) if prefixes[branch].prefix.key in warm]
    return tuple(marked[max(read, default=0) :])


def _fewest_calls(writes: Writes) -> Stage:
    """Choose calls that write everything, longest prefixes first: those write the shorter ones."""
    chosen: set[Branch] = set()
    done: set[Branch] = set()
    cold = {branch for written in writes.values() for branch in written}
    for branch in sorted(cold, key=_layer, reverse=True):
        if branch not in done:
            leaf = next(leaf for leaf, written in writes.items() if branch in written)
            chosen.add(leaf)
            done.update(writes[leaf])
    return tuple(leaf for leaf in writes if leaf in chosen)


def _staged(calls: Stage, writes: Writes, layers: Collection[int]) -> tuple[Stage, ...]:
    """Let each call wait until the first that writes the same prefix, in any of `layers`, has ended."""
    first: dict[Branch, int] = {}
    stages: list[list[Branch]] = []
    for call in calls:
        shared = [branch for branch in writes[call] if _layer(branch) in layers]
        place = max((first[branch] + 1 for branch in shared if branch in first), default=0)
        for branch in shared:
            first.setdefault(branch, place)
        if place == len(stages):
            stages.append([])
        stages[place].append(call)
    return tuple(map(tuple, stages))


def _price(
    stages: tuple[Stage, ...],
    prefixes: Mapping[Branch, PlannedPrefix],
    warm: Collection[str],
    prices: ClassPrices,
) -> float:
    """Return what the shared layers of these calls cost, in millionths of a dollar."""
    cost_usd = Decimal(0)
    for stage, readable in zip(stages, readable_before(stages, prefixes, warm), strict=False):
        for call in stage:
            path = tuple(prefixes[branch].prefix for branch in _path(call))
            cost_usd += prices.cost_of(_usage(path, readable))
    return float(cost_usd.scaleb(6))


def _usage(path: tuple[Prefix, ...], readable: Collection[str]) -> Usage:
    """Share the shared layers of a call out over the token classes."""
    ends = max((prefix.tokens for prefix in path if prefix.ttl), default=0)
    read = max((prefix.tokens for prefix in path if prefix.ttl and prefix.key in readable), default=0)
    return Usage(path[-1].tokens - ends, cache_read_tokens=read, cache_write_1h_tokens=ends - read)
