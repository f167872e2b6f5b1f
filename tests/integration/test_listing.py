"""Lists and single rows: every row once, exact money, and nothing requeued that may not be."""

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
import sqlalchemy as sa
from typer.testing import CliRunner

from cli.main import app
from core.errors import BadInput
from core.states import InsightState, Outcome, SummaryState
from tasks import listing
from tests.integration.stored_rows import AT, Plans, Rows, many_ledger_rows

Lister = Callable[..., list[dict[str, Any]]]


@pytest.fixture
def command(rows: Rows, database_url: str, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Any]:
    """Run a command on this database; gives its result."""
    monkeypatch.setenv("DATABASE_URL", database_url)
    return lambda *arguments: CliRunner().invoke(app, arguments)


def pages(lister: Lister, engine: sa.Engine, key: str, limit: int, **wanted: Any) -> list[str]:
    """Go through a whole list page by page; gives the ids in the order they came."""
    seen: list[str] = []
    while page := lister(engine, limit=limit, after=seen[-1] if seen else None, **wanted):
        assert len(page) <= limit
        seen += [row[key] for row in page]
    return seen


@pytest.mark.parametrize("limit", [1, 3, 7, 100])
def test_paging_visits_each_row_exactly_once(rows: Rows, limit: int) -> None:
    """Times repeat, so that pages end between rows of the same moment."""
    rows.club("other")
    moments = [AT + timedelta(seconds=n // 4) for n in range(18)]
    summaries = [rows.summary(created_at=moment, id=f"s{n * 7 % 18:02}") for n, moment in enumerate(moments)]
    attempts = [
        rows.attempt(
            "other",
            attempt_id=f"a{n * 5 % 18:02}",
            occurred_at=moment,
            outcome="lost" if n % 3 else "unusable",
        )
        for n, moment in enumerate(moments)
    ]
    insights = pages(listing.list_insights, rows.engine, "insight_id", limit)
    assert insights == sorted(set(insights))
    assert len(insights) == len(summaries)
    assert sorted(pages(listing.list_summaries, rows.engine, "summary_id", limit)) == sorted(summaries)
    assert sorted(pages(listing.list_ledger, rows.engine, "attempt_id", limit, organization_id="other")) == (
        sorted(attempts)
    )
    lost = pages(listing.list_ledger, rows.engine, "attempt_id", limit, outcome=Outcome.LOST)
    assert sorted(lost) == sorted(attempts[n] for n in range(18) if n % 3)


def test_lists_keep_to_the_organization_and_state_that_were_asked_for(rows: Rows) -> None:
    rows.club("other")
    mine, others = rows.summary(), rows.summary("other", state="suppressed")
    parked = rows.insight("other", state="parked", state_reason="refusal")

    def summaries(**wanted: Any) -> list[str]:
        return [row["summary_id"] for row in listing.list_summaries(rows.engine, **wanted)]

    assert summaries(organization_id="club") == [mine]
    assert summaries(state=SummaryState.SUPPRESSED) == [others]
    assert summaries(organization_id="club", state=SummaryState.SUPPRESSED) == []
    found = listing.list_insights(rows.engine, state=InsightState.PARKED, organization_id="other")
    assert [row["insight_id"] for row in found] == [parked]
    assert [row["organization_id"] for row in listing.list_ledger(rows.engine, organization_id="other")] == [
        "other"
    ]


@pytest.mark.parametrize("lister", [listing.list_insights, listing.list_summaries, listing.list_ledger])
def test_a_list_that_starts_after_nothing_or_is_of_nobody_is_refused(rows: Rows, lister: Lister) -> None:
    with pytest.raises(BadInput, match="'nobody' to start after"):
        lister(rows.engine, after="nobody")
    with pytest.raises(BadInput, match="no organization 'nowhere'"):
        lister(rows.engine, organization_id="nowhere")


def test_a_summary_is_listed_by_the_interfaces_and_without_any_text(rows: Rows) -> None:
    summary_id = rows.summary(confidence=Decimal("0.85"))
    (row,) = listing.list_summaries(rows.engine)
    assert row == {
        "summary_id": summary_id,
        "insight_id": "insight-0001",
        "player_id": "player-club",
        "coach_id": "coach-club",
        "state": "pending_review",
        "category": "normal",
        "confidence": 0.85,
        "rehearsal": True,
        "created_at": AT,
    }
    assert type(row["confidence"]) is float


def test_the_ledgers_money_is_exact_and_its_ratios_are_numbers(rows: Rows) -> None:
    exact = Decimal("0.000000000005")
    rows.attempt(cost_usd=exact, estimated_cost_usd=Decimal(100), cache_hit_rate=Decimal("0.5"))
    rows.attempt(cost_usd=None, outcome="sent", cache_hit_rate=None)
    settled, sent = listing.list_ledger(rows.engine)
    assert (settled["cost_usd"], settled["estimated_cost_usd"]) == ("0.000000000005", "100")
    assert settled["cache_hit_rate"] == 0.5
    assert (sent["cost_usd"], sent["cache_hit_rate"]) == (None, None)
    (totals,) = listing.ledger_totals(rows.engine)
    assert totals["requests"] == 2
    assert Decimal(totals["cost_usd"]) == exact + Decimal("0.0005")


def test_one_row_is_shown_whole(rows: Rows) -> None:
    summary_id = rows.summary(text="She keeps trying.", flags=["needs_context"])
    summary = listing.show_summary(rows.engine, summary_id)
    assert summary["text"] == "She keeps trying."
    assert (summary["title"], summary["description"]) == ("Left foot", "Hesitates when closed down.")
    assert (summary["confidence"], summary["category_confidence"]) == (0.85, 0.95)
    assert summary["flags"] == ["needs_context"]
    insight = listing.show_insight(rows.engine, summary["insight_id"])
    assert (insight["state"], insight["description"]) == ("summarized", "Hesitates when closed down.")
    attempt = listing.show_attempt(rows.engine, summary["attempt_id"])
    assert (attempt["insights"], attempt["cost_usd"]) == ([summary["insight_id"]], "0.00012")


@pytest.mark.parametrize(
    ("show", "next_step"),
    [
        (listing.show_insight, "insights list"),
        (listing.show_summary, "summaries list"),
        (listing.show_attempt, "ledger list"),
        (listing.show_batch, "batches list"),
    ],
)
def test_an_unknown_id_is_an_error_that_names_the_list(
    rows: Rows, show: Callable[..., Any], next_step: str
) -> None:
    with pytest.raises(BadInput, match=f"'nobody'; list them with: touchline {next_step}"):
        show(rows.engine, "nobody")


def test_skipped_and_parked_insights_wait_for_a_run_again(rows: Rows) -> None:
    skipped = rows.insight(state="skipped", state_reason="summaries_off")
    parked = rows.insight(state="parked", state_reason="refusal")
    assert listing.requeue(rows.engine, [parked, skipped, parked]) == [parked, skipped]
    assert listing.count_by_state(rows.engine) == {"pending": 2}
    assert listing.show_insight(rows.engine, parked)["state_reason"] is None


@pytest.mark.parametrize(
    ("state", "values"),
    [
        ("pending", {}),
        ("summarized", {}),
        ("in_batch", {}),
        ("deferred", {"state_reason": "rate_limit", "not_before": AT}),
        ("claimed", {"claimed_by": "run", "lease_until": AT}),
    ],
)
def test_when_one_insight_cannot_be_requeued_none_is_and_each_is_named(
    rows: Rows, state: str, values: dict[str, Any]
) -> None:
    parked = rows.insight(state="parked", state_reason="refusal")
    other = rows.insight(state=state, **values)
    with pytest.raises(BadInput, match=f"{other} is {state}, nobody is unknown") as error:
        listing.requeue(rows.engine, [parked, other, "nobody"])
    assert parked not in str(error.value)
    assert listing.count_by_state(rows.engine) == {"parked": 1, state: 1}


def test_insights_are_counted_by_state_in_one_organization_or_all(rows: Rows) -> None:
    rows.club("other")
    rows.insight()
    rows.insight("other")
    assert listing.count_by_state(rows.engine) == {"pending": 2}
    assert listing.count_by_state(rows.engine, "other") == {"pending": 1}
    assert listing.count_by_state(rows.engine, "nobody") == {}


def test_summaries_beside_their_notes_are_each_of_another_tone(rows: Rows) -> None:
    for tone in ("warm", "warm", "brief", "professional"):
        rows.summary(tone=tone)
    found = listing.summaries_beside_notes(rows.engine, 3)
    assert [row["tone"] for row in found] == ["brief", "professional", "warm"]
    assert found[0]["description"] == "Hesitates when closed down."


def test_no_list_of_the_ledger_is_read_by_a_sequential_scan(rows: Rows) -> None:
    many_ledger_rows(rows.engine, 60_000)
    seen = Plans(rows.engine)
    (middle,) = listing.list_ledger(rows.engine, limit=1, after="many-30000")
    for asked in (
        {},
        {"organization_id": "club"},
        {"outcome": Outcome.LOST},
        {"outcome": Outcome.SUCCEEDED},
        {"organization_id": "club", "outcome": Outcome.LOST},
    ):
        listing.list_ledger(rows.engine, limit=100, **asked)
        listing.list_ledger(rows.engine, limit=100, after=middle["attempt_id"], **asked)
    assert len(listing.list_ledger(rows.engine, outcome=Outcome.LOST)) == 300
    assert len(listing.list_ledger(rows.engine)) == 60_000
    listing.show_attempt(rows.engine, "many-1")
    for p in seen.plans:
        print(p, "\n")
    assert len(seen.plans) > 15
    assert not [plan for plan in seen.plans if "Seq Scan on ai_usage_log" in plan]
    assert "Index Cond: (ROW(occurred_at, " in seen.plans[1], "a page starts where the last one ended"


def test_lists_are_one_json_object_on_stdout(rows: Rows, command: Callable[..., Any]) -> None:
    rows.summary(created_at=datetime(2026, 3, 2, 19, tzinfo=UTC))
    batch_id = rows.batch()
    for name in ("insights", "summaries", "ledger", "batches"):
        result = command(name, "list", "--json")
        assert result.exit_code == 0
        assert len(json.loads(result.stdout)[name]) == 1
    batch = json.loads(command("batches", "show", batch_id, "--json").stdout)
    assert (batch["batch_id"], batch["due_at"], batch["outcomes"]) == (batch_id, "2026-03-02T19:00:00Z", [])
    (summary,) = json.loads(command("summaries", "list", "--json").stdout)["summaries"]
    assert (summary["confidence"], summary["created_at"]) == (0.85, "2026-03-02T19:00:00Z")
    (attempt,) = json.loads(command("ledger", "list", "--json", "--outcome", "succeeded").stdout)["ledger"]
    assert (attempt["cost_usd"], attempt["cache_hit_rate"]) == ("0.00012", 0.97561)


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (("insights", "list", "--state", "lost"), ("parked", "in_batch")),
        (("summaries", "list", "--state", "parked"), ("pending_review", "auto_approved")),
        (("ledger", "list", "--outcome", "gone"), ("succeeded", "adjustment")),
        (("batches", "list", "--state", "in_batch"), ("sent", "open", "collected", "refused", "missing")),
    ],
)
def test_an_unknown_state_is_bad_input_that_names_the_states(
    command: Callable[..., Any], arguments: tuple[str, ...], named: tuple[str, ...]
) -> None:
    result = command(*arguments, "--json")
    assert result.exit_code == 2
    assert result.stdout == ""
    assert all(state in result.stderr for state in named)


def test_brackets_in_a_note_are_shown_as_they_are(rows: Rows, command: Callable[..., Any]) -> None:
    summary_id = rows.summary(text="[bold]Well[/bold] done [/]")
    for arguments in (("summaries", "show", summary_id), ("insights", "list"), ("ledger", "list")):
        assert command(*arguments).exit_code == 0
    assert "[/]" in command("summaries", "show", summary_id).stdout
    assert json.loads(command("summaries", "show", summary_id, "--json").stdout)["text"].endswith("[/]")


def test_requeue_says_what_it_has_done(rows: Rows, command: Callable[..., Any]) -> None:
    parked = rows.insight(state="parked", state_reason="refusal")
    assert json.loads(command("insights", "requeue", parked, "--json").stdout) == {"requeued": [parked]}
    refused = command("insights", "requeue", parked)
    assert isinstance(refused.exception, BadInput)
    assert refused.stdout == ""
