"""Commands as tests give them: as a process of its own, or in this one, which is quicker."""

import json
import logging
import os
import subprocess
import sys
from typing import Any

from typer.testing import CliRunner

from cli.main import app, exit_code
from core.errors import TouchlineError

TOUCHLINE = [sys.executable, "-c", "from cli.main import main; main()"]


def touchline(*arguments: str, **environment: str) -> "subprocess.CompletedProcess[str]":
    """Run a command in this test's environment, with changes; an empty value takes a variable away."""
    whole = {name: value for name, value in (os.environ | environment).items() if value}
    return subprocess.run(
        [*TOUCHLINE, *arguments], capture_output=True, text=True, check=False, env=whole, timeout=240
    )


def in_process(*arguments: str) -> "subprocess.CompletedProcess[str]":
    """Run a command in this process, which has imported everything already; gives what a process would."""
    for name in [*logging.root.manager.loggerDict]:
        if name.partition(".")[0] == "prefect":
            logging.getLogger(name).setLevel(logging.CRITICAL)  # as a command has it, before the import
    result = CliRunner().invoke(app, arguments)
    code, complaint = result.exit_code, result.stderr
    if isinstance(result.exception, TouchlineError):
        code, complaint = exit_code(result.exception), f"{complaint}{result.exception}"
    elif result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return subprocess.CompletedProcess(arguments, code, result.stdout, complaint)


def told(process: "subprocess.CompletedProcess[str]", code: int = 0) -> dict[str, Any]:
    """Check the exit code, and read the one JSON object on stdout."""
    assert process.returncode == code, process.stderr
    value: dict[str, Any] = json.loads(process.stdout)
    return value


def told_by(*arguments: str) -> dict[str, Any]:
    """Run a command in this process; gives the one JSON object on stdout."""
    return told(in_process(*arguments, "--json"))
