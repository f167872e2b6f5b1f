"""The process: a free port, the base URL as the first line on stdout, and a clean end on SIGTERM."""

import asyncio
import logging
import signal
import socket
import sys

import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol

from emulator.app import build_app
from emulator.books.store import NotOurFile
from emulator.settings import Settings

HOST = "127.0.0.1"
BACKLOG = 2_048
SHUTDOWN_SECONDS = 1


class Protocol(H11Protocol):
    """HTTP/1.1 that lets an endpoint reach its connection, so that a fault can reset it."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        # asyncio does this only for sockets it made itself; without it every answer waits 40 ms for an ACK.
        transport.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.app_state = {**self.app_state, "transport": transport}
        super().connection_made(transport)


class AnnouncingServer(uvicorn.Server):
    """Says where it is once it can be reached."""

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets=sockets)
        if self.started and sockets:
            print(f"http://{HOST}:{sockets[0].getsockname()[1]}", flush=True)


def serve(settings: Settings) -> None:
    """Run until SIGTERM or SIGINT, then end with status 0."""
    logging.basicConfig(level=logging.WARNING)
    # uvicorn raises the signal that stopped it once more after its shutdown; by then there is nothing left to
    # stop.
    signal.signal(signal.SIGTERM, _nothing_left)
    signal.signal(signal.SIGINT, _nothing_left)
    try:
        app = build_app(settings)
        listener = socket.create_server((HOST, settings.port), backlog=BACKLOG)
    except (NotOurFile, OSError) as error:
        sys.exit(f"The emulator did not start: {error}")
    config = uvicorn.Config(
        app,
        http=Protocol,
        ws="none",
        lifespan="off",
        log_config=None,
        access_log=False,
        server_header=False,
        timeout_keep_alive=75,
        timeout_graceful_shutdown=SHUTDOWN_SECONDS,
    )
    AnnouncingServer(config).run(sockets=[listener])


def _nothing_left(signal_number: int, frame: object) -> None:
    """Let the process end in its own way."""
