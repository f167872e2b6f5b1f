"""`GET /v1/organizations/usage_report/messages` and `/cost_report`: the vendor's view of the same numbers."""

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from emulator.api.guard import emulator_of
from emulator.api.paging import check_names, number, several
from emulator.books.meter import UsageRow
from emulator.books.reports import (
    USAGE_DIMENSIONS,
    WIDTHS,
    Results,
    Width,
    buckets,
    cost_results,
    usage_results,
)
from emulator.clock import rfc3339
from emulator.errors import invalid
from emulator.work import settle

# Filters of the usage report: the dimension of each, and its values where they are a closed set.
FILTERS: dict[str, tuple[str, tuple[str, ...] | None]] = {
    "api_key_ids": ("api_key_id", None),
    "workspace_ids": ("workspace_id", None),
    "models": ("model", None),
    "service_tiers": ("service_tier", ("standard", "batch", "priority")),
    "context_window": ("context_window", ("0-200k", "200k-1M")),
    "inference_geos": ("inference_geo", ("global", "us", "not_available")),
}
FILTERS_NOT_IMITATED = ("account_ids", "service_account_ids", "speeds")
GROUPS_NOT_IMITATED = ("account_id", "service_account_id", "speed")
SPAN = ("starting_at", "ending_at", "bucket_width", "limit", "page")
RFC3339 = re.compile(r"\d{4}-\d{2}-\d{2}[Tt ]\d{2}:\d{2}:\d{2}(\.\d+)?([Zz]|[+-]\d{2}:\d{2})?")
PAGE_PREFIX = "page_"
EARLIEST, LATEST = datetime(1970, 1, 1, tzinfo=UTC), datetime(9000, 1, 1, tzinfo=UTC)
COST_GROUPS = ("workspace_id", "description")


@dataclass(frozen=True)
class Span:
    """The buckets of one page, and where the next page begins if there is one."""

    first: datetime
    count: int
    width: Width
    next_page: datetime | None


async def usage_report(http: Request) -> Response:
    """Tokens by bucket of a minute, an hour or a day."""
    check_names(http, SPAN, several=("group_by", *FILTERS), unimitated=FILTERS_NOT_IMITATED)
    group_by = several(http, "group_by", tuple(USAGE_DIMENSIONS), GROUPS_NOT_IMITATED)
    filters = {of: several(http, name, allowed) for name, (of, allowed) in FILTERS.items()}

    def results(rows: Any) -> list[dict[str, Any]]:
        return usage_results([row for row in rows if _passes(row, filters)], group_by)

    return await _report(http, tuple(WIDTHS), results)


async def cost_report(http: Request) -> Response:
    """Dollars, in cents, by day."""
    check_names(http, SPAN, several=("group_by",))
    group_by = several(http, "group_by", COST_GROUPS)
    emulator = emulator_of(http)
    names = {model.name: model.display_name for model in emulator.catalog.values()}
    return await _report(http, ("1d",), lambda rows: cost_results(rows, group_by, emulator.prices, names))


async def _report(http: Request, widths: tuple[str, ...], results: Results) -> Response:
    emulator = emulator_of(http)
    await settle(emulator)
    now = emulator.clock.now()
    span = _span(http, widths, now)
    # What is newer than the reports' delay is not in them yet, by whole minutes.
    known = (now - timedelta(seconds=emulator.settings.report_delay_seconds)).replace(second=0, microsecond=0)
    until = min(span.first + span.count * span.width.span, known)
    rows = emulator.meter.rows(span.first, until, span.width.minutes)
    return JSONResponse(
        {
            "data": buckets(rows, span.first, span.count, span.width, results),
            "has_more": span.next_page is not None,
            "next_page": None if span.next_page is None else f"page_{rfc3339(span.next_page)}",
        }
    )


def _span(http: Request, widths: tuple[str, ...], now: datetime) -> Span:
    name = http.query_params.get("bucket_width", "1d")
    if name not in widths:
        raise invalid(f"bucket_width: Input should be {' or '.join(repr(width) for width in widths)}")
    width = WIDTHS[name]
    limit = number(http, "limit", width.default_limit, 1, width.limit_max)
    asked = _time(http, "starting_at")
    end = _snapped(now, width) + width.span
    if "ending_at" in http.query_params:
        end = _time(http, "ending_at")
        if end <= asked:
            raise invalid("ending_at: must be after starting_at")
    page = http.query_params.get("page")
    first = _snapped(asked if page is None else _page(page), width)
    wanted = max(0, (end - first) // width.span)
    count = min(wanted, limit)
    return Span(first, count, width, first + count * width.span if wanted > limit else None)


def _snapped(time: datetime, width: Width) -> datetime:
    """The start of the bucket that holds a time."""
    midnight = time.replace(hour=0, minute=0, second=0, microsecond=0)
    return midnight + (time - midnight) // width.span * width.span


def _time(http: Request, name: str) -> datetime:
    if name not in http.query_params:
        raise invalid(f"{name}: Field required")
    return _parsed(name, http.query_params[name])


def _page(token: str) -> datetime:
    if not token.startswith(PAGE_PREFIX):
        raise invalid("page: not a token that a report has given")
    return _parsed("page", token.removeprefix(PAGE_PREFIX))


def _parsed(name: str, text: str) -> datetime:
    found = RFC3339.fullmatch(text)
    if found and found[2] is None:
        raise invalid(f"{name}: Input should have timezone info")
    try:
        time = datetime.fromisoformat(text.upper()).astimezone(UTC) if found else None
    except (ValueError, OverflowError):
        time = None
    # The widest page before and behind must be times as well.
    if time is None or not EARLIEST <= time < LATEST:
        raise invalid(f"{name}: Input should be a valid RFC 3339 datetime")
    return time


def _passes(row: UsageRow, filters: dict[str, list[str]]) -> bool:
    return all(not wanted or USAGE_DIMENSIONS[name](row) in wanted for name, wanted in filters.items())
