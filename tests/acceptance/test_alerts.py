"""What needs a person is told: Prefect's automations post to the webhook that is set."""

import asyncio
import json
import time

import pytest
from prefect import tags
from pydantic import SecretStr

from core.rollups import RollupRefused
from core.settings import Settings
from flows.rollup import nightly_rollup
from tasks.bootstrap import bootstrap
from tests.acceptance.alerts import kept_alerts
from tests.acceptance.conftest import World
from tests.integration.stored_rows import Rows

TOLD_SECONDS_MAX = 120  # the server learns of new automations, then of the run's events, at its leisure


def test_a_refused_rollup_is_told_as_failed_and_as_what_its_checks_say(world: World) -> None:
    rows = Rows(world.engine)
    rows.club()
    rows.attempt("nowhere", occurred_at=world.clock.now())
    with kept_alerts() as alerts:
        asyncio.run(bootstrap(Settings().model_copy(update={"alert_webhook": SecretStr(alerts.url)})))
        time.sleep(1)  # no answer says when the triggers are loaded
        with tags("rollup"), pytest.raises(RollupRefused) as refused:
            asyncio.run(nightly_rollup(clock=world.clock))
        deadline = time.monotonic() + TOLD_SECONDS_MAX
        while len(alerts.bodies) < 2 and time.monotonic() < deadline:
            time.sleep(0.1)
        texts = sorted(json.loads(body)["text"] for body in alerts.bodies)
    report = refused.value.report
    assert len(texts) == 2
    assert texts[0] == f"Touchline: {report.sentence()}. Its artifact rollup-run has the failing rows."
    assert texts[1].startswith(f"Touchline: the rollup has failed: {report.name()}.")
