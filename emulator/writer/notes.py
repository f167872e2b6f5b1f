"""What a prompt is about: the note, the child and the tone, found where callers put them.

A note is JSON between `<note>` tags (`title`, `text`, perhaps `id`), a player JSON between `<player>` tags
(`first_name`); any other prompt counts as one note whose text is the last user text.
"""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal

from emulator.request import shapes

Tone = Literal["warm", "professional", "brief"]

NOTE = re.compile(r"<note\b[^>]*>(.*?)</note>", re.DOTALL)
PLAYER = re.compile(r"<player\b[^>]*>(.*?)</player>", re.DOTALL)
ONE_SENTENCE = re.compile(r"\b(one|a single|1) (short |plain |warm |clear )*sentence\b", re.IGNORECASE)
NAME = re.compile(r"[^\W\d_]+(?:[ '’-][^\W\d_]+){0,2}")
COMMANDS = re.compile(
    r"ignore|instruction|prompt|system|disregard|forget|override|http|assistant", re.IGNORECASE
)
NAME_LENGTH_MAX = 30
UNNAMED = "your child"


@dataclass(frozen=True)
class Note:
    """One note to be answered."""

    id: str
    title: str
    text: str

    @property
    def words(self) -> str:
        """Title and text as one searchable string."""
        return f"{self.title}. {self.text}"


@dataclass(frozen=True)
class Brief:
    """What the writer has been asked to do."""

    name: str
    tone: Tone
    notes: tuple[Note, ...]


def read_brief(request: shapes.PromptRequest) -> Brief:
    """Find the notes, the child's first name and the tone in a request."""
    texts = [block.text for message in request.messages for block in _texts(message)]
    joined = "\n".join(texts)
    notes = tuple(_notes(joined)) or (Note("", "", texts[-1] if texts else ""),)
    return Brief(_first_name(joined), _tone(request), notes)


def _texts(message: shapes.Message) -> Iterator[shapes.TextBlock]:
    return (
        block for block in message.content if message.role == "user" and isinstance(block, shapes.TextBlock)
    )


def _notes(text: str) -> Iterator[Note]:
    for found in NOTE.finditer(text):
        content = _json_object(found[1])
        words = content.get("text", "" if content else found[1].strip())
        yield Note(str(content.get("id", "")), str(content.get("title", "")), str(words))


def _first_name(text: str) -> str:
    """The child's name, if it looks like one: a name can be an instruction in disguise."""
    found = PLAYER.search(text)
    name = str(_json_object(found[1]).get("first_name", "")).strip() if found else ""
    plausible = NAME.fullmatch(name) and len(name) <= NAME_LENGTH_MAX and not COMMANDS.search(name)
    return name if plausible else UNNAMED


def _tone(request: shapes.PromptRequest) -> Tone:
    """The last system block is where a tone is asked for; earlier ones may talk about tones in general."""
    text = request.system[-1].text if request.system else ""
    if ONE_SENTENCE.search(text):
        return "brief"
    return "professional" if "professional" in text.lower() else "warm"


def _json_object(text: str) -> dict[str, Any]:
    try:
        content = json.loads(text)
    except ValueError:
        return {}
    return content if isinstance(content, dict) else {}
