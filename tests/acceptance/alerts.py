"""Where alerts go in these tests: a web server that keeps what it is sent."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread


@dataclass
class Alerts:
    """The address to post to, and the bodies that were posted."""

    url: str = ""
    bodies: list[bytes] = field(default_factory=list)


@contextmanager
def kept_alerts() -> Iterator[Alerts]:
    """Keep what is posted until the block ends."""
    alerts = Alerts()

    class Keep(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            alerts.bodies.append(self.rfile.read(int(self.headers["content-length"])))
            self.send_response(200)
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:
            """Say nothing on stderr."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Keep) as server:
        alerts.url = f"http://127.0.0.1:{server.server_port}/alerts"
        thread = Thread(target=server.serve_forever)
        thread.start()
        try:
            yield alerts
        finally:
            server.shutdown()
            thread.join()
