"""`touchline bootstrap`: what the server keeps is as the files have it, and what was paused stays so."""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TypeVar

import pytest
import yaml
from prefect.client.orchestration import PrefectClient, get_client
from prefect.events.schemas.automations import AutomationCore

from core.settings import Settings
from tasks.bootstrap import bootstrap
from tests.acceptance.commands import told_by, touchline

FOLDER = Path(__file__).parents[2] / "deployments"
POOL = yaml.safe_load((FOLDER / "work-pool.yaml").read_text("utf-8"))
AUTOMATIONS = yaml.safe_load((FOLDER / "automations.yaml").read_text("utf-8"))
WEBHOOK = "https://alerts.example.org/secret-place"
T = TypeVar("T")


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A home of its own."""
    monkeypatch.setenv("TOUCHLINE_HOME", str(tmp_path / "home"))


def ask(question: Callable[[PrefectClient], Awaitable[T]]) -> T:
    """Ask Prefect's server."""

    async def asked() -> T:
        async with get_client() as client:
            return await question(client)

    return asyncio.run(asked())


def made_now() -> dict[str, str]:
    """Make all but the deployments; gives what was done, by name."""
    return {one.name: one.action for one in asyncio.run(bootstrap(Settings()))}


def test_it_makes_what_the_files_say_and_a_second_time_changes_nothing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("TOUCHLINE_TIME_ZONE", "Europe/Dublin")
    made = told_by("bootstrap")
    assert set(made_now().values()) == {"unchanged"}
    queues = {one.name: one for one in ask(lambda client: client.read_work_queues(POOL["name"]))}
    for queue in POOL["queues"]:
        assert queues[queue["name"]].concurrency_limit == queue["concurrency_limit"]
        assert queues[queue["name"]].priority == queue["priority"]
    zones = {one["deployment"]: one["time_zone"] for one in made["deployments"]}
    assert zones["summarize"] == zones["overnight"] == "Europe/Dublin"
    assert zones["nightly-rollup"] == zones["collect"] == zones["learn"] == "UTC"
    by_hand = [one["deployment"] for one in made["deployments"] if one["next_run"] is None]
    assert by_hand == ["catch-up"]


def test_what_was_changed_is_made_right_again_and_what_was_paused_stays_so() -> None:
    made_now()
    name = AUTOMATIONS[1]["name"]

    async def meddle(client: PrefectClient) -> None:
        queue = await client.read_work_queue_by_name("overnight", work_pool_name=POOL["name"])
        await client.update_work_queue(queue.id, concurrency_limit=7, is_paused=True)
        automation = (await client.read_automations_by_name(name))[0]
        there = automation.model_dump(exclude={"id", "owner_resource"})
        changed = there | {"description": "something else", "enabled": False}
        await client.update_automation(automation.id, AutomationCore.model_validate(changed))

    ask(meddle)
    made = made_now()
    assert made.pop("overnight") == made.pop(name) == "updated"
    assert set(made.values()) == {"unchanged"}
    queue = ask(lambda client: client.read_work_queue_by_name("overnight", work_pool_name=POOL["name"]))
    assert (queue.concurrency_limit, queue.is_paused) == (2, True)
    automation = ask(lambda client: client.read_automations_by_name(name))[0]
    assert automation.description == AUTOMATIONS[1]["description"]
    assert not automation.enabled


def test_alerts_go_to_the_webhook_that_is_set_and_no_automation_shows_its_address(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("TOUCHLINE_ALERT_WEBHOOK", WEBHOOK)
    made_now()
    telling = [wanted for wanted in AUTOMATIONS if "tell" in wanted]
    assert len(telling) == 3
    for wanted in telling:
        automation = ask(lambda client, name=wanted["name"]: client.read_automations_by_name(name))[0]  # type: ignore[misc]
        assert automation.actions[-1].type == "call-webhook"
        assert wanted["tell"] in automation.actions[-1].payload
        assert "alerts.example.org" not in automation.model_dump_json()
    monkeypatch.delenv("TOUCHLINE_ALERT_WEBHOOK")
    made_now()
    automation = ask(lambda client: client.read_automations_by_name(AUTOMATIONS[-1]["name"]))[0]
    assert [action.type for action in automation.actions] == ["do-nothing"]


def test_without_a_server_it_says_what_to_do() -> None:
    away = touchline("bootstrap", PREFECT_API_URL="http://127.0.0.1:9/api")
    assert away.returncode == 1
    assert "does not answer" in away.stderr
    unset = touchline("bootstrap", PREFECT_API_URL="")
    assert unset.returncode == 1
    assert "touchline up" in unset.stderr
