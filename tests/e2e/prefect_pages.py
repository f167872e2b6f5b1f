"""Pages of Prefect's UI as a person reads them, and what their browser complains about meanwhile."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from prefect.client.schemas.objects import FlowRun

if TYPE_CHECKING:
    from playwright.sync_api import (
        Browser,
        ConsoleMessage,
        Error,
        Locator,
        Page,
        Response,
        Route,
        ViewportSize,
    )

WINDOW: "ViewportSize" = {"width": 1360, "height": 850}
LOAD_MS_MAX = 60_000  # until something can be read, on a busy machine
# Faults of Prefect 3.8.8's own pages: they ask for icons at / that are at /v2, and for the task run of an
# artifact that has none.
GRAPH_LEFT_EARLY = re.compile(r"/assets/(flow-run-graph|vendor-pixi)-")  # before all of it was drawn
PREFECTS_OWN = re.compile(r"/(favicon[^/]*|[a-z]+\.svg|api/task_runs/filter)$")


class Screen:
    """A browser's window on one server's UI; `troubles` are its errors, and answers that were none."""

    def __init__(self, page: "Page", ui_url: str, folder: Path) -> None:
        self.page, self.ui_url, self.folder = page, ui_url, folder
        self.troubles: list[str] = []
        page.context.route(re.compile(".*"), self._only_ours)
        page.on("pageerror", self._failed)
        page.on("console", self._heard)
        page.on("response", self._answered)

    def open(self, path: str) -> None:
        """Open a page by its address below the server's."""
        self.page.goto(f"{self.ui_url}{path}")

    def open_artifact(self, key: str, run: FlowRun) -> None:
        """Open an artifact of a run: from the run's page to all versions of it, and to the run's own."""
        self.open(f"/v2/runs/flow-run/{run.id}?tab=Artifacts")
        self.page.get_by_role("heading", name=key, exact=True).click()
        self.reads(f"Created {key}")
        named = self.page.get_by_role("link", name=run.name, exact=True)
        named.locator("xpath=preceding::a[1]").click()  # the version, by the beginning of its id
        self.reads("Show Raw Data")

    def click(self, name: str) -> None:
        """Click the menu's link of this name."""
        self.page.get_by_role("link", name=name, exact=True).first.click()

    def tab(self, name: str) -> None:
        """Show a tab of the page."""
        self.page.get_by_role("tab", name=name, exact=True).click()

    def choose(self, before: str, after: str) -> None:
        """Choose something else in the list that shows `before`."""
        self.page.get_by_role("combobox").filter(has_text=before).click()
        self.page.get_by_role("option", name=after, exact=True).click()

    def reads(self, *texts: str | re.Pattern[str]) -> None:
        """Wait until each text can be read. Fails, naming it and what is there instead, when it cannot."""
        for text in texts:
            self.where(text).wait_for(timeout=LOAD_MS_MAX)

    def where(self, text: str | re.Pattern[str]) -> "Locator":
        """Give the first visible place with a text: all of it, or what a pattern finds."""
        exact = isinstance(text, str)
        return self.page.get_by_text(text, exact=exact).locator("visible=true").first

    def text(self) -> str:
        """Give all that can be read."""
        return str(self.page.locator("body").inner_text())

    def keep(self, name: str) -> None:
        """Keep a picture of the window."""
        self.page.screenshot(path=self.folder / f"{name}.png", animations="disabled")

    def _only_ours(self, route: "Route") -> None:
        if route.request.url.startswith(self.ui_url):
            route.continue_()
        else:
            route.abort()

    def _failed(self, error: "Error") -> None:
        if not GRAPH_LEFT_EARLY.search(error.stack or ""):
            self.troubles.append(f"error in the page: {error.stack or error}")

    def _heard(self, message: "ConsoleMessage") -> None:
        url = message.location.get("url", "")
        if message.type == "error" and url.startswith(self.ui_url) and not PREFECTS_OWN.search(url):
            self.troubles.append(f"{message.text} ({url})")

    def _answered(self, response: "Response") -> None:
        if response.status >= 400 and not PREFECTS_OWN.search(response.url):
            self.troubles.append(f"{response.status} for {response.url}")


@contextmanager
def window(browser: "Browser", ui_url: str, folder: Path) -> Iterator[Screen]:
    """Give a new window without any memory, in English and UTC."""
    context = browser.new_context(viewport=WINDOW, locale="en-GB", timezone_id="UTC")
    context.set_default_timeout(LOAD_MS_MAX)
    try:
        yield Screen(context.new_page(), ui_url, folder)
    finally:
        context.close()
