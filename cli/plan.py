"""`touchline plan`: what a run of now would call and cost; nothing is claimed, nothing is spent."""

import asyncio
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.table import Table

from cli.bill import print_bill
from cli.output import JsonOption, OrganizationOption, console, print_json
from cli.running import tell_where_insights_wait
from cli.session import open_database, read_settings
from core.states import Lane

if TYPE_CHECKING:
    from core.plan_report import PlanReport

InsightsPerCallOption = Annotated[
    int | None,
    typer.Option(min=1, help="Insights of one player in one call, instead of TOUCHLINE_INSIGHTS_PER_CALL."),
]

FORMS = {"pack": " (packs)", "single": " (single)"}


def plan(
    lane: Annotated[Lane, typer.Option(help="Which API the calls would go to.")] = Lane.LIVE,
    limit: Annotated[int | None, typer.Option(min=1, help="At most so many insights.")] = None,
    organization: OrganizationOption = None,
    model: Annotated[str | None, typer.Option(help="Instead of TOUCHLINE_MODEL.")] = None,
    insights_per_call: InsightsPerCallOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show the calls that a run would make now, with markers, cost and duration; it spends nothing."""
    from core.pricing import canonical_model
    from tasks.clock import SystemClock
    from tasks.listing import find_organization
    from tasks.planning import plan_due
    from tasks.surveys import Scope

    settings = read_settings().packing(insights_per_call)
    asked = model or settings.model
    canonical_model(asked)  # refuses a model without a price
    with open_database() as engine:
        if organization is not None:
            with engine.connect() as connection:
                find_organization(connection, organization)
        report = asyncio.run(
            plan_due(
                engine.url.render_as_string(hide_password=False),
                settings=settings,
                model=asked,
                asked=Scope(organization, limit, lane),
                clock=SystemClock(),
            )
        )
    if as_json:
        print_json(report.to_json())
    else:
        print_plan(report)
        if not report.insights:
            tell_where_insights_wait(lane)


def print_plan(report: "PlanReport") -> None:
    """Show a plan to a person."""
    told = report.to_json()
    if not report.insights:
        console().print("Nothing is due, so nothing would be called.")
        return
    packs = ", ".join(f"{number} of {size}" for size, number in sorted(report.packs.items()))
    console().print(
        f"{report.insights} insights in {told['calls']} calls (packs by size: {packs}), about "
        f"{report.forecast.seconds:,.0f} s, limited by {report.forecast.limited_by}."
    )
    if report.stages:
        told_stages = " and then ".join(f"{len(stage)}" for stage in report.stages)
        console().print(f"Of these, {told_stages} go ahead to write what all the others read.")
    if not report.counted:
        console().print("No API has counted the prompts: lengths are estimated.")
    console().print(_prefix_table(told["prefixes"]))
    print_bill(report.predicted, "The bill, as predicted")


def _prefix_table(rows: list[dict[str, Any]]) -> Table:
    table = Table(title="Prefixes", title_justify="left")
    table.add_column("prefix", overflow="fold")
    for name in ("tokens", "uses"):
        table.add_column(name, justify="right")
    table.add_column("marker")
    table.add_column("$ per 1,000", justify="right")
    table.add_column("why", overflow="fold")
    for row in rows:
        depth = len(row["layers"]) - 1
        name = f"{'  ' * depth}{row['layers'][-1]}{'' if depth else FORMS[row['form']]}"
        cost = f"{float(row['cost_per_1000_summaries_usd']):.6f}"
        table.add_row(
            name, f"{row['tokens']:,}", f"{row['uses']:,}", row["ttl"] or "none", cost, row["reason"]
        )
    return table
