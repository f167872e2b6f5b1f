"""A flow run's own page in the Prefect UI: its name, its tags and where links lead. Ids and counts only."""

import asyncio
import logging
from collections.abc import AsyncIterator, Collection, Iterable
from contextlib import asynccontextmanager
from uuid import UUID

from prefect.client.orchestration import get_client
from prefect.runtime import flow_run
from prefect.settings import PREFECT_UI_URL
from prefect.utilities.urls import url_for

from core.names import failed_name

NEEDS_ATTENTION = "needs-attention"
CLUBS_TAGGED_MAX = 10
SHOW_SECONDS_MAX = 60.0  # that Prefect may take for one thing that is shown

logger = logging.getLogger("touchline.artifacts")


@asynccontextmanager
async def shown(what: str, seconds_max: float = SHOW_SECONDS_MAX) -> AsyncIterator[None]:
    """Show something in Prefect; when it takes none, that is logged, and the run is not worse for it."""
    try:
        async with asyncio.timeout(seconds_max):
            yield
    except Exception as error:  # noqa: BLE001 - what was done is committed, whatever Prefect says
        logger.warning("%s could not be shown in Prefect: %s", what, type(error).__name__)


class Page:
    """The page of a flow run; `name` is what it has told of itself so far."""

    def __init__(self) -> None:
        self.flow_run_id: str | None = flow_run.id
        self.tags: set[str] = set(flow_run.tags)
        self.name: str | None = None

    async def tell(self, name: str, tags: Iterable[str] = (), *, attention: bool = False) -> None:
        """Name the run by what it did, and add tags to those that it has; outside of Prefect say so."""
        self.name = name
        self.tags |= {*tags, *({NEEDS_ATTENTION} if attention else ())}
        if self.flow_run_id is None:
            logger.warning("there is no flow run to be named: %s", name)
            return
        async with shown(f"the name of run {self.flow_run_id}"), get_client() as client:
            answer = await client.update_flow_run(UUID(self.flow_run_id), name=name, tags=sorted(self.tags))
            answer.raise_for_status()


@asynccontextmanager
async def flow_page() -> AsyncIterator[Page]:
    """Give the page of the flow run that is going on; should the block raise, the run's name says so."""
    page = Page()
    try:
        yield page
    except Exception as error:
        if NEEDS_ATTENTION not in page.tags:  # else its name says already what is wrong
            await page.tell(failed_name(type(error).__name__, page.name), attention=True)
        raise


async def tell_of_another(flow_run_id: str, name: str, *, attention: bool) -> None:
    """Name a flow run that has ended before all that it sent was known."""
    async with shown(f"the name of run {flow_run_id}"), get_client() as client:
        told = await client.read_flow_run(UUID(flow_run_id))
        tags = {*told.tags, *({NEEDS_ATTENTION} if attention else ())}
        answer = await client.update_flow_run(told.id, name=name, tags=sorted(tags))
        answer.raise_for_status()


def club_tags(organization_ids: Collection[str]) -> set[str]:
    """Return a tag for each club, or one for many."""
    if len(organization_ids) > CLUBS_TAGGED_MAX:
        return {"orgs:many"}
    return {f"org:{organization_id}" for organization_id in organization_ids}


def run_link(flow_run_id: str, words: str) -> str:
    """Return a link to a flow run, in markdown; the words alone where there is no UI."""
    url = url_for("flow-run", obj_id=flow_run_id)
    return f"[{words}]({url})" if url else words


def artifact_links(keys: Iterable[str]) -> str:
    """Return links to all versions of artifacts, in markdown; nothing where there is no UI."""
    base = PREFECT_UI_URL.value()
    if not base:
        return ""
    return ", ".join(f"[{key}]({base.rstrip('/')}/artifacts/key/{key})" for key in keys)
