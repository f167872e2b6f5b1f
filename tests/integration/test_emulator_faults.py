"""Failures by script, as the official SDK sees them."""

import json
from typing import Any

import anthropic
import httpx2
import pytest
from anthropic.types import Message

from tests.integration.emulator_process import RunningEmulator
from tests.integration.emulator_requests import VALID, text, user

LONG = "A coach writes to parents. " * 100


def send(emulator: RunningEmulator) -> Message:
    message = emulator.client().messages.create(**VALID)
    assert isinstance(message, Message)
    return message


@pytest.mark.parametrize(
    ("kind", "error", "status", "error_type"),
    [
        ("rate_limited", anthropic.RateLimitError, 429, "rate_limit_error"),
        ("spend_cap", anthropic.RateLimitError, 429, "rate_limit_error"),
        ("api_error", anthropic.InternalServerError, 500, "api_error"),
        ("overloaded", anthropic.OverloadedError, 529, "overloaded_error"),
        ("timeout", anthropic.GatewayTimeoutError, 504, "timeout_error"),
    ],
)
def test_a_scripted_error_happens_once_and_is_not_billed(
    emulator: RunningEmulator, kind: str, error: type[anthropic.APIStatusError], status: int, error_type: str
) -> None:
    emulator.fault(kind)
    with pytest.raises(error) as failed:
        send(emulator)
    body: Any = failed.value.body
    assert (failed.value.status_code, body["error"]["type"]) == (status, error_type)
    assert emulator.meter()["requests"] == 0
    assert send(emulator).stop_reason == "end_turn"
    assert [call["status"] for call in emulator.calls()] == [status, 200]


@pytest.mark.parametrize(("how", "seconds"), [({}, "1"), ({"seconds": 7.0}, "7")])
def test_rate_limited_says_when_to_come_back(
    emulator: RunningEmulator, how: dict[str, Any], seconds: str
) -> None:
    emulator.fault("rate_limited", **how)
    with pytest.raises(anthropic.RateLimitError) as failed:
        send(emulator)
    assert failed.value.response.headers["retry-after"] == seconds


def test_a_spend_cap_has_its_own_code_and_no_time_to_come_back(emulator: RunningEmulator) -> None:
    emulator.fault("spend_cap")
    with pytest.raises(anthropic.RateLimitError) as failed:
        send(emulator)
    body: Any = failed.value.body
    assert body["error"]["details"] == {"error_code": "enforced_spend_limit_reached"}
    assert "retry-after" not in failed.value.response.headers


@pytest.mark.parametrize(("kind", "billed"), [("reset_before_billing", 0), ("reset_after_billing", 1)])
@pytest.mark.parametrize("stream", [False, True], ids=["plain", "stream"])
def test_a_reset_leaves_no_answer_and_bills_as_its_name_says(
    emulator: RunningEmulator, kind: str, billed: int, stream: bool
) -> None:
    emulator.fault(kind)
    with pytest.raises(anthropic.APIConnectionError):
        emulator.client().messages.create(**VALID, stream=stream)
    assert emulator.meter()["requests"] == billed
    (call,) = emulator.calls()
    assert (call["status"], call["usage"] is not None) == (0, billed == 1)
    assert send(emulator).stop_reason == "end_turn"


def test_a_cut_answer_ends_in_the_middle_and_is_billed(emulator: RunningEmulator) -> None:
    emulator.fault("cut_answer", count=2)
    with pytest.raises((anthropic.APIConnectionError, httpx2.RemoteProtocolError)):
        send(emulator)
    received: list[str] = []
    with (
        pytest.raises((anthropic.APIConnectionError, httpx2.RemoteProtocolError)),
        emulator.client().messages.create(**VALID, stream=True) as stream,
    ):
        received.extend(event.type for event in stream)
    assert received[0] == "message_start"
    assert "message_stop" not in received
    assert emulator.meter()["requests"] == 2


def text_of(message: Message) -> str:
    assert message.content[0].type == "text"
    return message.content[0].text


def test_truncated_json_cannot_be_parsed_and_is_billed(emulator: RunningEmulator) -> None:
    emulator.fault("truncated_json")
    message = send(emulator)
    assert message.stop_reason == "max_tokens"
    with pytest.raises(json.JSONDecodeError):
        json.loads(text_of(message))
    assert emulator.meter()["rows"][0]["output_tokens"] == message.usage.output_tokens > 0


def test_a_broken_schema_is_json_with_a_property_missing(emulator: RunningEmulator) -> None:
    emulator.fault("break_schema")
    assert "category" not in json.loads(text_of(send(emulator)))
    assert "category" in json.loads(text_of(send(emulator)))


def test_wrong_content_is_what_the_script_says(emulator: RunningEmulator) -> None:
    emulator.fault("wrong_content", answer='{"category":"normal","summary":"Saoirse pushed him"}')
    assert json.loads(text_of(send(emulator)))["summary"] == "Saoirse pushed him"


def test_a_refusal_carries_usage_and_costs_nothing(emulator: RunningEmulator) -> None:
    emulator.fault("refusal")
    message = send(emulator)
    assert (message.stop_reason, message.content) == ("refusal", [])
    assert message.stop_details is not None
    assert message.usage.input_tokens > 0
    meter = emulator.meter()
    assert (meter["cost_usd"], meter["rows"][0]["input_tokens"]) == ("0", message.usage.input_tokens)


def test_a_refusal_streams_as_well(emulator: RunningEmulator) -> None:
    emulator.fault("refusal")
    with emulator.client().messages.stream(
        **{k: v for k, v in VALID.items() if k != "output_config"}
    ) as stream:
        assert stream.get_final_message().stop_reason == "refusal"


def test_a_slow_first_byte_takes_the_emulators_time(emulator: RunningEmulator) -> None:
    emulator.fault("slow_first_byte", seconds=3_600)
    with pytest.raises(anthropic.APITimeoutError):
        emulator.client().messages.create(**VALID, timeout=0.2)
    assert emulator.meter()["requests"] == 1


def test_a_cache_miss_writes_again_what_could_have_been_read(emulator: RunningEmulator) -> None:
    request = {**VALID, "system": [text(LONG, "5m")]}
    usages = []
    for kind in (None, "cache_miss", None):
        if kind:
            emulator.fault(kind)
        usages.append(emulator.client().messages.create(**request).usage)
    assert [usage.cache_read_input_tokens > 0 for usage in usages] == [False, False, True]
    assert usages[0].cache_creation_input_tokens == usages[1].cache_creation_input_tokens > 0


def test_a_fault_by_match_meets_only_its_request_and_can_be_cleared(emulator: RunningEmulator) -> None:
    emulator.fault("api_error", count=3, match="Ciarán")
    assert send(emulator).stop_reason == "end_turn"
    named = {**VALID, "messages": user(text("About Ciarán"))}
    with pytest.raises(anthropic.InternalServerError):
        emulator.client().messages.create(**named)
    (left,) = emulator.faults()
    assert (left["kind"], left["count"], left["match"]) == ("api_error", 2, "Ciarán")
    emulator.clear_faults()
    assert emulator.faults() == []
    emulator.client().messages.create(**named)


def test_a_refused_request_does_not_use_up_a_fault(emulator: RunningEmulator) -> None:
    emulator.fault("api_error")
    with pytest.raises(anthropic.BadRequestError):
        emulator.client().messages.create(**VALID, extra_body={"unknown": 1})
    assert len(emulator.faults()) == 1


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("faults", {"kind": "earthquake"}),
        ("faults", {"kind": "api_error", "often": True}),
        ("faults", {"kind": "wrong_content"}),
        ("faults", {"kind": "api_error", "share": 1.5}),
        ("clock", {"advance_seconds": -1}),
        ("clock", {}),
    ],
    ids=str,
)
def test_the_admin_interface_refuses_what_it_does_not_understand(
    emulator: RunningEmulator, path: str, body: dict[str, Any]
) -> None:
    answer = emulator.http.post(f"/_emulator/{path}", json=body)
    assert (answer.status_code, answer.json()["error"]["type"]) == (400, "invalid_request_error")
    assert emulator.faults() == []
