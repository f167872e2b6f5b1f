"""`touchline config`: what the platform and its clubs have chosen, and who changed it when."""

import getpass
import os
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Annotated, Any

import typer

from cli.output import JsonOption, console, print_json, print_rows
from cli.session import open_database

OrgOption = Annotated[
    str | None, typer.Option("--org", help="For this organization (default: for the platform).")
]
NameArgument = Annotated[str, typer.Argument(help="A setting's name; `touchline config list` has them all.")]

app = typer.Typer(
    no_args_is_help=True,
    help="Settings in the database: an organization's own counts, else the platform's, else the default.",
)


@app.command("list")
def list_settings(
    organization: OrgOption = None,
    changes: Annotated[
        bool, typer.Option("--changes", help="What was changed by whom, instead; without --org everywhere.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """List every setting with the value that counts, and where it comes from."""
    from tasks import config

    with open_database() as engine:
        look = config.list_changes if changes else config.list_settings
        rows = look(engine, organization)
    if as_json:
        print_json({"changes" if changes else "settings": rows})
    elif changes:
        print_rows("Changes", rows)
    else:
        print_rows(f"Settings of {organization or 'the platform'}", rows)


@app.command()
def get(name: NameArgument, organization: OrgOption = None, as_json: JsonOption = False) -> None:
    """Show the value of a setting that counts, and where it comes from."""
    from tasks import config

    with open_database() as engine:
        row = config.get_setting(engine, name, organization)
    if as_json:
        told = {key: row[key] for key in ("name", "value", "source")}
        print_json(told | {"organization_id": organization})
    else:
        _print_standing(row)


@app.command("set")
def set_value(
    name: NameArgument,
    value: Annotated[str, typer.Argument(help="Its new value.")],
    organization: OrgOption = None,
    as_json: JsonOption = False,
) -> None:
    """Set a value, and note who did; the value that is set already changes nothing."""
    _change(name, value, organization, as_json)


@app.command()
def unset(name: NameArgument, organization: OrgOption = None, as_json: JsonOption = False) -> None:
    """Go back to the platform's value, or the default."""
    _change(name, None, organization, as_json)


def _change(name: str, value: str | None, organization: str | None, as_json: bool) -> None:
    from tasks import config

    with open_database() as engine:
        changed = config.set_setting(
            engine, name, value, organization, changed_by=_user(), now=datetime.now(UTC)
        )
        standing = config.get_setting(engine, name, organization)
    if as_json:
        print_json(changed)
    else:
        _print_standing(standing)


def _print_standing(row: Mapping[str, Any]) -> None:
    console().print(f"{row['name']} is {row['value']} ({row['source']})")


def _user() -> str:
    """The user's name; a container may run as a number that has none."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return f"uid {os.getuid()}"
