"""What a run shows in the Prefect UI: the bill as a table, and what happened in a few lines. Ids only."""

import logging

from prefect.artifacts import acreate_markdown_artifact, acreate_table_artifact

from core.report import RunReport
from core.waterfall import STEPS, Waterfall

BILL_KEY = "summarize-bill"
SUMMARY_KEY = "summarize-run"

logger = logging.getLogger("touchline.artifacts")


async def publish_report(report: RunReport) -> None:
    """Create the artifacts of a summarise run; when Prefect takes none, the run is not worse for it."""
    try:
        await _create(report)
    except Exception as error:  # noqa: BLE001 - what was done is committed, whatever Prefect says
        logger.warning("the artifacts of run %s could not be made: %s", report.run_id, type(error).__name__)


async def _create(report: RunReport) -> None:
    await acreate_table_artifact(
        key=BILL_KEY,
        table=bill_table(report),
        description=f"What run {report.run_id} was predicted to cost, and what it was billed.",
    )
    await acreate_markdown_artifact(key=SUMMARY_KEY, markdown=run_markdown(report))


def bill_table(report: RunReport) -> list[dict[str, str]]:
    """Return one row per line of the bill, predicted beside billed."""
    predicted, billed = report.predicted.to_json(), report.billed.to_json()
    return [
        {"line": name, "predicted": str(predicted[name]), "billed": str(value)}
        for name, value in billed.items()
    ]


def run_markdown(report: RunReport) -> str:
    """Return the run in words: what became of the insights, what needs a person, and what was saved."""
    lines = [f"# {report.sentence()}", "", "| insights | state |", "|---:|---|"]
    lines += [f"| {number} | {state} |" for state, number in sorted(report.insights.items())]
    for title, reasons in (("Parked: a person must look", report.parked), ("Deferred", report.deferred)):
        if reasons:
            lines += ["", f"## {title}", "", "| insights | reason |", "|---:|---|"]
            lines += [f"| {number} | {reason} |" for reason, number in sorted(reasons.items())]
    billed, predicted = report.billed, report.predicted
    lines += [
        "",
        f"Predicted ${predicted.cost_usd:.6f}, billed ${billed.cost_usd:.6f}; at best it could have been "
        f"${billed.floor_usd:.6f} (efficiency {billed.efficiency:.1%}).",
        "",
        *_waterfall_lines(report.waterfall),
        "",
        f"`touchline ledger list` shows every attempt; run `{report.run_id}`, {report.wall_seconds:.1f} s.",
    ]
    return "\n".join(lines)


def _waterfall_lines(waterfall: Waterfall) -> list[str]:
    return [
        "## What was saved",
        "",
        "| the same insights | dollars | share |",
        "|---|---:|---:|",
        *(f"| {STEPS[name]} | ${usd:.6f} | {share:.1%} |" for name, usd, share in waterfall.steps()),
        "",
        f"A token read from the cache costs {waterfall.cached_token_cut:.0%} less than one that is not.",
    ]
