"""`touchline evaluate`: how good the model's answers to labelled notes are; runs only when called."""

import asyncio
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.box import SIMPLE_HEAD
from rich.table import Table

from cli.output import JsonOption, complain, console, plain, print_json
from cli.prefect_api import prepare_prefect
from cli.progress import progress
from cli.session import read_settings
from core.errors import BadInput

if TYPE_CHECKING:
    from core.evaluation import Evaluation
    from core.labelled import Case
    from core.retry import Stop
    from core.settings import Settings

ENDED_BY_HAND = 130  # as a shell has it for Ctrl-C
NOTES = Path(__file__).parent.parent / "examples" / "labelled" / "notes.jsonl"


def evaluate(
    notes: Annotated[Path, typer.Option(help="Labelled notes, one JSON object a line.")] = NOTES,
    model: Annotated[str | None, typer.Option(help="Instead of TOUCHLINE_MODEL.")] = None,
    sport: Annotated[list[str] | None, typer.Option(help="Only this sport's; may be repeated.")] = None,
    limit: Annotated[int | None, typer.Option(min=1, help="At most so many notes.")] = None,
    out: Annotated[
        Path | None, typer.Option(help="The result's file [default: TOUCHLINE_HOME/evaluations/<time>.json].")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Ask the model about labelled notes and score its answers by rules. Costs money on the real API.

    Exit code 0 whatever the scores are; 1 when the API did not answer everything, 3 when a limit stopped it.
    """
    from core.pricing import canonical_model

    settings = read_settings()
    settings.require_api()
    asked = model or settings.model
    canonical_model(asked)
    prepare_prefect(settings.home)  # its loop and retries are the flow's; no Prefect API is needed
    from tasks.evaluation import prepare_file, read_cases, write_file

    cases = chosen(read_cases(notes), sport, limit, notes)
    began = datetime.now(UTC)
    file = out or settings.home / "evaluations" / f"{began:%Y-%m-%dT%H%M%S.%fZ}.json"
    prepare_file(file)
    evaluation, stopped, ended = run_evaluation(cases, asked, settings)
    told = evaluation.to_json()
    made = {"made_at": began, "base_url": settings.base_url, "notes": str(notes)}
    write_file(file, plain({**made, **told, "results": [one.to_json() for one in evaluation.scored]}))
    if as_json:
        print_json(told | {"file": str(file)})
    else:
        print_evaluation(evaluation)
        console().print(f"Every answer and every check: {file}", soft_wrap=True)
    if ended:
        raise typer.Exit(ENDED_BY_HAND)
    leave_when_incomplete(evaluation, stopped)


def chosen(
    cases: "tuple[Case, ...]", sports: list[str] | None, limit: int | None, source: Path
) -> "tuple[Case, ...]":
    """Keep the cases that were asked for. Raises BadInput for a sport that has none."""
    if sports:
        if unknown := sorted(set(sports) - {case.sport for case in cases}):
            raise BadInput(f"{source} has no labelled note of: {', '.join(unknown)}")
        cases = tuple(case for case in cases if case.sport in sports)
    return cases[:limit]


def run_evaluation(
    cases: "tuple[Case, ...]", model: str, settings: "Settings"
) -> "tuple[Evaluation, Stop | None, bool]":
    """Say what is about to be spent and where, then make the calls, with their progress on stderr.

    Gives why the API stopped it, and whether it was ended by hand: what was paid for until then is scored.
    """
    from core.evaluation import evaluation_of, plan_cases, predicted_bill
    from tasks.clock import SystemClock
    from tasks.evaluation import Heard, ask_all

    clock = SystemClock()
    calls = plan_cases(cases, model=model, now=clock.now())
    cost_usd = predicted_bill(calls, clock.now()).cost_usd
    complain(f"{len(calls)} calls of {model} to {settings.base_url}, for about ${cost_usd:.4f}")
    with progress(len(calls), "labelled notes") as watch:
        heard, stopped, ended = Heard(watch), None, False
        try:
            stopped = asyncio.run(ask_all(calls, heard, model=model, settings=settings, clock=clock))
        except KeyboardInterrupt:
            ended = True
            complain("Ended by hand: what was answered until now is scored and kept.")
    evaluation = evaluation_of(cases, calls, heard.by_case, model=model, bill=heard.bill())
    return evaluation, stopped, ended


def leave_when_incomplete(evaluation: "Evaluation", stopped: "Stop | None") -> None:
    """Exit when the API did not reply to every case: such scores are no measure of the model."""
    if not evaluation.unheard:
        return
    causes = sorted({str(one.response.reason) for one in evaluation.scored if one.unheard})
    complain(
        f"The API gave no reply to {evaluation.unheard} of {len(evaluation.scored)} notes "
        f"({', '.join(causes)}): these scores are incomplete. "
        "Check ANTHROPIC_API_KEY and ANTHROPIC_BASE_URL, then run it again."
    )
    raise typer.Exit(3 if stopped is not None and stopped.is_limit else 1)


def print_evaluation(evaluation: "Evaluation") -> None:
    """Show a person the rules, the categories, what failed, and the bill."""
    console().print(rules_table(evaluation))
    console().print(categories_table(evaluation))
    failing = [one for one in evaluation.scored if not one.passed]
    if failing:
        console().print(failing_table(evaluation))
    tokens, bill = evaluation.output_tokens(), evaluation.bill
    console().print(
        f"{evaluation.passed} of {len(evaluation.scored)} notes keep every rule ({evaluation.model}). "
        f"{bill.attempts} requests, ${bill.cost_usd:.6f}: {bill.total_input_tokens:,} tokens in, "
        f"{bill.cache_hit_rate:.1%} of them from the cache; {bill.output_tokens:,} out, "
        f"{tokens['mean']:g} a note, {tokens['p95']:g} at the 95th percentile."
    )


def rules_table(evaluation: "Evaluation") -> Table:
    """Each rule, and how many answers keep it."""
    table = Table("rule", title="Rules", title_justify="left")
    for name in ("passed", "failed", "share"):
        table.add_column(name, justify="right")
    for rule, counts in evaluation.rules().items():
        share = "" if counts["share"] is None else f"{counts['share']:.1%}"
        table.add_row(rule, f"{counts['passed']}", f"{counts['failed']}", share)
    return table


def categories_table(evaluation: "Evaluation") -> Table:
    """What each expected category (a line) was answered with (a column), the most severe first."""
    from core.categories import Category
    from core.evaluation import NO_ANSWER

    counts = evaluation.categories()
    answered = {answer for row in counts.values() for answer in row}
    columns = [name for name in (*Category, NO_ANSWER) if name in answered]
    title = "Categories: a line is what was expected, a column what was answered"
    table = Table(title=title, title_justify="left", box=SIMPLE_HEAD)
    table.add_column("", no_wrap=True)
    for name in columns:
        table.add_column(name, justify="right", overflow="fold")
    for expected in Category:
        if row := counts.get(expected):
            table.add_row(expected, *(str(row.get(name, "")) for name in columns))
    return table


def failing_table(evaluation: "Evaluation") -> Table:
    """The notes whose answer breaks a rule, by id, with what is wrong."""
    table = Table(title="Notes that fail", title_justify="left")
    table.add_column("id", no_wrap=True)
    table.add_column("broken rules", overflow="fold")
    for one in evaluation.scored:
        wrong = [f"{check.rule} ({check.detail})" for check in one.checks if not check.passed]
        if wrong:
            table.add_row(one.case.id, ", ".join(wrong))
    return table
