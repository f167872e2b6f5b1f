"""Failures by script at every other endpoint and in batch items, as the official SDK sees them."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import anthropic
import httpx2
import pytest
from anthropic.types.messages import MessageBatchIndividualResponse

from tests.integration.emulator_process import KEY, RunningEmulator
from tests.integration.emulator_requests import NOTE, STABLE_TOKENS, VALID, asked

ADMIN_KEY = "sk-ant-admin-test"
ITEMS = 9


def requests_of(count: int = ITEMS, **params: Any) -> Any:
    return [{"custom_id": f"item-{i}", "params": {**asked(), **params}} for i in range(count)]


def strict_client(emulator: RunningEmulator, key: str = KEY) -> Any:
    return anthropic.Anthropic(
        api_key=key, base_url=emulator.base_url, max_retries=0, _strict_response_validation=True
    )


def exists(client: Any, batch_id: str) -> bool:
    return batch_id in [batch.id for batch in client.messages.batches.list()]


@dataclass(frozen=True)
class Place:
    """A place of faults: a call that comes by, and whether its effect can be seen (None: it has none)."""

    name: str
    call: Callable[[Any, str], Any]
    effect: Callable[[Any, str], bool] | None = None
    batch_has_ended: bool = False
    key: str = KEY


PLACES = {
    place.name: place
    for place in (
        Place("count_tokens", lambda client, _: client.messages.count_tokens(**asked(max_tokens=None))),
        Place("models", lambda client, _: client.models.list()),
        Place(
            "batches.create",
            lambda client, _: client.messages.batches.create(requests=requests_of(2)),
            lambda client, _: len(client.messages.batches.list().data) == 2,
        ),
        Place("batches.read", lambda client, batch_id: client.messages.batches.retrieve(batch_id)),
        Place(
            "batches.cancel",
            lambda client, batch_id: client.messages.batches.cancel(batch_id),
            lambda client, batch_id: (
                client.messages.batches.retrieve(batch_id).processing_status == "canceling"
            ),
        ),
        Place(
            "batches.delete",
            lambda client, batch_id: client.messages.batches.delete(batch_id),
            lambda client, batch_id: not exists(client, batch_id),
            batch_has_ended=True,
        ),
        Place(
            "batches.results",
            lambda client, batch_id: list(client.messages.batches.results(batch_id)),
            batch_has_ended=True,
        ),
        Place(
            "reports",
            lambda client, _: client.get(
                "/v1/organizations/cost_report?starting_at=2026-01-01T00:00:00Z", cast_to=object
            ),
            key=ADMIN_KEY,
        ),
    )
}
LOST = (anthropic.APIConnectionError, httpx2.RemoteProtocolError)
# What the client is told, and whether the endpoint has done its work.
OUTCOMES: dict[str, tuple[type[Exception] | tuple[type[Exception], ...], bool]] = {
    "rate_limited": (anthropic.RateLimitError, False),
    "spend_cap": (anthropic.RateLimitError, False),
    "api_error": (anthropic.InternalServerError, False),
    "overloaded": (anthropic.OverloadedError, False),
    "timeout": (anthropic.GatewayTimeoutError, False),
    "error": (anthropic.PermissionDeniedError, False),
    "reset_before_billing": (anthropic.APIConnectionError, False),
    "reset_after_billing": (anthropic.APIConnectionError, True),
    "cut_answer": (LOST, True),
    "not_json": (anthropic.APIResponseValidationError, True),
    "slow_first_byte": (anthropic.APITimeoutError, True),
}


@pytest.mark.parametrize("kind", OUTCOMES)
@pytest.mark.parametrize("place", PLACES.values(), ids=PLACES)
def test_a_fault_happens_at_its_place_once_and_its_name_says_whether_the_work_was_done(
    emulator: RunningEmulator, place: Place, kind: str
) -> None:
    batch_id = emulator.client().messages.batches.create(requests=requests_of()).id
    if place.batch_has_ended:
        emulator.advance(3_600)
    told, done = OUTCOMES[kind]
    if (place.name, kind) == ("batches.results", "not_json"):
        told = json.JSONDecodeError  # the SDK reads lines, whatever they are called
    emulator.fault(kind, at=place.name, **({"error_type": "permission_error"} if kind == "error" else {}))
    with strict_client(emulator, place.key) as client:
        with pytest.raises(told) as failed:
            place.call(client.with_options(timeout=0.15) if kind == "slow_first_byte" else client, batch_id)
        if isinstance(failed.value, anthropic.APIStatusError):
            assert failed.value.request_id == failed.value.response.headers["request-id"]
            assert (failed.value.workspace_id is None) == (place.name == "reports")
            assert failed.value.error_code == (
                "enforced_spend_limit_reached" if kind == "spend_cap" else None
            )
        assert emulator.faults() == []
        if place.effect:
            assert place.effect(client, batch_id) is done
        if not (place.effect and done):
            place.call(client, batch_id)


def test_a_batch_whose_creation_was_not_heard_of_is_found_by_the_list_and_works(
    emulator: RunningEmulator,
) -> None:
    batches = emulator.client().messages.batches
    emulator.fault("reset_after_billing", at="batches.create")
    with pytest.raises(anthropic.APIConnectionError):
        batches.create(requests=requests_of())
    (found,) = batches.list()
    assert found.request_counts.processing == ITEMS
    emulator.advance(3_600)
    assert {line.custom_id for line in batches.results(found.id)} == {f"item-{i}" for i in range(ITEMS)}
    assert emulator.meter()["requests"] == ITEMS


def test_cut_results_end_in_the_middle_of_a_line(emulator: RunningEmulator) -> None:
    batches = emulator.client().messages.batches
    batch_id = batches.create(requests=requests_of()).id
    emulator.advance(3_600)
    emulator.fault("cut_answer", at="batches.results")
    heard: list[str] = []
    with pytest.raises((*LOST, json.JSONDecodeError)):
        heard.extend(line.custom_id for line in batches.results(batch_id))
    whole = [line.custom_id for line in batches.results(batch_id)]
    assert len(whole) == ITEMS
    assert ITEMS // 3 <= len(heard) <= ITEMS * 2 // 3
    assert heard == whole[: len(heard)]


def test_a_fault_can_match_the_path_of_a_request_without_a_body(emulator: RunningEmulator) -> None:
    batches = emulator.client().messages.batches
    one, other = (batches.create(requests=requests_of(1)).id for _ in range(2))
    emulator.fault("overloaded", at="batches.read", match=one, count=2)
    assert batches.retrieve(other).id == other
    with pytest.raises(anthropic.OverloadedError):
        batches.retrieve(one)
    assert [fault["count"] for fault in emulator.faults()] == [1]


def result_of(emulator: RunningEmulator, **fault: Any) -> MessageBatchIndividualResponse:
    """The result of the one item of a batch that meets this fault."""
    emulator.fault(at="batches.items", **fault)
    batches = emulator.client().messages.batches
    params = {"output_config": VALID["output_config"]} if "schema" in fault["kind"] else {}
    batch_id = batches.create(requests=requests_of(1, **params)).id
    emulator.advance(3_600)
    (line,) = batches.results(batch_id)
    assert emulator.faults() == []
    return line


@pytest.mark.parametrize(
    ("fault", "error_type"),
    [
        ({"kind": "rate_limited"}, "rate_limit_error"),
        ({"kind": "api_error"}, "api_error"),
        ({"kind": "overloaded"}, "overloaded_error"),
        ({"kind": "timeout"}, "timeout_error"),
        ({"kind": "error", "error_type": "billing_error"}, "billing_error"),
    ],
    ids=str,
)
def test_an_item_that_fails_is_an_errored_result_without_a_bill(
    emulator: RunningEmulator, fault: dict[str, Any], error_type: str
) -> None:
    result = result_of(emulator, **fault).result
    assert result.type == "errored"
    assert (result.error.type, result.error.error.type) == ("error", error_type)
    assert (result.error.request_id or "").startswith("req_")
    assert emulator.meter() == {"requests": 0, "cost_usd": "0", "rows": []}


@pytest.mark.parametrize(
    ("fault", "stop_reason", "begins", "billed"),
    [
        ({"kind": "truncated_json"}, "max_tokens", "", True),
        ({"kind": "break_schema"}, "end_turn", '{"__off_schema__"', True),
        ({"kind": "wrong_content", "answer": "[]"}, "end_turn", "[]", True),
        ({"kind": "refusal"}, "refusal", None, False),
        ({"kind": "refusal_mid_answer"}, "refusal", "", True),
        ({"kind": "cache_miss"}, "end_turn", "", True),
        ({"kind": "slow_first_byte", "seconds": 600}, "end_turn", "", True),
    ],
    ids=str,
)
def test_an_item_whose_content_is_wrong_succeeds_and_is_billed_but_for_a_refusal(
    emulator: RunningEmulator, fault: dict[str, Any], stop_reason: str, begins: str | None, billed: bool
) -> None:
    result = result_of(emulator, **fault).result
    assert result.type == "succeeded"
    message = result.message
    words = [block.text for block in message.content if block.type == "text"]
    assert message.stop_reason == stop_reason
    assert words == [] if begins is None else words[0].startswith(begins)
    (row,) = emulator.meter()["rows"]
    assert (row["requests"], row["output_tokens"]) == (1, message.usage.output_tokens)
    assert (Decimal(row["cost_usd"]) > 0) is billed
    assert (message.stop_details is not None) == (stop_reason == "refusal")


@pytest.mark.parametrize("kinds", [(None, "cache_miss", None), ("refusal", None, None)], ids=str)
def test_a_miss_writes_again_and_a_refusal_has_written_nothing(
    emulator: RunningEmulator, kinds: tuple[str | None, ...]
) -> None:
    batches = emulator.client().messages.batches
    used = []
    for kind in kinds:
        if kind:
            emulator.fault(kind, at="batches.items")
        batch_id = batches.create(requests=requests_of(1)).id
        emulator.advance(100)
        (line,) = batches.results(batch_id)
        assert line.result.type == "succeeded"
        usage = line.result.message.usage
        used.append((usage.cache_creation_input_tokens, usage.cache_read_input_tokens))
    assert used == [(STABLE_TOKENS, 0), (STABLE_TOKENS, 0), (0, STABLE_TOKENS)]


def test_a_slow_item_ends_its_batch_later(emulator: RunningEmulator) -> None:
    batches = emulator.client().messages.batches
    emulator.fault("slow_first_byte", at="batches.items", seconds=600)
    slow, quick = (batches.create(requests=requests_of(1)).id for _ in range(2))
    emulator.advance(300)
    assert [batches.retrieve(one).processing_status for one in (slow, quick)] == ["in_progress", "ended"]
    emulator.advance(500)
    ends = [batches.retrieve(one).ended_at for one in (slow, quick)]
    assert ends[0] is not None
    assert ends[1] is not None
    assert 590 < (ends[0] - ends[1]).total_seconds() < 610


@pytest.mark.parametrize(("kind", "meets"), [("api_error", False), ("truncated_json", True)])
def test_without_a_place_an_error_is_for_messages_and_content_for_items_as_well(
    emulator: RunningEmulator, kind: str, meets: bool
) -> None:
    emulator.fault(kind)
    batches = emulator.client().messages.batches
    batches.create(requests=requests_of(1))
    emulator.advance(3_600)
    batches.list()
    assert (emulator.faults() == []) is meets


def test_a_fault_in_one_item_leaves_the_others_alone(emulator: RunningEmulator) -> None:
    emulator.fault("overloaded", at="batches.items", match="item 3 of all")
    batches = emulator.client().messages.batches
    requests = requests_of()
    for i, request in enumerate(requests):
        request["params"]["messages"] = [{"role": "user", "content": f"{NOTE} item {i} of all"}]
    batch_id = batches.create(requests=requests).id
    emulator.advance(3_600)
    failed = [line.custom_id for line in batches.results(batch_id) if line.result.type != "succeeded"]
    assert failed == ["item-3"]
    counts = batches.retrieve(batch_id).request_counts
    assert (counts.succeeded, counts.errored) == (ITEMS - 1, 1)
