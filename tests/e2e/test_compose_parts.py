"""The parts of the compose file as processes: runs that end Completed, and nobody without a password."""

import base64
import json
import subprocess
import urllib.error
import urllib.request
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest

from examples.generate import Season, write_season
from tests.e2e.compose_parts import Parts, running_parts
from tests.integration.compose_file import FOLDER, made_up
from tests.integration.emulator_process import RunningEmulator
from tests.integration.packaged_postgres import newest_packaged

WATCH_SECONDS = 400
INSIGHTS = 120
RUNBOOK = (FOLDER / "README.md").read_text("utf-8")


@pytest.fixture(scope="module")
def emulator_url(emulator_process: RunningEmulator) -> str:
    """Where workers call instead of the vendor's."""
    return emulator_process.base_url


@pytest.fixture(scope="module")
def parts(emulator_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Parts]:
    """Everything that the compose file starts, with two workers."""
    binaries = newest_packaged()
    if binaries is None:
        pytest.skip("Debian's PostgreSQL, 15 or newer, is not installed: apt-get install postgresql")
    values = made_up() | {"ANTHROPIC_BASE_URL": emulator_url}
    with running_parts(tmp_path_factory.mktemp("compose"), values, binaries) as running:
        yield running
    assert all(process.poll() is not None for process in running.processes.values())


def ask(parts: Parts, path: str, body: dict[str, Any] | None = None, *, auth: str | None = None) -> Any:
    """Ask Prefect's API, as whoever has this user and password."""
    auth = made_up()["PREFECT_AUTH_STRING"] if auth is None else auth
    request = urllib.request.Request(
        f"{parts.api}{path}",
        data=None if body is None else json.dumps(body).encode(),
        headers={
            "content-type": "application/json",
            "authorization": f"Basic {base64.b64encode(auth.encode()).decode()}",
        },
    )
    with urllib.request.urlopen(request, timeout=30) as answer:
        return json.loads(answer.read())


def run_deployment(parts: Parts, name: str) -> dict[str, Any]:
    """Start a run as the runbook says, and wait for its end; gives the newest run of the deployment."""
    words = ("prefect", "deployment", "run", name, "--watch", "--watch-timeout", str(WATCH_SECONDS))
    done = parts.run(*words, service="worker", seconds=WATCH_SECONDS + 60)
    assert done.returncode == 0, f"{done.stdout}{done.stderr}"
    deployment = ask(parts, f"/deployments/name/{name}")
    asked = {"deployments": {"id": {"any_": [deployment["id"]]}}, "sort": "EXPECTED_START_TIME_DESC"}
    runs = [run for run in ask(parts, "/flow_runs/filter", asked) if run["state_type"] != "SCHEDULED"]
    return dict(runs[0])


def lines_of(parts: Parts, run: dict[str, Any]) -> list[str]:
    """Give our lines in the logs that Prefect's page of a run shows."""
    wanted = {"logs": {"flow_run_id": {"any_": [run["id"]]}}, "limit": 200}
    logs = ask(parts, "/logs/filter", wanted)
    return [log["message"] for log in logs if log["name"].startswith("touchline.")]


def test_a_catch_up_run_ends_completed_and_its_lines_are_shown_once(parts: Parts, tmp_path: Path) -> None:
    write_season(tmp_path, Season(insights=INSIGHTS, players=36, bad_lines=0))
    done = parts.run("touchline", "ingest", str(tmp_path), service="setup")
    assert done.returncode == 0, done.stderr
    run = run_deployment(parts, "summarize-pending/catch-up")
    assert run["state_type"] == "COMPLETED"
    with psycopg.connect(as_owner(parts)) as connection:
        states: dict[str, int] = dict(
            connection.execute("SELECT state, count(*) FROM insight GROUP BY state").fetchall()
        )
    assert states["summarized"] > INSIGHTS / 2
    assert not states.keys() & {"pending", "claimed"}
    shown = lines_of(parts, run)
    assert len([line for line in shown if line.startswith("run began: live lane")]) == 1
    assert len([line for line in shown if line.startswith("run ended: ")]) == 1
    written = [line for log in ("worker-0", "worker-1") for line in objects(parts.log(log), run["id"])]
    ours = Counter(line["message"] for line in written if line["logger"].startswith("touchline."))
    assert ours == Counter(shown)


def as_owner(parts: Parts) -> str:
    """The database, as the user that the init script has made."""
    return f"postgresql://touchline@127.0.0.1:{parts.ports['5432']}/touchline"


def objects(log: str, run_id: str) -> list[dict[str, Any]]:
    """Read a worker's lines of JSON that tell of this run."""
    found = [json.loads(line) for line in log.splitlines() if line.startswith('{"at": ')]
    return [line for line in found if line.get("run_id") == run_id]


def test_a_nightly_rollup_ends_completed(parts: Parts) -> None:
    run = run_deployment(parts, "nightly-rollup/nightly-rollup")
    assert run["state_type"] == "COMPLETED"
    with psycopg.connect(as_owner(parts)) as connection:
        assert connection.execute("SELECT count(*) FROM rollup_dirty_day").fetchone() == (0,)
        days = connection.execute("SELECT count(*) FROM rollup_day").fetchone()
    assert days is not None
    assert days[0] >= 1


def test_two_workers_serve_the_pool(parts: Parts) -> None:
    workers = ask(parts, "/work_pools/touchline/workers/filter", {})
    assert [worker["status"] for worker in workers] == ["ONLINE", "ONLINE"]


@pytest.mark.parametrize("auth", ["operator:wrong", "nobody:5ea5", ":"])
def test_whoever_has_not_the_password_is_refused(parts: Parts, auth: str) -> None:
    assert ask(parts, "/work_pools/filter", {})
    for path, body in (("/work_pools/filter", {}), ("/flow_runs/filter", {}), ("/admin/version", None)):
        with pytest.raises(urllib.error.HTTPError) as refused:
            ask(parts, path, body, auth=auth)
        assert refused.value.code == 401


def test_the_owner_of_a_database_sees_no_other(parts: Parts) -> None:
    address = f"127.0.0.1:{parts.ports['5432']}"
    for user, other in (("touchline", "prefect"), ("prefect", "touchline")):
        with pytest.raises(psycopg.OperationalError, match="permission denied for database"):
            psycopg.connect(f"postgresql://{user}@{address}/{other}")


def test_what_the_runbook_backs_up_it_restores(parts: Parts, tmp_path: Path) -> None:
    """The last of these tests: server and workers are stopped for it."""
    counted = "SELECT (SELECT sum(cost_usd) FROM ai_usage_log), count(*) FROM summary"
    with psycopg.connect(as_owner(parts)) as connection:
        before = connection.execute(counted).fetchone()
    in_runbook = [
        line for line in RUNBOOK.splitlines() if line.startswith("$ docker compose exec -T postgres pg_")
    ]
    dumps, restores = ([line for line in in_runbook if name in line] for name in ("pg_dump", "pg_restore"))
    assert len(set(dumps)) == len(restores) == 2
    for line in dumps[:2]:
        in_postgres(parts, line, tmp_path)
    parts.stop()
    with psycopg.connect(f"postgresql://postgres@127.0.0.1:{parts.ports['5432']}/touchline") as connection:
        connection.execute("DROP TABLE summary, summary_event CASCADE")
    for line in restores:
        in_postgres(parts, line, tmp_path)
    with psycopg.connect(as_owner(parts)) as connection:
        assert connection.execute(counted).fetchone() == before
        connection.execute("SET ROLE touchline_reader")
    test_the_owner_of_a_database_sees_no_other(parts)


def in_postgres(parts: Parts, line: str, folder: Path) -> None:
    """Run a line of the runbook where PostgreSQL is."""
    binaries = newest_packaged()
    assert binaries is not None
    command = line.removeprefix("$ docker compose exec -T postgres ")
    environment = {
        "PGHOST": "127.0.0.1",
        "PGPORT": str(parts.ports["5432"]),
        "PATH": f"{binaries}:/usr/bin:/bin",
    }
    subprocess.run(["/bin/sh", "-c", command], cwd=folder, env=environment, check=True)
