"""The tokens of one request by class, and how the API words them.

Source: the API reference of `usage`: the total input is `input_tokens` (uncached) + writes + reads;
`cache_creation` splits the writes by lifetime.
"""

from dataclasses import dataclass, replace
from typing import Any

# The fields that have a price each, in the order in which they are stored.
BILLED_CLASSES = (
    "input_tokens",
    "cache_write_5m_tokens",
    "cache_write_1h_tokens",
    "cache_read_tokens",
    "output_tokens",
)


@dataclass(frozen=True)
class Usage:
    """Tokens of one request; `input_tokens` is the uncached part alone."""

    input_tokens: int = 0
    cache_write_5m_tokens: int = 0
    cache_write_1h_tokens: int = 0
    cache_read_tokens: int = 0
    output_tokens: int = 0
    thinking_tokens: int | None = None
    service_tier: str = "standard"
    inference_geo: str = "not_available"

    @property
    def cache_write_tokens(self) -> int:
        """Tokens written to the cache, whatever their lifetime."""
        return self.cache_write_5m_tokens + self.cache_write_1h_tokens

    @property
    def total_input_tokens(self) -> int:
        """The whole prompt: the size that price tiers look at."""
        return self.input_tokens + self.cache_write_tokens + self.cache_read_tokens

    def plus(self, other: "Usage") -> "Usage":
        """The sum of the billed classes of both."""
        sums = {name: getattr(self, name) + getattr(other, name) for name in BILLED_CLASSES}
        return replace(self, **sums)

    def as_message_usage(self) -> dict[str, Any]:
        """The `usage` object of a message."""
        usage: dict[str, Any] = {
            "input_tokens": self.input_tokens,
            "cache_creation_input_tokens": self.cache_write_tokens,
            "cache_read_input_tokens": self.cache_read_tokens,
            "cache_creation": {
                "ephemeral_5m_input_tokens": self.cache_write_5m_tokens,
                "ephemeral_1h_input_tokens": self.cache_write_1h_tokens,
            },
            "output_tokens": self.output_tokens,
            "service_tier": self.service_tier,
            "inference_geo": self.inference_geo,
        }
        if self.thinking_tokens is not None:
            usage["output_tokens_details"] = {"thinking_tokens": self.thinking_tokens}
        return usage

    def as_delta_usage(self) -> dict[str, Any]:
        """The `usage` object of a stream's `message_delta`: cumulative, the last one is the truth."""
        names = ("input_tokens", "cache_creation_input_tokens", "cache_read_input_tokens", "output_tokens")
        usage = self.as_message_usage()
        delta = {name: usage[name] for name in names}
        if "output_tokens_details" in usage:
            delta["output_tokens_details"] = usage["output_tokens_details"]
        return delta
