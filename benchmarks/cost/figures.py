"""A contender's row: from the emulator's meter, held against what the contender tells of itself."""

from collections.abc import Sequence
from datetime import UTC, datetime
from decimal import Decimal

from benchmarks.cost.asked import MODEL, Asked, floor_usd
from benchmarks.cost.job import Job, Told
from benchmarks.cost.meter import Meter
from benchmarks.cost.rows import PER_1000_STEP, Row
from benchmarks.cost.suite import BATCHES, SAME_PROMPTS, Workload
from core.bill import plain_money
from core.calls import service_tier_of
from core.errors import BooksDisagree
from core.states import Lane

PER_MINUTE = {"build": {"requests": 5_000, "input": 5_000_000, "output": 1_000_000}}
BURST_SECONDS = 1
FLOOR_WITHIN = Decimal("0.001")  # lengths that no marker tells are estimated in a run's own floor
NAIVE_WITHIN = Decimal("0.001")  # players grow older, and a naive bill may be of another day
FIRST_BYTE_SECONDS, OUTPUT_TOKEN_SECONDS = 1.177, 0.0044


def check(
    workload: Workload, job: Job, told: Told, meter: Meter, asked: Sequence[Asked], naive: Row | None
) -> None:
    """Hold what was told against the meter. Raises BooksDisagree where they differ."""
    contender, about = job.contender, f"{workload.name}, {job.lane}, {job.contender}"
    if told.bills and told.total_usd("billed") != meter.cost_usd:
        raise BooksDisagree(f"{about}: {told.total_usd('billed')} reported, {meter.cost_usd} metered")
    if told.summaries != len(asked):
        raise BooksDisagree(f"{about}: {told.summaries} of {len(asked)} summaries")
    if contender == "touchline-single" and meter.calls == len(asked):  # the calls that all could have made
        floor, reported = _floor_usd(job, asked, meter), told.total_usd("billed", "floor_usd")
        if abs(reported / floor - 1) > FLOOR_WITHIN:
            raise BooksDisagree(f"{about}: a floor of {reported} reported, {floor} by the prompts")
    if contender == "batch-naive" and naive:  # a bill on file may be of other prompts
        half = Decimal(naive.cost_usd) / 2
        if abs(meter.cost_usd / half - 1) > NAIVE_WITHIN:
            raise BooksDisagree(f"{about}: {meter.cost_usd}, half of naive is {half}; measure naive anew")


def row_of(
    workload: Workload, job: Job, told: Told, meter: Meter, asked: Sequence[Asked], naive: Row | None
) -> Row:
    per_1000 = (meter.cost_usd * 1000 / told.summaries).quantize(PER_1000_STEP)
    naive_usd = meter.cost_usd if job.contender == "naive" else naive and Decimal(naive.cost_usd)
    predicted = told.total_usd("predicted_given_answers") if told.bills else None
    return Row(
        workload=workload.name,
        prompts=job.prompts,
        lane=job.lane,
        contender=job.contender,
        model=MODEL,
        calls=meter.calls,
        cost_usd=plain_money(meter.cost_usd),
        usd_per_1000_summaries=plain_money(per_1000),
        percent_of_naive=round(float(100 * meter.cost_usd / naive_usd), 3) if naive_usd else None,
        efficiency=_efficiency(workload, job, told, meter, asked),
        predicted_cost_usd=None if predicted is None else plain_money(predicted),
        hit_rate=round(meter.hit_rate, 6),
        wall_seconds=round(told.wall_seconds, 3),
        bound_seconds=_bound_seconds(workload, meter),
        cpu_ms_per_call=round(1000 * told.cpu_seconds / meter.calls, 3),
        peak_memory_mb=round(told.peak_memory_mb, 1),
    )


def _efficiency(
    workload: Workload, job: Job, told: Told, meter: Meter, asked: Sequence[Asked]
) -> float | None:
    """Return floor / cost: Touchline's by its own report, the others' by the prompts that all share."""
    if told.bills:
        floor = told.total_usd("billed", "floor_usd")
    elif job.contender in (*SAME_PROMPTS, *BATCHES) and not workload.insights_a_day:
        floor = _floor_usd(job, asked, meter)
    else:
        return None
    return round(float(floor / meter.cost_usd), 6)


def _floor_usd(job: Job, asked: Sequence[Asked], meter: Meter) -> Decimal:
    return floor_usd(asked, meter, datetime.now(UTC), service_tier_of(Lane(job.lane)))


def _bound_seconds(workload: Workload, meter: Meter) -> float | None:
    """Return how long these calls take whoever makes them: the slowest bucket, and a last answer."""
    limits = PER_MINUTE.get(workload.tier)
    if limits is None:
        return None
    output_tokens = meter.tokens["output_tokens"]
    drawn = {"requests": meter.calls, "input": meter.uncached_tokens, "output": output_tokens}
    filled = max(60 * drawn[name] / limits[name] for name in limits) - BURST_SECONDS
    return round(filled + FIRST_BYTE_SECONDS + OUTPUT_TOKEN_SECONDS * output_tokens / meter.calls, 3)
