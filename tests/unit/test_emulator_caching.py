"""The prompt cache's rules, one by one, on prompts whose block sizes are chosen by the test."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from emulator.books.caching import CachePlan, PromptCache
from emulator.books.store import Store
from emulator.request.prompt import Prompt, PromptBlock
from emulator.request.shapes import Ttl

START = datetime(2026, 11, 1, tzinfo=UTC)
MINIMUM = 512
MODEL, WORKSPACE = "claude-haiku-5-5", "wrkspc_a"


def block(name: str, tokens: int, ttl: Ttl | None = None) -> PromptBlock:
    return PromptBlock(path=name, digest=name.encode(), tokens=tokens, ttl=ttl)


def prompt(*blocks: PromptBlock, head: bytes = b"", preamble_tokens: int = 0) -> Prompt:
    return Prompt(head=head, preamble_tokens=preamble_tokens, blocks=blocks)


def plan(cache: PromptCache, asked: Prompt, at: float = 0, **changes: str) -> CachePlan:
    key = {"model": MODEL, "workspace": WORKSPACE, **changes}
    return cache.plan(
        key["model"], key["workspace"], asked, minimum_tokens=MINIMUM, now=START + timedelta(seconds=at)
    )


def send(cache: PromptCache, asked: Prompt, at: float = 0, first_byte_seconds: float = 0) -> CachePlan:
    planned = plan(cache, asked, at)
    started = START + timedelta(seconds=at)
    cache.commit(planned, started=started, begins=started + timedelta(seconds=first_byte_seconds))
    return planned


def classes(planned: CachePlan) -> tuple[int, int, int, int]:
    """(input, write 5m, write 1h, read)."""
    return planned.input_tokens, planned.write_5m_tokens, planned.write_1h_tokens, planned.read_tokens


STABLE, NOTE = block("stable", 1_000, "5m"), block("note", 40)


def test_the_first_request_writes_up_to_its_breakpoint_and_pays_the_rest_as_input() -> None:
    assert classes(plan(PromptCache(Store()), prompt(STABLE, NOTE))) == (40, 1_000, 0, 0)


def test_a_plan_changes_nothing_until_it_is_committed() -> None:
    cache = PromptCache(Store())
    plan(cache, prompt(STABLE))
    assert len(cache) == 0
    assert classes(plan(cache, prompt(STABLE))) == (0, 1_000, 0, 0)


def test_the_same_prefix_with_another_suffix_is_read() -> None:
    cache = PromptCache(Store())
    send(cache, prompt(STABLE, NOTE))
    assert classes(plan(cache, prompt(STABLE, block("other note", 50)), at=1)) == (50, 0, 0, 1_000)


@pytest.mark.parametrize(
    "changed",
    [
        prompt(block("stablE", 1_000, "5m"), NOTE),
        prompt(STABLE, NOTE, head=b"other effort, thinking or format"),
        prompt(block("before", 10), STABLE, NOTE),
    ],
    ids=["one character", "effort, thinking, format", "a block before it"],
)
def test_a_prefix_that_differs_anywhere_is_not_read(changed: Prompt) -> None:
    cache = PromptCache(Store())
    send(cache, prompt(STABLE, NOTE))
    assert plan(cache, changed, at=1).read_tokens == 0


@pytest.mark.parametrize("change", [{"model": "claude-sonnet-5-5"}, {"workspace": "wrkspc_b"}], ids=str)
def test_a_cache_belongs_to_one_model_and_one_workspace(change: dict[str, str]) -> None:
    cache = PromptCache(Store())
    send(cache, prompt(STABLE))
    assert plan(cache, prompt(STABLE), at=1, **change).read_tokens == 0


def test_nothing_is_written_where_there_is_no_breakpoint() -> None:
    cache = PromptCache(Store())
    send(cache, prompt(block("a", 1_000), block("b", 1_000, "5m")))
    assert len(cache) == 1
    assert plan(cache, prompt(block("a", 1_000, "5m")), at=1).read_tokens == 0


@pytest.mark.parametrize(("tokens", "written"), [(MINIMUM - 1, 0), (MINIMUM, MINIMUM)])
def test_a_prefix_below_the_minimum_is_silently_not_cached(tokens: int, written: int) -> None:
    planned = plan(PromptCache(Store()), prompt(block("short", tokens, "5m"), NOTE))
    assert classes(planned) == (tokens + 40 - written, written, 0, 0)
    assert [use.action for use in planned.prefixes] == ["write" if written else "none"]


def test_the_minimum_counts_the_whole_prefix_with_its_preamble() -> None:
    planned = plan(PromptCache(Store()), prompt(block("short", 400, "5m"), preamble_tokens=112))
    assert classes(planned) == (0, 512, 0, 0)


@pytest.mark.parametrize(
    ("blocks_after", "read"), [(19, 1_000), (20, 0)], ids=["20 positions back", "21 positions back"]
)
def test_a_breakpoint_looks_back_over_20_positions_itself_included(blocks_after: int, read: int) -> None:
    cache = PromptCache(Store())
    send(cache, prompt(STABLE))
    later = [block(f"turn {i}", 10) for i in range(blocks_after - 1)]
    asked = prompt(replace(STABLE, ttl=None), *later, block("last", 10, "5m"))
    assert plan(cache, asked, at=1).read_tokens == read


@pytest.mark.parametrize(("ttl", "seconds"), [("5m", 300), ("1h", 3_600)])
def test_a_lifetime_runs_from_the_start_of_the_request(ttl: Ttl, seconds: int) -> None:
    cache = PromptCache(Store())
    asked = prompt(block("stable", 1_000, ttl))
    send(cache, asked, first_byte_seconds=60)
    assert plan(cache, asked, at=seconds - 0.001).read_tokens == 1_000
    assert plan(cache, asked, at=seconds).read_tokens == 0


def test_every_use_refreshes_the_lifetime_for_free() -> None:
    cache = PromptCache(Store())
    send(cache, prompt(STABLE))
    for minute in range(4, 40, 4):
        assert classes(send(cache, prompt(STABLE), at=60 * minute)) == (0, 0, 0, 1_000)
    assert plan(cache, prompt(STABLE), at=60 * 36 + 300).read_tokens == 0


def test_a_use_refreshes_only_the_prefix_that_was_read() -> None:
    cache = PromptCache(Store())
    long = prompt(STABLE, block("player", 100, "5m"))
    send(cache, long)
    send(cache, long, at=200)
    assert plan(cache, prompt(STABLE), at=301).read_tokens == 0
    assert plan(cache, long, at=301).read_tokens == 1_100


def test_an_entry_is_readable_only_once_its_writers_answer_begins() -> None:
    cache = PromptCache(Store())
    first = send(cache, prompt(STABLE), first_byte_seconds=1.177)
    second = send(cache, prompt(STABLE), at=1.176, first_byte_seconds=1.177)
    third = send(cache, prompt(STABLE), at=1.177)
    assert classes(first) == classes(second) == (0, 1_000, 0, 0)
    assert classes(third) == (0, 0, 0, 1_000)


@pytest.mark.parametrize(
    ("warm", "expected"),
    [
        ((), (7, 100 + 30, 1_000 + 200, 0)),
        (("tools",), (7, 130, 200, 1_000)),
        (("tools", "system"), (7, 130, 0, 1_200)),
        (("tools", "system", "player"), (7, 30, 0, 1_300)),
        (("tools", "system", "player", "history"), (7, 0, 0, 1_330)),
    ],
    ids=["cold", "hit at the first 1h", "hit at the last 1h", "hit at the first 5m", "hit at the last"],
)
def test_mixed_lifetimes_are_billed_by_a_b_and_c(
    warm: tuple[str, ...], expected: tuple[int, int, int, int]
) -> None:
    parts = [
        block("tools", 1_000, "1h"),
        block("system", 200, "1h"),
        block("player", 100, "5m"),
        block("history", 30, "5m"),
    ]
    cache = PromptCache(Store())
    if warm:
        send(cache, prompt(*[part for part in parts if part.path in warm]))
    assert classes(plan(cache, prompt(*parts, block("note", 7)), at=1)) == expected


def test_each_marked_prefix_is_reported_with_what_happened_to_it() -> None:
    cache = PromptCache(Store())
    send(cache, prompt(STABLE))
    planned = plan(cache, prompt(STABLE, block("player", 100, "5m"), NOTE), at=1)
    assert [(use.tokens, use.action, use.ttl) for use in planned.prefixes] == [
        (1_000, "read", "5m"),
        (1_100, "write", "5m"),
    ]


def test_a_forced_miss_reads_nothing_and_writes_again() -> None:
    cache = PromptCache(Store())
    send(cache, prompt(STABLE))
    planned = cache.plan(MODEL, WORKSPACE, prompt(STABLE), minimum_tokens=MINIMUM, now=START, miss=True)
    assert classes(planned) == (0, 1_000, 0, 0)


def test_ended_entries_leave_the_memory() -> None:
    cache = PromptCache(Store())
    for i in range(5_000):
        send(cache, prompt(block(f"prefix {i}", 1_000, "5m")), at=i)
    assert len(cache) <= 300 + 1_000


TREE = st.lists(
    st.tuples(st.sampled_from("abc"), st.sampled_from([300, 600]), st.sampled_from([None, "5m", "1h"])),
    min_size=1,
    max_size=6,
)


@given(st.lists(st.tuples(TREE, st.sampled_from([0, 1, 200, 400])), min_size=1, max_size=12))
def test_classes_add_up_and_a_read_is_always_covered_by_an_earlier_write(
    requests: list[tuple[list[tuple[str, int, Ttl | None]], int]],
) -> None:
    cache, at, written = PromptCache(Store()), 0.0, set[bytes]()
    for tree, pause in requests:
        at += pause
        asked = prompt(*[block(f"{name}{tokens}", tokens, ttl) for name, tokens, ttl in tree])
        planned = send(cache, asked, at=at)
        assert sum(classes(planned)) == asked.tokens
        assert min(classes(planned)) >= 0
        assert planned.hit is None or planned.hit in written
        written |= {use.digest for use in planned.prefixes if use.action == "write"}
        assert all(a.tokens < b.tokens for a, b in pairwise(planned.prefixes))


def test_two_cold_requests_at_once_share_the_longer_lifetime_and_the_earlier_opening() -> None:
    cache = PromptCache(Store())
    send(cache, prompt(block("stable", 1_000, "1h")), first_byte_seconds=5)
    send(cache, prompt(STABLE), at=1, first_byte_seconds=2)
    assert plan(cache, prompt(STABLE), at=2.9).read_tokens == 0
    assert send(cache, prompt(STABLE), at=3).read_tokens == 1_000
    assert plan(cache, prompt(STABLE), at=3_602.9).read_tokens == 1_000
    assert plan(cache, prompt(STABLE), at=3_603).read_tokens == 0


def test_live_requests_and_batches_have_caches_of_their_own() -> None:
    store = Store()
    live, batch = PromptCache(store, "live"), PromptCache(store, "batch")
    send(live, prompt(STABLE))
    assert plan(batch, prompt(STABLE), at=1).read_tokens == 0
    assert (len(live), len(batch)) == (1, 0)
