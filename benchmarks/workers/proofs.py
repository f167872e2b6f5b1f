"""What must hold of the books after a run, whoever ran it: pure functions on rows of ledger and meter."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

LIFETIMES = {"5m": timedelta(minutes=5), "1h": timedelta(hours=1)}
ANSWERED = {"succeeded"}
UNUSED = {"unusable", "refused", "rejected", "lost"}  # what an insight may be asked about again after


class ProofFailed(Exception):
    """Something that must hold does not: the message says what, and of what."""


def asked_twice(attempts: Iterable[tuple[str, Sequence[str]]]) -> list[str]:
    """Give the insights that are in more attempts than failures of theirs allow for.

    `attempts`: outcome and insights of each. Allowed: any number of failures, and one answer.
    """
    answers: Counter[str] = Counter()
    for outcome, insights in attempts:
        if outcome not in UNUSED:
            answers.update(insights)
    return sorted(insight for insight, number in answers.items() if number > 1)


def unanswered(attempts: Iterable[tuple[str, Sequence[str]]], summarized: Iterable[str]) -> list[str]:
    """Give the insights that have a summary, but no attempt on the ledger that was answered."""
    answered = {insight for outcome, insights in attempts if outcome in ANSWERED for insight in insights}
    return sorted(set(summarized) - answered)


def asked_again(answered: Iterable[str], later: Iterable[str]) -> list[str]:
    """Give the insights that somebody asked about later, though they had their answer."""
    return sorted(set(answered) & set(later))


def prefix_writes(calls: Iterable[Mapping[str, Any]]) -> tuple[int, dict[str, int]]:
    """Give how many prefixes several calls begin with, and those written more than once while still warm.

    `calls`: the emulator's, in the order of their beginning. An entry lives from its last write or read for
    its lifetime; a write after that is no second one.
    """
    uses: Counter[str] = Counter()
    warm_until: dict[str, datetime] = {}
    again: defaultdict[str, int] = defaultdict(int)
    for call in calls:
        at = datetime.fromisoformat(call["at"])
        for prefix in call["prefixes"]:
            key, action = prefix["hash"], prefix["action"]
            uses[key] += 1
            if action == "write" and warm_until.get(key, at) > at:
                again[key] += 1
            if action in ("read", "write"):
                warm_until[key] = at + LIFETIMES[prefix["ttl"]]
    return sum(number > 1 for number in uses.values()), dict(again)


def book_differences(
    booked: Iterable[Mapping[str, Any]], metered: Iterable[Mapping[str, Any]]
) -> dict[str, tuple[Any, Any]]:
    """Give where the sums of the ledger by model and service tier are not the meter's, to the last digit."""
    ours, theirs = _by_tier(booked), _by_tier(metered)
    return {
        key: (ours.get(key), theirs.get(key))
        for key in sorted(ours | theirs)
        if ours.get(key) != theirs.get(key)
    }


def _by_tier(rows: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
    figures = {}
    for row in rows:
        for name, value in row.items():
            if name not in ("model", "service_tier"):
                exact = Decimal(str(value)).normalize()
                figures[f"{row['model']} {row['service_tier']} {name}"] = exact
    return figures


def hold(name: str, wrong: object) -> None:
    """Raise ProofFailed when there is anything wrong."""
    if wrong:
        raise ProofFailed(f"{name}: {str(wrong)[:2000]}")
