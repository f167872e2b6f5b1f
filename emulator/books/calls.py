"""The last requests, one by one: a bounded ring for whoever compares them with a ledger."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from emulator.books.caching import PrefixUse
from emulator.books.prices import decimal_text
from emulator.books.store import Store
from emulator.books.usage import Usage
from emulator.clock import rfc3339

RING_SIZE = 100_000

# The status of a call whose connection was closed without an answer.
NO_ANSWER = 0


@dataclass(frozen=True)
class Arrival:
    """Who asked what, and when."""

    at: datetime
    path: str
    workspace: str
    attempt: int


class CallRing:
    """Calls are numbered from 1; only the last 100,000 are kept, each as the JSON it will be asked for."""

    def __init__(self, store: Store, size: int = RING_SIZE) -> None:
        self._store = store
        self._size = size
        (last,) = store.one("SELECT coalesce(max(n), 0) FROM call")
        self._added: int = last

    def add(
        self,
        arrival: Arrival,
        *,
        model: str | None,
        status: int,
        prefixes: Sequence[PrefixUse] = (),
        usage: Usage | None = None,
        cost_usd: Decimal = Decimal(0),
    ) -> None:
        """Keep one call; one without usage was never worked on."""
        self._added += 1
        call = {
            "n": self._added,
            "at": rfc3339(arrival.at),
            "path": arrival.path,
            "workspace": arrival.workspace,
            "model": model,
            "attempt": arrival.attempt,
            "prefixes": [
                {"hash": use.digest.hex(), "tokens": use.tokens, "action": use.action, "ttl": use.ttl}
                for use in prefixes
            ],
            "usage": usage.as_message_usage() if usage else None,
            "cost_usd": decimal_text(cost_usd),
            "status": status,
        }
        self._store.run(
            "INSERT INTO call VALUES (?, ?)", self._added, json.dumps(call, separators=(",", ":"))
        )
        self._store.run("DELETE FROM call WHERE n <= ?", self._added - self._size)

    def page(self, after: int, limit: int) -> str:
        """`{"calls", "next"}` as JSON: the kept calls above `after`; `next` is the next page's `after`."""
        query = "SELECT n, body FROM call WHERE n > ? ORDER BY n LIMIT ?"
        page = self._store.run(query, after, min(limit, self._size)).fetchall()
        following = page[-1][0] if page else after
        return f'{{"calls":[{",".join(body for _, body in page)}],"next":{following}}}'
