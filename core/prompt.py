"""What Claude is told: texts and layers put together, pure and byte-stable.

The same inputs give the same bytes for ever, in every process: a prefix that differs in one byte is not in
the vendor's cache. So nothing here reads a clock, a locale or a set's order, and text that comes from outside
is normalised (NFC) before it is written down.
"""

import json
import re
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from functools import cache
from hashlib import sha256
from importlib.resources import files
from importlib.resources.abc import Traversable

from core.errors import BadInput
from core.states import Tone

# Names the layout that `layers`, `note_text` and `core.request` write; change it when the layout changes, so
# that the prompt version changes too although no text did.
FORMAT = (
    "system: instructions, sport, tone; user: <player> json, earlier_summaries; <note> json of title, text,"
    " or in a pack several of id, title, text; 3"
)
TEXTS: Traversable = files("core") / "prompts"  # where all texts are read from

LAYER_NAMES = ("instructions", "sport", "tone", "player")  # the order in the prompt: most shared first

EARLIER_SUMMARIES_MAX = 3
EARLIER_SUMMARY_LENGTH_MAX = 300  # characters; two to three sentences are about 200

AGE_GROUP_YOUNGEST = 6
AGE_GROUP_OLDEST = 18

# `<`, `>` and `&` so that nothing inside can look like the end of a fence; C1 controls and line separators
# because some readers break lines there; lone surrogates because they have no UTF-8 form to be sent in.
_ESCAPED = re.compile("[<>&\x7f-\x9f\u2028\u2029\ud800-\udfff]")

# Model families before the 5.x tokenizer. Anything else counts as new: an estimate that is too high is safe.
_OLDER_TOKENIZER = re.compile(r"claude-(?:[1-4](?:[-.]|$)|[a-z]+-[1-4](?:[-.]|$)|instant)")


@dataclass(frozen=True, slots=True)
class PlayerFacts:
    """All that a prompt may know of a child. It has no place for a last name or a date of birth."""

    first_name: str
    age_group: str | None
    team: str | None
    position: str | None
    earlier_summaries: tuple[str, ...] = ()  # what the parents were sent before, newest first


@dataclass(frozen=True, slots=True)
class Layer:
    """One part of the stable front of a prompt; a cache marker can stand at its end."""

    name: str  # one of LAYER_NAMES
    text: str


@dataclass(frozen=True, slots=True)
class PromptTexts:
    """All texts that make the prompts of one sport and tone, and the version that is their hash."""

    version: str  # 12 hex digits
    sport: str
    tone: Tone
    format: str  # of the layout, see FORMAT
    instructions: str
    sport_sheet: str
    tone_text: str
    answer_schema: str

    def layers(self) -> tuple[Layer, Layer, Layer]:
        """Return the layers that all players of this sport and tone share."""
        texts = (self.instructions, self.sport_sheet, self.tone_text)
        first, second, third = (Layer(*pair) for pair in zip(LAYER_NAMES, texts, strict=False))
        return first, second, third


def sports() -> tuple[str, ...]:
    """Return the codes of all sports that have a sheet, sorted. Adding a sport is adding a file."""
    return tuple(_sheets())


def layers(sport: str, tone: Tone, player: PlayerFacts) -> tuple[Layer, Layer, Layer, Layer]:
    """Return the four layers in prompt order. Raises BadInput for a sport without a sheet."""
    return (*texts_of(sport, tone).layers(), Layer("player", player_text(player)))


@cache
def texts_of(sport: str, tone: Tone) -> PromptTexts:
    """Return the current texts of a sport and tone. Raises BadInput for a sport without a sheet."""
    texts = (
        FORMAT,
        _text("instructions.md"),
        sport_sheet(sport),
        _text(f"tones/{tone.value}.md"),
        _text("answer.schema.json"),
    )
    return PromptTexts(version_of(texts), sport, tone, *texts)


def example() -> tuple[PlayerFacts, str]:
    """Return a made-up player with three earlier summaries, and a note, of the usual length."""
    made_up = json.loads(_text("example.json"))
    player, note = made_up["player"], made_up["note"]
    facts = PlayerFacts(**player | {"earlier_summaries": tuple(player["earlier_summaries"])})
    return facts, note_text(note["title"], note["text"])


def sport_sheet(sport: str) -> str:
    """Return the sheet of a sport. Raises BadInput naming the known ones."""
    # Looked up in the listing, never joined to a path: a sport code comes from a file somebody sent.
    if sport not in _sheets():
        raise BadInput(f"no sport sheet for {sport!r}; known sports: {', '.join(sports())}")
    return _text(_sheets()[sport])


def player_text(player: PlayerFacts) -> str:
    """Return the fenced block about the child; what is not known is left out."""
    earlier = [_cut(text) for text in player.earlier_summaries if text][:EARLIER_SUMMARIES_MAX]
    known: dict[str, str | list[str] | None] = {
        "first_name": player.first_name,
        "age_group": player.age_group,
        "team": player.team,
        "position": player.position,
        "earlier_summaries": earlier,
    }
    return _fenced("player", {name: value for name, value in known.items() if value})


def without_last_name(text: str, first_name: str, last_name: str | None) -> str:
    """Return a text in which the player's own last name gives way to the first.

    A coach may well say it; a prompt may not hold it. "Clodagh Byrne" becomes "Clodagh" in any
    capitalisation, and "Byrne" by itself, written with its capital, becomes "Clodagh" too. A last name
    that is also a word ("Long") may cost a sentence its first word: that errs on the right side.
    """
    text, first, last = (unicodedata.normalize("NFC", part) for part in (text, first_name, last_name or ""))
    if not last.strip():
        return text
    both = rf"\b{re.escape(first)}\s+{re.escape(last)}\b"
    text = re.sub(both, lambda _: first, text, flags=re.IGNORECASE)
    return re.sub(rf"\b{re.escape(last)}\b", lambda _: first, text)


def note_text(title: str, description: str, note_id: str | None = None) -> str:
    """Return the fenced block of a coach's note, which is untrusted text; in a pack it has an id."""
    named = {} if note_id is None else {"id": note_id}
    return _fenced("note", {**named, "title": title, "text": description})


def prompt_version(sport: str, tone: Tone) -> str:
    """Return 12 hex digits that change when any text used for this sport and tone changes."""
    return texts_of(sport, tone).version


def version_of(texts: Sequence[str]) -> str:
    """Hash texts, each preceded by its length, so that no two lists of texts read the same."""
    digest = sha256()
    for text in texts:
        encoded = text.encode()
        digest.update(f"{len(encoded)}:".encode())
        digest.update(encoded)
    return digest.hexdigest()[:12]


def estimated_tokens(text: str, model: str) -> int:
    """Estimate the tokens of `text` for `model`, rounded up.

    The vendor states no exact ratio; what was measured for English text is about 2.5 characters a token with
    the tokenizer of the 5.x models and about 3.5 with the older one (Haiku 4.5, Sonnet 4.x, Opus 4.x, 3.x).
    For plans only: what is billed is what the API counts.
    """
    halves = 7 if _OLDER_TOKENIZER.match(model) else 5  # integers, because 2.5 and 3.5 are halves
    return -(-2 * len(text) // halves)


def age_group_of(age_group: str | None, date_of_birth: date | None, on: date) -> str | None:
    """Return the group a child plays in: the club's own word, else one worked out by birth year.

    The year rule of most youth leagues: uN is for those whose N-th birthday falls in the season's calendar
    year or later, so the group is the age reached in the year of `on` and stays the same all that year.
    Younger than u6 counts as u6; past u18 is senior. A birth year still to come says nothing.
    """
    if age_group:
        return age_group
    if date_of_birth is None or date_of_birth.year > on.year:
        return None
    reached = on.year - date_of_birth.year
    return "senior" if reached > AGE_GROUP_OLDEST else f"u{max(reached, AGE_GROUP_YOUNGEST)}"


def forget_texts() -> None:
    """Read all texts afresh from then on; for whoever sets TEXTS to another folder."""
    for kept in (texts_of, _sheets, _text):
        kept.cache_clear()


def _fenced(tag: str, facts: Mapping[str, str | list[str]]) -> str:
    """Write facts as one line of JSON between tags that nothing inside the facts can spell."""
    normal = {name: _normal(value) for name, value in facts.items()}
    line = json.dumps(normal, ensure_ascii=False)
    return f"<{tag}>\n{_ESCAPED.sub(_as_escape, line)}\n</{tag}>"


def _normal(value: str | list[str]) -> str | list[str]:
    if isinstance(value, str):
        return unicodedata.normalize("NFC", value)
    return [unicodedata.normalize("NFC", each) for each in value]


def _cut(text: str) -> str:
    """Cut an earlier summary that is too long, between two words if it has any."""
    normal = unicodedata.normalize("NFC", text)
    if len(normal) <= EARLIER_SUMMARY_LENGTH_MAX:
        return normal
    head = normal[: EARLIER_SUMMARY_LENGTH_MAX - 1]
    return (head.rpartition(" ")[0] or head) + "…"


def _as_escape(found: re.Match[str]) -> str:
    return f"\\u{ord(found.group()):04x}"


@cache
def _sheets() -> dict[str, str]:
    """Map each sport code to its sheet's path below TEXTS."""
    names = (entry.name for entry in (TEXTS / "sports").iterdir())
    return {name.removesuffix(".md"): f"sports/{name}" for name in sorted(names) if name.endswith(".md")}


@cache
def _text(path: str) -> str:
    return TEXTS.joinpath(*path.split("/")).read_text(encoding="utf-8").strip()
