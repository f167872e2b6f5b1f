"""Lengths of texts: counted by the API once per model and text, and what usage teaches of the rest."""

import logging
from collections.abc import Iterable, Sequence
from decimal import Decimal
from typing import Any

from anthropic import AsyncAnthropic
from sqlalchemy.ext.asyncio import AsyncConnection

from core.clock import Clock
from core.errors import NotReady
from core.measured import Measured, text_key
from core.prompt import PromptTexts, texts_of
from core.request import THINKING_OFF, answer_schema
from core.states import Tone
from models.token_count import QUERIES
from tasks.claude import CallFailed, count_tokens
from tasks.transactions import Transactions

PROBE = "x"  # a request needs some text
PROBE_TOKENS = 1
TEXT = "text"
ANSWER = "answer/"
PLENTY = {TEXT: 500_000, ANSWER: 5_000}  # characters, insights: then older usage fades

logger = logging.getLogger("touchline.lengths")


async def measured_lengths(
    transactions: Transactions,
    client: AsyncAnthropic | None,
    *,
    model: str,
    used: Iterable[tuple[str, Tone]],
    clock: Clock,
) -> Measured:
    """Return what is known of lengths for these sports and tones; what is not yet counted is, for free.

    Without a client, or when the API does not count, what is missing is estimated by its characters.
    """
    texts = [texts_of(sport, tone) for sport, tone in used]
    bodies = dict(_bodies(model, texts))
    asked = {"model": model, "text_keys": list(bodies)}

    async def read(connection: AsyncConnection) -> tuple[dict[str, int], dict[str, Decimal]]:
        counts = await connection.execute(QUERIES["counts"], asked)
        ratios = await connection.execute(QUERIES["ratios"], {"model": model})
        return {row.text_key: row.tokens for row in counts}, {row.kind: row.ratio for row in ratios}

    counted, ratios = await transactions.commit(read)
    missing = {key: body for key, body in bodies.items() if key not in counted}
    if missing and client is not None:
        counted |= await _counted(transactions, client, model, missing, clock)
    return _measured(model, texts, counted, ratios)


def _measured(
    model: str, texts: Sequence[PromptTexts], counted: dict[str, int], ratios: dict[str, Decimal]
) -> Measured:
    frames = {
        packed: counted[key]
        for one in texts[:1]
        for packed in (False, True)
        if (key := _frame_key(one, packed)) in counted
    }
    answers = {tone: ratios[ANSWER + tone] for tone in Tone if ANSWER + tone in ratios}
    return Measured(model, counted, frames, ratios.get(TEXT), answers)


def _bodies(model: str, texts: Iterable[PromptTexts]) -> Iterable[tuple[str, dict[str, Any]]]:
    """Yield the requests by which each text is counted, the key of its count first."""
    plain = {
        "model": model,
        "thinking": THINKING_OFF.get(model, {"type": "disabled"}),
        "messages": [{"role": "user", "content": PROBE}],
    }
    yield PROBE, plain
    for one in texts:
        for layer in one.layers():
            yield text_key(layer.text), plain | {"system": [{"type": "text", "text": layer.text}]}
        for packed in (False, True):
            schema = answer_schema(one.sport, one.tone, packed=packed)
            output = {"format": {"type": "json_schema", "schema": schema}}
            yield _frame_key(one, packed), plain | {"output_config": output}


def _frame_key(texts: PromptTexts, packed: bool) -> str:
    return f"frame:{'pack' if packed else 'one'}:{text_key(texts.answer_schema)}"


async def _counted(
    transactions: Transactions,
    client: AsyncAnthropic,
    model: str,
    missing: dict[str, dict[str, Any]],
    clock: Clock,
) -> dict[str, int]:
    """Ask the API, and keep what it says; nothing when it does not say all of it."""
    bodies = {PROBE: dict(_bodies(model, ()))[PROBE], **missing}
    try:
        tokens = {key: await count_tokens(client, body) for key, body in bodies.items()}
    except (CallFailed, NotReady) as failed:
        logger.warning("the API counts no tokens (%s): lengths are estimated", failed)
        return {}
    base = tokens[PROBE]
    counted = {key: n - base for key, n in tokens.items() if key != PROBE}
    counted = {key: n + base - PROBE_TOKENS if key.startswith("frame:") else n for key, n in counted.items()}
    counted[PROBE] = base
    now = clock.now()
    rows = [
        {"model": model, "text_key": key, "tokens": max(0, n), "counted_at": now}
        for key, n in counted.items()
    ]

    async def keep(connection: AsyncConnection) -> None:
        await connection.execute(QUERIES["keep"], rows)

    await transactions.commit(keep)
    return counted


class Lessons:
    """What the answers of a run teach of lengths, until it ends."""

    def __init__(self) -> None:
        self._sums: dict[str, list[int]] = {}

    def add(self, kind: str, units: int, tokens: int) -> None:
        """Count so many tokens for so many units."""
        sums = self._sums.setdefault(kind, [0, 0])
        sums[0] += units
        sums[1] += tokens

    async def keep(self, transactions: Transactions, model: str) -> None:
        """Add them to what is known."""
        rows = [
            {
                "model": model,
                "kind": kind,
                "units": units,
                "tokens": tokens,
                "plenty": PLENTY[TEXT if kind == TEXT else ANSWER],
            }
            for kind, (units, tokens) in sorted(self._sums.items())
            if units > 0
        ]
        if not rows:
            return

        async def learn(connection: AsyncConnection) -> None:
            await connection.execute(QUERIES["learn"], rows)

        await transactions.commit(learn)
