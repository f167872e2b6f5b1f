"""Ask the model about labelled notes: on the ledger like every call, and nowhere else in the database."""

import json
import os
from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

from sqlalchemy.dialects import postgresql as pg
from sqlalchemy.ext.asyncio import AsyncConnection

from core.bill import Bill
from core.calls import PlannedCall
from core.clock import Clock
from core.club import GENERATION, permitted
from core.errors import BadInput, Stopped
from core.evaluation import Response
from core.labelled import Case, parse_cases
from core.retry import Defer, Failure, NextStep, Park, Retry, Stop
from core.roster import Roster
from core.settings import Settings
from core.settlement import Attempt, Settlement, entry_of, settled_by_failure, settled_by_reply
from core.states import Outcome
from core.tally import RunTally
from core.verdict import Reply, judge
from models import setting
from models.ai_usage_log import QUERIES, AiUsageLog
from tasks.calls import Booking, ask_until_settled
from tasks.ledger import sent_row, settle
from tasks.run import Run, Watch, open_run
from tasks.together import together

OPERATION = "evaluation"
HEARD_WITHIN = timedelta(minutes=10)  # far longer than a request may take


def read_cases(path: Path) -> tuple[Case, ...]:
    """Read a labelled file. Raises BadInput that names the file and each wrong line."""
    try:
        return parse_cases(path.read_text("utf-8").splitlines(), str(path))
    except (OSError, UnicodeDecodeError) as error:
        raise BadInput(
            f"{path} cannot be read ({error}); give a file of labelled notes with --notes."
        ) from None


def prepare_file(path: Path) -> None:
    """Make sure, before anything is spent, that an evaluation can be written there."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise BadInput(f"{path} cannot be written ({error.strerror}); give another with --out.") from None
    if path.is_dir() or not os.access(path.parent, os.W_OK):
        raise BadInput(f"{path} is no file that can be written; give another with --out.")


def write_file(path: Path, evaluation: Mapping[str, Any]) -> None:
    """Write an evaluation, whole or not at all."""
    unfinished = path.with_name(f"{path.name}.tmp")
    unfinished.write_text(json.dumps(evaluation, ensure_ascii=False, indent=1) + "\n", "utf-8")
    unfinished.replace(path)


async def ask_all(
    calls: Sequence[PlannedCall],
    heard: "Heard",
    *,
    model: str,
    settings: Settings,
    clock: Clock,
) -> Stop | None:
    """Make the calls; `heard` takes what comes back, also when the run is ended early. Gives why it stopped.

    What was in flight when a run ended, this one or one that was killed, is on the ledger as lost. Raises
    NotReady when the database goes away, Stopped when generation is switched off for the platform.
    """
    async with open_run(run_id=str(uuid4()), settings=settings, model=model, clock=clock) as run:
        await _check_switch(run)
        booking = Booking(_record_sent, heard.settle_failure, heard.settle_reply)
        try:
            await together(ask_until_settled(run, call, booking) for call in calls)
        finally:
            await _lose_unheard(run)
        if run.failure:
            raise run.failure
        return run.stopped


async def _check_switch(run: Run) -> None:
    async def read(connection: AsyncConnection) -> str | None:
        place = {"organization_id": None, "name": GENERATION.name}
        return (await connection.execute(setting.QUERIES["own"], place)).scalar()

    if not permitted(GENERATION, await run.commit(read), None):
        raise Stopped(
            "Generation is switched off: the model was asked nothing. "
            "Switch it on with: touchline config set generation on"
        )


async def _lose_unheard(run: Run) -> None:
    now = run.clock.now()
    unheard = {
        "operation": OPERATION,
        "flow_run_id": run.run_id,
        "sent_before": now - HEARD_WITHIN,
        "now": now,
    }

    async def lose(connection: AsyncConnection) -> None:
        await connection.execute(QUERIES["lose_unheard"], unheard)

    await run.commit(lose)


async def _record_sent(run: Run, attempt: Attempt) -> tuple[str, ...]:
    async def record(connection: AsyncConnection) -> tuple[str, ...]:
        row = sent_row(run, attempt, OPERATION)
        await connection.execute(pg.insert(AiUsageLog).on_conflict_do_nothing(), row)
        return tuple(insight.id for insight in attempt.call.insights)

    return await run.commit(record)


class Heard:
    """What was heard so far. Every attempt is settled on the ledger before it counts."""

    def __init__(self, watch: Watch) -> None:
        self.by_case: dict[str, Response] = {}
        self._billed = RunTally()
        self._watch = watch

    def bill(self) -> Bill:
        """What was billed so far."""
        return self._billed.bill()

    async def settle_failure(
        self, run: Run, attempt: Attempt, failure: Failure, step: NextStep
    ) -> tuple[str, ...]:
        await self._settle(run, attempt, settled_by_failure(attempt, failure, run.clock.now()))
        run.heard(step, attempt.call.about.id)
        if not isinstance(step, Retry):
            self._keep(attempt, Response(None, _cause(step), None))
        return ()

    async def settle_reply(
        self, run: Run, attempt: Attempt, reply: Reply, may_ask_again: bool
    ) -> tuple[str, ...]:
        judged = judge(reply, attempt.call, Roster(()))
        await self._settle(run, attempt, settled_by_reply(attempt, reply, judged, run.clock.now()))
        run.heard(None, attempt.call.about.id)
        if judged.outcome is Outcome.UNUSABLE and may_ask_again:
            return judged.unanswered
        (verdict,) = judged.verdicts
        self._keep(attempt, Response(verdict.answer, judged.reason, reply.usage.output_tokens))
        return ()

    async def _settle(self, run: Run, attempt: Attempt, settlement: Settlement) -> None:
        """Book the figures; they conclude nothing."""
        await settle(run, settlement, {})
        self._billed.add(entry_of(attempt, settlement))

    def _keep(self, attempt: Attempt, response: Response) -> None:
        self.by_case[attempt.call.about.id] = response
        kinds = ("answered" if kept.answer else "without an answer" for kept in self.by_case.values())
        self._watch(Counter(kinds))


def _cause(step: Defer | Park | Stop) -> str:
    return step.reason if isinstance(step, Park) else step.cause
