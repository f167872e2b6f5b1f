"""What runs leave behind: ids and figures everywhere, and not one word of a note, a summary or a name."""

import asyncio
import json
import logging
from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa
from prefect.settings import get_current_settings

from core.errors import TouchlineError
from core.rollups import RollupRefused
from flows.learn import learn_weekly
from flows.rollup import nightly_rollup
from tasks import reviews
from tests.acceptance.conftest import World
from tests.acceptance.night import evening, overnight
from tests.acceptance.test_summarize import run

NOTE_WORDS = "Zanzibarquagga"
TITLE_WORDS = "Wolpertingerstep"
SUMMARY_WORDS = "Nimbusthistle"
REASON_WORDS = "Grobnikharp"
LAST_NAME = "Ó Quillfeather"
COACH_NAME = "Brannagh Thimblewick"
GUARDIAN_MAIL = "quillparent@example.com"
TABLES = (
    "ai_usage_log",
    "ai_usage_insight",
    "summary_event",
    "summary_run",
    "quality_check",
    "setting_change",
    "message_batch",
)
SECRET = (NOTE_WORDS, TITLE_WORDS, SUMMARY_WORDS, REASON_WORDS, "Quillfeather", "Thimblewick", "quillparent")


def prepare(world: World) -> list[str]:
    """Load insights whose every text can be found again."""
    ids = world.load(insights=24)
    said = {"title": f" {TITLE_WORDS}", "note": f" {NOTE_WORDS}"}
    world.execute("UPDATE insight SET title = title || :title, description = description || :note", **said)
    world.execute("UPDATE player SET last_name = :name", name=LAST_NAME)
    world.execute("UPDATE coach SET name = :name", name=COACH_NAME)
    world.execute("UPDATE guardian SET email = :mail", mail=GUARDIAN_MAIL)
    return ids


def answered(**changed: object) -> str:
    return json.dumps(
        {
            "category": "private",
            "category_confidence": 0.9,
            "reason": REASON_WORDS,
            "summary": f"{SUMMARY_WORDS} is working on it.",
            "confidence": 0.9,
            "flags": [],
        }
        | changed
    )


def refuse_some(world: World) -> None:
    """Have the database refuse some summaries, with an error that quotes them, and the figures of others."""
    world.execute("ALTER TABLE summary ADD CONSTRAINT odd CHECK (text NOT LIKE '%refused%')")


def leftovers(world: World, caplog: pytest.LogCaptureFixture, printed: str) -> Iterator[tuple[str, bytes]]:
    """Give everything that runs have left outside our own tables, by where it lies."""
    yield "log", "\n".join(map(caplog.handler.format, caplog.records)).encode()
    yield "printed", printed.encode()
    url = get_current_settings().server.database.connection_url
    assert url is not None
    stored = Path(str(sa.make_url(url.get_secret_value()).database))
    for path in sorted(stored.parent.glob(f"{stored.name}*")):
        yield str(path), path.read_bytes()
    for path in sorted(world.home.rglob("*")):
        if path.is_file() and "rejects" not in path.parts:  # bad lines are kept for the one who sent them
            yield str(path), path.read_bytes()
    for table in (
        "ai_usage_log",
        "summary_event",
        "summary_run",
        "quality_check",
        "setting_change",
        "message_batch",
    ):
        rows = world.rows(f"SELECT whole::text AS line FROM {table} AS whole")  # noqa: S608
        yield table, "\n".join(row["line"] for row in rows).encode()


def test_nothing_that_runs_leave_behind_holds_a_text_or_a_full_name(
    world: World,
    caplog: pytest.LogCaptureFixture,
    capfd: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("TOUCHLINE_LOG_LEVEL", "debug")  # what is printed is all that any log would tell
    monkeypatch.setenv("TOUCHLINE_LOG_FORMAT", "json")
    caplog.set_level(logging.DEBUG)
    for name in ("touchline", "prefect", "sqlalchemy", "anthropic", "httpx2"):
        logging.getLogger(name).setLevel(logging.DEBUG)
    ids = prepare(world)
    refuse_some(world)
    for kind, answer in (
        ("wrong_content", answered(summary=f"{SUMMARY_WORDS} was refused.")),
        ("wrong_content", answered(flags=["what is this"])),
        ("wrong_content", f"no JSON, but {SUMMARY_WORDS}"),
        ("refusal", None),
        ("api_error", None),
        ("truncated_json", None),
    ):
        world.fault(kind=kind, count=3, **({} if answer is None else {"answer": answer}))
    world.fault(kind="wrong_content", share=1, answer=answered())
    run(world, insights_per_call=1)
    assert {"summarized", "parked"} <= set(world.states())
    act_on_some(world)
    roll_up_and_learn(world)
    world.execute("UPDATE insight SET state = 'pending', state_reason = NULL WHERE state = 'parked'")
    world.execute(
        "INSERT INTO setting (name, value, changed_at) VALUES ('lane', 'overnight', :now)",
        now=world.clock.now(),
    )
    overnight(world, evening(world), insights_per_call=1)
    printed = "".join(capfd.readouterr())
    searched = dict(leftovers(world, caplog, printed))
    everything = b"".join(searched.values())
    assert any(one.encode() in everything for one in ids), "what is searched knows insights by their ids"
    told = [json.loads(line) for line in printed.splitlines() if line.startswith('{"at": ')]
    assert {"touchline.run", "touchline.ledger", "touchline.rollup"} <= {line["logger"] for line in told}
    assert {one for line in told for one in line.get("insight_ids", ())} == set(ids)
    for artifact in (b"live-run", b"overnight-bill", b"overview", b"learned-thresholds", b"rollup-checks"):
        assert artifact in everything
    assert world.rows("SELECT 1 FROM summary WHERE text LIKE :words", words=f"%{SUMMARY_WORDS}%")
    found = {(place, word) for place, held in searched.items() for word in SECRET if word.encode() in held}
    lines = searched["log"].decode().splitlines()
    assert found == set(), [line[:200] for line in lines if any(word in line for word in SECRET)][:5]


def act_on_some(world: World) -> None:
    """Approve, edit, suppress, and be refused, with words of one's own."""
    now = world.clock.now()
    for place, row in enumerate(world.rows("SELECT id, coach_id FROM summary ORDER BY id")):
        person, one = row["coach_id"], row["id"]
        try:
            reviews.edit(world.engine, person, one, f"{SUMMARY_WORDS} {place}", now=now)
            reviews.edit(world.engine, person, one, f"{SUMMARY_WORDS}\0", now=now)
        except TouchlineError as refused:
            logging.getLogger("touchline").error("refused: %s", refused, exc_info=True)
        if place % 2:
            reviews.suppress(world.engine, person, one, reason=REASON_WORDS, now=now)


def roll_up_and_learn(world: World) -> None:
    """A night that is refused, whose rows are shown, one that is published, and a Sunday."""
    world.execute("UPDATE ai_usage_log SET cost_usd = cost_usd + 1 WHERE cost_usd > 0")
    with pytest.raises(RollupRefused):
        asyncio.run(nightly_rollup(clock=world.clock))
    asyncio.run(learn_weekly(clock=world.clock))
