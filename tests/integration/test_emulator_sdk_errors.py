"""Every error class of the official SDK, raised by the failure that is scripted for it."""

import asyncio
import inspect
from typing import Any

import anthropic
import httpx2
import pytest
from anthropic import _exceptions
from anthropic.types.shared.enforced_spend_limit_reached_error import EnforcedSpendLimitReachedError

from tests.integration.emulator_process import KEY, RunningEmulator
from tests.integration.emulator_requests import asked

BOTH_KINDS = pytest.mark.parametrize("kind", ["sync", "async"])
BOTH_WAYS = pytest.mark.parametrize("stream", [False, True], ids=["plain", "stream"])

# (fault, class, status, error type)
Script = tuple[dict[str, Any], type[anthropic.APIStatusError], int, str]


def error(error_type: str, status: int | None = None) -> dict[str, Any]:
    return {"kind": "error", "error_type": error_type, **({"status": status} if status else {})}


SCRIPTS: tuple[Script, ...] = (
    (error("invalid_request_error"), anthropic.BadRequestError, 400, "invalid_request_error"),
    (error("authentication_error"), anthropic.AuthenticationError, 401, "authentication_error"),
    (error("billing_error"), _exceptions.PaymentRequiredError, 402, "billing_error"),
    (error("permission_error"), anthropic.PermissionDeniedError, 403, "permission_error"),
    (error("not_found_error"), anthropic.NotFoundError, 404, "not_found_error"),
    (error("timeout_error", 408), _exceptions.RequestTimeoutError, 408, "timeout_error"),
    (error("conflict_error"), anthropic.ConflictError, 409, "conflict_error"),
    (error("invalid_request_error", 412), _exceptions.PreconditionFailedError, 412, "invalid_request_error"),
    (error("request_too_large"), _exceptions.ContentTooLargeError, 413, "request_too_large"),
    (error("invalid_request_error", 418), anthropic.APIStatusError, 418, "invalid_request_error"),
    (error("invalid_request_error", 422), anthropic.UnprocessableEntityError, 422, "invalid_request_error"),
    (error("rate_limit_error"), anthropic.RateLimitError, 429, "rate_limit_error"),
    (
        error("invalid_request_error", 431),
        _exceptions.RequestHeaderFieldsTooLargeError,
        431,
        "invalid_request_error",
    ),
    (error("api_error", 499), _exceptions.ClientClosedRequestError, 499, "api_error"),
    (error("api_error"), anthropic.InternalServerError, 500, "api_error"),
    (error("api_error", 501), _exceptions.HTTPNotImplementedError, 501, "api_error"),
    (error("api_error", 502), anthropic.InternalServerError, 502, "api_error"),
    (error("overloaded_error", 503), _exceptions.ServiceUnavailableError, 503, "overloaded_error"),
    (error("timeout_error"), _exceptions.GatewayTimeoutError, 504, "timeout_error"),
    (error("overloaded_error"), _exceptions.OverloadedError, 529, "overloaded_error"),
    ({"kind": "rate_limited"}, anthropic.RateLimitError, 429, "rate_limit_error"),
    ({"kind": "spend_cap"}, EnforcedSpendLimitReachedError, 429, "rate_limit_error"),
    ({"kind": "api_error"}, anthropic.InternalServerError, 500, "api_error"),
    ({"kind": "overloaded"}, _exceptions.OverloadedError, 529, "overloaded_error"),
    ({"kind": "timeout"}, _exceptions.GatewayTimeoutError, 504, "timeout_error"),
)


def name_of(script: Script) -> str:
    return f"{script[0]['kind']} {script[1].__name__} {script[2]}"


def ask(emulator: RunningEmulator, kind: str, strict: bool = False, **how: Any) -> list[Any]:
    """What a client of that kind gets for one message: itself, or its events."""
    settings: dict[str, Any] = {
        "api_key": KEY,
        "base_url": emulator.base_url,
        "max_retries": 0,
        "_strict_response_validation": strict,
    }

    async def by_async() -> list[Any]:
        async with anthropic.AsyncAnthropic(**settings) as client:
            answer: Any = await client.messages.create(**asked(), **how)
            return [event async for event in answer] if how.get("stream") else [answer]

    if kind == "async":
        return asyncio.run(by_async())
    with anthropic.Anthropic(**settings) as client:
        answer: Any = client.messages.create(**asked(), **how)
        return list(answer) if how.get("stream") else [answer]


@BOTH_WAYS
@BOTH_KINDS
@pytest.mark.parametrize("script", SCRIPTS, ids=name_of)
def test_each_status_is_the_sdks_own_class_with_everything_it_reads(
    emulator: RunningEmulator, script: Script, kind: str, stream: bool
) -> None:
    fault, error_class, status, error_type = script
    emulator.fault(**fault)
    with pytest.raises(anthropic.APIStatusError) as failed:
        ask(emulator, kind, stream=stream)
    raised = failed.value
    body: Any = raised.body
    assert type(raised) is error_class
    assert (raised.status_code, raised.type) == (status, error_type)
    assert raised.request_id == raised.response.headers["request-id"] == body["request_id"]
    assert (raised.request_id or "").startswith("req_")
    assert (raised.workspace_id or "").startswith("wrkspc_")
    assert raised.api_message == body["error"]["message"]
    cap = "enforced_spend_limit_reached" if fault["kind"] == "spend_cap" else None
    assert raised.error_code == cap
    assert (raised.details is None) == (cap is None)
    assert ("retry-after" in raised.response.headers) == (fault["kind"] == "rate_limited")
    assert emulator.meter()["requests"] == 0
    assert [call["status"] for call in emulator.calls()] == [status]
    assert ask(emulator, kind, stream=stream)


def test_no_class_of_the_sdk_with_a_status_is_left_out() -> None:
    known = {
        found
        for _, found in inspect.getmembers(_exceptions, inspect.isclass)
        if issubclass(found, anthropic.APIStatusError)
    }
    assert known == {script[1] for script in SCRIPTS} - {EnforcedSpendLimitReachedError}


@BOTH_WAYS
@BOTH_KINDS
@pytest.mark.parametrize(("fault", "billed"), [("reset_before_billing", 0), ("reset_after_billing", 1)])
def test_a_reset_is_a_connection_error(
    emulator: RunningEmulator, kind: str, stream: bool, fault: str, billed: int
) -> None:
    emulator.fault(fault)
    with pytest.raises(anthropic.APIConnectionError) as failed:
        ask(emulator, kind, stream=stream)
    assert type(failed.value) is anthropic.APIConnectionError
    assert emulator.meter()["requests"] == billed


@BOTH_WAYS
@BOTH_KINDS
@pytest.mark.parametrize(("fault", "billed"), [("slow_first_byte", 1), ("timeout", 0)])
def test_a_late_answer_is_a_timeout_error(
    emulator: RunningEmulator, kind: str, stream: bool, fault: str, billed: int
) -> None:
    emulator.fault(fault, seconds=3_600)
    with pytest.raises(anthropic.APITimeoutError):
        ask(emulator, kind, stream=stream, timeout=0.15)
    assert emulator.meter()["requests"] == billed


@BOTH_KINDS
def test_a_page_instead_of_json_is_a_validation_error_for_a_strict_client(
    emulator: RunningEmulator, kind: str
) -> None:
    emulator.fault("not_json")
    with pytest.raises(anthropic.APIResponseValidationError) as failed:
        ask(emulator, kind, strict=True)
    assert failed.value.status_code == 200
    assert "text/html" in failed.value.message
    assert emulator.meter()["requests"] == 1


@BOTH_KINDS
def test_a_page_instead_of_json_is_its_text_for_any_other_client(
    emulator: RunningEmulator, kind: str
) -> None:
    emulator.fault("not_json", count=2)
    (page,) = ask(emulator, kind)
    assert page.startswith("<html>")
    # A stream without a single event ends like one that has nothing to say.
    assert ask(emulator, kind, stream=True) == []
    assert emulator.meter()["requests"] == 2


async def events_until_the_error(client: Any, helper: bool, seen: list[str]) -> None:
    """Read a stream of that client, noting the type of each event, until it fails."""
    if isinstance(client, anthropic.Anthropic):
        with (
            client.messages.stream(**asked())
            if helper
            else client.messages.create(**asked(), stream=True) as events
        ):
            seen.extend(event.type for event in events)
    elif helper:
        async with client.messages.stream(**asked()) as events:
            async for event in events:
                seen.append(event.type)
    else:
        async for event in await client.messages.create(**asked(), stream=True):
            seen.append(event.type)


@BOTH_KINDS
@pytest.mark.parametrize("helper", [False, True], ids=["create", "stream"])
def test_an_error_event_in_a_stream_is_a_status_error_of_status_200(
    emulator: RunningEmulator, kind: str, helper: bool
) -> None:
    emulator.fault("stream_error")
    seen: list[str] = []

    async def read() -> None:
        client = emulator.client() if kind == "sync" else emulator.async_client()
        await events_until_the_error(client, helper, seen)

    with pytest.raises(anthropic.APIStatusError) as failed:
        asyncio.run(read())
    body: Any = failed.value.body
    assert type(failed.value) is anthropic.APIStatusError
    assert (failed.value.status_code, failed.value.type) == (200, "overloaded_error")
    assert failed.value.request_id == body["request_id"] == failed.value.response.headers["request-id"]
    assert (failed.value.workspace_id or "").startswith("wrkspc_")
    assert seen[0] == "message_start"
    assert "content_block_delta" in seen
    assert "message_stop" not in seen
    assert emulator.meter()["requests"] == 1


@BOTH_KINDS
def test_the_same_script_is_an_overload_for_a_request_that_does_not_stream(
    emulator: RunningEmulator, kind: str
) -> None:
    emulator.fault("stream_error")
    with pytest.raises(_exceptions.OverloadedError):
        ask(emulator, kind)
    assert emulator.meter()["requests"] == 0


@BOTH_WAYS
@BOTH_KINDS
def test_a_cut_answer_is_no_answer(emulator: RunningEmulator, kind: str, stream: bool) -> None:
    emulator.fault("cut_answer")
    with pytest.raises((anthropic.APIConnectionError, httpx2.RemoteProtocolError)):
        ask(emulator, kind, stream=stream)
    assert emulator.meter()["requests"] == 1


@BOTH_KINDS
def test_the_sdks_own_retry_is_a_call_of_its_own(emulator: RunningEmulator, kind: str) -> None:
    emulator.fault("overloaded")
    settings: dict[str, Any] = {"api_key": KEY, "base_url": emulator.base_url, "max_retries": 1}

    async def by_async() -> Any:
        async with anthropic.AsyncAnthropic(**settings) as client:
            return await client.messages.create(**asked())

    def by_sync() -> Any:
        with anthropic.Anthropic(**settings) as client:
            return client.messages.create(**asked())

    message = by_sync() if kind == "sync" else asyncio.run(by_async())
    assert message.stop_reason == "end_turn"
    assert [(call["status"], call["attempt"]) for call in emulator.calls()] == [(529, 0), (200, 1)]
    assert emulator.meter()["requests"] == 1


BATCH_PLACES = [f"batches.{name}" for name in ("create", "read", "cancel", "delete", "results")]
PLACES = ("count_tokens", "models", "reports", *BATCH_PLACES)
CONTENT = ("truncated_json", "break_schema", "refusal", "refusal_mid_answer", "cache_miss", "stream_error")
NOT_FOR_ITEMS = (
    *("spend_cap", "stream_error"),
    *("reset_before_billing", "reset_after_billing", "cut_answer", "not_json"),
)
IMPOSSIBLE: list[dict[str, Any]] = [
    {"kind": "timeout", "at": "batches.items", "seconds": 600},
    {"kind": "rate_limited", "at": "batches.items", "seconds": 600},
    *({"kind": kind, "at": "batches.items"} for kind in NOT_FOR_ITEMS),
    *({"kind": kind, "at": place} for place in PLACES for kind in CONTENT),
    *({"kind": "wrong_content", "answer": "[]", "at": place} for place in PLACES),
    {"kind": "api_error", "at": "the moon"},
    {"kind": "error"},
    {"kind": "error", "error_type": "no_such_error"},
    {"kind": "error", "error_type": "api_error", "status": 200},
    {"kind": "error", "error_type": "api_error", "status": 600},
    {"kind": "api_error", "error_type": "api_error"},
    {"kind": "api_error", "status": 500},
    {"kind": "api_error", "seconds": 1},
    {"kind": "api_error", "answer": "x"},
    {"kind": "wrong_content"},
    {"kind": "overloaded", "count": 1, "share": 0.5},
    {"kind": "overloaded", "count": 0},
    {"kind": "overloaded", "share": 0},
    {"kind": "slow_first_byte", "seconds": -1},
]


@pytest.mark.parametrize("fault", IMPOSSIBLE, ids=str)
def test_what_a_fault_cannot_be_is_refused(emulator: RunningEmulator, fault: dict[str, Any]) -> None:
    answer = emulator.http.post("/_emulator/faults", json=fault)
    assert (answer.status_code, answer.json()["error"]["type"]) == (400, "invalid_request_error")
    assert emulator.faults() == []
