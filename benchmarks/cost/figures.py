"""A contender's row: from the emulator's meter, held against what the contender tells of itself."""

from collections.abc import Sequence
from datetime import UTC, datetime
from decimal import Decimal

from benchmarks.cost.asked import MODEL, Asked, floor_usd
from benchmarks.cost.job import Job, Told
from benchmarks.cost.meter import Meter
from benchmarks.cost.rows import LANE, PER_1000_STEP, Row
from benchmarks.cost.suite import SAME_PROMPTS, Workload
from core.bill import plain_money
from core.errors import BooksDisagree

PER_MINUTE = {"build": {"requests": 5_000, "input": 5_000_000, "output": 1_000_000}}
BURST_SECONDS = 1
FLOOR_WITHIN = Decimal("0.001")  # lengths that no marker tells are estimated in a run's own floor
FIRST_BYTE_SECONDS, OUTPUT_TOKEN_SECONDS = 1.177, 0.0044


def check(workload: Workload, job: Job, told: Told, meter: Meter, asked: Sequence[Asked]) -> None:
    """Hold what was told against the meter. Raises BooksDisagree where they differ."""
    contender = job.contender
    if told.bills and told.total_usd("billed") != meter.cost_usd:
        raise BooksDisagree(
            f"{workload.name}, {contender}: {told.total_usd('billed')} reported, {meter.cost_usd} metered"
        )
    if told.summaries != len(asked):
        raise BooksDisagree(f"{workload.name}, {contender}: {told.summaries} of {len(asked)} summaries")
    if contender == "touchline-single" and meter.calls == len(asked):  # the calls that all could have made
        floor, reported = floor_usd(asked, meter, datetime.now(UTC)), told.total_usd("billed", "floor_usd")
        if abs(reported / floor - 1) > FLOOR_WITHIN:
            raise BooksDisagree(f"{workload.name}: a floor of {reported} reported, {floor} by the prompts")


def row_of(
    workload: Workload, job: Job, told: Told, meter: Meter, asked: Sequence[Asked], naive: Row | None
) -> Row:
    per_1000 = (meter.cost_usd * 1000 / told.summaries).quantize(PER_1000_STEP)
    naive_usd = meter.cost_usd if job.contender == "naive" else naive and Decimal(naive.cost_usd)
    predicted = told.total_usd("predicted_given_answers") if told.bills else None
    return Row(
        workload=workload.name,
        prompts=job.prompts,
        lane=LANE,
        contender=job.contender,
        model=MODEL,
        calls=meter.calls,
        cost_usd=plain_money(meter.cost_usd),
        usd_per_1000_summaries=plain_money(per_1000),
        percent_of_naive=round(float(100 * meter.cost_usd / naive_usd), 3) if naive_usd else None,
        efficiency=_efficiency(workload, job.contender, told, meter, asked),
        predicted_cost_usd=None if predicted is None else plain_money(predicted),
        hit_rate=round(meter.hit_rate, 6),
        wall_seconds=round(told.wall_seconds, 3),
        bound_seconds=_bound_seconds(workload, meter),
        cpu_ms_per_call=round(1000 * told.cpu_seconds / meter.calls, 3),
        peak_memory_mb=round(told.peak_memory_mb, 1),
    )


def _efficiency(
    workload: Workload, contender: str, told: Told, meter: Meter, asked: Sequence[Asked]
) -> float | None:
    """Return floor / cost: Touchline's by its own report, the others' by the prompts that all share."""
    if told.bills:
        floor = told.total_usd("billed", "floor_usd")
    elif contender in SAME_PROMPTS and not workload.insights_a_day:
        floor = floor_usd(asked, meter, datetime.now(UTC))
    else:
        return None
    return round(float(floor / meter.cost_usd), 6)


def _bound_seconds(workload: Workload, meter: Meter) -> float | None:
    """Return how long these calls take whoever makes them: the slowest bucket, and a last answer."""
    limits = PER_MINUTE.get(workload.tier)
    if limits is None:
        return None
    output_tokens = meter.tokens["output_tokens"]
    drawn = {"requests": meter.calls, "input": meter.uncached_tokens, "output": output_tokens}
    filled = max(60 * drawn[name] / limits[name] for name in limits) - BURST_SECONDS
    return round(filled + FIRST_BYTE_SECONDS + OUTPUT_TOKEN_SECONDS * output_tokens / meter.calls, 3)
