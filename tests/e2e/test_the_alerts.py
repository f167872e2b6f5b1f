"""What needs a person is told: Prefect's automations post to the webhook that is set."""

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager

import psycopg
import pytest
from prefect.client.schemas.objects import FlowRun

from tests.acceptance.commands import told
from tests.e2e.alerts import Alerts
from tests.e2e.touchline_up import RunningUp

TOLD_SECONDS_MAX = 240  # until a run begins, fails, and its events have come through


@contextmanager
def wrong_costs(up: RunningUp) -> Iterator[None]:
    """Have every cost on the ledger a dollar too high for as long as the block lasts."""
    url = told(up.by_hand("db", "url", "--json"))["url"]
    raise_costs = "UPDATE ai_usage_log SET cost_usd = cost_usd + %s WHERE cost_usd IS NOT NULL"
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(raise_costs, [1])
        try:
            yield
        finally:
            connection.execute(raise_costs, [-1])


def test_a_refused_rollup_is_told_with_what_failed_and_where_to_look(
    up: RunningUp, alerts: Alerts, rolled_up: FlowRun
) -> None:
    with wrong_costs(up), up.every_minute("nightly-rollup"):
        deadline = time.monotonic() + TOLD_SECONDS_MAX
        while len(texts := [json.loads(one)["text"] for one in alerts.bodies]) < 2:
            if time.monotonic() > deadline:
                pytest.fail(f"told in {TOLD_SECONDS_MAX} s: {texts}")
            time.sleep(0.5)
    (failed,) = {text for text in texts if text.startswith("Touchline: the rollup has failed: REFUSED")}
    assert f"{up.ui_url}/" in failed
    assert any("not published" in text and "rollup-run" in text for text in texts)
