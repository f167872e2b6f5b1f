"""`touchline overnight`: run the overnight flow by hand, and wait until its batches are collected."""

from typing import TYPE_CHECKING, Any

from cli.output import JsonOption, OrganizationOption, complain
from cli.plan import InsightsPerCallOption
from cli.running import count_due, print_report, run_by_hand
from cli.summarize import InsightLimitOption, ModelOption, check
from core.states import Lane

if TYPE_CHECKING:
    from collections.abc import Coroutine

    from core.report import RunReport
    from tasks.run import Watch


def overnight(
    limit: InsightLimitOption = None,
    organization: OrganizationOption = None,
    model: ModelOption = None,
    insights_per_call: InsightsPerCallOption = None,
    as_json: JsonOption = False,
) -> None:
    """Summarise what is due in the overnight lane, in message batches at half the price, and wait for them.

    It may take hours; when it is ended before, `touchline batches collect` collects what is open.
    """
    check(model, insights_per_call)

    def start(watch: "Watch") -> "Coroutine[Any, Any, RunReport]":
        from flows.overnight import summarize_overnight

        return summarize_overnight(
            insight_limit=limit,
            organization_id=organization,
            model=model,
            insights_per_call=insights_per_call,
            watch=watch,
        )

    try:
        report = run_by_hand(lambda engine: count_due(engine, organization, limit), start)
    except KeyboardInterrupt:
        complain("What was sent goes on at the API; settle it later with: touchline batches collect")
        raise
    print_report(report, as_json=as_json, lane=Lane.OVERNIGHT)
