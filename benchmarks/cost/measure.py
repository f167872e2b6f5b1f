"""Measure one workload: each contender in a process of its own, on a fresh emulator.

The processes of a workload are made together and wait, so that none of their starting is in a measurement.
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from subprocess import Popen
from typing import Any

from benchmarks.cost import texts
from benchmarks.cost.asked import Asked, read_asked
from benchmarks.cost.figures import check, row_of
from benchmarks.cost.job import Job, Told
from benchmarks.cost.meter import Meter, meter_of
from benchmarks.cost.misses import Misses, misses_of
from benchmarks.cost.rig import (
    Rig,
    asked_of,
    choose_lane,
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
from core.states import Lane

USES_A_DATABASE = {*OURS, *FIXED_LIFETIMES}
NAIVE = (Lane.LIVE, "naive")

Entrant = tuple[Lane, str]  # a contender


@dataclass(frozen=True, slots=True)
class Measured:
    """One contender's row, and what is told beside it."""

    row: Row
    foreseen_usd: Decimal | None  # by Touchline before the run, when no answer's length was known
    misses: Misses | None  # where the emulator was told to miss
    summaries: int
    steps: Sequence[Mapping[str, Any]]  # of Touchline's waterfall


def measure(
    workload: Workload, lanes: Collection[Lane], rig: Rig, known: Sequence[Row]
) -> Iterator[Measured]:
    """Measure one contender after another; `known` has the rows of other workloads and of earlier runs."""
    for prompts in workload.prompts:
        naive = find(known, workload.same_insights_as or workload.name, "naive", prompts)
        entrants = _entrants(workload, lanes, naive)
        if not entrants:
            continue
        texts.use(prompts)
        season = rig.place("season")
        write_workload(season, workload.size, prompts)
        asked = read_asked(season, datetime.now(UTC).date())
        record = str(rig.place("requests")) if workload.records else None
        with ExitStack() as stack:
            waiting = _waiting(workload, entrants, rig, season, stack)
            for entrant, process in waiting.items():
                job = _job(workload, entrant, prompts, season, record)
                told, meter, misses = _run(workload, job, process, asked[0])
                check(workload, job, told, meter, asked, naive)
                row = row_of(workload, job, told, meter, asked, naive)
                naive = row if entrant == NAIVE else naive
                foreseen = told.total_usd("predicted") if told.bills else None
                yield Measured(row, foreseen, misses, told.summaries, told.steps)


def _entrants(workload: Workload, lanes: Collection[Lane], naive: Row | None) -> list[Entrant]:
    """Return who is to be measured: naive as well when the others are held against it and it is not known."""
    chosen = [(lane, name) for lane in Lane if lane in lanes for name in workload.contenders_of(lane)]
    missing = chosen and naive is None and NAIVE not in chosen and workload.same_insights_as is None
    return [NAIVE, *chosen] if missing else chosen


def _waiting(
    workload: Workload, entrants: Sequence[Entrant], rig: Rig, season: Path, stack: ExitStack
) -> Mapping[Entrant, "Popen[str]"]:
    """Make a process for each contender, those of Touchline with a database of their own, until all wait."""
    template = None
    if USES_A_DATABASE & {contender for _, contender in entrants}:
        loaded = None if workload.insights_a_day else season
        template = stack.enter_context(loaded_database(rig, loaded))
    processes = {}
    for lane, contender in entrants:
        settings = _settings(workload, contender)
        if template and contender in USES_A_DATABASE:
            settings["DATABASE_URL"] = url = stack.enter_context(fresh_database(rig, template))
            choose_lane(url, lane)
        by_the_clock = workload.insights_a_day and contender != "naive"
        child = waiting_child("trickle" if by_the_clock else contender, rig.place(contender), settings)
        processes[lane, contender] = stack.enter_context(child)
    for process in processes.values():
        wait_until_ready(process)
    return processes


def _job(workload: Workload, entrant: Entrant, prompts: str, season: Path, record: str | None) -> Job:
    lane, contender = entrant
    return Job(
        contender=contender,
        lane=lane,
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
    lane = Lane(job.lane)
    options = [workload.emulator_options(lane, job.prompts)]
    if job.contender == "lean-two-calls":
        options.append(workload.emulator_options(lane, job.prompts, CATEGORY_TOKENS))
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
