"""The models this emulator serves and their documented traits (`models.yaml`)."""

from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from importlib import resources

import yaml

from emulator.errors import ApiError


@dataclass(frozen=True)
class ModelTraits:
    """What differs between models, price apart."""

    name: str
    cache_minimum_tokens: int
    characters_per_token: Fraction
    thinks_by_default: bool
    thinking: tuple[str, ...]
    effort: bool
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
    """Read `models.yaml`."""
    text = resources.files("emulator").joinpath("models.yaml").read_text(encoding="utf-8")
    return {
        name: ModelTraits(
            name=name,
            cache_minimum_tokens=row["cache_minimum_tokens"],
            characters_per_token=Fraction(row["characters_per_token"]),
            thinks_by_default=row["thinks_by_default"],
            thinking=tuple(row["thinking"]),
            effort=row["effort"],
            geography=row["geography"],
        )
        for name, row in yaml.safe_load(text).items()
    }


def find_model(catalog: Catalog, name: str) -> ModelTraits:
    """The model by this name; unknown and retired models are a 404, as in the API."""
    if name not in catalog:
        raise ApiError("not_found_error", f"model: {name}")
    return catalog[name]
