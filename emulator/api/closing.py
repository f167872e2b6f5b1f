"""Answers that are no answer: the connection is reset at once, or ends in the middle of the body."""

import asyncio
import socket
import struct

from starlette.responses import Response, StreamingResponse
from starlette.types import Receive, Scope, Send

# Linger switched on with a time of 0: closing sends a reset instead of an orderly end.
RESET_ON_CLOSE = struct.pack("ii", 1, 0)


class ResetConnection(Response):
    """Not a byte of an answer: the client sees its connection reset."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        transport = _transport(scope)
        connection: socket.socket = transport.get_extra_info("socket")
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET_ON_CLOSE)
        transport.abort()
        await _disconnected(receive)


class CutAnswer(StreamingResponse):
    """Sends what its body yields, then ends the connection although more was announced.

    The end is orderly, because a reset would also destroy what the client has not read yet.
    """

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": self.raw_headers})
        async for chunk in self.body_iterator:
            await send({"type": "http.response.body", "body": chunk, "more_body": True})
        _transport(scope).close()
        await _disconnected(receive)


def _transport(scope: Scope) -> asyncio.Transport:
    transport: asyncio.Transport = scope["state"]["transport"]
    return transport


async def _disconnected(receive: Receive) -> None:
    """Wait until the server has noticed, so that it does not answer in our place."""
    while (await receive())["type"] != "http.disconnect":
        pass
