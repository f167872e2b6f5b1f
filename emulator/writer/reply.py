"""The answer to one request: its words, its tokens, and why it stopped.

Source: the pages on stop reasons, thinking and structured output. Thinking is billed as output and its text
is left out (an empty block opens the answer); an answer ends at `max_tokens` or a stop sequence; structured
output is broken by `max_tokens` and refusals only, unless a fault says otherwise.
"""

import json
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any, Literal

from jsonschema import Draft202012Validator

from emulator.errors import not_imitated
from emulator.faults import Fault
from emulator.request import shapes
from emulator.request.catalog import ModelTraits
from emulator.request.validation import thinks
from emulator.writer.notes import read_brief
from emulator.writer.prose import judge
from emulator.writer.shaping import shape_answer

StopReason = Literal["end_turn", "max_tokens", "stop_sequence", "refusal", "model_context_window_exceeded"]

# How much a model thinks is not documented; these figures are ours.
THINKING_TOKENS = {"low": 100, "medium": 250, "high": 600, "xhigh": 1_200, "max": 2_400}
TRUNCATED_SHARE = 0.6
REFUSED_AFTER_SHARE = 0.5
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
    def free(self) -> bool:
        """Whether nothing is billed: a refusal before any output."""
        return self.stop_reason == "refusal" and self.output_tokens == 0

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
    request: shapes.MessageRequest,
    traits: ModelTraits,
    fault: Fault | None,
    answer_tokens: int | None = None,
    prompt_tokens: int = 0,
) -> Reply:
    """Answer a request, or fail in the way the fault asks for; `answer_tokens` are billed for each note."""
    kind = fault.kind if fault else None
    if kind == "refusal":
        return Reply("", 0, "refusal")
    if request.max_tokens == 0:
        return Reply("", 0, "max_tokens")
    thinking_tokens = _thinking_tokens(request, traits) if thinks(request, traits) else None
    written = Reply(_text(request, fault), 0, thinking_tokens=thinking_tokens)
    fixed_tokens = None if answer_tokens is None else answer_tokens * len(read_brief(request).notes)
    if kind == "truncated_json":
        written = _cut(written, TRUNCATED_SHARE, "max_tokens")
    elif kind == "refusal_mid_answer":
        written = _cut(written, REFUSED_AFTER_SHARE, "refusal")
    else:
        written = _stopped(written, request)
    return _bounded(written, request.max_tokens, traits, fixed_tokens, traits.context_tokens - prompt_tokens)


def _cut(reply: Reply, share: float, reason: StopReason) -> Reply:
    return replace(reply, text=reply.text[: int(len(reply.text) * share)], stop_reason=reason)


def _text(request: shapes.MessageRequest, fault: Fault | None) -> str:
    if fault and fault.kind == "wrong_content":
        return fault.answer or ""
    brief = read_brief(request)
    output_format = request.output_config.format
    if output_format is None:
        return " ".join(judge(note, brief).summary for note in brief.notes)
    answer = shape_answer(output_format.json_schema, brief)
    if not _validator(json.dumps(output_format.json_schema)).is_valid(answer):
        raise not_imitated("output_config.format.schema: what this combination asks for")
    if fault and fault.kind == "break_schema":
        answer = _off_schema(answer)
    return json.dumps(answer, separators=(",", ":"), ensure_ascii=False)


@lru_cache(maxsize=256)
def _validator(schema_text: str) -> Draft202012Validator:
    return Draft202012Validator(json.loads(schema_text))


def _off_schema(answer: Any) -> Any:
    """The same JSON with one thing wrong: the first property renamed, or the value replaced."""
    if not isinstance(answer, dict) or not answer:
        return {OFF_SCHEMA: answer}
    first, *others = answer
    return {OFF_SCHEMA: answer[first], **{name: answer[name] for name in others}}


def _thinking_tokens(request: shapes.MessageRequest, traits: ModelTraits) -> int:
    tokens = THINKING_TOKENS[request.output_config.effort or traits.default_effort]
    enabled = request.thinking if isinstance(request.thinking, shapes.ThinkingEnabled) else None
    return min(tokens, enabled.budget_tokens) if enabled else tokens


def _stopped(reply: Reply, request: shapes.MessageRequest) -> Reply:
    """End at the first stop sequence, which is not part of the answer."""
    found = [(reply.text.find(stop), stop) for stop in request.stop_sequences if stop and stop in reply.text]
    if not found:
        return reply
    position, stop = min(found)
    return replace(reply, text=reply.text[:position], stop_reason="stop_sequence", stop_sequence=stop)


def _bounded(
    reply: Reply, max_tokens: int, traits: ModelTraits, fixed_tokens: int | None, window_tokens: int
) -> Reply:
    """Count the answer's tokens and end it at `max_tokens` or the context window; thinking counts too."""
    limit = min(max_tokens, window_tokens)
    thinking = reply.thinking_tokens or 0
    natural = thinking + traits.tokens(len(reply.text))
    counted = natural if fixed_tokens is None else fixed_tokens
    if counted > limit and reply.stop_reason != "refusal":
        reason: StopReason = "max_tokens" if limit == max_tokens else "model_context_window_exceeded"
        reply = replace(reply, stop_reason=reason, stop_sequence=None)
    counted = min(counted, limit)
    thinking = min(thinking, counted)
    # An answer cut by its limit must fit into it; one whose bill is fixed keeps its natural words.
    room = traits.characters(limit - min(thinking, limit))
    return replace(
        reply,
        text=reply.text[:room],
        output_tokens=counted,
        thinking_tokens=None if reply.thinking_tokens is None else thinking,
    )
