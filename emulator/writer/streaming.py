"""A message as server-sent events.

Source: the streaming guide. message_start, then per block start, deltas and stop, then message_delta with
cumulative usage, then message_stop; a ping may come anywhere. The final usage is the whole truth and is
never to be added up.
"""

import json
from collections.abc import Iterator
from typing import Any

from emulator.books.usage import Usage
from emulator.writer.reply import Reply

DELTA_CHARACTERS = 40


def events(message: dict[str, Any], reply: Reply, usage: Usage) -> Iterator[dict[str, Any]]:
    """The whole sequence for one message."""
    start_usage = {**usage.as_message_usage(), "output_tokens": min(1, usage.output_tokens)}
    start_usage.pop("output_tokens_details", None)
    unfinished: dict[str, Any] = {
        "content": [],
        "stop_reason": None,
        "stop_sequence": None,
        "usage": start_usage,
    }
    opening = {name: value for name, value in message.items() if name != "stop_details"}
    yield {"type": "message_start", "message": {**opening, **unfinished}}
    for index, block in enumerate(reply.content):
        yield from _block_events(index, block)
        if index == 0:
            yield {"type": "ping"}
    delta = {"stop_reason": message["stop_reason"], "stop_sequence": message["stop_sequence"]}
    if "stop_details" in message:
        delta["stop_details"] = message["stop_details"]
    yield {"type": "message_delta", "delta": delta, "usage": usage.as_delta_usage()}
    yield {"type": "message_stop"}


def encode(event: dict[str, Any]) -> bytes:
    """One event on the wire."""
    data = json.dumps(event, separators=(",", ":"), ensure_ascii=False)
    return f"event: {event['type']}\ndata: {data}\n\n".encode()


def _block_events(index: int, block: dict[str, Any]) -> Iterator[dict[str, Any]]:
    if block["type"] == "thinking":
        empty = {**block, "signature": ""}
        deltas = [{"type": "signature_delta", "signature": block["signature"]}]
    else:
        empty = {**block, "text": ""}
        text = block["text"]
        parts = (text[i : i + DELTA_CHARACTERS] for i in range(0, len(text), DELTA_CHARACTERS))
        deltas = [{"type": "text_delta", "text": part} for part in parts]
    yield {"type": "content_block_start", "index": index, "content_block": empty}
    for delta in deltas:
        yield {"type": "content_block_delta", "index": index, "delta": delta}
    yield {"type": "content_block_stop", "index": index}
