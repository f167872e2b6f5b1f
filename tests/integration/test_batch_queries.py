"""Queries for many rows at once: each row becomes what the query for one would have made of it, once."""

import json
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy.dialects import postgresql as pg

from core.settlement import Settlement
from core.states import InsightState, Outcome, ServiceTier
from core.usage import Usage
from models import ai_usage_log, insight, summary, tables
from models.message_batch import QUERIES
from tasks.ledger import Conclusion
from tests.integration.stored_rows import AT, Rows, ledger_row

KOLKATA = timezone(timedelta(hours=5, minutes=30))
LATER = datetime(2026, 3, 3, 1, 30, 0, 123456, tzinfo=KOLKATA)  # another day there than in UTC
ODD = 'Niamh \u2028 "it\'s" \\u0041 {a,b} 👩‍👧\n\ttab, NULL'
EXACT = Decimal("123456789012345678.000000000001")  # as large and as fine as the ledger takes
SHOWN_ZONE = "SET TIME ZONE 'Pacific/Auckland'"  # of the session: must not change what a time means


@pytest.fixture
def connection(rows: Rows) -> Iterator[sa.Connection]:
    """A connection in another time zone, whose work is there as soon as it is done."""
    with rows.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.exec_driver_sql(SHOWN_ZONE)
        yield connection


def many(
    connection: sa.Connection, query: sa.TextClause, name: str, made: Sequence[Mapping[str, Any]]
) -> int:
    """Ask with many rows as JSON, as the flow does; gives how many were changed."""
    asked = {name: json.dumps(made, default=str)} | {"actor": "rules"}
    return connection.execute(query, {one: asked[one] for one in query.compile().params}).rowcount


def whole(connection: sa.Connection, table: type[Any], key: str) -> list[dict[str, Any]]:
    """All rows of a table in the order of a key, without what names a row."""
    found = connection.execute(sa.text(f"SELECT * FROM {table.__tablename__} ORDER BY {key}")).mappings()  # noqa: S608
    return [{name: value for name, value in row.items() if name not in {"id", "attempt_id"}} for row in found]


def marks(connection: sa.Connection) -> dict[str, int]:
    query = "SELECT utc_day::text, sum(marks)::int FROM rollup_dirty_day WHERE subject = 'usage' GROUP BY 1"
    return {day: number for day, number in connection.exec_driver_sql(query)}


def settlement(attempt_id: str, **changed: Any) -> Settlement:
    facts: dict[str, Any] = {
        "attempt_id": attempt_id,
        "outcome": Outcome.SUCCEEDED,
        "outcome_reason": None,
        "model": "claude-haiku-5-5",
        "service_tier": ServiceTier.BATCH,
        "inference_geo": None,
        "usage": Usage(7, 3, 2, 1, 140, 9),
        "cost_usd": Decimal("1E-12"),
        "price_version": "2026-11",
        "latency_ms": None,
        "request_id": None,
        "recorded_at": LATER,
    }
    return Settlement(**facts | changed)


SETTLED: tuple[dict[str, Any], ...] = (
    {},
    {"outcome": Outcome.UNUSABLE, "outcome_reason": ODD, "request_id": ODD, "inference_geo": "us"},
    {"outcome": Outcome.LOST, "outcome_reason": "no_price", "cost_usd": None, "usage": Usage(0)},
    {"outcome": Outcome.REFUSED, "cost_usd": Decimal(0), "latency_ms": 2_147_483_647, "request_id": ""},
    {"cost_usd": EXACT, "recorded_at": LATER.astimezone(UTC)},
    {"cost_usd": Decimal("5E-13"), "service_tier": ServiceTier.PRIORITY},  # finer than the ledger keeps
)


def test_many_attempts_are_settled_as_one_is_each_once_and_their_days_are_marked(
    rows: Rows, connection: sa.Connection
) -> None:
    sent: dict[str, Any] = {"outcome": "sent", "cost_usd": None, "cache_hit_rate": None, "recorded_at": AT}
    ids = {form: [f"{form}-{n}" for n in range(len(SETTLED))] for form in ("one", "set")}
    for attempt_id in (*ids["one"], *ids["set"]):
        rows.attempt(attempt_id=attempt_id, call_id="call", **sent)
    rows.attempt(attempt_id="set-settled", occurred_at=AT - timedelta(days=9))
    figures = {
        form: [settlement(one, **how).figures() for one, how in zip(ids[form], SETTLED, strict=True)]
        for form in ids
    }
    figures["set"] += [settlement(other).figures() for other in ("set-settled", "set-unknown")]
    for row in figures["one"]:
        connection.execute(ai_usage_log.QUERIES["settle"], row)
    before = marks(connection)
    query = ai_usage_log.QUERIES["settle_many"]
    assert many(connection, query, "settlements", figures["set"]) == len(SETTLED)
    assert marks(connection) == before | {"2026-03-02": before["2026-03-02"] + 1}
    found = whole(connection, tables.AiUsageLog, "attempt_id")
    one, set_ = found[: len(SETTLED)], found[len(SETTLED) : -1]
    assert set_ == one
    assert [row["cost_usd"] for row in set_[:3]] == [Decimal("1E-12"), Decimal("1E-12"), None]
    assert {row["recorded_at"] for row in set_} == {LATER}
    assert (set_[1]["outcome_reason"], set_[3]["request_id"]) == (ODD, "")
    assert found[-1]["cost_usd"] == Decimal("0.00012"), "it was settled before"
    lost_again = len([how for how in SETTLED if how.get("outcome") is Outcome.LOST])
    again = [row | {"cost_usd": Decimal(9), "outcome": Outcome.SUCCEEDED} for row in figures["set"]]
    assert many(connection, query, "settlements", again) == lost_again, "only what is lost is settled again"
    assert many(connection, query, "settlements", again) == 0


def summary_values(number: int, **changed: Any) -> dict[str, Any]:
    return {
        "prompt_version": "v1",
        "model": "claude-haiku-5-5",
        "tone": "warm",
        "category": "normal",
        "model_category": "injury",
        "category_confidence": Decimal("0.123457"),
        "confidence": Decimal("1"),
        "reason": "",
        "flags": [],
        "text": f"Number {number}.",
        "state": "pending_review",
        "rehearsal": True,
        "created_at": LATER,
        "decision": "review",
        "tier": "flagged",
        "decision_reasons": ["category_injury", "screen_injury"],
        "evidence": {"threshold": "0.70", "findings": ["injury"]},
        "preview": "review",
        "revocable_until": None,
        **changed,
    }


MADE: tuple[dict[str, Any], ...] = (
    {},
    {"text": ODD, "reason": ODD, "flags": ["needs_context", "names_other_person"], "rehearsal": False},
    {"confidence": Decimal("0.1234567"), "category_confidence": Decimal("1E-6"), "tone": "brief"},
    {"created_at": LATER.astimezone(UTC), "text": "x" * 2_000, "model": ODD},
    {
        "state": "auto_approved",
        "decision": "approve",
        "tier": "auto_send",
        "revocable_until": LATER,
        "preview": None,
        "model_category": "normal",
        "category_confidence": Decimal("0.8"),
    },
)


def test_summaries_are_stored_as_they_were_made_each_with_its_event_and_none_beside_a_live_one(
    rows: Rows, connection: sa.Connection
) -> None:
    rows.coach("coach-moved", "club")
    attempt_id = rows.attempt()
    expected: list[dict[str, Any]] = []
    for number, how in enumerate(MADE):
        about = rows.insight(coach_id="coach-moved")
        made_for = {"id": f"s-{number}", "insight_id": about, "attempt_id": attempt_id}
        row = made_for | summary_values(number, **how)
        twin = row | {"id": f"twin-{number}", "text": "A second one."}
        unknown = row | {"id": f"unknown-{number}", "insight_id": "nobody"}
        assert many(connection, summary.QUERIES["store"], "summaries", [row, twin, unknown]) == 1
        assert many(connection, summary.QUERIES["store"], "summaries", [twin]) == 0
        expected.append(row)
    found = connection.execute(sa.text("SELECT * FROM summary ORDER BY id")).mappings().all()
    exact = {name: Decimal("0.000001") for name in ("confidence", "category_confidence")}
    for made, kept in zip(expected, found, strict=True):
        for name, value in made.items():
            wanted = value.quantize(exact[name]) if name in exact else value
            assert kept[name] == wanted, name
        assert (kept["coach_id"], kept["organization_id"]) == ("coach-moved", "club")
    events = connection.execute(sa.text("SELECT summary_id, actor, at, to_state FROM summary_event")).all()
    assert sorted(map(tuple, events)) == [
        (row["id"], "rules", row["created_at"], row["state"]) for row in expected
    ]


def test_a_summary_of_another_version_or_beside_a_suppressed_one_is_stored(
    rows: Rows, connection: sa.Connection
) -> None:
    rows.summary(id="suppressed", state="suppressed", prompt_version="v1")
    rows.summary(id="live", prompt_version="v1")
    about = {one: of for one, of in connection.exec_driver_sql("SELECT id, insight_id FROM summary")}
    new = [
        summary_values(0, id=f"new-{of}-{version}", insight_id=about[of], attempt_id=rows.attempt())
        | {"prompt_version": version}
        for of in about
        for version in ("v1", "v2")
    ]
    assert many(connection, summary.QUERIES["store"], "summaries", new) == 3
    kept = set(connection.exec_driver_sql("SELECT id FROM summary WHERE starts_with(id, 'new')").scalars())
    assert kept == {"new-suppressed-v1", "new-suppressed-v2", "new-live-v2"}


def test_what_is_taken_out_of_a_batch_goes_on_as_it_is_told_and_nothing_else_does(
    rows: Rows, connection: sa.Connection
) -> None:
    told = {
        rows.insight(state="in_batch"): Conclusion(InsightState.SUMMARIZED),
        rows.insight(state="in_batch", missed_due=True): Conclusion(InsightState.PENDING, ODD),
        rows.insight(state="in_batch"): Conclusion(InsightState.PENDING, "batch_expired", missed_due=True),
        rows.insight(state="in_batch", unusable_answers=1): Conclusion(
            InsightState.PARKED, "refusal", unusable=True
        ),
        rows.insight(state="in_batch"): Conclusion(InsightState.DEFERRED, "outage", LATER),
        rows.insight(state="pending"): Conclusion(InsightState.SUMMARIZED),
        rows.insight(state="claimed", claimed_by="live", lease_until=AT): Conclusion(
            InsightState.PARKED, "refusal"
        ),
    }
    conclusions = [one.row(insight_id) for insight_id, one in told.items()]
    query = insight.QUERIES["take_out_of_batch"]
    assert many(connection, query, "conclusions", conclusions) == 5
    columns = "state, state_reason, not_before, missed_due, unusable_answers, claimed_by"
    found = connection.exec_driver_sql(f"SELECT {columns} FROM insight ORDER BY id").all()  # noqa: S608
    assert [tuple(row) for row in found] == [
        ("summarized", None, None, False, 0, None),
        ("pending", ODD, None, True, 0, None),
        ("pending", "batch_expired", None, True, 0, None),
        ("parked", "refusal", None, False, 2, None),
        ("deferred", "outage", LATER, False, 0, None),
        ("pending", None, None, False, 0, None),
        ("claimed", None, None, False, 0, "live"),
    ]
    assert many(connection, query, "conclusions", conclusions) == 0


def batch(connection: sa.Connection, batch_id: str, **changed: Any) -> None:
    values = {
        "batch_id": batch_id,
        "run_id": "night",
        "account": "account",
        "model": "claude-haiku-5-5",
        "kind": "main",
        "stage": 0,
        "requests": 1,
        "prefixes": json.dumps({"key": [1_500, None]}),
        "created_at": AT,
        "sent_until": AT,
        "due_at": AT,
    }
    connection.execute(QUERIES["record"], values | changed)


def item(attempt_id: str, insight_ids: Sequence[str], batch_id: str = "batch") -> dict[str, Any]:
    return {
        "attempt_id": attempt_id,
        "batch_id": batch_id,
        "insight_ids": list(insight_ids),
        "packed": len(insight_ids) > 1,
        "prefix_key": f"{ODD}/key",
        "marked": 2,
        "front_tokens": 1_500,
        "predicted_input_tokens": 90,
        "predicted_read_tokens": 1_400,
        "predicted_write_tokens": 0,
        "predicted_output_tokens": 140,
    }


def sent(number: int, **changed: Any) -> dict[str, Any]:
    """A ledger row as a batch writes it."""
    facts = {"outcome": "sent", "cost_usd": None, "cache_hit_rate": None, "lane": "overnight"}
    tokens = dict.fromkeys((*ai_usage_log.TOKEN_CLASSES, "thinking_tokens"), 0)
    return ledger_row(number) | facts | tokens | {"service_tier": "batch", "batch_id": "batch"} | changed


def test_the_calls_of_a_batch_are_written_down_as_live_ones_are_with_all_that_they_ask_about(
    rows: Rows, connection: sa.Connection
) -> None:
    batch(connection, "batch")
    facts = {"call_id": "call", "prompt_version": ODD, "occurred_at": LATER}
    facts |= {"estimated_cost_usd": EXACT}
    connection.execute(pg.insert(tables.AiUsageLog), sent(1, attempt_id="one", **facts))
    attempts = [sent(n, attempt_id=one, **facts) for n, one in enumerate(("set-1", "set-2"))]
    many(connection, QUERIES["record_attempts"], "attempts", attempts)
    first, *others = whole(connection, tables.AiUsageLog, "attempt_id")
    assert others == [first, first]
    assert (first["estimated_cost_usd"], first["occurred_at"]) == (EXACT, LATER)
    assert marks(connection) == {"2026-03-02": 2}
    items = [item("set-1", ["i-1", 'i"2', "i,3", "{i}", "NULL", "Áine"]), item("set-2", ["i-9"])]
    many(connection, QUERIES["record_items"], "items", items)
    found = connection.exec_driver_sql("SELECT * FROM batch_item ORDER BY attempt_id").mappings()
    assert [dict(row) for row in found] == items
    links = connection.exec_driver_sql("SELECT attempt_id, insight_id FROM ai_usage_insight").all()
    asked = [(one["attempt_id"], insight_id) for one in items for insight_id in one["insight_ids"]]
    assert sorted(map(tuple, links)) == sorted(asked)


@pytest.mark.parametrize(
    ("outcome", "cost_usd", "state", "not_before", "unusable"),
    [("rejected", Decimal(0), "deferred", LATER, 0), ("lost", None, "pending", None, 1)],
)
def test_what_of_a_batch_gets_no_result_ends_without_one_and_only_that(
    rows: Rows,
    connection: sa.Connection,
    outcome: str,
    cost_usd: Decimal | None,
    state: str,
    not_before: Any,
    unusable: int,
) -> None:
    """An attempt that was lost may have been paid for: whoever has lost one before is parked."""
    pack = [rows.insight(state="in_batch", unusable_answers=number) for number in (0, 1)]
    taken, done, elsewhere = (rows.insight(state=one) for one in ("pending", "summarized", "in_batch"))
    for batch_id in ("batch", "other"):
        batch(connection, batch_id)
    for number, one in enumerate(("a", "b", "c", "d")):
        rows.insert(tables.AiUsageLog, sent(number, attempt_id=one, call_id=one))
    settled = "UPDATE ai_usage_log SET outcome = 'succeeded', cost_usd = 1 WHERE attempt_id = 'c'"
    connection.exec_driver_sql(settled)
    items = [item("a", pack), item("b", [taken]), item("c", [done]), item("d", [elsewhere], "other")]
    many(connection, QUERIES["record_items"], "items", items)
    ending = {
        "batch_id": "batch",
        "now": LATER,
        "outcome": outcome,
        "outcome_reason": ODD,
        "state": state,
        "state_reason": ODD,
        "not_before": not_before,
        "missed_due": bool(unusable),
        "unusable": unusable,
    }
    before = marks(connection)["2026-03-02"]
    assert set(connection.execute(QUERIES["end_unsettled"], ending).scalars()) == set(pack)
    assert marks(connection) == {"2026-03-02": before + 1}
    attempts = connection.exec_driver_sql(
        "SELECT outcome, outcome_reason, cost_usd, recorded_at FROM ai_usage_log ORDER BY attempt_id"
    )
    ended = (outcome, ODD, cost_usd, LATER)
    assert [tuple(row) for row in attempts] == [
        ended,
        ended,
        ("succeeded", None, Decimal(1), AT),
        ("sent", None, None, AT),
    ]
    insights = connection.exec_driver_sql(
        "SELECT state, state_reason, not_before, missed_due, unusable_answers FROM insight ORDER BY id"
    )
    goes_on = (ODD, not_before, bool(unusable))
    assert [tuple(row) for row in insights] == [
        (state, *goes_on, unusable),
        ("parked" if unusable else state, *goes_on, 1 + unusable),
        ("pending", None, None, False, 0),
        ("summarized", None, None, False, 0),
        ("in_batch", None, None, False, 0),
    ]
    assert connection.execute(QUERIES["end_unsettled"], ending | {"outcome_reason": "again"}).all() == []
    assert marks(connection) == {"2026-03-02": before + 1}
