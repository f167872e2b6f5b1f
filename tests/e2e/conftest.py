"""One `touchline up` for all tests, a small season that its schedules take, and a browser to look on."""

import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from prefect.client.schemas.objects import FlowRun

from examples.generate import Season, write_season
from tests.acceptance.commands import told
from tests.e2e.prefect_pages import Screen, window
from tests.e2e.touchline_up import RunningUp, running_up
from tests.integration.server_folder import server_folder

if TYPE_CHECKING:
    from playwright.sync_api import Browser

FAR_FROM_UTC = "Australia/Adelaide"  # half past the hour, too, and on another day for most of it
INSIGHTS = 120
EVIDENCE = pytest.StashKey[Path]()


@pytest.fixture(scope="session")
def browser() -> "Iterator[Browser]":
    """A headless Chromium, the system's own: none is ever downloaded."""
    playwright = pytest.importorskip("playwright.sync_api", reason="the extra `e2e` is not installed")
    chromium = shutil.which("chromium")
    if chromium is None:
        pytest.skip("there is no chromium: apt-get install chromium")
    sandbox = ["--no-sandbox"] if os.geteuid() == 0 else []  # which Chromium refuses to root
    with playwright.sync_playwright() as started:
        browser = started.chromium.launch(executable_path=chromium, args=sandbox)
        try:
            yield browser
        finally:
            browser.close()


@pytest.fixture(scope="session")
def evidence(request: pytest.FixtureRequest) -> Iterator[Path]:
    """The folder for screenshots and logs: E2E_SCREENSHOTS, or one that is kept after a failure."""
    named = os.environ.get("E2E_SCREENSHOTS")
    folder = Path(named) if named else Path(tempfile.mkdtemp(prefix="touchline-e2e-"))
    folder.mkdir(parents=True, exist_ok=True)
    request.config.stash[EVIDENCE] = folder
    yield folder
    if not named and not request.session.testsfailed:
        shutil.rmtree(folder)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """Say where the screenshots are."""
    if (folder := config.stash.get(EVIDENCE, None)) and folder.exists():
        terminalreporter.write_line(f"screenshots and logs: {folder}")


@pytest.fixture(scope="session")
def up(evidence: Path, request: pytest.FixtureRequest) -> Iterator[RunningUp]:
    """A `touchline up` with schedules in a zone far from UTC; its logs are kept when a test fails."""
    with server_folder("e2e") as home:
        try:
            with running_up(home, TOUCHLINE_TIME_ZONE=FAR_FROM_UTC) as running:
                yield running
        finally:
            if request.session.testsfailed:
                for log in [home / "up.stderr", *(home / "up").glob("*.log")]:
                    shutil.copy(log, evidence)


@pytest.fixture(scope="session")
def season(up: RunningUp, tmp_path_factory: pytest.TempPathFactory) -> None:
    """A small season, ingested."""
    folder = tmp_path_factory.mktemp("season")
    write_season(folder, Season(insights=INSIGHTS, players=36, bad_lines=0))
    assert told(up.by_hand("ingest", str(folder), "--json"))["insights"]["inserted"] == INSIGHTS


@pytest.fixture(scope="session")
def summarized(up: RunningUp, season: None) -> FlowRun:
    """The run that a schedule started and that summarized the season."""
    with up.every_minute("summarize"):
        return up.await_run("summarize", r"\d+ insights, ")


@pytest.fixture(scope="session")
def rolled_up(up: RunningUp, summarized: FlowRun) -> FlowRun:
    """The run that a schedule started and that rolled up what it has cost."""
    with up.every_minute("nightly-rollup"):
        return up.await_run("nightly-rollup", r"\d+ days?, ")


@pytest.fixture
def screen(
    browser: "Browser", up: RunningUp, evidence: Path, request: pytest.FixtureRequest
) -> Iterator[Screen]:
    """A window on the UI of `up`, pictured when the test ends; a complaint of the browser fails the test."""
    with window(browser, up.ui_url, evidence) as screen:
        yield screen
        screen.keep(request.node.name)
        assert not screen.troubles
