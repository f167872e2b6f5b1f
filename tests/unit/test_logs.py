"""What a line of the logs holds: its ids, never those of another call, and of an exception no words."""

import asyncio
import json
import logging
import sys
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
from prefect.logging.handlers import APILogHandler, PrefectConsoleHandler

from core.settings import Settings
from tasks.logs import LOGGER, JsonLine, PlainLine, Stderr, TextLine, about, set_up_logs

logger = logging.getLogger("touchline.test")
PROMISED = {"at", "level", "logger", "message"}


@pytest.fixture(autouse=True)
def _loggers_as_they_were() -> Iterator[None]:
    root, ours = logging.getLogger(), logging.getLogger(LOGGER)
    before = [*root.handlers], [*ours.handlers], ours.level
    yield
    root.handlers[:], ours.handlers[:] = before[0], before[1]
    ours.setLevel(before[2])


def json_logs(level: str = "debug") -> Settings:
    return Settings(log_format="json", log_level=level)


def lines(capsys: pytest.CaptureFixture[str]) -> list[dict[str, Any]]:
    """Read what was written to stderr: each line is one object."""
    return [json.loads(line) for line in capsys.readouterr().err.splitlines()]


def test_a_line_of_json_holds_time_level_logger_message_and_the_ids(
    capsys: pytest.CaptureFixture[str],
) -> None:
    set_up_logs(json_logs())
    before = datetime.now(UTC)
    with about(run_id="r", lane="live", call_id="c", attempt_id="a", insight_ids=("i1", "i2"), batch_id=None):
        logger.info("claimed %d, and\nmore", 3)
    (line,) = lines(capsys)
    at = line.pop("at")
    assert at.endswith("Z")
    assert abs(datetime.fromisoformat(at) - before).total_seconds() < 60
    assert line == {
        "level": "INFO",
        "logger": "touchline.test",
        "message": "claimed 3, and\nmore",
        "run_id": "r",
        "lane": "live",
        "call_id": "c",
        "attempt_id": "a",
        "insight_ids": ["i1", "i2"],
    }


def test_a_line_of_text_ends_with_the_ids_and_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    set_up_logs(Settings(log_level="info"))
    with about(run_id="r", call_id="c", insight_ids=["i1", "i2"]):
        logger.info("claimed\nthree")
    logger.debug("nobody asked for this")
    (line,) = capsys.readouterr().err.splitlines()
    assert line.endswith("INFO    touchline.test: claimed\\nthree [run=r call=c insights=i1,i2]")


def test_two_calls_at_once_do_not_mix_their_ids(capsys: pytest.CaptureFixture[str]) -> None:
    set_up_logs(json_logs())

    async def call(number: int) -> None:
        with about(call_id=f"call {number}", insight_ids=[f"insight {number}"]):
            for attempt in range(5):
                with about(attempt_id=f"attempt {number}.{attempt}"):
                    await asyncio.sleep(0)
                    logger.info("%d.%d", number, attempt)
                await asyncio.to_thread(logger.info, "%d", number)

    async def run() -> None:
        with about(run_id="r"):
            await asyncio.gather(*map(call, range(20)))
            logger.info("over")

    asyncio.run(run())
    *told, last = lines(capsys)
    assert len(told) == 200
    for line in told:
        number, _, attempt = line["message"].partition(".")
        assert line["call_id"] == f"call {number}"
        assert line["insight_ids"] == [f"insight {number}"]
        assert line.get("attempt_id") == (f"attempt {number}.{attempt}" if attempt else None)
        assert line["run_id"] == "r"
    assert last.keys() == PROMISED | {"run_id"}


def test_of_an_exception_only_types_and_places_are_told(capsys: pytest.CaptureFixture[str]) -> None:
    def refuse() -> None:
        try:
            raise KeyError("Clodagh hesitates")
        except KeyError as error:
            raise ValueError("Key (note)=(Clodagh hesitates) exists") from error

    for settings in (json_logs(), Settings()):
        set_up_logs(settings)
        try:
            refuse()
        except ValueError:
            logger.exception("refused")
    as_json, as_text = capsys.readouterr().err.splitlines()
    assert "Clodagh" not in as_json + as_text
    line = json.loads(as_json)
    assert line["error"] == "ValueError <- KeyError"
    assert line["stack"][-1].startswith("unit/test_logs.py:")
    assert line["stack"][-1].endswith(" refuse")
    assert "refused (ValueError <- KeyError at unit/test_logs.py:" in as_text


def test_the_parts_of_a_group_of_exceptions_are_named(capsys: pytest.CaptureFixture[str]) -> None:
    set_up_logs(json_logs())
    try:
        raise ExceptionGroup("several", [OSError("a"), TimeoutError("b")])
    except ExceptionGroup:
        logger.exception("broke off")
    assert lines(capsys)[0]["error"] == "ExceptionGroup(OSError, TimeoutError)"


@pytest.mark.parametrize("name", ["httpx", "anthropic", "sqlalchemy.pool", "py.warnings"])
def test_warnings_of_the_libraries_are_in_the_same_format_with_the_same_ids(
    name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    set_up_logs(json_logs())
    with about(run_id="r"):
        logging.getLogger(name).warning("careful")
    (line,) = lines(capsys)
    assert line.items() >= {"logger": name, "level": "WARNING", "message": "careful", "run_id": "r"}.items()


def test_a_line_of_prefect_says_which_task_or_flow_run_it_is_about(
    capsys: pytest.CaptureFixture[str],
) -> None:
    set_up_logs(json_logs())
    told = logging.getLogger("prefect.task_runs")
    told.warning("late", extra={"task_run_name": "soccer warm: 3 calls", "flow_run_name": "live"})
    told.warning("late", extra={"flow_run_name": "live"})
    assert [line["message"] for line in lines(capsys)] == ["soccer warm: 3 calls: late", "live: late"]


def test_setting_up_again_writes_a_line_once_and_takes_prefects_console_away(
    capsys: pytest.CaptureFixture[str],
) -> None:
    logging.getLogger().addHandler(PrefectConsoleHandler(stream=sys.stderr))
    set_up_logs(json_logs())
    set_up_logs(Settings())
    logger.warning("once")
    (line,) = capsys.readouterr().err.splitlines()
    assert line.endswith("WARNING touchline.test: once")
    assert not [one for one in logging.getLogger().handlers if isinstance(one, PrefectConsoleHandler)]


def test_prefects_page_of_a_run_shows_ids_but_not_the_runs_own(caplog: pytest.LogCaptureFixture) -> None:
    shared, ours = APILogHandler(), logging.getLogger(LOGGER)
    ours.addHandler(shared)
    set_up_logs(json_logs())
    set_up_logs(json_logs())
    assert shared.formatter is None, "Prefect's own lines go through it as before"
    (to_prefect,) = [one for one in ours.handlers if isinstance(one, APILogHandler)]
    assert to_prefect is not shared
    ours.removeHandler(to_prefect)  # there is no server here
    with about(run_id="r", lane="live", call_id="c"):
        logger.warning("careful")
        assert to_prefect.format(caplog.records[-1]) == "careful [call=c]"


@pytest.mark.parametrize(("given", "default", "level"), [(None, "INFO", 20), ("ERROR", "INFO", 40)])
def test_the_level_is_the_set_one_else_the_default(
    given: str | None, default: str, level: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    if given:
        monkeypatch.setenv("TOUCHLINE_LOG_LEVEL", given)
    set_up_logs(Settings(), default=logging.getLevelNamesMapping()[default])
    assert logging.getLogger(LOGGER).level == level


def test_an_id_that_no_line_would_tell_is_a_mistake() -> None:
    with pytest.raises(AssertionError, match="not in the table"), about(player_name="Clodagh"):
        pass


def test_a_line_goes_to_whatever_stderr_is_at_the_time(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    set_up_logs(Settings())
    (ours,) = [one for one in logging.getLogger().handlers if isinstance(one, Stderr)]
    assert ours.stream is sys.stderr
    monkeypatch.setattr(sys, "stderr", sys.stdout)
    logger.warning("a progress bar has put its own in between")
    told = capsys.readouterr()
    assert told.out.endswith("in between\n")
    assert told.err == ""


@pytest.mark.parametrize("formatter", [JsonLine(), TextLine(), PlainLine()])
def test_a_line_costs_less_than_200_microseconds(formatter: logging.Formatter) -> None:
    record = logger.makeRecord("touchline.test", logging.INFO, "", 0, "claimed %d of %s", (3, "some"), None)
    seconds = []
    with about(run_id="r" * 36, call_id="c" * 36, attempt_id="a" * 36, insight_ids=["i" * 36] * 5):
        for _ in range(200):
            began = time.perf_counter()
            formatter.format(record)
            seconds.append(time.perf_counter() - began)
    assert min(seconds) < 200e-6, "about 10 on an idle machine"
