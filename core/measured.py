"""How long the parts of a prompt are for one model: counted by the API, learned from usage, or estimated."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from hashlib import sha256

from core.prompt import estimated_tokens
from core.states import Tone

ANSWER_TOKENS = 140  # an answer's usual length, until this model's own is known


@dataclass(frozen=True, slots=True)
class Measured:
    """Lengths in tokens for one model; whatever is not known is estimated by characters.

    `layers` are counts by `text_key`, `frames` what the API adds to a prompt by itself in each form (True: a
    pack), `tokens_per_character` is learned from players and notes, `answers` is the mean answer by tone.
    """

    model: str
    layers: Mapping[str, int] = field(default_factory=dict)
    frames: Mapping[bool, int] = field(default_factory=dict)
    tokens_per_character: Decimal | None = None
    answers: Mapping[Tone, Decimal] = field(default_factory=dict)

    def layer_tokens(self, text: str) -> int:
        """The tokens of a shared layer."""
        counted = self.layers.get(text_key(text))
        return estimated_tokens(text, self.model) if counted is None else counted

    def frame_tokens(self, packed: bool) -> int:
        """What the API adds to a prompt in this form; it stands in front of everything."""
        return self.frames.get(packed, 0)

    def text_tokens(self, text: str) -> int:
        """The tokens of a player's layer or of a note."""
        if self.tokens_per_character is None:
            return estimated_tokens(text, self.model)
        return round(len(text) * self.tokens_per_character)

    def answer_tokens(self, tone: Tone, insights: int) -> int:
        """The tokens of an answer about so many insights."""
        return round(self.answers.get(tone, Decimal(ANSWER_TOKENS)) * insights)


def text_key(text: str) -> str:
    """Return 16 hex digits that name a text."""
    return sha256(text.encode()).hexdigest()[:16]
