"""Tables with bars, and numbers as they are read: bars are exact to an eighth of a character."""

from rich import box
from rich.table import Table

EIGHTHS = " ▏▎▍▌▋▊▉"


def plain_table(title: str) -> Table:
    """Return a table without lines that has room for bars in 80 columns."""
    return Table(
        title=title,
        title_justify="left",
        title_style="bold",
        box=box.SIMPLE_HEAD,
        pad_edge=False,
        collapse_padding=True,
    )


def bar(value: float, largest: float, width: int) -> str:
    """Return a bar that is `width` long for the largest value; anything above 0 is seen."""
    if value <= 0 or largest <= 0:
        return ""
    eighths = max(1, round(value / largest * width * 8))
    return "█" * (eighths // 8) + EIGHTHS[eighths % 8].strip()


def dollars(money: str | float) -> str:
    """Return money as it is read: cents of large sums, millionths of small ones."""
    value = float(money)
    digits = 2 if abs(value) >= 100 else 4 if abs(value) >= 1 else 6
    return f"-${-value:,.{digits}f}" if value < 0 else f"${value:,.{digits}f}"


def short(number: int) -> str:
    """Return a large number in thousands or millions."""
    for size, unit in ((1_000_000_000, "G"), (1_000_000, "M"), (10_000, "k")):
        if number >= size:
            return f"{number / (1_000 if unit == 'k' else size):.1f}{unit}"
    return f"{number:,}"
