"""Prompt versions in the database: kept by a run, listed, found; and the prompt of one insight."""

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from datetime import datetime
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from core.calls import Chunk, PlannedCall
from core.errors import NotReady
from core.measured import Measured
from core.pages import plan_calls
from core.plan import Terms
from core.prompt import PromptTexts, estimated_tokens, sports, texts_of
from core.prompt_versions import current_texts, only_one, version_digits
from core.settings import Settings
from core.states import Tone
from models.insight import QUERIES as INSIGHT
from models.prompt import QUERIES
from tasks.listing import Row, show_insight, snapshot

if TYPE_CHECKING:
    from tasks.run import Run


async def keep_prompts(run: "Run", chunks: Iterable[Chunk]) -> None:
    """Keep the texts of the versions that are about to be used, those that this run has not yet kept."""
    used = {texts.version: texts for texts in (texts_of(chunk.sport, chunk.tone) for chunk in chunks)}
    new = sorted(used.keys() - run.kept_versions)  # sorted, so that two runs do not wait for each other
    if not new:
        return
    now = run.clock.now()
    rows = [asdict(used[version]) | {"first_used_at": now} for version in new]

    async def keep(connection: AsyncConnection) -> None:
        await connection.execute(QUERIES["keep"], rows)

    await run.commit(keep)
    run.kept_versions.update(new)


def all_current() -> tuple[PromptTexts, ...]:
    """Return the current texts of every sport and tone."""
    return tuple(texts_of(sport, tone) for sport in sports() for tone in Tone)


def list_versions(engine: sa.Engine, model: str) -> tuple[list[Row], list[Row]]:
    """Return the current version of every sport and tone, and the older ones that were used.

    Each with the number of its summaries, the current ones with their layers' estimated tokens.
    """
    with snapshot(engine) as connection:
        used = {row["version"]: dict(row) for row in connection.execute(QUERIES["list"]).mappings()}
    current = []
    for texts in all_current():
        about = {"version": texts.version, "sport": texts.sport, "tone": texts.tone}
        tokens = {layer.name: estimated_tokens(layer.text, model) for layer in texts.layers()}
        never = {"first_used_at": None, "summaries": 0}
        current.append(never | used.pop(texts.version, {}) | about | {"tokens": tokens})
    return current, list(used.values())


def find_prompt(engine: sa.Engine, reference: str) -> PromptTexts:
    """Return the texts that a reference names, kept or current. Raises BadInput, with the next step."""
    if current := current_texts(reference):
        return current
    digits = version_digits(reference)
    with snapshot(engine) as connection:
        kept = connection.execute(QUERIES["beginning_with"], {"digits": digits}).mappings().all()
    return only_one(
        reference,
        [*map(_texts, kept), *(texts for texts in all_current() if texts.version.startswith(digits))],
    )


def _texts(row: Mapping[Any, Any]) -> PromptTexts:
    return PromptTexts(**{**row, "tone": Tone(row["tone"])})


def planned_for(engine: sa.Engine, settings: Settings, insight_id: str, now: datetime) -> PlannedCall:
    """Return the call that a run of now would make for an insight, whatever its state.

    Raises BadInput when there is no such insight, or no sheet for its sport.
    """
    from tasks.insights import asked_for_prompts, insight_of

    show_insight(engine, insight_id)  # refuses an unknown one with the next step
    asked = asked_for_prompts([insight_id], rehearsal=settings.rehearsal)
    with snapshot(engine) as connection:
        claimed = insight_of(connection.execute(INSIGHT["for_prompt"], asked).one())
    (chunk,) = plan_calls([claimed], Terms(settings.model, now, Measured(settings.model)))
    return chunk.calls[0]


def count(settings: Settings, bodies: Sequence[tuple[str, Mapping[str, Any]]]) -> dict[str, int]:
    """Ask the API how many tokens each request has, free of charge, by name in the order given.

    Raises NotReady, with the next step, when it does not say.
    """
    from tasks.claude import CallFailed, count_tokens, make_client

    async def ask_all() -> list[int]:
        async with make_client(settings) as client:
            return [await count_tokens(client, body) for _, body in bodies]

    try:
        counts = asyncio.run(ask_all())
    except CallFailed as failed:
        raise NotReady(
            f"The API counts no tokens: {failed}. Correct what it says, or leave out --count: "
            "tokens are then estimated."
        ) from None
    return {name: tokens for (name, _), tokens in zip(bodies, counts, strict=True)}
