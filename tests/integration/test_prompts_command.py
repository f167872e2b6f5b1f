"""`touchline prompts` as it is typed: one JSON object, exact money, the prompt as it is sent."""

import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest
from typer.testing import CliRunner

from cli.main import app, exit_code
from core.errors import BadInput, NotReady
from core.prompt import estimated_tokens, sports, texts_of
from core.states import Tone
from database.engine import connect
from models.tables import Player, Prompt
from tests.integration.emulator_process import RunningEmulator
from tests.integration.stored_rows import AT, Rows

SOCCER = texts_of("soccer", Tone.WARM)
OLD = replace(SOCCER, version="0af300000000", tone_text=SOCCER.tone_text.replace("Friendly", "Jolly"))
Command = Callable[..., Any]


@pytest.fixture
def rows(database_url: str) -> Iterator[Rows]:
    engine = connect(database_url)
    made = Rows(engine)
    made.club()
    values = {name: getattr(OLD, name) for name in OLD.__slots__}
    made.insert(Prompt, values | {"first_used_at": AT})
    yield made
    engine.dispose()


@pytest.fixture
def command(rows: Rows, database_url: str, monkeypatch: pytest.MonkeyPatch) -> Command:
    """Run `touchline prompts` on this database, in a terminal of 80 columns; gives its result."""
    monkeypatch.setenv("DATABASE_URL", database_url)
    monkeypatch.setenv("COLUMNS", "80")
    return lambda *arguments: CliRunner().invoke(app, ["prompts", *arguments])


def told(command: Command, *arguments: str) -> Any:
    """Give the one JSON object that a command prints."""
    result = command(*arguments, "--json")
    assert result.exit_code == 0, result.output
    assert result.stdout.count("\n") == 1
    return json.loads(result.stdout)


def shown(command: Command, *arguments: str) -> str:
    """Give what a person sees, having checked that it fits the terminal."""
    result = command(*arguments)
    assert result.exit_code == 0, result.output
    lines = result.stdout.splitlines()
    assert max(map(len, lines)) <= 80
    assert "…" not in result.stdout, "a column is too narrow"
    return str(result.stdout)


def test_every_sport_and_tone_is_listed_with_its_tokens_and_what_was_made_with_it(
    rows: Rows, command: Command
) -> None:
    rows.insert(Prompt, {name: getattr(SOCCER, name) for name in SOCCER.__slots__} | {"first_used_at": AT})
    rows.summary(prompt_version=SOCCER.version)
    rows.summary(prompt_version=OLD.version)
    listed = told(command, "list")
    assert [(row["sport"], row["tone"]) for row in listed["prompts"]] == [
        (sport, tone.value) for sport in sports() for tone in Tone
    ]
    (soccer,) = [row for row in listed["prompts"] if row["version"] == SOCCER.version]
    assert (soccer["summaries"], soccer["first_used_at"]) == (1, "2026-03-02T19:00:00Z")
    assert soccer["tokens"] == {
        layer.name: estimated_tokens(layer.text, listed["model"]) for layer in SOCCER.layers()
    }
    assert all(row["first_used_at"] is None for row in listed["prompts"] if row != soccer)
    assert [row["version"] for row in listed["older"]] == [OLD.version]
    words = shown(command, "list")
    assert "not used" in words
    assert OLD.version in words


def test_an_insights_prompt_is_shown_whole_and_without_the_last_name(rows: Rows, command: Command) -> None:
    rows.insert(
        Player,
        {
            "id": "p2",
            "organization_id": "club",
            "first_name": "Zofia",
            "last_name": "Nowak",
            "sport": "rugby",
        },
    )
    rows.summary(player_id="p2", state="approved", rehearsal=False, text="Zofia Nowak tackled well :heart:.")
    insight_id = rows.insight(player_id="p2", description="Zofia Nowak again, [bold]well[/] done :smile:")
    prompt = told(command, "show", "--insight", insight_id)
    assert (prompt["insight_id"], prompt["version"]) == (insight_id, texts_of("rugby", Tone.WARM).version)
    assert [layer["name"] for layer in prompt["layers"]] == [
        "instructions",
        "sport",
        "tone",
        "player",
        "note",
    ]
    assert [layer["marker"] for layer in prompt["layers"]] == [True, True, True, False, False]
    player, note = (layer["text"] for layer in prompt["layers"][3:])
    assert '"earlier_summaries": ["Zofia tackled well :heart:."]' in player
    assert "Zofia again, [bold]well[/] done :smile:" in note
    words = shown(command, "show", "--insight", insight_id)
    assert "Nowak" not in words + json.dumps(prompt)
    assert "[bold]well[/] done :smile:" in " ".join(words.split())
    assert words.count("cache marker") == 3
    for heading in ("instructions", "sport", "tone", "player", "note", "answer schema"):
        assert f"== {heading}" in words


def test_a_sport_and_tone_or_a_kept_version_is_shown_without_a_player(command: Command) -> None:
    current = told(command, "show", "--sport", "soccer")
    assert (current["version"], current["current"], current["insight_id"]) == (SOCCER.version, True, None)
    old = told(command, "show", "--version", "0af3")
    assert (old["version"], old["current"]) == (OLD.version, False)
    assert [layer["name"] for layer in old["layers"]] == ["instructions", "sport", "tone"]
    assert "Jolly" in old["layers"][2]["text"]
    assert old["answer_schema"] == SOCCER.answer_schema
    assert "not current" in shown(command, "show", "--version", "0af3")


def test_costs_are_told_layer_by_layer_in_exact_strings(command: Command) -> None:
    costs = told(command, "tokens", "--sport", "soccer", "--tone", "warm")
    (soccer,) = costs["prompts"]
    assert (costs["model"], costs["uses"], costs["counted"]) == ("claude-haiku-5-5", 1000, False)
    sheet = soccer["layers"][1]
    tokens = estimated_tokens(SOCCER.sport_sheet, costs["model"])
    assert sheet["tokens"] == tokens
    plain, cached = (Decimal(sheet[name]) for name in MONEY)
    assert plain == Decimal(tokens) / 10_000
    assert cached == plain / 10 + tokens * Decimal("0.000000115")  # one write instead of one read
    for name in MONEY:
        parts = sum(Decimal(layer[name]) for layer in soccer["layers"])
        assert Decimal(soccer["prompt"][name]) == parts
        assert Decimal(soccer["total"][name]) == parts + Decimal(soccer["answer"][name])
    assert soccer["sheet_1000_tokens_more"][MONEY[0]] == "0.1"
    words = shown(command, "tokens", "--sport", "soccer", "--tone", "warm")
    assert f"{plain:.4f}" in words
    assert "sheet longer by" in words


MONEY = ("uncached_cost_per_1000_summaries_usd", "cost_per_1000_summaries_usd")


def test_all_sports_and_tones_are_told_when_none_is_named(command: Command) -> None:
    assert len(told(command, "tokens")["prompts"]) == len(sports()) * len(Tone)
    assert len(told(command, "tokens", "--tone", "brief")["prompts"]) == len(sports())
    assert len(shown(command, "tokens").splitlines()) < len(sports()) * len(Tone) + 15


def test_a_model_that_caches_nothing_so_short_is_told_and_so_is_the_saving_of_a_longer_sheet(
    command: Command,
) -> None:
    asked = ("tokens", "--sport", "soccer", "--tone", "warm", "--model", "claude-haiku-4-5")
    (soccer,) = told(command, *asked)["prompts"]
    assert not soccer["cached"]
    assert soccer["total"][MONEY[0]] == soccer["total"][MONEY[1]]
    assert Decimal(soccer["sheet_1000_tokens_more"][MONEY[1]]) < 0
    assert "Nothing is cached: the shared layers have" in shown(command, *asked)
    assert "nothing is cached" in shown(command, "tokens", "--model", "claude-haiku-4-5")


def test_the_api_counts_every_layer_and_what_it_adds_itself(
    command: Command, emulator: RunningEmulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The emulator counts as we estimate, so that layer by layer the two must be equal."""
    monkeypatch.setenv("ANTHROPIC_BASE_URL", emulator.base_url)
    asked = ("tokens", "--sport", "rugby", "--tone", "brief")
    counted, estimated = told(command, *asked, "--count"), told(command, *asked)
    assert (counted["counted"], estimated["counted"]) == (True, False)
    frame, *parts = counted["prompts"][0]["layers"]
    assert (frame["name"], frame["shared"]) == ("frame", True)
    assert frame["tokens"] > 0
    assert parts == estimated["prompts"][0]["layers"]
    assert emulator.meter()["requests"] == 0, "counting is free"


@pytest.mark.parametrize("base_url", ["", "http://127.0.0.1:1"])
def test_without_an_api_to_ask_counting_is_refused_with_the_next_step(
    command: Command, monkeypatch: pytest.MonkeyPatch, base_url: str
) -> None:
    monkeypatch.setenv("ANTHROPIC_BASE_URL", base_url)
    result = command("tokens", "--sport", "soccer", "--tone", "warm", "--count", "--json")
    assert isinstance(result.exception, NotReady)
    assert result.stdout == ""
    assert ("--count" if base_url else "touchline emulator") in str(result.exception)


def test_versions_are_compared_text_by_text(command: Command) -> None:
    found = told(command, "diff", "0af3")
    assert (found["from"]["version"], found["to"]["version"]) == (OLD.version, SOCCER.version)
    assert found["changed"] == ["tone_text"]
    assert found["diff"].startswith(f"--- {OLD.version} soccer warm/tone_text\n+++ {SOCCER.version} ")
    result = command("diff", "0af3")
    assert result.stdout == found["diff"]
    removed, added = OLD.tone_text.splitlines()[2], SOCCER.tone_text.splitlines()[2]
    assert f"\n-{removed}\n+{added}\n" in result.stdout
    assert told(command, "diff", SOCCER.version)["changed"] == []
    assert "No text differs" in shown(command, "diff", "current:soccer/warm", SOCCER.version[:8])
    assert told(command, "diff", "current:soccer/warm", "current:rugby/warm")["changed"] == ["sport_sheet"]


@pytest.mark.parametrize(
    ("arguments", "next_step"),
    [
        (("diff", "ffff00000000"), "touchline prompts list"),
        (("diff", "0af"), "touchline prompts list"),
        (("diff", "0af3", "nonsense"), "touchline prompts list"),
        (("diff", "current:soccer/loud"), "warm, professional, brief"),
        (("diff", "current:curling/warm"), "known sports"),
        (("show",), "--insight ID"),
        (("show", "--tone", "warm"), "--sport"),
        (("show", "--sport", "soccer", "--version", "0af3"), "Give one of"),
        (("show", "--sport", "curling"), "known sports"),
        (("show", "--insight", "nobody"), "touchline insights list"),
        (("show", "--version", "ffff"), "touchline prompts list"),
        (("tokens", "--sport", "curling"), "known sports"),
        (("tokens", "--model", "gpt-1"), "core/prices.yaml"),
    ],
    ids=str,
)
def test_bad_input_says_what_to_do_next(command: Command, arguments: tuple[str, ...], next_step: str) -> None:
    result = command(*arguments, "--json")
    assert isinstance(result.exception, BadInput)
    assert exit_code(result.exception) == 2
    assert next_step in str(result.exception)
    assert result.stdout == ""


def test_the_current_prompt_of_a_sport_needs_no_database(
    command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DATABASE_URL", "postgresql://nobody@127.0.0.1:1/nothing")
    assert told(command, "show", "--sport", "rugby", "--tone", "brief")["current"] is True
    assert told(command, "tokens", "--sport", "rugby")["prompts"]
    assert isinstance(command("list", "--json").exception, NotReady)
