"""The bill of a set of calls: what they cost, would have cost uncached, and could have cost at best."""

from collections.abc import Iterable
from dataclasses import dataclass, fields
from decimal import Decimal

from core.floor import FloorTally, Request
from core.pricing import uncached_cost
from core.usage import RATE_STEP, Usage


@dataclass(frozen=True, slots=True, kw_only=True)
class BilledAttempt(Request):
    """One attempt of a call, as the ledger has it: several attempts of one call share its `call_id`.

    `cost_usd` is what was booked: 0 for an attempt that was not billed, the estimate for one not yet settled.
    """

    call_id: str
    cost_usd: Decimal


@dataclass(frozen=True, slots=True, kw_only=True)
class Bill:
    """BILL of the interfaces: tokens of all attempts, money in US dollars, ratios in millionths.

    `uncached_cost_usd` and `floor_usd` are of the attempts that cost something: a refusal before any output
    has tokens, but no price in either world. `efficiency` is floor / cost, and 1 when nothing was spent.
    """

    calls: int
    attempts: int
    input_tokens: int
    cache_read_tokens: int
    cache_write_5m_tokens: int
    cache_write_1h_tokens: int
    output_tokens: int
    total_input_tokens: int
    cache_hit_rate: Decimal
    cost_usd: Decimal
    uncached_cost_usd: Decimal
    floor_usd: Decimal
    efficiency: Decimal

    @property
    def saved_fraction(self) -> float:
        """The share of the uncached bill that was not paid, 0..1; 0 when nothing was spent."""
        if not self.uncached_cost_usd:
            return 0.0
        return float((1 - self.cost_usd / self.uncached_cost_usd).quantize(RATE_STEP))

    def to_json(self) -> dict[str, int | float | str]:
        """The same keys: money as plain decimal strings, never rounded; ratios as numbers."""
        return {field.name: _to_json(field.name, getattr(self, field.name)) for field in fields(self)}


class BillSums:
    """Adds up attempts one by one; memory does not grow with them."""

    def __init__(self) -> None:
        self.calls = self.attempts = 0
        self.usage = Usage(0)
        self.cost_usd = self.uncached_cost_usd = self.unmeasured_usd = Decimal(0)

    def add(self, attempt: Request, cost_usd: Decimal, *, new_call: bool) -> bool:
        """Add an attempt; True when it counts for the floor. Raises as `price_of`."""
        self.calls += new_call
        self.attempts += 1
        self.usage += attempt.usage
        self.cost_usd += cost_usd
        if cost_usd and not attempt.usage.total_input_tokens:  # lost: only an estimate is known
            self.unmeasured_usd += cost_usd
        elif cost_usd:
            self.uncached_cost_usd += uncached_cost(
                attempt.usage, model=attempt.model, at=attempt.at, inference_geo=attempt.inference_geo
            )
            return True
        return False

    def bill(self, floor_usd: Decimal) -> Bill:
        """Return the bill, with the floor of what counted for it."""
        floor_usd += self.unmeasured_usd
        usage, cost_usd = self.usage, self.cost_usd
        return Bill(
            calls=self.calls,
            attempts=self.attempts,
            input_tokens=usage.input_tokens,
            cache_read_tokens=usage.cache_read_tokens,
            cache_write_5m_tokens=usage.cache_write_5m_tokens,
            cache_write_1h_tokens=usage.cache_write_1h_tokens,
            output_tokens=usage.output_tokens,
            total_input_tokens=usage.total_input_tokens,
            cache_hit_rate=usage.cache_hit_rate,
            cost_usd=cost_usd,
            uncached_cost_usd=self.uncached_cost_usd + self.unmeasured_usd,
            floor_usd=floor_usd,
            efficiency=(floor_usd / cost_usd).quantize(RATE_STEP) if cost_usd else Decimal(1),
        )


def bill_of(billed: Iterable[BilledAttempt]) -> Bill:
    """Add up attempts in one pass; memory grows with distinct calls and prefixes only.

    No calls at all make a bill of zeros with an efficiency of 1. Raises as `price_of` and `floor_usd`.
    """
    call_ids: set[str] = set()
    sums, floor = BillSums(), FloorTally()
    for attempt in billed:
        if sums.add(attempt, attempt.cost_usd, new_call=attempt.call_id not in call_ids):
            floor.add(attempt)
        call_ids.add(attempt.call_id)
    return sums.bill(floor.total_usd())


def _to_json(name: str, value: int | Decimal) -> int | float | str:
    if isinstance(value, int):
        return value
    return plain_money(value) if name.endswith("_usd") else float(value)


def plain_money(money: Decimal) -> str:
    """Return money as JSON has it: exact, without exponent, and without zeros that say nothing."""
    text = format(money, "f")
    return text.rstrip("0").rstrip(".") if "." in text else text
