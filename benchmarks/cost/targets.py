"""What is to be reached, and what was: one line for each target that the measured rows can tell of."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal

from benchmarks.cost.misses import Misses
from benchmarks.cost.rows import Row, find
from benchmarks.cost.suite import BATCHES, FIXED_LIFETIMES, OURS, SAME_PROMPTS, WORKLOADS
from benchmarks.cost.texts import PRODUCT_SET
from core.states import Lane

MISSES = "club-misses"
PER_1000_USD_MAX = {
    (Lane.LIVE, "club", "touchline-packed"): "0.111",
    (Lane.LIVE, "platform", "touchline-packed"): "0.108",
    (Lane.LIVE, "club", "touchline-single"): "0.153",
    (Lane.LIVE, "platform", "touchline-single"): "0.150",
    (Lane.OVERNIGHT, "club", "touchline-packed"): "0.060",
    (Lane.OVERNIGHT, "platform", "touchline-packed"): "0.055",
    (Lane.OVERNIGHT, "club", "touchline-single"): "0.089",
    (Lane.OVERNIGHT, "platform", "touchline-single"): "0.081",
}
EFFICIENCY_MIN = {Lane.LIVE: 0.97, Lane.OVERNIGHT: 0.95}
PERCENT_OF_NAIVE_MAX = 10.0  # overnight, packed, with the product's own prompts
PREDICTED_WITHIN = 0.01
TRICKLE_WITHIN = 1.03
MISSES_MAX = 1.05
BUILD_MAX = 1.15
BARE_MAX = 1.25
MEMORY_MAX = 1.2


@dataclass(frozen=True, slots=True)
class Target:
    """One thing to reach: its figure, and the bound that the figure may not pass."""

    name: str
    figure: float
    bound: float
    at_least: bool = False

    @property
    def reached(self) -> bool:
        """Whether the figure is on the right side of the bound."""
        return self.figure >= self.bound if self.at_least else self.figure <= self.bound


def targets(rows: Sequence[Row], misses: Mapping[str, Misses]) -> Iterator[Target]:
    """Give every target whose rows are there; `misses` by contender."""
    yield from _prices(rows)
    yield from _percents(rows)
    yield from _below_others(rows)
    yield from _predictions(rows)
    yield from _trickles(rows)
    for contender, found in misses.items():
        name = f"{MISSES}, {contender}: excess / {found.tokens:,} missed tokens x (write - read)"
        yield Target(name, found.ratio, MISSES_MAX)
    yield from _times(rows)


def _prices(rows: Sequence[Row]) -> Iterator[Target]:
    for (lane, workload, contender), most in PER_1000_USD_MAX.items():
        if row := find(rows, workload, contender, lane=lane):
            name = f"{workload}, {lane}, {contender}"
            yield Target(f"{name}: $ per 1,000 summaries", float(row.usd_per_1000_summaries), float(most))
            yield Target(f"{name}: efficiency", row.efficiency or 0.0, EFFICIENCY_MIN[lane], at_least=True)


def _percents(rows: Sequence[Row]) -> Iterator[Target]:
    for workload in WORKLOADS:
        row = find(rows, workload.name, "touchline-packed", PRODUCT_SET, Lane.OVERNIGHT)
        if row and row.percent_of_naive:
            name = f"{row.workload}, {row.prompts}, {row.lane}, {row.contender}: % of naive"
            yield Target(name, row.percent_of_naive, PERCENT_OF_NAIVE_MAX)


def _below_others(rows: Sequence[Row]) -> Iterator[Target]:
    """Ours against the cheapest of those that use the same prompts, live or, overnight, in either lane."""
    for workload in WORKLOADS:
        for prompts in workload.prompts:
            others = _costs(rows, workload.name, prompts, SAME_PROMPTS[1:])
            yield from _below(rows, workload.name, prompts, Lane.LIVE, others)
            others |= _costs(rows, workload.name, prompts, BATCHES, Lane.OVERNIGHT)
            yield from _below(rows, workload.name, prompts, Lane.OVERNIGHT, others)


def _below(
    rows: Sequence[Row], workload: str, prompts: str, lane: Lane, others: Mapping[str, Decimal]
) -> Iterator[Target]:
    for contender in OURS if others else ():
        if row := find(rows, workload, contender, prompts, lane):
            cheapest = min(others, key=others.__getitem__)
            name = f"{workload}, {prompts}, {lane}, {contender}: cost / {cheapest}'s"
            yield Target(name, float(Decimal(row.cost_usd) / others[cheapest]), 1.0)


def _predictions(rows: Iterable[Row]) -> Iterator[Target]:
    for row in rows:
        if row.predicted_cost_usd and row.workload in ("club", "club-mixed", "platform"):
            off = abs(Decimal(row.predicted_cost_usd) / Decimal(row.cost_usd) - 1)
            name = f"{row.workload}, {row.prompts}, {row.lane}, {row.contender}: predicted / billed"
            yield Target(f"{name}, given the answers: off by", float(off), PREDICTED_WITHIN)


def _trickles(rows: Sequence[Row]) -> Iterator[Target]:
    for workload in WORKLOADS:
        fixed = _costs(rows, workload.name, "reference", tuple(FIXED_LIFETIMES))
        ours = find(rows, workload.name, "touchline-packed")
        if fixed and ours:
            best = min(fixed, key=fixed.__getitem__)
            name = f"{workload.name}: cost / {best}'s"
            yield Target(name, float(Decimal(ours.cost_usd) / fixed[best]), TRICKLE_WITHIN)


def _times(rows: Sequence[Row]) -> Iterator[Target]:
    packed = {w.name: row for w in WORKLOADS if (row := find(rows, w.name, "touchline-packed"))}
    if (build := packed.get("platform-build")) and build.bound_seconds:
        yield Target("platform-build: wall / bound", build.wall_seconds / build.bound_seconds, BUILD_MAX)
    for name in ("club-latency", "memory-2000-latency"):
        if (bare := find(rows, name, "asyncio-bare")) and (ours := packed.get(name)):
            yield Target(f"{name}: wall / bare asyncio's", ours.wall_seconds / bare.wall_seconds, BARE_MAX)
    if {"platform", "memory-2000"} <= packed.keys():
        ratio = packed["platform"].peak_memory_mb / packed["memory-2000"].peak_memory_mb
        yield Target("peak memory at 20,000 insights / at 2,000", ratio, MEMORY_MAX)
    if {"club-speed-1", "club-speed-10"} <= packed.keys():
        slow, fast = (Decimal(packed[f"club-speed-{speed}"].cost_usd) for speed in (1, 10))
        yield Target("club: bill at speed 10 / at speed 1, off by", float(abs(fast / slow - 1)), 0.0)


def _costs(
    rows: Sequence[Row], workload: str, prompts: str, contenders: Sequence[str], lane: str = Lane.LIVE
) -> dict[str, Decimal]:
    found = {name: find(rows, workload, name, prompts, lane) for name in contenders}
    return {name: Decimal(row.cost_usd) for name, row in found.items() if row}
