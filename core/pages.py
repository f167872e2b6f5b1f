"""The calls of one page of claimed insights: packed, in the plan's order, with their markers: pure."""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import groupby, islice

from core import prompt
from core.calls import CALLS_PER_CHUNK, Chunk, PlannedCall, Prefix, notes_of
from core.claimed import ClaimedInsight
from core.markers import Expected, decide
from core.measured import Measured, text_key
from core.plan import RunPlan, Terms, plan_run
from core.pricing import CacheTtl, minimum_prefix_tokens
from core.states import Lane, Tone
from core.survey import split, survey_of
from core.usage import Usage

Ranks = dict[tuple[str, Tone], int]
Waited = tuple[datetime, str]


@dataclass(frozen=True, slots=True)
class Pack:
    """Insights of one player that one call answers; `player_text` is the layer that they share."""

    insights: tuple[ClaimedInsight, ...]
    player_text: str


def plan_calls(claimed: Iterable[ClaimedInsight], terms: Terms) -> tuple[Chunk, ...]:
    """Plan calls for insights that are all at hand, as one run that finds nothing warm."""
    insights = list(claimed)
    plan = plan_run(survey_of(insights), terms)
    return plan_page(insights, plan, set())


def plan_page(claimed: Iterable[ClaimedInsight], plan: RunPlan, readable: set[str]) -> tuple[Chunk, ...]:
    """Plan the calls of a page, and predict each as if they were made in this order.

    `readable` holds the keys of what can be read from the cache; what of the shared layers the page writes is
    added to it. (A player's calls are all on one page, so theirs need not be remembered.)
    """
    packs = _ordered(list(_packs(claimed, plan)), plan)
    uses = Counter(_player_key(pack, plan) for pack in packs)
    on_page = set(readable)
    calls = [_call(pack, plan, uses[_player_key(pack, plan)], on_page) for pack in packs]
    shared = {prefix.key for call in calls for prefix in call.prefixes[:-1]}
    readable.update(shared & on_page)
    return tuple(_chunks(calls))


def _packs(claimed: Iterable[ClaimedInsight], plan: RunPlan) -> Iterator[Pack]:
    """Pack what has player, coach, sport, tone and told facts in common: no child meets another."""
    alike: dict[tuple[str, ...], list[ClaimedInsight]] = {}
    for one in claimed:
        told = one.player_text(plan.terms.now)
        alone = one.id if one.unusable_answers else ""  # it may be this note that spoils an answer
        same = (told, one.organization_id, one.player_id, one.coach_id, one.sport, one.tone.value, alone)
        alike.setdefault(same, []).append(one)
    for (told, *_), insights in alike.items():
        oldest_first = iter(sorted(insights, key=lambda one: (one.created_at, one.id)))
        for size in split(len(insights), plan.insights_max):
            yield Pack(tuple(islice(oldest_first, size)), told)


def _ordered(packs: Sequence[Pack], plan: RunPlan) -> list[Pack]:
    """Put packs in the plan's order, a player's packs together, who has waited longest first."""
    rank: Ranks = {(group.sport, group.tone): place for place, group in enumerate(plan.order)}
    since: dict[str, Waited] = {}
    for pack in packs:
        first = pack.insights[0]
        waited = (first.created_at, first.player_id)
        since[pack.player_text] = min(since.get(pack.player_text, waited), waited)
    return sorted(packs, key=lambda pack: _place(pack, rank, since))


def _place(pack: Pack, rank: Ranks, since: dict[str, Waited]) -> tuple[object, ...]:
    first = pack.insights[0]
    return (
        rank.get((first.sport, first.tone), len(rank)),
        first.sport,
        first.tone,
        since[pack.player_text],
        pack.player_text,
        first.created_at,
        first.id,
    )


def _player_key(pack: Pack, plan: RunPlan) -> str:
    about, packed = pack.insights[0], plan.packed(len(pack.insights))
    shared = plan.shared_prefixes(about.sport, about.tone, packed)
    return f"{shared[-1].key}/{text_key(pack.player_text)}"


def _call(pack: Pack, plan: RunPlan, uses: int, readable: set[str]) -> PlannedCall:
    about, packed, terms = pack.insights[0], plan.packed(len(pack.insights)), plan.terms
    if terms.lane is Lane.OVERNIGHT:
        uses = 1  # calls of one batch cannot read what another of them writes
    shared = plan.shared_prefixes(about.sport, about.tone, packed)
    tokens = shared[-1].tokens + terms.measured.text_tokens(pack.player_text)
    player = Prefix(_player_key(pack, plan), tokens, _player_ttl(tokens, uses, terms))
    prefixes = _long_before_short((*shared, player))
    notes = notes_of(pack.insights, packed)
    usage = _predicted(prefixes, notes, readable, terms.measured)
    answer = terms.measured.answer_tokens(about.tone, len(pack.insights))
    # What lies inside the prefix that is read is neither written nor kept warm by this call.
    readable.update(one.key for one in prefixes if one.ttl and one.tokens > usage.cache_read_tokens)
    return PlannedCall(
        insights=pack.insights,
        packed=packed,
        model=terms.model,
        layers=(*prompt.texts_of(about.sport, about.tone).layers(), prompt.Layer("player", pack.player_text)),
        prefixes=prefixes,
        shared=len(prefixes) if uses > 1 else len(shared),
        notes=notes,
        prompt_version=prompt.prompt_version(about.sport, about.tone),
        predicted=usage + Usage(0, output_tokens=answer),
        lane=terms.lane,
    )


def _player_ttl(tokens: int, uses: int, terms: Terms) -> CacheTtl | None:
    """A player's layer is read by the player's other calls of this run, or by nobody."""
    return decide(
        tokens,
        minimum=minimum_prefix_tokens(terms.model),
        expected=Expected(uses),
        prices=terms.prices,
        policy=terms.lifetime_policy if uses > 1 else "none",
    ).ttl


def _long_before_short(prefixes: tuple[Prefix, ...]) -> tuple[Prefix, ...]:
    """Keep every marker for as long as the ones behind it: the API takes 1h before 5m only."""
    ordered, longest = [], False
    for prefix in reversed(prefixes):
        longest = longest or prefix.ttl == "1h"
        ordered.append(prefix._replace(ttl="1h") if prefix.ttl and longest else prefix)
    return tuple(reversed(ordered))


def _predicted(
    prefixes: Sequence[Prefix], notes: Sequence[str], readable: set[str], measured: Measured
) -> Usage:
    """Share the prompt out over the token classes as the vendor does."""
    marked = [prefix for prefix in prefixes if prefix.ttl]
    read = max((prefix.tokens for prefix in marked if prefix.key in readable), default=0)
    ends_1h = max((prefix.tokens for prefix in marked if prefix.ttl == "1h"), default=0)
    ends = max((prefix.tokens for prefix in marked), default=0)
    return Usage(
        input_tokens=prefixes[-1].tokens - ends + sum(map(measured.text_tokens, notes)),
        cache_read_tokens=read,
        cache_write_1h_tokens=max(0, ends_1h - read),
        cache_write_5m_tokens=ends - max(read, ends_1h),
    )


def _chunks(calls: Iterable[PlannedCall]) -> Iterator[Chunk]:
    """Cut the ordered calls where sport or tone changes, and after a hundred."""
    for (sport, tone), group in groupby(calls, key=lambda call: (call.about.sport, call.about.tone)):
        while part := tuple(islice(group, CALLS_PER_CHUNK)):
            yield Chunk(sport, tone, part)
