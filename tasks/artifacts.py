"""What a run shows in the Prefect UI: its name, the bill as a table, what happened in words. Ids only."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from uuid import UUID

from prefect.artifacts import MarkdownArtifact, TableArtifact
from sqlalchemy.ext.asyncio import AsyncConnection

from core.bill import Bill, plain_money
from core.report import Collected, RunReport
from core.states import InsightState
from core.waterfall import STEPS, Waterfall
from models.summary_run import QUERIES
from tasks.overview import OVERVIEW_KEY, publish_overview
from tasks.run import Run
from tasks.run_page import CLUBS_TAGGED_MAX, Page, artifact_links, club_tags, run_link, shown, tell_of_another

COLLECT = "collect"  # the keys of a look at the open batches begin with it, those of a run with its lane


@dataclass(frozen=True, slots=True)
class Keys:
    """The keys of a run's artifacts: the latest with a key is the latest of its kind."""

    kind: str

    @property
    def bill(self) -> str:
        """Of the table of the bill."""
        return f"{self.kind}-bill"

    @property
    def run(self) -> str:
        """Of the run in words."""
        return f"{self.kind}-run"


async def publish_report(page: Page, run: Run, report: RunReport) -> None:
    """Show what a run came to; one with nothing to do only gets a name, so that the latest page tells."""
    tags = {run.lane, *([] if report.idle else await club_tags_of(run, [run.run_id]))}
    await page.tell(report.name(), tags, attention=report.needs_attention)
    if report.idle:
        if report.needs_attention:
            await publish_overview(run.engine, run.clock.now(), run.settings.home)
        return
    await run.progress.finish(report.name())
    async with shown(f"what run {run.run_id} came to"):
        took = f"The run took {report.wall_seconds:,.1f} s."
        await _create(Keys(run.lane), report, [took, *await places_of(run)])
    await publish_overview(run.engine, run.clock.now(), run.settings.home)


async def publish_collected(page: Page, run: Run, collected: Collected) -> None:
    """Show what a look at open batches came to, here and on the pages of the runs that it finished."""
    tags = {run.lane, *([] if collected.idle else await club_tags_of(run, collected.run_ids))}
    await page.tell(collected.name(), tags, attention=collected.needs_attention)
    if collected.idle:
        if collected.needs_attention or collected.batches_open:  # they may be past their time
            await publish_overview(run.engine, run.clock.now(), run.settings.home)
        return
    async with shown(f"what look {run.run_id} has collected"):
        runs = ", ".join(run_link(run_id, run_id) for run_id in collected.run_ids)
        told = [f"All figures are of the runs that had sent the batches, as a whole: {runs}."]
        await _create(Keys(COLLECT), collected.report, told, name=collected.name())
    for run_id, report in collected.finished.items():
        async with shown(f"what run {run_id} came to"):
            by = [f"Its last batches were settled by {run_link(run.run_id, f'collect run {run.run_id}')}."]
            await _create(Keys(run.lane), report, by, flow_run_id=UUID(run_id))
        await tell_of_another(run_id, report.name(), attention=report.needs_attention)
    await publish_overview(run.engine, run.clock.now(), run.settings.home)


async def _create(
    keys: Keys,
    report: RunReport,
    places: Sequence[str],
    *,
    name: str | None = None,
    flow_run_id: UUID | None = None,
) -> None:
    """Create both artifacts, on this flow run's page or another's."""
    others = artifact_links([keys.run, OVERVIEW_KEY])
    billed, planned = plain_money(report.billed.cost_usd), plain_money(report.predicted.cost_usd)
    told = f"Billed ${billed}, planned ${planned} (US dollars): run {report.run_id}."
    bill = TableArtifact(
        key=keys.bill,
        table=bill_table(report),
        description=f"{told} See also: {others}." if others else told,
        flow_run_id=flow_run_id,
    )
    await bill.acreate()
    others = artifact_links([keys.bill, OVERVIEW_KEY])
    words = run_markdown(report, [*places, *([f"See also: {others}."] if others else [])])
    summary = MarkdownArtifact(
        key=keys.run, markdown=words, description=f"{name or report.name()}.", flow_run_id=flow_run_id
    )
    await summary.acreate()


async def club_tags_of(run: Run, run_ids: Iterable[str]) -> set[str]:
    """Return the tags of the clubs that these runs have made calls for; none when that cannot be read."""
    if run.failure:
        return set()  # the database is away
    asked = {"run_ids": list(run_ids), "row_limit": CLUBS_TAGGED_MAX + 1}

    async def read(connection: AsyncConnection) -> list[str]:
        return list((await connection.execute(QUERIES["clubs_of"], asked)).scalars())

    async with shown(f"the clubs of run {run.run_id}"):
        return club_tags(await run.commit(read))
    return set()


async def places_of(run: Run) -> list[str]:
    """Return, with links, which run of the lane came before, and which rollup has taken the run's days."""
    if run.failure:
        return []
    asked = {
        "run_id": run.run_id,
        "lane": run.lane,
        "started_at": run.began_at,
        "days": days_between(run.began_at.date(), run.clock.now().date()),
    }

    async def read(connection: AsyncConnection) -> list[str]:
        before = (await connection.execute(QUERIES["run_before"], asked)).first()
        rollup = (await connection.execute(QUERIES["rollup_of"], asked)).first()
        told = []
        if before:
            link = run_link(before.run_id, f"{before.started_at:%Y-%m-%d %H:%M} UTC")
            told.append(f"The {run.lane} run before: {link}.")
        if rollup:
            link = run_link(rollup.flow_run_id, f"{rollup.ended_at:%Y-%m-%d %H:%M} UTC")
            told.append(f"The rollup that last took this day: {link}; the next one takes it again.")
        return told

    return await run.commit(read)


def days_between(first: date, last: date) -> list[date]:
    """Return all days from the first to the last."""
    return [first + timedelta(days=days) for days in range((last - first).days + 1)]


BILL_LINES = {  # the first ten are seen without turning the page
    "cost_usd": "cost",
    "uncached_cost_usd": "cost of the same calls without a cache, live",
    "floor_usd": "cheapest possible cost of the same calls",
    "efficiency": "efficiency (cheapest possible / cost)",
    "cache_hit_rate": "share of the input read from the cache",
    "calls": "calls to the model",
    "attempts": "requests made for them",
    "total_input_tokens": "all input (tokens)",
    "cache_read_tokens": "input, read from the cache (tokens)",
    "output_tokens": "output (tokens)",
    "input_tokens": "input, not cached (tokens)",
    "cache_write_5m_tokens": "input, written into the cache for 5 minutes (tokens)",
    "cache_write_1h_tokens": "input, written into the cache for 1 hour (tokens)",
}


def bill_table(report: RunReport) -> list[dict[str, str]]:
    """Return one row per line of the bill, planned beside billed; money with all its digits."""
    return [
        {
            "what": words,
            "planned": _figure(report.predicted, name),
            "billed": _figure(report.billed, name),
            "difference": _difference(report, name),
        }
        for name, words in BILL_LINES.items()
    ]


def _figure(bill: Bill, name: str) -> str:
    value = getattr(bill, name)
    if name.endswith("_usd"):
        return f"${plain_money(value)}"
    return f"{value:,}" if isinstance(value, int) else f"{value:.1%}"


def _difference(report: RunReport, name: str) -> str:
    """Say by how much more was billed than planned, in per cent; of shares, in points."""
    planned, billed = getattr(report.predicted, name), getattr(report.billed, name)
    if name in {"cache_hit_rate", "efficiency"}:
        return f"{(billed - planned) * 100:+z.1f} points"
    if billed == planned:
        return "as planned" if billed else ""
    if not planned:
        return "not planned"
    return f"{(billed - planned) / planned:+z.1%}"


def run_markdown(report: RunReport, places: Sequence[str] = ()) -> str:
    """Return the run in words: what became of the insights, what needs a person, and what was saved.

    `places` are sentences that say what else there is to see.
    """
    billed, predicted = report.billed, report.predicted
    lines = [
        f"# {report.sentence()}",
        *_needs(report),
        *_counts("What became of the insights", "state", _in_words(report.insights)),
        *_counts("Parked: a person must look", "reason", report.parked),
        *_counts("Deferred: a later run takes them", "reason", report.deferred),
        "",
        "## What it cost",
        "",
        f"Billed ${plain_money(billed.cost_usd)}; planned was ${plain_money(predicted.cost_usd)}. "
        f"The cheapest possible bill for the same calls is ${plain_money(billed.floor_usd)} "
        f"(efficiency {billed.efficiency:.1%}).",
        "",
        *_waterfall_lines(report.waterfall),
        "",
        f"`touchline ledger list` shows every request. Run `{report.run_id}`.",
        *(line for place in places for line in ("", place)),
    ]
    return "\n".join(lines)


def _needs(report: RunReport) -> Iterator[str]:
    """What an operator is to do, first of all."""
    if report.stopped:
        yield from (
            "",
            f"**Stopped: {report.stopped.cause}.** What was due is not lost; a later run takes it.",
        )
    if report.parked:
        yield ""
        yield (
            "**Parked insights wait for you:** `touchline insights list --state parked` shows them, "
            "`touchline insights requeue ID` has one asked about again."
        )


STATE_WORDS = {
    InsightState.SKIPPED: "skipped: their coaches have switched them off",
    InsightState.PARKED: "parked: a person must look",
    InsightState.DEFERRED: "deferred: a later run takes them",
    InsightState.IN_BATCH: "in batches that are not collected yet",
    InsightState.PENDING: "given back: pending again",
}


def _in_words(states: Mapping[str, int]) -> dict[str, int]:
    return {STATE_WORDS.get(InsightState(state), state): number for state, number in states.items()}


def _counts(title: str, heading: str, counts: Mapping[str, int]) -> Iterator[str]:
    """A table of how many insights, by state or reason; nothing of nothing."""
    if any(counts.values()):
        yield from ("", f"## {title}", "", f"| {heading} | insights |", "|---|---:|")
        yield from (f"| {name} | {number:,} |" for name, number in sorted(counts.items()) if number)


def _waterfall_lines(waterfall: Waterfall) -> list[str]:
    return [
        "| the same insights | US dollars | share |",
        "|---|---:|---:|",
        *(f"| {STEPS[name]} | ${usd:.6f} | {share:.1%} |" for name, usd, share in waterfall.steps()),
        "",
        f"A token read from the cache costs {waterfall.cached_token_cut:.0%} less than one that is not.",
    ]
