"""What is asked of the model for each insight of a season folder, in the order in which insights arrived."""

import json
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

from benchmarks.cost.meter import Meter
from core import prompt
from core.errors import BooksDisagree
from core.floor import FloorTally, PrefixNode, Request
from core.pricing import CacheTtl, prices_at
from core.states import ServiceTier, Tone
from core.usage import Usage

MODEL = "claude-haiku-5-5"
ANSWER_TOKENS_MAX = 700
THINKING = {"type": "disabled"}
# What a library's user marks who has read the caching guide. The player's layer is left out: written for one
# child, it is rarely read again in the order of arrival.
SHARED_LAYERS = ("instructions", "sport", "tone")

Row = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Asked:
    """One insight's prompt: the layers from most to least shared, and the note."""

    layers: tuple[prompt.Layer, ...]
    note: str

    def blocks(self, marked: Collection[str], ttl: CacheTtl = "5m") -> tuple[list[Row], list[Row]]:
        """Return the system's blocks and the user's; layers named in `marked` end in a marker."""
        layers = [text_block(layer.text, ttl if layer.name in marked else None) for layer in self.layers]
        return layers[:-1], [layers[-1], text_block(self.note)]

    def body(self, marked: Collection[str], ttl: CacheTtl = "5m") -> Row:
        """Return the arguments of a request."""
        system, user = self.blocks(marked, ttl)
        return {
            "model": MODEL,
            "max_tokens": ANSWER_TOKENS_MAX,
            "thinking": THINKING,
            "system": system,
            "messages": [{"role": "user", "content": user}],
            "output_config": {"format": answer_format()},
        }

    @property
    def tokens(self) -> int:
        """The length of the prompt without what an output format adds."""
        texts = [layer.text for layer in self.layers]
        return sum(prompt.estimated_tokens(text, MODEL) for text in (*texts, self.note))


def text_block(text: str, ttl: CacheTtl | None = None) -> Row:
    """Return a block of text, with a cache marker if a lifetime is given."""
    block: Row = {"type": "text", "text": text}
    if ttl is not None:
        block["cache_control"] = {"type": "ephemeral"} if ttl == "5m" else {"type": "ephemeral", "ttl": ttl}
    return block


def answer_format() -> Row:
    """Return the output format of one answer."""
    schema = json.loads((prompt.TEXTS / "answer.schema.json").read_text(encoding="utf-8"))
    return {"type": "json_schema", "schema": schema}


def read_asked(folder: Path, today: date) -> list[Asked]:
    """Read a season, and put together what each of its insights asks."""
    coaches = {row["id"]: row for row in read_rows(folder / "coaches.jsonl")}
    players = {row["id"]: row for row in read_rows(folder / "players.jsonl")}
    rows = sorted(read_rows(folder / "insights.jsonl"), key=lambda row: str(row["created_at"]))
    return [_asked(row, coaches[row["coach_id"]], players[row["player_id"]], today) for row in rows]


def read_rows(path: Path) -> Iterator[Row]:
    """Give the rows of one file of a season."""
    with path.open(encoding="utf-8") as file:
        yield from (json.loads(line) for line in file)


def _asked(insight: Row, coach: Row, player: Row, today: date) -> Asked:
    born = player.get("date_of_birth")
    facts = prompt.PlayerFacts(
        first_name=player["first_name"],
        age_group=prompt.age_group_of(
            player.get("age_group"), date.fromisoformat(born) if born else None, today
        ),
        team=player.get("team"),
        position=player.get("position"),
    )
    names = player["first_name"], player.get("last_name")
    title, text = (prompt.without_last_name(insight[name], *names) for name in ("title", "description"))
    layers = prompt.layers(player["sport"], Tone(coach["tone"]), facts)
    return Asked(layers, prompt.note_text(title, text))


def floor_usd(asked: Sequence[Asked], meter: Meter, now: datetime, tier: ServiceTier) -> Decimal:
    """Return the cheapest bill for one call for each of these prompts, with answers as long as they came.

    All at the prices of `tier`; in batches, whose items read nothing of each other, only what whole sports
    and tones share is cached. Raises BooksDisagree when there were as many calls and yet other prompts.
    """
    meant = sum(each.tokens for each in asked) + len(asked) * meter.preamble_tokens
    if meter.calls == len(asked) and meter.total_input_tokens != meant:
        raise BooksDisagree(f"{meter.total_input_tokens} tokens were billed, the prompts have {meant}")
    tally = FloorTally()
    for each in asked:
        usage = Usage(each.tokens + meter.preamble_tokens)
        path = _path(each.layers[:-1] if tier == ServiceTier.BATCH else each.layers, meter.preamble_tokens)
        tally.add(Request(usage=usage, model=MODEL, at=now, service_tier=tier, path=path))
    output_tokens = Decimal(meter.tokens["output_tokens"]) * len(asked) / meter.calls
    return tally.total_usd() + (prices_at(MODEL, now, service_tier=tier).output * output_tokens).scaleb(-6)


def _path(layers: Sequence[prompt.Layer], tokens: int) -> tuple[PrefixNode, ...]:
    """Name each prefix by its texts."""
    path, key = [], ""
    for layer in layers:
        tokens += prompt.estimated_tokens(layer.text, MODEL)
        key = f"{key}/{hash(layer.text)}"
        path.append(PrefixNode(key, tokens))
    return tuple(path)
