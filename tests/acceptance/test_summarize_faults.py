"""The flow when API, ledger or model misbehave: nothing lost, nothing paid twice, all on the ledger."""

import asyncio
from collections import Counter
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from core.errors import NotReady
from core.report import RunReport
from flows.summarize import summarize_pending
from tasks.spool import spool_folder
from tests.acceptance.conftest import World
from tests.acceptance.test_summarize import answer, assert_books_equal, run


def outcomes(world: World) -> list[str]:
    return [row["outcome"] for row in world.ledger()]


def reasons(world: World) -> list[dict[str, Any]]:
    return world.rows("SELECT state, state_reason FROM insight ORDER BY id")


@pytest.mark.parametrize("kind", ["rate_limited", "overloaded", "api_error"])
def test_an_attempt_that_is_turned_away_costs_nothing_and_is_made_again(world: World, kind: str) -> None:
    world.load(insights=1)
    world.fault(kind=kind, count=2)
    run(world)
    assert outcomes(world) == ["rejected", "rejected", "succeeded"]
    assert [row["cost_usd"] for row in world.ledger()][:2] == [Decimal(0), Decimal(0)]
    assert world.states() == {"summarized": 1}
    assert len({row["call_id"] for row in world.ledger()}) == 1
    assert_books_equal(world)


def test_the_api_is_given_the_time_it_asks_for(world: World) -> None:
    world.load(insights=1)
    world.fault(kind="rate_limited", count=1)
    run(world)
    first, second = (row["occurred_at"] for row in world.ledger())
    assert second - first >= timedelta(seconds=1)


def test_an_outage_defers_everything_and_a_later_run_goes_on(world: World) -> None:
    world.load(insights=30)
    world.fault(kind="overloaded", share=1)
    report = run(world)
    assert report.stopped is not None
    assert world.states() == {"deferred": 30}
    assert report.deferred == {"outage": 30}
    assert len(outcomes(world)) < 30, "a run that sees an outage stops asking"
    world.admin("DELETE", "faults")
    assert run(world).insights == {}, "not before its time"
    world.clock.shift += timedelta(minutes=10)
    run(world)
    assert world.states() == {"summarized": 30}


def test_one_unlucky_insight_does_not_stop_the_others(world: World) -> None:
    insights = world.load(insights=10)
    title = world.rows("SELECT title FROM insight WHERE id = :i", i=insights[4])[0]["title"]
    world.execute("UPDATE insight SET title = :t WHERE id = :i", t=f"{title} xyzzy", i=insights[4])
    world.fault(kind="overloaded", share=1, match="xyzzy")
    run(world)
    assert world.states() == {"deferred": 1, "summarized": 9}


@pytest.mark.parametrize(
    ("kind", "reason"), [("truncated_json", "answer_truncated"), ("break_schema", "answer_off_schema")]
)
def test_a_broken_answer_is_asked_for_once_more_then_parked(world: World, kind: str, reason: str) -> None:
    world.load(insights=1)
    world.fault(kind=kind, count=1)
    run(world)
    assert outcomes(world) == ["unusable", "succeeded"]
    world.execute("DELETE FROM summary")
    world.execute("UPDATE insight SET state = 'pending'")
    world.fault(kind=kind, count=2)
    report = run(world)
    assert outcomes(world)[2:] == ["unusable", "unusable"]
    assert reasons(world) == [{"state": "parked", "state_reason": reason}]
    assert report.parked == {reason: 1}
    assert all(row["cost_usd"] > 0 for row in world.ledger()), "a broken answer is billed"
    assert_books_equal(world)


def test_an_answer_with_an_unknown_category_is_never_used(world: World) -> None:
    world.load(insights=1)
    world.fault(kind="wrong_content", share=1, answer=answer(category="fine"))
    run(world)
    assert reasons(world) == [{"state": "parked", "state_reason": "answer_off_schema"}]
    assert world.rows("SELECT id FROM summary") == []


def test_a_refusal_is_parked_at_once_and_before_any_output_costs_nothing(world: World) -> None:
    world.load(insights=1)
    world.fault(kind="refusal", count=1)
    run(world)
    (row,) = world.ledger()
    assert (row["outcome"], row["cost_usd"]) == ("refused", Decimal(0))
    assert row["input_tokens"] > 0, "its tokens are logged"
    assert reasons(world) == [{"state": "parked", "state_reason": "refusal"}]


@pytest.mark.parametrize("kind", ["reset_before_billing", "reset_after_billing"])
def test_an_attempt_that_is_never_heard_of_again_is_lost_at_its_estimate(world: World, kind: str) -> None:
    world.load(insights=1)
    world.fault(kind=kind, count=1)
    run(world)
    lost, succeeded = world.ledger()
    assert (lost["outcome"], lost["cost_usd"]) == ("lost", None)
    assert lost["estimated_cost_usd"] > 0
    assert succeeded["outcome"] == "succeeded"


def test_when_a_leader_fails_the_next_call_writes_the_prefix(world: World) -> None:
    world.load(insights=12)
    world.fault(kind="refusal", count=1)
    run(world, insights_per_call=1)
    assert Counter(outcomes(world)) == {"succeeded": 11, "refused": 1}
    assert_books_equal(world)


def test_a_wrong_key_gives_everything_back_and_says_what_to_check(world: World, monkeypatch: Any) -> None:
    world.load(insights=5)
    monkeypatch.setenv("ANTHROPIC_BASE_URL", f"{world.emulator_url}/nowhere")
    with pytest.raises(NotReady, match="ANTHROPIC_BASE_URL"):
        run(world)
    assert world.states() == {"pending": 5}
    assert set(outcomes(world)) == {"rejected"}


def test_an_address_where_nobody_listens_defers_at_no_cost(world: World, monkeypatch: Any) -> None:
    world.load(insights=5)
    monkeypatch.setenv("ANTHROPIC_BASE_URL", "http://127.0.0.1:9")
    run(world)
    assert world.states() == {"deferred": 5}
    assert {row["cost_usd"] for row in world.ledger()} == {Decimal(0)}


def test_when_the_ledger_refuses_the_summary_stays_and_the_next_run_replays_the_figures_once(
    world: World,
) -> None:
    world.load(insights=3)
    world.execute("ALTER TABLE ai_usage_log ADD CONSTRAINT closed CHECK (outcome = 'sent') NOT VALID")
    run(world)
    assert world.states() == {"summarized": 3}
    assert len(world.rows("SELECT id FROM summary")) == 3
    assert outcomes(world) == ["sent"] * 3
    assert len(list(spool_folder(world.home).iterdir())) == 3
    world.execute("ALTER TABLE ai_usage_log DROP CONSTRAINT closed")
    assert run(world).billed.attempts == 0
    assert outcomes(world) == ["succeeded"] * 3
    assert list(spool_folder(world.home).iterdir()) == []
    settled = world.ledger()
    run(world)
    assert world.ledger() == settled
    assert_books_equal(world)


def test_the_figures_of_another_database_stay_in_the_spool(world: World) -> None:
    world.load(insights=1)
    world.execute("ALTER TABLE ai_usage_log ADD CONSTRAINT closed CHECK (outcome = 'sent') NOT VALID")
    run(world)
    world.execute("DELETE FROM summary")
    world.execute("DELETE FROM ai_usage_insight")
    world.execute("ALTER TABLE ai_usage_log DISABLE TRIGGER refuse_to_lose")
    world.execute("DELETE FROM ai_usage_log")
    run(world)
    assert len(list(spool_folder(world.home).iterdir())) == 1


def test_a_claim_whose_lease_has_ended_is_taken_over_and_what_it_sent_is_lost(world: World) -> None:
    (insight,) = world.load(insights=1)
    run(world)
    world.execute("DELETE FROM summary")
    world.execute("UPDATE ai_usage_log SET outcome = 'sent', cost_usd = NULL, outcome_reason = NULL")
    world.execute(
        "UPDATE insight SET state = 'claimed', claimed_by = 'a killed run', lease_until = :until",
        until=world.clock.now() + timedelta(minutes=5),
    )
    assert run(world).insights == {}, "a lease is kept while it lasts"
    world.clock.shift += timedelta(minutes=6)
    run(world)
    assert outcomes(world) == ["lost", "succeeded"]
    assert world.rows("SELECT insight_id FROM summary") == [{"insight_id": insight}]


def test_an_answer_that_comes_after_the_claim_was_lost_is_paid_but_not_used(world: World) -> None:
    world.load(insights=1)
    world.fault(kind="slow_first_byte", count=1, seconds=2)

    async def take_over_meanwhile() -> RunReport:
        flow = asyncio.create_task(summarize_pending(clock=world.clock))
        while not await asyncio.to_thread(world.ledger) and not flow.done():  # noqa: ASYNC110 - the row is in another process
            await asyncio.sleep(0.02)
        world.execute("UPDATE insight SET claimed_by = 'somebody else'")
        return await flow

    asyncio.run(take_over_meanwhile())
    (row,) = world.ledger()
    assert (row["outcome"], row["outcome_reason"]) == ("unusable", "claim_lost")
    assert row["cost_usd"] > 0
    assert world.rows("SELECT id FROM summary") == []
    assert world.states() == {"claimed": 1}
