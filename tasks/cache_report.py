"""What the cache did, read from the ledger by prefix and run; memory grows with those, not with its rows."""

from collections import defaultdict
from collections.abc import Mapping
from datetime import date
from itertools import groupby
from typing import Any

import sqlalchemy as sa

from core.cache_report import Alike, PrefixKey, PrefixTally, Run, RunTally, whole_report
from core.day_range import DayRange, check_range
from core.local_days import zone_named
from core.pricing import prompt_size_bounds
from core.usage_report import range_of
from models.sql import load
from tasks.listing import find_organization, snapshot
from tasks.usage_sources import reading_for

QUERIES = load("cache_report.sql")
RUNS_MAX = 100
ROWS_AT_ONCE = 5_000


def cache_report(
    engine: sa.Engine,
    from_day: date,
    to_day: date,
    organization_id: str | None = None,
    runs_max: int = RUNS_MAX,
) -> dict[str, Any]:
    """Return what the cache did for the calls that were answered and paid; ready for JSON.

    Of one organisation by its local days, else of all by UTC days. In all, and for each prefix (`by_prefix`,
    dearest first) and each of the newest `runs_max` runs (`by_run`): requests, tokens, hit rate, cost, and
    what caching saved (at live prices) and batches took off after that, which add up to `saved_usd` of
    USAGE. `efficiency` of a prefix is floor over cost, as `core.cache_report` defines the floor; at most 1.
    `below_minimum` are the prefixes that are too short for their model to cache.

    What is not known is null, or counted apart: `unmeasured_requests` are of a prefix whose length neither
    the API has counted nor the cache has shown (they are in no floor), `warmed_by_others` those that came
    out cheaper than their floor because another prefix's call had written for them (they count as at it).
    `run_*` and `packs_saved_usd` are of a whole run, also outside the range; null for one that was killed,
    and for an organisation when the run was not its own alone: `packs_unknown_of_runs` counts those.
    Raises BadInput for an unknown organisation, or days that are no range.
    """
    check_range(from_day, to_day)
    opened = snapshot(engine) if organization_id is None else reading_for(engine, organization_id)
    with opened as connection:
        days = _days(connection, from_day, to_day, organization_id)
        prefixes, runs = _tallies(connection, days, organization_id)
        report = whole_report(
            prefixes, runs, _known_runs(connection, runs), _versions(connection, prefixes), runs_max
        )
    return report | range_of(days)


def _days(connection: sa.Connection, from_day: date, to_day: date, organization_id: str | None) -> DayRange:
    if organization_id is None:
        return DayRange(from_day, to_day)
    club = find_organization(connection, organization_id)
    return DayRange(from_day, to_day, zone_named(club.timezone, organization_id))


def _tallies(
    connection: sa.Connection, days: DayRange, organization_id: str | None
) -> tuple[Mapping[PrefixKey, PrefixTally], Mapping[str, RunTally]]:
    """Add up the requests of the range, by prefix and by run."""
    prefixes: defaultdict[PrefixKey, PrefixTally] = defaultdict(PrefixTally)
    runs: defaultdict[str, RunTally] = defaultdict(RunTally)
    asked = {
        "organization_id": organization_id,
        "begins_at": days.starts[0],
        "ends_at": days.starts[-1],
        "size_starts": [bound + 1 for bound in prompt_size_bounds()],
    }
    streamed = {"yield_per": ROWS_AT_ONCE}
    rows = connection.execute(QUERIES["requests_alike"], asked, execution_options=streamed).mappings()
    for (run_id, *key), group in groupby(rows, key=lambda row: (row["flow_run_id"], *_key(row))):
        of_run: list[Alike] = list(group)
        prefixes[PrefixKey(*key)].add_run(of_run)
        for row in of_run:
            runs[run_id].add_request(row)
    return prefixes, runs


def _key(row: Mapping[Any, Any]) -> PrefixKey:
    return PrefixKey(*(row[name] for name in PrefixKey._fields))


def _known_runs(connection: sa.Connection, runs: Mapping[str, RunTally]) -> dict[str, Run]:
    found = connection.execute(QUERIES["runs"], {"run_ids": list(runs)})
    return {row["run_id"]: row for row in found.mappings()}


def _versions(
    connection: sa.Connection, prefixes: Mapping[PrefixKey, PrefixTally]
) -> dict[str, Mapping[str, str | None]]:
    """What each prompt version was for, where its texts are kept."""
    versions = sorted({key.prompt_version for key in prefixes})
    found = connection.execute(QUERIES["versions"], {"versions": versions})
    return {row.version: {"sport": row.sport, "tone": row.tone} for row in found}
