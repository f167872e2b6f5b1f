"""What is due, before any of it is claimed: by sport and tone, with what is warm and how runs come."""

import json
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from itertools import pairwise
from statistics import median
from typing import Any

from sqlalchemy import Row
from sqlalchemy.ext.asyncio import AsyncConnection

from core.calls import shared_keys
from core.categories import SENSITIVE_WORDS
from core.club import Club
from core.states import Lane, Tone
from core.survey import Group, Survey
from models.insight import QUERIES
from models.summary_run import QUERIES as RUNS
from tasks.config import read_clubs
from tasks.transactions import Transactions
from tasks.warmth import Warmth

ARRIVALS_OVER = timedelta(hours=1)
RUNS_LOOKED_AT = 100
RUNS_SINCE = timedelta(days=1)
RUN_EVERY_SECONDS = 900.0  # as deployed; until runs have shown another rhythm
TOGETHER_SECONDS = 60.0  # runs that start so near each other are workers of one schedule


@dataclass(frozen=True, slots=True)
class Scope:
    """What a run may take: of one organization or of all, and with a limit only what has waited longest."""

    organization_id: str | None = None
    insight_limit: int | None = None
    lane: Lane = Lane.LIVE
    clubs: tuple[Club, ...] = ()  # those in its reach, with the lane each has chosen
    player_ids: list[str] | None = None  # those that the limit reaches

    def without(self, switched_off: Collection[str | None]) -> "Scope":
        """Return the scope without the clubs where generation is switched off by now; None: everywhere."""
        if None in switched_off:
            return replace(self, clubs=())
        return replace(
            self, clubs=tuple(one for one in self.clubs if one.organization_id not in switched_off)
        )

    def due(self, now: datetime) -> dict[str, Any]:
        """Return the parameters by which queries know what is due to this run."""
        clubs = [
            {
                "organization_id": club.organization_id,
                "lane": club.lane.value,
                "live_before": club.live_before(now).isoformat(),
            }
            for club in self.clubs
            if club.generation
        ]
        return {
            "now": now,
            "organization_id": self.organization_id,
            "player_ids": self.player_ids,
            "sensitive_words": list(SENSITIVE_WORDS),
            "lane": self.lane.value,
            "clubs": json.dumps(clubs),
        }


async def in_reach(transactions: Transactions, scope: Scope, now: datetime) -> Scope:
    """Return the scope with its clubs and the players that its limit reaches.

    The number of the players does not pass the limit. Raises BooksDisagree for a stored setting that is not
    allowed.
    """
    scope = replace(scope, clubs=await read_clubs(transactions, scope.organization_id))
    if scope.insight_limit is None:
        return scope
    asked = scope.due(now) | {"insight_limit": scope.insight_limit}

    async def read(connection: AsyncConnection) -> list[str]:
        return list((await connection.execute(QUERIES["longest_waiting"], asked)).scalars())

    return replace(scope, player_ids=await transactions.commit(read))


async def survey_due(
    transactions: Transactions, warmth: Warmth, scope: Scope, *, model: str, now: datetime
) -> Survey:
    """Count what is due in the scope; what others hold at the moment is not."""
    asked = scope.due(now) | {"since": now - ARRIVALS_OVER}
    runs = {
        "lane": scope.lane,
        "now": now,
        "since": now - RUNS_SINCE,
        "organization_id": scope.organization_id,
        "row_limit": RUNS_LOOKED_AT,
    }

    async def read(connection: AsyncConnection) -> tuple[Sequence[Row[Any]], ...]:
        due = (await connection.execute(QUERIES["survey"], asked)).all()
        arrived = (await connection.execute(QUERIES["arrivals"], asked)).all()
        return due, arrived, (await connection.execute(RUNS["starts"], runs)).all()

    due, arrived, starts = await transactions.commit(read)
    groups = _groups(due, arrived)
    keys = [
        key
        for group in groups
        for packed in (False, True)
        for key in shared_keys(model, group.sport, group.tone, packed)
    ]
    warm = await warmth.look(keys) if keys else {}
    return Survey(groups, warm, _run_every_seconds([row.started_at for row in starts]))


def _groups(due: Sequence[Row[Any]], arrived: Sequence[Row[Any]]) -> list[Group]:
    sizes: dict[tuple[str, Tone], dict[int, int]] = {}
    for row in due:
        sizes.setdefault((row.sport, Tone(row.tone)), {})[row.size] = row.players
    hours = ARRIVALS_OVER.total_seconds() / 3600
    per_hour = {(row.sport, Tone(row.tone)): row.insights / hours for row in arrived}
    return [Group(*about, counted, per_hour.get(about, 0.0)) for about, counted in sizes.items()]


def _run_every_seconds(starts: Sequence[datetime]) -> float:
    """The usual time from one run to the next; starts come newest first, those of one schedule count once."""
    apart: list[datetime] = []
    for start in starts:
        if not apart or (apart[-1] - start).total_seconds() >= TOGETHER_SECONDS:
            apart.append(start)
    gaps = [(later - earlier).total_seconds() for later, earlier in pairwise(apart)]
    return median(gaps) if gaps else RUN_EVERY_SECONDS
