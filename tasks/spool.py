"""The durable spool: settled figures that the ledger did not take, until it does.

One file per attempt, written whole or not at all, removed only after the ledger has the figures; the
attempt's id makes a replay count once however often it runs.
"""

import json
import logging
import os
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

from sqlalchemy.exc import DBAPIError, OperationalError
from sqlalchemy.ext.asyncio import AsyncEngine

from models.ai_usage_log import QUERIES

logger = logging.getLogger("touchline.spool")


def spool_folder(home: Path) -> Path:
    """Return where the spool lies."""
    return home / "spool"


def spool(home: Path, figures: dict[str, Any]) -> None:
    """Keep the figures of one attempt on disk; they are safe when this returns."""
    folder = spool_folder(home)
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{figures['attempt_id']}.json"
    unfinished = path.with_suffix(".tmp")
    with unfinished.open("w", encoding="utf-8") as file:
        json.dump(figures, file, default=_plain)
        file.flush()
        os.fsync(file.fileno())
    unfinished.replace(path)
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


async def replay_spool(engine: AsyncEngine, home: Path) -> int:
    """Settle every attempt that lies in the spool; return how many were settled.

    Figures that the ledger refuses again, or whose attempt it does not know (another database), stay.
    """
    settled = 0
    for path in sorted(spool_folder(home).glob("*.json")):
        figures = _read(path)
        if figures is None:
            continue
        try:
            async with engine.begin() as connection:
                rows = (await connection.execute(QUERIES["settle"], figures)).rowcount
                known = (
                    await connection.execute(QUERIES["show"], {"attempt_id": figures["attempt_id"]})
                ).first()
        except OperationalError:
            raise
        except DBAPIError as error:
            logger.error("the ledger refuses the figures in %s again: %s", path, type(error.orig).__name__)
            continue
        if known is None:
            logger.error("the ledger does not know the attempt in %s; is this another database?", path)
            continue
        path.unlink(missing_ok=True)
        settled += rows
    return settled


def forget_spool(home: Path) -> None:
    """Throw away what waits in the spool, because its ledger is gone."""
    for path in spool_folder(home).glob("*.json"):
        path.unlink(missing_ok=True)


def _plain(value: object) -> str:
    if isinstance(value, Decimal):
        return str(value)
    if isinstance(value, datetime):
        return value.isoformat()
    raise TypeError(f"figures hold no {type(value).__name__}")


def _read(path: Path) -> dict[str, Any] | None:
    """Read figures; None when another run has replayed them meanwhile, or when they are set aside."""
    try:
        return _figures(json.loads(path.read_text("utf-8")))
    except FileNotFoundError:
        return None
    except (ValueError, KeyError, TypeError, ArithmeticError):
        logger.error("%s is no file of the spool; it is set aside as .unreadable", path)
        path.rename(path.with_suffix(".unreadable"))
        return None


def _figures(figures: dict[str, Any]) -> dict[str, Any]:
    return figures | {
        "cost_usd": None if figures["cost_usd"] is None else Decimal(figures["cost_usd"]),
        "cache_hit_rate": None if figures["cache_hit_rate"] is None else Decimal(figures["cache_hit_rate"]),
        "recorded_at": datetime.fromisoformat(figures["recorded_at"]),
    }
