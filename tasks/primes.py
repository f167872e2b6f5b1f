"""Prime the batches' cache: a real call for each prefix that is worth it, in stages, before the rest."""

from collections.abc import Collection, Sequence
from dataclasses import replace
from datetime import timedelta

from sqlalchemy.ext.asyncio import AsyncConnection

from core.calls import PlannedCall
from core.pages import plan_page
from core.plan import Branch, RunPlan
from core.priming import Stage, prime_stages, stages_in_time
from core.states import BatchKind
from models.insight import QUERIES
from models.message_batch import QUERIES as BATCHES
from tasks.batches import send_batch
from tasks.collecting import wait_until_collected, were_canceled
from tasks.insights import claim_page, give_back_some
from tasks.prompts import keep_prompts
from tasks.run import Run
from tasks.surveys import Scope
from tasks.transactions import Transactions

PRIMED_AT_MOST = 2  # times: what has not worked twice is done without
PATIENCE = timedelta(hours=2)  # with a batch of primes; then the rest goes out without them
BATCH_SECONDS = 600.0  # until batches have shown how long they take
BATCHES_LOOKED_AT = 20
CLAIMS_TRIED = 3  # others may be quicker
INSIGHTS_MAX = 1_000_000  # of one player


async def prime(run: Run, plan: RunPlan, scope: Scope) -> bool:
    """Write what is marked and cold into the batches' cache, and wait until that is done.

    False when somebody cancelled it: then nothing more is to be sent.
    """
    for _ in range(PRIMED_AT_MOST):
        warm = await run.warmth.look(plan.marked_keys)
        stages = await stages_to_prime(run.transactions, plan, warm, run.settings.account)
        if not stages:
            break
        for number, stage in enumerate(stages, 1):
            calls = await _claim_primes(run, plan, scope, stage)
            batch_id = await _send(run, scope, calls, number) if calls else None
            if batch_id is None:
                continue
            if not await wait_until_collected(run, [batch_id], PATIENCE):
                return not await were_canceled(run, [batch_id])
    return True


async def stages_to_prime(
    transactions: Transactions, plan: RunPlan, warm: Collection[str], account: str
) -> tuple[Stage, ...]:
    """Return the calls that priming takes now, in as many stages as batches lately had time for."""
    return prime_stages(
        plan.prefixes,
        warm,
        plan.terms.prices,
        total_price=plan.expected_price,
        stages_max=stages_in_time(await usual_seconds(transactions, account)),
    )


async def usual_seconds(transactions: Transactions, account: str) -> float:
    """Return how long batches have lately taken."""
    asked = {"account": account, "row_limit": BATCHES_LOOKED_AT}

    async def read(connection: AsyncConnection) -> float | None:
        return (await connection.execute(BATCHES["usual_seconds"], asked)).scalar()

    seconds = await transactions.commit(read)
    return BATCH_SECONDS if seconds is None else float(seconds)


async def _send(run: Run, scope: Scope, calls: Sequence[PlannedCall], number: int) -> str | None:
    now, clubs = run.clock.now(), {club.organization_id: club for club in scope.clubs}
    due_at = min(clubs[call.about.organization_id].due_after(now) for call in calls)
    return await send_batch(run, calls, BatchKind.PRIME, due_at=due_at, stage=number)


async def _claim_primes(run: Run, plan: RunPlan, scope: Scope, stage: Stage) -> list[PlannedCall]:
    """Claim a call for each leaf of a stage; a leaf of which nothing is to be had (any more) goes without."""
    readable, calls = set(await run.warmth.look(plan.marked_keys)), list[PlannedCall]()
    for leaf in stage:
        if call := await _claim_prime(run, plan, scope, leaf, readable):
            calls.append(call)
    return calls


async def _claim_prime(
    run: Run, plan: RunPlan, scope: Scope, leaf: Branch, readable: set[str]
) -> PlannedCall | None:
    """Claim the insights of one player and plan a call in the leaf's form; let go of what is not in it."""
    group = next(one for one in plan.order if (one.sport, one.tone) == (leaf.sport, leaf.tone))
    tried: list[str] = []
    while len(tried) < CLAIMS_TRIED and (wanted := run.wanted(plan.insights_max, scope.insight_limit)) > 0:
        player_id = await _player_waiting(run, plan, scope, leaf, tried)
        if player_id is None:
            break
        tried.append(player_id)
        claimed = await claim_page(run, group, replace(scope, player_ids=[player_id]), wanted)
        chunks = plan_page(claimed, plan, set(readable))
        calls = [call for chunk in chunks for call in chunk.calls]
        call = next((call for call in calls if call.packed is leaf.packed), None)
        used = {one.id for one in call.insights} if call else set()
        await give_back_some(run, [one.id for one in claimed if one.id not in used])
        if call:
            await keep_prompts(run, chunks)
            return call
    return None


async def _player_waiting(
    run: Run, plan: RunPlan, scope: Scope, leaf: Branch, tried: Sequence[str]
) -> str | None:
    """Return the player who has waited longest of those whose insights make a call in the leaf's form."""
    packs, singles = leaf.packed and not plan.packs_singles, not leaf.packed and plan.insights_max > 1
    asked = scope.due(run.clock.now()) | {
        "sport": leaf.sport,
        "tone": leaf.tone,
        "but_player_ids": list(tried),
        "due_min": 2 if packs else 1,
        "due_max": 1 if singles else INSIGHTS_MAX,
    }

    async def read(connection: AsyncConnection) -> str | None:
        return (await connection.execute(QUERIES["player_waiting"], asked)).scalar()

    return await run.commit(read)
