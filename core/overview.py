"""One page for seven in the morning: did the last day work, what did it cost, and what needs a person."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import NamedTuple

from core.bill import plain_money
from core.names import count

SHOWN_MAX = 40  # runs in the table
LOOKS_BACK = timedelta(days=1)
KILLED_AFTER = timedelta(hours=2)  # a run without an end that is silent for so long, without open batches
MARKED_AFTER = timedelta(days=1)  # a day that ended longer ago should have been rolled up
PUBLISHED_WITHIN = timedelta(hours=25)  # a rollup that is as old missed a night
RUNBOOK = "deployments/README.md"
NOTHING = "Nothing needs you"
SET_UP = "The set-up is wrong: `touchline doctor`. Nothing is lost; the next run takes it up."
STEPS = {  # by why a run was stopped; anything else is a wrong set-up
    "generation_off": "It is a switch: `touchline config set generation on [--org ID]`.",
    "spend_limit": "Raise the limit at the vendor's console; what is due waits for it.",
    "rate_limit": "The API's limits were reached; the next run takes up what is deferred.",
    "outage": "The API did not answer; the next run takes up what is deferred.",
}

Link = Callable[[str, str], str]  # a flow run's id and words: gives a link in markdown


@dataclass(frozen=True, slots=True)
class RunLine:
    """A run as the page shows it; one of a rollup has a number of days instead of insights."""

    flow_run_id: str
    kind: str  # its lane, or rollup
    started_at: datetime
    ended_at: datetime | None
    insights: int | None = None
    cost_usd: Decimal | None = None
    cache_hit_rate: Decimal | None = None
    stopped: str | None = None
    never_ended: bool = False
    days: int = 0
    published: bool = False
    checks_failed: int = 0

    def ending(self) -> str:
        """Say how it ended."""
        if self.ended_at is None:
            return "**never ended**" if self.never_ended else "still running"
        if self.days:
            return self._rollups_ending()
        return f"**stopped: {self.stopped}**" if self.stopped else "done"

    def _rollups_ending(self) -> str:
        if self.published:
            return "published"
        if self.checks_failed:
            return f"**REFUSED**: {count(self.checks_failed, 'check')} failed"
        return "not published"

    def did(self) -> str:
        """Say how much it did."""
        if self.days:
            return count(self.days, "day")
        return "" if self.insights is None else count(self.insights, "insight")


@dataclass(frozen=True, slots=True)
class Refused:
    """A rollup that was refused, and not published since."""

    flow_run_id: str
    ended_at: datetime
    days: int
    checks: Sequence[str]  # that failed


@dataclass(frozen=True, slots=True)
class Overview:
    """What there is to know at a time; `runs` are newest first."""

    now: datetime
    runs: Sequence[RunLine] = ()
    idle_runs: int = 0
    parked: Mapping[str, int] = field(default_factory=dict)  # insights, by reason
    to_review: int = 0
    reviewing_coaches: int = 0
    review_since: datetime | None = None
    batches_overdue: int = 0
    overdue_since: datetime | None = None
    never_ended: Sequence[RunLine] = ()
    marked_days: int = 0  # of those that should have been rolled up
    first_marked: date | None = None
    published_at: datetime | None = None  # a rollup, last
    first_run_at: datetime | None = None  # of all runs
    refused: Refused | None = None
    spool_waiting: int = 0
    spool_unreadable: int = 0

    @property
    def cost_usd(self) -> Decimal:
        """What the runs cost together."""
        return sum((run.cost_usd for run in self.runs if run.cost_usd), Decimal(0))

    @property
    def insights(self) -> int:
        """How many insights the runs took."""
        return sum(run.insights for run in self.runs if run.insights)


class Need(NamedTuple):
    """Something that needs a person: in a few words, and whole, with what to do."""

    short: str
    whole: str


def headline(overview: Overview) -> str:
    """Say in one line what needs a person, or that nothing does: it is read without opening the page."""
    needs = [need.short for need in needs_of(overview, lambda flow_run_id, words: words)]
    if not needs:
        return NOTHING
    return f"{count(len(needs), 'thing needs', 'things need')} you: {', '.join(needs)}"


def overview_markdown(overview: Overview, link: Link) -> str:
    """Return the page; what needs a person comes first."""
    needs = [need.whole for need in needs_of(overview, link)]
    title = f"{count(len(needs), 'thing needs', 'things need')} you" if needs else NOTHING
    return "\n".join(
        [
            f"# {title}",
            "",
            f"As of {_moment(overview.now)}. {_cost(overview)}",
            *(["", "## What needs you", "", *(f"- {need}" for need in needs)] if needs else []),
            "",
            "## The last 24 hours",
            "",
            *_runs(overview, link),
        ]
    )


def _cost(overview: Overview) -> str:
    runs = sum(not run.days for run in overview.runs)
    idle = f"; {count(overview.idle_runs, 'run')} found nothing due" if overview.idle_runs else ""
    return (
        f"In the last 24 hours {count(runs, 'run')} took {count(overview.insights, 'insight')} "
        f"for **${plain_money(overview.cost_usd)}**{idle}."
    )


def _runs(overview: Overview, link: Link) -> Iterator[str]:
    if not overview.runs:
        yield "No run had anything to do."
        return
    yield "| began (UTC) | run | what it took | billed | read from the cache | how it ended |"
    yield "|---|---|---:|---:|---:|---|"
    for run in overview.runs[:SHOWN_MAX]:
        billed = "" if run.cost_usd is None else f"${plain_money(run.cost_usd)}"
        hit = "" if run.cache_hit_rate is None else f"{run.cache_hit_rate:.1%}"
        began = link(run.flow_run_id, f"{run.started_at:%m-%d %H:%M}")
        yield f"| {began} | {run.kind} | {run.did()} | {billed} | {hit} | {run.ending()} |"
    if len(overview.runs) > SHOWN_MAX:
        yield from ("", f"And {len(overview.runs) - SHOWN_MAX:,} runs before these.")


def needs_of(overview: Overview, link: Link) -> Iterator[Need]:
    """Give what needs a person, the most urgent first."""
    yield from _stopped(overview, link)
    yield from _refused(overview, link)
    yield from _parked(overview)
    yield from _batches(overview)
    yield from _never_ended(overview, link)
    yield from _marked(overview)
    yield from _spool(overview)
    yield from _to_review(overview)


def _stopped(overview: Overview, link: Link) -> Iterator[Need]:
    """Of each lane the latest run that has ended, if it was stopped: an earlier one was made up for."""
    seen: set[str] = set()
    for run in overview.runs:
        if run.days or run.ended_at is None or run.kind in seen:
            continue
        seen.add(run.kind)
        if run.stopped:
            latest = link(run.flow_run_id, f"latest {run.kind} run that had something to do")
            step = STEPS.get(run.stopped, SET_UP)
            whole = f"**The {latest} was stopped: {run.stopped}.** {step}"
            yield Need(f"{run.kind} stopped ({run.stopped})", whole)


def _refused(overview: Overview, link: Link) -> Iterator[Need]:
    if refused := overview.refused:
        rollup = link(refused.flow_run_id, f"rollup of {_moment(refused.ended_at)}")
        failed = "; ".join(refused.checks)
        yield Need(
            "rollup refused",
            f"**The {rollup} was refused** ({count(refused.days, 'day')}). What failed: {failed}. See "
            f'"When a rollup was refused" in {RUNBOOK}; then `touchline rollup`.',
        )


def _parked(overview: Overview) -> Iterator[Need]:
    if overview.parked:
        number = sum(overview.parked.values())
        reasons = ", ".join(f"{reason} {insights:,}" for reason, insights in overview.parked.items())
        yield Need(
            f"{number:,} parked",
            f"**{count(number, 'insight is', 'insights are')} parked** ({reasons}). Look: "
            "`touchline insights list --state parked`; ask again: `touchline insights requeue ID`.",
        )


def _batches(overview: Overview) -> Iterator[Need]:
    if number := overview.batches_overdue:
        yield Need(
            f"{count(number, 'batch', 'batches')} overdue",
            f"**{count(number, 'batch is', 'batches are')} past the time to be collected**, since "
            f"{_moment(overview.overdue_since)}. Settle what has ended: `touchline batches collect`; look: "
            "`touchline batches list --state open`.",
        )


def _never_ended(overview: Overview, link: Link) -> Iterator[Need]:
    if overview.never_ended:
        number = count(len(overview.never_ended), "run")
        runs = ", ".join(
            link(run.flow_run_id, f"{run.kind} of {_moment(run.started_at)}") for run in overview.never_ended
        )
        yield Need(
            f"{number} never ended",
            f"**{number} began and never ended**: {runs}. What they held is free again, and the next run "
            f'takes it; their logs say what killed them. See "A stuck or crashed run" in {RUNBOOK}.',
        )


def _marked(overview: Overview) -> Iterator[Need]:
    last, number = overview.published_at, overview.marked_days
    since = last or overview.first_run_at  # whoever has begun today has not missed a night
    if number and since and since < overview.now - PUBLISHED_WITHIN:
        published = f"the last one was published {_moment(last)}" if last else "there has been none yet"
        yield Need(
            f"{count(number, 'day')} not rolled up",
            f"**{count(number, 'day waits', 'days wait')} for a rollup**, the first is "
            f"{overview.first_marked}; {published}. Run it: `touchline rollup`.",
        )


def _spool(overview: Overview) -> Iterator[Need]:
    if number := overview.spool_waiting:
        yield Need(
            f"{number:,} in the spool",
            f"**The figures of {count(number, 'request')} wait in the spool** of this machine. The next run "
            "books them: `touchline summarize`; if they stay: `touchline doctor`.",
        )
    if number := overview.spool_unreadable:
        yield Need(
            f"{number:,} unreadable in the spool",
            f"**{count(number, 'file')} of the spool cannot be read** and is set aside: the ledger keeps "
            "estimates of its figures. Look for `*.unreadable` in the folder `spool`.",
        )


def _to_review(overview: Overview) -> Iterator[Need]:
    if number := overview.to_review:
        coaches = count(overview.reviewing_coaches, "coach", "coaches")
        yield Need(
            f"{number:,} to review",
            f"**{count(number, 'summary waits', 'summaries wait')} for review** by {coaches}, since "
            f"{_moment(overview.review_since)}. What waits: `touchline summaries list --state "
            "pending_review`; a coach's own: `touchline review list --as PERSON`.",
        )


def _moment(at: datetime | None) -> str:
    return "" if at is None else f"{at:%Y-%m-%d %H:%M} UTC"
