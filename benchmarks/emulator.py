"""Requests per second and memory of the emulator, several settings side by side.

`python -m benchmarks.emulator [REQUESTS]` (default 100,000 for the long run). Prompts have 6,000 tokens of
which 95 % are cached; latency is off. The emulator is held on one core; this process asks from another where
there is one. Requests go over raw connections, because a client library would take longer than the emulator.
"""

import asyncio
import json
import os
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from cli.emulator import running_process

CONNECTIONS = 8
WARM_UP = 500
SHORT = 4_000
TOKENS, CACHED_SHARE = 6_000, 0.95
CHARACTERS_PER_TOKEN = 2.5
SAMPLES = 10
TARGET_PER_SECOND = 400


def main(requests: int) -> None:
    """Measure each setting, then memory over the long run, and print both."""
    cores = sorted(os.sched_getaffinity(0))
    os.sched_setaffinity(0, {cores[-1]})
    settings = {
        "plain": [],
        "streamed": ["--stream"],
        "structured": ["--structured"],
        "nothing cached": ["--uncached"],
        "with --state": ["--state"],
    }
    rates = {name: _short_run(cores[0], options) for name, options in settings.items()}
    table = Table(
        "setting", title=f"emulator on 1 core of {len(cores)}, {TOKENS:,}-token prompts, latency off"
    )
    table.add_column("requests/s", justify="right")
    table.add_column("ratio to plain", justify="right")
    for name, rate in rates.items():
        table.add_row(name, f"{rate:,.0f}", f"{rate / rates['plain']:.2f}")
    Console().print(table)
    Console().print(
        f"target {TARGET_PER_SECOND}/s: plain is {rates['plain'] / TARGET_PER_SECOND:.2f} times that"
    )
    _long_run(cores[0], requests)


def _short_run(core: int, options: Sequence[str]) -> float:
    with tempfile.TemporaryDirectory(prefix="emulator-bench-") as folder:
        state = ["--state", str(Path(folder) / "state")] if "--state" in options else []
        with running_process(["--latency", "off", "--tier", "unlimited", *state]) as (process, base_url):
            os.sched_setaffinity(process.pid, {core})
            bodies = _bodies(options)
            asyncio.run(_ask(base_url, bodies, WARM_UP))
            began = time.monotonic()
            asyncio.run(_ask(base_url, bodies, SHORT))
            return SHORT / (time.monotonic() - began)


def _long_run(core: int, requests: int) -> None:
    with running_process(["--latency", "off", "--tier", "unlimited"]) as (process, base_url):
        os.sched_setaffinity(process.pid, {core})
        bodies = _bodies([])
        table = Table("requests", title="memory over a long run, prompts as above")
        table.add_column("resident MB", justify="right")
        table.add_column("requests/s since the last line", justify="right")
        sizes: list[float] = []
        for i in range(1, SAMPLES + 1):
            began = time.monotonic()
            asyncio.run(_ask(base_url, bodies, requests // SAMPLES))
            sizes.append(_resident_mb(process.pid))
            rate = requests // SAMPLES / (time.monotonic() - began)
            table.add_row(f"{i * requests // SAMPLES:,}", f"{sizes[-1]:,.1f}", f"{rate:,.0f}")
        Console().print(table)
        Console().print(f"the last {sizes[-1] / sizes[0]:.3f} times the first")


def _resident_mb(pid: int) -> float:
    pages = int(Path(f"/proc/{pid}/statm").read_text("utf-8").split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20


def _bodies(options: Sequence[str]) -> list[bytes]:
    """Requests that share all but the last 5 % of their prompt (or nothing), and differ in that."""
    cached = int(TOKENS * CACHED_SHARE * CHARACTERS_PER_TOKEN)
    rest = int(TOKENS * (1 - CACHED_SHARE) * CHARACTERS_PER_TOKEN)
    return [_request(n, cached, rest, options) for n in range(100)]


def _request(n: int, cached: int, rest: int, options: Sequence[str]) -> bytes:
    marker = {} if "--uncached" in options else {"cache_control": {"type": "ephemeral"}}
    note = f'<note>{{"title": "Note {n}", "text": "{("kept the ball better " * rest)[:rest]}"}}</note>'
    body: dict[str, Any] = {
        "model": "claude-haiku-5-5",
        "max_tokens": 500,
        "thinking": {"type": "disabled"},
        "stream": "--stream" in options,
        "system": [{"type": "text", "text": ("A coach writes to parents. " * cached)[:cached], **marker}],
        "messages": [{"role": "user", "content": note}],
    }
    if "--structured" in options:
        properties = {"summary": {"type": "string"}, "confidence": {"type": "number"}}
        schema = {"type": "object", "properties": properties, "additionalProperties": False}
        body["output_config"] = {"format": {"type": "json_schema", "schema": schema}}
    content = json.dumps(body).encode()
    head = (
        "POST /v1/messages HTTP/1.1\r\nhost: emulator\r\n"
        "x-api-key: bench\r\nanthropic-version: 2026-10-21\r\n"
        f"content-type: application/json\r\ncontent-length: {len(content)}\r\n\r\n"
    )
    return head.encode() + content


async def _ask(base_url: str, bodies: Sequence[bytes], count: int) -> None:
    """Send that many requests over a few connections, each waiting for its answer."""
    host, port = base_url.removeprefix("http://").split(":")
    numbers = iter(range(count))

    async def connection() -> None:
        reader, writer = await asyncio.open_connection(host, int(port), limit=2**20)
        for n in numbers:
            writer.write(bodies[n % len(bodies)])
            await _read_answer(reader)
        writer.close()
        await writer.wait_closed()

    await asyncio.gather(*[connection() for _ in range(CONNECTIONS)])


async def _read_answer(reader: asyncio.StreamReader) -> None:
    head = (await reader.readuntil(b"\r\n\r\n")).lower()
    if not head.startswith(b"http/1.1 200"):
        raise RuntimeError(f"not an answer: {head[:200]!r}")
    if b"transfer-encoding: chunked" in head:
        await reader.readuntil(b"\r\n0\r\n\r\n")
    else:
        length = head.partition(b"content-length: ")[2].partition(b"\r\n")[0]
        await reader.readexactly(int(length))


if __name__ == "__main__":
    main(int(sys.argv[1]) if sys.argv[1:] else 100_000)
