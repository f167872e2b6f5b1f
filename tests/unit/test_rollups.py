"""What a rollup knows beside the ledger: where local days cut UTC days, prices as whole numbers, words."""

import random
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest

from core.errors import BadInput
from core.local_days import stretches, utc_midnight
from core.pricing import known_models, price_of, prompt_size_bounds, uncached_cost
from core.quality import CheckOutcome, QualityReport
from core.rollups import PricedAlike, RollupRefused, RollupReport, check_asked, days_in_words, price_rows
from core.states import CheckResult
from core.usage import Usage

ZONES = [
    ZoneInfo(name)
    for name in (
        "UTC",
        "Europe/Dublin",
        "Asia/Kolkata",
        "Pacific/Auckland",
        "America/St_Johns",
        "Pacific/Apia",
        "Asia/Kathmandu",
        "Pacific/Kiritimati",
        "America/Havana",  # its clocks change at midnight
    )
]
DAYS = [date(2026, 1, 1) + timedelta(days=n) for n in range(365)]


@pytest.mark.parametrize("zone", ZONES, ids=lambda zone: zone.key)
def test_the_stretches_of_a_utc_day_fill_it_without_gap_or_overlap(zone: ZoneInfo) -> None:
    found = list(stretches(DAYS, [zone]))
    assert found[0].begins_at == utc_midnight(DAYS[0])
    assert found[-1].ends_at == utc_midnight(DAYS[-1] + timedelta(days=1))
    for before, after in pairwise(found):
        assert before.begins_at < before.ends_at == after.begins_at
        assert (before.utc_day, before.local_day) < (after.utc_day, after.local_day)
        assert before.begins_at.date() == before.utc_day


@pytest.mark.parametrize("zone", ZONES, ids=lambda zone: zone.key)
def test_every_moment_lies_in_the_stretch_of_its_local_day(zone: ZoneInfo) -> None:
    seed = random.randrange(10**6)
    print(f"seed {seed}")
    dice = random.Random(seed)
    found = list(stretches(DAYS, [zone]))
    for stretch in found:
        seconds = int((stretch.ends_at - stretch.begins_at).total_seconds())
        for moment in (stretch.begins_at, stretch.begins_at + timedelta(seconds=dice.randrange(seconds))):
            assert moment.astimezone(zone).date() == stretch.local_day


def test_a_local_day_that_never_was_has_no_stretch() -> None:
    """Samoa went from the 29th of December 2011 to the 31st."""
    apia = ZoneInfo("Pacific/Apia")
    local = {one.local_day for one in stretches([date(2011, 12, day) for day in (29, 30, 31)], [apia])}
    assert date(2011, 12, 30) not in local
    assert {date(2011, 12, 29), date(2011, 12, 31)} <= local


@pytest.mark.parametrize("tier", ["standard", "batch"])
@pytest.mark.parametrize("model", known_models())
def test_prices_in_picodollars_restate_the_price_of_every_size_of_prompt(model: str, tier: str) -> None:
    day = date(2026, 3, 2)
    at = datetime(2026, 3, 2, 12, tzinfo=UTC)
    rows = list(price_rows([PricedAlike(day, model, tier, "us")]))
    assert [row["tokens_over"] for row in rows[1:]] == [row["tokens_to"] for row in rows[:-1]]
    for total in {0, 5_000, *prompt_size_bounds(), *(bound + 1 for bound in prompt_size_bounds())}:
        usage = Usage(total - total // 2 - 2 * (total // 10), total // 2, total // 10, total // 10, 140)
        (row,) = (row for row in rows if row["tokens_over"] < total <= row["tokens_to"])
        own = (
            usage.input_tokens * row["input"]
            + usage.cache_read_tokens * row["cache_read"]
            + usage.cache_write_5m_tokens * row["cache_write_5m"]
            + usage.cache_write_1h_tokens * row["cache_write_1h"]
            + usage.output_tokens * row["output"]
        )
        live = usage.total_input_tokens * row["live_input"] + usage.output_tokens * row["live_output"]
        price = price_of(usage, model=model, at=at, service_tier=tier, inference_geo="us")
        assert Decimal(own).scaleb(-12) == price.cost_usd
        assert Decimal(live).scaleb(-12) == uncached_cost(usage, model=model, at=at, inference_geo="us")


@pytest.mark.parametrize(
    "alike",
    [
        PricedAlike(date(2026, 3, 2), "claude-nobody-knows", "standard", "global"),
        PricedAlike(date(2026, 3, 2), "claude-haiku-5-5", "free", "global"),
        PricedAlike(date(2026, 3, 2), "claude-haiku-5-5", "standard", "the moon"),
    ],
)
def test_what_no_list_has_a_price_for_gets_none(alike: PricedAlike) -> None:
    assert list(price_rows([alike])) == []


def test_days_are_told_as_ranges() -> None:
    days = [date(2026, 3, 9), date(2026, 3, 1), date(2026, 3, 2), date(2026, 2, 28)]
    assert days_in_words(days) == "2026-02-28 to 2026-03-02, 2026-03-09"
    assert days_in_words([]) == ""


def test_a_report_says_what_was_published_and_a_refusal_what_to_do() -> None:
    day = date(2026, 3, 2)
    good = CheckOutcome("good", "staged_x", critical=True, result=CheckResult.PASSED)
    bad = CheckOutcome("bad", "staged_x", critical=True, result=CheckResult.FAILED, failing=1)
    published = RollupReport("run", (day,), 1200, QualityReport((good,)), published=True)
    assert published.sentence() == "1 day (2026-03-02) published, 1,200 rows; 1 checks passed"
    assert published.to_json() == {
        "run_id": "run",
        "days": ["2026-03-02"],
        "rows": 1200,
        "checks": {"passed": 1, "failed": 0, "warned": 0},
        "published": True,
    }
    refused = RollupRefused(RollupReport("run", (day,), checks=QualityReport((good, bad))))
    assert "1 of the checks failed" in str(refused)
    assert "touchline rollup" in str(refused)
    assert "No day is marked" in RollupReport("run").sentence()


def test_days_and_a_rebuild_exclude_each_other() -> None:
    check_asked([date(2026, 3, 2)], rebuild=False)
    check_asked(None, rebuild=True)
    with pytest.raises(BadInput, match="not both"):
        check_asked([date(2026, 3, 2)], rebuild=True)


@pytest.mark.parametrize("day", [date(1, 1, 1), date(1999, 12, 31), date(2200, 1, 1), date(9999, 12, 31)])
def test_a_day_that_no_ledger_has_is_refused(day: date) -> None:
    with pytest.raises(BadInput, match="no day of a ledger"):
        check_asked([date(2026, 3, 2), day], rebuild=False)
