"""Requests that the API refuses, each by its rule."""

import json
from typing import Any

import anthropic
import httpx2
import pytest

from tests.integration.emulator_process import KEY, RunningEmulator
from tests.integration.emulator_requests import VALID, text, user


def with_schema(schema: dict[str, Any]) -> dict[str, Any]:
    return {"output_config": {"format": {"type": "json_schema", "schema": schema}}}


def post(emulator: RunningEmulator, content: str | bytes, **headers: str) -> httpx2.Response:
    return emulator.http.post("/v1/messages", content=content, headers=headers)


CLOSED = {"type": "object", "additionalProperties": False}
REFUSED: list[tuple[str, dict[str, Any], str]] = [
    ("a missing field", {"max_tokens": None}, "max_tokens: Field required"),
    ("a wrong type", {"max_tokens": "many"}, "max_tokens: Input should be a valid integer"),
    ("a negative limit", {"max_tokens": -1}, "max_tokens: Input should be greater than or equal to 0"),
    ("an unknown field", {"max_token": 5}, "max_token: Extra inputs are not permitted"),
    (
        "an unknown role",
        {"messages": [{"role": "coach", "content": "x"}]},
        "messages.0.role: Input should be",
    ),
    ("no messages", {"messages": []}, "messages: List should have at least 1 item"),
    ("an unknown block", {"messages": user({"type": "song"})}, "messages.0.content.0: Input tag 'song'"),
    (
        "a block without text",
        {"messages": user({"type": "text"})},
        "messages.0.content.0.text.text: Field required",
    ),
    ("temperature", {"temperature": 0.5}, "`temperature` is deprecated for this model."),
    ("top_p", {"top_p": 0.5}, "`top_p` is deprecated for this model."),
    ("top_k", {"top_k": 5}, "`top_k` is deprecated for this model."),
    (
        "a prefill",
        {"messages": [{"role": "user", "content": "x"}, {"role": "assistant", "content": "{"}]},
        "This model does not support assistant message prefill. The conversation must end",
    ),
    (
        "five breakpoints",
        {"messages": user(*[text(f"block {i}", "5m") for i in range(5)])},
        "A maximum of 4 blocks with cache_control may be provided. Found 5.",
    ),
    (
        "four breakpoints and the top-level one",
        {
            "messages": user(*[text(f"b{i}", "5m") for i in range(4)], text("x")),
            "cache_control": {"type": "ephemeral"},
        },
        "A maximum of 4 blocks with cache_control may be provided. Found 5.",
    ),
    (
        "1h after 5m",
        {"system": [text("a", "5m")], "messages": user(text("b", "1h"))},
        "messages.0.content.0.cache_control.ttl: a ttl='1h' cache_control block must not come after",
    ),
    (
        "another lifetime",
        {"system": [text("a", "2h")]},
        "system.0.cache_control.ttl: Input should be '5m' or '1h'",
    ),
    (
        "a marked empty text block",
        {"system": [text("", "5m")]},
        "system.0: cache_control cannot be set for empty text blocks",
    ),
    ("an empty text block", {"messages": user(text(""))}, "messages: text content blocks must be non-empty"),
    ("a prewarm that streams", {"max_tokens": 0, "stream": True, "output_config": None}, "max_tokens: 0"),
    ("a prewarm that thinks", {"max_tokens": 0, "thinking": None, "output_config": None}, "max_tokens: 0"),
    ("a prewarm with a format", {"max_tokens": 0}, "max_tokens: 0"),
    (
        "a thinking budget on a 5.x model",
        {"thinking": {"type": "enabled", "budget_tokens": 1024}, "max_tokens": 2000},
        '"thinking.type.enabled" is not supported for this model.',
    ),
    (
        "adaptive thinking on an old model",
        {"model": "claude-haiku-4-5", "thinking": {"type": "adaptive"}},
        "adaptive thinking is not supported on this model",
    ),
    (
        "a small thinking budget",
        {"model": "claude-haiku-4-5", "thinking": {"type": "enabled", "budget_tokens": 100}},
        "greater than or equal to 1024",
    ),
    (
        "a thinking budget above max_tokens",
        {"model": "claude-haiku-4-5", "thinking": {"type": "enabled", "budget_tokens": 1024}},
        "`max_tokens` must be greater than `thinking.budget_tokens`",
    ),
    (
        "effort on an old model",
        {"model": "claude-haiku-4-5", "output_config": {"effort": "low"}},
        "does not support the effort parameter",
    ),
    ("an unknown geography", {"inference_geo": "mars"}, "inference_geo: Input should be 'us' or 'global'"),
    (
        "an open object",
        with_schema({"type": "object"}),
        "'additionalProperties' must be explicitly set to false",
    ),
    (
        "a numeric bound",
        with_schema({**CLOSED, "properties": {"n": {"type": "integer", "minimum": 1}}}),
        "For 'integer' type, property 'minimum' is not supported",
    ),
    (
        "many items",
        with_schema({"type": "array", "items": {"type": "string"}, "minItems": 3}),
        "'minItems' values other than 0 or 1 are not supported",
    ),
    (
        "recursion",
        with_schema(
            {"$defs": {"A": {**CLOSED, "properties": {"a": {"$ref": "#/$defs/A"}}}}, "$ref": "#/$defs/A"}
        ),
        "Circular reference",
    ),
    ("a dangling reference", with_schema({"$ref": "#/$defs/A"}), "does not resolve"),
    ("no schema at all", with_schema({"type": "poem"}), "output_config.format.schema: "),
    ("what is not imitated", {"container": "c"}, "container: the emulator does not imitate this yet"),
    (
        "forced tool use",
        {"tools": [{"name": "t", "input_schema": CLOSED}], "tool_choice": {"type": "any"}},
        "tool_choice.any: the emulator does not imitate this yet",
    ),
]


@pytest.mark.parametrize(
    ("change", "message"), [case[1:] for case in REFUSED], ids=[case[0] for case in REFUSED]
)
def test_a_request_against_the_rules_is_a_400_with_the_documented_message(
    emulator: RunningEmulator, change: dict[str, Any], message: str
) -> None:
    request = {name: value for name, value in {**VALID, **change}.items() if value is not None}
    answer = post(emulator, json.dumps(request), **{"x-api-key": KEY})
    body = answer.json()
    assert (answer.status_code, body["type"], body["error"]["type"]) == (
        400,
        "error",
        "invalid_request_error",
    )
    assert message in body["error"]["message"]
    assert body["request_id"] == answer.headers["request-id"]
    assert emulator.meter()["requests"] == 0
    assert [(call["status"], call["usage"], call["cost_usd"]) for call in emulator.calls()] == [
        (400, None, "0")
    ]


def test_a_body_that_is_not_json_is_a_400(emulator: RunningEmulator) -> None:
    answer = post(emulator, "{", **{"x-api-key": KEY})
    assert answer.status_code == 400
    assert "not valid JSON" in answer.json()["error"]["message"]


@pytest.mark.parametrize("model", ["claude-unknown", "claude-3-haiku-20240307"], ids=["unknown", "retired"])
def test_a_model_that_is_not_served_is_a_404(emulator: RunningEmulator, model: str) -> None:
    with pytest.raises(anthropic.NotFoundError, match=f"model: {model}"):
        emulator.client().messages.create(**{**VALID, "model": model})


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({}, 401),
        ({"x-api-key": ""}, 401),
        ({"authorization": "Bearer"}, 401),
        ({"authorization": "Basic abc"}, 401),
        ({"x-api-key": KEY}, 200),
        ({"authorization": f"Bearer {KEY}"}, 200),
    ],
    ids=["none", "empty key", "empty bearer", "basic", "x-api-key", "bearer"],
)
def test_either_header_names_the_key_and_none_is_a_401(
    emulator: RunningEmulator, headers: dict[str, str], status: int
) -> None:
    assert post(emulator, json.dumps(VALID), **headers).status_code == status


def test_the_same_key_in_either_header_is_the_same_workspace(emulator: RunningEmulator) -> None:
    for headers in ({"x-api-key": KEY}, {"authorization": f"Bearer {KEY}"}):
        post(emulator, json.dumps(VALID), **headers)
    assert len({call["workspace"] for call in emulator.calls()}) == 1


def test_a_body_above_32_mb_is_a_413(emulator: RunningEmulator) -> None:
    answer = post(emulator, b" " * (32 * 1024 * 1024 + 1), **{"x-api-key": KEY})
    assert (answer.status_code, answer.json()["error"]["type"]) == (413, "request_too_large")


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("POST", "/v1/messages", 401),
        ("GET", "/v1/nothing", 404),
        ("PUT", "/v1/messages", 405),
        ("GET", "/_emulator/meter", 200),
    ],
)
def test_every_answer_carries_a_request_id_and_the_organization(
    emulator: RunningEmulator, method: str, path: str, status: int
) -> None:
    answer = emulator.http.request(method, path)
    assert answer.status_code == status
    assert answer.headers["request-id"].startswith("req_")
    assert answer.headers["anthropic-organization-id"]
