"""Bills on the screen: what was predicted beside what came, and how it compares with plainer ways."""

from typing import TYPE_CHECKING

from rich.table import Table

from cli.output import console
from core.waterfall import STEPS

if TYPE_CHECKING:
    from core.bill import Bill
    from core.report import RunReport
    from core.waterfall import Waterfall

BAR_WIDTH = 20


def print_run(report: "RunReport") -> None:
    """Show what a run did and what it cost."""
    console().print(report.sentence() + ".")
    for title, reasons in (("Deferred", report.deferred), ("Parked", report.parked)):
        for reason, insights in reasons.items():
            console().print(f"{title}: {insights} ({reason})")
    print_bills(report)


def print_bills(report: "RunReport") -> None:
    """Show a run's bill beside its prediction, and the way down to it."""
    print_bill(report.billed, predicted=report.predicted)
    if report.billed.cost_usd:
        print_waterfall(report.waterfall)


def print_bill(bill: "Bill", title: str = "The bill", predicted: "Bill | None" = None) -> None:
    """Show a bill: tokens by class, cost, and what it is to be measured against."""
    table = Table(title=title, title_justify="left", show_header=predicted is not None)
    table.add_column("")
    table.add_column("billed", justify="right")
    columns = [_lines(bill)]
    if predicted is not None:
        table.add_column("predicted", justify="right")
        columns.append(_lines(predicted))
    for lines in zip(*columns, strict=True):
        table.add_row(lines[0][0], *(value for _, value in lines))
    console().print(table)


def print_waterfall(waterfall: "Waterfall") -> None:
    """Show the same insights, dearest way first."""
    table = Table(title="What was saved", title_justify="left", show_header=False)
    table.add_column()
    for _ in ("dollars", "share"):
        table.add_column(justify="right")
    table.add_column()
    for name, usd, share in waterfall.steps():
        bar = "█" * max(1, round(float(share) * BAR_WIDTH))
        table.add_row(STEPS[name], f"${usd:.6f}", f"{share:.1%}", bar)
    console().print(table)
    console().print(
        f"(A token read from the cache costs {waterfall.cached_token_cut:.0%} less than one that is not: "
        "that is the price cut on such a token, not on the bill.)"
    )


def _lines(bill: "Bill") -> list[tuple[str, str]]:
    return [
        ("calls (attempts)", f"{bill.calls:,} ({bill.attempts:,})"),
        ("input tokens, uncached", f"{bill.input_tokens:,}"),
        ("input tokens, read from the cache", f"{bill.cache_read_tokens:,}"),
        ("input tokens, written for 5 minutes", f"{bill.cache_write_5m_tokens:,}"),
        ("input tokens, written for 1 hour", f"{bill.cache_write_1h_tokens:,}"),
        ("output tokens", f"{bill.output_tokens:,}"),
        ("hit rate (of all input tokens)", f"{bill.cache_hit_rate:.2%}"),
        ("cost", f"${bill.cost_usd:.6f}"),
        ("the same calls without caching", f"${bill.uncached_cost_usd:.6f}"),
        ("share of that bill", f"{1 - bill.saved_fraction:.1%}"),
        ("the floor (cheapest bill possible)", f"${bill.floor_usd:.6f}"),
        ("efficiency (floor / cost)", f"{bill.efficiency:.2%}"),
    ]
