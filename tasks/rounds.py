"""A run's rounds: the same work again until nothing more comes of it, and nothing held at the end."""

from collections.abc import Awaitable, Callable

from core.retry import Stop
from tasks.insights import GENERATION_OFF, give_back_claims, refresh_switches
from tasks.run import Run
from tasks.surveys import Scope, in_reach


async def drain(run: Run, asked: Scope, do_round: Callable[[Run, Scope], Awaitable[bool]]) -> None:
    """Do rounds until one says that there is nothing left; switches are read afresh before each.

    Whatever ends them, what the run still holds is given back. Where generation is switched off for every
    club there is none. Raises the run's failure.
    """
    await refresh_switches(run, asked.organization_id)
    scope = await in_reach(run.transactions, asked, run.clock.now())
    if scope.clubs and not any(club.generation for club in scope.clubs):
        run.stopped = Stop(GENERATION_OFF, after_seconds=0.0, is_limit=True)
    try:
        while await do_round(run, scope):
            await refresh_switches(run, asked.organization_id)
        if run.failure:
            raise run.failure
    finally:
        await give_back_claims(run, scope)
