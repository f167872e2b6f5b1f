"""The usage and cost reports against the meter: the same numbers by every bucket, group, filter and page."""

from collections import defaultdict
from collections.abc import Callable, Iterable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from tests.integration.emulator_process import RunningEmulator
from tests.integration.emulator_requests import HAIKU, STABLE, asked, marked, send

ADMIN = {"x-api-key": "sk-ant-admin-test"}
USAGE, COST = "usage_report/messages", "cost_report"
LATE = 360  # seconds after which a report knows it all: 5 minutes, and the rest of the last one

# Dollars per million tokens: input, write 5m, write 1h, read, output.
PRICES = {
    HAIKU: ("0.10", "0.125", "0.20", "0.01", "0.50"),
    "claude-sonnet-5": ("2", "2.50", "4", "0.20", "10"),
    "claude-opus-4-8": ("5", "6.25", "10", "0.50", "25"),
}
LONG_HAIKU = ("0.50", "0.625", "1.00", "0.05", "2.50")
Classes = tuple[int, ...]


def get(emulator: RunningEmulator, path: str, **query: Any) -> Any:
    """One page; a list goes out as `name[]`, once for each of its values."""
    pairs: Any = [
        (f"{name}[]" if isinstance(value, list) else name, str(one))
        for name, value in query.items()
        for one in (value if isinstance(value, list) else [value])
    ]
    return emulator.http.get(f"/v1/organizations/{path}", params=pairs, headers=ADMIN)


def report(emulator: RunningEmulator, path: str, **query: Any) -> list[Any]:
    """The buckets of all pages."""
    page = get(emulator, path, **query).raise_for_status().json()
    buckets = list(page["data"])
    while page["has_more"]:
        page = get(emulator, path, **query, page=page["next_page"]).raise_for_status().json()
        buckets += page["data"]
    assert page["next_page"] is None
    return buckets


def classes(result: Any) -> Classes:
    """(input, write 5m, write 1h, read, output) of a report's result or of a call's usage."""
    creation = result["cache_creation"]
    fresh = result.get("uncached_input_tokens", result.get("input_tokens"))
    written = (creation["ephemeral_5m_input_tokens"], creation["ephemeral_1h_input_tokens"])
    return (fresh, *written, result["cache_read_input_tokens"], result["output_tokens"])


def total(each: Iterable[Classes]) -> Classes:
    return tuple(map(sum, zip((0,) * 5, *each, strict=True)))


def used(buckets: list[Any]) -> Classes:
    return total(classes(result) for bucket in buckets for result in bucket["results"])


def cents(buckets: list[Any]) -> Decimal:
    return sum((Decimal(result["amount"]) for bucket in buckets for result in bucket["results"]), Decimal(0))


def tomorrow(emulator: RunningEmulator, hour: int, minute: int = 0, second: int = 5) -> datetime:
    """Move to this time of the next UTC day; gives the start of that day."""
    now = datetime.fromisoformat(emulator.now())
    day = now.replace(hour=0, minute=0, second=0, microsecond=0) + timedelta(days=1)
    moment = day + timedelta(hours=hour, minutes=minute, seconds=second)
    emulator.advance((moment - now).total_seconds())
    return day


def rfc(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat().replace("+00:00", "Z")


def traffic(emulator: RunningEmulator) -> str:
    """Live, streamed and batch calls of all kinds over two hours; gives the start of their day."""
    day = tomorrow(emulator, 10)
    hour = [marked(STABLE * 2, "1h"), marked("Be brief. " * 50)]
    for i in range(3):
        send(emulator, key="club-a")
        send(emulator, key="club-a", inference_geo="us", system=hour, model="claude-sonnet-5")
        send(emulator, key="club-b", system=hour, thinking={"type": "adaptive"}, model="claude-opus-4-8")
        with emulator.client("club-b").messages.stream(**asked(max_tokens=9 + i)) as stream:
            stream.until_done()
        emulator.advance(61)
    for characters in (260_000, 600_000):  # above 100,000 and 200,000 tokens
        send(emulator, key="club-b", system=[marked("x" * characters, "1h")])
    params = [asked(), asked(model="claude-sonnet-5", inference_geo="us"), asked(system=hour)]
    requests: Any = [{"custom_id": f"item-{i}", "params": params[i % 3]} for i in range(6)]
    emulator.client("club-a").messages.batches.create(requests=requests)
    emulator.advance(3_600)
    send(emulator, key="club-a")
    emulator.advance(LATE)
    return rfc(day)


def window(call: Any) -> str:
    return "200k-1M" if sum(classes(call["usage"])[:4]) > 200_000 else "0-200k"


# Each dimension of a result, its filter, and where a call has it.
DIMENSIONS: dict[str, tuple[str, Callable[[Any], str]]] = {
    "workspace_id": ("workspace_ids", lambda call: str(call["workspace"])),
    "api_key_id": ("api_key_ids", lambda call: str(call["workspace"]).replace("wrkspc_", "apikey_")),
    "model": ("models", lambda call: str(call["model"])),
    "service_tier": ("service_tiers", lambda call: str(call["usage"]["service_tier"])),
    "context_window": ("context_window", window),
    "inference_geo": ("inference_geos", lambda call: str(call["usage"]["inference_geo"])),
}


def costs_usd(call: Any) -> list[Decimal]:
    """A call's costs by class, from the price list above."""
    usage, model = call["usage"], call["model"]
    is_long = model == HAIKU and sum(classes(usage)[:4]) > 100_000
    factor = Decimal("0.5") if usage["service_tier"] == "batch" else Decimal(1)
    factor *= Decimal("1.1") if usage["inference_geo"] == "us" else Decimal(1)
    prices = LONG_HAIKU if is_long else PRICES[model]
    tokens = zip(classes(usage), prices, strict=True)
    return [count * Decimal(price) * factor / 1_000_000 for count, price in tokens]


@pytest.mark.parametrize("width", ["1m", "1h", "1d"])
def test_the_sums_are_the_meters_whatever_the_width(emulator: RunningEmulator, width: str) -> None:
    day = traffic(emulator)
    meter = emulator.meter()
    buckets = report(emulator, USAGE, starting_at=day, bucket_width=width, group_by=["model", "service_tier"])
    by_row: dict[tuple[str, str], list[Classes]] = defaultdict(list)
    for bucket in buckets:
        for result in bucket["results"]:
            by_row[result["model"], result["service_tier"]].append(classes(result))
            assert result["server_tool_use"] == {"web_search_requests": 0}
    names = ("input", "cache_write_5m", "cache_write_1h", "cache_read", "output")
    metered = {
        (row["model"], row["service_tier"]): tuple(row[f"{name}_tokens"] for name in names)
        for row in meter["rows"]
    }
    assert {key: total(each) for key, each in by_row.items()} == metered
    assert min(total(metered.values())) > 0
    assert used(report(emulator, USAGE, starting_at=day, bucket_width=width)) == total(metered.values())
    assert cents(report(emulator, COST, starting_at=day)) == Decimal(meter["cost_usd"]) * 100 > 0


@pytest.mark.parametrize("group_by", [*([name] for name in DIMENSIONS), list(DIMENSIONS), []], ids=str)
def test_usage_is_grouped_by_what_is_asked_for_and_the_rest_is_null(
    emulator: RunningEmulator, group_by: list[str]
) -> None:
    day = traffic(emulator)
    expected: dict[tuple[str | None, ...], list[Classes]] = defaultdict(list)
    for call in emulator.calls():
        key = tuple(of(call) if name in group_by else None for name, (_, of) in DIMENSIONS.items())
        expected[key].append(classes(call["usage"]))
    (bucket, *later) = report(emulator, USAGE, starting_at=day, group_by=group_by)
    found = {tuple(result[name] for name in DIMENSIONS): classes(result) for result in bucket["results"]}
    assert found == {key: total(each) for key, each in expected.items()}
    assert len(bucket["results"]) == len(found) > (1 if group_by else 0)
    assert used(later) == (0,) * 5


@pytest.mark.parametrize("dimension", DIMENSIONS)
def test_a_filter_leaves_what_it_names(emulator: RunningEmulator, dimension: str) -> None:
    day = traffic(emulator)
    name, of = DIMENSIONS[dimension]
    calls = emulator.calls()
    values = sorted({of(call) for call in calls})
    assert len(values) > 1
    for wanted in ([values[0]], values[1:], values):
        named = total(classes(call["usage"]) for call in calls if of(call) in wanted)
        assert used(report(emulator, USAGE, starting_at=day, **{name: wanted})) == named
    both = {name: [values[0]], "models": ["claude-nobody"]}
    assert used(report(emulator, USAGE, starting_at=day, **both)) == (0,) * 5


def test_cost_by_description_is_the_price_list_times_the_tokens(emulator: RunningEmulator) -> None:
    day = traffic(emulator)
    token_types = (
        "uncached_input_tokens",
        "cache_creation.ephemeral_5m_input_tokens",
        "cache_creation.ephemeral_1h_input_tokens",
        "cache_read_input_tokens",
        "output_tokens",
    )
    names = ("workspace_id", "model", "service_tier", "context_window", "inference_geo")
    expected: dict[tuple[str, ...], Decimal] = defaultdict(Decimal)
    for call in emulator.calls():
        key = tuple(DIMENSIONS[name][1](call) for name in names)
        for token_type, cost in zip(token_types, costs_usd(call), strict=True):
            if cost:
                expected[*key, token_type] += cost * 100
        assert sum(costs_usd(call)) == Decimal(call["cost_usd"])
    buckets = report(emulator, COST, starting_at=day, group_by=["workspace_id", "description"])
    results = [result for bucket in buckets for result in bucket["results"]]
    found = {tuple(one[name] for name in (*names, "token_type")): Decimal(one["amount"]) for one in results}
    assert found == expected
    assert len(results) == len(found)
    assert {(one["currency"], one["cost_type"]) for one in results} == {("USD", "tokens")}
    assert len({one["description"] for one in results}) > len(PRICES) * 2


def test_cost_by_workspace_has_no_description_and_cost_by_nothing_is_one_sum(
    emulator: RunningEmulator,
) -> None:
    day = traffic(emulator)
    expected: dict[str, Decimal] = defaultdict(Decimal)
    for call in emulator.calls():
        expected[call["workspace"]] += Decimal(call["cost_usd"]) * 100
    (bucket, *_) = report(emulator, COST, starting_at=day, group_by=["workspace_id"])
    assert {one["workspace_id"]: Decimal(one["amount"]) for one in bucket["results"]} == expected
    (bucket, *_) = report(emulator, COST, starting_at=day)
    (one,) = bucket["results"]
    assert Decimal(one["amount"]) == sum(expected.values())
    assert {name for name, value in one.items() if value is not None} == {"currency", "amount"}


def test_a_refusal_is_in_the_usage_report_and_not_in_the_cost_report(emulator: RunningEmulator) -> None:
    day = rfc(tomorrow(emulator, 10))
    emulator.fault("refusal")
    refused = send(emulator)
    emulator.advance(LATE)
    (bucket,) = report(emulator, USAGE, starting_at=day)
    assert [classes(result) for result in bucket["results"]] == [classes(refused.usage.to_dict())]
    assert refused.usage.input_tokens > 0
    (bucket,) = report(emulator, COST, starting_at=day)
    assert bucket["results"] == []
    emulator.fault("refusal_mid_answer")
    send(emulator)
    emulator.advance(LATE)
    assert cents(report(emulator, COST, starting_at=day)) == Decimal(emulator.meter()["cost_usd"]) * 100 > 0
