"""Batches that the emulator's tests share: made, waited for and read by the official SDK."""

from typing import Any

from anthropic.types.messages import MessageBatch, MessageBatchIndividualResponse

from tests.integration.emulator_process import KEY, RunningEmulator
from tests.integration.emulator_requests import NOTE, asked

DELAY_SECONDS = 60
DAY_SECONDS = 86_400
LONG = "A coach writes to parents. " * 1_056  # 28,512 characters, 11,405 tokens of Haiku 5.5
LONG_TOKENS = 11_405


def item(name: str, **changes: Any) -> dict[str, Any]:
    note = [{"role": "user", "content": f"{NOTE} {name}"}]
    return {"custom_id": name, "params": asked(**{"messages": note, **changes})}


def create(emulator: RunningEmulator, *items: dict[str, Any], key: str = KEY) -> MessageBatch:
    return emulator.client(key).messages.batches.create(requests=list(items))  # type: ignore[arg-type]


def retrieve(emulator: RunningEmulator, batch: MessageBatch) -> MessageBatch:
    return emulator.client().messages.batches.retrieve(batch.id)


def results(emulator: RunningEmulator, batch: MessageBatch) -> dict[str, MessageBatchIndividualResponse]:
    return {line.custom_id: line for line in emulator.client().messages.batches.results(batch.id)}


def finished(emulator: RunningEmulator, *items: dict[str, Any]) -> dict[str, MessageBatchIndividualResponse]:
    """The results of a batch that had all the time it needs."""
    batch = create(emulator, *items)
    emulator.advance(DELAY_SECONDS + 100)
    return results(emulator, batch)


def read_tokens(line: MessageBatchIndividualResponse) -> int:
    assert line.result.type == "succeeded"
    return line.result.message.usage.cache_read_input_tokens or 0
