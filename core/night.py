"""The calls of a night as they are expected: primes in their stages, and the rest reading what they leave."""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from core.calls import Chunk, PlannedCall
from core.claimed import ClaimedInsight
from core.pages import plan_page
from core.plan import Branch, RunPlan
from core.priming import Stage, readable_before


class ExpectedNight:
    """Plans page by page; the first call of each leaf that is primed is its prime."""

    def __init__(self, plan: RunPlan, stages: Sequence[Stage], warm: Collection[str]) -> None:
        self._plan = plan
        before = readable_before(stages, plan.prefixes, warm)
        self._readable = before[-1]
        self._main = plan.reading_only(self._readable)
        self._primes = {leaf: before[number] for number, stage in enumerate(stages) for leaf in stage}
        self._stages = {leaf: number for number, stage in enumerate(stages) for leaf in stage}
        self._made: dict[str, datetime] = {}  # when a prime is made, by its first insight

    def made_at(self, call: PlannedCall) -> datetime:
        """Return when a call is made, as far as the order goes: primes before the rest, stage by stage."""
        return self._made.get(call.about.id, self._plan.terms.now)

    def chunks(self, claimed: Iterable[ClaimedInsight]) -> tuple[Chunk, ...]:
        """Return the calls of a page."""
        planned = plan_page(claimed, self._main, set(self._readable))
        return tuple(replace(chunk, calls=tuple(map(self._call, chunk.calls))) for chunk in planned)

    def _call(self, call: PlannedCall) -> PlannedCall:
        leaf = Branch(call.packed, call.about.sport, call.about.tone)
        readable = self._primes.pop(leaf, None)
        if readable is None:
            return call
        ahead = timedelta(seconds=len(self._stages) - self._stages[leaf])
        self._made[call.about.id] = self._plan.terms.now - ahead
        (chunk,) = plan_page(call.insights, self._plan, set(readable))
        return chunk.calls[0]
