"""What a plan tells of itself: PLAN of the interfaces, added up page by page."""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from core.bill import Bill, plain_money
from core.calls import Chunk, PlannedCall
from core.forecast import Forecast, Load, forecast
from core.plan import Branch, PlannedPrefix, RunPlan, Terms
from core.pricing import CacheTtl
from core.priming import Stage, writes_of
from core.settlement import predicted_entry
from core.states import Lane
from core.tally import RunTally

SUMMARIES = 1_000  # what a prefix's cost is told for
SEVERAL_CALLS = "of players with several calls"
ONE_CALL = "of players with one call: nobody would read it"
IN_A_BATCH = "calls of one batch cannot read what another of them writes"
MONEY_STEP = Decimal("1e-12")  # the ledger's


@dataclass(frozen=True, slots=True)
class PrefixRow:
    """One prefix, or all players' layers of a kind: why it is marked or not, and what its part costs."""

    form: str  # `pack` or `single`
    layers: tuple[str, ...]
    tokens: int  # up to its end; of players the longest
    uses: int
    ttl: CacheTtl | None
    reason: str
    cost_usd: Decimal  # of what it adds to the prefix before it

    def to_json(self, insights: int) -> dict[str, Any]:
        """Return the row as the interfaces name it."""
        per_1000 = (self.cost_usd * SUMMARIES / insights).quantize(MONEY_STEP)
        return {
            "form": self.form,
            "layers": list(self.layers),
            "tokens": self.tokens,
            "uses": self.uses,
            "marker": self.ttl is not None,
            "ttl": self.ttl,
            "reason": self.reason,
            "cost_per_1000_summaries_usd": plain_money(per_1000),
        }


@dataclass(frozen=True, slots=True)
class PlanReport:
    """What would be called, and what it would cost; nothing of it has happened."""

    insights: int
    packs: Mapping[int, int]
    prefixes: tuple[PrefixRow, ...]
    predicted: Bill
    forecast: Forecast
    counted: bool  # the API has counted the shared layers; else they are estimated by characters
    lane: Lane = Lane.LIVE
    stages: tuple[Stage, ...] = ()  # of priming, a call for each leaf, before everything else

    def to_json(self) -> dict[str, Any]:
        """Return PLAN of the interfaces."""
        return {
            "lane": self.lane.value,
            "insights": self.insights,
            "calls": self.predicted.calls,
            "packs": {str(size): number for size, number in sorted(self.packs.items())},
            "prefixes": [row.to_json(self.insights) for row in self.prefixes],
            "predicted": self.predicted.to_json(),
            "duration_seconds": self.forecast.seconds,
            "limited_by": self.forecast.limited_by,
            "counted": self.counted,
            "primes": [
                {"stage": number, "form": form_of(leaf.packed), "layers": list(layers_of(leaf))}
                for number, stage in enumerate(self.stages, 1)
                for leaf in stage
            ],
        }


class PlanTally:
    """Adds up the calls of a plan; memory does not grow with them."""

    def __init__(self, plan: RunPlan, warm: Mapping[str, CacheTtl]) -> None:
        self._plan = plan
        self._warm = warm
        self._bill = RunTally()
        self._packs: Counter[int] = Counter()
        self._load = Load(0, 0, 0)
        self._players: dict[tuple[str, CacheTtl | None], PrefixRow] = {}
        self._players_seen: set[str] = set()

    def add(self, chunks: Iterable[Chunk], at: Callable[[PlannedCall], datetime] | None = None) -> None:
        """Add the planned calls of a page, on which every player is whole; `at` says when each is made."""
        self._players_seen.clear()
        for call in (call for chunk in chunks for call in chunk.calls):
            usage = call.predicted
            self._bill.add(predicted_entry(call, at(call) if at else self._plan.terms.now))
            self._packs[len(call.insights)] += 1
            self._load = Load(
                self._load.calls + 1,
                self._load.input_tokens + usage.total_input_tokens - usage.cache_read_tokens,
                self._load.output_tokens + usage.output_tokens,
            )
            self._add_player(call)

    def report(self, stages: tuple[Stage, ...] = (), batch_seconds: float = 0.0) -> PlanReport:
        """Return the plan as told to a person or a program; overnight with the stages of priming."""
        terms = self._plan.terms
        limit = forecast(self._load, terms.limits, terms.concurrency)
        if terms.lane is Lane.OVERNIGHT and self._packs:
            limit = Forecast((len(stages) + 1) * batch_seconds, "batches, one after another")
        written = writes_of(stages, self._plan.prefixes, self._warm)
        shared = [
            _row(one, terms, written[branch] if stages else int(one.prefix.key not in self._warm))
            for branch, one in self._plan.prefixes.items()
        ]
        players = sorted(self._players.values(), key=lambda row: (row.form, str(row.ttl)))
        return PlanReport(
            insights=sum(size * number for size, number in self._packs.items()),
            packs=dict(self._packs),
            prefixes=(*shared, *players) if self._packs else (),
            predicted=self._bill.bill(),
            forecast=limit,
            counted=bool(terms.measured.frames),
            lane=terms.lane,
            stages=stages,
        )

    def _add_player(self, call: PlannedCall) -> None:
        player, before = call.prefixes[-1], call.prefixes[-2]
        form, prices = form_of(call.packed), self._plan.terms.prices
        price = prices.input
        if player.ttl is not None:
            first = player.key not in self._players_seen
            self._players_seen.add(player.key)
            write = prices.cache_write_5m if player.ttl == "5m" else prices.cache_write_1h
            price = write if first else prices.cache_read
        so_far = self._players.get((form, player.ttl))
        self._players[form, player.ttl] = PrefixRow(
            form=form,
            layers=("instructions", "sport", "tone", "player"),
            tokens=max(player.tokens, so_far.tokens if so_far else 0),
            uses=1 + (so_far.uses if so_far else 0),
            ttl=player.ttl,
            reason=SEVERAL_CALLS if player.ttl else IN_A_BATCH if call.lane is Lane.OVERNIGHT else ONE_CALL,
            cost_usd=(player.tokens - before.tokens) * price.scaleb(-6)
            + (so_far.cost_usd if so_far else Decimal(0)),
        )


def _row(planned: PlannedPrefix, terms: Terms, writes: int) -> PrefixRow:
    branch, prefix, prices = planned.branch, planned.prefix, terms.prices
    price = planned.uses * prices.input
    if prefix.ttl is not None:
        write = prices.cache_write_5m if prefix.ttl == "5m" else prices.cache_write_1h
        price = writes * write + (planned.uses - writes) * prices.cache_read
    layers = layers_of(branch)
    return PrefixRow(
        form=form_of(branch.packed),
        layers=layers,
        tokens=prefix.tokens,
        uses=planned.uses,
        ttl=prefix.ttl,
        reason=planned.decision.reason,
        cost_usd=planned.segment_tokens * price.scaleb(-6),
    )


def layers_of(branch: Branch) -> tuple[str, ...]:
    """Name the layers of a shared prefix."""
    return ("instructions", *(part for part in (branch.sport, branch.tone) if part))


def form_of(packed: bool) -> str:
    """Name the form in which a call is asked."""
    return "pack" if packed else "single"
