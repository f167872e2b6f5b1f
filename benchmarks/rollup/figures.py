"""Tokens and money of attempts by the prices of their day: exact as `core.pricing`, but many at once."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from functools import cache

import numpy as np

from benchmarks.rollup.evenings import DAY, MODELS, OUTCOMES, Attempts, Calls
from benchmarks.rollup.league import League, Numbers, Truths
from core.pricing import prices_at, prompt_size_bounds
from core.states import Outcome, ServiceTier
from models.ai_usage_log import TOKEN_CLASSES

ANSWERED = (Outcome.SUCCEEDED, Outcome.UNUSABLE, Outcome.REFUSED)
UNKNOWN = (Outcome.SENT, Outcome.LOST)
LEADER_SHARE, PART_SHARE = 0.02, 0.04  # calls that write the whole front of a prompt, or its last layer
LAST_LAYER_TOKENS = 900
SILENT_SHARE = 0.5  # of refusals: before any output, so they are free
ADJUSTMENT_MAX = 2_000_000_000  # in 1e-12 USD
OUTPUT_EXPECTED = 180


@dataclass(frozen=True, slots=True)
class Figures:
    """Columns of the ledger, by row; money in 1e-12 USD, the rate in millionths."""

    tokens: tuple[Numbers, ...]  # by TOKEN_CLASSES
    cost: Numbers
    estimate: Numbers
    rate: Numbers
    answered: Truths  # otherwise there are no tokens, and no rate
    settled: Truths  # otherwise there is no cost yet


def figures_of(of: League, calls: Calls, attempts: Attempts, dice: np.random.Generator) -> Figures:
    """Return what each attempt used and what it costs."""
    call = attempts.call
    tokens = _tokens(of.team_read_tokens[calls.team[call]], calls.overnight[call], dice)
    answered = _among(attempts, ANSWERED)
    refused = _among(attempts, (Outcome.REFUSED,))
    free = refused & (dice.random(len(call)) < SILENT_SHARE)
    tokens[4][free] = 0
    expected = [*tokens[:4], np.full(len(call), OUTPUT_EXPECTED)]
    prices = _prices(attempts.occurred_at // DAY, calls.model[call], calls.overnight[call])
    estimate = sum((price * count for price, count in zip(prices, expected, strict=True)), np.int64(0))
    used = [np.where(answered, count, 0) for count in tokens]
    cost = sum((price * count for price, count in zip(prices, used, strict=True)), np.int64(0))
    adjusts = _among(attempts, (Outcome.ADJUSTMENT,))
    difference = dice.integers(-ADJUSTMENT_MAX, ADJUSTMENT_MAX, len(call))
    return Figures(
        tokens=tuple(used),
        cost=np.where(adjusts, difference, np.where(free, 0, cost)),
        estimate=np.where(adjusts, 0, estimate),
        rate=_rates(used),
        answered=answered,
        settled=~_among(attempts, UNKNOWN),
    )


def _among(attempts: Attempts, outcomes: tuple[Outcome, ...]) -> Truths:
    return np.isin(attempts.outcome, [OUTCOMES.index(outcome) for outcome in outcomes])


def _tokens(front: Numbers, overnight: Truths, dice: np.random.Generator) -> list[Numbers]:
    """What is billed of a good answer: most calls read the front of their prompt, some write it."""
    rows = len(front)
    place = dice.random(rows)
    written = np.where(place < LEADER_SHARE, front, 0)
    written = np.where(place > 1 - PART_SHARE, LAST_LAYER_TOKENS, written)
    return [
        dice.integers(25, 100, rows, endpoint=True),
        front - written,
        np.where(overnight, 0, written),
        np.where(overnight, written, 0),
        dice.integers(100, 300, rows, endpoint=True),
    ]


def _rates(tokens: list[Numbers]) -> Numbers:
    """The share that was read, rounded half to even as `Usage.cache_hit_rate` does; 0 of nothing."""
    total = np.maximum(tokens[0] + tokens[1] + tokens[2] + tokens[3], 1)
    rate, rest = np.divmod(tokens[1] * 1_000_000, total)
    up = (2 * rest > total) | ((2 * rest == total) & (rate % 2 == 1))
    rounded: Numbers = rate + up
    return rounded


def _prices(day: Numbers, model: Numbers, overnight: Truths) -> list[Numbers]:
    """What one token of each class costs, in 1e-12 USD, row by row."""
    key = (day * len(MODELS) + model) * 2 + overnight
    keys, place = np.unique(key, return_inverse=True)
    table = np.array([_token_prices(*divmod(int(one) // 2, len(MODELS)), int(one) % 2) for one in keys])
    return [table[place, number] for number in range(len(TOKEN_CLASSES))]


@cache
def _token_prices(day: int, model: int, overnight: int) -> tuple[int, ...]:
    """By TOKEN_CLASSES; no prompt here comes near the sizes at which prices change."""
    at = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(days=day)
    tier = ServiceTier.BATCH if overnight else ServiceTier.STANDARD
    prices = prices_at(MODELS[model], at, min(prompt_size_bounds()), tier)
    classes = (prices.input, prices.cache_read, prices.cache_write_5m, prices.cache_write_1h, prices.output)
    return tuple(_whole(price) for price in classes)


def _whole(price: Decimal) -> int:
    """From USD per million tokens to 1e-12 USD per token: never a fraction (`PRICE_STEP`)."""
    whole = int(price.scaleb(6))
    assert whole == price.scaleb(6)
    return whole
