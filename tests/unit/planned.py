"""What the tests of planning share: made-up insights, terms to plan by, and the calls that come out."""

import random
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from core.calls import PlannedCall
from core.claimed import ClaimedInsight
from core.measured import Measured
from core.pages import plan_calls
from core.plan import Terms
from core.pricing import price_of
from core.states import Tone

NOW = datetime(2026, 11, 22, 20, tzinfo=UTC)
MODEL = "claude-haiku-5-5"
SPORTS = ("gaa_football", "rugby", "soccer")


def insight(number: int, *, player: int = 0, **changed: Any) -> ClaimedInsight:
    """An insight about one player of one coach, the older the higher its number."""
    facts: dict[str, Any] = {
        "id": f"i{number:04}",
        "organization_id": "club",
        "coach_id": "coach",
        "player_id": f"p{player}",
        "title": "Left foot",
        "description": f"Hesitant on the left foot again, number {number}.",
        "category": "skill_progress",
        "created_at": NOW - timedelta(minutes=number),
        "sport": "soccer",
        "player_sport": "soccer",
        "tone": Tone.WARM,
        "skip_sensitive": False,
        "first_name": f"Player{player}",
        "last_name": "Byrne",
        "age_group": "u12",
        "date_of_birth": None,
        "team": None,
        "position": None,
    }
    return ClaimedInsight(**facts | changed)


def terms(insights_per_call: int = 1, *, model: str = MODEL, **changed: Any) -> Terms:
    """The terms of a plan for a model of which nothing is measured yet."""
    return Terms(model, NOW, Measured(model), insights_per_call=insights_per_call, **changed)


def calls(
    insights: Iterable[ClaimedInsight], insights_per_call: int = 1, **changed: Any
) -> list[PlannedCall]:
    """The calls for these insights, in the order in which they are made."""
    chunks = plan_calls(insights, terms(insights_per_call, **changed))
    return [call for chunk in chunks for call in chunk.calls]


def pack(size: int, **changed: Any) -> PlannedCall:
    """The one call for so many insights of one player; its notes are about i0000, i0001, and so on."""
    created = [NOW - timedelta(minutes=size - number) for number in range(size)]
    (call,) = calls([insight(n, created_at=at, **changed) for n, at in enumerate(created)], size)
    return call


def crowd(seed: int, size: int) -> list[ClaimedInsight]:
    """Insights about a third as many players, each of one sport and one tone."""
    print(f"seed {seed}")
    chance = random.Random(seed)
    players = [(chance.choice(SPORTS), chance.choice(list(Tone))) for _ in range(max(1, size // 3))]
    made = []
    for number in range(size):
        player = chance.randrange(len(players))
        sport, tone = players[player]
        made.append(insight(number, player=player, sport=sport, tone=tone))
    return made


def predicted_usd(planned: Iterable[PlannedCall]) -> Decimal:
    """What the calls are predicted to cost, each priced by itself."""
    prices = (price_of(call.predicted, model=call.model, at=NOW).cost_usd for call in planned)
    return sum(prices, Decimal(0))


def ids(planned: Iterable[PlannedCall]) -> list[str]:
    """The insights of these calls, in order."""
    return [one.id for call in planned for one in call.insights]
