"""What a rollup shows in the Prefect UI: every check as a table, and in words what failed, with its rows."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from prefect.artifacts import acreate_markdown_artifact, acreate_table_artifact
from prefect.events import emit_event

from core.quality import CheckOutcome, rows_in_words
from core.rollups import RollupReport
from core.states import CheckResult
from models.summary_run import QUERIES
from tasks.overview import OVERVIEW_KEY, publish_overview
from tasks.rollups import Rollup
from tasks.run_page import Page, artifact_links, run_link, shown

CHECKS_KEY = "rollup-checks"
RUN_KEY = "rollup-run"

REFUSED = "touchline.rollup.refused"  # an event; deployments/automations.yaml waits for it
RUNS_LINKED_MAX = 20


async def publish_rollup_report(page: Page, rollup: Rollup, report: RollupReport, home: Path) -> None:
    """Show what a rollup came to; with nothing marked only its name tells, so that the latest page does."""
    await page.tell(report.name(), {"rollup"}, attention=report.refused)
    if report.days:
        async with shown(f"what rollup {report.run_id} came to"):
            await _create(report, await runs_of(rollup, report))
    if report.refused:
        async with shown(f"that rollup {report.run_id} was refused"):
            tell_refused(report)
    await publish_overview(rollup.engine, rollup.clock.now(), home)


def tell_refused(report: RollupReport) -> None:
    """Tell Prefect's server that checks have failed, for the automation `touchline: checks failed`."""
    emit_event(
        event=REFUSED,
        resource={
            "prefect.resource.id": f"touchline.rollup.{report.run_id}",
            "prefect.resource.name": report.name(),
        },
        payload={"sentence": report.sentence(), **report.checks.to_json()},
    )


async def _create(report: RollupReport, places: Sequence[str]) -> None:
    if report.checks.outcomes:
        others = artifact_links([RUN_KEY, OVERVIEW_KEY])
        told = f"Every check of run {report.run_id}; those that did not hold come first."
        await acreate_table_artifact(
            key=CHECKS_KEY,
            table=checks_table(report),
            description=f"{told} See also: {others}." if others else told,
        )
    others = artifact_links([CHECKS_KEY, OVERVIEW_KEY])
    words = rollup_markdown(report, [*places, *([f"See also: {others}."] if others else [])])
    await acreate_markdown_artifact(key=RUN_KEY, markdown=words, description=f"{report.name()}.")


async def runs_of(rollup: Rollup, report: RollupReport) -> list[str]:
    """Return in words, with links, which runs have calls on the rollup's days: the newest ones."""
    asked = {"days": list(report.days), "row_limit": RUNS_LINKED_MAX}
    async with rollup.engine.connect() as connection:
        rows = (await connection.execute(QUERIES["runs_of_days"], asked)).all()
    if not rows:
        return []
    links = [run_link(row.run_id, f"{row.lane} {row.started_at:%Y-%m-%d %H:%M} UTC") for row in rows]
    more = rows[0].runs - len(rows)
    return [f"Runs with calls on these days: {', '.join(links)}{f', and {more:,} more' if more else ''}."]


def checks_table(report: RollupReport) -> list[dict[str, str]]:
    """Return one row per check, what did not hold first."""
    return [
        {
            "check": outcome.name,
            "staged table": outcome.staged_table,
            "severity": "critical" if outcome.critical else "warning",
            "result": outcome.result,
            "failing rows": str(outcome.failing),
            "exception": outcome.exception or "",
        }
        for outcome in sorted(report.checks.outcomes, key=lambda one: one.result is CheckResult.PASSED)
    ]


def rollup_markdown(report: RollupReport, places: Sequence[str] = ()) -> str:
    """Return the rollup in words: what was published, or why not, with the rows that fail.

    `places` are sentences that say what else there is to see.
    """
    lines = [f"# {report.sentence()}", ""]
    if report.checks.failed:
        lines += [
            "**Nothing was published: the published rollups are as they were, and the days stay marked.** "
            "Usage of these days is read from the ledger meanwhile. Mend what follows, as in "
            '"When a rollup was refused" (deployments/README.md), and run `touchline rollup`.',
            "",
        ]
    for outcome in report.checks.outcomes:
        if outcome.result is not CheckResult.PASSED:
            lines += _outcome_lines(outcome)
    lines.append(f"Run `{report.run_id}`; its checks are kept in table `quality_check`.")
    return "\n".join([*lines, *(line for place in places for line in ("", place))])


def _outcome_lines(outcome: CheckOutcome) -> Iterator[str]:
    yield f"## {outcome.result}: {outcome.name} ({outcome.staged_table})"
    yield ""
    if outcome.exception:
        yield from ("The check itself could not be made:", "", "```", outcome.exception, "```", "")
    if outcome.failing_rows:
        shown_of_them = len(outcome.failing_rows)
        more = f", of which {shown_of_them} are shown" if shown_of_them < outcome.failing else ""
        yield f"{rows_in_words(outcome.failing)}{more}:"
        yield ""
        yield from _table(outcome.failing_rows)
        yield ""


def _table(rows: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    names = [name for name in rows[0] if name != "run_id"]  # it is the same in all, and the page's own
    yield "| " + " | ".join(names) + " |"
    yield "|" + "---|" * len(names)
    for row in rows:
        yield "| " + " | ".join(_cell(row.get(name)) for name in names) + " |"


def _cell(value: Any) -> str:
    return "" if value is None else str(value).replace("|", "\\|")
