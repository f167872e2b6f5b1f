"""What a run tells of itself when it is over."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from core.bill import Bill
from core.errors import NotReady
from core.retry import Stop
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
