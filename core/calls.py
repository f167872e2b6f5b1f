"""What is going to be asked: calls with their layers and markers, and the chunks they are made in."""

from collections.abc import Collection
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any, NamedTuple

from core import prompt
from core.claimed import ClaimedInsight
from core.measured import text_key
from core.pricing import CacheTtl
from core.request import THINKING_OFF, answer_schema, request_body
from core.states import Lane, ServiceTier, Tone
from core.usage import Usage

CALLS_PER_CHUNK = 100  # one Prefect task a chunk; a task run costs 40-50 ms of the server
ANSWER_TOKENS_MAX = 700  # of one insight: an answer that is longer than this is not a summary


class Prefix(NamedTuple):
    """A prompt up to the end of one layer: equal keys mean equal bytes, in every process."""

    key: str
    tokens: int  # up to its end, the frame included
    ttl: CacheTtl | None  # how long its marker keeps it; None: it is not marked


@dataclass(frozen=True, slots=True)
class PlannedCall:
    """One request to make: a pack of one player's insights, its layers from most to least shared."""

    insights: tuple[ClaimedInsight, ...]  # of one player, coach, sport and tone; never empty
    packed: bool  # the form: notes and answers bear ids
    model: str
    layers: tuple[prompt.Layer, ...]
    prefixes: tuple[Prefix, ...]  # one per layer
    shared: int  # so many of the layers are those of other calls, too
    notes: tuple[str, ...]
    prompt_version: str
    predicted: Usage
    lane: Lane = Lane.LIVE

    @property
    def about(self) -> ClaimedInsight:
        """Any of its insights, for what they have in common: people, sport and tone."""
        return self.insights[0]

    @property
    def service_tier(self) -> ServiceTier:
        """What it is billed as."""
        return service_tier_of(self.lane)

    @property
    def marked(self) -> tuple[Prefix, ...]:
        """The prefixes that this call writes or reads, shortest first."""
        return tuple(prefix for prefix in self.prefixes if prefix.ttl is not None)

    @property
    def note_ids(self) -> tuple[str, ...]:
        """The ids that the notes of a pack have in it."""
        return note_ids(len(self.insights))

    def body(self) -> dict[str, Any]:
        """Return the arguments of the request."""
        pairs = zip(self.layers, self.prefixes, strict=True)
        markers = {layer.name: prefix.ttl for layer, prefix in pairs if prefix.ttl is not None}
        schema = answer_schema(self.about.sport, self.about.tone, packed=self.packed)
        tokens_max = ANSWER_TOKENS_MAX * len(self.insights)
        return request_body(self.model, self.layers, self.notes, markers, schema, tokens_max)

    def only(self, insight_ids: Collection[str]) -> "PlannedCall":
        """Return the call for these of its insights alone, in the same form: its prefix is warm."""
        kept = tuple(insight for insight in self.insights if insight.id in insight_ids)
        if len(kept) == len(self.insights):
            return self
        dropped = 1 - len(kept) / len(self.insights)
        saved = round(sum(len(note) for note in self.notes) * dropped / 2.5)
        predicted = replace(
            self.predicted,
            input_tokens=max(0, self.predicted.input_tokens - saved),
            output_tokens=round(self.predicted.output_tokens * (1 - dropped)),
        )
        return replace(self, insights=kept, notes=notes_of(kept, self.packed), predicted=predicted)


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


def service_tier_of(lane: Lane) -> ServiceTier:
    """Return what the calls of a lane are billed as."""
    return ServiceTier.BATCH if lane is Lane.OVERNIGHT else ServiceTier.STANDARD


def note_ids(notes: int) -> tuple[str, ...]:
    """Return the ids of so many notes: short, because they are paid for twice."""
    return tuple(str(number) for number in range(1, notes + 1))


def notes_of(insights: tuple[ClaimedInsight, ...], packed: bool) -> tuple[str, ...]:
    """Return the fenced notes of a call."""
    ids = note_ids(len(insights)) if packed else (None,)
    return tuple(insight.note_text(note_id) for insight, note_id in zip(insights, ids, strict=True))


def shared_keys(model: str, sport: str, tone: Tone, packed: bool) -> tuple[str, str, str]:
    """Name the prefixes that all players of a sport and tone share."""
    return _shared_keys(model, prompt.texts_of(sport, tone), packed)


@lru_cache(maxsize=1024)
def _shared_keys(model: str, texts: prompt.PromptTexts, packed: bool) -> tuple[str, str, str]:
    form = "pack" if packed else "one"
    thinking = str(THINKING_OFF.get(model))
    root = (
        f"{model}/{form}:{text_key(prompt.version_of((thinking, texts.answer_schema, texts.instructions)))}"
    )
    sport = f"{root}/{texts.sport}:{text_key(texts.sport_sheet)}"
    return root, sport, f"{sport}/{texts.tone}:{text_key(texts.tone_text)}"
