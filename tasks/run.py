"""What all tasks of one summarise run share: where things are, who leads, and whether to stop."""

import asyncio
import random
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager

from anthropic import AsyncAnthropic
from sqlalchemy.exc import OperationalError
from sqlalchemy.ext.asyncio import AsyncEngine

from core.clock import Clock
from core.errors import NotReady
from core.plan import Chunk
from core.pricing import price_of
from core.report import RunReport
from core.retry import RATE_LIMIT, Defer, NextStep, Stop
from core.settings import Settings
from core.settlement import predicted_entry
from core.states import InsightState
from core.tally import Entry, bill_of_run
from core.usage import Usage
from database.engine import connect_async, database
from tasks.claude import make_client
from tasks.warmth import Warmth

DEFERRALS_UNTIL_STOP = 3  # calls in a row that ran out of attempts: the API is down, not unlucky
CONNECTIONS_MAX = 16
DATABASE_WENT_AWAY = (
    "The database went away during the run. What was claimed is free again when its lease ends, and figures "
    "that could not be booked wait in the spool. Start the database, then run `touchline summarize` again."
)

Watch = Callable[[Counter[str]], None]


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
        self.model = model
        self.settings = settings
        self.engine = engine
        self.client = client
        self.clock = clock
        self.warmth = Warmth()
        self.slots = asyncio.Semaphore(settings.concurrency)
        self.jitter = random.Random()
        self.stopped: Stop | None = None
        self.began_at = clock.now()
        self.claimed = 0
        self.states: Counter[str] = Counter()  # what became of this run's insights
        self.deferred: Counter[str] = Counter()  # by cause
        self.parked: Counter[str] = Counter()  # by reason
        self.predicted: list[Entry] = []
        self.billed: list[Entry] = []
        self._watch = watch
        self._deferred_in_a_row = 0

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

    def concluded(self, state: InsightState, reason: str | None, insights: int = 1) -> None:
        """Count what became of insights, and tell whoever watches."""
        self.states[state] += insights
        if state is InsightState.DEFERRED:
            self.deferred[str(reason)] += insights
        if state is InsightState.PARKED:
            self.parked[str(reason)] += insights
        if self._watch is not None:
            self._watch(self.states)

    def heard(self, step: NextStep | None) -> None:
        """Note how an attempt ended (None: it was answered); too many outages in a row stop the run."""
        if isinstance(step, Stop):
            self.stopped = self.stopped or step
        elif isinstance(step, Defer):
            self._deferred_in_a_row += 1
            if self._deferred_in_a_row >= DEFERRALS_UNTIL_STOP:
                limit = step.cause == RATE_LIMIT
                self.stopped = self.stopped or Stop(step.cause, step.after_seconds, is_limit=limit)
        elif step is None:
            self._deferred_in_a_row = 0

    def report(self) -> RunReport:
        """Add up what the run did."""
        return RunReport(
            run_id=self.run_id,
            insights=dict(sorted(self.states.items())),
            predicted=bill_of_run(self.predicted),
            billed=bill_of_run(self.billed),
            wall_seconds=(self.clock.now() - self.began_at).total_seconds(),
            deferred=dict(sorted(self.deferred.items())),
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
