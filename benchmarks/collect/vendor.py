"""The emulator's part: real batches, all worked off before anything is timed, and their results in a file."""

import json
import urllib.request
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from anthropic import Anthropic

from benchmarks.collect.night import SPORT, TONE, Request, batch_ids, open_batch, requests_of
from core.batches import BatchedAttempt, BatchedInsight
from core.pricing import price_of, price_version
from core.prompt import Layer, note_text, player_text, texts_of
from core.request import answer_schema, request_body
from core.roster import Roster
from core.states import Outcome
from core.usage import usage_of
from core.verdict import judge
from tasks.claude import reply_of
from tasks.clock import SystemClock

PATIENCE_SECONDS = 3_600  # for one look: all items work during the first
NIGHT_SECONDS = 3_600
OUTPUT_TOKENS_MAX = 500
JUDGED = 50  # results that are looked at before the bench goes on
INSTRUCTIONS = "Write the summary of a coach's note for the child's parents."
TONE_TEXT = "Tone: warm. Two or three sentences."


def work_off(base_url: str, url: str, model: str) -> int:
    """Create every batch of a database, let the night pass, and wait for all; gives megabytes sent."""
    client = Anthropic(api_key="bench", base_url=base_url, max_retries=0, timeout=PATIENCE_SECONDS)
    sent = 0
    for batch_id in batch_ids(url):
        asked: Any = [_item(model, request) for request in requests_of(url, batch_id)]
        sent += len(json.dumps(asked))
        open_batch(url, batch_id, client.messages.batches.create(requests=asked).id)
    asked_admin(base_url, "clock", {"advance_seconds": NIGHT_SECONDS})
    for batch in client.messages.batches.list(limit=100):
        if client.messages.batches.retrieve(batch.id).processing_status != "ended":
            raise RuntimeError(f"{batch.id} has not ended although the night is over")
    return sent // 1_000_000


def write_results(base_url: str, url: str, file: Path) -> None:
    """Write all results into a file, each line behind what inserting alone does not find out by itself.

    `insight_id TAB cost_usd TAB cache_hit_rate TAB {custom_id, result}`. Raises RuntimeError when the
    first of them are no answers to be used.
    """
    client = Anthropic(api_key="bench", base_url=base_url, max_retries=0, timeout=PATIENCE_SECONDS)
    insights = {
        request.attempt_id: request.insight_id
        for batch_id in batch_ids(url)
        for request in requests_of(url, batch_id)
    }
    batches = sorted(client.messages.batches.list(limit=100), key=lambda batch: batch.created_at)
    lines = (line for batch in batches for line in _lines(client, batch.id))
    at = SystemClock().now()
    with file.open("w", encoding="utf-8") as out:
        for n, line in enumerate(lines):
            item = json.loads(line)
            message, insight_id = item["result"]["message"], insights[item["custom_id"]]
            if n < JUDGED:
                _check(message, insight_id)
            usage = usage_of(message["usage"])
            cost_usd = price_of(usage, model=message["model"], at=at, service_tier="batch").cost_usd
            out.write(f"{insight_id}\t{cost_usd}\t{usage.cache_hit_rate}\t{line}\n")


def asked_admin(base_url: str, path: str, body: dict[str, Any] | None = None) -> Any:
    """Ask the emulator's admin interface, or tell it something."""
    content = None if body is None else json.dumps(body).encode()
    with urllib.request.urlopen(f"{base_url}/_emulator/{path}", content, PATIENCE_SECONDS) as answer:
        return json.load(answer)


def _item(model: str, request: Request) -> dict[str, Any]:
    layers: Sequence[Layer] = (
        Layer("instructions", INSTRUCTIONS),
        Layer("tone", TONE_TEXT),
        Layer("player", player_text(request.player)),
    )
    notes = [note_text(request.title, request.text)]
    params = request_body(model, layers, notes, {}, answer_schema(SPORT, TONE), OUTPUT_TOKENS_MAX)
    return {"custom_id": request.attempt_id, "params": params}


def _lines(client: Anthropic, vendor_id: str) -> Iterator[str]:
    with client.messages.batches.with_streaming_response.results(vendor_id) as response:
        # Not `iter_lines`: it also breaks where an answer has a line separator of Unicode.
        rest = b""
        for part in response.iter_bytes():
            *whole, rest = (rest + part).split(b"\n")
            yield from (line.decode() for line in whole if line)
        if rest:
            yield rest.decode()


def _check(message: dict[str, Any], insight_id: str) -> None:
    """Raise RuntimeError unless our own judge takes the answer."""
    insight = BatchedInsight(
        insight_id, "Passing", "Calm on the ball.", "Aoife", None, None, False, TONE, 0, True
    )
    version = texts_of(SPORT, TONE).version
    at, model = SystemClock().now(), message["model"]
    asked = BatchedAttempt("bench", at, model, price_version(), version, False, (insight,))
    judged = judge(reply_of(message), asked, Roster(()))
    if judged.outcome is not Outcome.SUCCEEDED:
        raise RuntimeError(f"the emulator's answer is {judged.outcome}: {judged.reason}")
