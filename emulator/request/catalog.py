"""The models this emulator knows and their documented traits (`models.yaml`)."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from fractions import Fraction
from importlib import resources
from typing import Any

import yaml

from emulator.errors import not_found

EFFORTS = ("low", "medium", "high", "xhigh", "max")
# "May be set to an epoch value if the release date is unknown."
EPOCH = datetime.fromtimestamp(0, UTC)


@dataclass(frozen=True)
class ModelTraits:
    """What differs between models, price apart."""

    name: str
    display_name: str
    lifecycle: str
    released: datetime
    context_tokens: int
    output_tokens_max: int
    cache_minimum_tokens: int
    characters_per_token: Fraction
    thinks_by_default: bool
    thinking: tuple[str, ...]
    default_effort: str
    efforts: tuple[str, ...]
    geography: bool

    @property
    def family(self) -> str:
        """The class of models that shares one set of rate limits: haiku, sonnet or opus."""
        return self.name.split("-")[1]

    def tokens(self, characters: int) -> int:
        """Tokens of a text of this length, rounded up: a block's tokens depend on that block alone.

        The real tokenizers are not public. What is known (about 2.5 characters a token for 5.x, 3.5 before)
        is used as an exact ratio: deterministic, additive over blocks, and never under-counting one.
        """
        ratio = self.characters_per_token
        return -(-characters * ratio.denominator // ratio.numerator)

    def characters(self, tokens: int) -> int:
        """The most characters that fit into this many tokens."""
        return tokens * self.characters_per_token.numerator // self.characters_per_token.denominator


Catalog = Mapping[str, ModelTraits]


def load_catalog() -> Catalog:
    """Read `models.yaml`, in its order: newest first."""
    text = resources.files("emulator.request").joinpath("models.yaml").read_text(encoding="utf-8")
    return {name: _traits(name, row) for name, row in yaml.safe_load(text).items()}


def find_model(catalog: Catalog, name: str) -> ModelTraits:
    """The model by this name, to be asked; unknown and retired models are a 404, as in the API."""
    if name not in catalog or catalog[name].lifecycle == "retired":
        raise not_found(f"model: {name}")
    return catalog[name]


def _traits(name: str, row: Mapping[str, Any]) -> ModelTraits:
    released: date | None = row.get("released")
    return ModelTraits(
        name=name,
        display_name=row["display_name"],
        lifecycle=row.get("lifecycle", "active"),
        released=datetime(released.year, released.month, released.day, tzinfo=UTC) if released else EPOCH,
        context_tokens=row["context_tokens"],
        output_tokens_max=row["output_tokens_max"],
        cache_minimum_tokens=row["cache_minimum_tokens"],
        characters_per_token=Fraction(row["characters_per_token"]),
        thinks_by_default=row["thinks_by_default"],
        thinking=tuple(row["thinking"]),
        default_effort=row.get("default_effort", "high"),
        efforts=tuple(row["efforts"]),
        geography=row["geography"],
    )
