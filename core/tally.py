"""What a run has asked and paid for, attempt by attempt, until its bill is written."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from core.bill import Bill, BilledAttempt, bill_of
from core.floor import Layer, Observation, PrefixNode, observed_paths
from core.plan import PlannedCall
from core.usage import Usage


@dataclass(frozen=True, slots=True)
class Entry:
    """One attempt as it was (or is predicted to be) billed, with the shape of its prompt."""

    call_id: str
    at: datetime
    layers: tuple[Layer, ...]
    marked: tuple[int, ...]
    usage: Usage
    model: str
    service_tier: str
    inference_geo: str | None
    cost_usd: Decimal


def shape_of(call: PlannedCall) -> tuple[Layer, ...]:
    """Return what the floor needs to know of a prompt's layers."""
    return tuple(
        Layer(prefix, len(layer.text)) for prefix, layer in zip(call.prefixes, call.layers, strict=True)
    )


def bill_of_run(entries: Iterable[Entry]) -> Bill:
    """Add up a run. Its floor takes prefix lengths from what the API counted."""
    ordered = sorted(entries, key=lambda entry: entry.at)
    paths = observed_paths(
        [Observation(model=e.model, layers=e.layers, marked=e.marked, usage=e.usage) for e in ordered]
    )
    return bill_of(
        BilledAttempt(
            usage=entry.usage,
            model=entry.model,
            at=entry.at,
            service_tier=entry.service_tier,
            inference_geo=entry.inference_geo,
            path=path,
            call_id=entry.call_id,
            cost_usd=entry.cost_usd,
        )
        for entry, path in zip(ordered, _with_what_was_warm(ordered, paths), strict=True)
    )


def _with_what_was_warm(
    ordered: Sequence[Entry], paths: Sequence[tuple[PrefixNode, ...]]
) -> list[tuple[PrefixNode, ...]]:
    """Mark the prefixes whose first use in the run was a read: no bill of this run holds their write.

    A read ends where a layer ends, so it also tells that layer's exact length, where it was estimated.
    """
    warm: dict[str, bool] = {}
    lengths: dict[str, int] = {}
    for entry, path in zip(ordered, paths, strict=True):
        if not entry.usage.total_input_tokens:
            continue  # turned away or lost: says nothing
        read = entry.usage.cache_read_tokens
        ended_at = min(range(len(path)), key=lambda place: abs(path[place].tokens - read), default=0)
        for place, node in enumerate(path):
            if node.key not in warm:
                warm[node.key] = bool(read) and place <= ended_at
                lengths[node.key] = read if warm[node.key] and place == ended_at else node.tokens
    return [
        tuple(PrefixNode(n.key, lengths.get(n.key, n.tokens), warm.get(n.key, False)) for n in path)
        for path in paths
    ]
