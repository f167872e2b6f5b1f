"""Processes of a bench: which part each is, and what CPU time the kernel says it has used."""

import os
import subprocess
import sys
from uuid import uuid4

import pytest

from benchmarks.workers.processes import (
    TICKS_PER_SECOND,
    cpu_seconds,
    cpu_seconds_of,
    marked_processes,
    parent_of,
    part_of,
    with_children,
)


@pytest.mark.parametrize(
    ("command", "part"),
    [
        ("python -m prefect worker start --pool touchline --limit 1", "worker"),
        ("python -m prefect.engine", "flow"),
        ("python -m prefect.runner._workspace_supervisor /tmp/attempt/supervisor.json", "supervisor"),
        ("python site-packages/prefect/runner/_workspace_runtime_bootstrap.py engine", "flow"),
        ("python site-packages/prefect/runner/_workspace_runtime_bootstrap.py hook", "supervisor"),
    ],
)
def test_a_process_is_known_by_its_command(command: str, part: str) -> None:
    assert part_of(command.split()) == part


def test_user_and_system_time_are_added_up_and_that_of_children_is_not() -> None:
    fields = ["S", "1", *["0"] * 9, str(3 * TICKS_PER_SECOND), str(2 * TICKS_PER_SECOND), "900", "900"]
    assert cpu_seconds_of(fields) == 5.0


def test_a_process_is_found_by_a_variable_of_its_environment_and_gone_when_it_has_ended() -> None:
    marker = f"BENCH_MARKER={uuid4()}"
    environment = os.environ | dict([marker.split("=")])
    command = [sys.executable, "-c", "input()"]
    with subprocess.Popen(command, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        try:
            found = [pid for pids in marked_processes(marker).values() for pid in pids]
            assert found == [process.pid]
            assert parent_of(process.pid) == os.getpid()
            assert process.pid in with_children(os.getpid())
            assert cpu_seconds(process.pid) is not None
        finally:
            process.kill()
    assert not any(marked_processes(marker).values())
    assert cpu_seconds(process.pid) is None
