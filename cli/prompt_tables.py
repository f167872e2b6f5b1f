"""Prompts, their versions and their costs on the screen."""

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

import typer
from rich.table import Table
from rich.text import Text

from cli.output import console, print_rows

WITHOUT, WITH = "uncached_cost_per_1000_summaries_usd", "cost_per_1000_summaries_usd"
COLORS = {"-": "red", "+": "green", "@": "cyan"}


def print_versions(
    model: str, prompts: Sequence[Mapping[str, Any]], older: Sequence[Mapping[str, Any]]
) -> None:
    """Show the current versions with the tokens of their layers, and the older ones."""
    rows = [
        {
            "sport": row["sport"],
            "tone": row["tone"],
            "version": row["version"],
            "tokens": " + ".join(f"{tokens:,}" for tokens in row["tokens"].values()),
            "summaries": f"{row['summaries']:,}" if row["first_used_at"] else "not used",
        }
        for row in prompts
    ]
    print_rows(f"Current prompts (estimated tokens of instructions + sport + tone for {model})", rows)
    if older:
        print_rows("Older versions", [_older(row) for row in older])
        console().print("What has changed since: touchline prompts diff VERSION")


def _older(row: Mapping[str, Any]) -> dict[str, Any]:
    used = row["first_used_at"]
    return {
        "version": row["version"],
        "sport": row["sport"],
        "tone": row["tone"],
        "first used": used.date() if used else "texts not kept",
        "summaries": f"{row['summaries']:,}",
    }


def print_prompt(shown: Mapping[str, Any]) -> None:
    """Show a prompt's layers, each with its heading, and where a cache marker may stand."""
    out = console()
    about = f"Prompt {shown['version']} ({shown['sport']}, {shown['tone']}"
    out.print(
        about + ("" if shown["current"] else ", not current") + f"), tokens estimated for {shown['model']}"
    )
    front = 0
    for layer in shown["layers"]:
        front += layer["tokens"]
        _heading(f"{layer['name']}: {layer['tokens']:,} tokens")
        out.print(Text(layer["text"]))  # as Text, or an emoji's name in a note would become the emoji
        if layer["marker"]:
            out.print(f"-- cache marker, when used again within 5 minutes: {front:,} tokens --", style="cyan")
    _heading("answer schema")
    out.print(Text(shown["answer_schema"]))
    if shown["insight_id"] is None:
        out.print("\nThe player and the note follow: touchline prompts show --insight ID", style="dim")


def _heading(words: str) -> None:
    console().print(f"\n== {words} ==", style="bold")


def print_costs(told: Mapping[str, Any]) -> None:
    """Show the costs of one prompt layer by layer, of several in a line each."""
    counted = "as the API counts them" if told["counted"] else "estimated"
    console().print(
        f"{told['model']}, tokens {counted}, prices of {told['at'].date()}; US dollars per 1,000 summaries, "
        f"with caching {told['uses']:,} to a cache write"
    )
    if len(told["prompts"]) == 1:
        _print_layers(told["prompts"][0], told["counted"])
    else:
        _print_lines(told["prompts"])


def _print_layers(cost: Mapping[str, Any], counted: bool) -> None:
    table = _table(f"{cost['sport']}, {cost['tone']}: {cost['version']}", "layer", "tokens")
    for layer in cost["layers"]:
        table.add_row(layer["name"], f"{layer['tokens']:,}", *_both(layer))
    table.add_section()
    table.add_row("prompt", f"{cost['prompt']['tokens']:,}", *_both(cost["prompt"]))
    table.add_row("answer", f"{cost['answer']['tokens']:,}", *_both(cost["answer"]))
    table.add_row("total", "", *_both(cost["total"]))
    table.add_section()
    table.add_row("sheet longer by", "1,000", *_both(cost["sheet_1000_tokens_more"], sign="+"))
    console().print(table)
    if cost["uncached_because"]:
        console().print(f"Nothing is cached: {cost['uncached_because']}.")
    made_up = "Player and note are made up, of the usual length."
    console().print(made_up if counted else f"{made_up} What the API adds for the schema: --count tells.")


def _print_lines(costs: Sequence[Mapping[str, Any]]) -> None:
    table = _table("Costs of a prompt and its answer", "sport", "tone", "tokens")
    for column in ("+1,000\nwithout", "+1,000\nwith"):
        table.add_column(column, justify="right")
    for cost in costs:
        longer = _both(cost["sheet_1000_tokens_more"])
        tokens = f"{cost['prompt']['tokens']:,}"
        table.add_row(cost["sport"], cost["tone"], tokens, *_both(cost["total"]), *longer)
    console().print(table)
    if reasons := [cost["uncached_because"] for cost in costs if cost["uncached_because"]]:
        console().print(f"Of {len(reasons)} nothing is cached; of the first, because {reasons[0]}.")
    console().print("+1,000: with 1,000 tokens more in the sheet. Layer by layer: --sport S --tone T.")


def _table(title: str, *columns: str) -> Table:
    table = Table(title=title, title_justify="left")
    for column in columns:
        table.add_column(column, justify="right" if column == "tokens" else "left", no_wrap=True)
    for column in ("without\ncaching", "with\ncaching"):
        table.add_column(column, justify="right")
    return table


def _both(cost: Mapping[str, Any], sign: str = "") -> tuple[str, str]:
    without, cached = (format(Decimal(cost[name]), f"{sign},.4f") for name in (WITHOUT, WITH))
    return without, cached


def print_difference(differs: Mapping[str, Sequence[str]]) -> None:
    """Show a unified diff, each line whole, in colour on a terminal."""
    for lines in differs.values():
        for line in lines:
            typer.secho(line, fg=COLORS.get(line[:1]))
    if not differs:
        typer.echo("No text differs.")
