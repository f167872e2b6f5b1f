"""`touchline emulator`: the local Anthropic API, always a process of its own."""

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated

import typer

from core.errors import NotReady

STOP_SECONDS_MAX = 10


def emulator(
    arguments: Annotated[
        list[str] | None, typer.Argument(help="Options of the emulator; after `--`: -- --help lists them.")
    ] = None,
    port: Annotated[int, typer.Option(help="0 takes a free one.")] = 0,
    as_json: Annotated[bool, typer.Option("--json", help='First line: {"base_url": ...}.')] = False,
) -> None:
    """Run a local Anthropic API until Ctrl-C; its first line is the address for ANTHROPIC_BASE_URL."""
    with running_process(["--port", str(port), *(arguments or [])]) as (process, base_url):
        typer.echo(json.dumps({"base_url": base_url}) if as_json else base_url)
        try:
            raise typer.Exit(process.wait())
        except KeyboardInterrupt:
            raise typer.Exit(0) from None


@contextmanager
def running_process(arguments: list[str]) -> Iterator[tuple["subprocess.Popen[str]", str]]:
    """Run an emulator for as long as the block lasts; gives the process and its base URL."""
    command = [sys.executable, "-m", "emulator", *arguments]
    # A session of its own, so that Ctrl-C reaches us first and we end it.
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, start_new_session=True)
    try:
        assert process.stdout is not None
        base_url = process.stdout.readline().strip()
        if not base_url:
            raise NotReady(f"The emulator did not start (exit code {process.wait()}); its reason is above.")
        yield process, base_url
    finally:
        process.terminate()
        try:
            process.wait(STOP_SECONDS_MAX)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
