"""Message batches by the official SDK, sync and async: pages, states, every kind of result."""

import asyncio
import warnings
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from inspect import isawaitable
from typing import Any

import anthropic
import pytest
from anthropic.types.messages import MessageBatchIndividualResponse

from tests.integration.emulator_process import KEY, RunningEmulator
from tests.integration.emulator_requests import asked

BOTH_KINDS = pytest.mark.parametrize("kind", ["sync", "async"])


async def ready(value: Any) -> Any:
    """The value, once it is there."""
    return await value if isawaitable(value) else value


async def all_of(value: Any) -> list[Any]:
    """What comes one by one, as a list."""
    if isawaitable(value) and not hasattr(value, "__aiter__"):
        value = await value
    return [item async for item in value] if hasattr(value, "__aiter__") else list(value)


def with_batches(emulator: RunningEmulator, kind: str, call: Callable[[Any], Awaitable[Any]]) -> Any:
    """What `call` gives for the strict `messages.batches` of a client of that kind; a warning is an error."""

    async def called() -> Any:
        make: Any = anthropic.Anthropic if kind == "sync" else anthropic.AsyncAnthropic
        client = make(
            api_key=KEY, base_url=emulator.base_url, max_retries=0, _strict_response_validation=True
        )
        try:
            return await call(client.messages.batches)
        finally:
            await ready(client.close())

    with no_warning():
        return asyncio.run(called())


@contextmanager
def no_warning() -> Iterator[None]:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        yield


def requests_of(**params: dict[str, Any]) -> Any:
    return [{"custom_id": custom_id, "params": one} for custom_id, one in params.items()]


def create(emulator: RunningEmulator, **params: dict[str, Any]) -> str:
    return emulator.client().messages.batches.create(requests=requests_of(**params)).id


@BOTH_KINDS
@pytest.mark.parametrize("limit", [1, 2, 3, 7, 1_000])
@pytest.mark.parametrize(
    ("cursor", "expected"),
    [({}, slice(None)), ({"after_id": 2}, slice(3, None)), ({"before_id": 4}, slice(0, 4))],
    ids=["all", "after", "before"],
)
def test_auto_paging_gives_every_batch_once(
    emulator: RunningEmulator, kind: str, limit: int, cursor: dict[str, int], expected: slice
) -> None:
    ids = [create(emulator, one=asked()) for _ in range(7)][::-1]
    from_id = {name: ids[position] for name, position in cursor.items()}
    found = with_batches(emulator, kind, lambda batches: all_of(batches.list(limit=limit, **from_id)))
    got = [batch.id for batch in found]
    # Pages before a cursor lead away from it: each page is newest first, the pages are not.
    assert sorted(got) == sorted(ids[expected])
    assert "before_id" in cursor or got == ids[expected]


@BOTH_KINDS
def test_a_page_says_where_it_begins_and_ends_and_has_20_by_default(
    emulator: RunningEmulator, kind: str
) -> None:
    ids = [create(emulator, one=asked()) for _ in range(21)][::-1]

    def first_page(**how: int) -> Any:
        return with_batches(emulator, kind, lambda batches: ready(batches.list(**how)))

    for page, count in ((first_page(), 20), (first_page(limit=3), 3), (first_page(limit=21), 21)):
        assert ([batch.id for batch in page.data], page.has_more) == (ids[:count], count < 21)
        assert (page.first_id, page.last_id) == (ids[0], ids[count - 1])


@BOTH_KINDS
def test_no_batches_are_an_empty_page(emulator: RunningEmulator, kind: str) -> None:
    create_elsewhere = emulator.client("another-club").messages.batches.create
    create_elsewhere(requests=requests_of(one=asked()))
    page = with_batches(emulator, kind, lambda batches: ready(batches.list()))
    assert (page.data, page.has_more, page.first_id, page.last_id) == ([], False, None, None)
    assert not page.has_next_page()


async def life(batches: Any, emulator: RunningEmulator) -> tuple[list[Any], list[Any]]:
    """A batch from its creation to its results."""
    created = await ready(batches.create(requests=requests_of(good=asked(), bad=asked(max_tokens=-1))))
    waiting = await ready(batches.retrieve(created.id))
    emulator.advance(3_600)
    ended = await ready(batches.retrieve(created.id))
    return [created, waiting, ended], await all_of(await ready(batches.results(created.id)))


@BOTH_KINDS
def test_a_batch_is_in_progress_then_ended_with_its_results(emulator: RunningEmulator, kind: str) -> None:
    (created, waiting, ended), results = with_batches(emulator, kind, lambda batches: life(batches, emulator))
    assert waiting == created
    assert (waiting.processing_status, waiting.request_counts.processing) == ("in_progress", 2)
    assert (waiting.ended_at, waiting.results_url) == (None, None)
    assert ended.processing_status == "ended"
    assert (ended.request_counts.succeeded, ended.request_counts.errored) == (1, 1)
    assert ended.created_at < ended.ended_at < ended.expires_at
    assert ended.results_url == f"{emulator.base_url}/v1/messages/batches/{ended.id}/results"
    assert {one.custom_id: one.result.type for one in results} == {"good": "succeeded", "bad": "errored"}


def end_of(emulator: RunningEmulator, kind: str) -> MessageBatchIndividualResponse:
    """The one result of a batch that ends in this way, validated as a strict client would."""
    params = {"errored": asked(model="claude-unknown")}.get(kind, asked())
    batches = emulator.client().messages.batches
    batch_id = create(emulator, only=params)
    if kind == "canceled":
        batches.cancel(batch_id)
    # An answer that would begin after the batch has expired never comes.
    if kind == "expired":
        emulator.fault("slow_first_byte", at="batches.items", seconds=86_400)
    emulator.advance(86_400)
    (result,) = batches.results(batch_id)
    counts = batches.retrieve(batch_id).request_counts
    assert {name: count for name, count in counts if count} == {kind: 1}
    return result


@pytest.mark.parametrize("kind", ["succeeded", "errored", "canceled", "expired"])
def test_each_kind_of_result_is_parsed_without_a_warning(emulator: RunningEmulator, kind: str) -> None:
    with no_warning():
        result = end_of(emulator, kind)
        wire = result.model_dump(mode="json", warnings="error")
    assert MessageBatchIndividualResponse.model_validate(wire) == result
    assert (result.custom_id, result.result.type) == ("only", kind)
    assert (result.model_extra, result.result.model_extra) == ({}, {})
    assert emulator.meter()["requests"] == (kind == "succeeded")
    if result.result.type == "succeeded":
        usage = result.result.message.usage
        assert (usage.service_tier, usage.output_tokens > 0) == ("batch", True)
    if result.result.type == "errored":
        error = result.result.error
        assert (error.type, error.error.type) == ("error", "not_found_error")
        assert (error.request_id or "").startswith("req_")


async def canceled(batches: Any, batch_id: str, emulator: RunningEmulator) -> list[Any]:
    first = await ready(batches.cancel(batch_id))
    again = await ready(batches.cancel(batch_id))
    emulator.advance(60)
    return [first, again, await ready(batches.retrieve(batch_id))]


@BOTH_KINDS
def test_a_canceled_batch_is_canceling_then_ended_and_nothing_is_billed(
    emulator: RunningEmulator, kind: str
) -> None:
    batch_id = create(emulator, one=asked(), two=asked())
    first, again, ended = with_batches(emulator, kind, lambda own: canceled(own, batch_id, emulator))
    assert first.processing_status == again.processing_status == "canceling"
    assert (ended.processing_status, ended.request_counts.canceled) == ("ended", 2)
    assert first.cancel_initiated_at == ended.cancel_initiated_at
    assert emulator.meter()["requests"] == 0


Call = Callable[[Any, str], Any]
BAD, GONE = anthropic.BadRequestError, anthropic.NotFoundError
REFUSED: dict[str, tuple[Call, type[Exception]]] = {
    "delete before the end": (lambda batches, batch_id: batches.delete(batch_id), BAD),
    # Here the SDK does not even ask: there is no `results_url` yet.
    "results before the end": (lambda batches, batch_id: batches.results(batch_id), anthropic.AnthropicError),
    "no requests": (lambda batches, _: batches.create(requests=[]), BAD),
    "an id of another kind": (
        lambda batches, _: batches.create(requests=requests_of(**{"a b": asked()})),
        BAD,
    ),
    "an id twice": (lambda batches, _: batches.create(requests=requests_of(one=asked()) * 2), BAD),
    "nothing by that id": (lambda batches, _: batches.retrieve("msgbatch_none"), GONE),
    "nothing to cancel": (lambda batches, _: batches.cancel("msgbatch_none"), GONE),
    "nothing to delete": (lambda batches, _: batches.delete("msgbatch_none"), GONE),
    "two cursors": (lambda batches, batch_id: batches.list(after_id=batch_id, before_id=batch_id), BAD),
    "a limit of 0": (lambda batches, _: batches.list(limit=0), BAD),
    "a limit of 1,001": (lambda batches, _: batches.list(limit=1_001), BAD),
}


@BOTH_KINDS
@pytest.mark.parametrize(("call", "error"), REFUSED.values(), ids=REFUSED)
def test_what_a_batch_cannot_do_is_an_error_of_the_sdk(
    emulator: RunningEmulator, kind: str, call: Call, error: type[Exception]
) -> None:
    batch_id = create(emulator, one=asked())
    with pytest.raises(error) as failed:
        with_batches(emulator, kind, lambda batches: ready(call(batches, batch_id)))
    assert type(failed.value) is error
    assert [batch.id for batch in emulator.client().messages.batches.list()] == [batch_id]


@BOTH_KINDS
def test_a_batch_can_be_deleted_once_it_has_ended_and_not_canceled_any_more(
    emulator: RunningEmulator, kind: str
) -> None:
    batch_id = create(emulator, one=asked())
    emulator.advance(3_600)
    with pytest.raises(anthropic.BadRequestError):
        with_batches(emulator, kind, lambda batches: ready(batches.cancel(batch_id)))
    deleted = with_batches(emulator, kind, lambda batches: ready(batches.delete(batch_id)))
    assert (deleted.id, deleted.type) == (batch_id, "message_batch_deleted")
    with pytest.raises(anthropic.NotFoundError):
        with_batches(emulator, kind, lambda batches: ready(batches.retrieve(batch_id)))
    assert emulator.meter()["requests"] == 1
