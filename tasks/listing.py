"""Rows to look at: insights, summaries and ledger rows, page by page or one whole.

Rows are plain dicts: ratios as floats, money as exact decimal strings, times as aware datetimes.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import sqlalchemy as sa

from core.bill import plain_money
from core.errors import BadInput
from core.sharing import shared_out
from core.states import BatchState, InsightState, Outcome, SummaryState
from models.ai_usage_log import QUERIES as LEDGER
from models.insight import QUERIES as INSIGHT
from models.message_batch import QUERIES as BATCH
from models.sql import Queries, load
from models.summary import QUERIES as SUMMARY

USAGE = load("usage.sql")
RATIOS = ("confidence", "category_confidence", "cache_hit_rate")
MONEY = ("cost_usd", "estimated_cost_usd")

Row = dict[str, Any]


@contextmanager
def snapshot(engine: sa.Engine) -> Iterator[sa.Connection]:
    """Give a connection that reads everything as of one moment, and can write nothing."""
    with engine.connect() as connection:
        reading = connection.execution_options(isolation_level="REPEATABLE READ", postgresql_readonly=True)
        reading.execute(USAGE["read_by_index"])
        yield reading


def list_insights(
    engine: sa.Engine,
    *,
    state: InsightState | None = None,
    organization_id: str | None = None,
    limit: int | None = None,
    after: str | None = None,
) -> list[Row]:
    """Return insights by id. Raises BadInput for an `organization_id` or `after` that does not exist."""
    return _page(engine, INSIGHT, "insight", organization_id, limit, after, {"state": state})


def list_summaries(
    engine: sa.Engine,
    *,
    state: SummaryState | None = None,
    organization_id: str | None = None,
    limit: int | None = None,
    after: str | None = None,
) -> list[Row]:
    """Return summaries in the order they were made, without texts. Raises as `list_insights`."""
    return _page(engine, SUMMARY, "summary", organization_id, limit, after, {"state": state})


def list_ledger(
    engine: sa.Engine,
    *,
    outcome: Outcome | None = None,
    organization_id: str | None = None,
    limit: int | None = None,
    after: str | None = None,
) -> list[Row]:
    """Return ledger rows in the order they were sent. Raises as `list_insights`."""
    return _page(engine, LEDGER, "attempt", organization_id, limit, after, {"outcome": outcome})


def list_batches(
    engine: sa.Engine, *, state: BatchState | None = None, limit: int | None = None, after: str | None = None
) -> list[Row]:
    """Return message batches in the order they were made. Raises as `list_insights`."""
    return _page(engine, BATCH, "batch", None, limit, after, {"state": state})


def show_batch(engine: sa.Engine, batch_id: str) -> Row:
    """Return one batch with what became of its items so far. Raises BadInput when there is none."""
    asked = {"batch_id": batch_id}
    with snapshot(engine) as connection:
        row = connection.execute(BATCH["show"], asked).mappings().first()
        outcomes = [plain_row(one) for one in connection.execute(BATCH["outcomes"], asked).mappings()]
    return plain_row(_there(row, "batch", batch_id)) | {"outcomes": outcomes}


def show_insight(engine: sa.Engine, insight_id: str) -> Row:
    """Return one insight with its note. Raises BadInput when there is none with this id."""
    with snapshot(engine) as connection:
        row = connection.execute(INSIGHT["show"], {"id": insight_id}).mappings().first()
    return plain_row(_there(row, "insight", insight_id))


def show_summary(engine: sa.Engine, summary_id: str) -> Row:
    """Return one summary with the note it was made from: for coach and operator, never for a parent."""
    with snapshot(engine) as connection:
        row = connection.execute(SUMMARY["show"], {"id": summary_id}).mappings().first()
    return plain_row(_there(row, "summary", summary_id))


def show_attempt(engine: sa.Engine, attempt_id: str) -> Row:
    """Return one ledger row with the insights that it was made for, and each one's share of the cost.

    A cost not yet settled is shared out by its estimate.
    """
    asked = {"attempt_id": attempt_id}
    with snapshot(engine) as connection:
        row = connection.execute(LEDGER["show"], asked).mappings().first()
        insights = list(connection.execute(LEDGER["insights_of"], asked).scalars())
    found = _there(row, "attempt", attempt_id)
    cost_usd = found["estimated_cost_usd"] if found["cost_usd"] is None else found["cost_usd"]
    shares = {one: plain_money(usd) for one, usd in shared_out(cost_usd, insights).items()}
    return plain_row(found) | {"insights": insights, "shares_usd": shares}


def requeue(engine: sa.Engine, insight_ids: Sequence[str]) -> list[str]:
    """Make skipped and parked insights pending again; return their ids, each once, as they were given.

    All or nothing: raises BadInput that names every other id with its state, and changes none.
    """
    wanted = list(dict.fromkeys(insight_ids))
    with engine.begin() as connection:
        requeued = set(connection.execute(INSIGHT["requeue"], {"insight_ids": wanted}).scalars())
        if refused := [insight_id for insight_id in wanted if insight_id not in requeued]:
            found = connection.execute(INSIGHT["states_of"], {"insight_ids": refused})
            states = {row.id: row.state for row in found}
            told = ", ".join(f"{insight_id} is {states.get(insight_id, 'unknown')}" for insight_id in refused)
            raise BadInput(
                f"Nothing was requeued: {told}. Only skipped and parked insights can be; see them with: "
                "touchline insights list --state parked"
            )
    return wanted


def count_by_state(engine: sa.Engine, organization_id: str | None = None) -> dict[str, int]:
    """Return how many insights are in which state, of one organisation or of all."""
    with snapshot(engine) as connection:
        counted = connection.execute(INSIGHT["count_by_state"], {"organization_id": organization_id})
        return {row.state: row.insights for row in counted}


def ledger_totals(engine: sa.Engine) -> list[Row]:
    """Return the sums of all that may have been billed, by model and service tier."""
    with snapshot(engine) as connection:
        return [plain_row(row) for row in connection.execute(LEDGER["totals_by_model"]).mappings()]


def summaries_beside_notes(engine: sa.Engine, number: int) -> list[Row]:
    """Return up to `number` summaries with their notes, each of another tone."""
    with snapshot(engine) as connection:
        rows = connection.execute(SUMMARY["beside_notes"], {"row_limit": number}).mappings()
        return [plain_row(row) for row in rows]


def find_organization(connection: sa.Connection, organization_id: str) -> sa.Row[Any]:
    """Return id, name and timezone. Raises BadInput when there is no such organisation."""
    found = connection.execute(USAGE["organization"], {"organization_id": organization_id}).first()
    if found is None:
        raise BadInput(
            f"There is no organization {organization_id!r}; its id is the one in organizations.jsonl "
            "of the season that was ingested."
        )
    return found


def _page(
    engine: sa.Engine,
    queries: Queries,
    what: str,
    organization_id: str | None,
    limit: int | None,
    after: str | None,
    wanted: Mapping[str, str | None],
) -> list[Row]:
    """One page of a list. Keys never change, so paging by the last id visits each row exactly once."""
    with snapshot(engine) as connection:
        if organization_id is not None:
            find_organization(connection, organization_id)
        place = place_of(connection, queries, what, after)
        asked = {"organization_id": organization_id, "row_limit": limit, **place, **wanted}
        return [plain_row(row) for row in connection.execute(queries["list"], asked).mappings()]


def place_of(connection: sa.Connection, queries: Queries, what: str, after: str | None) -> Row:
    """Return where a page starts. Raises BadInput for an id that is not there: it would start nowhere."""
    if after is None:
        return {"after_at": None, "after_id": None}
    found = connection.execute(queries["place"], {"id": after}).first()
    if found is None:
        raise BadInput(f"There is no {what} {after!r} to start after; give the last id of the page before.")
    return {"after_at": found.at, "after_id": found.id}


def _there(row: sa.RowMapping | None, what: str, row_id: str) -> sa.RowMapping:
    if row is None:
        commands = {"insight": "insights", "summary": "summaries", "attempt": "ledger", "batch": "batches"}
        raise BadInput(f"There is no {what} {row_id!r}; list them with: touchline {commands[what]} list")
    return row


def plain_row(row: sa.RowMapping | Row) -> Row:
    """Return a row as it is given to others: ratios as floats, money as exact decimal strings."""
    return {name: _value(name, value) for name, value in row.items()}


def _value(name: str, value: Any) -> Any:
    if value is None:
        return None
    if name in RATIOS:
        return float(value)
    return plain_money(value) if name in MONEY else value
