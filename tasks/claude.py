"""The model's API: one request, through the official SDK, without any retry of its own."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import anthropic
import httpx2
from anthropic import AsyncAnthropic
from anthropic.types import Message

from core.errors import BadInput, BooksDisagree, Transient
from core.retry import Failure
from core.settings import Settings
from core.states import ServiceTier
from core.usage import merged, usage_of
from core.verdict import Reply

HeadersCame = Callable[[Mapping[str, str]], Awaitable[None]]

TIMEOUT_SECONDS = 120.0  # for one request from start to end; far shorter than the shortest lease


class CallFailed(Transient):
    """The API gave no answer; `failure` says all that is known, without any text."""

    def __init__(self, failure: Failure) -> None:
        super().__init__(f"{failure.error_type} (status {failure.status})")
        self.failure = failure


def make_client(settings: Settings) -> AsyncAnthropic:
    """Return a client; create it inside the running loop. Raises NotReady when nothing says where to call.

    Whatever the logs are set to, the SDK's own never tell whole requests: they hold what is said of children.
    """
    settings.require_api()
    logger = logging.getLogger("anthropic")
    logger.setLevel(max(logging.INFO, logger.getEffectiveLevel()))
    key = settings.anthropic_api_key
    return AsyncAnthropic(
        api_key=key.get_secret_value() if key else "rehearsal",  # the emulator takes any key
        base_url=settings.base_url,
        max_retries=0,
        timeout=TIMEOUT_SECONDS,
    )


async def ask(
    client: AsyncAnthropic,
    body: Mapping[str, Any],
    headers_came: HeadersCame,
    begun: Callable[[], Awaitable[None]] | None = None,
) -> Reply:
    """Make one request. With `begun`, the answer is streamed and `begun` is called when it begins.

    `headers_came` is given the headers of every answer, also of one that turns the request away. Raises
    CallFailed when there is no answer that could be read whole; what the errors of others say of the request
    stays inside it, for they may quote it.
    """
    try:
        async with asyncio.timeout(TIMEOUT_SECONDS):
            if begun is None:
                return await _ask(client, body, headers_came)
            return await _ask_streaming(client, body, headers_came, begun)
    except anthropic.APIError as error:
        if isinstance(error, anthropic.APIStatusError):
            await headers_came(error.response.headers)
        raise CallFailed(failure_of(error)) from None
    except httpx2.HTTPError:  # the SDK wraps these only until a stream's headers are there
        raise CallFailed(Failure(status=None, error_type="connection_lost")) from None
    except TimeoutError:
        raise CallFailed(Failure(status=None, error_type="timeout")) from None
    except (ValueError, AttributeError):  # a stream whose events are none
        raise CallFailed(Failure(status=200, error_type="answer_unreadable")) from None
    except (BadInput, BooksDisagree):  # of `usage_of`: paid for, but nobody can say how much
        raise CallFailed(Failure(status=200, error_type="usage_unreadable")) from None


async def count_tokens(client: AsyncAnthropic, body: Mapping[str, Any]) -> int:
    """Return the input tokens of a request as the API counts them, free. Raises CallFailed as `ask`."""
    try:
        counted = await client.messages.count_tokens(**body)
    except anthropic.APIError as error:
        raise CallFailed(failure_of(error)) from None
    if not isinstance(getattr(counted, "input_tokens", None), int):
        raise CallFailed(Failure(status=200, error_type="answer_unreadable"))
    return counted.input_tokens


async def _ask(
    client: AsyncAnthropic,
    body: Mapping[str, Any],
    headers_came: HeadersCame,
) -> Reply:
    raw = await client.messages.with_raw_response.create(**body)
    await headers_came(raw.headers)
    message = await raw.parse()
    # The SDK builds its objects from whatever came with a 200, a proxy's page of HTML included.
    if not isinstance(message, Message) or not isinstance(message.content, list) or message.usage is None:
        raise CallFailed(Failure(status=200, error_type="answer_unreadable"))
    return _reply(
        text="".join(block.text for block in message.content if block.type == "text"),
        stop_reason=message.stop_reason,
        model=message.model,
        usage=message.usage.to_dict(),
        request_id=raw.headers.get("request-id"),
    )


async def _ask_streaming(
    client: AsyncAnthropic,
    body: Mapping[str, Any],
    headers_came: HeadersCame,
    begun: Callable[[], Awaitable[None]],
) -> Reply:
    texts: list[str] = []
    usage: Mapping[str, Any] = {}
    model, stop_reason, ended = "", None, False
    stream = await client.messages.create(**body, stream=True)
    await headers_came(stream.response.headers)
    async with stream:
        async for event in stream:
            if event.type == "message_start":
                model, usage = event.message.model, event.message.usage.to_dict()
                await begun()
            elif event.type == "content_block_delta" and event.delta.type == "text_delta":
                texts.append(event.delta.text)
            elif event.type == "message_delta":
                stop_reason, usage = event.delta.stop_reason, merged(usage, event.usage.to_dict())
            elif event.type == "message_stop":
                ended = True
    request_id = stream.response.headers.get("request-id")
    if not ended:
        reason = "answer_cut" if usage else "answer_unreadable"  # what never began is no stream at all
        raise CallFailed(Failure(status=200, error_type=reason, request_id=request_id))
    return _reply("".join(texts), stop_reason, model, usage, request_id)


def _reply(
    text: str,
    stop_reason: str | None,
    model: str,
    usage: Mapping[str, Any],
    request_id: str | None,
    service_tier: ServiceTier = ServiceTier.STANDARD,  # where the answer does not say
) -> Reply:
    return Reply(
        text=text,
        stop_reason=stop_reason,
        model=model,
        usage=usage_of(usage),
        service_tier=usage.get("service_tier") or service_tier,
        inference_geo=usage.get("inference_geo"),
        request_id=request_id,
    )


def reply_of(message: Mapping[str, Any]) -> Reply:
    """Read a message as a batch's results have it. Raises CallFailed for one that cannot be read whole."""
    try:
        return _reply(
            text="".join(block["text"] for block in message["content"] if block["type"] == "text"),
            stop_reason=message["stop_reason"],
            model=message["model"],
            usage=message["usage"],
            request_id=message.get("id"),
            service_tier=ServiceTier.BATCH,
        )
    except (KeyError, TypeError, AttributeError, BadInput, BooksDisagree):
        raise CallFailed(Failure(status=200, error_type="answer_unreadable")) from None


def failure_of(error: anthropic.APIError) -> Failure:
    """Reduce an SDK error to what decides: status, type, code, retry-after."""
    if isinstance(error, anthropic.APIStatusError):
        return Failure(
            status=error.status_code,
            error_type=error.type or "unknown_error",
            error_code=error.error_code,
            retry_after_seconds=_seconds(error.response.headers.get("retry-after")),
            request_id=error.request_id,
        )
    if isinstance(error, anthropic.APITimeoutError):
        never = isinstance(error.__cause__, httpx2.ConnectTimeout | httpx2.PoolTimeout)
        return Failure(status=None, error_type="not_connected" if never else "timeout")
    if isinstance(error, anthropic.APIConnectionError) and isinstance(error.__cause__, httpx2.ConnectError):
        return Failure(status=None, error_type="not_connected")
    return Failure(status=None, error_type="connection_lost")


def _seconds(header: str | None) -> float | None:
    """Read a retry-after header; anything but a number of seconds counts as not given."""
    try:
        return max(0.0, float(header)) if header is not None else None
    except ValueError:
        return None
