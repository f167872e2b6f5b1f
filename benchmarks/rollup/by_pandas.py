"""The same answer by pandas over Parquet: exact, because money is added up as whole 1e-12 USD."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, time
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from benchmarks.rollup.questions import COUNTS, DIGITS, PRICED, RATE_DIGITS, Question, Usage

TOKENS = COUNTS[3:8]
INPUT_CLASSES = TOKENS[:4]
MONEY = ("cost_usd", "estimated_cost_usd")
KEYS = ("operation", "model", "organization_id", "coach_id", "player_id")
SUMS = (*COUNTS, "hit_rates_sum", "booked", "saved")


def in_pandas(question: Question, file: Path) -> Callable[[], Usage]:
    """Return how to read the file and add it up."""
    return lambda: question.answer(_parts(question, _booked(question, file)))


def _booked(question: Question, file: Path) -> pd.DataFrame:
    """Every ledger row of the question as it is added up; the file is in the order of time."""
    begins, ends = question.days.starts[0], question.days.starts[-1]
    whose = [("organization_id", "=", question.organization_id)] if question.organization_id else []
    keys = [key for key in KEYS if key in question.keys]
    names = [*keys, "call_id", "occurred_at", "inference_geo", "outcome", *TOKENS, "cache_hit_rate", *MONEY]
    frame = _read(file, names, [("occurred_at", ">=", begins), ("occurred_at", "<", ends), *whose])
    before = [("occurred_at", "<", begins), ("outcome", "!=", "adjustment"), *whose]
    opened_before = pq.read_table(file, columns=["call_id"], filters=before).column("call_id")
    is_attempt = frame["outcome"] != "adjustment"
    attempts = frame.loc[is_attempt, "call_id"]
    opens = ~attempts.duplicated() & ~attempts.isin(pd.array(opened_before, dtype=attempts.dtype))
    frame["calls"] = opens.reindex(frame.index, fill_value=False).astype("int64")
    frame["attempts"] = is_attempt.astype("int64")
    frame["adjustments"] = 1 - frame["attempts"]
    frame["hit_rates"] = frame["cache_hit_rate"].notna().astype("int64")
    frame["hit_rates_sum"] = frame["cache_hit_rate"].fillna(0)
    frame["booked"] = frame["cost_usd"].fillna(frame["estimated_cost_usd"])
    frame["day"] = frame["occurred_at"].dt.tz_convert(question.days.zone.key).dt.strftime("%Y-%m-%d")
    frame["saved"] = _saved(question, frame)
    return frame


def _read(file: Path, names: list[str], filters: list[tuple[str, str, Any]]) -> pd.DataFrame:
    """Read columns; money and rates as whole numbers of their last digit."""
    table = pq.read_table(file, columns=names, filters=filters)
    for name, digits in ((MONEY[0], DIGITS), (MONEY[1], DIGITS), ("cache_hit_rate", RATE_DIGITS)):
        table = table.set_column(names.index(name), name, _whole(table.column(name), digits))
    frame: pd.DataFrame = table.to_pandas(types_mapper=_nullable)
    return frame


def _whole(column: Any, digits: int) -> Any:
    """Multiply decimals by a power of ten: exact integers."""
    short = pc.cast(column, pa.decimal128(22, digits))
    step = pa.scalar(Decimal(10**digits), pa.decimal128(digits + 1, 0))
    return pc.cast(pc.multiply(short, step), pa.int64())


def _nullable(kind: Any) -> Any:
    return pd.Int64Dtype() if kind == pa.int64() else None


def _saved(question: Question, frame: pd.DataFrame) -> Any:
    """What each answered and paid row would have cost live at full price, less its cost."""
    inputs = sum(frame[name].to_numpy(np.int64) for name in INPUT_CLASSES)
    outputs = frame["output_tokens"].to_numpy(np.int64)
    full = np.zeros(len(frame), np.int64)
    for price in question.prices:
        from_at, to_at = (datetime.combine(day, time(), UTC) for day in (price.from_day, price.to_day))
        alike = (frame["model"] == price.model) & (frame["inference_geo"] == price.inference_geo)
        alike &= (frame["occurred_at"] >= from_at) & (frame["occurred_at"] < to_at)
        full = np.where(alike.to_numpy(bool), inputs * price.input + outputs * price.output, full)
    cost = frame["cost_usd"].fillna(0).to_numpy(np.int64)
    return np.where(frame["outcome"].isin(PRICED).to_numpy(bool) & (cost > 0), full - cost, 0)


def _parts(question: Question, frame: pd.DataFrame) -> Iterator[dict[str, Any]]:
    whole = frame[list(SUMS)].sum()
    yield _row("all", "", dict(zip(SUMS, whole.tolist(), strict=True)))
    for part in question.keys:
        sums = frame.groupby(part, sort=False)[list(SUMS)].sum()
        if part in question.tops:
            sums = sums.sort_index().sort_values("booked", ascending=False, kind="stable")
            sums = sums.head(question.tops[part])
        for key, *figures in sums.itertuples():
            yield _row(part, key, dict(zip(SUMS, figures, strict=True)))


def _row(part: str, key: str, sums: dict[str, Any]) -> dict[str, Any]:
    counts = {name: int(sums[name]) for name in COUNTS}
    return {
        "part": part,
        "key": key,
        **counts,
        "hit_rates_sum": Decimal(int(sums["hit_rates_sum"])).scaleb(-RATE_DIGITS),
        "cost_usd": Decimal(int(sums["booked"])).scaleb(-DIGITS),
        "saved_usd": Decimal(int(sums["saved"])).scaleb(-DIGITS),
    }
