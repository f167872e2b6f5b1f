"""Which calls to make, in which order, and where to mark their prefixes: pure, from claimed insights.

The layers of a prompt form a tree (instructions, sport, tone, player). Calls are planned depth first,
largest subtree first, so that what is shared is used again while it is warm. A layer is marked when its
prefix is long enough for the model to cache and will be used again, or is warm already.
"""

from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from hashlib import sha256
from itertools import accumulate, groupby, islice
from typing import Any

from core import prompt
from core.pricing import break_even_uses, minimum_prefix_tokens
from core.states import Tone
from core.usage import Usage

CALLS_PER_CHUNK = 100  # one Prefect task a chunk; a task run costs 40-50 ms of the server
ANSWER_TOKENS = 140  # an answer's usual length, for predictions
ANSWER_TOKENS_MAX = 700  # an answer that is longer than this is not a summary


@dataclass(frozen=True, slots=True)
class ClaimedInsight:
    """An insight that this run holds, with all that its prompt needs."""

    id: str
    organization_id: str
    coach_id: str
    player_id: str
    title: str
    description: str
    category: str | None  # the extractor's word
    created_at: datetime
    sport: str  # what the note is about
    player_sport: str  # the player's main one
    tone: Tone
    skip_sensitive: bool
    first_name: str
    last_name: str | None  # only to be taken out of the note
    age_group: str | None
    date_of_birth: date | None
    team: str | None
    position: str | None
    earlier_summaries: tuple[str, ...] = ()  # of the player, as sent to the parents, newest first


@dataclass(frozen=True, slots=True)
class PlannedCall:
    """One request to make: its insight, its layers from most to least shared, and which are marked."""

    insight: ClaimedInsight
    model: str
    layers: tuple[prompt.Layer, ...]
    prefixes: tuple[str, ...]  # one key per layer, of the prompt up to and including it
    marked: tuple[int, ...]  # which layers, by their place, end in a cache marker
    note: str
    prompt_version: str
    predicted: Usage

    @property
    def marked_prefixes(self) -> tuple[str, ...]:
        """The keys of the prefixes that this call writes or reads, shortest first."""
        return tuple(self.prefixes[place] for place in self.marked)

    def body(self) -> dict[str, Any]:
        """Return the arguments of the request."""
        names = [self.layers[place].name for place in self.marked]
        return prompt.request_body(self.model, self.layers, self.note, names, ANSWER_TOKENS_MAX)


@dataclass(frozen=True, slots=True)
class Chunk:
    """Up to a hundred calls that share sport and tone."""

    sport: str
    tone: Tone
    calls: tuple[PlannedCall, ...]

    @property
    def size(self) -> int:
        """The number of calls."""
        return len(self.calls)


@dataclass(frozen=True, slots=True)
class _Draft:
    insight: ClaimedInsight
    layers: tuple[prompt.Layer, ...]
    prefixes: tuple[str, ...]


def plan_calls(
    claimed: Iterable[ClaimedInsight], *, model: str, now: datetime, warm: Collection[str] = ()
) -> tuple[Chunk, ...]:
    """Plan one call for each insight; `warm` names the prefixes that can still be read from the cache."""
    drafts = [_draft(insight, model, now) for insight in claimed]
    uses = Counter(prefix for draft in drafts for prefix in draft.prefixes)
    ordered = sorted(drafts, key=lambda draft: _depth_first(draft, uses))
    worthwhile = {prefix for prefix, times in uses.items() if times >= break_even_uses(model, now)} | set(
        warm
    )
    return tuple(_chunks(_marked(ordered, model, worthwhile, warm)))


def _draft(insight: ClaimedInsight, model: str, now: datetime) -> _Draft:
    own_sport = insight.sport == insight.player_sport  # of another sport, team and position say nothing
    facts = prompt.PlayerFacts(
        first_name=insight.first_name,
        age_group=prompt.age_group_of(insight.age_group, insight.date_of_birth, now.date()),
        team=insight.team if own_sport else None,
        position=insight.position if own_sport else None,
        earlier_summaries=tuple(_nameless(text, insight) for text in insight.earlier_summaries),
    )
    layers = prompt.layers(insight.sport, insight.tone, facts)
    return _Draft(insight, layers, _prefixes(insight, model, layers))


def _prefixes(insight: ClaimedInsight, model: str, layers: Sequence[prompt.Layer]) -> tuple[str, ...]:
    """Name each prefix so that equal names mean equal bytes (texts do not change while a process runs)."""
    sport = f"{model}/{insight.sport}"
    tone = f"{sport}/{insight.tone}"
    return model, sport, tone, f"{tone}/{sha256(layers[-1].text.encode()).hexdigest()[:16]}"


def _depth_first(draft: _Draft, uses: Counter[str]) -> tuple[object, ...]:
    """Sort key: walk the tree from the root, the subtree with most uses first, then oldest first."""
    walk = tuple((-uses[prefix], prefix) for prefix in draft.prefixes)
    return (*walk, draft.insight.created_at, draft.insight.id)


def _marked(
    drafts: Iterable[_Draft], model: str, worthwhile: Collection[str], warm: Collection[str]
) -> Iterator[PlannedCall]:
    """Mark each draft's layers, and predict its usage as if the calls were made in this order."""
    minimum = minimum_prefix_tokens(model)
    readable = set(warm)
    for draft in drafts:
        lengths = _prefix_lengths(draft.layers, model)
        marked = tuple(
            place
            for place, prefix in enumerate(draft.prefixes)
            if lengths[place] >= minimum and prefix in worthwhile
        )
        note = _note(draft.insight)
        read = max((lengths[place] for place in marked if draft.prefixes[place] in readable), default=0)
        cached = max((lengths[place] for place in marked), default=0)
        readable.update(draft.prefixes[place] for place in marked)
        yield PlannedCall(
            insight=draft.insight,
            model=model,
            layers=draft.layers,
            prefixes=draft.prefixes,
            marked=marked,
            note=note,
            prompt_version=prompt.prompt_version(draft.insight.sport, draft.insight.tone),
            predicted=Usage(
                input_tokens=lengths[-1] - cached + prompt.estimated_tokens(note, model),
                cache_read_tokens=read,
                cache_write_5m_tokens=cached - read,
                output_tokens=ANSWER_TOKENS,
            ),
        )


def _note(insight: ClaimedInsight) -> str:
    return prompt.note_text(_nameless(insight.title, insight), _nameless(insight.description, insight))


def _nameless(text: str, insight: ClaimedInsight) -> str:
    return prompt.without_last_name(text, insight.first_name, insight.last_name)


def _prefix_lengths(layers: Sequence[prompt.Layer], model: str) -> tuple[int, ...]:
    """Estimate the tokens of the prompt up to and including each layer."""
    return tuple(accumulate(prompt.estimated_tokens(layer.text, model) for layer in layers))


def _chunks(calls: Iterable[PlannedCall]) -> Iterator[Chunk]:
    """Cut the ordered calls where sport or tone changes, and after a hundred."""
    for (sport, tone), group in groupby(calls, key=lambda call: (call.insight.sport, call.insight.tone)):
        while part := tuple(islice(group, CALLS_PER_CHUNK)):
            yield Chunk(sport, tone, part)
