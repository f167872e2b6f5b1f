"""The results of a batch: read in a stream, and settled so that one that is refused spoils no other."""

import asyncio
from collections.abc import Mapping
from contextlib import aclosing
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from core.calls import PlannedCall
from core.settings import Settings
from core.states import BatchKind
from tasks import collecting
from tasks.batch_api import read_results
from tasks.batches import send_batch
from tasks.claude import CallFailed, make_client
from tasks.collecting import look_at_all
from tasks.run import Run
from tasks.spool import replay_spool, spool_folder
from tests.integration.batch_vendor import (
    ANSWER,
    USAGE,
    VENDOR_ID,
    Vendor,
    answer,
    batch_vendor,
    line,
    succeeded,
)
from tests.integration.night_run import DUE_AT, claimed_calls, stored, tell, waiting
from tests.integration.stored_rows import Rows
from tests.integration.workers import START

COST_USD = Decimal("0.000045")  # of 200 and 140 tokens at $0.05 and $0.25 a million


def read(vendor: Vendor, lines_max: int = 1_000) -> tuple[list[dict[str, Any]], str | None]:
    """Read results; gives the lines that came, and the type of the failure after them."""
    came: list[dict[str, Any]] = []

    async def whole() -> None:
        settings = Settings().model_copy(update={"anthropic_base_url": vendor.base_url})
        async with make_client(settings) as client, aclosing(read_results(client, VENDOR_ID)) as lines:
            async for one in lines:
                came.append(one)
                if len(came) == lines_max:
                    return

    try:
        asyncio.run(whole())
    except CallFailed as failed:
        return came, failed.failure.error_type
    return came, None


def test_a_line_is_read_whole_wherever_the_network_has_cut_it() -> None:
    said = ["Ciarán", "a\u2028b\u2029c\x85d", "\r\n"]
    lines = [line(f"item-{n}", one) for n, one in enumerate(said)]
    in_a_fada = lines[0].index("á".encode()) + 1
    last = lines[2].removesuffix(b"\n")
    parts = (lines[0][:in_a_fada], lines[0][in_a_fada:] + b"\n \n\r\n" + lines[1] + last[:4], last[4:])
    with batch_vendor(*parts) as vendor:
        came, failure = read(vendor)
    assert came == [{"custom_id": f"item-{n}", "result": one} for n, one in enumerate(said)]
    assert failure is None


@pytest.mark.parametrize(
    "broken",
    [b'{"custom_id": "d", "resu', b"<html>\n", b"[]\n", b'{"custom_id": 7, "result": {}}\n', b"\xff\xfe\n"],
)
def test_a_line_that_is_no_result_is_a_failure_after_all_the_good_ones(broken: bytes) -> None:
    with batch_vendor(line("a", 1) + line("b", 2), line("c", 3) + broken) as vendor:
        came, failure = read(vendor)
        assert ([one["custom_id"] for one in came], failure) == (["a", "b", "c"], "answer_unreadable")
        assert read(vendor, lines_max=3)[1] is None, "whoever needs no more of it is not told"


def test_results_that_break_off_are_a_failure_after_what_came() -> None:
    with batch_vendor(line("a", 1), b'{"custom_id": "b"', whole=False) as vendor:
        assert read(vendor) == ([{"custom_id": "a", "result": 1}], "connection_lost")


def collected(rows: Rows, home: Path, said: Mapping[str, Any], insights_per_call: int = 1) -> Run:
    """Send a batch about what is due, and collect it: of each insight an answer, or the whole result."""
    with batch_vendor() as vendor:

        async def story(run: Run) -> None:
            calls = await claimed_calls(run, insights_per_call)
            await send_batch(run, calls, BatchKind.MAIN, due_at=DUE_AT)
            vendor.parts = [
                line(custom_id, result_of(call, said), ascii_only=True)
                for custom_id, call in zip(vendor.custom_ids, calls, strict=True)
            ]
            assert await look_at_all(run) == []
            runs.append(run)

        runs: list[Run] = []
        tell(rows, home, story, base_url=vendor.base_url)
    return runs[0]


def result_of(call: PlannedCall, said: Mapping[str, Any]) -> Any:
    answers = [said[one.id] for one in call.insights]
    if not all(isinstance(one, dict) and "summary" in one for one in answers):
        return answers[0]
    return succeeded(answers if call.packed else answers[0])


def standing(rows: Rows) -> dict[str, tuple[Any, ...]]:
    """State, reason and unusable answers of each insight."""
    found = stored(rows, "SELECT id, state, state_reason, unusable_answers FROM insight")
    return {one: tuple(rest) for one, *rest in found}


def test_what_the_database_refuses_among_many_results_is_parked_alone_and_everything_is_booked(
    rows: Rows, home: Path
) -> None:
    """Of nine items one has a NUL in its text, and of two the database refuses a summary, one of a pack's."""
    *single, pack = waiting(rows, [1] * 8 + [3])
    ids = [one for (one,) in single]
    nul, refused, in_pack = ids[1], ids[4], pack[1]
    with rows.engine.begin() as connection:
        connection.exec_driver_sql(
            f"ALTER TABLE summary ADD CONSTRAINT closed CHECK (insight_id NOT IN ('{refused}', '{in_pack}'))"
        )
    said = {one: answer(f"About {one}.") for one in (*ids, *pack)} | {nul: answer("Good\0bye.")}
    collected(rows, home, said, insights_per_call=3)
    good = said.keys() - {nul, refused, in_pack}
    assert standing(rows) == dict.fromkeys(good, ("summarized", None, 0)) | {
        nul: ("pending", "answer_off_schema", 1),
        refused: ("parked", "store_refused", 0),
        in_pack: ("parked", "store_refused", 0),
    }
    texts = stored(rows, "SELECT insight_id, text FROM summary")
    assert sorted(texts) == sorted((one, f"About {one}.") for one in good)
    columns = "outcome, outcome_reason, cost_usd"
    booked = stored(rows, f"SELECT {columns}, count(*) FROM ai_usage_log GROUP BY {columns}")  # noqa: S608
    assert sorted(booked) == [
        ("succeeded", None, COST_USD, 7),
        ("unusable", "off_schema", COST_USD, 1),
        ("unusable", "store_refused", COST_USD, 1),
    ]
    assert not spool_folder(home).exists()


def test_a_run_counts_what_the_database_refused_as_parked(rows: Rows, home: Path) -> None:
    ((one,),) = waiting(rows, [1])
    with rows.engine.begin() as connection:
        connection.exec_driver_sql("ALTER TABLE summary ADD CONSTRAINT closed CHECK (false)")
    run = collected(rows, home, {one: ANSWER})
    assert standing(rows)[one][0] == "parked"
    assert (run.states, run.parked) == ({"parked": 1}, {"store_refused": 1})


def test_figures_that_the_ledger_refuses_go_to_the_spool_and_cost_neither_the_summary_nor_the_others(
    rows: Rows, home: Path
) -> None:
    (one,), (other,) = waiting(rows, [1, 1])
    too_many = succeeded(ANSWER, usage=USAGE | {"output_tokens": 3_000_000_000})
    collected(rows, home, {one: too_many, other: ANSWER})
    assert standing(rows) == dict.fromkeys((one, other), ("summarized", None, 0))
    assert sorted(stored(rows, "SELECT outcome, outcome_reason, cost_usd FROM ai_usage_log")) == [
        ("lost", "result_missing", None),
        ("succeeded", None, COST_USD),
    ]
    with rows.engine.begin() as connection:
        connection.exec_driver_sql("ALTER TABLE ai_usage_log ALTER output_tokens TYPE bigint")

    async def replay(run: Run) -> None:
        assert await replay_spool(run.engine, home) == 1

    tell(rows, home, replay)
    costs = stored(rows, "SELECT cost_usd FROM ai_usage_log WHERE outcome = 'succeeded' ORDER BY 1")
    assert costs == [(COST_USD,), (Decimal("750.00001"),)]


def test_results_are_settled_group_by_group_and_each_group_is_committed(
    rows: Rows, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The third line of five is none: what came before it in its group waits for the next look."""
    monkeypatch.setattr(collecting, "RESULTS_AT_ONCE", 2)
    ids = [one for (one,) in waiting(rows, [1] * 5)]
    with batch_vendor() as vendor:

        async def story(run: Run) -> None:
            await send_batch(run, await claimed_calls(run), BatchKind.MAIN, due_at=DUE_AT)
            lines = [line(one, succeeded(ANSWER)) for one in vendor.custom_ids]
            vendor.parts = [*lines[:3], b"<html>\n", *lines[3:]]
            (unfinished,) = await look_at_all(run)
            assert unfinished.state == "open"
            assert list(standing(rows).values()).count(("summarized", None, 0)) == 2
            vendor.parts = [*lines, line("nobody-knows", succeeded(ANSWER))]
            assert await look_at_all(run) == []
            assert run.states == {"summarized": 5}

        tell(rows, home, story, base_url=vendor.base_url)
    assert standing(rows) == dict.fromkeys(ids, ("summarized", None, 0))
    assert stored(rows, "SELECT DISTINCT outcome, cost_usd FROM ai_usage_log") == [("succeeded", COST_USD)]
    assert stored(rows, "SELECT count(*) FROM summary") == [(5,)]


@pytest.mark.parametrize("kind", list(BatchKind))
def test_what_a_prime_has_written_is_warm_for_batches_from_when_it_may_have_begun(
    rows: Rows, home: Path, kind: BatchKind
) -> None:
    """Of a main batch nothing is noted, and nothing of a call that neither wrote nor read."""
    waiting(rows, [1] * 12)
    wrote = USAGE | {
        "cache_creation_input_tokens": 4_000,
        "cache_creation": {"ephemeral_1h_input_tokens": 4_000},
    }

    async def story(run: Run) -> None:
        call, unmarked, *_ = await claimed_calls(run)
        keys = [prefix.key for prefix in call.marked]
        assert keys
        unmarked = replace(unmarked, prefixes=tuple(one._replace(ttl=None) for one in unmarked.prefixes))
        for sent, usage, warm in ((unmarked, USAGE, {}), (call, wrote, dict.fromkeys(keys, "1h"))):
            await send_batch(run, [sent], kind, due_at=DUE_AT)
            vendor.parts = [line(vendor.custom_ids[-1], succeeded(ANSWER, usage=usage))]
            assert await look_at_all(run) == []
            assert await run.warmth.look(keys) == (warm if kind is BatchKind.PRIME else {})

    with batch_vendor() as vendor:
        tell(rows, home, story, base_url=vendor.base_url)
    kept = stored(rows, "SELECT DISTINCT right(account, 8), ttl, warm_until FROM cache_prefix")
    assert kept == ([("/batches", "1h", START + timedelta(hours=1))] if kind is BatchKind.PRIME else [])


STRANGE: dict[str, Any] = {
    "nothing": None,
    "a word": "succeeded",
    "an unknown type": {"type": "vanished"},
    "no message": {"type": "succeeded"},
    "no usage": succeeded(ANSWER, usage=None),
    "usage of words": succeeded(ANSWER, usage={"input_tokens": "many", "output_tokens": 1}),
    "no content": succeeded(ANSWER, content=[]),
    "a block of no text": succeeded(ANSWER, content=[{"type": "text"}]),
    "an unknown model": succeeded(ANSWER, model="claude-imaginary-9"),
    "a model with a NUL": succeeded(ANSWER, model="claude\0"),
    "an unknown tier": succeeded(ANSWER, usage=USAGE | {"service_tier": "flex"}),
    "an error of no type": {"type": "errored", "error": "broken"},
    "an error with a NUL": {"type": "errored", "error": {"error": {"type": "a\0b"}, "request_id": "\0"}},
    "a request too large": {"type": "errored", "error": {"error": {"type": "request_too_large"}}},
    "half a character": succeeded('{"summary": "\ud83d'),
    "text that is a number": succeeded(ANSWER, content=[{"type": "text", "text": 7}]),
}
CRASHES: dict[str, Any] = {
    "an error with half a character": {"type": "errored", "error": {"error": {"type": "\ud83d"}}},
    "a stop reason that is a list": succeeded(ANSWER, stop_reason=["end_turn"]),
    "a pack with half a character": succeeded('{"answers": [{"id": "1", "summary": "\ud83d"}]}'),
}


def test_whatever_a_result_is_its_insight_goes_on_and_its_attempt_is_settled(rows: Rows, home: Path) -> None:
    ids = [one for (one,) in waiting(rows, [1] * len(STRANGE))]
    collected(rows, home, dict(zip(ids, STRANGE.values(), strict=True)))
    told = dict(zip(STRANGE, standing(rows).values(), strict=True))
    summarized = [name for name, (state, *_) in told.items() if state == "summarized"]
    parked = {name: reason for name, (state, reason, _) in told.items() if state == "parked"}
    assert summarized == ["an unknown model", "an unknown tier"], "paid for, if not known how much"
    assert parked == {
        "a model with a NUL": "store_refused",
        "an error with a NUL": "store_refused",
        "a request too large": "api_request_too_large",
    }
    assert {state for state, *_ in told.values()} == {"pending", "parked", "summarized"}
    assert stored(rows, "SELECT state FROM message_batch") == [("collected",)]
    free = {"an error of no type", "a request too large"}
    paid_or_lost = stored(
        rows, "SELECT count(*) FROM ai_usage_log WHERE outcome <> 'sent' AND cost_usd IS DISTINCT FROM 0"
    )
    assert paid_or_lost == [(len(STRANGE) - len(free),)]


def test_a_result_that_python_itself_refuses_spoils_no_other(rows: Rows, home: Path) -> None:
    *single, pack = waiting(rows, [1] * (len(CRASHES) - 1) + [2])
    (good,) = waiting(rows, [1], "club")[0]
    ids = [*(one for (one,) in single), pack[0]]
    said = dict(zip(ids, CRASHES.values(), strict=True)) | {pack[1]: CRASHES["a pack with half a character"]}
    collected(rows, home, said | {good: ANSWER}, insights_per_call=2)
    assert standing(rows)[good] == ("summarized", None, 0)
    assert stored(rows, "SELECT state FROM message_batch") == [("collected",)]
