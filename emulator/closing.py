"""Answers that are no answer: the connection is reset, at once or in the middle of the body."""

import asyncio
import socket
import struct
from collections.abc import Mapping

from starlette.responses import Response, StreamingResponse
from starlette.types import Receive, Scope, Send

# Linger switched on with a time of 0: closing sends a reset instead of an orderly end.
RESET_ON_CLOSE = struct.pack("ii", 1, 0)


class ClosedConnection(Response):
    """Sends the part it was given, if any, then resets the connection."""

    def __init__(
        self, part: bytes = b"", *, whole_length: int = 0, headers: Mapping[str, str] | None = None
    ) -> None:
        super().__init__(None, headers=headers)
        self._part = part
        self._whole_length = whole_length

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if self._part:
            self.headers["content-type"] = "application/json"
            self.headers["content-length"] = str(self._whole_length)
            await send({"type": "http.response.start", "status": 200, "headers": self.raw_headers})
            await send({"type": "http.response.body", "body": self._part, "more_body": True})
        await reset_connection(scope, receive)


class CutStream(StreamingResponse):
    """Sends what its body yields, then resets the connection instead of ending the answer."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": self.raw_headers})
        async for chunk in self.body_iterator:
            await send({"type": "http.response.body", "body": chunk, "more_body": True})
        await reset_connection(scope, receive)


async def reset_connection(scope: Scope, receive: Receive) -> None:
    """Reset the request's TCP connection, and return when the server has noticed."""
    transport: asyncio.Transport = scope["state"]["transport"]
    connection: socket.socket = transport.get_extra_info("socket")
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET_ON_CLOSE)
    transport.abort()
    while (await receive())["type"] != "http.disconnect":
        pass
