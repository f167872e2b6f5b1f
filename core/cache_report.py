"""What the cache did, prefix by prefix and run by run: what it saved, and what it could have saved more.

A prefix is the shared front of one prompt version (instructions, sport, tone) for one model, tier and place.
Its floor is what its requests were billed, less what was spent on that front above the cheapest way, run by
run: the part that the run's first request has read was warm, and is read by all; the rest is written once and
read by all others, or is plain input where that is cheaper. What stands behind the front is as billed.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, NamedTuple

from core.bill import plain_money
from core.local_days import utc_midnight
from core.pricing import ClassPrices, minimum_prefix_tokens, prices_at
from core.states import Lane
from core.usage import Usage
from core.usage_report import ratio, tokens

Alike = Mapping[Any, Any]  # a row of the query `requests_alike`
Run = Mapping[Any, Any]  # a row of summary_run
TOKENS = (
    "input_tokens",
    "cache_read_tokens",
    "cache_write_5m_tokens",
    "cache_write_1h_tokens",
    "output_tokens",
)


class PrefixKey(NamedTuple):
    """Whose requests can read each other's front."""

    prompt_version: str
    model: str
    service_tier: str
    inference_geo: str


@dataclass(slots=True)
class CacheTally:
    """Sums over requests: tokens, dollars as billed, and the same tokens live, cached and uncached."""

    requests: int = 0
    tokens: dict[str, int] = field(default_factory=lambda: dict.fromkeys(TOKENS, 0))
    cost_usd: Decimal = Decimal(0)
    live_usd: Decimal = Decimal(0)
    uncached_usd: Decimal = Decimal(0)

    def add(self, row: Alike) -> None:
        """Add requests that share one price list. Raises as `prices_at`."""
        usage = Usage(*(int(row[name]) for name in TOKENS))
        live = _prices(row, "standard")
        self.requests += row["requests"]
        for name in TOKENS:
            self.tokens[name] += int(row[name])
        self.cost_usd += row["cost_usd"]
        self.live_usd += live.cost_of(usage)
        self.uncached_usd += live.cost_uncached(usage)

    def to_json(self) -> dict[str, Any]:
        """Return the sums; caching saved at live prices, batches took the rest off."""
        return {
            "requests": self.requests,
            **tokens(self.tokens),
            "cost_usd": plain_money(self.cost_usd),
            "caching_saved_usd": plain_money(self.uncached_usd - self.live_usd),
            "batches_saved_usd": plain_money(self.live_usd - self.cost_usd),
        }


@dataclass(slots=True)
class PrefixTally(CacheTally):
    """One prefix over all runs. `avoidable_usd` was spent above the floor, as far as its length is known."""

    runs: int = 0
    counted_tokens: int | None = None  # its length by the API's own count
    front_tokens: int | None = None  # the shortest that it was taken for
    avoidable_usd: Decimal = Decimal(0)
    unmeasured_requests: int = 0  # of runs in which its length is not known
    unmeasured_usd: Decimal = Decimal(0)
    warmed_by_others: int = 0  # requests of runs in which others wrote what these have read

    def add_run(self, rows: Sequence[Alike]) -> None:
        """Add all its requests of one run."""
        for row in rows:
            self.add(row)
        first = rows[0]
        front, requests = first["front_tokens"], sum(row["requests"] for row in rows)
        self.runs += 1
        self.counted_tokens = first["counted_tokens"]
        if front is None:
            self.unmeasured_requests += requests
            self.unmeasured_usd += sum((row["cost_usd"] for row in rows), Decimal(0))
            return
        self.front_tokens = min(front, self.front_tokens or front)
        avoidable_usd = avoidable(rows)
        if avoidable_usd < 0:
            self.warmed_by_others += requests
        self.avoidable_usd += max(avoidable_usd, Decimal(0))

    @property
    def floor_usd(self) -> Decimal | None:
        """The cheapest bill of the requests whose front's length is known; None when there are none."""
        measured = self.cost_usd - self.unmeasured_usd
        return measured - self.avoidable_usd if self.requests > self.unmeasured_requests else None

    def efficiency(self) -> float | None:
        """Floor over cost of the same requests; None when nothing is known."""
        floor_usd = self.floor_usd
        return None if floor_usd is None else ratio(floor_usd, self.cost_usd - self.unmeasured_usd)


@dataclass(slots=True)
class RunTally(CacheTally):
    """One run, as far as its requests are in the range and in sight."""

    lane: str = Lane.LIVE
    model: str = ""
    first_at: datetime | None = None

    def add_request(self, row: Alike) -> None:
        """Add requests of this run."""
        self.add(row)
        self.lane, self.model = row["lane"], row["model"]
        self.first_at = min(self.first_at or row["first_at"], row["first_at"])


def avoidable(rows: Sequence[Alike]) -> Decimal:
    """Return what the front of a run's requests cost above its floor; below 0 when others had written it.

    A front below the model's minimum cannot be cached: it costs what it has to.
    """
    front, warm = rows[0]["front_tokens"], rows[0]["first_read_tokens"]
    if front < minimum_prefix_tokens(rows[0]["model"]):
        return Decimal(0)
    billed = read_price = input_price = Decimal(0)
    write_extra = Decimal("Infinity")
    for row in rows:
        prices, requests = _prices(row, row["service_tier"]), row["requests"]
        billed += _front_billed(row, prices)
        read_price += requests * prices.cache_read
        input_price += requests * prices.input
        cheapest = min(prices.cache_write_5m, prices.cache_write_1h)
        write_extra = min(write_extra, cheapest - prices.cache_read)
    floor = warm * read_price + (front - warm) * min(read_price + write_extra, input_price)
    above: Decimal = billed - floor
    return above.scaleb(-6)


def _front_billed(row: Alike, prices: ClassPrices) -> Decimal:
    """The bill of the front, in millionths of a dollar; entries of one hour stand before shorter ones."""
    whole = row["requests"] * row["front_tokens"]
    billed: Decimal = (
        row["front_read"] * prices.cache_read
        + (row["front_to_1h"] - row["front_read"]) * prices.cache_write_1h
        + (row["front_cached"] - row["front_to_1h"]) * prices.cache_write_5m
        + (whole - row["front_cached"]) * prices.input
    )
    return billed


def _prices(row: Alike, service_tier: str) -> ClassPrices:
    at = utc_midnight(row["utc_day"])
    return prices_at(row["model"], at, row["prompt_tokens"], service_tier, row["inference_geo"])


@dataclass(slots=True)
class RunSavings:
    """What runs that have ended saved by packing; of the others it is not known."""

    packs_usd: Decimal = Decimal(0)
    known: int = 0
    unknown: int = 0

    def add(self, packs_usd: Decimal | None) -> None:
        """Count a run."""
        if packs_usd is None:
            self.unknown += 1
        else:
            self.known += 1
            self.packs_usd += packs_usd


def packs_saved(run: Run | None) -> Decimal | None:
    """Return what a run has saved by asking about several insights at once; None when that is not known."""
    if run is None or run["alone_cached_usd"] is None or run["packed_usd"] is None:
        return None
    saved: Decimal = run["alone_cached_usd"] - run["packed_usd"]
    return saved


def prefix_row(key: PrefixKey, tally: PrefixTally, about: Mapping[str, str | None]) -> dict[str, Any]:
    """Return one prefix as the report has it; null is what is not known."""
    floor_usd = tally.floor_usd
    return {
        **key._asdict(),
        **about,
        "prefix_tokens": tally.front_tokens,
        "counted": tally.counted_tokens is not None,
        "minimum_prefix_tokens": minimum_prefix_tokens(key.model),
        "runs": tally.runs,
        **tally.to_json(),
        "floor_usd": None if floor_usd is None else plain_money(floor_usd),
        "efficiency": tally.efficiency(),
        "unmeasured_requests": tally.unmeasured_requests,
        "warmed_by_others": tally.warmed_by_others,
    }


def is_below_minimum(row: Mapping[str, Any]) -> bool:
    """Say whether a prefix is known to be too short to be cached at all."""
    return row["prefix_tokens"] is not None and row["prefix_tokens"] < row["minimum_prefix_tokens"]


def run_row(run_id: str, tally: RunTally, run: Run | None) -> dict[str, Any]:
    """Return one run: its requests in the range, and what the whole run came to, where that is known."""
    row: dict[str, Any] = {
        "run_id": run_id,
        "lane": run["lane"] if run else tally.lane,
        "model": run["model"] if run else tally.model,
        "started_at": rfc3339(_began_at(tally, run)),
        **tally.to_json(),
    }
    whole = run or {}
    for name in ("billed_usd", "floor_usd"):
        row[f"run_{name}"] = None if whole.get(name) is None else plain_money(whole[name])
    efficiency, packs_usd = whole.get("efficiency"), packs_saved(run)
    row["run_efficiency"] = None if efficiency is None else float(efficiency)
    row["packs_saved_usd"] = None if packs_usd is None else plain_money(packs_usd)
    return row


def rfc3339(moment: datetime) -> str:
    """Return a time as JSON has it."""
    return moment.astimezone(UTC).isoformat().replace("+00:00", "Z")


def _began_at(tally: RunTally, run: Run | None) -> datetime:
    """When a run began; of one without a row of its own, when its first request was sent."""
    began_at: datetime | None = run["started_at"] if run else tally.first_at
    assert began_at is not None, "a run in the report has requests"
    return began_at


def whole_report(
    prefixes: Mapping[PrefixKey, PrefixTally],
    runs: Mapping[str, RunTally],
    known_runs: Mapping[str, Run],
    about: Mapping[str, Mapping[str, str | None]],
    runs_max: int,
) -> dict[str, Any]:
    """Put the report together: the dearest prefix first, the newest run first."""
    nothing: dict[str, str | None] = {"sport": None, "tone": None}
    by_prefix = [
        prefix_row(key, tally, about.get(key.prompt_version, nothing))
        for key, tally in sorted(prefixes.items(), key=lambda one: (-one[1].cost_usd, one[0]))
    ]
    newest_first = sorted(
        runs, key=lambda run_id: (_began_at(runs[run_id], known_runs.get(run_id)), run_id), reverse=True
    )
    savings = RunSavings()
    for run_id in runs:
        savings.add(packs_saved(known_runs.get(run_id)))
    return {
        **_added_up(prefixes.values()).to_json(),
        "packs_saved_usd": plain_money(savings.packs_usd),
        "packs_known_of_runs": savings.known,
        "packs_unknown_of_runs": savings.unknown,
        "by_prefix": by_prefix,
        "below_minimum": [row for row in by_prefix if is_below_minimum(row)],
        "by_run": [
            run_row(run_id, runs[run_id], known_runs.get(run_id)) for run_id in newest_first[:runs_max]
        ],
    }


def _added_up(tallies: Iterable[CacheTally]) -> CacheTally:
    whole = CacheTally()
    for one in tallies:
        whole.requests += one.requests
        for name in TOKENS:
            whole.tokens[name] += one.tokens[name]
        whole.cost_usd += one.cost_usd
        whole.live_usd += one.live_usd
        whole.uncached_usd += one.uncached_usd
    return whole
