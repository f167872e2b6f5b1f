"""`touchline summarize`: run the flow by hand until nothing is due."""

import asyncio
import sys
from typing import TYPE_CHECKING, Annotated

import typer

from cli.bill import print_run
from cli.output import JsonOption, OrganizationOption, complain, print_json
from cli.plan import InsightsPerCallOption
from cli.prefect_api import prefect_api
from cli.progress import progress
from cli.session import open_database, read_settings

if TYPE_CHECKING:
    import sqlalchemy as sa

    from core.report import RunReport


def summarize(
    limit: Annotated[int | None, typer.Option(min=1, help="At most so many insights.")] = None,
    organization: OrganizationOption = None,
    model: Annotated[str | None, typer.Option(help="Instead of TOUCHLINE_MODEL.")] = None,
    insights_per_call: InsightsPerCallOption = None,
    as_json: JsonOption = False,
) -> None:
    """Summarise pending insights until none is due. Exit code 3 when a limit stopped the run."""
    from core.pricing import canonical_model

    settings = read_settings().packing(insights_per_call)
    settings.require_api()
    canonical_model(model or settings.model)  # refused here, before a server is started for the run
    report = run_flow(limit, organization, model, insights_per_call)
    if as_json:
        print_json(report.to_json())
    else:
        print_run(report)
    if report.stopped is not None:
        complain(
            f"The run was stopped ({report.stopped.cause}); what was claimed is deferred, nothing is lost."
        )
        raise typer.Exit(3 if report.stopped.is_limit else 1)


def run_flow(
    limit: int | None = None,
    organization: str | None = None,
    model: str | None = None,
    insights_per_call: int | None = None,
) -> "RunReport":
    """Run the flow in this process, with its progress on stderr."""
    with open_database() as engine:
        due = _count_due(engine, organization)
        with (
            prefect_api(read_settings().home),
            progress(due if limit is None else min(due, limit)) as watch,
        ):
            from prefect.exceptions import TerminationSignal

            from flows.summarize import summarize_pending

            flow = summarize_pending(
                insight_limit=limit,
                organization_id=organization,
                model=model,
                insights_per_call=insights_per_call,
                watch=watch,
            )
            try:
                return asyncio.run(flow)
            except TerminationSignal as ended:  # Prefect's own way of being told to end
                sys.exit(128 + ended.signal)


def _count_due(engine: "sa.Engine", organization: str | None) -> int:
    """Count what a run may take. Raises BadInput for an unknown organization."""
    from tasks.listing import count_by_state, find_organization

    if organization is not None:
        with engine.connect() as connection:
            find_organization(connection, organization)
    counts = count_by_state(engine, organization)
    return counts.get("pending", 0) + counts.get("deferred", 0)
