"""The answer to one request: its words, its tokens, and why it stopped.

Source: the pages on stop reasons, thinking and structured output. Thinking is billed as output and its text
is left out (an empty block opens the answer); an answer ends at `max_tokens` or a stop sequence; structured
output is broken by `max_tokens` and refusals only, unless a fault says otherwise.
"""

import json
from dataclasses import dataclass, replace
from typing import Any, Literal

from emulator import wire
from emulator.catalog import ModelTraits
from emulator.faults import Fault
from emulator.validation import thinks
from emulator.writer.notes import read_brief
from emulator.writer.prose import judge
from emulator.writer.shaping import shape_answer

StopReason = Literal["end_turn", "max_tokens", "stop_sequence", "refusal"]

# How much a model thinks is not documented; these figures are ours. Without an effort it is the API's
# default, high.
THINKING_TOKENS = {"low": 100, "medium": 250, "high": 600, "xhigh": 1_200, "max": 2_400}
TRUNCATED_SHARE = 0.6
# Not a member of any reasonable enumeration.
OFF_SCHEMA = "__off_schema__"


@dataclass(frozen=True)
class Reply:
    """What goes out; `thinking_tokens` is None when the model was told not to think."""

    text: str
    output_tokens: int
    stop_reason: StopReason = "end_turn"
    thinking_tokens: int | None = None
    stop_sequence: str | None = None

    @property
    def content(self) -> list[dict[str, Any]]:
        """The content blocks: an empty thinking block first, where the model thought."""
        blocks: list[dict[str, Any]] = []
        if self.thinking_tokens is not None:
            blocks.append({"type": "thinking", "thinking": "", "signature": SIGNATURE})
        if self.text:
            blocks.append({"type": "text", "text": self.text, "citations": None})
        return blocks


SIGNATURE = "ZW11bGF0b3I="


def write_reply(
    request: wire.MessageRequest, traits: ModelTraits, fault: Fault | None, answer_tokens: int | None
) -> Reply:
    """Answer a request, or fail in the way the fault asks for."""
    if fault and fault.kind == "refusal":
        return Reply("", 0, "refusal")
    if request.max_tokens == 0:
        return Reply("", 0, "max_tokens")
    thinking_tokens = _thinking_tokens(request) if thinks(request, traits) else None
    written = Reply(_text(request, fault), 0, thinking_tokens=thinking_tokens)
    if fault and fault.kind == "truncated_json":
        cut = written.text[: int(len(written.text) * TRUNCATED_SHARE)]
        written = replace(written, text=cut, stop_reason="max_tokens")
    return _bounded(_stopped(written, request), request.max_tokens, traits, answer_tokens)


def _text(request: wire.MessageRequest, fault: Fault | None) -> str:
    if fault and fault.kind == "wrong_content":
        return fault.answer or ""
    brief = read_brief(request)
    output_format = request.output_config.format
    if output_format is None:
        return " ".join(judge(note, brief).summary for note in brief.notes)
    answer = shape_answer(output_format.json_schema, brief)
    if fault and fault.kind == "break_schema":
        answer = _off_schema(answer)
    return json.dumps(answer, separators=(",", ":"), ensure_ascii=False)


def _off_schema(answer: Any) -> Any:
    """The same JSON with one thing wrong: the first property renamed, or the value replaced."""
    if not isinstance(answer, dict) or not answer:
        return {OFF_SCHEMA: answer}
    first, *others = answer
    return {OFF_SCHEMA: answer[first], **{name: answer[name] for name in others}}


def _thinking_tokens(request: wire.MessageRequest) -> int:
    tokens = THINKING_TOKENS[request.output_config.effort or "high"]
    budget = request.thinking.budget_tokens if request.thinking else None
    return tokens if budget is None else min(tokens, budget)


def _stopped(reply: Reply, request: wire.MessageRequest) -> Reply:
    """End at the first stop sequence, which is not part of the answer."""
    found = [(reply.text.find(stop), stop) for stop in request.stop_sequences if stop and stop in reply.text]
    if not found:
        return reply
    position, stop = min(found)
    return replace(reply, text=reply.text[:position], stop_reason="stop_sequence", stop_sequence=stop)


def _bounded(reply: Reply, max_tokens: int, traits: ModelTraits, answer_tokens: int | None) -> Reply:
    """Count the answer's tokens and end it at `max_tokens`, which thinking counts towards."""
    thinking = reply.thinking_tokens or 0
    natural = thinking + traits.tokens(len(reply.text))
    counted = natural if answer_tokens is None else answer_tokens
    if counted > max_tokens:
        reply = replace(reply, stop_reason="max_tokens", stop_sequence=None)
    counted = min(counted, max_tokens)
    thinking = min(thinking, counted)
    # An answer cut by its limit must fit into it; one whose bill is fixed keeps its natural words.
    room = traits.characters(max_tokens - min(thinking, max_tokens))
    return replace(
        reply,
        text=reply.text[:room],
        output_tokens=counted,
        thinking_tokens=None if reply.thinking_tokens is None else thinking,
    )
