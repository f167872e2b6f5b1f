"""Requests that the emulator's tests share, and how they read its usage."""

from typing import Any

from anthropic.types import Message, Usage

from tests.integration.emulator_process import KEY, RunningEmulator

HAIKU = "claude-haiku-5-5"
STABLE = "A coach writes to parents. " * 100  # 2,700 characters, 1,080 tokens of Haiku 5.5
STABLE_TOKENS = 1_080
NOTE = (
    '<player>{"first_name": "Clodagh"}</player><note>{"title": "Kick-outs", "text": "Long kick-outs"}</note>'
)

SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {"category": {"enum": ["normal", "injury"]}, "summary": {"type": "string"}},
    "required": ["category", "summary"],
    "additionalProperties": False,
}
VALID: dict[str, Any] = {
    "model": "claude-haiku-5-5",
    "max_tokens": 500,
    "thinking": {"type": "disabled"},
    "messages": [{"role": "user", "content": '<note>{"title": "Passing", "text": "Good"}</note>'}],
    "output_config": {"format": {"type": "json_schema", "schema": SCHEMA}},
}


def text(words: str, ttl: str | None = None) -> dict[str, Any]:
    marker = {"cache_control": {"type": "ephemeral", "ttl": ttl}} if ttl else {}
    return {"type": "text", "text": words, **marker}


def user(*blocks: dict[str, Any]) -> list[dict[str, Any]]:
    return [{"role": "user", "content": list(blocks)}]


def asked(**changes: Any) -> dict[str, Any]:
    """A request with one marked block; `None` leaves a field out."""
    base: dict[str, Any] = {
        "model": HAIKU,
        "max_tokens": 500,
        "thinking": {"type": "disabled"},
        "system": [marked(STABLE)],
        "messages": [{"role": "user", "content": NOTE}],
    }
    return {name: value for name, value in {**base, **changes}.items() if value is not None}


def marked(text: str, ttl: str = "5m") -> dict[str, Any]:
    return {"type": "text", "text": text, "cache_control": {"type": "ephemeral", "ttl": ttl}}


def send(emulator: RunningEmulator, key: str = KEY, **changes: Any) -> Message:
    message = emulator.client(key).messages.create(**asked(**changes))
    assert isinstance(message, Message)
    return message


def classes(usage: Usage) -> tuple[int, int, int, int]:
    """(input, write 5m, write 1h, read)."""
    assert usage.cache_creation is not None
    short, long = (
        usage.cache_creation.ephemeral_5m_input_tokens,
        usage.cache_creation.ephemeral_1h_input_tokens,
    )
    assert usage.cache_creation_input_tokens == short + long
    return usage.input_tokens, short, long, usage.cache_read_input_tokens or 0
