"""Ledger rows as lines for COPY, in the order of recording: late ones among those of the day they came."""

from collections import defaultdict
from collections.abc import Iterable, Iterator
from datetime import date
from functools import cache
from hashlib import md5
from uuid import UUID

import numpy as np

from benchmarks.rollup.evenings import (
    DAY,
    MILLISECOND,
    MINUTE,
    MODELS,
    OPERATIONS,
    OUTCOMES,
    Attempts,
    Calls,
    attempts_of,
    calls_of,
    dice_of,
    schedule,
)
from benchmarks.rollup.figures import Figures, figures_of
from benchmarks.rollup.league import League, Numbers, Truths, club_id, coach_id, player_id, prompt_version
from core.pricing import price_version
from core.states import Lane, Outcome, ServiceTier
from models.ai_usage_log import TOKEN_CLASSES

NULL = r"\N"
COLUMNS = (
    "attempt_id",
    "call_id",
    "occurred_at",
    "recorded_at",
    "organization_id",
    "coach_id",
    "player_id",
    "operation",
    "model",
    "lane",
    "service_tier",
    "inference_geo",
    *TOKEN_CLASSES,
    "thinking_tokens",
    "cost_usd",
    "estimated_cost_usd",
    "price_version",
    "cache_hit_rate",
    "latency_ms",
    "outcome",
    "outcome_reason",
    "request_id",
    "prompt_version",
    "flow_run_id",
    "batch_id",
)
LINE = "\t".join(["%s"] * len(COLUMNS)) + "\n"
REASONS = {
    Outcome.UNUSABLE: "off_schema",
    Outcome.REFUSED: "refusal",
    Outcome.REJECTED: "overloaded_error",
    Outcome.LOST: "timeout",
    Outcome.EXPIRED: "expired",
    Outcome.CANCELED: "canceled",
    Outcome.ADJUSTMENT: "vendor_report",
}
GEOGRAPHIES = ("global", "not_available", "global")  # what each of MODELS answers
RUN_EVERY = 30 * MINUTE
BATCHES_A_NIGHT = 3


def ledger(of: League, rows: int) -> Iterator[str]:
    """Give the lines of so many rows, a day at a time: all that was recorded on it, late rows first."""
    waiting: defaultdict[int, list[str]] = defaultdict(list)
    for day, day_rows in schedule(of, rows):
        today = _recorded(of, day, day_rows, waiting)
        yield "".join(waiting.pop(_number(day), [])) + today
    yield "".join(line for number in sorted(waiting) for line in waiting[number])


def _recorded(of: League, day: date, rows: int, waiting: defaultdict[int, list[str]]) -> str:
    """The lines of a day that were recorded in its night; others go to the days that they wait for."""
    dice = dice_of(day)
    calls = calls_of(of, day, rows, dice)
    attempts = attempts_of(calls, rows, dice)
    lines = _lines(calls, attempts, figures_of(of, calls, attempts, dice), of, dice)
    recorded_on = attempts.recorded_at // DAY
    in_time = int(np.searchsorted(recorded_on, _number(day) + 1, side="right"))
    for number, line in zip(recorded_on[in_time:].tolist(), lines[in_time:], strict=True):
        waiting[number].append(line)
    return "".join(lines[:in_time])


def _lines(
    calls: Calls, attempts: Attempts, figures: Figures, of: League, dice: np.random.Generator
) -> list[str]:
    rows, call = len(attempts.call), attempts.call
    attempt_ids, call_ids = _ids(attempts.occurred_at, dice), _ids(calls.sent_at, dice)
    team, overnight = calls.team[call], calls.overnight[call]
    model, answered = calls.model[call], figures.answered
    columns = (
        attempt_ids,
        [call_ids[number] for number in call.tolist()],
        *(np.datetime_as_string(at.astype("datetime64[us]")).tolist() for at in _times(attempts)),
        [club_id(number) for number in of.team_club[team].tolist()],
        [coach_id(number) for number in team.tolist()],
        [player_id(number) for number in calls.player[call].tolist()],
        _named(OPERATIONS, calls.operation[call]),
        _named(MODELS, model),
        _named((Lane.LIVE, Lane.OVERNIGHT), overnight),
        _named((ServiceTier.STANDARD, ServiceTier.BATCH), overnight),
        _if(answered, _named(GEOGRAPHIES, model)),
        *(count.tolist() for count in figures.tokens),
        ["0"] * rows,
        _if(figures.settled, [f"{cost}e-12" for cost in figures.cost.tolist()]),
        [f"{cost}e-12" for cost in figures.estimate.tolist()],
        [price_version()] * rows,
        _if(answered, [f"{rate}e-6" for rate in figures.rate.tolist()]),
        _if(answered & ~overnight, dice.integers(900, 6_000, rows).tolist()),
        _named(OUTCOMES, attempts.outcome),
        _named([REASONS.get(outcome, NULL) for outcome in OUTCOMES], attempts.outcome),
        _if(answered, [f"req_{one[:8]}{one[24:]}" for one in attempt_ids]),
        [_prompt_version(number) for number in team.tolist()],
        *_runs(attempts.occurred_at, overnight),
    )
    return [LINE % row for row in zip(*columns, strict=True)]


def _times(attempts: Attempts) -> tuple[Numbers, Numbers]:
    return attempts.occurred_at, attempts.recorded_at


def _named(names: tuple[str, ...] | list[str], numbers: Numbers | Truths) -> list[str]:
    return [names[number] for number in numbers.tolist()]


def _if(known: Truths, values: Iterable[object]) -> list[object]:
    return [value if one else NULL for one, value in zip(known.tolist(), values, strict=True)]


def _runs(occurred_at: Numbers, overnight: Truths) -> tuple[list[str], list[str]]:
    """The run of each attempt, one every half hour and one a night, and its batch."""
    slots = np.where(overnight, occurred_at // DAY, occurred_at // RUN_EVERY).tolist()
    runs, batches = [], []
    for at, slot, batched in zip(occurred_at.tolist(), slots, overnight.tolist(), strict=True):
        runs.append(_fixed_uuid("night" if batched else "run", slot))
        batches.append(
            _fixed_uuid("batch", slot * BATCHES_A_NIGHT + at % BATCHES_A_NIGHT) if batched else NULL
        )
    return runs, batches


def _ids(times: Numbers, dice: np.random.Generator) -> list[str]:
    """Ids as `core.identity.time_ordered_id` makes them, each of its time, but many at once."""
    many = len(times)
    octets = np.frombuffer(dice.bytes(16 * many), np.uint8).reshape(many, 16).copy()
    octets[:, :6] = (times // MILLISECOND).astype(">i8").view(np.uint8).reshape(many, 8)[:, 2:]
    octets[:, 6] = octets[:, 6] & 0x0F | 0x70
    octets[:, 8] = octets[:, 8] & 0x3F | 0x80
    digits = octets.tobytes().hex()
    parts = (digits[start : start + 32] for start in range(0, 32 * many, 32))
    return [f"{one[:8]}-{one[8:12]}-{one[12:16]}-{one[16:20]}-{one[20:]}" for one in parts]


@cache
def _fixed_uuid(kind: str, number: int) -> str:
    return str(UUID(bytes=md5(f"{kind} {number}".encode()).digest(), version=4))


@cache
def _prompt_version(team: int) -> str:
    return prompt_version(team)


def _number(day: date) -> int:
    return day.toordinal() - date(1970, 1, 1).toordinal()
