"""How far a long run is, as a progress artifact: told from places that the run passes anyway."""

from datetime import timedelta
from typing import TYPE_CHECKING, NamedTuple
from uuid import UUID

from prefect.artifacts import acreate_progress_artifact, aupdate_progress_artifact
from prefect.runtime import flow_run

from core.states import InsightState, Lane
from models.message_batch import QUERIES
from tasks.run_page import shown

if TYPE_CHECKING:
    from tasks.run import Run

TOLD_EVERY = timedelta(seconds=5)
TOLD_AGAIN_AFTER = timedelta(minutes=5)  # when Prefect has not taken it
TELL_SECONDS_MAX = 5.0  # the run waits no longer for Prefect


class HowFar(NamedTuple):
    """So many of so many things."""

    done: int
    of: int
    things: str

    @property
    def percent(self) -> float:
        """As the bar shows it, 0..100."""
        return min(100.0, 100 * self.done / self.of) if self.of else 0.0

    @property
    def words(self) -> str:
        """As the description says it."""
        return f"{self.done:,} of {self.of:,} {self.things}"


class Progress:
    """The progress artifact of one run; a run that is over within seconds gets none."""

    def __init__(self, run: "Run") -> None:
        self._run = run
        self._due = 0  # insights that are to be concluded, as of the latest survey
        self._quiet_until = run.began_at + TOLD_EVERY
        self._artifact_id: UUID | None = None
        self._flow_run_id: str | None = flow_run.id  # outside of a flow run there is no page to show it on

    def found(self, insights: int, insight_limit: int | None) -> None:
        """Note how many insights a survey has found, of which the run takes up to its limit."""
        room = insights if insight_limit is None else max(0, insight_limit - self._run.claimed)
        self._due = self._concluded() + min(insights, room)

    async def tell(self) -> None:
        """Tell how far the run is, unless that was told a moment ago."""
        now = self._run.clock.now()
        if self._flow_run_id is None or not self._due or now < self._quiet_until:
            return
        self._quiet_until = now + TOLD_AGAIN_AFTER  # whoever else passes by meanwhile tells nothing
        async with shown(f"the progress of run {self._run.run_id}", TELL_SECONDS_MAX):
            how_far = await self._look()
            await self._show(how_far.percent, how_far.words)
            self._quiet_until = now + TOLD_EVERY

    async def finish(self, words: str) -> None:
        """Say that the run is over, where there was something to say before."""
        if self._artifact_id is not None:
            async with shown(f"the end of run {self._run.run_id}", TELL_SECONDS_MAX):
                await self._show(100.0, words)

    async def _show(self, percent: float, words: str) -> None:
        if self._artifact_id is None:
            key = f"{self._run.lane}-progress"
            self._artifact_id = await acreate_progress_artifact(percent, key, words)
        else:
            await aupdate_progress_artifact(self._artifact_id, percent, words)

    async def _look(self) -> HowFar:
        if self._run.lane is Lane.LIVE:
            return HowFar(self._concluded(), self._due, "insights concluded")
        async with self._run.engine.connect() as connection:
            row = (await connection.execute(QUERIES["progress"], {"run_id": self._run.run_id})).one()
        return HowFar(row.collected, row.sent, "calls of the main batches collected")

    def _concluded(self) -> int:
        """How many insights something has become of: what is given back still waits."""
        states = self._run.states
        return states.total() - states[InsightState.PENDING]
