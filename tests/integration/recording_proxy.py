"""A proxy before an emulator that keeps the requests: for what a meter does not tell."""

import json
import threading
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

HOP_BY_HOP = {
    "connection",
    "transfer-encoding",
    "content-length",
    "server",
    "date",
    "host",
    "accept-encoding",
}


@dataclass
class Recorded:
    """The address of the proxy, and the bodies of the messages that were asked for through it."""

    base_url: str = ""
    bodies: list[dict[str, Any]] = field(default_factory=list)


@contextmanager
def recording_proxy(upstream: str) -> Iterator[Recorded]:
    """Pass every POST on to the emulator; answers come whole, also those that are streamed."""
    recorded = Recorded()

    class Proxy(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            if self.path == "/v1/messages":
                recorded.bodies.append(json.loads(body))
            status, headers, answer = forwarded(upstream + self.path, body, dict(self.headers))
            self.send_response(status)
            for name, value in headers.items():
                if name.lower() not in HOP_BY_HOP:
                    self.send_header(name, value)
            self.send_header("content-length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

        def log_message(self, format: str, *args: Any) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Proxy)
    recorded.base_url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    try:
        yield recorded
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def forwarded(url: str, body: bytes, headers: dict[str, str]) -> tuple[int, dict[str, str], bytes]:
    """Send a request on; gives status, headers and body of what comes back."""
    sent = {name: value for name, value in headers.items() if name.lower() not in HOP_BY_HOP}
    request = urllib.request.Request(url, data=body, headers=sent, method="POST")
    try:
        with urllib.request.urlopen(request, timeout=30) as answer:
            return answer.status, dict(answer.headers), answer.read()
    except urllib.error.HTTPError as refused:
        return refused.code, dict(refused.headers), refused.read()
