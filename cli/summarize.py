"""`touchline summarize`: run the flow by hand until nothing is due."""

import asyncio
from typing import TYPE_CHECKING, Annotated

import typer

from cli.bill import print_run
from cli.output import JsonOption, OrganizationOption, complain, print_json
from cli.prefect_home import prepare_prefect
from cli.progress import progress
from cli.session import open_database, read_settings

if TYPE_CHECKING:
    from core.report import RunReport


def summarize(
    limit: Annotated[int | None, typer.Option(min=1, help="At most so many insights.")] = None,
    organization: OrganizationOption = None,
    model: Annotated[str | None, typer.Option(help="Instead of TOUCHLINE_MODEL.")] = None,
    insights_per_call: Annotated[int, typer.Option(min=1, max=1, help="Packs come later: 1.")] = 1,
    as_json: JsonOption = False,
) -> None:
    """Summarise pending insights until none is due. Exit code 3 when a limit stopped the run."""
    from core.pricing import canonical_model

    settings = read_settings()
    settings.require_api()
    canonical_model(model or settings.model)  # refused here, before a server is started for the run
    prepare_prefect(settings.home)
    report = run_flow(limit, organization, model)
    if as_json:
        print_json(report.to_json())
    else:
        print_run(report)
    if report.stopped is not None:
        complain(f"The run was stopped ({report.stopped.cause}); what was left is deferred, none is lost.")
        raise typer.Exit(3 if report.stopped.is_limit else 1)


def run_flow(limit: int | None, organization: str | None, model: str | None) -> "RunReport":
    """Run the flow in this process, with its progress on stderr."""
    from flows.summarize import summarize_pending
    from tasks.listing import count_by_state

    with open_database() as engine:
        counts = count_by_state(engine, organization)
        due = sum(counts.get(state, 0) for state in ("pending", "deferred"))
        with progress(due if limit is None else min(due, limit)) as watch:
            return asyncio.run(
                summarize_pending(insight_limit=limit, organization_id=organization, model=model, watch=watch)
            )
