"""A database as it is when a night's batches are out: loaded in bulk, not through the flow."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any

import psycopg

from core.pricing import price_version
from core.prompt import PlayerFacts, texts_of
from core.settings import Settings
from core.states import Tone
from examples.notes import NoteWriter
from models.insight import Insight

SPORT, TONE = "soccer", Tone.WARM
SEED = 2026
INSIGHTS_PER_PLAYER, PLAYERS_PER_COACH = 4, 25
REQUESTS_PER_BATCH = 25_000  # about 60 MB a create call; the flow cuts at 64 MB
NAMES = ("Aoife", "Saoirse", "Niamh", "Clodagh", "Róisín", "Éabha", "Grace", "Orla")
AGE_GROUP, TEAM, POSITION = "u12", "U12 Development", "Midfielder"
ORGANIZATION = "club-1"
ESTIMATE_USD = "0.0004"


@dataclass(frozen=True, slots=True)
class Request:
    """One item of a batch, before it is written as the API wants it."""

    attempt_id: str
    insight_id: str
    player: PlayerFacts
    title: str
    text: str


def load_night(url: str, insights: int, settings: Settings) -> None:
    """Load so many insights that wait for their batches, one call each, with all that a flow records."""
    now = datetime.now(UTC)
    known = {
        "account": settings.account,
        "model": settings.model,
        "tone": TONE,
        "sport": SPORT,
        "club": ORGANIZATION,
        "now": now,
        "due_at": now + timedelta(days=1),
        "per_batch": REQUESTS_PER_BATCH,
        "estimate": ESTIMATE_USD,
        "price_version": price_version(),
        "prompt_version": texts_of(SPORT, TONE).version,
    }
    players = -(-insights // INSIGHTS_PER_PLAYER)
    coaches = -(-players // PLAYERS_PER_COACH)
    with psycopg.connect(url) as connection:
        connection.execute(CLUB, known)
        connection.execute(COACHES, known | {"coaches": coaches})
        connection.execute(PLAYERS, known | {"players": players, "names": list(NAMES)})
        _keep_prompt(connection, now)
        _copy_insights(connection, insights, coaches, now)
        for statement in (CALLS, BATCHES, ATTEMPTS, ITEMS, LINKS):
            connection.execute(statement, known)
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("VACUUM (ANALYZE)")


def batch_ids(url: str) -> list[str]:
    """Return our batches, oldest first."""
    with psycopg.connect(url) as connection:
        return [row[0] for row in connection.execute("SELECT batch_id FROM message_batch ORDER BY 1")]


def requests_of(url: str, batch_id: str) -> list[Request]:
    """Return the requests of a batch."""
    with psycopg.connect(url) as connection:
        return [
            Request(attempt_id, insight_id, PlayerFacts(name, AGE_GROUP, TEAM, POSITION), title, text)
            for attempt_id, insight_id, name, title, text in connection.execute(REQUESTS, {"batch": batch_id})
        ]


def open_batch(url: str, batch_id: str, vendor_id: str) -> None:
    """Note that the API has a batch."""
    with psycopg.connect(url) as connection:
        connection.execute(OPENED, {"batch": batch_id, "vendor": vendor_id})


def _keep_prompt(connection: psycopg.Connection[Any], now: datetime) -> None:
    texts = texts_of(SPORT, TONE)
    row = {name: getattr(texts, name) for name in texts.__slots__} | {"now": now}
    connection.execute(PROMPT, row)


def _copy_insights(connection: psycopg.Connection[Any], insights: int, coaches: int, now: datetime) -> None:
    columns = ", ".join(COPIED)
    with connection.cursor().copy(f"COPY {Insight.__tablename__} ({columns}) FROM STDIN".encode()) as copy:
        for row in _insights(insights, coaches, now):
            copy.write_row(row)


def _insights(insights: int, coaches: int, now: datetime) -> Iterator[tuple[Any, ...]]:
    writer = NoteWriter(SPORT, Random(SEED))
    for n in range(insights):
        player = n // INSIGHTS_PER_PLAYER
        note = writer.write(NAMES[player % len(NAMES)], "she")
        spoken_at = now - timedelta(hours=12) + timedelta(milliseconds=n)
        people = (ORGANIZATION, f"coach-{player % coaches:06}", f"player-{player:06}")
        yield (f"insight-{n:06}", *people, note.title, note.text, False, spoken_at, "in_batch")


COPIED = (
    "id",
    "organization_id",
    "coach_id",
    "player_id",
    "title",
    "description",
    "urgent",
    "created_at",
    "state",
)
CLUB = "INSERT INTO organization (id, name, timezone) VALUES (%(club)s, 'Club', 'UTC')"
COACHES = """
    INSERT INTO coach (id, auth_id, organization_id, name, tone, summaries_enabled, skip_sensitive,
        approvals, suppressions)
    SELECT 'coach-' || lpad(n::text, 6, '0'), 'auth-' || n, %(club)s, 'Coach ' || n, %(tone)s, true, false,
        0, 0
    FROM generate_series(0, %(coaches)s - 1) AS n
"""
PLAYERS = """
    INSERT INTO player (id, organization_id, first_name, sport)
    SELECT 'player-' || lpad(n::text, 6, '0'), %(club)s,
        (%(names)s::text[])[1 + n %% cardinality(%(names)s::text[])], %(sport)s
    FROM generate_series(0, %(players)s - 1) AS n
"""
PROMPT = """
    INSERT INTO prompt (version, sport, tone, format, instructions, sport_sheet, tone_text, answer_schema,
        first_used_at)
    VALUES (%(version)s, %(sport)s, %(tone)s, %(format)s, %(instructions)s, %(sport_sheet)s, %(tone_text)s,
        %(answer_schema)s, %(now)s)
"""
CALLS = """
    CREATE TEMPORARY TABLE call ON COMMIT DROP AS
    SELECT id AS insight_id, organization_id, coach_id, player_id,
        md5('attempt ' || id)::uuid::text AS attempt_id, md5('call ' || id)::uuid::text AS call_id,
        'batch-' || lpad(((row_number() OVER (ORDER BY id) - 1) / %(per_batch)s)::text, 3, '0') AS batch_id
    FROM insight
"""
BATCHES = """
    INSERT INTO message_batch (batch_id, run_id, account, model, kind, stage, state, requests, prefixes,
        created_at, sent_until, due_at)
    SELECT batch_id, 'night', %(account)s, %(model)s, 'main', 0, 'sent', count(*), '{}',
        %(now)s, %(now)s, %(due_at)s
    FROM call GROUP BY batch_id
"""
ATTEMPTS = """
    INSERT INTO ai_usage_log (attempt_id, call_id, occurred_at, recorded_at, organization_id, coach_id,
        player_id, operation, model, lane, service_tier, input_tokens, cache_read_tokens,
        cache_write_5m_tokens, cache_write_1h_tokens, output_tokens, thinking_tokens, estimated_cost_usd,
        price_version, outcome, prompt_version, flow_run_id, batch_id)
    SELECT attempt_id, call_id, %(now)s, %(now)s, organization_id, coach_id, player_id, 'parent_summary',
        %(model)s, 'overnight', 'batch', 0, 0, 0, 0, 0, 0, %(estimate)s, %(price_version)s, 'sent',
        %(prompt_version)s, 'night', batch_id
    FROM call
"""
ITEMS = """
    INSERT INTO batch_item (attempt_id, batch_id, insight_ids, packed, prefix_key, marked, front_tokens,
        predicted_input_tokens, predicted_read_tokens, predicted_write_tokens, predicted_output_tokens)
    SELECT attempt_id, batch_id, ARRAY[insight_id], false, 'none', 0, 0, 0, 0, 0, 0 FROM call
"""
LINKS = "INSERT INTO ai_usage_insight (attempt_id, insight_id) SELECT attempt_id, insight_id FROM call"
REQUESTS = """
    SELECT attempt_id, insight.id, first_name, title, description
    FROM batch_item JOIN insight ON insight.id = insight_ids[1] JOIN player ON player.id = insight.player_id
    WHERE batch_id = %(batch)s ORDER BY insight.id
"""
OPENED = """
    UPDATE message_batch SET state = 'open', vendor_id = %(vendor)s, opened_at = created_at
    WHERE batch_id = %(batch)s
"""
