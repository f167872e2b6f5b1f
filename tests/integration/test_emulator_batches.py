"""Message Batches by the official SDK: from creation to the last result, at times that the clock decides."""

import http.client
import json
from collections import Counter
from contextlib import closing
from datetime import datetime
from typing import Any

import anthropic
import pytest

from tests.integration.emulator_batches import (
    DAY_SECONDS,
    DELAY_SECONDS,
    create,
    finished,
    item,
    results,
    retrieve,
)
from tests.integration.emulator_process import KEY, VERSION, RunningEmulator, running_emulator
from tests.integration.emulator_requests import HAIKU


def test_a_batch_is_in_progress_until_its_items_have_ended_and_then_tells_where_its_results_are(
    emulator: RunningEmulator,
) -> None:
    batch = create(emulator, item("a"), item("b"))
    for _ in range(2):
        assert (batch.processing_status, batch.results_url, batch.ended_at) == ("in_progress", None, None)
        assert batch.request_counts.to_dict() == {
            "processing": 2, "succeeded": 0, "errored": 0, "canceled": 0, "expired": 0,
        }  # fmt: skip
        emulator.advance(DELAY_SECONDS - 1)
        batch = retrieve(emulator, batch)
    emulator.advance(10)
    batch = retrieve(emulator, batch)
    assert batch.processing_status == "ended"
    assert batch.request_counts.to_dict() == {
        "processing": 0, "succeeded": 2, "errored": 0, "canceled": 0, "expired": 0,
    }  # fmt: skip
    assert batch.results_url == f"{emulator.base_url}/v1/messages/batches/{batch.id}/results"
    assert batch.ended_at is not None
    assert (batch.ended_at - batch.created_at).total_seconds() > DELAY_SECONDS + 1
    assert (batch.expires_at - batch.created_at).total_seconds() == DAY_SECONDS


def test_counts_stay_0_while_some_items_have_ended_and_others_have_not(emulator: RunningEmulator) -> None:
    emulator.fault("slow_first_byte", seconds=3_600, match="late", at="batches.items")
    batch = create(emulator, item("early"), item("late"))
    emulator.advance(DELAY_SECONDS + 600)
    batch = retrieve(emulator, batch)
    assert (batch.processing_status, batch.request_counts.processing) == ("in_progress", 2)
    assert emulator.meter()["requests"] == 2  # begun, so billed
    with pytest.raises(anthropic.NotFoundError, match="no results yet"):
        emulator.client().get(f"/v1/messages/batches/{batch.id}/results", cast_to=object)
    emulator.advance(3_600)
    assert retrieve(emulator, batch).request_counts.succeeded == 2


def test_a_batch_shows_no_custom_id_before_its_results(emulator: RunningEmulator) -> None:
    batch = create(emulator, item("secret-id"))
    shown = emulator.client().messages.batches.with_raw_response.retrieve(batch.id).text()
    listed = emulator.client().messages.batches.with_raw_response.list().text()
    assert "secret-id" not in shown + listed


def test_results_hold_every_item_once_and_not_in_the_order_of_the_requests(emulator: RunningEmulator) -> None:
    names = [f"i{n}" for n in range(300)]
    found = list(
        finished(emulator, *[item(name, messages=[{"role": "user", "content": name}]) for name in names])
    )
    assert sorted(found) == sorted(names)
    assert found != names


def test_params_are_looked_at_later_and_bad_ones_are_errored_lines(emulator: RunningEmulator) -> None:
    bad: dict[str, dict[str, Any]] = {
        "temperature": {"temperature": 0.5},
        "unknown-field": {"max_token": 5},
        "unknown-model": {"model": "claude-nothing"},
        "streams": {"stream": True},
        "prewarms": {"max_tokens": 0, "output_config": None},
    }
    lines = finished(emulator, item("good"), *[item(name, **change) for name, change in bad.items()])
    assert lines["good"].result.type == "succeeded"
    types = {}
    for name in bad:
        result = lines[name].result
        assert result.type == "errored"
        types[name] = result.error.error.type
    assert types == dict.fromkeys(bad, "invalid_request_error") | {"unknown-model": "not_found_error"}
    assert emulator.meter()["requests"] == 1


@pytest.mark.parametrize(
    ("items", "message"),
    [
        ([], "at least 1 item"),
        ([item("a"), item("a")], "custom_id must be unique"),
        ([item("a b")], "requests.0.custom_id"),
        ([item("x" * 65)], "requests.0.custom_id"),
        ([{**item("a"), "extra": 1}], "requests.0.extra: Extra inputs are not permitted"),
        ([{"custom_id": "a"}], "requests.0.params: Field required"),
    ],
    ids=["none", "the same id twice", "a space", "65 characters", "an unknown field", "no params"],
)
def test_what_is_wrong_with_the_batch_itself_is_refused_at_once(
    emulator: RunningEmulator, items: list[dict[str, Any]], message: str
) -> None:
    with pytest.raises(anthropic.BadRequestError, match=message):
        create(emulator, *items)
    assert list(emulator.client().messages.batches.list()) == []


def test_a_batch_that_is_canceled_in_time_ends_with_canceled_items_and_costs_nothing(
    emulator: RunningEmulator,
) -> None:
    batch = create(emulator, item("a"), item("b"))
    canceled = emulator.client().messages.batches.cancel(batch.id)
    assert (canceled.processing_status, canceled.request_counts.processing) == ("canceling", 2)
    assert canceled.cancel_initiated_at is not None
    assert (
        emulator.client().messages.batches.cancel(batch.id).cancel_initiated_at
        == canceled.cancel_initiated_at
    )
    emulator.advance(DELAY_SECONDS + 100)
    assert retrieve(emulator, batch).request_counts.canceled == 2
    assert {line.result.type for line in results(emulator, batch).values()} == {"canceled"}
    assert emulator.meter()["requests"] == 0
    with pytest.raises(anthropic.BadRequestError, match="has ended"):
        emulator.client().messages.batches.cancel(batch.id)


def test_what_has_begun_when_a_batch_is_canceled_finishes_and_is_billed() -> None:
    with running_emulator("--batch-wave", "2", "--batch-wave-seconds", "600") as emulator:
        batch = create(emulator, *[item(f"i{n}") for n in range(5)])
        emulator.advance(DELAY_SECONDS + 601)
        assert emulator.client().messages.batches.cancel(batch.id).processing_status == "canceling"
        emulator.advance(100)
        outcomes = {name: line.result.type for name, line in results(emulator, batch).items()}
        assert Counter(outcomes.values()) == {"succeeded": 4, "canceled": 1}
        assert outcomes["i4"] == "canceled"
        assert emulator.meter()["requests"] == 4


def test_what_has_not_ended_after_a_day_is_expired_and_not_billed(emulator: RunningEmulator) -> None:
    emulator.fault("slow_first_byte", seconds=DAY_SECONDS, match="late", at="batches.items")
    batch = create(emulator, item("early"), item("late"))
    emulator.advance(DAY_SECONDS - 1)
    assert retrieve(emulator, batch).processing_status == "in_progress"
    emulator.advance(1)
    batch = retrieve(emulator, batch)
    assert batch.ended_at == batch.expires_at
    assert {name: line.result.type for name, line in results(emulator, batch).items()} == {
        "early": "succeeded",
        "late": "expired",
    }
    assert emulator.meter()["requests"] == 1


def test_results_are_kept_for_29_days(emulator: RunningEmulator) -> None:
    batch = create(emulator, item("a"))
    emulator.advance(28 * DAY_SECONDS)
    assert len(results(emulator, batch)) == 1
    emulator.advance(DAY_SECONDS)
    batch = retrieve(emulator, batch)
    assert batch.archived_at is not None
    assert (batch.results_url, batch.processing_status) == (None, "ended")
    assert batch.request_counts.succeeded == 1
    with pytest.raises(anthropic.NotFoundError, match="29 days"):
        emulator.client().get(f"/v1/messages/batches/{batch.id}/results", cast_to=object)


def test_only_an_ended_batch_can_be_deleted_and_then_it_is_gone(emulator: RunningEmulator) -> None:
    batch = create(emulator, item("a"))
    with pytest.raises(anthropic.BadRequestError, match="cancel it before"):
        emulator.client().messages.batches.delete(batch.id)
    emulator.advance(DELAY_SECONDS + 10)
    assert emulator.client().messages.batches.delete(batch.id).type == "message_batch_deleted"
    with pytest.raises(anthropic.NotFoundError):
        retrieve(emulator, batch)
    assert emulator.meter()["requests"] == 1


def test_a_list_is_newest_first_and_pages_both_ways(emulator: RunningEmulator) -> None:
    ids = [create(emulator, item("a")).id for _ in range(5)][::-1]
    batches = emulator.client().messages.batches
    assert [batch.id for batch in batches.list(limit=2)] == ids
    page = batches.list(limit=2, after_id=ids[1])
    assert ([batch.id for batch in page.data], page.has_more) == (ids[2:4], True)
    page = batches.list(limit=2, before_id=ids[3])
    assert ([batch.id for batch in page.data], page.has_more) == (ids[1:3], True)
    page = batches.list(limit=9, before_id=ids[2])
    assert ([batch.id for batch in page.data], page.has_more) == (ids[:2], False)


@pytest.mark.parametrize(
    ("query", "message"),
    [
        ({"limit": 0}, "limit"),
        ({"limit": 1_001}, "limit"),
        ({"order": "asc"}, "order"),
        ({"limit": "x"}, "limit"),
    ],
    ids=str,
)
def test_a_list_refuses_what_it_does_not_understand(
    emulator: RunningEmulator, query: dict[str, Any], message: str
) -> None:
    with pytest.raises(anthropic.BadRequestError, match=message):
        emulator.client().messages.batches.list(extra_query=query)


def test_a_page_behind_a_batch_that_is_not_there_is_a_404(emulator: RunningEmulator) -> None:
    for pages in (emulator.client().messages.batches, emulator.client().models):
        with pytest.raises(anthropic.NotFoundError):
            pages.list(after_id="nothing")


def test_a_batch_belongs_to_the_workspace_of_its_key(emulator: RunningEmulator) -> None:
    batch = create(emulator, item("a"), key="club-a")
    with pytest.raises(anthropic.NotFoundError):
        retrieve(emulator, batch)
    assert list(emulator.client().messages.batches.list()) == []


def test_the_queue_has_a_limit_that_ended_batches_do_not_count_towards() -> None:
    with running_emulator("--batch-queue", "3") as emulator:
        create(emulator, item("a"), item("b"))
        with pytest.raises(anthropic.RateLimitError, match="processing queue") as refused:
            create(emulator, item("a"), item("b"))
        assert int(refused.value.response.headers["retry-after"]) == DELAY_SECONDS
        create(emulator, item("c"))
        emulator.advance(DELAY_SECONDS + 10)
        create(emulator, item("a"), item("b"), item("c"))


def test_a_batch_above_256_mb_is_a_413(emulator: RunningEmulator) -> None:
    headers = {"x-api-key": KEY, **VERSION, "content-length": str(256 * 1024 * 1024 + 1)}
    connection = http.client.HTTPConnection(emulator.base_url.removeprefix("http://"))
    with closing(connection):
        connection.request("POST", "/v1/messages/batches", headers=headers)
        answer = connection.getresponse()
        assert (answer.status, json.load(answer)["error"]["type"]) == (413, "request_too_large")


def test_batch_items_are_on_the_list_of_calls_with_the_time_of_their_turn(emulator: RunningEmulator) -> None:
    batch = create(emulator, item("a"))
    emulator.advance(5 * DELAY_SECONDS)
    (call,) = emulator.calls()
    assert (call["path"], call["model"], call["status"]) == ("/v1/messages/batches", HAIKU, 200)
    waited = datetime.fromisoformat(call["at"]) - batch.created_at
    assert waited.total_seconds() == DELAY_SECONDS
