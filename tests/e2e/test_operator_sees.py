"""What an operator reads in Prefect's UI, page by page, in a browser."""

import re

from prefect.client.schemas.objects import FlowRun

from tests.e2e.prefect_pages import Screen

MONEY = r"\$\d+\.\d+"
SUMMARIZED = re.compile(rf"^\d+ insights, {MONEY}, hit 0\.\d\d$")
ROLLED_UP = re.compile(r"^\d+ days?, [\d,]+ rows, \d+ checks$")
NEEDS = re.compile(r"^(Nothing needs you|\d+ things? needs? you)$")


def test_the_dashboard_opens_at_the_address_that_up_prints_and_shows_the_pool_and_no_failures(
    screen: Screen, summarized: FlowRun, rolled_up: FlowRun
) -> None:
    screen.open("")
    screen.reads("Flow Runs", "Active Work Pools", "touchline")
    screen.reads("You currently have 0 failed or crashed runs.")
    assert "Ready to scale?" not in screen.text(), "the adverts are off"


def test_the_runs_are_named_by_what_they_did(screen: Screen, summarized: FlowRun, rolled_up: FlowRun) -> None:
    screen.open("")
    screen.click("Runs")
    screen.reads(SUMMARIZED, ROLLED_UP)
    screen.reads("org:club-01", "rollup", "live")
    screen.where(SUMMARIZED).scroll_into_view_if_needed()


def test_a_summarize_run_shows_its_log_and_its_artifacts(screen: Screen, summarized: FlowRun) -> None:
    screen.open(f"/v2/runs/flow-run/{summarized.id}")
    screen.reads(summarized.name, "Completed", "auto-scheduled", "org:club-01")
    screen.choose("Oldest to newest", "Newest to oldest")
    screen.reads(re.compile(rf"^run ended: \d+ of \d+ insights summarized for {MONEY}"))
    screen.tab("Artifacts")
    screen.reads("live-bill", "live-run", "overview")


def test_the_bill_shows_what_was_planned_beside_what_was_billed(screen: Screen, summarized: FlowRun) -> None:
    screen.open_artifact("live-bill", summarized)
    screen.reads("planned", "billed", "calls to the model", "cost", re.compile(rf"^{MONEY}$"))


def test_the_run_in_words_says_what_was_done_and_saved(screen: Screen, summarized: FlowRun) -> None:
    screen.open_artifact("live-run", summarized)
    screen.reads(re.compile(rf"^\d+ of \d+ insights summarized for {MONEY}"))
    screen.reads("What became of the insights", "each insight alone, uncached", "packed by player")


def test_a_rollup_shows_that_every_check_holds(screen: Screen, rolled_up: FlowRun) -> None:
    screen.open_artifact("rollup-checks", rolled_up)
    screen.reads("check", "severity", "result")
    first = screen.page.get_by_role("row").nth(1)  # those that do not hold come first
    assert "passed" in first.inner_text()


def test_the_overview_says_what_needs_a_person_and_leads_to_the_runs(
    screen: Screen, summarized: FlowRun, rolled_up: FlowRun
) -> None:
    screen.open_artifact("overview", rolled_up)
    screen.reads(NEEDS, "The last 24 hours", "published")
    screen.keep("overview")  # before we leave it
    screen.page.get_by_role("row", name=re.compile("live")).get_by_role("link").click()
    screen.reads(summarized.name, "Completed")
    assert screen.page.url.startswith(f"{screen.ui_url}/v2/"), "not the old UI"


def test_the_deployments_have_their_schedules(screen: Screen, rolled_up: FlowRun) -> None:
    screen.open("")
    screen.click("Deployments")
    screen.reads("summarize", "catch-up", "overnight", "collect", "nightly-rollup", "learn", "6 Deployments")
    screen.reads("At 10:30 PM")


def test_the_automations_are_on(screen: Screen) -> None:
    screen.open("")
    screen.click("Automations")
    screen.reads("touchline: no heartbeat", "touchline: rollup failed", "touchline: checks failed")
    switches = screen.page.get_by_role("switch")
    assert [switch.get_attribute("aria-checked") for switch in switches.all()] == ["true"] * switches.count()
    assert switches.count() >= 3
