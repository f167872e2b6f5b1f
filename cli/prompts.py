"""`touchline prompts`: what Claude is told, layer by layer, in which version, and what each layer costs."""

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cli.output import JsonOption, print_json
from cli.session import open_database, read_settings
from core.errors import BadInput
from core.states import Tone

if TYPE_CHECKING:
    from core.prompt import PromptTexts
    from core.settings import Settings

SportOption = Annotated[str | None, typer.Option("--sport", help="A sport's code, as in a season.")]
ToneOption = Annotated[Tone | None, typer.Option("--tone", help="A coach's tone.")]

app = typer.Typer(
    no_args_is_help=True, help="What Claude is told, layer by layer, and what each layer costs."
)


@app.command("list")
def list_prompts(as_json: JsonOption = False) -> None:
    """List the current version of every sport and tone, and older ones that were used."""
    from cli.prompt_tables import print_versions
    from tasks.prompts import list_versions

    model = read_settings().model
    with open_database() as engine:
        current, older = list_versions(engine, model)
    if as_json:
        print_json({"model": model, "prompts": current, "older": older})
    else:
        print_versions(model, current, older)


@app.command()
def show(
    insight_id: Annotated[str | None, typer.Option("--insight", help="An insight's id.")] = None,
    sport: SportOption = None,
    tone: ToneOption = None,
    version: Annotated[str | None, typer.Option(help="A version, or its first digits.")] = None,
    as_json: JsonOption = False,
) -> None:
    """Show a prompt layer by layer: what an insight's call would send, or what a sport and tone share."""
    from cli.prompt_tables import print_prompt

    settings = read_settings()
    asked = [insight_id is not None, sport is not None or tone is not None, version is not None]
    if sum(asked) != 1:
        raise BadInput("Give one of: --insight ID, --sport S with --tone T (default warm), --version V.")
    if insight_id is not None:
        shown = _shown_for_insight(settings, insight_id)
    else:
        shown = _shown_version(settings, _texts_asked_for(sport, tone, version))
    if as_json:
        print_json(shown)
    else:
        print_prompt(shown)


def _texts_asked_for(sport: str | None, tone: Tone | None, version: str | None) -> "PromptTexts":
    from core.prompt import sports, texts_of
    from tasks.prompts import find_prompt

    if version is not None:
        with open_database() as engine:
            return find_prompt(engine, version)
    if sport is None:
        raise BadInput(f"Give --sport as well, one of: {', '.join(sports())}")
    return texts_of(sport, tone or Tone.WARM)


def _shown_for_insight(settings: "Settings", insight_id: str) -> dict[str, Any]:
    from core.prompt import Layer, texts_of
    from tasks.prompts import planned_for

    with open_database() as engine:
        call = planned_for(engine, settings, insight_id, datetime.now(UTC))
    texts = texts_of(call.about.sport, call.about.tone)
    layers = (*call.layers, Layer("note", call.notes[0]))
    return {"insight_id": insight_id} | _shown(call.model, texts, layers)


def _shown_version(settings: "Settings", texts: "PromptTexts") -> dict[str, Any]:
    return {"insight_id": None} | _shown(settings.model, texts, texts.layers())


def _shown(model: str, texts: "PromptTexts", layers: "tuple[Any, ...]") -> dict[str, Any]:
    from core.prompt import estimated_tokens, sports, texts_of
    from core.prompt_cost import layers_to_mark

    marked = layers_to_mark(layers, model)
    return {
        "version": texts.version,
        "current": texts.sport in sports() and texts_of(texts.sport, texts.tone).version == texts.version,
        "sport": texts.sport,
        "tone": texts.tone,
        "model": model,
        "format": texts.format,
        "layers": [
            {
                "name": layer.name,
                "tokens": estimated_tokens(layer.text, model),
                "marker": layer.name in marked,
                "text": layer.text,
            }
            for layer in layers
        ],
        "answer_schema": texts.answer_schema,
    }


@app.command()
def tokens(
    sport: SportOption = None,
    tone: ToneOption = None,
    model: Annotated[str | None, typer.Option(help="Instead of TOUCHLINE_MODEL.")] = None,
    uses: Annotated[int, typer.Option(min=1, help="How many summaries share one cache write.")] = 1_000,
    count: Annotated[bool, typer.Option("--count", help="Ask the API to count, free of charge.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Tell tokens and cost of each layer per 1,000 summaries, for all sports and tones or those given."""
    from cli.prompt_tables import print_costs
    from core.pricing import minimum_prefix_tokens, price_version

    settings, now = read_settings(), datetime.now(UTC)
    asked = model or settings.model
    told = {
        "model": asked,
        "at": now,
        "price_version": price_version(),
        "minimum_prefix_tokens": minimum_prefix_tokens(asked),  # refuses a model without a price
        "uses": uses,
        "counted": count,
        "prompts": [_costs_of(texts, settings, asked, now, uses, count) for texts in _matching(sport, tone)],
    }
    if as_json:
        print_json(told)
    else:
        print_costs(told)


def _matching(sport: str | None, tone: Tone | None) -> "list[PromptTexts]":
    from core.prompt import sports, texts_of

    wanted_sports = sports() if sport is None else (sport,)
    return [texts_of(one, each) for one in wanted_sports for each in ((tone,) if tone else Tone)]


def _costs_of(
    texts: "PromptTexts", settings: "Settings", model: str, now: datetime, uses: int, count: bool
) -> dict[str, Any]:
    from core import prompt_cost
    from core.request import answer_schema
    from tasks import prompts

    layers, note = prompt_cost.example_layers(texts.sport, texts.tone)
    if count:
        schema = answer_schema(texts.sport, texts.tone)
        bodies = prompt_cost.bodies_to_count(layers, note, model, schema)
        parts = prompt_cost.counted_parts(prompts.count(settings, bodies))
    else:
        parts = prompt_cost.estimated_parts(layers, note, model)
    cost = prompt_cost.prompt_cost(parts, model=model, at=now, uses=uses)
    longer = prompt_cost.cost_of_longer_sheet(parts, model=model, at=now, uses=uses)
    about = {"sport": texts.sport, "tone": texts.tone, "version": texts.version}
    return about | cost.to_json() | {"sheet_1000_tokens_more": longer.to_json()}


@app.command()
def diff(
    before: Annotated[str, typer.Argument(metavar="A", help="A version, its first digits, or current:S/T.")],
    after: Annotated[
        str | None, typer.Argument(metavar="[B]", help="Another (default: the current texts of A's kind).")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Show how the texts of two versions differ, as a unified diff."""
    from cli.prompt_tables import print_difference
    from core.prompt import texts_of
    from core.prompt_versions import difference
    from tasks.prompts import find_prompt

    with open_database() as engine:
        old = find_prompt(engine, before)
        new = texts_of(old.sport, old.tone) if after is None else find_prompt(engine, after)
    differs = difference(old, new)
    named = {
        name: {"version": texts.version, "sport": texts.sport, "tone": texts.tone}
        for name, texts in (("from", old), ("to", new))
    }
    if as_json:
        diff_text = "".join(f"{line}\n" for lines in differs.values() for line in lines)
        print_json({**named, "changed": list(differs), "diff": diff_text})
    else:
        print_difference(differs)
