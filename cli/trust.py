"""`touchline trust`: how far a coach's summaries may go out by themselves."""

from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from typing import Annotated, Any

import typer

from cli.output import JsonOption, console, print_facts, print_json, print_rows
from cli.review import PersonOption
from cli.session import open_database
from core.errors import BadInput
from core.trust import check_level, check_own_threshold

NONE = "none"

app = typer.Typer(
    no_args_is_help=True, help="What a coach has earned by approving, and how far it may reach."
)


@app.command()
def show(person: PersonOption, as_json: JsonOption = False) -> None:
    """Show the earned, preferred and effective level, the threshold, and the way to the next level."""
    from tasks import trust

    with open_database() as engine:
        row = trust.show_trust(engine, person)
    if as_json:
        print_json(row)
        return
    preview = row["preview"]
    plain = {name: value for name, value in row.items() if name not in {"progress", "preview", "weeks"}}
    agreed = "" if preview["agreement"] is None else f", {preview['agreement']:.0%} approved as they were"
    plain["suppression_rate"] = f"{row['suppression_rate']:.1%}"
    plain["preview"] = f"{preview['decisions']} decisions of what level 2 would have approved{agreed}"
    print_facts("Trust", plain)
    console().print(row["progress"]["sentence"])
    if row["weeks"]:
        print_rows("Learned", row["weeks"], ("week", "previous", "threshold", "reason", "decisions"))


@app.command("set")
def set_trust(
    person: PersonOption,
    level: Annotated[
        str | None, typer.Option(help="Let trust reach no further than this level, 0 to 3; or none.")
    ] = None,
    threshold: Annotated[
        str | None, typer.Option(help="The confidence that is enough, 0.60 to 1; or none.")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Cap the level, or set an own threshold. What is earned stays, and is there again when the cap goes."""
    from tasks import trust

    if level is None and threshold is None:
        raise BadInput("Give --level, --threshold, or both; the word none takes one away.")
    wanted_level, wanted_threshold = _level(level), _threshold(threshold)
    now = datetime.now(UTC)
    with open_database() as engine:
        if level is not None:
            trust.set_level(engine, person, wanted_level, now=now)
        if threshold is not None:
            trust.set_threshold(engine, person, wanted_threshold, now=now)
        row = trust.show_trust(engine, person)
    if as_json:
        print_json(row)
    else:
        console().print(_standing(row))


def _level(text: str | None) -> int | None:
    if text is None or text == NONE:
        return None
    if not text.isascii() or not text.isdigit():
        raise BadInput(f"--level takes 0, 1, 2, 3 or none, not {text!r}.")
    return check_level(int(text))


def _threshold(text: str | None) -> Decimal | None:
    if text is None or text == NONE:
        return None
    try:
        return check_own_threshold(Decimal(text))
    except InvalidOperation:
        raise BadInput(f"--threshold takes a number from 0.60 to 1, or none, not {text!r}.") from None


def _standing(row: dict[str, Any]) -> str:
    return (
        f"Level {row['effective']} counts (earned {row['earned']}, preferred {row['preferred']}); "
        f"the threshold is {row['threshold']:f}."
    )
