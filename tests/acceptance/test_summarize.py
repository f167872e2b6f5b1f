"""The flow on the example season: what becomes of insights, and what the ledger says of it."""

import asyncio
from decimal import Decimal
from typing import Any

import pytest

from core.errors import NotReady, UnknownModel
from core.report import RunReport
from flows.summarize import summarize_pending
from tests.acceptance.conftest import World


def run(world: World, **parameters: Any) -> RunReport:
    """Run the flow to its end, on the test's clock."""
    report: RunReport = asyncio.run(summarize_pending(clock=world.clock, **parameters))
    return report


@pytest.mark.parametrize(("insights_per_call", "cache_hit_rate"), [(1, "0.93"), (5, "0.89")])
def test_a_season_is_summarized_near_the_floor_and_the_ledger_equals_the_meter(
    world: World, insights_per_call: int, cache_hit_rate: str
) -> None:
    loaded = world.load()
    report = run(world, insights_per_call=insights_per_call)
    assert set(world.states()) <= {"summarized", "skipped", "parked"}
    assert sum(world.states().values()) == len(loaded) == sum(report.insights.values())
    assert report.billed.cache_hit_rate >= Decimal(cache_hit_rate)
    assert Decimal("0.97") <= report.billed.efficiency <= 1
    assert_books_equal(world)
    assert world.meter()["cost_usd"] == report.to_json()["billed"]["cost_usd"]


def assert_books_equal(world: World) -> None:
    """Hold the ledger against the emulator's meter, row by row, to the last digit."""
    booked = world.rows(
        "SELECT model, service_tier, count(*) AS requests, sum(input_tokens) AS input_tokens,"
        " sum(cache_read_tokens) AS cache_read_tokens, sum(cache_write_5m_tokens) AS cache_write_5m_tokens,"
        " sum(cache_write_1h_tokens) AS cache_write_1h_tokens, sum(output_tokens) AS output_tokens,"
        " sum(cost_usd) AS cost_usd FROM ai_usage_log WHERE outcome <> 'rejected' GROUP BY 1, 2 ORDER BY 1, 2"
    )
    metered = [{**row, "cost_usd": Decimal(row["cost_usd"])} for row in world.meter()["rows"]]
    assert booked == sorted(metered, key=lambda row: (row["model"], row["service_tier"]))


def test_every_summarized_insight_has_one_summary_a_rehearsal_that_only_the_rules_have_looked_at(
    world: World,
) -> None:
    world.load()
    run(world)
    odd = world.rows(
        "SELECT insight.id FROM insight LEFT JOIN summary ON summary.insight_id = insight.id"
        " GROUP BY insight.id, insight.state HAVING count(summary.id) <> (insight.state = 'summarized')::int"
    )
    assert odd == []
    kinds = world.rows("SELECT DISTINCT state, decision, rehearsal FROM summary ORDER BY decision")
    assert {(row["state"], row["decision"]) for row in kinds} <= {
        ("auto_approved", "approve"),
        ("pending_review", "review"),
    }
    assert {row["rehearsal"] for row in kinds} == {True}


def test_an_insight_keeps_the_most_severe_of_the_extractors_and_the_models_category(world: World) -> None:
    world.load()
    run(world)
    rows = world.rows(
        "SELECT summary.category FROM summary JOIN insight ON insight.id = insight_id"
        " WHERE insight.category IN ('injury', 'recovery')"
    )
    assert rows
    assert {row["category"] for row in rows} <= {"injury", "safeguarding"}


def test_a_second_run_makes_no_call(world: World) -> None:
    world.load(insights=5)
    run(world)
    before = world.meter()
    report = run(world)
    assert world.meter() == before
    assert report.billed.attempts == 0


def test_two_runs_at_once_call_no_insight_twice(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    insights = world.load(insights=24)
    world.fault(kind="slow_first_byte", share=1, seconds=60)
    monkeypatch.setenv("TOUCHLINE_CONCURRENCY", "2")  # so that there is something left for the other
    monkeypatch.setattr("tasks.insights.PAGE_INSIGHTS", 4)
    monkeypatch.setattr("tasks.run.CALLS_AHEAD_MIN", 4)

    async def both() -> None:
        runs = [
            asyncio.create_task(summarize_pending(insights_per_call=1, clock=world.clock)) for _ in range(2)
        ]
        while len(await asyncio.to_thread(holders, world)) < 2 and not any(  # noqa: ASYNC110 - rows of others
            one.done() for one in runs
        ):
            await asyncio.sleep(0.02)
        world.admin("DELETE", "faults")
        world.admin("POST", "clock", {"advance_seconds": 60})
        await asyncio.gather(*runs)

    asyncio.run(both())
    assert world.states() == {"summarized": len(insights)}
    assert world.meter()["requests"] == len(insights)
    assert len({row["flow_run_id"] for row in world.ledger()}) == 2


def holders(world: World) -> list[dict[str, Any]]:
    """Give those who hold claims at the moment."""
    return world.rows("SELECT DISTINCT claimed_by FROM insight WHERE state = 'claimed'")


def test_a_limit_takes_the_players_who_have_waited_longest(world: World) -> None:
    world.load(insights=40)
    run(world, insight_limit=7)
    assert world.states() == {"pending": 33, "summarized": 7}
    oldest = world.rows("SELECT player_id FROM insight ORDER BY created_at LIMIT 1")[0]["player_id"]
    of_oldest = world.rows("SELECT DISTINCT state FROM insight WHERE player_id = :p", p=oldest)
    assert of_oldest == [{"state": "summarized"}]


def test_one_organization_can_be_run_by_itself(world: World) -> None:
    world.load()
    club = world.rows("SELECT id FROM organization ORDER BY id LIMIT 1")[0]["id"]
    run(world, organization_id=club)
    assert (
        world.rows("SELECT 1 FROM insight WHERE organization_id <> :c AND state = 'summarized'", c=club) == []
    )
    assert world.rows("SELECT 1 FROM insight WHERE organization_id = :c AND state = 'pending'", c=club) == []


def test_a_coachs_switches_skip_and_give_back_when_they_change(world: World) -> None:
    world.load(insights=20)
    world.execute("UPDATE coach SET summaries_enabled = false")
    assert run(world).insights == {"skipped": 20}
    assert world.meter()["requests"] == 0
    assert world.rows("SELECT DISTINCT state_reason FROM insight") == [{"state_reason": "summaries_off"}]
    world.execute("UPDATE coach SET summaries_enabled = true")
    run(world)
    assert world.states() == {"summarized": 20}


def test_a_sensitive_answer_is_not_kept_for_a_coach_who_wants_none(world: World) -> None:
    (insight,) = world.load(insights=1)
    world.execute("UPDATE coach SET skip_sensitive = true")
    world.execute("UPDATE insight SET category = 'performance'")
    world.fault(kind="wrong_content", answer=answer(category="injury"))
    run(world)
    assert world.rows("SELECT id, state, state_reason FROM insight") == [
        {"id": insight, "state": "skipped", "state_reason": "sensitive"}
    ]
    assert world.rows("SELECT id FROM summary") == []
    assert [row["outcome"] for row in world.ledger()] == ["succeeded"]
    assert_books_equal(world)


def answer(category: str = "normal") -> str:
    """An answer of the right shape."""
    return (
        f'{{"category":"{category}","category_confidence":0.9,"reason":"","summary":"A good evening.",'
        '"confidence":0.9,"flags":[]}'
    )


def test_without_key_and_address_nothing_is_claimed(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    world.load(insights=3)
    monkeypatch.delenv("ANTHROPIC_BASE_URL")
    with pytest.raises(NotReady, match="touchline emulator"):
        run(world)
    assert world.states() == {"pending": 3}


def test_a_model_without_a_price_is_refused_before_anything_is_claimed(world: World) -> None:
    world.load(insights=3)
    with pytest.raises(UnknownModel, match="claude-imaginary-9"):
        run(world, model="claude-imaginary-9")
    assert world.states() == {"pending": 3}
    assert world.ledger() == []


def test_every_ledger_write_marks_its_day(world: World) -> None:
    world.load(insights=2)
    run(world)
    days = world.rows("SELECT DISTINCT (occurred_at AT TIME ZONE 'UTC')::date AS day FROM ai_usage_log")
    marked = world.rows("SELECT DISTINCT utc_day AS day FROM rollup_dirty_day WHERE subject = 'usage'")
    assert marked == days


def test_the_artifacts_of_a_run_hold_the_bill_and_no_text(world: World) -> None:
    from prefect.artifacts import Artifact

    world.load(insights=4)
    report = run(world)

    async def read() -> tuple[str, str]:
        table, words = await Artifact.aget("live-bill"), await Artifact.aget("live-run")
        assert table is not None
        assert words is not None
        return str(table.data), str(words.data)

    table, words = asyncio.run(read())
    assert report.to_json()["billed"]["cost_usd"] in table
    assert report.run_id in words
    for row in world.rows(
        "SELECT insight.description, summary.text FROM insight JOIN summary ON insight_id = insight.id"
    ):
        assert row["description"] not in table + words
        assert row["text"] not in table + words


def test_a_run_that_finds_its_prefixes_warm_is_not_better_than_its_floor(world: World) -> None:
    world.load(insights=30)
    run(world, insight_limit=12)
    report = run(world)
    assert report.billed.cache_write_5m_tokens > 0
    assert report.billed.floor_usd <= report.billed.cost_usd
    assert report.billed.efficiency > Decimal("0.9")
