"""Ledgers that a season might leave behind, made by chance, and added up row by row."""

import random
from collections import defaultdict
from collections.abc import Iterable
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

from core.pricing import price_of, uncached_cost
from core.usage import Usage
from tests.integration.stored_rows import INPUT_CLASSES, TOKENS, ledger_row


def random_call(dice: random.Random, number: int, begins: datetime, seconds: int) -> list[dict[str, Any]]:
    """One call of one to three attempts, minutes to hours apart, so that some straddle a midnight."""
    moment = begins + timedelta(seconds=dice.randrange(seconds))
    attempts = []
    for retry in range(dice.choice((1, 1, 1, 2, 3))):
        row = ledger_row(
            number * 10 + retry,
            call_id=f"call-{number}",
            occurred_at=moment,
            coach_id=f"coach-{dice.randrange(8)}",
            player_id=f"player-{dice.randrange(12)}",
            operation=dice.choice(("parent_summary", "parent_summary", "screen")),
            model=dice.choice(("claude-haiku-5-5", "claude-sonnet-5-5", "claude-sonnet-4-5-20250929")),
            service_tier=dice.choice(("standard", "standard", "batch")),
            inference_geo=dice.choice((None, "global", "us")),
            outcome=dice.choice(
                ("succeeded", "succeeded", "unusable", "refused", "rejected", "sent", "lost", "adjustment")
            ),
        )
        attempts.append(row | random_figures(dice, row))
        moment += timedelta(minutes=dice.choice((1, 30, 600, 2000)))
    return attempts


def random_figures(dice: random.Random, row: dict[str, Any]) -> dict[str, Any]:
    """Tokens and money as the outcome has them; prompts on both sides of the bounds where prices change."""
    if row["outcome"] == "adjustment":
        return dict.fromkeys(TOKENS, 0) | {"cost_usd": Decimal("-0.000000000007"), "cache_hit_rate": None}
    if row["outcome"] in {"rejected", "sent", "lost"}:
        cost_usd = Decimal(0) if row["outcome"] == "rejected" else None
        return dict.fromkeys(TOKENS, 0) | {"cost_usd": cost_usd, "cache_hit_rate": None}
    read = dice.choice((0, 4_321, 99_999, 100_000, 199_999, 200_000))
    usage = Usage(dice.choice((0, 1)), read, dice.choice((0, 77)), dice.choice((0, 31)), dice.randrange(300))
    price = price_of(
        usage,
        model=row["model"],
        at=row["occurred_at"],
        service_tier=row["service_tier"],
        inference_geo=row["inference_geo"],
    )
    refused_before_output = row["outcome"] == "refused" and dice.random() < 0.5
    return {name: getattr(usage, name) for name in TOKENS} | {
        "cost_usd": Decimal(0) if refused_before_output else price.cost_usd,
        "cache_hit_rate": usage.cache_hit_rate if usage.total_input_tokens else None,
    }


def local_day(row: dict[str, Any], zone: ZoneInfo) -> date:
    day: date = row["occurred_at"].astimezone(zone).date()
    return day


def money(row: dict[str, Any]) -> Decimal:
    booked: Decimal = row["estimated_cost_usd"] if row["cost_usd"] is None else row["cost_usd"]
    return booked


def saved(row: dict[str, Any]) -> Decimal:
    """What caching saved on one row, by itself: full price live, less what was paid."""
    if row["outcome"] not in {"succeeded", "unusable", "refused"} or not row["cost_usd"]:
        return Decimal(0)
    full = uncached_cost(
        Usage(*(row[name] for name in TOKENS)),
        model=row["model"],
        at=row["occurred_at"],
        inference_geo=row["inference_geo"],
    )
    paid: Decimal = row["cost_usd"]
    return full - paid


def restated(rows: Iterable[dict[str, Any]], first_attempts: set[str]) -> dict[str, Any]:
    """The sums of rows, row by row."""
    rows = list(rows)
    sums: dict[str, Any] = {name: sum(row[name] for row in rows) for name in TOKENS}
    return sums | {
        "total_input_tokens": sum(row[name] for row in rows for name in INPUT_CLASSES),
        "calls": sum(row["attempt_id"] in first_attempts for row in rows),
        "attempts": sum(row["outcome"] != "adjustment" for row in rows),
        "total_cost_usd": sum(map(money, rows), Decimal(0)),
        "saved_usd": sum(map(saved, rows), Decimal(0)),
    }


def first_attempts_of(rows: Iterable[dict[str, Any]]) -> set[str]:
    """The first attempt of every call, whenever it was."""
    calls: defaultdict[str, list[tuple[datetime, str]]] = defaultdict(list)
    for row in rows:
        if row["outcome"] != "adjustment":
            calls[row["call_id"]].append((row["occurred_at"], row["attempt_id"]))
    return {min(attempts)[1] for attempts in calls.values()}
