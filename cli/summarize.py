"""`touchline summarize`: run the live flow by hand until nothing is due."""

from typing import TYPE_CHECKING, Annotated, Any

import typer

from cli.output import JsonOption, OrganizationOption
from cli.plan import InsightsPerCallOption
from cli.running import count_due, print_report, run_by_hand
from cli.session import read_settings
from core.states import Lane

if TYPE_CHECKING:
    from collections.abc import Coroutine

    from core.report import RunReport
    from tasks.run import Watch

ModelOption = Annotated[str | None, typer.Option("--model", help="Instead of TOUCHLINE_MODEL.")]
InsightLimitOption = Annotated[int | None, typer.Option("--limit", min=1, help="At most so many insights.")]


def summarize(
    limit: InsightLimitOption = None,
    organization: OrganizationOption = None,
    model: ModelOption = None,
    insights_per_call: InsightsPerCallOption = None,
    as_json: JsonOption = False,
) -> None:
    """Summarise what is due in the live lane until none is. Exit code 3 when a limit stopped the run."""
    check(model, insights_per_call)
    report = run_flow(limit, organization, model, insights_per_call)
    print_report(report, as_json=as_json, lane=Lane.LIVE)


def check(model: str | None, insights_per_call: int | None) -> None:
    """Raise what is wrong with the call before a server is started for it."""
    from core.pricing import canonical_model

    settings = read_settings().packing(insights_per_call)
    settings.require_api()
    canonical_model(model or settings.model)


def run_flow(
    limit: int | None = None,
    organization: str | None = None,
    model: str | None = None,
    insights_per_call: int | None = None,
) -> "RunReport":
    """Run the flow in this process, with its progress on stderr."""

    def start(watch: "Watch") -> "Coroutine[Any, Any, RunReport]":
        from flows.summarize import summarize_pending

        return summarize_pending(
            insight_limit=limit,
            organization_id=organization,
            model=model,
            insights_per_call=insights_per_call,
            watch=watch,
        )

    return run_by_hand(lambda engine: count_due(engine, organization, limit), start)
