"""From the plain bill of a run down to the one that came: the waterfall as a table and as a chart."""

from collections.abc import Mapping, Sequence
from decimal import Decimal
from itertools import pairwise
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from benchmarks.cost.rows import RESULTS, Row
from benchmarks.cost.texts import REFERENCE_SET
from core.states import Lane
from core.waterfall import STEPS

CHART = RESULTS / "waterfall.png"
OF = ("club", REFERENCE_SET, Lane.OVERNIGHT, "touchline-packed")
TITLE = "club: 600 insights, from the plain bill to the overnight one, US dollars per 1,000"
NOTE = "claude-haiku-5-5, reference prompts, one overnight run of Touchline, billed by the local emulator"
BAR, TAKEN_OFF, LAST = "#8a97a5", "#d3d9e0", "#1b7f5c"


def has_stairs(row: Row) -> bool:
    """Whether this is the row of the run whose waterfall is shown."""
    return row.key == OF


def show_stairs(console: Console, steps: Sequence[Mapping[str, Any]], summaries: int) -> None:
    """Print each step: its bill, per 1,000 summaries, of the plain one, and what it takes off the last."""
    table = Table("step", "what", title="from the plain bill to the one that came")
    for name in ("$", "$ / 1,000", "of plain", "off the step before"):
        table.add_column(name, justify="right")
    before: Decimal | None = None
    for step in steps:
        usd = Decimal(step["cost_usd"])
        off = "-" if before is None else f"{1 - usd / before:.1%}"
        per_1000 = f"{usd * 1000 / summaries:.4f}"
        table.add_row(step["step"], STEPS[step["step"]], str(usd), per_1000, f"{step['share']:.1%}", off)
        before = usd
    console.print(table)


def draw_stairs(steps: Sequence[Mapping[str, Any]], summaries: int, path: Path = CHART) -> None:
    """Draw the steps as bars, with what each takes off hanging above it."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    prices = [float(Decimal(step["cost_usd"]) * 1000 / summaries) for step in steps]
    taken_off = [0.0, *(before - now for before, now in pairwise(prices))]
    names = [f"{step['step']}\n{STEPS[step['step']]}" for step in steps]
    figure, panel = pyplot.subplots(figsize=(9, 4.2), layout="constrained")
    colours = [BAR] * (len(steps) - 1) + [LAST]
    bars = panel.bar(names, prices, color=colours, width=0.6)
    panel.bar(names, taken_off, bottom=prices, color=TAKEN_OFF, width=0.6)
    labels = [f"{price:.3f}  ({step['share']:.1%})" for price, step in zip(prices, steps, strict=True)]
    panel.bar_label(bars, labels=labels, padding=3, fontsize=9)
    panel.set_ylim(0, 1.1 * max(prices))  # room for the highest label
    panel.spines[["top", "right"]].set_visible(False)
    panel.set_title(TITLE, fontsize=10)
    figure.supxlabel(NOTE, fontsize=8)
    figure.savefig(path, dpi=120, metadata={"Software": None})
    pyplot.close(figure)
