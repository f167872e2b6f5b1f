"""One request to the model: layers, markers and notes put together, pure and byte-stable.

A call asks in one of two forms, and the form is part of what the vendor caches: a single note is answered by
the answer object itself, a pack by `{"answers": [...]}` with an id in each.
"""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from core.pricing import CacheTtl
from core.prompt import Layer, texts_of
from core.states import Tone

# What switches thinking off, for the models that refuse `disabled`.
THINKING_OFF = {"claude-sonnet-5-5": {"type": "between_tools"}}


def request_body(
    model: str,
    layers: Sequence[Layer],
    notes: Sequence[str],
    markers: Mapping[str, CacheTtl],
    schema: Mapping[str, Any],
    max_tokens: int,
) -> dict[str, Any]:
    """Return the arguments of `client.messages.create`.

    `layers` as `core.prompt.layers` gives them, `notes` as `note_text` does, all about the player of the last
    layer; `markers` says which layers end in a cache marker, and for how long. Thinking is off: it would be
    billed as output.
    """
    unknown = sorted(markers.keys() - {layer.name for layer in layers})
    if unknown:
        raise ValueError(f"no such layer to mark: {', '.join(unknown)}")
    blocks = [_block(layer.text, markers.get(layer.name)) for layer in layers]
    return {
        "model": model,
        "max_tokens": max_tokens,
        "thinking": THINKING_OFF.get(model, {"type": "disabled"}),
        "system": blocks[:-1],
        "messages": [{"role": "user", "content": [blocks[-1], *(_block(note, None) for note in notes)]}],
        "output_config": {"format": {"type": "json_schema", "schema": schema}},
    }


def answer_schema(sport: str, tone: Tone, *, packed: bool = False) -> dict[str, Any]:
    """Return the JSON schema of an answer, a fresh copy each time; of a pack's whatever its size."""
    schema: dict[str, Any] = json.loads(texts_of(sport, tone).answer_schema)
    if not packed:
        return schema
    item = {
        **schema,
        "properties": {"id": {"type": "string"}, **schema["properties"]},
        "required": ["id", *schema["required"]],
    }
    return {
        "type": "object",
        "properties": {"answers": {"type": "array", "items": item}},
        "required": ["answers"],
        "additionalProperties": False,
    }


def _block(text: str, ttl: CacheTtl | None) -> dict[str, Any]:
    block: dict[str, Any] = {"type": "text", "text": text}
    if ttl is not None:
        block["cache_control"] = {"type": "ephemeral"} if ttl == "5m" else {"type": "ephemeral", "ttl": ttl}
    return block
