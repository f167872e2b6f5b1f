"""One request through the SDK: whatever comes back is a reply or a failure without any text in it."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import pytest

from core.retry import Failure, outcome_of
from core.settings import Settings
from core.states import Outcome
from core.verdict import Reply
from tasks.claude import CallFailed, ask, make_client
from tests.integration.canned_api import canned_api
from tests.integration.emulator_process import RunningEmulator
from tests.integration.emulator_requests import VALID


async def nothing_more() -> None:
    """What happens when an answer begins that nobody waits for."""


def asked(
    base_url: str,
    monkeypatch: pytest.MonkeyPatch,
    begun: Callable[[], Awaitable[None]] | None = None,
    heard: list[Mapping[str, str]] | None = None,
) -> Reply | Failure:
    """Make one request; gives what the pipeline gets to know."""
    monkeypatch.setenv("ANTHROPIC_BASE_URL", base_url)

    async def headers_came(headers: Mapping[str, str]) -> None:
        if heard is not None:
            heard.append(headers)

    async def one() -> Reply | Failure:
        async with make_client(Settings()) as client:
            try:
                return await ask(client, VALID, headers_came, begun)
            except CallFailed as failed:
                return failed.failure

    return asyncio.run(one())


def message(**usage: Any) -> dict[str, Any]:
    return {
        "id": "msg_1",
        "type": "message",
        "role": "assistant",
        "model": "claude-haiku-5-5",
        "content": [{"type": "text", "text": "{}"}],
        "stop_reason": "end_turn",
        "stop_sequence": None,
        "usage": usage,
    }


@pytest.mark.parametrize("stream", [False, True])
def test_plain_and_streamed_answers_read_alike(
    emulator: RunningEmulator, monkeypatch: pytest.MonkeyPatch, stream: bool
) -> None:
    begun: list[str] = []

    async def begins() -> None:
        begun.append("begun")

    reply = asked(emulator.base_url, monkeypatch, begins if stream else None)
    assert isinstance(reply, Reply)
    assert begun == (["begun"] if stream else [])
    assert (reply.stop_reason, reply.model, reply.service_tier) == (
        "end_turn",
        "claude-haiku-5-5",
        "standard",
    )
    assert reply.text.startswith("{")
    (row,) = emulator.meter()["rows"]
    assert (reply.usage.total_input_tokens, reply.usage.output_tokens) == (
        row["input_tokens"],
        row["output_tokens"],
    )
    assert reply.request_id


@pytest.mark.parametrize("kind", ["cut_answer", "reset_before_billing", "reset_after_billing"])
@pytest.mark.parametrize("stream", [False, True])
def test_an_answer_that_breaks_off_is_a_lost_connection(
    emulator: RunningEmulator, monkeypatch: pytest.MonkeyPatch, kind: str, stream: bool
) -> None:
    emulator.fault(kind)
    failure = asked(emulator.base_url, monkeypatch, nothing_more if stream else None)
    assert isinstance(failure, Failure)
    assert failure.error_type in {"connection_lost", "answer_cut"}


def test_usage_that_contradicts_itself_is_a_failure_of_the_attempt(monkeypatch: pytest.MonkeyPatch) -> None:
    split = {"ephemeral_5m_input_tokens": 1, "ephemeral_1h_input_tokens": 1}
    odd = message(input_tokens=1, output_tokens=1, cache_creation_input_tokens=5, cache_creation=split)
    with canned_api(200, odd) as base_url:
        failure = asked(base_url, monkeypatch)
    assert failure == Failure(status=200, error_type="usage_unreadable")


def test_an_error_keeps_its_type_and_code_and_no_text(monkeypatch: pytest.MonkeyPatch) -> None:
    error = {"type": "invalid_request_error", "message": "messages.0: Clodagh hesitates"}
    with canned_api(400, {"type": "error", "error": error}) as base_url:
        failure = asked(base_url, monkeypatch)
    assert isinstance(failure, Failure)
    assert (failure.status, failure.error_type) == (400, "invalid_request_error")
    assert "Clodagh" not in str(failure)


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("answer", [{"content": None}, {}, {"type": "message"}], ids=str)
def test_a_200_that_is_no_message_is_a_failure_of_the_attempt(
    monkeypatch: pytest.MonkeyPatch, answer: dict[str, Any], stream: bool
) -> None:
    with canned_api(200, answer) as base_url:
        failure = asked(base_url, monkeypatch, nothing_more if stream else None)
    assert isinstance(failure, Failure)
    assert outcome_of(failure) is Outcome.LOST


@pytest.mark.parametrize("fault", [None, "rate_limited", "overloaded"])
@pytest.mark.parametrize("stream", [False, True])
def test_the_headers_of_every_answer_are_told_also_of_one_that_turns_the_request_away(
    emulator: RunningEmulator, monkeypatch: pytest.MonkeyPatch, fault: str | None, stream: bool
) -> None:
    if fault:
        emulator.fault(fault)
    heard: list[Mapping[str, str]] = []
    asked(emulator.base_url, monkeypatch, nothing_more if stream else None, heard)
    (headers,) = heard
    assert headers["request-id"]
