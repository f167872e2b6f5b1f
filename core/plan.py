"""Which calls to make, in which order, and where to mark their prefixes: pure, from a survey.

The layers of a prompt form a tree (form, instructions, sport, tone, player). It is walked depth first,
largest subtree first, so that what is shared is used again while it is warm. Whether insights are packed, and
whether single ones use the packs' form so as to share their prefix, is what is expected to cost least.
"""

from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import NamedTuple

from core.calls import Prefix, service_tier_of, shared_keys
from core.forecast import Limits, Load, forecast
from core.markers import LIFETIME_SECONDS, Decision, Expected, LifetimePolicy, decide
from core.measured import ANSWER_TOKENS, Measured
from core.pricing import CacheTtl, ClassPrices, minimum_prefix_tokens, prices_at
from core.prompt import texts_of
from core.states import Lane, Tone
from core.survey import Group, Survey

PLAYER_AND_NOTE_TOKENS = 150  # what a call adds behind its shared prefix, before its texts are known
PLAYER_TOKENS = 60
NOTE_TOKENS = PLAYER_AND_NOTE_TOKENS - PLAYER_TOKENS
PACK_TOKENS = {"input": 5, "output": 5}  # what the ids of a pack add for each insight


@dataclass(frozen=True, slots=True)
class Terms:
    """What a plan is made by, besides what is due."""

    model: str
    now: datetime
    measured: Measured
    insights_per_call: int = 1
    lifetime: LifetimePolicy = "auto"
    limits: Limits = field(default_factory=Limits)
    concurrency: int = 16
    lane: Lane = Lane.LIVE

    @property
    def lifetimes(self) -> tuple[CacheTtl, ...]:
        """Those to choose from; when a call of a batch begins is not known, so only the longer will do."""
        return ("1h",) if self.lane is Lane.OVERNIGHT else tuple(LIFETIME_SECONDS)

    @property
    def lifetime_policy(self) -> LifetimePolicy:
        """The setting, as far as the lane leaves a choice."""
        return "auto" if self.lane is Lane.OVERNIGHT and self.lifetime != "none" else self.lifetime

    @property
    def prices(self) -> ClassPrices:
        """The prices of the lane, in US dollars per million tokens."""
        return prices_at(self.model, self.now, service_tier=service_tier_of(self.lane))


class Branch(NamedTuple):
    """Which prompts share a prefix: all of a form, those of a sport in it, or of a tone in that."""

    packed: bool
    sport: str | None = None
    tone: Tone | None = None


@dataclass(frozen=True, slots=True)
class PlannedPrefix:
    """A shared prefix with the decision on its marker."""

    branch: Branch
    prefix: Prefix
    segment_tokens: int  # what it adds to the one before; of one too short to be cached, the next one adds it
    uses: int
    decision: Decision


@dataclass(frozen=True, slots=True)
class RunPlan:
    """How a run goes about what is due."""

    terms: Terms
    insights_max: int  # of a call
    packs_singles: bool  # a single insight is asked in the packs' form
    order: tuple[Group, ...]
    prefixes: Mapping[Branch, PlannedPrefix]

    @property
    def price(self) -> float:
        """What is compared: millionths of a dollar, less what later runs save."""
        prices = self.terms.prices
        prefixes = sum(one.segment_tokens * one.decision.price for one in self.prefixes.values())
        calls = insights = packed = 0
        for group in self.order:
            packs = group.packs(self.insights_max)
            calls += sum(packs.values())
            insights += group.insights
            packed += sum(size * number for size, number in packs.items() if self.packed(size))
        each = PACK_TOKENS["input"] * float(prices.input) + PACK_TOKENS["output"] * float(prices.output)
        return prefixes + calls * PLAYER_TOKENS * float(prices.input) + packed * each

    @property
    def expected_price(self) -> float:
        """What all its calls are expected to cost, in millionths of a dollar."""
        prices, insights = self.terms.prices, sum(group.insights for group in self.order)
        each = NOTE_TOKENS * float(prices.input) + ANSWER_TOKENS * float(prices.output)
        return self.price + insights * each

    @property
    def marked_keys(self) -> tuple[str, ...]:
        """The keys of the shared prefixes that are worth a marker."""
        return tuple(one.prefix.key for one in self.prefixes.values() if one.prefix.ttl)

    def reading_only(self, keys: Collection[str]) -> "RunPlan":
        """Return the plan with no other markers than those on these prefixes: nothing is written."""
        prefixes = {
            branch: one if one.prefix.key in keys else replace(one, prefix=one.prefix._replace(ttl=None))
            for branch, one in self.prefixes.items()
        }
        return replace(self, prefixes=prefixes)

    def packed(self, size: int) -> bool:
        """Say in which form a call with so many insights is asked."""
        return size > 1 or self.packs_singles

    def shared_prefixes(self, sport: str, tone: Tone, packed: bool) -> tuple[Prefix, ...]:
        """Return the prefixes of a sport and tone; without markers when the plan knows nothing of them."""
        branches = _branches(sport, tone, packed)
        known = tuple(self.prefixes[branch].prefix for branch in branches if branch in self.prefixes)
        if len(known) == len(branches):
            return known
        return (*known, *bare_prefixes(self.terms, sport, tone, packed)[len(known) :])


def plan_run(survey: Survey, terms: Terms) -> RunPlan:
    """Plan a run over all that is due: the cheapest of single calls, packs, and packs with singles alike."""
    most = terms.insights_per_call
    ways = [(1, False)] if most == 1 else [(1, False), (most, False), (most, True)]
    return min((_plan(survey, terms, *way) for way in ways), key=lambda plan: plan.price)


def bare_prefixes(terms: Terms, sport: str, tone: Tone, packed: bool) -> tuple[Prefix, ...]:
    """Return the shared prefixes of a sport and tone without any marker."""
    tokens, prefixes = terms.measured.frame_tokens(packed), []
    keys = shared_keys(terms.model, sport, tone, packed)
    for key, layer in zip(keys, texts_of(sport, tone).layers(), strict=True):
        tokens += terms.measured.layer_tokens(layer.text)
        prefixes.append(Prefix(key, tokens, None))
    return tuple(prefixes)


def _plan(survey: Survey, terms: Terms, insights_max: int, packs_singles: bool) -> RunPlan:
    blank = RunPlan(terms, insights_max, packs_singles, tuple(survey.groups), {})
    uses: Counter[Branch] = Counter()
    for group in survey.groups:
        for size, number in group.packs(insights_max).items():
            for branch in _branches(group.sport, group.tone, blank.packed(size)):
                uses[branch] += number
    order = tuple(sorted(survey.groups, key=lambda group: _depth_first(group, insights_max, uses)))
    prefixes = dict(_prefixes(survey, terms, order, uses))
    return RunPlan(terms, insights_max, packs_singles, order, prefixes)


def _branches(sport: str, tone: Tone, packed: bool) -> tuple[Branch, Branch, Branch]:
    return Branch(packed), Branch(packed, sport), Branch(packed, sport, tone)


def _depth_first(group: Group, insights_max: int, uses: Counter[Branch]) -> tuple[object, ...]:
    of_sport = sum(uses[Branch(packed, group.sport)] for packed in (False, True))
    return -of_sport, group.sport, -sum(group.packs(insights_max).values()), group.tone


def _prefixes(
    survey: Survey, terms: Terms, order: Sequence[Group], uses: Counter[Branch]
) -> Iterator[tuple[Branch, PlannedPrefix]]:
    """Decide on every shared prefix that has any use."""
    prices, minimum = terms.prices, minimum_prefix_tokens(terms.model)
    per_hour, cold_again = _later_uses(order, uses), _cold_again(terms, order, uses)
    if terms.lane is Lane.OVERNIGHT:  # all its calls come at once, and the next ones a day later
        per_hour, cold_again = dict.fromkeys(uses, 0.0), Counter()
    decided: dict[Branch, PlannedPrefix] = {}
    for group in order:
        for packed in (False, True):
            covered = 0
            bare = bare_prefixes(terms, group.sport, group.tone, packed)
            for branch, prefix in zip(_branches(group.sport, group.tone, packed), bare, strict=True):
                if not uses[branch]:
                    break
                decision = decide(
                    prefix.tokens,
                    minimum=minimum,
                    expected=Expected(
                        uses[branch],
                        cold_again[branch, "5m"],
                        cold_again[branch, "1h"],
                        per_hour[branch],
                        survey.run_every_seconds,
                    ),
                    prices=prices,
                    policy=terms.lifetime_policy,
                    warm=survey.warm.get(prefix.key),
                    lifetimes=terms.lifetimes,
                )
                marked = prefix._replace(ttl=decision.ttl)
                priced = prefix.tokens >= minimum or branch.tone is not None
                segment_tokens = prefix.tokens - covered if priced else 0
                decided[branch] = PlannedPrefix(branch, marked, segment_tokens, uses[branch], decision)
                covered += segment_tokens
    yield from decided.items()


def _walked(order: Sequence[Group]) -> Iterator[tuple[Group, Branch]]:
    """Walk the tree in the order of the calls; what groups share comes once for each."""
    for group in order:
        for packed in (False, True):
            for branch in _branches(group.sport, group.tone, packed):
                yield group, branch


def _later_uses(order: Sequence[Group], uses: Counter[Branch]) -> Mapping[Branch, float]:
    """Uses an hour by later runs: the last hour's arrivals, in calls as this run makes of its insights."""
    per_hour: dict[Branch, float] = dict.fromkeys(uses, 0.0)
    for group, branch in _walked(order):
        if branch in per_hour:
            calls = uses[Branch(branch.packed, group.sport, group.tone)]
            per_hour[branch] += group.arrivals_per_hour * calls / group.insights
    return per_hour


def _cold_again(
    terms: Terms, order: Sequence[Group], uses: Counter[Branch]
) -> Counter[tuple[Branch, CacheTtl]]:
    """Count how often a prefix is used again only after its entry has ended.

    A call refreshes the longest prefix that it reads, not the shorter ones inside it; those are used when
    the next branch begins, so the time from one branch to the next is what counts.
    """
    seconds = _seconds_per_call(terms, order, uses)
    cold: Counter[tuple[Branch, CacheTtl]] = Counter()
    parents = {
        branch: Branch(branch.packed, branch.sport if branch.tone else None)
        for _, branch in _walked(order)
        if branch in uses and branch.sport is not None
    }
    last = {parent: branch for branch, parent in parents.items()}
    for branch, parent in parents.items():
        for ttl, lifetime in LIFETIME_SECONDS.items():
            if branch != last[parent] and uses[branch] * seconds > lifetime:
                cold[parent, ttl] += 1
    return cold


def _seconds_per_call(terms: Terms, order: Sequence[Group], uses: Counter[Branch]) -> float:
    calls = sum(number for branch, number in uses.items() if branch.sport is None)
    insights = sum(group.insights for group in order)
    load = Load(calls, calls * PLAYER_AND_NOTE_TOKENS, insights * ANSWER_TOKENS)
    return forecast(load, terms.limits, terms.concurrency).seconds / calls if calls else 0.0
