"""What every schedule of priming calls keeps to, played through on a cache of the test's own."""

import random
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import combinations

from hypothesis import given, settings
from hypothesis import strategies as st

from core.plan import Branch, PlannedPrefix
from core.priming import STAGE_PAYS, Stage, prime_stages
from core.states import Tone
from tests.unit.test_priming import PRICES, key, parents, planned

READ, INPUT, WRITE = 5, 50, 100  # thousandths of a millionth of a dollar a token


@dataclass(frozen=True)
class Night:
    """What is shared, what of it can be read already, and what the run costs."""

    prefixes: Mapping[Branch, PlannedPrefix]
    warm: frozenset[str]
    total_price: float
    stages_max: int

    @property
    def leaves(self) -> list[Branch]:
        return [branch for branch in self.prefixes if branch.tone]

    @property
    def marked(self) -> list[Branch]:
        return [branch for branch, one in self.prefixes.items() if one.prefix.ttl]

    def stages(self, warm: Iterable[str] | None = None) -> tuple[Stage, ...]:
        known = self.warm if warm is None else set(warm)
        return prime_stages(
            self.prefixes, known, PRICES, total_price=self.total_price, stages_max=self.stages_max
        )

    def closed(self) -> frozenset[str]:
        """What is warm, with all that lies inside it."""
        inside = (parent for leaf in self.prefixes if key(leaf) in self.warm for parent in parents(leaf))
        return self.warm | {key(branch) for branch in inside if branch in self.marked}


def made(chance: random.Random) -> Night:
    """A night at random: often marked as a plan would, sometimes anyhow."""
    forms, sports, tones = chance.randint(1, 2), chance.randint(1, 3), chance.randint(1, 3)
    uses = {
        Branch(packed, sport, tone): chance.choice((1, 2, 3, 40, 400))
        for packed in (False, True)[:forms]
        for sport in ("gaa_football", "rugby", "soccer")[:sports]
        for tone in list(Tone)[:tones]
        if chance.random() < 0.7
    }
    everything = planned(uses)
    rare, share = chance.choice((0, 3)), chance.choice((0.0, 0.3))
    unmarked = [b for b, one in everything.items() if one.uses < rare or chance.random() < share]
    prefixes = planned(uses, unmarked, tokens=(chance.choice((600, 1_800)), chance.choice((300, 4_000)), 150))
    warmth = chance.choice((0.0, 0.3, 0.8))
    marked = sorted(key(branch) for branch in prefixes if branch not in unmarked)
    warm = frozenset(one for one in marked if chance.random() < warmth)
    return Night(prefixes, warm, chance.choice((0.0, 1e4, 1e5, 1e6)), chance.randint(1, 3))


nights = st.builds(made, st.randoms(use_true_random=False))
some = settings(deadline=None, max_examples=25, print_blob=True)


def asked(night: Night, leaf: Branch, readable: set[str]) -> tuple[int, set[str]]:
    """What a call costs, and the keys of what it writes: nothing inside of what it reads."""
    path = [night.prefixes[branch].prefix for branch in (*parents(leaf), leaf)]
    cost = read = end = 0
    written: set[str] = set()
    for prefix in path:
        if prefix.ttl and prefix.key in readable:
            read, end, written = prefix.tokens, prefix.tokens, set()
        elif prefix.ttl:
            end = prefix.tokens
            written.add(prefix.key)
    cost = read * READ + (end - read) * WRITE + (path[-1].tokens - end) * INPUT
    return cost, written


def played(night: Night, stages: Iterable[Iterable[Branch]]) -> tuple[int, set[str]]:
    """What these stages cost, and what can be read after them."""
    readable, total = set(night.warm), 0
    for stage in stages:
        results = [asked(night, leaf, readable) for leaf in stage]
        total += sum(cost for cost, _ in results)
        readable.update(*(written for _, written in results))
    return total, readable


def calls(stages: Iterable[Stage]) -> list[Branch]:
    return [leaf for stage in stages for leaf in stage]


def is_enough(night: Night, leaves: Iterable[Branch]) -> bool:
    """Say whether nobody has anything left to write after these calls."""
    _, readable = played(night, [leaves])
    return not any(asked(night, leaf, readable)[1] for leaf in night.leaves)


@given(nights)
@some
def test_after_the_primes_no_call_writes_anything(night: Night) -> None:
    _, readable = played(night, night.stages())
    assert not any(asked(night, leaf, readable)[1] for leaf in night.leaves)


@given(nights)
@some
def test_every_marked_cold_prefix_can_be_read_then_or_is_read_past_by_all(night: Night) -> None:
    _, readable = played(night, night.stages())
    for branch in night.marked:
        below = [leaf for leaf in night.leaves if branch in (*parents(leaf), leaf)]
        needed = any(key(branch) in asked(night, leaf, set(night.warm))[1] for leaf in below)
        assert key(branch) in readable or not needed


@given(nights)
@some
def test_where_all_inside_of_what_is_warm_is_warm_every_cold_prefix_is_on_the_path_of_a_call(
    night: Night,
) -> None:
    warm = night.closed()
    on_paths = {branch for leaf in calls(night.stages(warm)) for branch in (*parents(leaf), leaf)}
    assert {branch for branch in night.marked if key(branch) not in warm} <= on_paths


@given(nights)
@some
def test_no_leaf_is_called_twice_no_stage_is_empty_and_there_are_no_more_stages_than_allowed(
    night: Night,
) -> None:
    stages = night.stages()
    assert len(set(calls(stages))) == len(calls(stages))
    assert set(calls(stages)) <= set(night.leaves)
    assert all(stages)
    assert len(stages) <= night.stages_max


@given(nights.filter(lambda night: len(night.leaves) <= 9))
@some
def test_no_fewer_calls_would_do(night: Night) -> None:
    """All smaller sets of calls are tried, in one stage: stages change the bill, not who writes what."""
    number = len(calls(night.stages()))
    assert number == 0 or not any(is_enough(night, fewer) for fewer in combinations(night.leaves, number - 1))


@given(nights)
@some
def test_every_stage_more_than_one_saves_its_share_of_what_the_run_costs(night: Night) -> None:
    stages = night.stages()
    in_stages, at_once = (played(night, way)[0] / 1_000 for way in (stages, [calls(stages)]))
    assert in_stages <= at_once
    assert at_once - in_stages >= (len(stages) - 1) * STAGE_PAYS * night.total_price - 1e-6


@given(nights)
@some
def test_more_stages_allowed_are_never_dearer(night: Night) -> None:
    priced = []
    for stages_max in (1, 2, 3):
        stages = Night(night.prefixes, night.warm, night.total_price, stages_max).stages()
        priced.append(played(night, stages)[0] / 1_000 + len(stages) * STAGE_PAYS * night.total_price)
    assert priced[0] >= priced[1] - 1e-6
    assert priced[1] >= priced[2] - 1e-6


@given(nights, st.randoms(use_true_random=False))
@some
def test_what_is_warm_with_all_inside_of_it_never_adds_a_call(night: Night, chance: random.Random) -> None:
    more = night.closed()
    some_of_it = frozenset(one for one in sorted(more) if chance.random() < 0.5)
    fewer = Night(night.prefixes, some_of_it, night.total_price, night.stages_max).closed()
    assert fewer <= more
    assert len(calls(night.stages(more))) <= len(calls(night.stages(fewer))) <= len(calls(night.stages(())))


@given(nights, st.randoms(use_true_random=False))
@some
def test_the_order_of_the_mapping_does_not_matter(night: Night, chance: random.Random) -> None:
    items = list(night.prefixes.items())
    chance.shuffle(items)
    assert Night(dict(items), night.warm, night.total_price, night.stages_max).stages() == night.stages()
