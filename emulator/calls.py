"""The last requests, one by one: a bounded ring for whoever compares them with a ledger."""

import json
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from itertools import islice

from emulator.caching import PrefixUse
from emulator.clock import rfc3339
from emulator.prices import decimal_text
from emulator.usage import Usage

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

    def __init__(self, size: int = RING_SIZE) -> None:
        self._ring: deque[str] = deque(maxlen=size)
        self._added = 0

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
        self._ring.append(json.dumps(call, separators=(",", ":")))

    def page(self, after: int, limit: int) -> str:
        """`{"calls", "next"}` as JSON: the kept calls above `after`; `next` is the next page's `after`."""
        first_kept = self._added - len(self._ring) + 1
        start = max(after + 1, first_kept)
        page = list(islice(self._ring, start - first_kept, start - first_kept + limit))
        following = start + len(page) - 1 if page else after
        return f'{{"calls":[{",".join(page)}],"next":{following}}}'
