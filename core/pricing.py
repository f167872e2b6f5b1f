"""What a call costs: dated prices for every token class, exact to the last digit.

`genai-prices` is the source where it is right, `prices.yaml` beside this file where it is not. Both are read
from what is installed, never from the network.
"""

import hashlib
import re
from bisect import bisect_left
from collections.abc import Mapping
from dataclasses import dataclass, fields
from datetime import UTC, date, datetime, time
from decimal import Decimal
from functools import cache, lru_cache
from importlib.resources import files
from typing import TYPE_CHECKING, Any, Literal

import yaml

from core.errors import BadInput, BooksDisagree, UnknownModel
from core.states import ServiceTier
from core.usage import Usage

if TYPE_CHECKING:  # 0.2 s to import: only when a price is asked for
    from genai_prices.data_snapshot import DataSnapshot
    from genai_prices.types import ModelInfo

CacheTtl = Literal["5m", "1h"]

PRICE_STEP = Decimal("0.000001")  # in USD per million tokens: one token then costs whole 1e-12 USD
DATED_NAME = re.compile(r"(?P<name>.+?)(-\d{8}|-latest)?")


@dataclass(frozen=True, slots=True)
class ClassPrices:
    """The price of each token class, in US dollars per million tokens."""

    input: Decimal
    cache_read: Decimal
    cache_write_5m: Decimal
    cache_write_1h: Decimal
    output: Decimal

    def cost_of(self, usage: Usage) -> Decimal:
        """US dollars, exact: no rounding can happen below 10**16 dollars (see PRICE_STEP)."""
        return (
            usage.input_tokens * self.input
            + usage.cache_read_tokens * self.cache_read
            + usage.cache_write_5m_tokens * self.cache_write_5m
            + usage.cache_write_1h_tokens * self.cache_write_1h
            + usage.output_tokens * self.output
        ).scaleb(-6)

    def cost_uncached(self, usage: Usage) -> Decimal:
        """US dollars for the same tokens with the whole prompt at the input price."""
        return (usage.total_input_tokens * self.input + usage.output_tokens * self.output).scaleb(-6)


@dataclass(frozen=True, slots=True)
class Price:
    """The cost of one call in US dollars, and the version of the prices that it was computed with."""

    cost_usd: Decimal
    price_version: str


def price_of(
    usage: Usage,
    *,
    model: str,
    at: datetime,
    service_tier: ServiceTier | str = ServiceTier.STANDARD,
    inference_geo: str | None = None,
) -> Price:
    """Price one call at the prices of its own day (UTC); at most 12 decimal places.

    Raises UnknownModel rather than pricing at $0, BadInput for a time without a zone or an unknown tier or
    geography. Only tokens are priced: Touchline uses no server tools and no fast mode.
    """
    prices = prices_at(model, at, usage.total_input_tokens, service_tier, inference_geo)
    return Price(prices.cost_of(usage), price_version())


def uncached_cost(usage: Usage, *, model: str, at: datetime, inference_geo: str | None = None) -> Decimal:
    """US dollars for the same call made live, with the whole prompt at full input price."""
    prices = prices_at(model, at, usage.total_input_tokens, ServiceTier.STANDARD, inference_geo)
    return prices.cost_uncached(usage)


def prices_at(
    model: str,
    at: datetime,
    prompt_tokens: int = 0,
    service_tier: ServiceTier | str = ServiceTier.STANDARD,
    inference_geo: str | None = None,
) -> ClassPrices:
    """The prices of a call whose whole prompt (input + reads + writes) has `prompt_tokens` tokens.

    The size of the prompt decides the price of every class, output too. Raises as `price_of`.
    """
    if at.utcoffset() is None:
        raise BadInput(f"a price needs a time with its zone, not {at.isoformat()}")
    bounds, prices = _prices_by_size(model, at.astimezone(UTC).date(), service_tier, inference_geo)
    return prices[bisect_left(bounds, prompt_tokens)]


def break_even_uses(
    model: str,
    at: datetime,
    ttl: CacheTtl = "5m",
    service_tier: ServiceTier | str = ServiceTier.STANDARD,
    prompt_tokens: int = 0,
) -> int:
    """The number of uses from which one write and a read for each other use is cheaper than plain input."""
    prices = prices_at(model, at, prompt_tokens, service_tier)
    write = prices.cache_write_5m if ttl == "5m" else prices.cache_write_1h
    return int((write - prices.cache_read) / (prices.input - prices.cache_read)) + 1


def minimum_prefix_tokens(model: str) -> int:
    """The shortest prefix that this model caches; a shorter one is silently not cached."""
    facts = _own_facts()
    minimum: int = facts["models"][canonical_model(model)].get(
        "minimum_prefix_tokens", facts["minimum_prefix_tokens_default"]
    )
    return minimum


@cache
def prompt_size_bounds() -> tuple[int, ...]:
    """Every prompt size above which any model at any time is dearer: within two bounds, one price holds."""
    bounds: set[int] = set()
    for name in known_models():
        model = _listed_model(name)
        for listed in model.prices if isinstance(model.prices, list) else [model.prices]:
            price = getattr(listed, "prices", listed)  # a dated price wraps the price itself
            for kind in _GENAI_NAMES.values():
                bounds.update(tier.start for tier in getattr(getattr(price, kind), "tiers", ()))
    return tuple(sorted(bounds))


def known_models() -> tuple[str, ...]:
    """The names of all models that can be priced, without dates."""
    return tuple(_own_facts()["models"])


@lru_cache(maxsize=1024)
def canonical_model(model: str) -> str:
    """The undated name of a model as asked for or as answered. Raises UnknownModel."""
    match = DATED_NAME.fullmatch(model)
    name = match["name"] if match else model
    for known, facts in _own_facts()["models"].items():
        if name == known or name in facts.get("aliases", ()):
            return str(known)
    raise UnknownModel(f"no price is known for the model {model!r}; core/prices.yaml lists those that are")


def same_model(asked: str, answered: str) -> bool:
    """Say whether the model that has answered is the one that was asked, under whichever of its names."""
    try:
        return canonical_model(asked) == canonical_model(answered)
    except UnknownModel:
        return False


@cache
def price_version() -> str:
    """Names both sources of our prices: the release of genai-prices and the content of prices.yaml."""
    from importlib.metadata import version  # 0.1 s to import

    return (
        f"genai-prices {version('genai-prices')}, prices.yaml {hashlib.sha256(_own_text()).hexdigest()[:12]}"
    )


@lru_cache(maxsize=4096)
def _prices_by_size(
    model: str, day: date, service_tier: str, inference_geo: str | None
) -> tuple[tuple[int, ...], tuple[ClassPrices, ...]]:
    """The largest prompt of every size tier but the last, and the prices of every tier."""
    name = canonical_model(model)
    factor = _factor("service_tiers", service_tier) * _factor("geographies", inference_geo or "global")
    listed = _listed_prices(name, day) | _overrides(name, day)
    bounds = sorted({bound for price in listed.values() for bound, _ in price[1:]})
    return tuple(bounds), tuple(
        ClassPrices(**{kind: _exact(_above(price, bound) * factor, name) for kind, price in listed.items()})
        for bound in (0, *bounds)
    )


# A price by size of prompt: ascending (largest prompt that is still cheaper, price); the first bound is 0.
_SizedPrice = tuple[tuple[int, Decimal], ...]


def _above(price: _SizedPrice, bound: int) -> Decimal:
    return next(value for start, value in reversed(price) if start <= bound)


def _listed_prices(name: str, day: date) -> dict[str, _SizedPrice]:
    """The standard prices by genai-prices; its tiers already mean the whole request."""
    listed = _listed_model(name).get_prices(datetime.combine(day, time(), UTC))
    prices: dict[str, _SizedPrice] = {}
    for field in fields(ClassPrices):
        price = getattr(listed, _GENAI_NAMES[field.name])
        if price is None:
            raise UnknownModel(f"genai-prices has no {field.name} price for the model {name!r}")
        tiers = getattr(price, "tiers", ())
        prices[field.name] = (
            (0, getattr(price, "base", price)),
            *((tier.start, tier.price) for tier in tiers),
        )
    return prices


def _listed_model(name: str) -> "ModelInfo":
    try:
        return _snapshot().find_provider_model(name, None, "anthropic", None)[1]
    except LookupError as error:
        raise UnknownModel(f"genai-prices has no price for the model {name!r}") from error


_GENAI_NAMES = {
    "input": "input_mtok",
    "cache_read": "cache_read_mtok",
    "cache_write_5m": "cache_write_mtok",
    "cache_write_1h": "cache_write_1h_mtok",
    "output": "output_mtok",
}


def _overrides(name: str, day: date) -> dict[str, _SizedPrice]:
    overrides = _own_facts()["models"][name].get("overrides", ())
    return {
        override["class"]: ((0, Decimal(override["price"])),)
        for override in overrides
        if override.get("from", date.min) <= day < override.get("until", date.max)
    }


def _factor(kind: str, value: str) -> Decimal:
    known: Mapping[str, Any] = _own_facts()[kind]
    if value not in known:
        raise BadInput(f"no price is known for {value!r}: the {kind} are {', '.join(known)}")
    return Decimal(known[value]["factor"])


def _exact(price: Decimal, name: str) -> Decimal:
    if price % PRICE_STEP:
        raise BooksDisagree(f"a price of {name}, {price} USD per million tokens, is finer than the ledger")
    return price


@cache
def _snapshot() -> "DataSnapshot":
    """The prices that were installed, in a snapshot of our own: whatever else this process may update."""
    from genai_prices.data import providers
    from genai_prices.data_snapshot import DataSnapshot

    return DataSnapshot(providers=providers, from_auto_update=False)


@cache
def _own_text() -> bytes:
    return files(__package__ or "core").joinpath("prices.yaml").read_bytes()


@cache
def _own_facts() -> dict[str, Any]:
    facts: dict[str, Any] = yaml.safe_load(_own_text())
    return facts
