"""What a run tells of itself when it is over."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

from core.bill import Bill
from core.errors import NotReady
from core.names import count, short_usd
from core.retry import Stop
from core.states import InsightState
from core.waterfall import Waterfall


@dataclass(frozen=True, slots=True)
class RunReport:
    """RUN of the interfaces: what became of the run's insights, and what was predicted and billed."""

    run_id: str
    insights: Mapping[str, int]  # by the state in which the run left them
    predicted: Bill
    predicted_given_answers: Bill  # the same with the answers' true lengths, of the calls that were answered
    billed: Bill
    waterfall: Waterfall
    wall_seconds: float
    deferred: Mapping[str, int]  # by cause
    parked: Mapping[str, int]  # by reason
    stopped: Stop | None = None

    def to_json(self) -> dict[str, Any]:
        """Return the report as the interfaces name it."""
        return {
            "run_id": self.run_id,
            "insights": dict(self.insights),
            "predicted": self.predicted.to_json(),
            "predicted_given_answers": self.predicted_given_answers.to_json(),
            "billed": self.billed.to_json(),
            "waterfall": self.waterfall.to_json(),
            "wall_seconds": self.wall_seconds,
            "deferred": dict(self.deferred),
            "parked": dict(self.parked),
        }

    def raise_when_set_up_wrong(self) -> None:
        """Raise NotReady when the API turned the run away for a reason that no waiting will mend."""
        if self.stopped is not None and self.stopped.after_seconds is None:
            raise NotReady(
                f"The API turned the run away ({self.stopped.cause}); what is not parked is pending again. "
                "Check ANTHROPIC_API_KEY, ANTHROPIC_BASE_URL and TOUCHLINE_MODEL, then run it again."
            )

    def sentence(self) -> str:
        """Say in one line what the run did."""
        summarized = self.insights.get("summarized", 0)
        return (
            f"{summarized} of {sum(self.insights.values())} insights summarized for "
            f"${self.billed.cost_usd:.6f}, {self.billed.cache_hit_rate:.1%} of the input read from the cache"
        )

    @property
    def idle(self) -> bool:
        """True when nothing became of any insight, and nothing was sent: there is nothing to show."""
        return not any(self.insights.values()) and not self.billed.attempts

    @property
    def needs_attention(self) -> bool:
        """True when a person should look: something is parked, or the run did not drain what was due."""
        return bool(self.parked) or self.stopped is not None

    def name(self) -> str:
        """Name the run by what it did: what came of it, what it cost, and what needs a person."""
        summarized = self._number(InsightState.SUMMARIZED)
        answered = summarized or self.billed.total_input_tokens  # else there are estimates at most
        done = [count(summarized, "insight"), self.cost_in_short()] if answered else []
        return ", ".join([*done, *self._left()]) or "nothing due"

    def cost_in_short(self) -> str:
        """Say what was billed, rounded, and which share of the input was read from the cache."""
        return f"{short_usd(self.billed.cost_usd)}, hit {self.billed.cache_hit_rate:.2f}"

    def _left(self) -> list[str]:
        """What is not summarized, and why."""
        states = {state: number for state, number in self.insights.items() if number}
        left = [f"stopped: {self.stopped.cause}"] if self.stopped else []
        if self._number(InsightState.PARKED):
            left.append(f"{self._number(InsightState.PARKED):,} parked")
        if self._number(InsightState.DEFERRED):
            left.append(f"{self._number(InsightState.DEFERRED):,} deferred{self._causes()}")
        words = {InsightState.IN_BATCH: "still in batches", InsightState.PENDING: "given back"}
        left += [f"{states[state]:,} {said}" for state, said in words.items() if state in states]
        if not left and not self._number(InsightState.SUMMARIZED) and InsightState.SKIPPED in states:
            left.append(f"{states[InsightState.SKIPPED]:,} skipped")
        return left

    def _causes(self) -> str:
        """The causes of what is deferred, unless the run was stopped for that very one."""
        causes = {cause: number for cause, number in self.deferred.items() if number}
        if self.stopped and set(causes) <= {self.stopped.cause}:
            return ""
        if len(causes) == 1:
            return f" ({next(iter(causes))})"
        return f" ({', '.join(f'{cause} {number:,}' for cause, number in causes.items())})" if causes else ""

    def _number(self, state: str) -> int:
        return self.insights.get(state, 0)


@dataclass(frozen=True, slots=True)
class Collected:
    """What one look at the open batches came to; `report` is on the runs that had sent them, as a whole.

    `finished` are those runs of which nothing is open any more; `insights` this look has settled, of
    `batches_closed`.
    """

    run_ids: Collection[str]
    finished: Mapping[str, RunReport]
    insights: int
    batches_closed: int
    batches_open: int
    report: RunReport

    @property
    def idle(self) -> bool:
        """True when this look has settled nothing."""
        return not (self.insights or self.batches_closed)

    @property
    def needs_attention(self) -> bool:
        """True when a person should look: the look was stopped, or what it settled is parked."""
        return self.report.stopped is not None or (not self.idle and self.report.needs_attention)

    def name(self) -> str:
        """Name the look by what it collected."""
        still = [f"{count(self.batches_open, 'batch', 'batches')} open"] if self.batches_open else []
        if self.report.stopped:
            still = [f"stopped: {self.report.stopped.cause}", *still]
        if self.idle:
            return ", ".join(still) or "nothing to collect"
        runs = count(len(self.run_ids), "run")
        parked = self.report.insights.get(InsightState.PARKED, 0)
        if parked:
            still = [f"{parked:,} parked", *still]
        done = f"collected {count(self.insights, 'insight')} of {runs}, {self.report.cost_in_short()}"
        return ", ".join([done, *still])
