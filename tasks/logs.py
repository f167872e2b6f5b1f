"""Logs: text or JSON on stderr, every line with the ids of the run, call and insights that it is about.

What is logged holds ids and figures, never a text about a child: of an exception only types and places.
"""

import json
import logging
import sys
import traceback
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import UTC, datetime
from pathlib import Path
from typing import TextIO

from core.settings import Settings

LOGGER = "touchline"  # of which all others of ours are children

Ids = str | Sequence[str] | None  # None is not told

# What a line may be about, in the order in which it is told, and its short name.
NAMES: Mapping[str, str] = {
    "run_id": "run",
    "lane": "lane",
    "organization_id": "org",
    "batch_id": "batch",
    "call_id": "call",
    "attempt_id": "attempt",
    "insight_ids": "insights",
}
SAID_BY_PREFECT = frozenset({"run_id", "lane"})  # of a flow run's own page

_ids: ContextVar[Mapping[str, Ids]] = ContextVar("touchline_ids", default={})  # noqa: B039 - never changed in place


@contextmanager
def about(**ids: Ids) -> Iterator[None]:
    """Have every line that is logged in this block, and by tasks started in it, tell these ids."""
    assert ids.keys() <= NAMES.keys(), "what is not in the table would not be told"
    token = _ids.set({**_ids.get(), **ids})
    try:
        yield
    finally:
        _ids.reset(token)


@contextmanager
def run_logs(settings: Settings, **ids: Ids) -> Iterator[None]:
    """Set up the logs of a run, by its settings, and have every line of it tell these ids."""
    set_up_logs(settings, default=logging.INFO if _is_deployed() else logging.WARNING)
    with about(**ids):
        yield


def set_up_logs(settings: Settings, default: int = logging.WARNING) -> None:
    """Write all logs of this process to stderr as the settings say; again, it changes what has changed.

    `default`: the level of ours where TOUCHLINE_LOG_LEVEL says none. Prefect's console handler, if there is
    one, is replaced: a line is written once, and all of them in one format.
    """
    root, ours = logging.getLogger(), logging.getLogger(LOGGER)
    for handler in [*root.handlers]:
        if isinstance(handler, Stderr) or _is_prefects(handler, "PrefectConsoleHandler"):
            root.removeHandler(handler)
    handler = Stderr()
    handler.setFormatter(JsonLine() if settings.log_format == "json" else TextLine())
    root.addHandler(handler)
    ours.setLevel(settings.log_level.upper() if settings.log_level else default)
    # PREFECT_LOGGING_EXTRA_LOGGERS has put Prefect's handler there, which would tell the message alone.
    for handler in [*ours.handlers]:
        if _is_prefects(handler, "APILogHandler") and not isinstance(handler.formatter, PlainLine):
            ours.removeHandler(handler)
            to_prefect = type(handler)(handler.level)
            to_prefect.setFormatter(PlainLine())
            ours.addHandler(to_prefect)


class Stderr(logging.Handler):
    """Writes to whatever stderr is at the time: a progress bar puts its own in between, to stay below."""

    @property
    def stream(self) -> TextIO:
        """Where lines go."""
        return sys.stderr

    def emit(self, record: logging.LogRecord) -> None:
        """Write a line."""
        try:
            self.stream.write(f"{self.format(record)}\n")
            self.stream.flush()
        except Exception:  # noqa: BLE001 - as every handler does: `handleError` tells it on stderr
            self.handleError(record)


class JsonLine(logging.Formatter):
    """A record as one JSON object on one line."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the object: at, level, logger, message, ids, and of an exception its types and places."""
        line: dict[str, object] = {
            "at": _at(record),
            "level": record.levelname,
            "logger": record.name,
            "message": _message(record),
            **_told_ids(),
        }
        if record.exc_info and (error := record.exc_info[1]):
            line |= {"error": _types(error), "stack": list(_places(error))}
        return json.dumps(line, ensure_ascii=False)


class PlainLine(logging.Formatter):
    """A record as one line of text for Prefect's UI, which shows time, level and run beside it."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the message, an exception's types and its innermost place, and the ids."""
        return _line(record, _told_ids(but=SAID_BY_PREFECT))


class TextLine(logging.Formatter):
    """A record as one line of text."""

    def format(self, record: logging.LogRecord) -> str:
        """Return time, level, logger, message, an exception's types and its innermost place, and the ids."""
        return f"{_at(record)} {record.levelname:<7} {record.name}: {_line(record, _told_ids())}"


def _line(record: logging.LogRecord, ids: Mapping[str, str | list[str]]) -> str:
    message = _message(record).replace("\r", "").replace("\n", "\\n")
    if record.exc_info and (error := record.exc_info[1]):
        message += f" ({' at '.join([_types(error), *list(_places(error))[-1:]])})"
    told = (
        f"{NAMES[name]}={value if isinstance(value, str) else ','.join(value)}" for name, value in ids.items()
    )
    return f"{message} [{' '.join(told)}]" if ids else message


def _message(record: logging.LogRecord) -> str:
    """What is said, with the name of the task or flow run where Prefect says it of one, as Prefect does."""
    of = getattr(record, "task_run_name", None) or getattr(record, "flow_run_name", None)
    said = _said(record)
    return f"{of}: {said}" if of else said


def _said(record: logging.LogRecord) -> str:
    """The message, in which an exception is told by its types, as others would quote its words."""
    if not isinstance(record.args, tuple) or not any(isinstance(arg, BaseException) for arg in record.args):
        return record.getMessage()
    return str(record.msg) % tuple(
        _types(arg) if isinstance(arg, BaseException) else arg for arg in record.args
    )


def _told_ids(but: frozenset[str] = frozenset()) -> dict[str, str | list[str]]:
    bound = _ids.get()
    return {
        name: value if isinstance(value, str) else list(value)
        for name in NAMES
        if name not in but and (value := bound.get(name))
    }


def _at(record: logging.LogRecord) -> str:
    told = datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds")
    return told.replace("+00:00", "Z")


def _types(error: BaseException) -> str:
    """Name an exception and what it came from; what they say may quote a row, and so a text about a child."""
    names: list[str] = []
    at: BaseException | None = error
    while at is not None:
        names.append(type(at).__name__)
        if isinstance(at, BaseExceptionGroup):
            names[-1] += f"({', '.join(map(_types, at.exceptions))})"
        at = at.__cause__ or (None if at.__suppress_context__ else at.__context__)
    return " <- ".join(names)


def _places(error: BaseException) -> Iterator[str]:
    """Give where an exception went through, innermost last."""
    for frame, line in traceback.walk_tb(error.__traceback__):
        yield f"{'/'.join(Path(frame.f_code.co_filename).parts[-2:])}:{line} {frame.f_code.co_name}"


def _is_prefects(handler: logging.Handler, name: str) -> bool:
    """Know a handler of Prefect by its name: Prefect, which takes seconds, need not be imported here."""
    kind = type(handler)
    return kind.__name__ == name and kind.__module__.startswith("prefect.")


def _is_deployed() -> bool:
    """Say whether a worker runs this, for an operator, and nobody by hand."""
    from prefect.context import FlowRunContext

    context = FlowRunContext.get()
    return context is not None and context.flow_run is not None and context.flow_run.deployment_id is not None
