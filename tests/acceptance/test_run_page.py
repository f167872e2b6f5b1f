"""What an operator sees in the Prefect UI: names, tags and artifacts that say what a run came to."""

import asyncio
import logging
from datetime import datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest
from prefect import tags
from prefect.client.orchestration import get_client
from prefect.client.schemas.filters import ArtifactFilter, ArtifactFilterFlowRunId
from prefect.client.schemas.objects import Artifact, FlowRun
from prefect.client.schemas.sorting import ArtifactSort, FlowRunSort

from core.errors import NotReady
from core.rollups import RollupRefused
from flows.learn import learn_weekly
from flows.overnight import collect_batches, summarize_overnight
from flows.rollup import nightly_rollup
from flows.summarize import summarize_pending
from tasks.reviews import approve
from tasks.run_page import club_tags, tell_of_another
from tests.acceptance.conftest import ShiftedClock, World
from tests.acceptance.night import Left, NightClock, evening, load_alike
from tests.acceptance.test_summarize import run
from tests.integration.stored_rows import Rows


class BusyClock(ShiftedClock):
    """Each look at it takes a while: a run takes minutes of its time."""

    def now(self) -> datetime:
        self.shift += timedelta(seconds=0.2)
        return super().now()


def last_run() -> FlowRun:
    """The flow run that was started last."""

    async def read() -> FlowRun:
        async with get_client() as client:
            (last,) = await client.read_flow_runs(sort=FlowRunSort.START_TIME_DESC, limit=1)
            return last

    return asyncio.run(read())


def artifacts_of(flow_run: FlowRun) -> dict[str, Artifact]:
    """The artifacts on a flow run's page, by key; of several the latest."""
    of_run = ArtifactFilter(flow_run_id=ArtifactFilterFlowRunId(any_=[flow_run.id]))

    async def read() -> list[Artifact]:
        async with get_client() as client:
            return await client.read_artifacts(artifact_filter=of_run, sort=ArtifactSort.CREATED_DESC)

    return {str(one.key): one for one in reversed(asyncio.run(read()))}


def flow_run(flow_run_id: Any) -> FlowRun:
    """A flow run as it is now."""

    async def read() -> FlowRun:
        async with get_client() as client:
            return await client.read_flow_run(flow_run_id)

    return asyncio.run(read())


def test_a_run_is_named_by_what_it_did_and_tagged_with_its_lane_and_clubs(world: World) -> None:
    world.load(insights=6)
    with tags("of the deployment"):
        report = run(world)
    told = last_run()
    assert told.name == report.name()
    assert told.name.startswith("6 insights, $0.0")
    clubs = {row["organization_id"] for row in world.rows("SELECT organization_id FROM insight")}
    assert set(told.tags) == {"of the deployment", "live", *(f"org:{club}" for club in clubs)}


def test_its_artifacts_hold_the_bill_and_lead_to_each_other_and_to_the_run_before(world: World) -> None:
    world.load(insights=6)
    run(world, insight_limit=3)
    before = last_run()
    report = run(world)
    shown = artifacts_of(last_run())
    assert set(shown) - {"live-progress"} == {"live-bill", "live-run", "overview"}  # a slow run has that, too
    bill, words = shown["live-bill"], str(shown["live-run"].data)
    assert f"${report.to_json()['billed']['cost_usd']}" in str(bill.data)
    assert "/artifacts/key/live-run)" in str(bill.description)
    assert "/artifacts/key/live-bill)" in words
    assert "/artifacts/key/overview)" in words
    assert f"/runs/flow-run/{before.id})" in words
    assert shown["live-run"].description == f"{report.name()}."


def test_the_overview_shows_both_runs_with_links_and_what_waits_for_a_coach(world: World) -> None:
    world.load(insights=6)
    run(world, insight_limit=3)
    before = last_run()
    run(world)
    last = last_run()
    page = str(artifacts_of(last)["overview"].data)
    assert f"/runs/flow-run/{before.id}) | live | 3 insights |" in page
    assert f"/runs/flow-run/{last.id}) | live | 3 insights |" in page
    waiting = world.rows("SELECT count(*) AS n FROM summary WHERE state = 'pending_review'")[0]["n"]
    assert waiting
    assert f"{waiting} summaries wait for review" in page
    for row in world.rows("SELECT description, text FROM insight JOIN summary ON insight_id = insight.id"):
        assert row["description"] not in page
        assert row["text"] not in page


def test_a_run_that_had_nothing_to_do_says_so_and_leaves_no_artifact(world: World) -> None:
    run(world)
    told = last_run()
    assert (told.name, told.tags) == ("nothing due", ["live"])
    assert artifacts_of(told) == {}


def test_what_needs_a_person_is_in_the_name_and_on_a_tag(world: World) -> None:
    world.load(insights=6)
    world.fault(kind="refusal", share=1)
    report = run(world, insights_per_call=1)
    told = last_run()
    assert told.name.endswith(", 6 parked")
    assert "needs-attention" in told.tags
    assert told.name == report.name()
    world.execute("UPDATE insight SET state = 'pending', state_reason = NULL")
    world.admin("DELETE", "faults")
    world.fault(kind="spend_cap", share=1)
    run(world)
    assert last_run().name == "stopped: spend_limit, 6 deferred"
    assert "needs-attention" in last_run().tags


def test_a_run_that_cannot_begin_keeps_a_name_that_says_so(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("ANTHROPIC_BASE_URL")
    with pytest.raises(NotReady):
        run(world)
    told = last_run()
    assert (told.name, told.tags) == ("FAILED (NotReady)", ["needs-attention"])


def test_a_run_of_many_clubs_has_one_tag_for_them() -> None:
    assert club_tags([f"club-{number}" for number in range(11)]) == {"orgs:many"}
    assert club_tags(["a", "b"]) == {"org:a", "org:b"}


def test_a_run_that_takes_a_while_has_a_progress_artifact_that_ends_at_a_hundred(world: World) -> None:
    world.load(insights=20)
    clock = BusyClock()
    report = asyncio.run(summarize_pending(clock=clock))
    shown = artifacts_of(last_run())["live-progress"]
    assert shown.data == 100
    assert shown.description == report.name()
    assert shown.created
    assert shown.updated
    assert shown.created < shown.updated


def test_an_overnight_run_tells_how_many_calls_are_collected_while_it_waits(world: World) -> None:
    load_alike(world, players=8)
    clock, seen = evening(world), list[str]()

    def look(seconds: float) -> None:
        rows = world.rows("SELECT 1 FROM message_batch WHERE kind = 'main' AND state = 'open'")
        seen.append("open" if rows else "none")

    clock.woken = look
    report = asyncio.run(summarize_overnight(clock=clock))
    assert "open" in seen
    told = last_run()
    assert told.name == report.name()
    assert "overnight" in told.tags
    shown = artifacts_of(told)
    assert set(shown) == {"overnight-bill", "overnight-run", "overnight-progress", "overview"}
    assert shown["overnight-progress"].data == 100


@pytest.fixture
def left_open(world: World) -> tuple[NightClock, FlowRun]:
    """An overnight run that has ended before its batches did; gives its clock as well."""
    load_alike(world, players=8)
    clock = evening(world)

    def leave(seconds: float) -> None:
        if world.rows("SELECT 1 FROM message_batch WHERE kind = 'main' AND state = 'open'"):
            raise Left

    clock.woken = leave
    with pytest.raises(Left):
        asyncio.run(summarize_overnight(clock=clock))
    clock.woken = lambda seconds: None
    return clock, last_run()


def test_a_look_at_open_batches_is_named_by_what_it_found_and_finishes_the_page_of_the_run(
    world: World, left_open: tuple[NightClock, FlowRun]
) -> None:
    clock, left = left_open
    assert left.name.startswith("FAILED (Left): ")
    assert "needs-attention" in left.tags
    clock.advance(6 * 3600)
    report = asyncio.run(collect_batches(clock=clock))
    look = last_run()
    assert look.name.startswith("collected ")
    assert "insights of 1 run, $" in look.name
    assert {"collect-bill", "collect-run", "overview"} == set(artifacts_of(look))
    assert f"/runs/flow-run/{left.id})" in str(artifacts_of(look)["collect-run"].data)
    finished = artifacts_of(left)["overnight-run"]
    assert f"/runs/flow-run/{look.id})" in str(finished.data)
    assert flow_run(left.id).name.startswith(f"{report.insights['summarized']} insights, $")
    asyncio.run(collect_batches(clock=clock))
    assert (last_run().name, artifacts_of(last_run())) == ("nothing to collect", {})


def test_a_rollup_is_named_by_what_it_published_and_leads_to_the_runs_of_its_days(world: World) -> None:
    world.load(insights=6)
    run(world)
    summarized = last_run()
    report = asyncio.run(nightly_rollup(clock=world.clock))
    told = last_run()
    assert told.name == report.name()
    assert told.name.startswith(f"{len(report.days)} days, ")
    shown = artifacts_of(told)
    assert set(shown) == {"rollup-checks", "rollup-run", "overview"}
    words = str(shown["rollup-run"].data)
    assert f"[live {summarized.start_time:%Y-%m-%d}" in words
    assert f"/runs/flow-run/{summarized.id})" in words
    asyncio.run(nightly_rollup(clock=world.clock))
    assert last_run().name == "nothing marked"
    assert set(artifacts_of(last_run())) == {"overview"}


def test_a_refused_rollup_says_so_in_its_name_on_a_tag_and_in_the_overview(world: World) -> None:
    rows = Rows(world.engine)
    rows.club()
    rows.attempt("nowhere", occurred_at=world.clock.now())
    with pytest.raises(RollupRefused) as refused:
        asyncio.run(nightly_rollup(clock=world.clock))
    told = last_run()
    assert told.name == refused.value.report.name()
    assert told.name.startswith("REFUSED: ")
    assert "needs-attention" in told.tags
    overview = artifacts_of(told)["overview"]
    assert f"/runs/flow-run/{told.id}) was refused**" in str(overview.data)
    assert "rollup refused" in str(overview.description)


def test_learning_is_named_by_for_how_many_it_learned(world: World) -> None:
    rows = Rows(world.engine)
    rows.club()
    approve(world.engine, "coach-club", rows.summary(), now=world.clock.now())
    asyncio.run(learn_weekly(clock=world.clock))
    assert last_run().name == "learned for 1 coach"
    assert set(artifacts_of(last_run())) == {"learned-thresholds"}
    asyncio.run(learn_weekly(clock=world.clock))
    assert (last_run().name, artifacts_of(last_run())) == ("nothing to learn", {})


def test_a_flow_run_that_prefect_does_not_know_is_told_in_the_log_and_hurts_nobody(
    caplog: pytest.LogCaptureFixture,
) -> None:
    unknown = str(uuid4())
    with caplog.at_level(logging.WARNING, "touchline"):
        asyncio.run(tell_of_another(unknown, "6 insights", attention=False))
    assert f"the name of run {unknown} could not be shown in Prefect: ObjectNotFound" in caplog.text
