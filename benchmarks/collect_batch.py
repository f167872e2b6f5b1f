"""The batch that `benchmarks.collect` collects: in our tables, as requests for the API, and as plain facts."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import islice
from pathlib import Path
from typing import Any
from uuid import uuid4

import sqlalchemy as sa

from benchmarks.cost.texts import REFERENCE_SET
from benchmarks.cost.workloads import SIX_SPORTS, Size, write_workload
from core import prompt
from core.batches import REQUESTS_MAX
from core.calls import ANSWER_TOKENS_MAX
from core.pricing import price_of
from core.request import answer_schema, request_body
from core.settings import Settings
from core.states import BatchKind, Lane, Outcome, ServiceTier, Tone
from core.usage import Usage
from database.engine import connect
from models.message_batch import QUERIES
from models.prompt import QUERIES as PROMPT
from tasks.ledger import OPERATION
from tasks.season import ingest

MODEL = "claude-haiku-5-5"
PREFIX, PREFIX_TOKENS = "bench", 20
ROWS_AT_ONCE = 5_000
INSIGHTS = """
    SELECT insight.id, insight.organization_id, insight.coach_id, insight.player_id, insight.title,
        insight.description, player.first_name, coalesce(insight.sport, player.sport) AS sport, coach.tone
    FROM insight JOIN player ON player.id = insight.player_id JOIN coach ON coach.id = insight.coach_id
    ORDER BY insight.created_at
"""


@dataclass(frozen=True, slots=True)
class Item:
    """One insight and the attempt that asks about it."""

    attempt_id: str
    insight_id: str
    organization_id: str
    coach_id: str
    player_id: str
    sport: str
    tone: Tone
    first_name: str
    note: str

    @property
    def prompt_version(self) -> str:
        """The version of the texts that the ledger names; what is sent here is shorter."""
        return prompt.texts_of(self.sport, self.tone).version

    def request(self) -> dict[str, Any]:
        """Return the item as the API takes it: a short prompt in the form of a single call."""
        player = prompt.player_text(prompt.PlayerFacts(self.first_name, None, None, None))
        layers = (
            prompt.Layer("tone", f"Write a {self.tone} summary for parents."),
            prompt.Layer("player", player),
        )
        schema = answer_schema(self.sport, self.tone)
        params = request_body(MODEL, layers, [self.note], {}, schema, ANSWER_TOKENS_MAX)
        return {"custom_id": self.attempt_id, "params": params}

    def known(self) -> dict[str, str]:
        """Return what must be known of it to store its result."""
        names = ("attempt_id", "insight_id", "tone")
        return {name: getattr(self, name) for name in names} | {"prompt_version": self.prompt_version}


def load_season(url: str, home: Path, insights: int) -> list[Item]:
    """Load a season with as many people for its insights as `platform` has; gives an item for each."""
    organizations = max(1, insights // 1_000)
    players, coaches = insights * 3 // 10, 12 * organizations
    size = Size(insights, players, coaches, organizations, SIX_SPORTS[: 6 if organizations > 1 else 3])
    write_workload(home / "season", size, REFERENCE_SET)
    engine = connect(url)
    loaded = ingest(
        engine, home / "season", home=home, sports=frozenset(prompt.sports()), now=datetime.now(UTC)
    )
    assert loaded.insights.inserted == insights, loaded
    with engine.connect() as connection:
        rows = connection.execute(sa.text(INSIGHTS)).all()
    engine.dispose()
    return [
        Item(
            attempt_id=str(uuid4()),
            insight_id=row.id,
            organization_id=row.organization_id,
            coach_id=row.coach_id,
            player_id=row.player_id,
            sport=row.sport,
            tone=Tone(row.tone),
            first_name=row.first_name,
            note=prompt.note_text(row.title, row.description),
        )
        for row in rows
    ]


def put_in_batch(url: str, items: Sequence[Item], vendor_id: str) -> None:
    """Write down prompts, batch, attempts and items as a run does, and that the API has the batch."""
    batch_id, now = str(uuid4()), datetime.now(UTC)
    versions = {prompt.texts_of(item.sport, item.tone) for item in items}
    engine = connect(url)
    with engine.begin() as connection:
        connection.execute(PROMPT["keep"], [asdict(texts) | {"first_used_at": now} for texts in versions])
        connection.execute(QUERIES["record"], _batch_row(batch_id, len(items), now))
        for some in _in_parts(items):
            attempts = json.dumps([_attempt_row(item, batch_id, now) for item in some], default=str)
            connection.execute(QUERIES["record_attempts"], {"attempts": attempts})
            rows = json.dumps([_item_row(item, batch_id) for item in some])
            connection.execute(QUERIES["record_items"], {"items": rows})
        connection.execute(
            QUERIES["opened"], {"batch_id": batch_id, "vendor_id": vendor_id, "opened_at": now}
        )
        connection.execute(sa.text("UPDATE insight SET state = 'in_batch'"))
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(sa.text("VACUUM ANALYZE"))
    engine.dispose()


def _in_parts(items: Sequence[Item]) -> Iterator[list[Item]]:
    rest = iter(items)
    while some := list(islice(rest, ROWS_AT_ONCE)):
        yield some


def _batch_row(batch_id: str, requests: int, now: datetime) -> dict[str, Any]:
    assert requests <= REQUESTS_MAX
    return {
        "batch_id": batch_id,
        "run_id": "bench",
        "account": Settings().account,
        "model": MODEL,
        "kind": BatchKind.MAIN,
        "stage": 0,
        "requests": requests,
        "prefixes": json.dumps({PREFIX: [PREFIX_TOKENS, None]}),
        "created_at": now,
        "sent_until": now + timedelta(minutes=11),
        "due_at": now + timedelta(days=1),
    }


def _attempt_row(item: Item, batch_id: str, now: datetime) -> dict[str, Any]:
    price = price_of(Usage(150, output_tokens=140), model=MODEL, at=now, service_tier=ServiceTier.BATCH)
    return {
        "attempt_id": item.attempt_id,
        "call_id": item.attempt_id,
        "occurred_at": now,
        "recorded_at": now,
        "organization_id": item.organization_id,
        "coach_id": item.coach_id,
        "player_id": item.player_id,
        "operation": OPERATION,
        "model": MODEL,
        "lane": Lane.OVERNIGHT,
        "service_tier": ServiceTier.BATCH,
        "estimated_cost_usd": Decimal(price.cost_usd),
        "price_version": price.price_version,
        "outcome": Outcome.SENT,
        "prompt_version": item.prompt_version,
        "flow_run_id": "bench",
        "batch_id": batch_id,
    }


def _item_row(item: Item, batch_id: str) -> dict[str, Any]:
    return {
        "attempt_id": item.attempt_id,
        "batch_id": batch_id,
        "insight_ids": [item.insight_id],
        "packed": False,
        "prefix_key": PREFIX,
        "marked": 0,
        "front_tokens": PREFIX_TOKENS,
        "predicted_input_tokens": 150,
        "predicted_read_tokens": 0,
        "predicted_write_tokens": 0,
        "predicted_output_tokens": 140,
    }
