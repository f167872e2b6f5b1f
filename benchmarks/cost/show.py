"""What is shown: tables of the rows and of the targets beside their figures, and a chart for the README."""

from collections.abc import Iterable, Sequence
from decimal import Decimal
from pathlib import Path

from rich.console import Console
from rich.table import Table

from benchmarks.cost.measure import Measured
from benchmarks.cost.rows import RESULTS, Row, find
from benchmarks.cost.suite import EVERYBODY, LEAN, OURS, OVERNIGHT
from benchmarks.cost.targets import Target
from core.states import Lane

CHART = RESULTS / "cost.png"
CHARTED = ("club", "platform")
NOTE = (
    "claude-haiku-5-5, reference prompts, billed by the local emulator; "
    "light: short prompts of their own, dark: message batches"
)
LANES = {Lane.LIVE: EVERYBODY, Lane.OVERNIGHT: OVERNIGHT}
WIDTH = 160
COLUMNS = (
    "workload",
    "prompts",
    "lane",
    "contender",
    "calls",
    "$ / 1,000",
    "% of naive",
    "efficiency",
    "off by",
    "hit rate",
    "wall s",
    "bound s",
    "cpu ms",
    "MB",
)


def show_progress(console: Console, found: Measured) -> None:
    """Print a line for what was just measured, and what was predicted of it."""
    row, told = found.row, ""
    if found.foreseen_usd is not None and row.predicted_cost_usd:
        cost = Decimal(row.cost_usd)
        before, given = found.foreseen_usd / cost - 1, Decimal(row.predicted_cost_usd) / cost - 1
        told = f"; predicted {before:+.2%}, given the answers' lengths {given:+.2%}"
    console.print(
        f"{row.workload}, {row.prompts}, {row.lane}, {row.contender}: ${row.cost_usd}{told}", highlight=False
    )


def show_rows(console: Console, rows: Iterable[Row]) -> None:
    """Print the rows; `off by` is how far the prediction given the answers was from the bill.

    Overnight, `wall s` is what is left when all waiting takes no time.
    """
    table = Table(title="what 1,000 summaries cost")
    for number, name in enumerate(COLUMNS):
        table.add_column(name, justify="right" if number > 3 else "left", no_wrap=True)
    for row in rows:
        table.add_row(*_cells(row))
    console.print(table)


def _cells(row: Row) -> Sequence[str]:
    predicted = Decimal(row.predicted_cost_usd) if row.predicted_cost_usd else None
    return (
        row.workload,
        row.prompts,
        row.lane,
        row.contender,
        f"{row.calls:,}",
        f"{Decimal(row.usd_per_1000_summaries):.4f}",
        _or_dash(row.percent_of_naive, ".1f"),
        _or_dash(row.efficiency, ".4f"),
        _or_dash(None if predicted is None else float(predicted / Decimal(row.cost_usd) - 1), "+.2%"),
        f"{row.hit_rate:.1%}",
        f"{row.wall_seconds:,.1f}",
        _or_dash(row.bound_seconds, ",.1f"),
        f"{row.cpu_ms_per_call:.1f}",
        f"{row.peak_memory_mb:,.0f}",
    )


def _or_dash(figure: float | None, form: str) -> str:
    return "-" if figure is None else format(figure, form)


def show_targets(console: Console, targets: Iterable[Target]) -> None:
    """Print what is to be reached, and whether it was."""
    table = Table("target", title="targets", caption="of those whose rows are there")
    for name in ("figure", "bound", ""):
        table.add_column(name, justify="right")
    for target in targets:
        bound = f"{'>=' if target.at_least else '<='} {target.bound:g}"
        table.add_row(target.name, f"{target.figure:.4f}", bound, "reached" if target.reached else "MISSED")
    console.print(table)


def draw_chart(rows: Sequence[Row], path: Path = CHART) -> None:
    """Draw dollars per 1,000 summaries by contender, reference prompts, one panel for each workload."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    charted = {workload: found for workload in CHARTED if (found := _found(rows, workload))}
    if not charted:
        return
    figure, panels = pyplot.subplots(
        1, len(charted), figsize=(6 * len(charted), 4.6), squeeze=False, layout="constrained"
    )
    for panel, (workload, found) in zip(panels[0], charted.items(), strict=True):
        names = [_label(row) for row in found]
        prices = [float(row.usd_per_1000_summaries) for row in found]
        bars = panel.barh(names, prices, color=[_colour(row) for row in found])
        panel.bar_label(bars, labels=[f"{price:.3f}" for price in prices], padding=3, fontsize=8)
        panel.invert_yaxis()
        panel.margins(x=0.12)
        panel.spines[["top", "right"]].set_visible(False)
        panel.set_title(f"{workload}: US dollars per 1,000 summaries", fontsize=10)
    figure.supxlabel(NOTE, fontsize=8)
    figure.savefig(path, dpi=120, metadata={"Software": None})
    pyplot.close(figure)


def _found(rows: Sequence[Row], workload: str) -> list[Row]:
    return [
        row
        for lane, names in LANES.items()
        for name in names
        if (row := find(rows, workload, name, lane=lane))
    ]


def _label(row: Row) -> str:
    shown_twice = row.contender in EVERYBODY
    return f"{row.contender}, overnight" if row.lane == Lane.OVERNIGHT and shown_twice else row.contender


def _colour(row: Row) -> str:
    if row.contender in LEAN:
        return "#d3d9e0"
    if row.contender in OURS:
        return "#0d4f38" if row.lane == Lane.OVERNIGHT else "#1b7f5c"
    return "#5d6875" if row.lane == Lane.OVERNIGHT else "#8a97a5"
