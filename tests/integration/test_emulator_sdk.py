"""Every method of the official SDK, sync and async, in each way it can be called."""

import asyncio
import inspect
import warnings
from collections.abc import Awaitable, Callable, Iterator
from contextlib import AsyncExitStack, ExitStack
from dataclasses import dataclass
from typing import Any, Literal

import anthropic
import pytest
from anthropic import pagination, types
from anthropic.types import messages as batch_types
from pydantic import BaseModel

from tests.integration.emulator_process import KEY, RunningEmulator
from tests.integration.emulator_requests import HAIKU, asked

FORMS = ("plain", "with_raw_response", "with_streaming_response")
KINDS = ("sync", "async")
STRICTNESS = pytest.mark.parametrize("strict", [False, True], ids=["lax", "strict"])
BOTH_KINDS = pytest.mark.parametrize("kind", KINDS)


class Summary(BaseModel):
    category: Literal["normal", "injury"]
    summary: str
    confidence: float


def make_batch(emulator: RunningEmulator) -> str:
    """A batch whose items end well, and one that does not."""
    params = [asked(), asked(thinking=None, max_tokens=4_000), asked(model="claude-unknown")]
    requests: Any = [{"custom_id": f"item-{i}", "params": one} for i, one in enumerate(params)]
    return emulator.client().messages.batches.create(requests=requests).id


def ended_batch(emulator: RunningEmulator) -> str:
    batch_id = make_batch(emulator)
    emulator.advance(3_600)
    return batch_id


@dataclass(frozen=True)
class Method:
    """A method by its path on a client, what it is called with, and the types of what it gives."""

    path: str
    arguments: Callable[[RunningEmulator], dict[str, Any]]
    shapes: tuple[type[BaseModel], ...]
    name: str = ""


def prompt() -> dict[str, Any]:
    return asked(max_tokens=None)


EVENTS = (
    types.RawMessageStartEvent,
    types.RawContentBlockStartEvent,
    types.RawContentBlockDeltaEvent,
    types.RawContentBlockStopEvent,
    types.RawMessageDeltaEvent,
    types.RawMessageStopEvent,
)
METHODS = (
    Method("messages.create", lambda _: asked(), (types.Message,)),
    Method("messages.create", lambda _: asked(thinking=None, max_tokens=4_000), (types.Message,), "thinks"),
    Method(
        "messages.create", lambda _: asked(thinking=None, max_tokens=4_000, stream=True), EVENTS, "stream"
    ),
    Method("messages.count_tokens", lambda _: prompt(), (types.MessageTokensCount,)),
    Method(
        "messages.batches.create",
        lambda _: {"requests": [{"custom_id": "one", "params": asked()}]},
        (batch_types.MessageBatch,),
    ),
    Method(
        "messages.batches.retrieve",
        lambda emulator: {"message_batch_id": make_batch(emulator)},
        (batch_types.MessageBatch,),
    ),
    Method(
        "messages.batches.retrieve",
        lambda emulator: {"message_batch_id": ended_batch(emulator)},
        (batch_types.MessageBatch,),
        "ended",
    ),
    Method(
        "messages.batches.list",
        lambda emulator: {"limit": len([ended_batch(emulator), make_batch(emulator)])},
        (pagination.SyncPage, pagination.AsyncPage),
    ),
    Method(
        "messages.batches.cancel",
        lambda emulator: {"message_batch_id": make_batch(emulator)},
        (batch_types.MessageBatch,),
    ),
    Method(
        "messages.batches.delete",
        lambda emulator: {"message_batch_id": ended_batch(emulator)},
        (batch_types.DeletedMessageBatch,),
    ),
    Method(
        "messages.batches.results",
        lambda emulator: {"message_batch_id": ended_batch(emulator)},
        (batch_types.MessageBatchIndividualResponse,),
    ),
    Method(
        "models.list",
        lambda _: {"lifecycle": ["active", "deprecated", "retired"]},
        (pagination.SyncPage, pagination.AsyncPage),
    ),
    Method("models.retrieve", lambda _: {"model_id": HAIKU}, (types.ModelInfo,)),
)


def with_client(
    emulator: RunningEmulator, kind: str, call: Callable[[Any], Awaitable[Any]], strict: bool = False
) -> Any:
    """What `call` gives for a client of that kind; an async one belongs to the loop it is made in."""

    async def called_and_closed() -> Any:
        make: Any = anthropic.Anthropic if kind == "sync" else anthropic.AsyncAnthropic
        client = make(
            api_key=KEY, base_url=emulator.base_url, max_retries=0, _strict_response_validation=strict
        )
        try:
            return await call(client)
        finally:
            await ready(client.close())

    with warnings.catch_warnings():
        warnings.simplefilter("error")
        return asyncio.run(called_and_closed())


async def ready(value: Any) -> Any:
    """The value, once it is there."""
    return await value if inspect.isawaitable(value) else value


async def items_of(value: Any) -> list[Any]:
    """What comes one by one, as a list; a single thing as a list of one."""
    value = await ready(value)
    if isinstance(value, BaseModel):
        return [value]
    return [item async for item in value] if hasattr(value, "__aiter__") else list(value)


async def called(client: Any, method: Method, form: str, arguments: dict[str, Any]) -> list[Any]:
    """Call the method in that form and parse all of its answer."""
    *steps, name = method.path.split(".")
    resource = client
    for step in steps:
        resource = getattr(resource, step)
    if form == "plain":
        return await items_of(getattr(resource, name)(**arguments))
    answer = getattr(getattr(resource, form), name)(**arguments)
    with ExitStack() as stack:
        async with AsyncExitStack() as async_stack:
            if hasattr(answer, "__aenter__"):
                answer = await async_stack.enter_async_context(answer)
            elif hasattr(answer, "__enter__"):
                answer = stack.enter_context(answer)
            response = await ready(answer)
            assert response.request_id.startswith("req_")
            assert response.headers["anthropic-workspace-id"].startswith("wrkspc_")
            return await items_of(response.parse())


def unknown_fields(value: Any, path: str = "") -> Iterator[str]:
    """Where an answer says something that the SDK has no field for."""
    if isinstance(value, BaseModel):
        yield from (f"{path}.{name}" for name in value.model_extra or {})
        for name in type(value).model_fields:
            yield from unknown_fields(getattr(value, name, None), f"{path}.{name}")
    elif isinstance(value, list):
        for item in value:
            yield from unknown_fields(item, path)


def assert_sound(answers: list[Any], shapes: tuple[type[BaseModel], ...]) -> None:
    """Each answer is of a known shape with all of its fields right, and every shape occurs."""
    for answer in answers:
        assert isinstance(answer, shapes), answer
        assert list(unknown_fields(answer, type(answer).__name__)) == []
        again = answer.model_dump(mode="json", warnings="error")
        if not isinstance(answer, pagination.SyncPage | pagination.AsyncPage):
            type(answer).model_validate(again)
    if len(shapes) > 2:
        assert {type(answer) for answer in answers} == set(shapes)


@STRICTNESS
@BOTH_KINDS
@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("method", METHODS, ids=lambda method: f"{method.path} {method.name}".strip())
def test_every_method_in_every_form_is_parsed_without_a_warning(
    emulator: RunningEmulator, method: Method, form: str, kind: str, strict: bool
) -> None:
    arguments = method.arguments(emulator)
    answers = with_client(emulator, kind, lambda client: called(client, method, form, arguments), strict)
    assert answers
    assert_sound(answers, method.shapes)


@STRICTNESS
@BOTH_KINDS
def test_parse_gives_the_model_asked_for(emulator: RunningEmulator, kind: str, strict: bool) -> None:
    async def call(client: Any) -> Any:
        return await ready(client.messages.parse(**asked(), output_format=Summary))

    message = with_client(emulator, kind, call, strict)
    message.model_dump_json(warnings="error")
    assert isinstance(message.parsed_output, Summary)
    assert "Clodagh" in message.parsed_output.summary
    assert list(unknown_fields(message)) == []


STREAMED: dict[str, dict[str, Any]] = {
    "words": {},
    "thinking": {"thinking": None, "max_tokens": 4_000},
    "a format": {"output_format": Summary},
    "cut short": {"max_tokens": 5},
}


@STRICTNESS
@BOTH_KINDS
@pytest.mark.parametrize("change", STREAMED.values(), ids=STREAMED)
def test_a_stream_ends_in_the_message_that_create_gives(
    emulator: RunningEmulator, change: dict[str, Any], kind: str, strict: bool
) -> None:
    async def call(client: Any) -> tuple[list[Any], Any, str]:
        manager = client.messages.stream(**asked(**change))
        if kind == "sync":
            with manager as stream:
                return list(stream), stream.get_final_message(), stream.get_final_text()
        async with manager as stream:
            events = [event async for event in stream]
            return events, await stream.get_final_message(), await stream.get_final_text()

    events, message, words = with_client(emulator, kind, call, strict)
    message.model_dump_json(warnings="error")
    messages: Any = emulator.client().messages
    plain = (messages.parse if "output_format" in change else messages.create)(**asked(**change))
    assert "".join(event.text for event in events if event.type == "text") == words
    assert [block.type for block in message.content] == [block.type for block in plain.content]
    assert (words, message.stop_reason) == (plain.content[-1].text, plain.stop_reason)
    assert message.usage.output_tokens == plain.usage.output_tokens
    if "output_format" in change:
        assert message.parsed_output == plain.parsed_output


@BOTH_KINDS
@pytest.mark.parametrize("limit", [1, 2, 3, 1_000])
def test_auto_paging_gives_every_model_once_newest_first(
    emulator: RunningEmulator, kind: str, limit: int
) -> None:
    async def call(client: Any) -> list[Any]:
        pages = client.models.list(limit=limit)
        return [model async for model in pages] if kind == "async" else list(pages)

    models = with_client(emulator, kind, call)
    page = emulator.client().models.list(limit=limit)
    assert page.data == models[:limit]
    assert page.has_more is (limit < len(models))
    assert len({model.id for model in models}) == len(models) > 3
    known = [model.created_at for model in models if model.created_at.year > 1970]
    assert known == sorted(known, reverse=True)


@BOTH_KINDS
def test_a_retired_model_is_listed_when_it_is_asked_for_and_can_be_looked_up(
    emulator: RunningEmulator, kind: str
) -> None:
    async def call(client: Any) -> tuple[Any, Any]:
        page = await ready(client.models.list(lifecycle=["retired"]))
        return page.data, await ready(client.models.retrieve("claude-3-haiku-20240307"))

    listed, found = with_client(emulator, kind, call)
    assert listed == [found]
    assert found.lifecycle == "retired"
    assert found.id not in [model.id for model in emulator.client().models.list()]
