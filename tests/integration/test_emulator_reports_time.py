"""The usage and cost reports in time: buckets, pages, limits, the delay, midnight; and what they refuse."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from tests.integration.emulator_process import RunningEmulator
from tests.integration.emulator_requests import asked, send

ADMIN = {"x-api-key": "sk-ant-admin-test"}
USAGE, COST = "usage_report/messages", "cost_report"
START = "2026-11-01T00:00:00Z"
MINUTES = {"1m": 1, "1h": 60, "1d": 1_440}


def get(emulator: RunningEmulator, path: str, **query: Any) -> Any:
    """The answer to one request."""
    return emulator.http.get(f"/v1/organizations/{path}", params=query, headers=ADMIN)


def page_of(emulator: RunningEmulator, path: str, **query: Any) -> Any:
    return get(emulator, path, **query).raise_for_status().json()


def pages_of(emulator: RunningEmulator, path: str, **query: Any) -> Iterator[list[Any]]:
    """The buckets of each page."""
    page = page_of(emulator, path, **query)
    yield page["data"]
    while page["has_more"]:
        page = page_of(emulator, path, **query, page=page["next_page"])
        yield page["data"]
    assert page["next_page"] is None


def output_tokens(bucket: Any) -> int:
    return sum(result["output_tokens"] for result in bucket["results"])


def cents(bucket: Any) -> Decimal:
    return sum((Decimal(result["amount"]) for result in bucket["results"]), Decimal(0))


def at(emulator: RunningEmulator, hour: int, minute: int = 0, second: int = 5, days: int = 1) -> datetime:
    """Move to this time of another UTC day; gives the start of that day."""
    now = datetime.fromisoformat(emulator.now())
    day = now.replace(hour=0, minute=0, second=0, microsecond=0) + timedelta(days=days)
    emulator.advance((day + timedelta(hours=hour, minutes=minute, seconds=second) - now).total_seconds())
    return day


def rfc(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat().replace("+00:00", "Z")


@pytest.mark.parametrize(
    ("width", "from_", "to", "first", "filled"),
    [
        ("1m", (9, 58, 40), (10, 7, 0), (9, 58), {2: 1, 5: 2}),
        ("1h", (8, 30, 0), (12, 0, 0), (8, 0), {2: 3, 3: 1}),
        ("1d", (3, 0, 0), (48, 0, 0), (0, 0), {0: 4, 1: 1}),
    ],
)
def test_buckets_are_snapped_to_utc_and_empty_ones_are_there(
    emulator: RunningEmulator,
    width: str,
    from_: tuple[int, int, int],
    to: tuple[int, int, int],
    first: tuple[int, int],
    filled: dict[int, int],
) -> None:
    """Calls at 10:00, twice at 10:03, at 11:30, and at 01:00 of the next day."""
    day = at(emulator, 10)
    each = send(emulator).usage.output_tokens
    at(emulator, 10, 3, days=0)
    send(emulator)
    send(emulator)
    at(emulator, 11, 30, days=0)
    send(emulator)
    at(emulator, 1)
    send(emulator)
    emulator.advance(86_400)
    start, end = (day + timedelta(hours=h, minutes=m, seconds=s) for h, m, s in (from_, to))
    span = {"bucket_width": width, "starting_at": rfc(start), "ending_at": rfc(end)}
    (buckets,) = pages_of(emulator, USAGE, **span)
    since = day + timedelta(hours=first[0], minutes=first[1])
    step = timedelta(minutes=MINUTES[width])
    bounds = [(rfc(since + i * step), rfc(since + (i + 1) * step)) for i in range((end - since) // step)]
    assert [(bucket["starting_at"], bucket["ending_at"]) for bucket in buckets] == bounds
    tokens = {i: output_tokens(bucket) for i, bucket in enumerate(buckets) if bucket["results"]}
    assert tokens == {i: calls * each for i, calls in filled.items()}


def test_the_zone_of_a_time_does_not_matter(emulator: RunningEmulator) -> None:
    day = at(emulator, 10)
    send(emulator)
    emulator.advance(3_600)
    there = day.isoformat().replace("00:00:00+00:00", "05:30:00+05:30")
    assert page_of(emulator, USAGE, starting_at=there) == page_of(emulator, USAGE, starting_at=rfc(day))


@pytest.mark.parametrize(
    ("path", "width", "limit", "count"),
    [(USAGE, "1m", 7, 60), (USAGE, "1h", 5, 24), (USAGE, "1d", 1, 4), (COST, "1d", 3, 4)],
)
def test_pages_give_every_bucket_once_and_the_same_sums(
    emulator: RunningEmulator, path: str, width: str, limit: int, count: int
) -> None:
    day = at(emulator, 0)
    for _ in range(6):
        send(emulator)
        emulator.advance(MINUTES[width] * 60 / 2)
    emulator.advance(86_400)
    end = day + count * timedelta(minutes=MINUTES[width])
    span = {"bucket_width": width, "starting_at": rfc(day), "ending_at": rfc(end)}
    pages = list(pages_of(emulator, path, **span, limit=limit))
    (whole,) = pages_of(emulator, path, **span, limit=31 if path == COST else count)
    assert [len(page) for page in pages] == [limit] * (count // limit) + (
        [count % limit] if count % limit else []
    )
    assert [bucket for page in pages for bucket in page] == whole
    assert sum(bool(bucket["results"]) for bucket in whole) >= 3


@pytest.mark.parametrize(
    ("path", "width", "default", "maximum"),
    [(USAGE, "1m", 60, 1_440), (USAGE, "1h", 24, 168), (USAGE, "1d", 7, 31), (COST, "1d", 7, 31)],
)
def test_a_page_has_a_default_and_a_maximum(
    emulator: RunningEmulator, path: str, width: str, default: int, maximum: int
) -> None:
    emulator.advance(40 * 86_400)
    span = {"bucket_width": width, "starting_at": START}
    assert len(page_of(emulator, path, **span)["data"]) == default
    assert len(page_of(emulator, path, **span, limit=maximum)["data"]) == maximum
    assert page_of(emulator, path, **span, limit=maximum)["has_more"]
    refused = get(emulator, path, **span, limit=maximum + 1)
    assert (refused.status_code, refused.json()["error"]["type"]) == (400, "invalid_request_error")


def test_a_day_is_the_width_by_default(emulator: RunningEmulator) -> None:
    day = at(emulator, 10)
    (bucket,) = page_of(emulator, USAGE, starting_at=rfc(day))["data"]
    assert bucket == {"starting_at": rfc(day), "ending_at": rfc(day + timedelta(days=1)), "results": []}


def test_nothing_newer_than_five_minutes_is_shown_until_the_clock_has_moved(
    emulator: RunningEmulator,
) -> None:
    day = rfc(at(emulator, 10))
    message = send(emulator)
    for advance, shown in [(0, False), (290, False), (50, False), (25, True)]:
        emulator.advance(advance)  # 10:00:05, 10:04:55, 10:05:45, 10:06:10
        (usage,), (cost,) = (page_of(emulator, path, starting_at=day)["data"] for path in (USAGE, COST))
        assert output_tokens(usage) == (message.usage.output_tokens if shown else 0)
        assert (cents(cost) > 0) is shown
    assert cents(cost) == Decimal(emulator.meter()["cost_usd"]) * 100


def test_days_end_at_midnight_utc_and_their_sum_is_the_range(emulator: RunningEmulator) -> None:
    day = at(emulator, 23, 59, 50)
    before = send(emulator)
    requests: Any = [{"custom_id": "one", "params": asked()}]
    emulator.client().messages.batches.create(requests=requests)
    emulator.advance(20)
    after = send(emulator)
    emulator.advance(3_600)
    # Nobody has looked at the batch yet: the reports are the first to do so.
    usage, cost = (page_of(emulator, path, starting_at=rfc(day))["data"] for path in (USAGE, COST))
    cost_of = [Decimal(call["cost_usd"]) * 100 for call in emulator.calls()]
    # The batch was made before midnight and worked on after it.
    each = before.usage.output_tokens
    assert [output_tokens(bucket) for bucket in usage] == [each, 2 * each]
    assert after.usage.output_tokens == each
    assert [cents(bucket) for bucket in cost] == [cost_of[0], cost_of[1] + cost_of[2]]
    assert sum(map(cents, cost)) == Decimal(emulator.meter()["cost_usd"]) * 100
    hours = page_of(emulator, USAGE, starting_at=rfc(day), bucket_width="1h", limit=168)["data"]
    assert sum(map(output_tokens, hours)) == sum(map(output_tokens, usage)) == 3 * each


REFUSED: list[tuple[str, dict[str, Any], str]] = [
    (USAGE, {}, "starting_at: Field required"),
    (COST, {}, "starting_at: Field required"),
    (USAGE, {"starting_at": START, "colour": "red"}, "colour: Extra inputs are not permitted"),
    (COST, {"starting_at": START, "models[]": "x"}, "models[]: Extra inputs are not permitted"),
    (USAGE, {"starting_at": START, "bucket_width": "2h"}, "bucket_width: Input should be '1m' or"),
    (COST, {"starting_at": START, "bucket_width": "1h"}, "bucket_width: Input should be '1d'"),
    (USAGE, {"starting_at": START, "group_by[]": "colour"}, "group_by: Input should be"),
    (COST, {"starting_at": START, "group_by[]": "model"}, "group_by: Input should be"),
    (USAGE, {"starting_at": "2026-11-01T00:00:00"}, "starting_at: Input should have timezone info"),
    (COST, {"starting_at": "2026-11-01"}, "starting_at: Input should be a valid RFC 3339"),
    (USAGE, {"starting_at": "2026-W47-2T00:00:00Z"}, "starting_at: Input should be a valid RFC 3339"),
    (USAGE, {"starting_at": "2026-13-01T00:00:00Z"}, "starting_at: Input should be a valid RFC 3339"),
    (USAGE, {"starting_at": "0001-01-01T00:00:00+14:00"}, "starting_at: Input should be a valid RFC 3339"),
    (COST, {"starting_at": "9999-12-31T23:00:00-02:00"}, "starting_at: Input should be a valid RFC 3339"),
    (USAGE, {"starting_at": "yesterday"}, "starting_at: Input should be a valid"),
    (USAGE, {"starting_at": START, "ending_at": "soon"}, "ending_at: Input should be a valid"),
    (USAGE, {"starting_at": START, "ending_at": START}, "ending_at: must be after starting_at"),
    (USAGE, {"starting_at": START, "page": "page_two"}, "page: Input should be a valid"),
    (USAGE, {"starting_at": START, "limit": "0"}, "limit: Input should be greater than or equal to 1"),
    (USAGE, {"starting_at": START, "limit": "many"}, "limit: Input should be a valid integer"),
    (USAGE, {"starting_at": START, "limit": "9" * 5_000}, "limit: Input should be a valid integer"),
    (USAGE, {"starting_at": START, "limit[]": "1"}, "limit[]: Extra inputs are not permitted"),
    (USAGE, {"starting_at": START, "limit": ["1", "2"]}, "limit: Input should be given once"),
    (USAGE, {"starting_at": START, "page": START}, "page: not a token"),
    (USAGE, {"page": f"page_{START}"}, "starting_at: Field required"),
    (USAGE, {"starting_at": START, "service_tiers[]": "gold"}, "service_tiers: Input should be"),
    (USAGE, {"starting_at": START, "context_window[]": "x"}, "context_window: Input should be"),
    (USAGE, {"starting_at": START, "inference_geos[]": "mars"}, "inference_geos: Input should be"),
    (USAGE, {"starting_at": START, "account_ids[]": "x"}, "account_ids: the emulator does not imitate"),
    (USAGE, {"starting_at": START, "group_by[]": "speed"}, "group_by: speed: the emulator does not imitate"),
]


@pytest.mark.parametrize(("path", "query", "message"), REFUSED, ids=lambda value: str(value)[:60])
def test_a_question_against_the_rules_is_a_400_that_names_the_parameter(
    emulator: RunningEmulator, path: str, query: dict[str, Any], message: str
) -> None:
    answer = get(emulator, path, **query)
    body = answer.json()
    assert (answer.status_code, body["type"], body["error"]["type"]) == (
        400,
        "error",
        "invalid_request_error",
    )
    assert body["error"]["message"].startswith(message)
    assert body["request_id"] == answer.headers["request-id"]


@pytest.mark.parametrize("path", [USAGE, COST])
@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({}, 401),
        ({"x-api-key": "test-key"}, 401),
        ({"authorization": "Bearer sk-ant-api03-x"}, 401),
        (ADMIN, 200),
        ({"authorization": "Bearer sk-ant-admin-test"}, 200),
        ({**ADMIN, "anthropic-version": "2023-06-01"}, 200),
        ({**ADMIN, "anthropic-version": "1999-01-01"}, 400),
    ],
    ids=str,
)
def test_reports_are_for_an_admin_key(
    emulator: RunningEmulator, path: str, headers: dict[str, str], status: int
) -> None:
    url = f"/v1/organizations/{path}"
    answer = emulator.http.get(url, params={"starting_at": START}, headers=headers)
    assert answer.status_code == status
    if status == 401:
        assert answer.json()["error"]["type"] == "authentication_error"
