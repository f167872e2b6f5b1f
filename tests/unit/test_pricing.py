"""Pricing: where others got it wrong, every recorded call, and the two price sources against each other."""

from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal, Inexact, localcontext
from importlib.metadata import version
from pathlib import Path
from typing import Any

import genai_prices
import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from core import pricing
from core.errors import BadInput, BooksDisagree, UnknownModel
from core.pricing import (
    ClassPrices,
    break_even_uses,
    canonical_model,
    known_models,
    minimum_prefix_tokens,
    price_of,
    price_version,
    prices_at,
    same_model,
)
from core.states import ServiceTier
from core.usage import Usage

NOVEMBER = datetime(2026, 11, 2, 12, tzinfo=UTC)
SEPTEMBER = datetime(2026, 9, 20, 12, tzinfo=UTC)

# USD per million tokens: input, output, 5m write, 1h write, read; and the minimum prefix. As published.
PUBLISHED = {
    "claude-haiku-5-5": ("0.10", "0.50", "0.125", "0.20", "0.01", 512),
    "claude-haiku-4-5": ("1", "5", "1.25", "2", "0.10", 4096),
    "claude-sonnet-5-5": ("2", "10", "2.50", "4", "0.10", 512),
    "claude-sonnet-5": ("2", "10", "2.50", "4", "0.20", 1024),
    "claude-sonnet-4-6": ("3", "15", "3.75", "6", "0.30", 1024),
    "claude-opus-5-5": ("4", "20", "5", "8", "0.20", 512),
    "claude-opus-4-8": ("5", "25", "6.25", "10", "0.50", 1024),
    "claude-3-haiku-20240307": ("0.25", "1.25", "0.30", "0.50", "0.03", 2048),
}


def cost(usage: Usage, model: str, at: datetime = NOVEMBER, **terms: Any) -> Decimal:
    return price_of(usage, model=model, at=at, **terms).cost_usd


def by_published_prices(usage: Usage, model: str) -> Decimal:
    """The bill once more, in whole millionths of a millionth of a dollar: integers cannot round."""
    price_input, output, write_5m, write_1h, read, _ = PUBLISHED[model]
    parts = (
        (usage.input_tokens, price_input),
        (usage.output_tokens, output),
        (usage.cache_write_5m_tokens, write_5m),
        (usage.cache_write_1h_tokens, write_1h),
        (usage.cache_read_tokens, read),
    )
    return Decimal(sum(tokens * int(Decimal(price) * 10**6) for tokens, price in parts)) / 10**12


def test_written_tokens_are_not_charged_as_input_too() -> None:
    usage = Usage(3, cache_write_5m_tokens=12_304, output_tokens=550)
    assert cost(usage, "claude-sonnet-4-6") == Decimal("0.054399")


def test_hour_writes_cost_more_than_five_minute_writes() -> None:
    usage = Usage(10, cache_write_1h_tokens=4_000, output_tokens=100)
    assert cost(usage, "claude-haiku-4-5", service_tier="batch") == Decimal("0.004255")


def test_batches_cost_half() -> None:
    usage = Usage(10, cache_read_tokens=4_000, output_tokens=100)
    assert cost(usage, "claude-haiku-4-5", service_tier=ServiceTier.BATCH) == Decimal("0.000455")


def test_septembers_calls_keep_septembers_price() -> None:
    usage = Usage(0, cache_read_tokens=100_000)
    assert cost(usage, "claude-sonnet-5-5", SEPTEMBER) == Decimal("0.02")
    assert cost(usage, "claude-sonnet-5-5", NOVEMBER) == Decimal("0.01")


def test_the_new_price_begins_with_its_day_in_utc() -> None:
    first = datetime(2026, 10, 7, tzinfo=UTC)
    last = first - timedelta(microseconds=1)
    elsewhere = first.astimezone(timezone(timedelta(hours=-7)))  # still the 6th there
    reads = [prices_at("claude-sonnet-5-5", at).cache_read for at in (last, first, elsewhere)]
    assert reads == [Decimal("0.2"), Decimal("0.1"), Decimal("0.1")]


def test_a_batch_before_the_price_change_costs_half_of_the_old_price() -> None:
    usage = Usage(0, cache_read_tokens=100_000)
    assert cost(usage, "claude-sonnet-5-5", SEPTEMBER, service_tier="batch") == Decimal("0.01")


def test_a_prompt_of_100_000_tokens_has_the_base_price_in_every_class() -> None:
    usage = Usage(40_000, 30_000, 20_000, 10_000, 1_000)
    assert cost(usage, "claude-haiku-5-5") == Decimal("0.0093")


def test_one_token_more_makes_the_whole_request_five_times_dearer_output_too() -> None:
    usage = Usage(40_001, 30_000, 20_000, 10_000, 1_000)
    assert cost(usage, "claude-haiku-5-5") == Decimal("0.0465005")
    small, large = (prices_at("claude-haiku-5-5", NOVEMBER, tokens) for tokens in (100_000, 100_001))
    assert large == ClassPrices(
        *(
            5 * p
            for p in (small.input, small.cache_read, small.cache_write_5m, small.cache_write_1h, small.output)
        )
    )


def test_a_batch_of_large_prompts_costs_half_of_the_dearer_price() -> None:
    usage = Usage(100_001, output_tokens=1_000)
    assert cost(usage, "claude-haiku-5-5", service_tier="batch") == Decimal("0.02625025")


def test_inference_in_the_us_costs_a_tenth_more_in_every_class() -> None:
    usage = Usage(40_000, 30_000, 20_000, 10_000, 1_000)
    assert cost(usage, "claude-haiku-5-5", inference_geo="us") == Decimal("0.01023")
    assert cost(usage, "claude-haiku-5-5", inference_geo="us", service_tier="batch") == Decimal("0.005115")


@pytest.mark.parametrize("geo", [None, "", "global", "not_available"])
def test_no_particular_place_costs_nothing_more(geo: str | None) -> None:
    assert cost(Usage(1_000), "claude-haiku-4-5", inference_geo=geo) == Decimal("0.001")


def test_money_is_exact_where_floats_are_not() -> None:
    assert 18_510 * 0.3 / 1e6 + 2 * 15 / 1e6 == 0.005582999999999999
    assert cost(Usage(0, 18_510, output_tokens=2), "claude-sonnet-4-6") == Decimal("0.005583")


@pytest.mark.parametrize(
    "model",
    [
        "claude-haiku-9",
        "gpt-5",
        "",
        "claude-haiku-4-55",
        "claude-haiku-5-5-beta",
        "claude-opus-4-50",
        "haiku",
    ],
)
def test_an_unknown_model_is_refused_by_name_and_never_free(model: str) -> None:
    with pytest.raises(UnknownModel) as refusal:
        price_of(Usage(1), model=model, at=NOVEMBER)
    assert repr(model) in str(refusal.value)


def test_a_retired_model_keeps_its_prices() -> None:
    usage = Usage(1_000, 1_000, 1_000, 1_000, 1_000)
    assert cost(usage, "claude-3-haiku-20240307", SEPTEMBER) == Decimal("0.00233")
    assert cost(usage, "claude-3-haiku-20240307", SEPTEMBER, service_tier="batch") == Decimal("0.001165")


def test_a_dated_model_has_the_price_of_its_name() -> None:
    assert canonical_model("claude-sonnet-4-5-20250929") == "claude-sonnet-4-5"
    assert canonical_model("claude-sonnet-4-20250514") == "claude-sonnet-4"
    assert canonical_model("claude-sonnet-4-0") == "claude-sonnet-4"
    assert cost(Usage(1), "claude-haiku-5-5-20260915") == cost(Usage(1), "claude-haiku-5-5")


def test_a_time_without_a_zone_has_no_price() -> None:
    with pytest.raises(BadInput, match="zone"):
        prices_at("claude-haiku-5-5", datetime(2026, 11, 2))  # noqa: DTZ001


@pytest.mark.parametrize("terms", [{"service_tier": "flex"}, {"inference_geo": "mars"}])
def test_terms_without_a_known_price_are_refused(terms: dict[str, Any]) -> None:
    with pytest.raises(BadInput, match=r"flex|mars"):
        cost(Usage(1), "claude-haiku-5-5", **terms)


@pytest.mark.parametrize("model", PUBLISHED)
def test_prices_and_minimum_are_the_published_ones(model: str) -> None:
    price_input, output, write_5m, write_1h, read, minimum = PUBLISHED[model]
    expected = ClassPrices(*map(Decimal, (price_input, read, write_5m, write_1h, output)))
    assert prices_at(model, NOVEMBER) == expected
    assert minimum_prefix_tokens(model) == minimum
    assert minimum_prefix_tokens("claude-fable-5") == 4096  # not documented: the largest


@pytest.mark.parametrize("model", known_models())
@pytest.mark.parametrize("tier", ["standard", "batch"])
@pytest.mark.parametrize("usage", [Usage(11, 2_003, 301, 409, 57), Usage(90_001, 4_000, 3_000, 3_000, 57)])
def test_genai_prices_and_we_agree_where_both_speak(model: str, tier: str, usage: Usage) -> None:
    """Since 2026-10-14 it knows batches of active models; for the others the standard price is compared."""
    ours = cost(usage, model, service_tier=tier)
    if tier == "batch" and not _genai_knows_batches_of(model):
        ours *= 2
    assert ours == _genai_cost(usage, model, tier, NOVEMBER)


@pytest.mark.parametrize("tier", ["standard", "batch"])
def test_genai_prices_is_still_wrong_where_we_override_it(tier: str) -> None:
    """When this fails, it has learned the old price or the early batches: drop what prices.yaml says."""
    read = Usage(0, 100_000)
    assert _genai_cost(read, "claude-sonnet-5-5", tier, SEPTEMBER) == Decimal("0.01")
    assert _genai_cost(Usage(1_000_000), "claude-haiku-4-5", tier, SEPTEMBER) == 1


def test_every_override_says_what_it_overrides_since_when_and_why() -> None:
    facts = yaml.safe_load(Path(pricing.__file__).with_name("prices.yaml").read_text())
    overrides = [(model, o) for model, own in facts["models"].items() for o in own.get("overrides", ())]
    assert overrides
    for model, override in overrides:
        assert override["source"].startswith("https://")
        assert override["noted"]
        day = datetime.combine(override["until"], datetime.min.time(), UTC) - timedelta(days=1)
        named = {"cache_read": Usage(0, 1_000_000)}[override["class"]]
        assert _genai_cost(named, model, "standard", day) == Decimal(override["genai_prices_says"])
        assert cost(named, model, day) == Decimal(override["price"])


def _genai_cost(usage: Usage, model: str, tier: str, at: datetime) -> Decimal:
    reported = genai_prices.Usage(
        input_tokens=usage.total_input_tokens,
        cache_read_tokens=usage.cache_read_tokens,
        cache_write_tokens=usage.cache_write_5m_tokens + usage.cache_write_1h_tokens,
        cache_write_1h_tokens=usage.cache_write_1h_tokens,
        output_tokens=usage.output_tokens,
    )
    return genai_prices.calc_price(
        reported,
        model,
        provider_id="anthropic",
        genai_request_timestamp=at,
        price_context={"processing": tier},
    ).total_price


def _genai_knows_batches_of(model: str) -> bool:
    usage = Usage(1_000)
    return _genai_cost(usage, model, "batch", NOVEMBER) != _genai_cost(usage, model, "standard", NOVEMBER)


def test_genai_prices_knows_batches_of_every_model_we_use() -> None:
    active = [model for model in PUBLISHED if not model.startswith("claude-3-")]
    assert all(_genai_knows_batches_of(model) for model in active)


small = st.integers(0, 20_000)


@given(
    st.sampled_from(sorted(PUBLISHED)),
    st.builds(Usage, small, small, small, small, small),
    st.sampled_from(["standard", "batch"]),
    st.sampled_from([None, "us"]),
)
@settings(derandomize=True, deadline=None)
def test_any_cost_is_the_restated_arithmetic_and_nothing_is_ever_rounded(
    model: str, usage: Usage, tier: str, geo: str | None
) -> None:
    expected = by_published_prices(usage, model)
    expected = expected / 2 if tier == "batch" else expected
    expected = expected * 11 / 10 if geo == "us" else expected
    with localcontext() as exactly:
        exactly.traps[Inexact] = True
        actual = cost(usage, model, service_tier=tier, inference_geo=geo)
        assert actual == expected == actual.quantize(Decimal("1e-12"))


def test_a_five_minute_write_pays_from_the_second_use_and_an_hour_write_from_the_third() -> None:
    for model in PUBLISHED:
        assert (break_even_uses(model, NOVEMBER), break_even_uses(model, NOVEMBER, "1h")) == (2, 3)


@pytest.mark.parametrize("ttl", ["5m", "1h"])
@pytest.mark.parametrize("model", PUBLISHED)
def test_break_even_is_where_caching_becomes_cheaper(model: str, ttl: pricing.CacheTtl) -> None:
    prices = prices_at(model, NOVEMBER)
    write = prices.cache_write_5m if ttl == "5m" else prices.cache_write_1h
    cheaper = [u for u in range(1, 10) if write + (u - 1) * prices.cache_read < u * prices.input]
    assert cheaper[0] == break_even_uses(model, NOVEMBER, ttl)


def test_the_price_version_names_both_sources() -> None:
    assert price_of(Usage(1), model="claude-haiku-5-5", at=NOVEMBER).price_version == price_version()
    assert f"genai-prices {version('genai-prices')}, prices.yaml " in price_version()


def test_a_snapshot_that_someone_else_updated_does_not_change_our_prices() -> None:
    from genai_prices.data_snapshot import DataSnapshot, set_custom_snapshot

    set_custom_snapshot(DataSnapshot(providers=[], from_auto_update=True))
    try:
        pricing._prices_by_size.cache_clear()
        assert cost(Usage(1_000_000), "claude-haiku-4-5") == 1
    finally:
        set_custom_snapshot(None)


def test_a_price_too_fine_for_the_ledger_stops_the_books() -> None:
    with pytest.raises(BooksDisagree, match="finer"):
        pricing._exact(Decimal("0.0000001"), "claude-haiku-5-5")


@pytest.mark.parametrize(
    ("asked", "answered", "same"),
    [
        ("claude-haiku-5-5", "claude-haiku-5-5", True),
        ("claude-sonnet-4-0", "claude-sonnet-4-20250514", True),
        ("claude-sonnet-5", "claude-sonnet-5-5", False),
        ("claude-haiku-5-5", "claude-haiku-4-5", False),
        ("claude-haiku-5-5", "claude-haiku-5-5-imaginary", False),
        ("claude-haiku-5-5", "", False),
    ],
)
def test_a_model_is_the_one_that_was_asked_under_any_of_its_own_names_only(
    asked: str, answered: str, same: bool
) -> None:
    assert same_model(asked, answered) is same
