"""The prompt cache: which prefix is read, which is written, and who pays what.

Source: the prompt-caching guide. Rules, each with a test of its own:
- entries are keyed by model, workspace and the exact prefix; they are written at breakpoints only;
- a breakpoint looks back over at most 20 positions, itself included, for an entry it can read;
- prefixes below the model's minimum are silently not cached;
- a lifetime (5m, 1h) runs from the start of the request and begins anew, for free, with every use;
- an entry is readable once the answer of the request that wrote it has begun;
- live requests and batches have caches of their own;
- A/B/C: with A = tokens at the highest hit, B = at the highest 1h breakpoint after A (else A), C = at the
  last breakpoint: read = A, write_1h = B - A, write_5m = C - B, the rest is input.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Literal

from emulator.books.store import Store, micros
from emulator.request.prompt import Prompt, chain
from emulator.request.shapes import Ttl

LIFETIME: dict[Ttl, timedelta] = {"5m": timedelta(minutes=5), "1h": timedelta(hours=1)}
LOOK_BACK_POSITIONS = 20
SWEEP_EVERY_WRITES = 1_000

Lane = Literal["live", "batch"]
Action = Literal["read", "write", "none"]


@dataclass(frozen=True, slots=True)
class PrefixUse:
    """What happened to one prefix in one request; `none` is a marked prefix below the minimum."""

    digest: bytes
    tokens: int
    action: Action
    ttl: Ttl


@dataclass(frozen=True, slots=True)
class CachePlan:
    """What a request would read and write; nothing has happened until it is committed."""

    key: tuple[str, str]
    hit: bytes | None
    hit_ttl: Ttl | None
    read_tokens: int
    write_5m_tokens: int
    write_1h_tokens: int
    input_tokens: int
    prefixes: tuple[PrefixUse, ...]

    @property
    def limited_input_tokens(self) -> int:
        """What counts towards input tokens per minute: all but reads."""
        return self.input_tokens + self.write_5m_tokens + self.write_1h_tokens


@dataclass(frozen=True, slots=True)
class _Position:
    digest: bytes
    tokens: int
    ttl: Ttl | None


class PromptCache:
    """All entries of one lane; they live in the store."""

    def __init__(self, store: Store, lane: Lane = "live") -> None:
        self._store = store
        self._lane = lane
        self._writes_since_sweep = 0

    def __len__(self) -> int:
        (count,) = self._store.one("SELECT count(*) FROM cache_entry WHERE lane = ?", self._lane)
        return int(count)

    def plan(
        self,
        model: str,
        workspace: str,
        prompt: Prompt,
        *,
        minimum_tokens: int,
        now: datetime,
        miss: bool = False,
    ) -> CachePlan:
        """What this prompt reads and writes at `now`; with `miss`, as if nothing were cached."""
        blocks = zip(chain(prompt), prompt.blocks, strict=True)
        positions = [_Position(digest, tokens, block.ttl) for (digest, tokens), block in blocks]
        marked = [i for i, p in enumerate(positions) if p.ttl and p.tokens >= minimum_tokens]
        key = (model, workspace)
        hit, hit_ttl = (None, None) if miss else self._highest_hit(key, positions, marked, now)
        if hit is not None and positions[hit].ttl is None:
            # Found by looking back to where an earlier request had its marker: reported with that entry's
            # lifetime.
            positions[hit] = replace(positions[hit], ttl=hit_ttl)
        return _bill(key, prompt.tokens, positions, marked, hit, hit_ttl)

    def commit(self, plan: CachePlan, *, started: datetime, begins: datetime) -> None:
        """Make a plan's writes real, readable from `begins`, and refresh the entry it read."""
        with self._store.transaction():
            if plan.hit is not None and plan.hit_ttl is not None:
                self._refresh(plan.key, plan.hit, started + LIFETIME[plan.hit_ttl])
            for prefix in plan.prefixes:
                if prefix.action == "write":
                    self._write(plan.key, prefix, started, begins)
            if self._writes_since_sweep >= SWEEP_EVERY_WRITES:
                self._sweep(started)

    def _highest_hit(
        self, key: tuple[str, str], positions: Sequence[_Position], marked: Sequence[int], now: datetime
    ) -> tuple[int, Ttl] | tuple[None, None]:
        at = micros(now)
        for breakpoint_ in reversed(marked):
            for i in range(breakpoint_, max(breakpoint_ - LOOK_BACK_POSITIONS, -1), -1):
                entry = self._store.one(READABLE, self._lane, *key, positions[i].digest, at, at)
                if entry:
                    return i, entry[0]
        return None, None

    def _refresh(self, key: tuple[str, str], digest: bytes, expires_at: datetime) -> None:
        # The entry keeps its own lifetime: a 5m entry read through a 1h marker stays a 5m entry. That, and
        # that the shorter prefixes inside the one read are not refreshed with it, is the dearer reading of an
        # open point.
        self._store.run(REFRESH, micros(expires_at), self._lane, *key, digest)

    def _write(self, key: tuple[str, str], prefix: PrefixUse, started: datetime, begins: datetime) -> None:
        self._writes_since_sweep += 1
        expires_at = started + LIFETIME[prefix.ttl]
        times = (micros(begins), micros(expires_at))
        self._store.run(WRITE, self._lane, *key, prefix.digest, prefix.ttl, *times, micros(started))

    def _sweep(self, now: datetime) -> None:
        # Only this lane: batches may be looked at later than live requests, at their own, earlier times.
        self._store.run("DELETE FROM cache_entry WHERE lane = ? AND expires_at <= ?", self._lane, micros(now))
        self._writes_since_sweep = 0


READABLE = """
    SELECT ttl FROM cache_entry
    WHERE lane = ? AND model = ? AND workspace = ? AND digest = ? AND readable_at <= ? AND expires_at > ?
"""
REFRESH = """
    UPDATE cache_entry SET expires_at = max(expires_at, ?)
    WHERE lane = ? AND model = ? AND workspace = ? AND digest = ?
"""
# Over an entry that has ended, a new one. Over a living one (two cold requests at once both pay) the earlier
# answer opens the entry and the longer lifetime keeps it ('5m' sorts behind '1h').
WRITE = """
    INSERT INTO cache_entry VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)
    ON CONFLICT DO UPDATE SET
        ttl = iif(expires_at <= ?8, excluded.ttl, min(ttl, excluded.ttl)),
        readable_at = iif(expires_at <= ?8, excluded.readable_at, min(readable_at, excluded.readable_at)),
        expires_at = max(expires_at, excluded.expires_at)
"""


def _bill(
    key: tuple[str, str],
    total: int,
    positions: Sequence[_Position],
    marked: Sequence[int],
    hit: int | None,
    hit_ttl: Ttl | None,
) -> CachePlan:
    """Share the prompt out over the classes by A, B and C."""
    a = 0 if hit is None else positions[hit].tokens
    after = [positions[i] for i in marked if hit is None or i > hit]
    b = max((p.tokens for p in after if p.ttl == "1h"), default=a)
    c = max((p.tokens for p in after), default=a)
    return CachePlan(
        key=key,
        hit=None if hit is None else positions[hit].digest,
        hit_ttl=hit_ttl,
        read_tokens=a,
        write_1h_tokens=b - a,
        write_5m_tokens=c - b,
        input_tokens=total - c,
        prefixes=tuple(_uses(positions, marked, hit)),
    )


def _uses(positions: Sequence[_Position], marked: Sequence[int], hit: int | None) -> list[PrefixUse]:
    """The fate of each marked prefix, and of the one a look-back found between markers."""
    uses: list[PrefixUse] = []
    for i, position in enumerate(positions):
        if position.ttl is None:
            continue
        covered = hit is not None and i <= hit
        action: Action = "none" if i != hit and i not in marked else "read" if covered else "write"
        uses.append(PrefixUse(position.digest, position.tokens, action, position.ttl))
    return uses
