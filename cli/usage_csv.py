"""Usage as CSV: every sum exact."""

import csv
import sys
from collections.abc import Iterable, Mapping, Sequence
from contextlib import contextmanager
from decimal import Decimal
from typing import TYPE_CHECKING, Any, TextIO

from core.bill import plain_money
from core.errors import BadInput

if TYPE_CHECKING:
    from collections.abc import Iterator

    import pandas as pd

STDOUT = "-"
DAILY = ("day", "calls", "cost_usd")


def write_csv(file: str, rows: "pd.DataFrame | Sequence[Mapping[str, Any]]") -> None:
    """Write a frame, or daily rows, to a file or stdout. Raises BadInput when it cannot be written."""
    names, values = _of_daily(rows) if isinstance(rows, list) else _of_frame(rows)
    with _opened(file) as opened:
        writer = csv.writer(opened, lineterminator="\n")
        writer.writerow(names)
        writer.writerows([_plain(value) for value in row] for row in values)


def _of_daily(rows: Sequence[Mapping[str, Any]]) -> tuple[Sequence[str], Iterable[Sequence[Any]]]:
    return DAILY, ([row[name] for name in DAILY] for row in rows)


def _of_frame(frame: "Any") -> tuple[Sequence[str], Iterable[Sequence[Any]]]:
    return list(frame.columns), frame.itertuples(index=False)


def _plain(value: Any) -> Any:
    return plain_money(value) if isinstance(value, Decimal) else value


@contextmanager
def _opened(file: str) -> "Iterator[TextIO]":
    if file == STDOUT:
        yield sys.stdout
        return
    try:
        with open(file, "w", encoding="utf-8", newline="") as opened:
            yield opened
    except OSError as error:
        raise BadInput(f"{file} cannot be written: {error.strerror}.") from error
