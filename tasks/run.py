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
from sqlalchemy.exc import DBAPIError, OperationalError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from core.calls import Chunk, PlannedCall
from core.clock import Clock
from core.errors import BooksDisagree, NotReady
from core.pricing import price_of
from core.report import RunReport
from core.retry import RATE_LIMIT, Defer, NextStep, Park, Stop
from core.settings import Settings
from core.settlement import predicted_entry
from core.states import InsightState, Lane
from core.tally import RunTally
from core.usage import Usage
from core.waterfall import Packing
from database.engine import connect_async, database
from tasks.claude import make_client
from tasks.lengths import ANSWER, TEXT, Lessons
from tasks.limits import Pace
from tasks.logs import run_logs
from tasks.progress import Progress
from tasks.rosters import Rosters
from tasks.transactions import DATABASE_WENT_AWAY, Transactions
from tasks.warmth import warmth_in

DEFERRALS_UNTIL_STOP = 3  # calls in a row that ran out of attempts: the API is down, not unlucky
REFUSALS_UNTIL_STOP = 3
CONNECTIONS_MAX = 16
CALLS_AHEAD_MIN = 100

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
        lane: Lane = Lane.LIVE,
    ) -> None:
        self.run_id = run_id
        self.lane = lane
        self.holder = str(uuid4())  # of our claims: a run that is started again is another process
        self.model = model
        self.settings = settings
        self.engine = engine
        self.client = client
        self.clock = clock
        self.transactions = Transactions(engine, clock, self._database_went_away)
        self.rosters = Rosters(self.transactions, clock)
        self.warmth = warmth_in(
            lane, self.transactions, account=settings.account, holder=self.holder, clock=clock
        )
        self.pace = Pace(self.transactions, account=settings.account, model=model, clock=clock)
        self.lessons = Lessons()
        self.counted = False  # the API has counted the shared layers
        self.kept_versions: set[str] = set()  # prompt versions whose texts are in the database
        self.slots = asyncio.Semaphore(settings.concurrency)
        self.jitter = random.Random()
        self.stopped: Stop | None = None
        self.began_at = clock.now()
        self.claimed = 0
        self.states: Counter[str] = Counter()  # what became of this run's insights
        self.unasked: Counter[tuple[str, str]] = Counter()  # by state and reason, what no call was made for
        self.deferred: Counter[str] = Counter()  # by cause
        self.parked: Counter[str] = Counter()  # by reason
        self.progress = Progress(self)
        self.billed = RunTally()
        self._predicted = RunTally()
        self._predicted_given_answers = RunTally()
        self._packing = Packing()
        self._watch = watch
        self._deferred_in_a_row = 0
        self._answers = 0
        self._turned_away: set[str] = set()
        self._deferred_insights: dict[str, str] = {}

    def wanted(self, round_size: int, insight_limit: int | None) -> int:
        """Return how many insights to claim next; 0 ends the run."""
        if self.stopped:
            return 0
        return round_size if insight_limit is None else min(round_size, insight_limit - self.claimed)

    @property
    def calls_ahead(self) -> int:
        """How many planned calls may wait before more is claimed: enough to keep every slot busy."""
        return max(CALLS_AHEAD_MIN, 2 * self.settings.concurrency)

    def expect(self, chunks: Iterable[Chunk]) -> None:
        """Note what the planned calls are predicted to cost."""
        now = self.clock.now()
        for call in (call for chunk in chunks for call in chunk.calls):
            self._predicted.add(predicted_entry(call, now))

    def answered(self, call: PlannedCall, usage: Usage) -> None:
        """Note an answer that was used: how long it was, and what asking for several at once spared."""
        now, about = self.clock.now(), call.about
        self._predicted_given_answers.add(predicted_entry(call, now, usage.output_tokens))
        self._packing.add(call, now)
        self.lessons.add(ANSWER + about.tone, len(call.insights), usage.output_tokens)
        if not self.counted:
            return  # behind layers of estimated length nothing can be told apart
        texts = (call.layers[-1].text, *call.notes)
        told = usage.total_input_tokens - call.prefixes[-2].tokens
        self.lessons.add(TEXT, sum(map(len, texts)), max(0, told))

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

    def concluded_unasked(self, state: InsightState, reason: str | None, insights: int) -> None:
        """Count what became of insights that no call of this run was made for."""
        if state is not InsightState.PENDING:
            self.unasked[state, str(reason)] += insights
        self.concluded(state, reason, insights)

    def heard(self, step: NextStep | None, about: str) -> None:
        """Note how an attempt about somebody ended (None: it was answered).

        Too many calls in a row that were given up stop the run, and so do a few, about as many people, that
        the API refuses as invalid before it has answered any: then it is not the note that is wrong.
        """
        if isinstance(step, Stop):
            self.stopped = self.stopped or step
        elif isinstance(step, Park):
            self._turned_away.add(about)
            if not self._answers and len(self._turned_away) >= REFUSALS_UNTIL_STOP:
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
        """Do work in one transaction. Raises NotReady, and stops the run, when the database stays away."""
        return await self.transactions.commit(work)

    @property
    def finished(self) -> int:
        """How many insights are done, for good or until a person or a switch lets them go on."""
        states = InsightState.SUMMARIZED, InsightState.PARKED, InsightState.SKIPPED
        return sum(self.states[state] for state in states)

    @property
    def failure(self) -> NotReady | None:
        """What ends the run once all that is in flight was heard."""
        return self.transactions.failure

    def _database_went_away(self) -> None:
        self.stopped = self.stopped or Stop("database_away", after_seconds=None)

    def report(self) -> RunReport:
        """Add up what the run did."""
        billed = self.billed.bill()
        return RunReport(
            run_id=self.run_id,
            insights=dict(sorted((+self.states).items())),
            predicted=self._predicted.bill(),
            predicted_given_answers=self._predicted_given_answers.bill(),
            billed=billed,
            waterfall=self._packing.waterfall(billed, self.model, self.clock.now()),
            wall_seconds=(self.clock.now() - self.began_at).total_seconds(),
            deferred=dict(sorted((+self.deferred).items())),
            parked=dict(sorted(self.parked.items())),
            stopped=self.stopped,
        )


@asynccontextmanager
async def open_run(
    *,
    run_id: str,
    settings: Settings,
    model: str,
    clock: Clock,
    watch: Watch | None = None,
    lane: Lane = Lane.LIVE,
) -> AsyncIterator[Run]:
    """Open what a run needs, in the running loop, and close it.

    Raises UnknownModel, BadInput or NotReady before anything is claimed.
    """
    price_of(Usage(1), model=model, at=clock.now())
    with run_logs(settings, run_id=run_id, lane=lane):
        rehearsal = ", a rehearsal" if settings.rehearsal else ""
        logger.info("run began: %s lane, %s%s", lane, model, rehearsal)
        try:
            async with make_client(settings) as client, _open_database(settings) as engine:
                yield Run(
                    run_id=run_id,
                    model=model,
                    settings=settings,
                    engine=engine,
                    client=client,
                    clock=clock,
                    watch=watch,
                    lane=lane,
                )
        except BaseException:
            logger.info("run broke off", exc_info=True)  # what it means is told where it is caught
            raise


@asynccontextmanager
async def _open_database(settings: Settings) -> AsyncIterator[AsyncEngine]:
    with database(settings) as found:
        engine = connect_async(found.url, connections=min(settings.concurrency, CONNECTIONS_MAX))
        try:
            yield engine
        except OperationalError as error:
            raise NotReady(DATABASE_WENT_AWAY) from error
        except DBAPIError as error:  # not chained, only named: the server's words may quote a row
            refusal = type(error.orig).__name__
            raise BooksDisagree(
                f"The database refuses what the run writes ({refusal}): see its log."
            ) from None
        finally:
            await engine.dispose()
