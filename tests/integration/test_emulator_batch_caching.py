"""What batches cost and what their items can see of each other."""

from decimal import Decimal
from typing import Any

from tests.integration.emulator_batches import (
    DELAY_SECONDS,
    LONG,
    LONG_TOKENS,
    create,
    finished,
    item,
    read_tokens,
    retrieve,
)
from tests.integration.emulator_process import RunningEmulator, running_emulator
from tests.integration.emulator_requests import NOTE, classes, marked, send


def test_every_class_costs_half_and_the_usage_says_batch(emulator: RunningEmulator) -> None:
    two_lifetimes: dict[str, Any] = {"system": [marked(LONG, "1h"), marked("And now.", "5m")]}
    first = finished(emulator, item("a", **two_lifetimes))["a"].result
    second = finished(emulator, item("a", **two_lifetimes))["a"].result
    live = [
        send(emulator, messages=[{"role": "user", "content": f"{NOTE} a"}], **two_lifetimes) for _ in range(2)
    ]
    assert first.type == second.type == "succeeded"
    assert first.message.usage.service_tier == second.message.usage.service_tier == "batch"
    assert [classes(m.usage) for m in live] == [classes(r.message.usage) for r in (first, second)]
    assert live[0].content == first.message.content
    costs = [Decimal(call["cost_usd"]) for call in emulator.calls()]
    assert costs[:2] == [cost / 2 for cost in costs[2:]]
    tiers = {row["service_tier"]: row["requests"] for row in emulator.meter()["rows"]}
    assert tiers == {"batch": 2, "standard": 2}


def test_138_cold_items_read_nothing_and_cost_more_than_no_caching_and_after_a_batch_of_one_all_read(
    emulator: RunningEmulator,
) -> None:
    def bill(system: list[dict[str, Any]]) -> tuple[int, Decimal]:
        before = Decimal(emulator.meter()["cost_usd"])
        lines = finished(emulator, *[item(f"i{n}", system=system) for n in range(138)])
        cost = Decimal(emulator.meter()["cost_usd"]) - before
        return sum(read_tokens(line) == LONG_TOKENS for line in lines.values()), cost

    plain = [{"type": "text", "text": LONG}]
    (_, uncached), (cold_reads, cold) = bill(plain), bill([marked(LONG, "1h")])
    emulator.advance(2 * 3_600)
    priming = create(emulator, item("prime", system=[marked(LONG, "1h")]))
    emulator.advance(DELAY_SECONDS + 10)
    assert retrieve(emulator, priming).processing_status == "ended"
    warm_reads, warm = bill([marked(LONG, "1h")])
    print(
        f"uncached ${uncached}, cold ${cold} ({cold / uncached:.3f}), primed ${warm} ({warm / uncached:.3f})"
    )
    assert (cold_reads, warm_reads) == (0, 138)
    assert warm < uncached < cold


def test_a_batch_sent_before_the_one_that_primes_it_has_started_reads_nothing(
    emulator: RunningEmulator,
) -> None:
    create(emulator, item("prime", system=[marked(LONG, "1h")]))
    assert [
        read_tokens(line) for line in finished(emulator, item("a", system=[marked(LONG, "1h")])).values()
    ] == [0]


def test_live_and_batch_caches_do_not_serve_each_other(emulator: RunningEmulator) -> None:
    send(emulator)
    assert read_tokens(finished(emulator, item("a"))["a"]) == 0
    other = [marked("Another prefix. " * 200)]
    finished(emulator, item("a", system=other))
    assert classes(send(emulator, system=other).usage)[3] == 0


def test_later_waves_of_a_batch_read_what_the_first_has_written() -> None:
    with running_emulator("--batch-wave", "3") as emulator:
        lines = finished(emulator, *[item(f"i{n}") for n in range(6)])
        assert [read_tokens(lines[f"i{n}"]) > 0 for n in range(6)] == [False] * 3 + [True] * 3


def test_a_share_of_batch_items_can_be_made_to_miss() -> None:
    with running_emulator("--batch-miss-share", "0.5", "--batch-wave", "1") as emulator:
        lines = finished(emulator, *[item(f"i{n}") for n in range(10)])
        assert 0 < sum(read_tokens(line) > 0 for line in lines.values()) < 9
