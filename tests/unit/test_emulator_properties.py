"""What holds for any requests over any tree of prefixes, held against a second, slower cache kept here."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import accumulate
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from emulator.books.caching import Lane
from emulator.books.calls import Arrival
from emulator.books.usage import Usage
from emulator.request.catalog import load_catalog
from emulator.request.shapes import MessageRequest
from emulator.request.validation import validate_message
from emulator.settings import Settings
from emulator.state import Emulator
from emulator.work import answer

START = datetime(2026, 11, 1, tzinfo=UTC)
MODELS = ("claude-haiku-5-5", "claude-sonnet-5")
MINIMUM = {"claude-haiku-5-5": 512, "claude-sonnet-5": 1_024}
LIFETIME_SECONDS = {"5m": 300, "1h": 3_600}
CATALOG = load_catalog()
EMULATOR = Emulator(Settings(tier="unlimited"))


@dataclass(frozen=True)
class Asked:
    """One request: its blocks as (letter, tokens, marker), and all else that makes its cache another one."""

    blocks: tuple[tuple[str, int, str | None], ...]
    pause_seconds: float
    model: str
    workspace: str
    lane: Lane
    effort: str

    @property
    def sizes(self) -> list[int]:
        """Tokens of the prefix that ends with each block."""
        return list(accumulate(tokens for _, tokens, _ in self.blocks))

    def prefix(self, i: int) -> tuple[Any, ...]:
        """What must be equal for a read: markers are no part of it."""
        words = tuple((letter, tokens) for letter, tokens, _ in self.blocks[: i + 1])
        return (self.lane, self.model, self.workspace, self.effort, words)

    def body(self) -> MessageRequest:
        return MessageRequest.model_validate(
            {
                "model": self.model,
                "max_tokens": 50,
                "thinking": {"type": "disabled"},
                "output_config": {"effort": self.effort},
                "system": [_block(*block) for block in self.blocks],
                "messages": [{"role": "user", "content": "note!"}],
            }
        )


def _block(letter: str, tokens: int, ttl: str | None) -> dict[str, Any]:
    text = (letter * (tokens * 5 // 2))[: tokens * 5 // 2]
    return {"type": "text", "text": text} | (
        {"cache_control": {"type": "ephemeral", "ttl": ttl}} if ttl else {}
    )


@st.composite
def requests(draw: st.DrawFn) -> Asked:
    """At most four markers, long lifetimes first; few different blocks, so that prefixes meet again."""
    count = draw(st.integers(1, 24))
    words = draw(
        st.lists(
            st.tuples(st.sampled_from("ab"), st.sampled_from([100, 600])), min_size=count, max_size=count
        )
    )
    marked = sorted(draw(st.sets(st.integers(0, count - 1), max_size=4)))
    long = draw(st.integers(0, len(marked)))
    ttls: dict[int, str] = {place: "1h" if i < long else "5m" for i, place in enumerate(marked)}
    return Asked(
        blocks=tuple((*word, ttls.get(i)) for i, word in enumerate(words)),
        pause_seconds=draw(st.sampled_from([0, 0.5, 1.2, 200, 299, 301, 3_599, 3_601])),
        model=draw(st.sampled_from(MODELS)),
        workspace=draw(st.sampled_from("vw")),
        lane=draw(st.sampled_from(("live", "batch"))),
        effort=draw(st.sampled_from(("low", "high"))),
    )


class SlowCache:
    """The rules once more, written down as they are told: a list of writes that is searched from the end."""

    def __init__(self) -> None:
        self.entries: dict[tuple[Any, ...], tuple[str, float, float]] = {}

    def readable(self, prefix: tuple[Any, ...], now: float) -> bool:
        _, begins, ends = self.entries.get(prefix, ("", float("inf"), 0.0))
        return begins <= now < ends

    def best(self, asked: Asked, now: float) -> int | None:
        """The longest prefix that any of its breakpoints can see."""
        minimum = MINIMUM[asked.model]
        breakpoints = [i for i, (_, _, ttl) in enumerate(asked.blocks) if ttl and asked.sizes[i] >= minimum]
        seen = {i for b in breakpoints for i in range(max(0, b - 19), b + 1)}
        return max((i for i in seen if self.readable(asked.prefix(i), now)), default=None)

    def remember(self, asked: Asked, hit: int | None, now: float) -> None:
        if hit is not None:
            ttl, begins, ends = self.entries[asked.prefix(hit)]
            self.entries[asked.prefix(hit)] = (ttl, begins, max(ends, now + LIFETIME_SECONDS[ttl]))
        for i, (_, _, marker) in enumerate(asked.blocks):
            if marker and asked.sizes[i] >= MINIMUM[asked.model] and (hit is None or i > hit):
                self._write(asked.prefix(i), marker, now)

    def _write(self, prefix: tuple[Any, ...], ttl: str, now: float) -> None:
        begins, ends = now + 1.177, now + LIFETIME_SECONDS[ttl]
        old = self.entries.get(prefix)
        if old and old[2] > now:
            ttl = max(ttl, old[0], key=LIFETIME_SECONDS.__getitem__)
            begins, ends = min(begins, old[1]), max(ends, old[2])
        self.entries[prefix] = (ttl, begins, ends)


@settings(deadline=None, max_examples=30)
@given(st.lists(requests(), min_size=1, max_size=10), st.data())
def test_reads_are_what_an_earlier_write_covers_classes_add_up_and_the_meter_is_the_sum_of_the_answers(
    sent: list[Asked], data: st.DataObject
) -> None:
    EMULATOR.reset()
    slow, now, usages, total_tokens = SlowCache(), 0.0, list[Usage](), 0
    for asked in sent:
        # Now and then the same request again, so that there is something to read.
        for _ in range(data.draw(st.integers(1, 3))):
            now += asked.pause_seconds
            usage = _answered(asked, now)
            hit = slow.best(asked, now)
            assert usage.cache_read_tokens == (0 if hit is None else asked.sizes[hit])
            assert usage.total_input_tokens == asked.sizes[-1] + 2
            slow.remember(asked, hit, now)
            usages.append(usage)
            total_tokens += asked.sizes[-1] + 2
    _check_books(usages, total_tokens)


def _answered(asked: Asked, seconds: float) -> Usage:
    body, traits = asked.body(), CATALOG[asked.model]
    validate_message(body, traits)
    arrival = Arrival(START + timedelta(seconds=seconds), "/v1/messages", asked.workspace, 0)
    return answer(EMULATOR, arrival, body, traits, None, lane=asked.lane).usage


def _check_books(usages: list[Usage], total_tokens: int) -> None:
    meter = EMULATOR.meter.as_json()
    assert meter["requests"] == len(usages)
    for name in ("input_tokens", "cache_write_5m_tokens", "cache_write_1h_tokens", "cache_read_tokens"):
        assert sum(row[name] for row in meter["rows"]) == sum(getattr(usage, name) for usage in usages)
    assert sum(row["output_tokens"] for row in meter["rows"]) == sum(usage.output_tokens for usage in usages)
    assert sum(usage.total_input_tokens for usage in usages) == total_tokens
    rows = EMULATOR.meter.rows(START, START + timedelta(days=2), 1)
    assert sum((row.cost_usd for row in rows), Decimal(0)) == Decimal(meter["cost_usd"])
