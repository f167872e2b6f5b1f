"""A bill on the screen."""

from typing import TYPE_CHECKING

from rich.table import Table

from cli.output import console

if TYPE_CHECKING:
    from core.bill import Bill
    from core.report import RunReport


def print_run(report: "RunReport") -> None:
    """Show what a run did and what it cost."""
    console().print(report.sentence() + ".")
    for title, reasons in (("Deferred", report.deferred), ("Parked", report.parked)):
        for reason, insights in reasons.items():
            console().print(f"{title}: {insights} ({reason})")
    print_bill(report.billed)


def print_bill(bill: "Bill") -> None:
    """Show a bill: tokens by class, cost, and what it is to be measured against."""
    table = Table(title="The bill", title_justify="left", show_header=False)
    table.add_column()
    table.add_column(justify="right")
    for name, value in _lines(bill):
        table.add_row(name, value)
    console().print(table)


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
