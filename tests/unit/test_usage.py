"""Usage: what the API reported becomes disjoint token classes, once each."""

from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.errors import BadInput, BooksDisagree
from core.usage import Usage, merged, usage_of

counts = st.integers(0, 10**9)
usages = st.builds(Usage, counts, counts, counts, counts, counts)


def test_input_tokens_already_exclude_what_was_cached() -> None:
    usage = usage_of({"input_tokens": 3, "cache_read_input_tokens": 4000, "output_tokens": 1})
    assert (usage.input_tokens, usage.total_input_tokens) == (3, 4003)


def test_written_tokens_are_counted_once_when_both_the_total_and_its_parts_are_there() -> None:
    usage = usage_of(
        {
            "input_tokens": 10,
            "cache_creation_input_tokens": 5000,
            "cache_creation": {"ephemeral_5m_input_tokens": 1000, "ephemeral_1h_input_tokens": 4000},
            "output_tokens": 7,
        }
    )
    assert usage == Usage(10, 0, 1000, 4000, 7)


def test_parts_stand_without_a_total() -> None:
    parts = {"ephemeral_5m_input_tokens": 0, "ephemeral_1h_input_tokens": 4000}
    assert usage_of({"input_tokens": 1, "cache_creation": parts, "output_tokens": 0}) == Usage(1, 0, 0, 4000)


def test_a_total_without_parts_is_a_five_minute_write() -> None:
    usage = usage_of({"input_tokens": 1, "cache_creation_input_tokens": 900, "output_tokens": 0})
    assert usage == Usage(1, 0, 900)


def test_parts_that_contradict_their_total_stop_the_books() -> None:
    parts = {"ephemeral_5m_input_tokens": 1, "ephemeral_1h_input_tokens": 2}
    with pytest.raises(BooksDisagree, match=r"900 .* 1 for 5m and 2 for 1h"):
        usage_of(
            {
                "input_tokens": 1,
                "cache_creation_input_tokens": 900,
                "cache_creation": parts,
                "output_tokens": 0,
            }
        )


def test_nulls_are_zero() -> None:
    nulls = dict.fromkeys(
        (
            "cache_creation",
            "cache_creation_input_tokens",
            "cache_read_input_tokens",
            "output_tokens_details",
            "server_tool_use",
            "service_tier",
        )
    )
    assert usage_of({"input_tokens": 5, "output_tokens": 6} | nulls) == Usage(5, output_tokens=6)
    assert usage_of({"input_tokens": None, "output_tokens": 6}) == Usage(0, output_tokens=6)


def test_thinking_is_a_part_of_the_output() -> None:
    usage = usage_of(
        {"input_tokens": 1, "output_tokens": 90, "output_tokens_details": {"thinking_tokens": 70}}
    )
    assert (usage.output_tokens, usage.thinking_tokens) == (90, 70)
    with pytest.raises(BooksDisagree, match="91 > 90"):
        Usage(1, output_tokens=90, thinking_tokens=91)


@pytest.mark.parametrize(
    "reported", [{}, {"uncached_input_tokens": 5, "output_tokens": 1}, {"input_tokens": 5}]
)
def test_a_usage_of_another_kind_is_no_free_call(reported: dict[str, Any]) -> None:
    with pytest.raises(BadInput, match="it has no"):
        usage_of(reported)


@pytest.mark.parametrize("wrong", [-1, 1.5, "3", True])
def test_counts_are_whole_and_not_negative(wrong: Any) -> None:
    with pytest.raises(BadInput, match="cache_read_tokens"):
        Usage(1, cache_read_tokens=wrong)


def test_the_usage_of_a_stream_is_the_last_one_and_never_a_sum() -> None:
    start = {
        "input_tokens": 24,
        "cache_creation_input_tokens": 1979,
        "cache_creation": {"ephemeral_5m_input_tokens": 0, "ephemeral_1h_input_tokens": 1979},
        "cache_read_input_tokens": 100,
        "output_tokens": 1,
    }
    delta = {
        "input_tokens": 24,
        "cache_creation_input_tokens": 1979,
        "cache_read_input_tokens": 100,
        "output_tokens": 29,
    }
    assert usage_of(merged(start, delta)) == Usage(24, 100, 0, 1979, 29)


def test_a_null_in_a_delta_takes_nothing_back() -> None:
    start = {"input_tokens": 24, "cache_read_input_tokens": 100, "output_tokens": 1}
    delta = {"output_tokens": 8, "input_tokens": None, "cache_read_input_tokens": None}
    later = {"output_tokens": 9, "output_tokens_details": {"thinking_tokens": 4}}
    assert usage_of(merged(merged(start, delta), later)) == Usage(24, 100, output_tokens=9, thinking_tokens=4)


def test_merging_leaves_the_start_as_it_was() -> None:
    start = {"input_tokens": 24, "output_tokens": 1}
    merged(start, {"output_tokens": 2})
    assert start == {"input_tokens": 24, "output_tokens": 1}


def test_a_delta_that_wrote_more_than_the_split_knows_is_not_guessed_at() -> None:
    split = {"ephemeral_5m_input_tokens": 400, "ephemeral_1h_input_tokens": 500}
    start = {
        "input_tokens": 1,
        "cache_creation_input_tokens": 900,
        "cache_creation": split,
        "output_tokens": 1,
    }
    with pytest.raises(BooksDisagree):
        usage_of(merged(start, {"cache_creation_input_tokens": 1000, "output_tokens": 2}))


def test_a_first_write_told_by_a_delta_is_a_five_minute_write() -> None:
    split = {"ephemeral_5m_input_tokens": 0, "ephemeral_1h_input_tokens": 0}
    start = {"input_tokens": 1, "cache_creation_input_tokens": 0, "cache_creation": split, "output_tokens": 1}
    usage = usage_of(merged(start, {"cache_creation_input_tokens": 1000, "output_tokens": 2}))
    assert usage == Usage(1, 0, 1000, 0, 2)


def test_the_hit_rate_is_reads_over_the_whole_prompt() -> None:
    assert Usage(1000, 4000, output_tokens=500).cache_hit_rate == Decimal("0.8")
    assert Usage(1, 1, 1, output_tokens=500).cache_hit_rate == Decimal("0.333333")
    assert Usage(0).cache_hit_rate == 0


@given(usages)
@settings(derandomize=True, deadline=None)
def test_the_hit_rate_stays_between_none_and_all(usage: Usage) -> None:
    assert 0 <= usage.cache_hit_rate <= 1


@given(usages, usages)
@settings(derandomize=True, deadline=None)
def test_adding_usages_adds_each_class(one: Usage, other: Usage) -> None:
    both = one + other
    assert both.total_input_tokens == one.total_input_tokens + other.total_input_tokens
    assert both.output_tokens == one.output_tokens + other.output_tokens
    assert both == other + one


def test_adding_anything_else_is_a_type_error() -> None:
    with pytest.raises(TypeError):
        Usage(1) + 1
