"""What all tasks of one summarise run share: where things are, who leads, and whether to stop."""

import asyncio
import logging
import random
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from contextlib import asynccontextmanager
from typing import TypeVar
from uuid import uuid4

from anthropic import AsyncAnthropic
from sqlalchemy.exc import OperationalError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from core.clock import Clock
from core.errors import NotReady
from core.plan import Chunk
from core.pricing import price_of
from core.report import RunReport
from core.retry import RATE_LIMIT, Defer, NextStep, Park, Stop
from core.settings import Settings
from core.settlement import predicted_entry
from core.states import InsightState
from core.tally import Entry, bill_of_run
from core.usage import Usage
from database.engine import connect_async, database
from tasks.claude import make_client
from tasks.warmth import Warmth

DEFERRALS_UNTIL_STOP = 3  # calls in a row that ran out of attempts: the API is down, not unlucky
REFUSALS_UNTIL_STOP = 3
CONNECTIONS_MAX = 16
COMMIT_TRIES = 5
COMMIT_PAUSE_SECONDS = 0.5  # doubled with each try
DATABASE_WENT_AWAY = (
    "The database went away during the run. What was claimed is free again when its lease ends, and figures "
    "that could not be booked wait in the spool. Start the database, then run `touchline summarize` again."
)

Watch = Callable[[Counter[str]], None]
T = TypeVar("T")

logger = logging.getLogger("touchline.run")


class Run:
    """One run of the flow, in one process. Not a dataclass: Prefect walks through those."""

    def __init__(
        self,
        *,
        run_id: str,
        model: str,
        settings: Settings,
        engine: AsyncEngine,
        client: AsyncAnthropic,
        clock: Clock,
        watch: Watch | None = None,
    ) -> None:
        self.run_id = run_id
        self.holder = str(uuid4())  # of our claims: a run that is started again is another process
        self.model = model
        self.settings = settings
        self.engine = engine
        self.client = client
        self.clock = clock
        self.warmth = Warmth()
        self.kept_versions: set[str] = set()  # prompt versions whose texts are in the database
        self.slots = asyncio.Semaphore(settings.concurrency)
        self.jitter = random.Random()
        self.stopped: Stop | None = None
        self.failure: NotReady | None = None  # what ends the run once all that is in flight was heard
        self.began_at = clock.now()
        self.claimed = 0
        self.states: Counter[str] = Counter()  # what became of this run's insights
        self.deferred: Counter[str] = Counter()  # by cause
        self.parked: Counter[str] = Counter()  # by reason
        self.predicted: list[Entry] = []
        self.billed: list[Entry] = []
        self._watch = watch
        self._deferred_in_a_row = 0
        self._answers = 0
        self._turned_away = 0
        self._deferred_insights: dict[str, str] = {}

    def wanted(self, round_size: int, insight_limit: int | None) -> int:
        """Return how many insights to claim next; 0 ends the run."""
        if self.stopped:
            return 0
        return round_size if insight_limit is None else min(round_size, insight_limit - self.claimed)

    def warm_prefixes(self) -> frozenset[str]:
        """Return the prefixes that can be read from the cache now."""
        return self.warmth.warm(self.clock.now())

    def expect(self, chunks: Iterable[Chunk]) -> None:
        """Note what the planned calls are predicted to cost."""
        now = self.clock.now()
        for call in (call for chunk in chunks for call in chunk.calls):
            self.predicted.append(predicted_entry(call, call_id=call.insight.id, at=now))

    def took(self, insight_ids: Iterable[str]) -> None:
        """Count claimed insights; one that this run had deferred is no longer so."""
        for insight_id in insight_ids:
            self.claimed += 1
            if cause := self._deferred_insights.pop(insight_id, None):
                self.states[InsightState.DEFERRED] -= 1
                self.deferred[cause] -= 1

    def deferred_one(self, insight_id: str, cause: str) -> None:
        """Count an insight that may come back within this run."""
        self._deferred_insights[insight_id] = cause
        self.concluded(InsightState.DEFERRED, cause)

    def concluded(self, state: InsightState, reason: str | None, insights: int = 1) -> None:
        """Count what became of insights, and tell whoever watches."""
        self.states[state] += insights
        if state is InsightState.DEFERRED:
            self.deferred[str(reason)] += insights
        if state is InsightState.PARKED:
            self.parked[str(reason)] += insights
        if self._watch is not None and state is not InsightState.PENDING:  # given back is not done
            self._watch(self.states)

    def heard(self, step: NextStep | None) -> None:
        """Note how an attempt ended (None: it was answered).

        Too many calls in a row that were given up stop the run, and so do a few that the API refuses as
        invalid before it has answered any: then it is not the note that is wrong.
        """
        if isinstance(step, Stop):
            self.stopped = self.stopped or step
        elif isinstance(step, Park):
            self._turned_away += 1
            if not self._answers and self._turned_away >= REFUSALS_UNTIL_STOP:
                self.stopped = self.stopped or Stop(step.reason, None)
        elif isinstance(step, Defer):
            self._deferred_in_a_row += 1
            if self._deferred_in_a_row >= DEFERRALS_UNTIL_STOP:
                limit = step.cause == RATE_LIMIT
                self.stopped = self.stopped or Stop(step.cause, step.after_seconds, is_limit=limit)
        elif step is None:
            self._answers += 1
            self._deferred_in_a_row = 0

    async def commit(self, work: Callable[[AsyncConnection], Awaitable[T]]) -> T:
        """Do work in one transaction, again when the server drops it, until it says nothing for too long.

        Raises NotReady, and stops the run with it, when the database stays away. The work must not mind
        being done twice.
        """
        for tries in range(COMMIT_TRIES):
            try:
                async with self.engine.begin() as connection:
                    return await work(connection)
            except OperationalError as error:
                logger.warning("the database ended a transaction: %s", type(error.orig).__name__)
                await self.clock.sleep(COMMIT_PAUSE_SECONDS * 2**tries)
        self.failure = self.failure or NotReady(DATABASE_WENT_AWAY)
        self.stopped = self.stopped or Stop("database_away", after_seconds=None)
        raise self.failure

    def report(self) -> RunReport:
        """Add up what the run did."""
        return RunReport(
            run_id=self.run_id,
            insights=dict(sorted((+self.states).items())),
            predicted=bill_of_run(self.predicted),
            billed=bill_of_run(self.billed),
            wall_seconds=(self.clock.now() - self.began_at).total_seconds(),
            deferred=dict(sorted((+self.deferred).items())),
            parked=dict(sorted(self.parked.items())),
            stopped=self.stopped,
        )


@asynccontextmanager
async def open_run(
    *, run_id: str, settings: Settings, model: str, clock: Clock, watch: Watch | None = None
) -> AsyncIterator[Run]:
    """Open what a run needs, in the running loop, and close it.

    Raises UnknownModel, BadInput or NotReady before anything is claimed.
    """
    price_of(Usage(1), model=model, at=clock.now())
    async with make_client(settings) as client:
        with database(settings) as found:
            engine = connect_async(found.url, connections=min(settings.concurrency, CONNECTIONS_MAX))
            try:
                yield Run(
                    run_id=run_id,
                    model=model,
                    settings=settings,
                    engine=engine,
                    client=client,
                    clock=clock,
                    watch=watch,
                )
            except OperationalError as error:
                raise NotReady(DATABASE_WENT_AWAY) from error
            finally:
                await engine.dispose()
