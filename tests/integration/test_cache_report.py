"""The cache report from stored rows: prefixes by the API's own counts, runs as far as they are known."""

from collections.abc import Sequence
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import pytest

from core.errors import BadInput
from core.measured import text_key
from core.pricing import minimum_prefix_tokens, price_of
from core.prompt import PromptTexts, texts_of
from core.states import Tone
from core.usage import Usage
from models import tables
from tasks.analytics import cache_report, org_usage, platform_usage
from tests.integration.stored_rows import AT, Rows

MODEL = "claude-haiku-5-5"
MARCH = date(2026, 3, 1), date(2026, 4, 1)
INSTRUCTIONS, SPORT, TONE, FRAME = 1_800, 3_000, 150, 50
FRONT = INSTRUCTIONS + SPORT + TONE + FRAME


def keep_prompt(rows: Rows, *, counted: int = 1) -> PromptTexts:
    """The current texts of hurling, as a run keeps them, with the API's counts divided by `counted`."""
    texts = texts_of("hurling", Tone.WARM)
    kept = {name: getattr(texts, name) for name in PromptTexts.__dataclass_fields__}
    rows.insert(tables.Prompt, kept | {"first_used_at": AT})
    lengths = [
        (text_key(texts.instructions), INSTRUCTIONS),
        (text_key(texts.sport_sheet), SPORT),
        (text_key(texts.tone_text), TONE),
        (f"frame:one:{text_key(texts.answer_schema)}", FRAME),
        (f"frame:pack:{text_key(texts.answer_schema)}", FRAME + 30),
    ]
    counts = [
        {"model": MODEL, "text_key": key, "tokens": tokens // counted, "counted_at": AT}
        for key, tokens in lengths
    ]
    rows.insert(tables.TokenCount, *counts)
    return texts


def answers(rows: Rows, usages: Sequence[Usage], run: str, version: str, **values: Any) -> Decimal:
    """Attempts a minute apart, priced by the list; gives what they cost."""
    cost_usd = Decimal(0)
    for number, usage in enumerate(usages):
        at = AT + timedelta(minutes=number)
        price = price_of(usage, model=values.get("model", MODEL), at=at)
        cost_usd += price.cost_usd
        tokens = {
            name: getattr(usage, name) for name in Usage.__dataclass_fields__ if name != "thinking_tokens"
        }
        rows.attempt(
            occurred_at=at,
            flow_run_id=run,
            prompt_version=version,
            cost_usd=price.cost_usd,
            cache_hit_rate=usage.cache_hit_rate,
            **tokens,
            **values,
        )
    return cost_usd


def writes(plain: int = 300) -> Usage:
    return Usage(plain, 0, FRONT, output_tokens=140)


def reads(plain: int = 300) -> Usage:
    return Usage(plain, FRONT, output_tokens=140)


def misses() -> Usage:
    return Usage(FRONT + 300, output_tokens=140)


def test_prefixes_are_named_measured_and_held_against_their_floor(rows: Rows) -> None:
    texts = keep_prompt(rows)
    good = answers(rows, [writes(), *[reads()] * 9], "good", texts.version)
    bad = answers(rows, [misses()] * 10, "bad", texts.version)
    report = cache_report(rows.engine, *MARCH)
    (row,) = report["by_prefix"]
    assert (row["sport"], row["tone"], row["prefix_tokens"], row["counted"]) == (
        "hurling",
        "warm",
        FRONT,
        True,
    )
    assert (row["runs"], row["requests"], Decimal(row["cost_usd"])) == (2, 20, good + bad)
    assert Decimal(row["floor_usd"]) == 2 * good
    assert row["efficiency"] == pytest.approx(float(2 * good / (good + bad)), abs=1e-6)
    assert report["cache_hit_rate"] == row["cache_hit_rate"] == pytest.approx(9 / 20 * FRONT / (FRONT + 300))
    assert report["below_minimum"] == []
    assert {run["run_id"]: run["cache_hit_rate"] for run in report["by_run"]} == {
        "good": pytest.approx(0.9 * FRONT / (FRONT + 300), abs=1e-6),
        "bad": 0.0,
    }


def test_a_model_that_is_answered_with_its_date_has_the_counts_of_its_name(rows: Rows) -> None:
    texts = keep_prompt(rows)
    dated = {"model": "claude-haiku-5-5-20260701"}
    answers(rows, [misses()] * 2, "run", texts.version, **dated)
    (row,) = cache_report(rows.engine, *MARCH)["by_prefix"]
    assert (row["prefix_tokens"], row["counted"]) == (FRONT, True)


def test_prompts_that_are_too_short_to_be_cached_are_named(rows: Rows) -> None:
    texts = keep_prompt(rows, counted=20)
    short = FRONT // 20
    assert short < minimum_prefix_tokens(MODEL)
    answers(rows, [Usage(short + 300, output_tokens=140)] * 3, "run", texts.version)
    (row,) = cache_report(rows.engine, *MARCH)["below_minimum"]
    assert (row["sport"], row["requests"]) == ("hurling", 3)
    assert row["prefix_tokens"] < row["minimum_prefix_tokens"]


def test_a_prefix_that_nobody_counted_is_as_long_as_the_cache_has_shown_or_unknown(rows: Rows) -> None:
    answers(rows, [writes(), reads()], "shown", "old version")
    answers(rows, [misses()] * 2, "never cached", "older version")
    rows_of = {row["prompt_version"]: row for row in cache_report(rows.engine, *MARCH)["by_prefix"]}
    shown, unknown = rows_of["old version"], rows_of["older version"]
    assert (shown["prefix_tokens"], shown["counted"], shown["efficiency"]) == (FRONT, False, 1.0)
    assert (unknown["prefix_tokens"], unknown["floor_usd"], unknown["efficiency"]) == (None, None, None)
    assert unknown["unmeasured_requests"] == 2


def test_what_caching_and_batches_saved_is_what_usage_says(rows: Rows) -> None:
    texts = keep_prompt(rows)
    answers(rows, [writes(), *[reads()] * 3, misses()], "run", texts.version)
    rows.attempt(outcome="sent", cost_usd=None)
    report, used = cache_report(rows.engine, *MARCH), platform_usage(rows.engine, *MARCH)
    saved = Decimal(report["caching_saved_usd"]) + Decimal(report["batches_saved_usd"])
    assert saved == Decimal(used["saved_usd"]) > 0
    assert report["requests"] == 5


def test_a_run_of_all_clubs_has_its_figures_for_the_platform_and_for_no_club(rows: Rows) -> None:
    texts = keep_prompt(rows)
    rows.club("other")
    for run, whose in (("of all", None), ("of club", "club")):
        figures = {"run_id": run, "lane": "live", "model": MODEL, "organization_id": whose, "started_at": AT}
        money = {"billed_usd": "0.5", "floor_usd": "0.4", "alone_cached_usd": "0.8", "packed_usd": "0.5"}
        exact = {name: Decimal(usd) for name, usd in money.items()}
        rows.insert(tables.SummaryRun, {**figures, **exact, "efficiency": Decimal("0.8")})
        answers(rows, [writes(), reads()], run, texts.version)
    answers(rows, [reads()], "of all", texts.version, organization_id="other")

    platform = cache_report(rows.engine, *MARCH)
    assert (platform["packs_saved_usd"], platform["packs_known_of_runs"]) == ("0.6", 2)
    club = cache_report(rows.engine, *MARCH, "club")
    assert (club["packs_saved_usd"], club["packs_known_of_runs"], club["packs_unknown_of_runs"]) == (
        "0.3",
        1,
        1,
    )
    told = {run["run_id"]: (run["run_efficiency"], run["requests"]) for run in club["by_run"]}
    assert told == {"of all": (None, 2), "of club": (0.8, 2)}
    assert cache_report(rows.engine, *MARCH, "other")["requests"] == 1
    assert Decimal(club["cost_usd"]) == Decimal(org_usage(rows.engine, "club", *MARCH)["total_cost_usd"])


def test_only_the_newest_runs_are_listed_but_all_are_added_up(rows: Rows) -> None:
    for number in range(4):
        answers(rows, [reads()], f"run {number}", "v1")
    report = cache_report(rows.engine, *MARCH, runs_max=2)
    assert [run["run_id"] for run in report["by_run"]] == ["run 3", "run 2"]
    assert (report["requests"], report["packs_unknown_of_runs"]) == (4, 4)


def test_an_unknown_club_or_no_range_is_refused(rows: Rows) -> None:
    with pytest.raises(BadInput, match="no organization 'nowhere'"):
        cache_report(rows.engine, *MARCH, "nowhere")
    with pytest.raises(BadInput, match="ends before it begins"):
        cache_report(rows.engine, MARCH[1], MARCH[0])
