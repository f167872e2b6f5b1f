"""What each part of a prompt costs per 1,000 summaries, without caching and with it: pure, from token counts.

Money is exact; where a write is shared by a number of uses that gives no finite decimal, a part's share is
rounded to the ledger's twelfth decimal.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal
from itertools import accumulate
from typing import Any

from core import prompt
from core.bill import plain_money
from core.measured import ANSWER_TOKENS
from core.pricing import ClassPrices, break_even_uses, canonical_model, minimum_prefix_tokens, prices_at
from core.request import request_body
from core.states import Tone

SUMMARIES = 1_000  # what costs are told for
MORE_TOKENS = 1_000  # by which a sheet is made longer to see what that costs
MONEY_STEP = Decimal("1e-12")  # the ledger's
WHOLE = "whole"  # the request with all its parts


@dataclass(frozen=True, slots=True)
class Part:
    """One part of a prompt; shared parts are the same for all players of a sport and tone."""

    name: str  # a layer's, `note`, or `frame`: what the API adds by itself
    tokens: int
    shared: bool


@dataclass(frozen=True, slots=True)
class Cost:
    """US dollars per 1,000 summaries, with the prompt cache left alone and with it used."""

    uncached_usd: Decimal
    usd: Decimal

    def __add__(self, other: "Cost") -> "Cost":
        return Cost(self.uncached_usd + other.uncached_usd, self.usd + other.usd)

    def __sub__(self, other: "Cost") -> "Cost":
        return Cost(self.uncached_usd - other.uncached_usd, self.usd - other.usd)

    def to_json(self) -> dict[str, str]:
        """Return both as exact decimal strings."""
        return {
            "uncached_cost_per_1000_summaries_usd": plain_money(self.uncached_usd),
            "cost_per_1000_summaries_usd": plain_money(self.usd),
        }


@dataclass(frozen=True, slots=True)
class PromptCost:
    """The costs of a prompt, part by part; `uncached_because` says why nothing is cached, None when it is."""

    parts: tuple[tuple[Part, Cost], ...]
    answer: tuple[Part, Cost]
    uncached_because: str | None

    @property
    def prompt_tokens(self) -> int:
        """The tokens of the whole prompt."""
        return sum(part.tokens for part, _ in self.parts)

    @property
    def prompt(self) -> Cost:
        """What the prompt costs without its answer."""
        return sum((cost for _, cost in self.parts), Cost(Decimal(0), Decimal(0)))

    @property
    def total(self) -> Cost:
        """What a summary costs in all, a thousand times."""
        return self.prompt + self.answer[1]

    def to_json(self) -> dict[str, Any]:
        """Return parts and totals as the command line tells them."""
        return {
            "cached": self.uncached_because is None,
            "uncached_because": self.uncached_because,
            "layers": [
                {"name": part.name, "tokens": part.tokens, "shared": part.shared} | cost.to_json()
                for part, cost in self.parts
            ],
            "prompt": {"tokens": self.prompt_tokens} | self.prompt.to_json(),
            "answer": {"tokens": self.answer[0].tokens} | self.answer[1].to_json(),
            "total": self.total.to_json(),
        }


def prompt_cost(parts: Sequence[Part], *, model: str, at: datetime, uses: int) -> PromptCost:
    """Cost a prompt whose shared parts are written once (5 minutes) and read by the other `uses` - 1.

    What is not shared pays the input price, and so does everything when the model would not cache the
    shared parts or a plan would not mark them. Raises as `price_of`.
    """
    prices = prices_at(model, at, sum(part.tokens for part in parts))
    because = _uncached_because(parts, model, at, uses)
    costs = tuple(
        (part, _cost(part.tokens, prices, uses if part.shared and because is None else None))
        for part in parts
    )
    spent = SUMMARIES * ANSWER_TOKENS * prices.output.scaleb(-6)
    return PromptCost(costs, (Part("answer", ANSWER_TOKENS, shared=False), Cost(spent, spent)), because)


def cost_of_longer_sheet(parts: Sequence[Part], *, model: str, at: datetime, uses: int) -> Cost:
    """Return what a sheet of 1,000 tokens more adds.

    With caching that can be less than nothing: the sheet may make a prefix long enough to be cached.
    """
    longer = [
        replace(part, tokens=part.tokens + MORE_TOKENS) if part.name == "sport" else part for part in parts
    ]
    more = prompt_cost(longer, model=model, at=at, uses=uses)
    return more.total - prompt_cost(parts, model=model, at=at, uses=uses).total


def estimated_parts(layers: Sequence[prompt.Layer], note: str, model: str) -> tuple[Part, ...]:
    """Return the parts of a prompt with their estimated tokens; what the API adds is not among them."""
    texts = [*((layer.name, layer.text) for layer in layers), ("note", note)]
    return tuple(Part(name, prompt.estimated_tokens(text, model), _is_shared(name)) for name, text in texts)


def bodies_to_count(
    layers: Sequence[prompt.Layer], note: str, model: str, schema: Mapping[str, Any]
) -> tuple[tuple[str, dict[str, Any]], ...]:
    """Return the requests whose counted tokens tell each part's: one whole, and one without each part."""
    body = request_body(model, layers, (note,), {}, schema, max_tokens=1)
    del body["max_tokens"]
    system, content = body["system"], body["messages"][0]["content"]

    def without(place: int | None) -> dict[str, Any]:
        kept = [block for at, block in enumerate([*system, *content]) if at != place]
        ends = len(system) - (place is not None and place < len(system))
        return body | {"system": kept[:ends], "messages": [{"role": "user", "content": kept[ends:]}]}

    names = [*(layer.name for layer in layers), "note"]
    return ((WHOLE, without(None)), *((name, without(place)) for place, name in enumerate(names)))


def counted_parts(counts: Mapping[str, int]) -> tuple[Part, ...]:
    """Return the parts by what the API counted for `bodies_to_count`, the frame (its own part) first."""
    parts = [
        Part(name, counts[WHOLE] - count, _is_shared(name)) for name, count in counts.items() if name != WHOLE
    ]
    frame = counts[WHOLE] - sum(part.tokens for part in parts)
    return (Part("frame", frame, shared=True), *parts)


def example_layers(sport: str, tone: Tone) -> tuple[tuple[prompt.Layer, ...], str]:
    """Return layers and note of a made-up player with three earlier summaries, to count and to cost."""
    player, note = prompt.example()
    return prompt.layers(sport, tone, player), note


def layers_to_mark(layers: Iterable[prompt.Layer], model: str) -> frozenset[str]:
    """Return the shared layers whose prefix is long enough to be marked, should it be used again.

    (A run also marks a player's own layer when it has several notes about the player.)
    """
    shared = [layer for layer in layers if _is_shared(layer.name)]
    lengths = accumulate(prompt.estimated_tokens(layer.text, model) for layer in shared)
    minimum = minimum_prefix_tokens(model)
    return frozenset(layer.name for layer, length in zip(shared, lengths, strict=True) if length >= minimum)


def _uncached_because(parts: Iterable[Part], model: str, at: datetime, uses: int) -> str | None:
    shared, minimum = sum(part.tokens for part in parts if part.shared), minimum_prefix_tokens(model)
    if shared < minimum:
        return f"the shared layers have {shared:,} tokens, {canonical_model(model)} caches from {minimum:,}"
    if uses < (needed := break_even_uses(model, at)):
        return f"a write pays from {needed} uses on"
    return None


def _cost(tokens: int, prices: ClassPrices, uses: int | None) -> Cost:
    """Cost a thousand times these tokens; `uses` is how many share one write, None when nobody does."""
    plain = (SUMMARIES * tokens * prices.input).scaleb(-6)
    if uses is None:
        return Cost(plain, plain)
    once = tokens * (prices.cache_write_5m + (uses - 1) * prices.cache_read)
    return Cost(plain, (SUMMARIES * once / uses).scaleb(-6).quantize(MONEY_STEP))


def _is_shared(name: str) -> bool:
    return name in prompt.LAYER_NAMES and name != "player"
