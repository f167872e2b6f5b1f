"""What a run's plan is made by: the model's lengths and limits, and the settings."""

from anthropic import AsyncAnthropic

from core.clock import Clock
from core.plan import Terms
from core.settings import Settings
from core.states import Lane
from core.survey import Survey
from tasks.lengths import measured_lengths
from tasks.limits import Pace
from tasks.run import Run
from tasks.transactions import Transactions


async def terms_of(run: Run, survey: Survey) -> Terms:
    """Return the terms for a run that is open."""
    terms = await find_terms(
        run.transactions,
        run.client,
        survey,
        model=run.model,
        settings=run.settings,
        pace=run.pace,
        clock=run.clock,
        lane=run.lane,
    )
    run.counted = bool(terms.measured.frames)
    return terms


async def find_terms(
    transactions: Transactions,
    client: AsyncAnthropic | None,
    survey: Survey,
    *,
    model: str,
    settings: Settings,
    pace: Pace,
    clock: Clock,
    lane: Lane = Lane.LIVE,
) -> Terms:
    """Return the terms: what is not yet counted is, free of charge, when there is a client."""
    await pace.load()
    measured = await measured_lengths(
        transactions,
        client,
        model=model,
        used=[(group.sport, group.tone) for group in survey.groups],
        clock=clock,
    )
    return Terms(
        model=model,
        now=clock.now(),
        measured=measured,
        insights_per_call=settings.insights_per_call,
        lifetime=settings.cache_lifetime,
        limits=pace.limits,
        concurrency=settings.concurrency,
        lane=lane,
    )
