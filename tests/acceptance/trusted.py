"""Trusted coaches, harmless notes, and a model that always says the same: for tests of who decides."""

import json
from typing import Any

from tasks.config import set_setting
from tests.acceptance.conftest import World

TITLE = "First touch"
NOTE = "Her first touch was calm tonight, and the next step is the pass after it."
SURE: dict[str, Any] = {
    "category": "normal",
    "category_confidence": 0.99,
    "reason": "",
    "summary": "A calm first touch tonight, and the next step is the pass after it.",
    "confidence": 0.99,
    "flags": [],
}
REVIEWED = {"pending_review"}


def load_harmless(world: World, insights: int) -> list[str]:
    """Load so many insights that nobody needs to see, of coaches trusted as far as can be."""
    ids = world.load(insights=insights)
    world.execute(
        "UPDATE insight SET title = :t, description = :n, category = 'performance'", t=TITLE, n=NOTE
    )
    world.execute("UPDATE coach SET approvals = 500, suppressions = 0, preferred_level = 3")
    return ids


def always_answer(world: World, **changed: Any) -> None:
    """Have the model answer the same about everything, and nothing else."""
    world.admin("DELETE", "faults")
    world.fault(kind="wrong_content", share=1, answer=json.dumps(SURE | changed))


def summaries(world: World) -> list[dict[str, Any]]:
    return world.rows("SELECT * FROM summary ORDER BY created_at, insight_id")


def states(world: World) -> set[str]:
    return {row["state"] for row in summaries(world)}


def switch(world: World, name: str, value: str, organization_id: str | None = None) -> None:
    set_setting(world.engine, name, value, organization_id, changed_by="test", now=world.clock.now())
