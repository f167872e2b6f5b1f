"""Messages on the wire, by the official SDK: answers, streams, caching, books, time."""

import json
import warnings
from decimal import Decimal
from typing import Any, Literal

import anthropic
import pytest
from pydantic import BaseModel

from tests.integration.emulator_process import KEY, RunningEmulator
from tests.integration.emulator_requests import (
    HAIKU,
    NOTE,
    STABLE,
    STABLE_TOKENS,
    asked,
    classes,
    marked,
    send,
)


class Summary(BaseModel):
    category: Literal["normal", "injury"]
    summary: str
    confidence: float


def test_a_message_has_text_a_stop_reason_and_usage_and_parses_without_a_warning(
    emulator: RunningEmulator,
) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        message = send(emulator)
        message.model_dump_json()
    assert [block.type for block in message.content] == ["text"]
    assert (message.model, message.stop_reason, message.role) == (HAIKU, "end_turn", "assistant")
    assert message.usage.service_tier == "standard"
    assert message.usage.inference_geo == "not_available"


def test_structured_output_is_parsed_by_the_sdk(emulator: RunningEmulator) -> None:
    message = emulator.client().messages.parse(**asked(), output_format=Summary)
    assert message.parsed_output is not None
    assert "Clodagh" in message.parsed_output.summary
    assert 0 <= message.parsed_output.confidence <= 1


def test_a_schema_made_by_transform_schema_is_accepted_with_its_bounds(emulator: RunningEmulator) -> None:
    schema = anthropic.transform_schema(Summary)
    message = send(emulator, output_config={"format": {"type": "json_schema", "schema": schema}})
    assert message.content[0].type == "text"
    Summary.model_validate_json(message.content[0].text)


def test_the_second_call_reads_what_the_first_wrote(emulator: RunningEmulator) -> None:
    first, second = send(emulator), send(emulator)
    rest = -(-len(NOTE) * 2 // 5)
    assert classes(first.usage) == (rest, STABLE_TOKENS, 0, 0)
    assert classes(second.usage) == (rest, 0, 0, STABLE_TOKENS)


def test_another_key_is_another_workspace_with_a_cache_of_its_own(emulator: RunningEmulator) -> None:
    send(emulator, key="club-a")
    assert classes(send(emulator, key="club-b").usage)[3] == 0
    assert classes(send(emulator, key="club-a").usage)[3] == STABLE_TOKENS


@pytest.mark.parametrize(
    "change",
    [
        {"thinking": {"type": "adaptive"}, "max_tokens": 2_000},
        {"output_config": {"effort": "low"}},
        {"output_config": {"format": {"type": "json_schema", "schema": {"type": "string"}}}},
        {"model": "claude-sonnet-5"},
        {"tools": [{"name": "look", "input_schema": {"type": "object"}}]},
    ],
    ids=["thinking", "effort", "format", "model", "tools"],
)
def test_a_request_that_differs_before_the_marker_does_not_read(
    emulator: RunningEmulator, change: dict[str, Any]
) -> None:
    send(emulator)
    assert classes(send(emulator, **change).usage)[3] == 0


@pytest.mark.parametrize(("ttl", "seconds"), [("5m", 299), ("1h", 3_599)])
def test_lifetimes_follow_the_clock(emulator: RunningEmulator, ttl: str, seconds: int) -> None:
    system = [marked(STABLE, ttl)]
    send(emulator, system=system)
    emulator.advance(seconds - 5)
    assert classes(send(emulator, system=system).usage)[3] == STABLE_TOKENS
    emulator.advance(seconds + 2)
    assert classes(send(emulator, system=system).usage)[3] == 0


def test_a_prewarm_writes_the_cache_and_bills_no_output(emulator: RunningEmulator) -> None:
    warm = send(emulator, max_tokens=0)
    assert (warm.content, warm.stop_reason, warm.usage.output_tokens) == ([], "max_tokens", 0)
    assert classes(send(emulator).usage)[3] == STABLE_TOKENS


def test_count_tokens_is_the_total_input_free_and_blind_to_the_cache(emulator: RunningEmulator) -> None:
    request = asked()
    del request["max_tokens"]
    count = emulator.client().messages.count_tokens(**request).input_tokens
    assert emulator.meter()["requests"] == 0
    assert count == sum(classes(send(emulator).usage))
    assert emulator.client().messages.count_tokens(**request).input_tokens == count


def test_models_that_think_do_so_by_default_and_bill_it_as_output(emulator: RunningEmulator) -> None:
    silent, thought = send(emulator), send(emulator, thinking=None, max_tokens=4_000)
    assert [block.type for block in thought.content] == ["thinking", "text"]
    assert thought.usage.output_tokens_details is not None
    thinking_tokens = thought.usage.output_tokens_details.thinking_tokens
    assert thought.usage.output_tokens == silent.usage.output_tokens + thinking_tokens
    assert [block.type for block in send(emulator, thinking=None, model="claude-haiku-4-5").content] == [
        "text"
    ]


def test_a_geography_is_reported_and_costs_a_tenth_more(emulator: RunningEmulator) -> None:
    send(emulator)
    message = send(emulator, key="another", inference_geo="us")
    assert message.usage.inference_geo == "us"
    base, us = (Decimal(call["cost_usd"]) for call in emulator.calls())
    assert us == base * Decimal("1.1")


def test_a_stream_is_the_documented_sequence_with_cumulative_usage(emulator: RunningEmulator) -> None:
    plain = send(emulator, thinking=None, max_tokens=4_000)
    with emulator.client().messages.create(**asked(thinking=None, max_tokens=4_000), stream=True) as stream:
        events = list(stream)
    kinds = [event.type for event in events if event.type != "content_block_delta"]
    block = ["content_block_start", "content_block_stop"]
    assert kinds == ["message_start", *block, *block, "message_delta", "message_stop"]
    start, delta = events[0], events[-2]
    assert start.type == "message_start"
    assert delta.type == "message_delta"
    assert start.message.usage.cache_read_input_tokens == STABLE_TOKENS
    assert delta.usage.cache_read_input_tokens == STABLE_TOKENS
    assert delta.usage.output_tokens == plain.usage.output_tokens


def test_a_streamed_message_is_the_plain_one(emulator: RunningEmulator) -> None:
    plain = send(emulator)
    with emulator.client().messages.stream(**asked()) as stream:
        streamed = stream.get_final_message()
    assert streamed.content[0].to_dict()["text"] == plain.content[0].to_dict()["text"]
    assert streamed.stop_reason == "end_turn"
    assert streamed.usage.output_tokens == plain.usage.output_tokens


def test_the_raw_stream_has_a_ping_and_names_every_event(emulator: RunningEmulator) -> None:
    body = json.dumps({**asked(), "stream": True})
    answer = emulator.http.post("/v1/messages", content=body, headers={"x-api-key": KEY})
    assert answer.headers["content-type"].startswith("text/event-stream")
    names = [line[7:] for line in answer.text.splitlines() if line.startswith("event: ")]
    datas = [json.loads(line[6:]) for line in answer.text.splitlines() if line.startswith("data: ")]
    assert names == [data["type"] for data in datas]
    assert "ping" in names


def test_the_meter_is_the_sum_of_the_answers_usage_and_of_the_calls_costs(emulator: RunningEmulator) -> None:
    usages = [send(emulator, messages=[{"role": "user", "content": f"{NOTE} {i}"}]).usage for i in range(4)]
    meter = emulator.meter()
    (row,) = meter["rows"]
    assert (meter["requests"], row["requests"], row["model"], row["service_tier"]) == (
        4,
        4,
        HAIKU,
        "standard",
    )
    written = row["cache_write_5m_tokens"], row["cache_write_1h_tokens"]
    billed = (row["input_tokens"], *written, row["cache_read_tokens"])
    assert billed == tuple(map(sum, zip(*map(classes, usages), strict=True)))
    assert row["output_tokens"] == sum(usage.output_tokens for usage in usages)
    assert Decimal(meter["cost_usd"]) == sum(Decimal(call["cost_usd"]) for call in emulator.calls())
    read, write, fresh, out = row["cache_read_tokens"], written[0], row["input_tokens"], row["output_tokens"]
    millionths = (
        read * Decimal("0.01") + write * Decimal("0.125") + fresh * Decimal("0.1") + out * Decimal("0.5")
    )
    assert Decimal(meter["cost_usd"]) == millionths / 1_000_000


def test_each_call_is_listed_with_its_prefixes_and_attempt(emulator: RunningEmulator) -> None:
    system = [marked(STABLE, "1h"), marked("short", "5m")]
    send(emulator, system=system)
    client = emulator.client()
    client.messages.create(**asked(system=system), extra_headers={"x-stainless-retry-count": "2"})
    first, second = emulator.calls()
    assert [(use["action"], use["ttl"], use["tokens"]) for use in first["prefixes"]] == [
        ("write", "1h", STABLE_TOKENS),
        ("write", "5m", STABLE_TOKENS + 2),
    ]
    assert [use["action"] for use in second["prefixes"]] == ["read", "read"]
    assert first["prefixes"][0]["hash"] == second["prefixes"][0]["hash"] != first["prefixes"][1]["hash"]
    assert (first["n"], second["n"]) == (1, 2)
    assert (first["attempt"], second["attempt"]) == (0, 2)
    assert (first["path"], first["status"], first["model"]) == ("/v1/messages", 200, HAIKU)
    assert KEY not in first["workspace"]


def test_a_reset_forgets_books_cache_faults_and_clock(emulator: RunningEmulator) -> None:
    before = emulator.now()
    send(emulator)
    emulator.fault("api_error")
    emulator.advance(86_400)
    emulator.reset()
    assert (emulator.meter(), emulator.calls(), emulator.faults()) == (
        {"requests": 0, "cost_usd": "0", "rows": []},
        [],
        [],
    )
    assert emulator.now()[:10] == before[:10]
    assert classes(send(emulator).usage)[3] == 0
