"""A vendor of batches that says what a test wants, byte by byte, and the lines of its results."""

import json
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from tests.integration.workers import START

VENDOR_ID = "msgbatch_1"
WORKED_SECONDS = 300
ANSWER = {
    "category": "normal",
    "category_confidence": 0.95,
    "reason": "",
    "summary": "Aoife is working on her left foot.",
    "confidence": 0.85,
    "flags": [],
}
USAGE = {"input_tokens": 200, "output_tokens": 140, "service_tier": "batch"}


@dataclass
class Vendor:
    """What it was asked to create, and the parts of the results, each sent as a chunk of its own."""

    base_url: str = ""
    batches: list[list[dict[str, Any]]] = field(default_factory=list)  # the requests of each
    parts: Sequence[bytes] = ()
    whole: bool = True  # else the connection ends without an end of the results

    @property
    def custom_ids(self) -> list[str]:
        """Those of all that was created, in its order."""
        return [one["custom_id"] for requests in self.batches for one in requests]


@contextmanager
def batch_vendor(*parts: bytes, whole: bool = True) -> Iterator[Vendor]:
    """Serve batches that have ended as soon as they are created, all with the same results."""
    vendor = Vendor(parts=parts, whole=whole)

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            asked = json.loads(self.rfile.read(int(self.headers["content-length"])))
            vendor.batches.append(asked["requests"])
            self._tell_batch(f"msgbatch_{len(vendor.batches)}")

        def do_GET(self) -> None:
            if not self.path.endswith("/results"):
                self._tell_batch(self.path.rpartition("/")[2])
                return
            self.send_response(200)
            self.send_header("content-type", "application/x-jsonl")
            self.send_header("transfer-encoding", "chunked")
            self.end_headers()
            for part in (*vendor.parts, *([b""] if vendor.whole else [])):
                self.wfile.write(f"{len(part):x}\r\n".encode() + part + b"\r\n")
                self.wfile.flush()
            self.close_connection = not vendor.whole

        def _tell_batch(self, vendor_id: str) -> None:
            body = json.dumps(ended(vendor_id, vendor.base_url)).encode()
            self.send_response(200)
            self.send_header("content-type", "application/json")
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: Any) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    vendor.base_url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    try:
        yield vendor
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def ended(vendor_id: str, base_url: str) -> dict[str, Any]:
    """A batch that has ended some minutes after it was created, as the API shows it."""
    return {
        "id": vendor_id,
        "type": "message_batch",
        "processing_status": "ended",
        "request_counts": {"processing": 0, "succeeded": 1, "errored": 0, "canceled": 0, "expired": 0},
        "created_at": START.isoformat(),
        "expires_at": (START + timedelta(days=1)).isoformat(),
        "ended_at": (START + timedelta(seconds=WORKED_SECONDS)).isoformat(),
        "cancel_initiated_at": None,
        "archived_at": None,
        "results_url": f"{base_url}/v1/messages/batches/{vendor_id}/results",
    }


def line(custom_id: str, result: Any, *, ascii_only: bool = False) -> bytes:
    """A line of the results."""
    told = json.dumps({"custom_id": custom_id, "result": result}, ensure_ascii=ascii_only)
    return told.encode() + b"\n"


def answer(summary: str, **changed: Any) -> dict[str, Any]:
    """What the model says of one insight."""
    return ANSWER | {"summary": summary} | changed


def succeeded(said: Any, **changed: Any) -> dict[str, Any]:
    """A result with an answer; a list is the answers of a pack, a text is what it is."""
    if isinstance(said, list):
        said = {"answers": [{"id": str(place), **one} for place, one in enumerate(said, 1)]}
    message = {
        "id": "msg_1",
        "type": "message",
        "role": "assistant",
        "model": "claude-haiku-5-5",
        "content": [{"type": "text", "text": said if isinstance(said, str) else json.dumps(said)}],
        "stop_reason": "end_turn",
        "stop_sequence": None,
        "usage": USAGE,
    }
    return {"type": "succeeded", "message": message | changed}
