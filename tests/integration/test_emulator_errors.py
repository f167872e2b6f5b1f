"""Requests that the API refuses, each by its rule, and those that it does not although they are near."""

import http.client
import json
import sqlite3
from collections import Counter
from contextlib import closing
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import anthropic
import httpx2
import pytest

from emulator.request.shapes import PromptRequest
from emulator.request.validation import MESSAGE_RULES, PROMPT_RULES
from tests.integration.emulator_accepted import ACCEPTED, Report
from tests.integration.emulator_process import KEY, VERSION, RunningEmulator, running_emulator
from tests.integration.emulator_refused_schemas import chain, with_schema
from tests.integration.emulator_refused_settings import OLD_HAIKU
from tests.integration.emulator_refused_shapes import NOT_IMITATED
from tests.integration.emulator_requests import VALID
from tests.integration.emulator_rules import HOME_OF, REFUSED, Case, refused_by, request_of

BODY_BYTES_MAX = 32 * 1024 * 1024


def post(
    emulator: RunningEmulator, content: str | bytes, path: str = "/v1/messages", **headers: str
) -> httpx2.Response:
    return emulator.http.post(path, content=content, headers=headers)


@pytest.mark.parametrize("case", REFUSED, ids=lambda case: f"{case.rule}: {case.title}")
def test_a_request_against_the_rules_is_a_400_with_the_documented_message(
    emulator: RunningEmulator, case: Case
) -> None:
    answer = post(emulator, json.dumps(request_of(case.change)), **{"x-api-key": KEY})
    body = answer.json()
    assert (answer.status_code, body["type"]) == (400, "error")
    assert body["error"]["type"] == "invalid_request_error"
    assert body["error"]["message"].startswith(case.message)
    assert body["request_id"] == answer.headers["request-id"]
    assert emulator.meter()["requests"] == 0
    calls = [(call["status"], call["usage"], call["cost_usd"]) for call in emulator.calls()]
    assert calls == [(400, None, "0")]


@pytest.mark.parametrize(
    "case",
    [case for case in REFUSED if case.rule in {"schema", *(rule.__name__ for rule in PROMPT_RULES)}],
    ids=lambda case: f"{case.rule}: {case.title}",
)
def test_counting_tokens_refuses_the_same_prompts_with_the_same_message(
    emulator: RunningEmulator, case: Case
) -> None:
    prompt = {n: value for n, value in request_of(case.change).items() if n in PromptRequest.model_fields}
    answer = post(emulator, json.dumps(prompt), "/v1/messages/count_tokens", **{"x-api-key": KEY})
    assert answer.status_code == 400
    assert answer.json()["error"]["message"].startswith(case.message)


def test_every_rule_has_a_case() -> None:
    rules = {rule.__name__ for rule in (*MESSAGE_RULES, *PROMPT_RULES)}
    assert rules | {"shape", "schema"} == {case.rule for case in REFUSED}


def test_every_case_is_refused_by_the_rule_it_stands_under() -> None:
    for case in REFUSED:
        assert refused_by(case.change) == HOME_OF.get(case.rule, case.rule), case.title


def test_no_two_cases_have_the_same_title() -> None:
    titles = Counter((case.rule, case.title) for case in REFUSED)
    assert max(titles.values()) == 1


@pytest.mark.parametrize("change", [change for _, change in ACCEPTED], ids=[title for title, _ in ACCEPTED])
def test_what_is_only_near_a_refusal_is_answered(emulator: RunningEmulator, change: dict[str, Any]) -> None:
    request = request_of(change)
    answer = post(emulator, json.dumps(request), **{"x-api-key": KEY})
    assert answer.status_code == 200, answer.text
    assert answer.json()["model"] == request["model"]
    assert emulator.meter()["requests"] == 1


def test_the_sdks_own_schema_is_answered_with_what_its_model_reads(emulator: RunningEmulator) -> None:
    change = with_schema(anthropic.transform_schema(Report))
    message = emulator.client().messages.create(**request_of(change))
    report = Report.model_validate_json(next(block.text for block in message.content if block.type == "text"))
    assert report.places
    assert report.place.town


@pytest.mark.parametrize("length", [300, 700, 3_000])
def test_a_chain_of_references_is_answered_or_refused(emulator: RunningEmulator, length: int) -> None:
    answer = post(emulator, json.dumps(request_of(with_schema(chain(length)))), **{"x-api-key": KEY})
    assert answer.status_code in (200, 400), answer.text


def test_a_prompt_longer_than_the_context_window_is_a_400(emulator: RunningEmulator) -> None:
    request = {**VALID, "model": "claude-haiku-4-5", "messages": [{"role": "user", "content": "x" * 700_000}]}
    answer = post(emulator, json.dumps(request), **{"x-api-key": KEY})
    assert answer.status_code == 400
    assert answer.json()["error"]["message"].startswith("prompt is too long: 200")
    assert emulator.meter()["requests"] == 0


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "The request body is not valid JSON"),
        ("{", "The request body is not valid JSON"),
        (b"\xff\xfe", "The request body is not valid JSON"),
        ('{"model": "\\ud800"}', "The request body is not valid JSON"),
        ("[]", "Input should be an object"),
        ("null", "Input should be an object"),
    ],
    ids=["nothing", "half an object", "no text", "half a character", "a list", "null"],
)
@pytest.mark.parametrize("path", ["/v1/messages", "/v1/messages/count_tokens", "/v1/messages/batches"])
def test_a_body_that_is_no_json_object_is_a_400(
    emulator: RunningEmulator, path: str, content: str | bytes, message: str
) -> None:
    answer = post(emulator, content, path, **{"x-api-key": KEY})
    assert (answer.status_code, answer.json()["error"]["type"]) == (400, "invalid_request_error")
    assert answer.json()["error"]["message"].startswith(message)


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
        ({"authorization": f"bearer {KEY}"}, 200),
    ],
    ids=["none", "empty key", "empty bearer", "basic", "x-api-key", "bearer", "lower-case bearer"],
)
def test_either_header_names_the_key_and_none_is_a_401(
    emulator: RunningEmulator, headers: dict[str, str], status: int
) -> None:
    answer = post(emulator, json.dumps(VALID), **headers)
    assert answer.status_code == status
    if status == 401:
        assert answer.json()["error"]["type"] == "authentication_error"
        assert "anthropic-workspace-id" not in answer.headers


def test_the_same_key_in_either_header_is_the_same_workspace(emulator: RunningEmulator) -> None:
    for headers in ({"x-api-key": KEY}, {"authorization": f"Bearer {KEY}"}):
        post(emulator, json.dumps(VALID), **headers)
    assert len({call["workspace"] for call in emulator.calls()}) == 1


@pytest.mark.parametrize("path", ["/v1/messages", "/v1/messages/count_tokens"])
def test_an_answer_names_the_workspace_which_may_be_asked_for(emulator: RunningEmulator, path: str) -> None:
    prompt = json.dumps({name: value for name, value in VALID.items() if name in PromptRequest.model_fields})
    content = json.dumps(VALID) if path == "/v1/messages" else prompt
    workspace = post(emulator, content, path, **{"x-api-key": KEY}).headers["anthropic-workspace-id"]
    again = post(emulator, content, path, **{"x-api-key": KEY, "anthropic-workspace-id": workspace})
    assert (again.status_code, again.headers["anthropic-workspace-id"]) == (200, workspace)
    other = post(emulator, content, path, **{"x-api-key": "another", "anthropic-workspace-id": workspace})
    assert (other.status_code, other.json()["error"]["type"]) == (400, "invalid_request_error")
    assert other.json()["error"]["message"].startswith("anthropic-workspace-id: ")


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", "/v1/messages"),
        ("POST", "/v1/messages/count_tokens"),
        ("POST", "/v1/messages/batches"),
        ("GET", "/v1/models"),
    ],
)
@pytest.mark.parametrize("profile", ["uprof_1", ""])
def test_a_user_profile_is_refused_by_the_name_of_its_header(
    emulator: RunningEmulator, method: str, path: str, profile: str
) -> None:
    headers = {"x-api-key": KEY, "anthropic-user-profile-id": profile}
    answer = emulator.http.request(method, path, content=json.dumps(VALID), headers=headers)
    assert answer.status_code == 400
    assert answer.json()["error"]["message"] == f"anthropic-user-profile-id: {NOT_IMITATED}"


def test_the_sdks_arguments_that_are_headers_reach_the_emulator(emulator: RunningEmulator) -> None:
    with pytest.raises(anthropic.BadRequestError, match="anthropic-workspace-id"):
        emulator.client().messages.create(**VALID, workspace_id="wrkspc_of_somebody_else")
    with pytest.raises(anthropic.BadRequestError, match="anthropic-user-profile-id"):
        emulator.client().messages.create(**VALID, user_profile_id="uprof_1")


@pytest.mark.parametrize(
    ("headers", "status", "message"),
    [
        ({}, 401, "x-api-key header is required"),
        ({"x-api-key": KEY}, 400, "anthropic-version: header is required"),
        (
            {"x-api-key": KEY, "anthropic-version": "2020-01-01"},
            400,
            'anthropic-version: "2020-01-01" is not a',
        ),
        ({"x-api-key": KEY, "anthropic-version": ""}, 400, 'anthropic-version: "" is not a valid version'),
        ({"x-api-key": KEY, "anthropic-version": "2023-06-01"}, 200, ""),
        ({"x-api-key": KEY, **VERSION}, 200, ""),
    ],
    ids=["neither", "no version", "unknown", "empty", "2023-06-01", "2026-10-21"],
)
@pytest.mark.parametrize("path", ["/v1/messages", "/v1/models"])
def test_a_known_version_is_required_once_the_key_is_there(
    emulator: RunningEmulator, path: str, headers: dict[str, str], status: int, message: str
) -> None:
    method, content = ("POST", json.dumps(VALID)) if path == "/v1/messages" else ("GET", None)
    answer = httpx2.request(method, emulator.base_url + path, content=content, headers=headers)
    assert answer.status_code == status
    if status != 200:
        assert answer.json()["error"]["message"].startswith(message)


def test_a_body_of_32_mb_is_read(emulator: RunningEmulator) -> None:
    content = json.dumps(VALID).encode().ljust(BODY_BYTES_MAX)
    assert post(emulator, content, **{"x-api-key": KEY}).status_code == 200


@pytest.mark.parametrize(
    ("header", "value", "chunks"),
    [
        ("content-length", str(BODY_BYTES_MAX + 1), []),
        ("transfer-encoding", "chunked", [*[b" " * 2**20] * 32, b" "]),
    ],
    ids=["declared", "chunked"],
)
def test_a_body_above_32_mb_is_a_413_without_waiting_for_its_end(
    emulator: RunningEmulator, header: str, value: str, chunks: list[bytes]
) -> None:
    connection = http.client.HTTPConnection(urlsplit(emulator.base_url).netloc, timeout=10)
    with closing(connection):
        connection.putrequest("POST", "/v1/messages")
        for name, text in {"x-api-key": KEY, **VERSION, header: value}.items():
            connection.putheader(name, text)
        connection.endheaders()
        for chunk in chunks:
            connection.send(b"%x\r\n%b\r\n" % (len(chunk), chunk))
        answer = connection.getresponse()
        assert (answer.status, json.load(answer)["error"]["type"]) == (413, "request_too_large")
    assert [call["status"] for call in emulator.calls()] == [413]


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


def test_an_unexpected_500_is_on_the_list_of_calls_and_costs_the_next_request_nothing(tmp_path: Path) -> None:
    file = tmp_path / "state"
    with running_emulator("--state", str(file)):
        pass
    with closing(sqlite3.connect(file)) as books:
        when = f"BEFORE INSERT ON usage_minute WHEN new.model = '{OLD_HAIKU}'"
        books.execute(f"CREATE TRIGGER full {when} BEGIN SELECT raise(ABORT, 'the books are full'); END")
    with running_emulator("--latency", "off", "--state", str(file)) as emulator:
        connection = http.client.HTTPConnection(urlsplit(emulator.base_url).netloc, timeout=10)
        with closing(connection):
            answers, ports = [], set()
            for model in (OLD_HAIKU, VALID["model"]):
                content = json.dumps({**VALID, "model": model})
                connection.request("POST", "/v1/messages", content, {"x-api-key": KEY, **VERSION})
                ports.add(connection.sock.getsockname()[1])
                answer = connection.getresponse()
                answers.append((answer.status, json.load(answer)["type"]))
        assert answers == [(500, "error"), (200, "message")]
        assert len(ports) == 1, "the connection was lost"
        calls = [(call["model"], call["status"], call["usage"] is None) for call in emulator.calls()]
        assert calls == [(OLD_HAIKU, 500, True), (VALID["model"], 200, False)]
        assert emulator.meter()["requests"] == 1
