"""Measure one workload: each contender in a process of its own, on a fresh emulator.

The processes of a workload are made together and wait, so that none of their starting is in a measurement.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from subprocess import Popen

from benchmarks.cost import texts
from benchmarks.cost.asked import Asked, read_asked
from benchmarks.cost.figures import check, row_of
from benchmarks.cost.job import Job, Told
from benchmarks.cost.meter import Meter, meter_of
from benchmarks.cost.misses import Misses, misses_of
from benchmarks.cost.rig import (
    Rig,
    asked_of,
    counted_tokens,
    emulators,
    fresh_database,
    loaded_database,
    told_by,
    wait_until_ready,
    waiting_child,
)
from benchmarks.cost.rows import Row, find
from benchmarks.cost.suite import CATEGORY_TOKENS, FIXED_LIFETIMES, OURS, TRICKLE_HOURS, Workload
from benchmarks.cost.workloads import write_workload

USES_A_DATABASE = {*OURS, *FIXED_LIFETIMES}


@dataclass(frozen=True, slots=True)
class Measured:
    """One contender's row, and what is told beside it."""

    row: Row
    foreseen_usd: Decimal | None  # by Touchline before the run, when no answer's length was known
    misses: Misses | None  # where the emulator was told to miss


def measure(workload: Workload, rig: Rig, known: Sequence[Row]) -> Iterator[Measured]:
    """Measure one contender after another; `known` has the rows of other workloads."""
    for prompts in workload.prompts:
        texts.use(prompts)
        season = rig.place("season")
        write_workload(season, workload.size, prompts)
        asked = read_asked(season, datetime.now(UTC).date())
        naive = find(known, workload.same_insights_as or workload.name, "naive", prompts)
        record = str(rig.place("requests")) if workload.records else None
        with ExitStack() as stack:
            waiting = _waiting(workload, rig, season, stack)
            for contender, process in waiting.items():
                job = _job(workload, contender, prompts, season, record)
                told, meter, misses = _run(workload, job, process, asked[0])
                check(workload, job, told, meter, asked)
                row = row_of(workload, job, told, meter, asked, naive)
                naive = row if contender == "naive" else naive
                yield Measured(row, told.total_usd("predicted") if told.bills else None, misses)


def _waiting(workload: Workload, rig: Rig, season: Path, stack: ExitStack) -> Mapping[str, "Popen[str]"]:
    """Make a process for each contender, those of Touchline with a database of their own, until all wait."""
    template = None
    if USES_A_DATABASE & set(workload.contenders):
        loaded = None if workload.insights_a_day else season
        template = stack.enter_context(loaded_database(rig, loaded))
    processes = {}
    for contender in workload.contenders:
        settings = _settings(workload, contender)
        if template and contender in USES_A_DATABASE:
            settings["DATABASE_URL"] = stack.enter_context(fresh_database(rig, template))
        by_the_clock = workload.insights_a_day and contender != "naive"
        child = waiting_child("trickle" if by_the_clock else contender, rig.place(contender), settings)
        processes[contender] = stack.enter_context(child)
    for process in processes.values():
        wait_until_ready(process)
    return processes


def _job(workload: Workload, contender: str, prompts: str, season: Path, record: str | None) -> Job:
    return Job(
        contender=contender,
        prompts=prompts,
        season=str(season),
        base_urls=(),
        record=record,
        follows_emulator=workload.speed != 1,
        insights_a_day=workload.insights_a_day,
        minutes_between_runs=workload.minutes_between_runs,
        hours=TRICKLE_HOURS if workload.insights_a_day else 0,
    )


def _run(
    workload: Workload, job: Job, process: "Popen[str]", one: Asked
) -> tuple[Told, Meter, Misses | None]:
    """Run a contender, and read the meter; `one` of the prompts tells what its output format adds."""
    options = [workload.emulator_options(job.prompts)]
    if job.contender == "lean-two-calls":
        options.append(workload.emulator_options(job.prompts, CATEGORY_TOKENS))
    with emulators(options) as urls:
        told = told_by(process, replace(job, base_urls=urls))
        added = counted_tokens(urls[0], one.body(())) - one.tokens
        meter = meter_of([asked_of(url, "meter") for url in urls], added)
        return told, meter, misses_of(urls[0], told) if workload.miss_share else None


def _settings(workload: Workload, contender: str) -> dict[str, str]:
    """Return the settings of Touchline that a workload or a contender asks for."""
    settings = {}
    if workload.concurrency:
        settings["TOUCHLINE_CONCURRENCY"] = str(workload.concurrency)
    if lifetime := FIXED_LIFETIMES.get(contender):
        settings["TOUCHLINE_CACHE_LIFETIME"] = lifetime
    return settings
