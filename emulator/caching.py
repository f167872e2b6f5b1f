"""The prompt cache: which prefix is read, which is written, and who pays what.

Source: the prompt-caching guide. Rules, each with a test of its own:
- entries are keyed by model, workspace and the exact prefix; they are written at breakpoints only;
- a breakpoint looks back over at most 20 positions, itself included, for an entry it can read;
- prefixes below the model's minimum are silently not cached;
- a lifetime (5m, 1h) runs from the start of the request and begins anew, for free, with every use;
- an entry is readable once the answer of the request that wrote it has begun;
- A/B/C: with A = tokens at the highest hit, B = at the highest 1h breakpoint after A (else A), C = at the
  last breakpoint: read = A, write_1h = B - A, write_5m = C - B, the rest is input.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Literal

from emulator.prompt import Prompt, chain
from emulator.wire import Ttl

LIFETIME = {"5m": timedelta(minutes=5), "1h": timedelta(hours=1)}
LOOK_BACK_POSITIONS = 20
SWEEP_EVERY_WRITES = 1_000

Key = tuple[str, str, bytes]
Action = Literal["read", "write", "none"]


@dataclass(frozen=True, slots=True)
class Entry:
    """A cached prefix: its lifetime, when it can first be read, and when it ends unless used."""

    ttl: Ttl
    readable_at: datetime
    expires_at: datetime


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
    read_tokens: int
    write_5m_tokens: int
    write_1h_tokens: int
    input_tokens: int
    prefixes: tuple[PrefixUse, ...]


@dataclass(frozen=True, slots=True)
class _Position:
    digest: bytes
    tokens: int
    ttl: Ttl | None


class PromptCache:
    """All entries of one kind of traffic (live; batches would have one of their own)."""

    def __init__(self) -> None:
        self._entries: dict[Key, Entry] = {}
        self._writes_since_sweep = 0

    def __len__(self) -> int:
        return len(self._entries)

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
        hit = None if miss else self._highest_hit(key, positions, marked, now)
        if hit is not None and positions[hit].ttl is None:
            # Found by looking back to where an earlier request had its marker: reported with that entry's
            # lifetime.
            positions[hit] = replace(positions[hit], ttl=self._entries[(*key, positions[hit].digest)].ttl)
        return _bill(key, prompt.tokens, positions, marked, hit)

    def commit(self, plan: CachePlan, *, started: datetime, begins: datetime) -> None:
        """Make a plan's writes real, readable from `begins`, and refresh the entry it read."""
        if plan.hit is not None:
            self._refresh((*plan.key, plan.hit), started)
        for prefix in plan.prefixes:
            if prefix.action == "write":
                self._write((*plan.key, prefix.digest), prefix.ttl, started, begins)
        if self._writes_since_sweep >= SWEEP_EVERY_WRITES:
            self._sweep(started)

    def _highest_hit(
        self, key: tuple[str, str], positions: Sequence[_Position], marked: Sequence[int], now: datetime
    ) -> int | None:
        for breakpoint_ in reversed(marked):
            for i in range(breakpoint_, max(breakpoint_ - LOOK_BACK_POSITIONS, -1), -1):
                entry = self._entries.get((*key, positions[i].digest))
                if entry and entry.readable_at <= now < entry.expires_at:
                    return i
        return None

    def _refresh(self, key: Key, now: datetime) -> None:
        # The entry keeps its own lifetime: a 5m entry read through a 1h marker stays a 5m entry. That, and
        # that the shorter prefixes inside the one read are not refreshed with it, is the dearer reading of an
        # open point.
        entry = self._entries[key]
        self._entries[key] = replace(entry, expires_at=max(entry.expires_at, now + LIFETIME[entry.ttl]))

    def _write(self, key: Key, ttl: Ttl, started: datetime, begins: datetime) -> None:
        self._writes_since_sweep += 1
        new = Entry(ttl, begins, started + LIFETIME[ttl])
        old = self._entries.get(key)
        if old is None or old.expires_at <= started:
            self._entries[key] = new
            return
        # Two cold requests at once both pay; the earlier answer opens the entry, the longer lifetime keeps
        # it.
        longer = max(old, new, key=lambda entry: LIFETIME[entry.ttl])
        readable_at = min(old.readable_at, new.readable_at)
        self._entries[key] = Entry(longer.ttl, readable_at, max(old.expires_at, new.expires_at))

    def _sweep(self, now: datetime) -> None:
        self._entries = {key: entry for key, entry in self._entries.items() if entry.expires_at > now}
        self._writes_since_sweep = 0


def _bill(
    key: tuple[str, str], total: int, positions: Sequence[_Position], marked: Sequence[int], hit: int | None
) -> CachePlan:
    """Share the prompt out over the classes by A, B and C."""
    a = 0 if hit is None else positions[hit].tokens
    after = [positions[i] for i in marked if hit is None or i > hit]
    b = max((p.tokens for p in after if p.ttl == "1h"), default=a)
    c = max((p.tokens for p in after), default=a)
    return CachePlan(
        key=key,
        hit=None if hit is None else positions[hit].digest,
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
