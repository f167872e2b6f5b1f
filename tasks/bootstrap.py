"""What Prefect's server keeps for us: work pool, queues, automations, made from files in `deployments/`."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import httpx
import yaml
from prefect import get_client
from prefect.blocks.webhook import Webhook
from prefect.client.orchestration import PrefectClient
from prefect.client.schemas.actions import WorkPoolCreate, WorkPoolUpdate
from prefect.events.actions import CallWebhook, DoNothing
from prefect.events.schemas.automations import Automation, AutomationCore
from prefect.exceptions import ObjectNotFound
from prefect.workers.process import ProcessWorker

from core.errors import NotReady
from core.settings import Settings

FOLDER = Path(__file__).parent.parent / "deployments"
ALERTS_BLOCK = "touchline-alerts"


@dataclass(frozen=True, slots=True)
class Made:
    """One object of the server: `kind` is work pool, queue or automation; `action` what was done about it."""

    kind: str
    name: str
    action: str  # created, updated, unchanged

    def to_json(self) -> dict[str, str]:
        """Return it as JSON has it."""
        return asdict(self)


async def bootstrap(settings: Settings) -> list[Made]:
    """Make the server's objects as the files have them; whoever has paused or switched off one, it stays so.

    Raises NotReady when the server does not answer, or does not take one.
    """
    pool, automations = _read("work-pool.yaml"), _read("automations.yaml")
    async with prefect_server() as client:
        made = [await _make_pool(client, pool)]
        made += [await _make_queue(client, pool["name"], queue) for queue in pool["queues"]]
        webhook = await _keep_webhook(settings)
        return made + [await _make_automation(client, one, webhook) for one in automations]


@asynccontextmanager
async def prefect_server() -> AsyncIterator[PrefectClient]:
    """Give a client of Prefect's API. Raises NotReady when it does not answer, or refuses what is asked."""
    try:
        async with get_client() as client:
            yield client
    except httpx.HTTPStatusError as error:
        said = f"{error.response.status_code} {error.response.text[:300]}"
        raise NotReady(
            f"Prefect's server refuses: {said}. Is PREFECT_API_AUTH_STRING the server's own?"
        ) from error
    except (httpx.TransportError, RuntimeError) as error:  # the client's own error for a server that is away
        raise NotReady(
            f"Prefect's server does not answer ({error}). Start it (prefect server start), or correct "
            "PREFECT_API_URL; `touchline up` runs one."
        ) from error


def _read(name: str) -> Any:
    return yaml.safe_load((FOLDER / name).read_text("utf-8"))


async def _make_pool(client: PrefectClient, wanted: Mapping[str, Any]) -> Made:
    name, facts = wanted["name"], {key: wanted[key] for key in ("description", "concurrency_limit")}
    try:
        there = await client.read_work_pool(name)
    except ObjectNotFound:
        template = ProcessWorker.get_default_base_job_template()
        pool = WorkPoolCreate(name=name, type=wanted["type"], base_job_template=template, **facts)
        await client.create_work_pool(pool)
        return Made("work pool", name, "created")
    if there.type != wanted["type"]:
        raise NotReady(
            f"Work pool {name} is of type {there.type}, not {wanted['type']}: delete or rename it."
        )
    if _has(there, facts):
        return Made("work pool", name, "unchanged")
    await client.update_work_pool(name, WorkPoolUpdate(**facts))
    return Made("work pool", name, "updated")


async def _make_queue(client: PrefectClient, pool: str, wanted: Mapping[str, Any]) -> Made:
    name = wanted["name"]
    facts = {key: value for key, value in wanted.items() if key != "name"}
    try:
        there = await client.read_work_queue_by_name(name, work_pool_name=pool)
    except ObjectNotFound:
        await client.create_work_queue(name, work_pool_name=pool, **facts)
        return Made("queue", name, "created")
    if _has(there, facts):
        return Made("queue", name, "unchanged")
    await client.update_work_queue(there.id, **facts)
    return Made("queue", name, "updated")


def _has(there: Any, facts: Mapping[str, Any]) -> bool:
    return all(getattr(there, key) == value for key, value in facts.items())


async def _keep_webhook(settings: Settings) -> Webhook | None:
    """Keep where alerts go as a block, which Prefect's server encrypts; None when they go nowhere."""
    if settings.alert_webhook is None:
        return None
    webhook = Webhook(url=settings.alert_webhook, headers={"content-type": "application/json"})
    await webhook.asave(ALERTS_BLOCK, overwrite=True)
    return webhook


async def _make_automation(client: PrefectClient, wanted: Mapping[str, Any], webhook: Webhook | None) -> Made:
    automation = AutomationCore.model_validate(
        {
            "name": wanted["name"],
            "description": wanted["description"],
            "trigger": wanted["trigger"],
            "actions": wanted.get("actions") or [_tell(wanted["tell"], webhook)],
        }
    )
    found = await client.read_automations_by_name(automation.name)
    if not found:
        await client.create_automation(automation)
        return Made("automation", automation.name, "created")
    there, *doubles = found
    for double in doubles:  # two of these commands at once have both found none
        await client.delete_automation(double.id)
    if _says(there) == _says(automation):
        return Made("automation", automation.name, "unchanged")
    await client.update_automation(there.id, automation.model_copy(update={"enabled": there.enabled}))
    return Made("automation", automation.name, "updated")


def _tell(text: str, webhook: Webhook | None) -> CallWebhook | DoNothing:
    if webhook is None:
        return DoNothing()
    payload = "{% set text %}" + text + '{% endset %}{"text": {{ text|tojson }}}'
    return CallWebhook(block_document_id=webhook._block_document_id, payload=payload)


def _says(automation: AutomationCore | Automation) -> dict[str, Any]:
    """Return what an automation does, without what the server adds; sets of events have no order."""
    said = automation.model_dump(mode="json", include={"name", "description", "trigger", "actions"})
    trigger = {
        key: sorted(value) if key in {"after", "expect"} else value
        for key, value in said["trigger"].items()
        if key != "id"
    }
    return said | {"trigger": trigger}
