"""Usage as a picture: cost by day, and what and whom it was for."""

from collections.abc import Mapping, Sequence
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cli.bars import dollars
from core.errors import BadInput

if TYPE_CHECKING:
    from matplotlib.axes import Axes

COLOUR = "#2a6f97"
SECOND_COLOUR = "#89c2d9"
NAME_LENGTH_MAX = 28
ROWS_MIN = 4  # a single bar is not blown up
DAYS_APART_MAX = 120  # more have no gaps between them
PANELS = {  # lists of USAGE: title, and what names a row
    "by_model": ("By model", "model"),
    "by_operation": ("By operation", "operation"),
    "by_organization": ("Dearest organizations", "name"),
    "top_coaches": ("Dearest coaches", "name"),
    "top_players": ("Dearest players", "player_id"),
}


def draw(file: Path, title: str, used: Mapping[str, Any]) -> None:
    """Draw USAGE into a PNG. Raises BadInput when the file cannot be written."""
    import matplotlib

    matplotlib.use("Agg")  # a picture, not a window
    matplotlib.rcParams["text.parse_math"] = False  # a dollar is a dollar
    from matplotlib import pyplot

    panels = [name for name in PANELS if used.get(name)]
    rows = 1 + (len(panels) + 1) // 2
    figure = pyplot.figure(figsize=(10, 3.4 + 2.3 * (rows - 1)), layout="constrained")
    grid = figure.add_gridspec(rows, 2, height_ratios=[3, *[2] * (rows - 1)])
    figure.suptitle(f"{title}, {used['from']} up to {used['to']} ({used['time_zone']})", fontsize=12)
    _draw_daily(figure.add_subplot(grid[0, :]), used)
    for number, name in enumerate(panels):
        heading, key = PANELS[name]
        place = grid[1 + number // 2, number % 2]
        _draw_shares(figure.add_subplot(place), heading, key, used[name])
    try:
        figure.savefig(file, dpi=120)
    except OSError as error:
        raise BadInput(f"{file} cannot be written: {error.strerror}.") from error
    finally:
        pyplot.close(figure)


def _draw_daily(axes: "Axes", used: Mapping[str, Any]) -> None:
    from matplotlib.dates import AutoDateLocator, ConciseDateFormatter

    axes.set_title(
        f"Cost by day: {dollars(used['total_cost_usd'])} for {used['calls']:,} calls, "
        f"{used['cache_hit_rate']:.1%} of the input read from the cache, {dollars(used['saved_usd'])} saved",
        fontsize=10,
        loc="left",
    )
    axes.set_ylabel("US dollars")
    _plain_frame(axes)
    if not used["daily"]:
        axes.text(0.5, 0.5, "Nothing was called in these days", ha="center", transform=axes.transAxes)
        axes.set_xticks([])
        return
    days: list[Any] = [date.fromisoformat(row["day"]) for row in used["daily"]]
    width = 0.85 if len(days) <= DAYS_APART_MAX else 1.0
    axes.bar(days, [float(row["cost_usd"]) for row in used["daily"]], width=width, color=COLOUR)
    locator = AutoDateLocator(minticks=3, maxticks=12)  # type: ignore[no-untyped-call]
    axes.xaxis.set_major_locator(locator)
    axes.xaxis.set_major_formatter(ConciseDateFormatter(locator))  # type: ignore[no-untyped-call]
    axes.margins(x=0.01)


def _draw_shares(axes: "Axes", heading: str, key: str, rows: Sequence[Mapping[str, Any]]) -> None:
    """Bars from the dearest down, each with its dollars."""
    axes.set_title(heading, fontsize=10, loc="left")
    _plain_frame(axes)
    costs = [float(row["cost_usd"]) for row in rows]
    bars = axes.barh(range(len(rows)), costs, color=SECOND_COLOUR)
    axes.bar_label(bars, [f" {dollars(cost)}" for cost in costs], fontsize=8)
    axes.set_yticks(range(len(rows)), [_cut(str(row[key])) for row in rows], fontsize=8)
    axes.set_xticks([])
    axes.spines["bottom"].set_visible(False)
    axes.margins(x=0.25)
    axes.set_ylim(max(len(rows), ROWS_MIN) - 0.5, -0.5)  # the dearest on top


def _plain_frame(axes: "Axes") -> None:
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)


def _cut(name: str) -> str:
    return name if len(name) <= NAME_LENGTH_MAX else name[: NAME_LENGTH_MAX - 1] + "…"
