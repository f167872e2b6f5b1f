"""What one answer used, counted in tokens by the class each is billed in."""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from decimal import Decimal
from typing import Any

from core.errors import BadInput, BooksDisagree

RATE_STEP = Decimal("0.000001")  # the ledger stores ratios as NUMERIC(7,6)


@dataclass(frozen=True, slots=True)
class Usage:
    """Tokens by billing class; the classes do not overlap, except that thinking is a part of output.

    `input_tokens` is the uncached rest, as the API reports it: reads and writes are *not* in it.
    Raises BadInput for a count that is no whole number or below zero, and BooksDisagree when more was
    thought than put out (the API documents thinking <= output).
    """

    input_tokens: int
    cache_read_tokens: int = 0
    cache_write_5m_tokens: int = 0
    cache_write_1h_tokens: int = 0
    output_tokens: int = 0
    thinking_tokens: int = 0

    def __post_init__(self) -> None:
        for name in _COUNTS:
            count = getattr(self, name)
            if type(count) is not int or count < 0:
                raise BadInput(f"{name} must be a whole number of tokens, not {count!r}")
        if self.thinking_tokens > self.output_tokens:
            raise BooksDisagree(
                f"thinking is a part of the output, but {self.thinking_tokens} > {self.output_tokens} tokens"
            )

    @property
    def total_input_tokens(self) -> int:
        """The whole prompt: uncached + read + written. It decides the price tier by size."""
        return (
            self.input_tokens
            + self.cache_read_tokens
            + self.cache_write_5m_tokens
            + self.cache_write_1h_tokens
        )

    @property
    def cache_hit_rate(self) -> Decimal:
        """Share of the prompt that was read from the cache, 0..1 in steps of a millionth; 0 without a prompt.

        A Decimal and not a float, so that what is reported is what the ledger's NUMERIC(7,6) gives back.
        """
        if not self.total_input_tokens:
            return Decimal(0)
        return (Decimal(self.cache_read_tokens) / self.total_input_tokens).quantize(RATE_STEP)

    def __add__(self, other: object) -> "Usage":
        if not isinstance(other, Usage):
            return NotImplemented
        return Usage(*(getattr(self, name) + getattr(other, name) for name in _COUNTS))


_COUNTS = tuple(field.name for field in fields(Usage))


def usage_of(reported: Mapping[str, Any]) -> Usage:
    """Read the `usage` object of a Messages API answer (the SDK object's `.to_dict()`).

    Writes are taken from `cache_creation` (5m and 1h apart) when it is there; without it the total counts
    as 5m. Null counts are 0. Raises BadInput when `input_tokens` or `output_tokens` is missing altogether
    (a usage object of another kind must not become a free call), and BooksDisagree when the parts and
    `cache_creation_input_tokens` are both given and differ: no guess can be right about money.
    """
    for name in ("input_tokens", "output_tokens"):
        if name not in reported:
            raise BadInput(f"this is no usage of a message, it has no {name}: {dict(reported)!r}")
    write_5m_tokens, write_1h_tokens = _writes(reported)
    return Usage(
        input_tokens=_count(reported, "input_tokens"),
        cache_read_tokens=_count(reported, "cache_read_input_tokens"),
        cache_write_5m_tokens=write_5m_tokens,
        cache_write_1h_tokens=write_1h_tokens,
        output_tokens=_count(reported, "output_tokens"),
        thinking_tokens=_count(reported.get("output_tokens_details") or {}, "thinking_tokens"),
    )


def merged(start: Mapping[str, Any], delta: Mapping[str, Any]) -> dict[str, Any]:
    """The usage of a stream: that of `message_start`, overlaid with that of a `message_delta`.

    A delta is cumulative, so its last non-null value wins and nothing is ever added up. A delta has no
    5m/1h split; the one of the start stays as long as it adds up to the delta's total. If it does not, an
    empty split is dropped (the total then counts as 5m), and any other is left for `usage_of` to refuse.
    Apply it once per delta, in order.
    """
    usage = dict(start) | {key: value for key, value in delta.items() if value is not None}
    if delta.get("cache_creation") is None and not sum(_split(usage)):
        usage["cache_creation"] = None
    return usage


def _count(counts: Mapping[str, Any], name: str) -> int:
    count: int = counts.get(name) or 0
    return count


def _split(reported: Mapping[str, Any]) -> tuple[int, int]:
    """The 5m and 1h parts of the written tokens; zeros when there is no split."""
    parts = reported.get("cache_creation") or {}
    return _count(parts, "ephemeral_5m_input_tokens"), _count(parts, "ephemeral_1h_input_tokens")


def _writes(reported: Mapping[str, Any]) -> tuple[int, int]:
    total = reported.get("cache_creation_input_tokens")
    if reported.get("cache_creation") is None:
        return total or 0, 0
    parts = _split(reported)
    if total is not None and total != sum(parts):
        raise BooksDisagree(f"{total} tokens written in all, but {parts[0]} for 5m and {parts[1]} for 1h")
    return parts
