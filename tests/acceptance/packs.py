"""Packs for tests: the insights of one player and one coach, and answers written by hand."""

import json
from typing import Any

from tests.acceptance.conftest import World


def load_pack(world: World, size: int = 3) -> list[str]:
    """Load so many insights of one player and one coach; gives their ids in the order of the notes."""
    world.load(insights=size)
    world.execute(
        "UPDATE insight SET (organization_id, player_id, coach_id, sport) ="
        " (SELECT organization_id, player_id, coach_id, sport FROM insight ORDER BY id LIMIT 1)"
    )
    return in_order(world)


def load_packs(world: World, players: int, size: int) -> list[list[str]]:
    """Load packs of this size of so many players, all of one sport and tone; gives the ids of each pack."""
    world.load(insights=players * size)
    world.execute("UPDATE coach SET tone = 'warm'")
    world.execute("UPDATE player SET sport = 'soccer'")
    world.execute(
        "UPDATE insight SET player_id = player.id, organization_id = player.organization_id, sport = NULL,"
        " coach_id = (SELECT min(id) FROM coach WHERE coach.organization_id = player.organization_id)"
        " FROM (SELECT *, row_number() OVER (ORDER BY id) - 1 AS n FROM player) AS player,"
        " (SELECT id, row_number() OVER (ORDER BY created_at, id) - 1 AS n FROM insight) AS numbered"
        " WHERE insight.id = numbered.id AND player.n = numbered.n / :size",
        size=size,
    )
    ids = in_order(world)
    return [ids[first : first + size] for first in range(0, len(ids), size)]


def in_order(world: World) -> list[str]:
    """Give the ids of all insights, oldest first, as a pack has them."""
    return [row["id"] for row in world.rows("SELECT id FROM insight ORDER BY created_at, id")]


def mark_notes(world: World) -> None:
    """Write into every note whose it is."""
    world.execute("UPDATE insight SET description = description || ' of ' || player_id || ' by ' || coach_id")


def part(note_id: str, summary: str | None = None, **changed: Any) -> dict[str, Any]:
    """The answer about one note of a pack."""
    return {
        "id": note_id,
        "category": "normal",
        "category_confidence": 0.95,
        "reason": "",
        "summary": summary or f"Words about note {note_id}.",
        "confidence": 0.9,
        "flags": [],
    } | changed


def answers(*parts: dict[str, Any]) -> str:
    """The answer about a pack."""
    return json.dumps({"answers": list(parts)})


def texts(world: World) -> dict[str, str]:
    """Give the summaries by insight."""
    return {row["insight_id"]: row["text"] for row in world.rows("SELECT insight_id, text FROM summary")}


def asked_about(world: World) -> list[list[str]]:
    """Give the insights of each attempt, in the order they were sent."""
    rows = world.rows(
        "SELECT array_agg(insight_id ORDER BY insight_id) AS ids FROM ai_usage_log"
        " JOIN ai_usage_insight USING (attempt_id) GROUP BY attempt_id, occurred_at"
        " ORDER BY occurred_at, attempt_id"
    )
    return [row["ids"] for row in rows]
