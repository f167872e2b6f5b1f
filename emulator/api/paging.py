"""Query parameters and pages, as the API's lists read them: strictly."""

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from typing import Any, TypeVar

from starlette.requests import Request

from emulator.errors import invalid, not_found, not_imitated

LIMIT_DEFAULT = 20
LIMIT_MAX = 1_000
DIGITS_MAX = 18

Item = TypeVar("Item")


def check_names(
    http: Request, single: Collection[str], several: Collection[str] = (), unimitated: Collection[str] = ()
) -> None:
    """Refuse a query parameter that the path does not know, and twice what it knows once."""
    for name, count in Counter(name for name, _ in http.query_params.multi_items()).items():
        plain = name.removesuffix("[]")
        if plain in unimitated:
            raise not_imitated(plain)
        if name not in single and plain not in several:
            raise invalid(f"{name}: Extra inputs are not permitted")
        if name in single and count > 1:
            raise invalid(f"{name}: Input should be given once")


def number(http: Request, name: str, default: int, low: int = 0, high: int | None = None) -> int:
    """A whole number within bounds."""
    text = http.query_params.get(name, str(default))
    if not text.isdecimal() or len(text) > DIGITS_MAX:
        raise invalid(f"{name}: Input should be a valid integer")
    if int(text) < low:
        raise invalid(f"{name}: Input should be greater than or equal to {low}")
    if high is not None and int(text) > high:
        raise invalid(f"{name}: Input should be less than or equal to {high}")
    return int(text)


def several(
    http: Request, name: str, allowed: Collection[str] | None = None, unimitated: Collection[str] = ()
) -> list[str]:
    """A list of values, sent as `name[]` or `name`, each one of the allowed."""
    values = [*http.query_params.getlist(f"{name}[]"), *http.query_params.getlist(name)]
    for value in values:
        if value in unimitated:
            raise not_imitated(f"{name}: {value}")
        if allowed is not None and value not in allowed:
            raise invalid(f"{name}: Input should be {' or '.join(repr(choice) for choice in allowed)}")
    return values


def cursors(http: Request) -> tuple[int, str | None, str | None]:
    """`limit`, `after_id` and `before_id`."""
    after, before = http.query_params.get("after_id"), http.query_params.get("before_id")
    if after is not None and before is not None:
        raise invalid("after_id, before_id: only one of them may be given")
    return number(http, "limit", LIMIT_DEFAULT, 1, LIMIT_MAX), after, before


def page_of(
    items: Sequence[Item], ids: Sequence[str], limit: int, after: str | None, before: str | None
) -> tuple[Sequence[Item], bool]:
    """Those behind `after`, or those just ahead of `before`; and whether there are more that way."""
    for cursor in (after, before):
        if cursor is not None and cursor not in ids:
            raise not_found(f"no object with the id `{cursor}` to page from")
    if before is not None:
        ahead = items[: ids.index(before)]
        return ahead[-limit:], len(ahead) > limit
    behind = items if after is None else items[ids.index(after) + 1 :]
    return behind[:limit], len(behind) > limit


def listing(data: Sequence[Mapping[str, Any]], has_more: bool) -> dict[str, Any]:
    """A page as the API sends it."""
    return {
        "data": list(data),
        "has_more": has_more,
        "first_id": data[0]["id"] if data else None,
        "last_id": data[-1]["id"] if data else None,
    }
