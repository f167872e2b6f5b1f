"""What a rollup shows in the Prefect UI: every check as a table, and in words what failed, with its rows."""

import logging
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from prefect.artifacts import acreate_markdown_artifact, acreate_table_artifact

from core.quality import CheckOutcome
from core.rollups import RollupReport
from core.states import CheckResult

CHECKS_KEY = "rollup-checks"
RUN_KEY = "rollup-run"

logger = logging.getLogger("touchline.artifacts")


async def publish_rollup_report(report: RollupReport) -> None:
    """Create the artifacts of a rollup; when Prefect takes none, the rollup is not worse for it."""
    try:
        if report.checks.outcomes:
            await acreate_table_artifact(
                key=CHECKS_KEY,
                table=checks_table(report),
                description=f"Every check of run {report.run_id}; those that did not hold come first.",
            )
        await acreate_markdown_artifact(key=RUN_KEY, markdown=rollup_markdown(report))
    except Exception as error:  # noqa: BLE001 - what is published is committed, whatever Prefect says
        logger.warning("no artifacts of rollup %s could be made: %s", report.run_id, type(error).__name__)


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


def rollup_markdown(report: RollupReport) -> str:
    """Return the rollup in words: what was published, or why not, with the rows that fail."""
    lines = [f"# {report.sentence()}", ""]
    if report.checks.failed:
        lines += [
            "**Nothing was published: the published rollups are as they were, and the days stay marked.**",
            "Usage of these days is read from the ledger meanwhile. Mend what follows, and run",
            "`touchline rollup`.",
            "",
        ]
    for outcome in report.checks.outcomes:
        if outcome.result is not CheckResult.PASSED:
            lines += _outcome_lines(outcome)
    return "\n".join([*lines, f"Run `{report.run_id}`; its checks are kept in table `quality_check`."])


def _outcome_lines(outcome: CheckOutcome) -> Iterator[str]:
    yield f"## {outcome.result}: {outcome.name} ({outcome.staged_table})"
    yield ""
    if outcome.exception:
        yield from ("The check itself could not be made:", "", "```", outcome.exception, "```", "")
    if outcome.failing_rows:
        yield f"{outcome.failing} rows, of which {len(outcome.failing_rows)} are shown:"
        yield ""
        yield from _table(outcome.failing_rows)
        yield ""


def _table(rows: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    names = list(rows[0])
    yield "| " + " | ".join(names) + " |"
    yield "|" + "---|" * len(names)
    for row in rows:
        yield "| " + " | ".join(_cell(row.get(name)) for name in names) + " |"


def _cell(value: Any) -> str:
    return "" if value is None else str(value).replace("|", "\\|")
