"""`touchline db`: the database, embedded or in DATABASE_URL."""

from typing import TYPE_CHECKING, Annotated, Any

import typer

from cli.output import JsonOption, console, print_facts, print_json
from cli.session import read_settings
from core.errors import BadInput

if TYPE_CHECKING:
    from core.settings import Settings

app = typer.Typer(no_args_is_help=True, help="The database: start, stop, migrate, look, wipe.")


@app.command()
def up(as_json: JsonOption = False) -> None:
    """Start the embedded server and leave it running; a new database is migrated."""
    from database import embedded
    from database.engine import database

    settings = _embedded_settings("started")
    embedded.up(settings.home)
    with database(settings):
        _show(settings, as_json)


@app.command()
def down(as_json: JsonOption = False) -> None:
    """Stop the embedded server."""
    from database import embedded

    settings = _embedded_settings("stopped")
    embedded.down(settings.home)
    _show(settings, as_json)


@app.command()
def url(as_json: JsonOption = False) -> None:
    """Print the database's address (with its password)."""
    state = _state(read_settings(), hide_password=False)
    if as_json:
        print_json(state)
    elif state["url"]:
        typer.echo(state["url"])
    else:
        raise BadInput("The embedded server is not running. Start it with: touchline db up")


@app.command()
def upgrade(as_json: JsonOption = False) -> None:
    """Bring the database to this version's migration."""
    from database import migrate
    from database.engine import database

    settings = read_settings()
    with database(settings, must_be_current=False) as found:
        migrate.upgrade(found.url)
        _show(settings, as_json)


@app.command()
def reset(
    yes: Annotated[bool, typer.Option("--yes", help="Yes, delete everything in DATABASE_URL.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Delete all data and begin anew, migrated."""
    from database import embedded, migrate
    from database.engine import database
    from tasks.spool import forget_spool

    settings = read_settings()
    if settings.database_url is None:
        embedded.reset(settings.home)
    elif not yes:
        raise BadInput("This deletes everything in DATABASE_URL; if you mean it, add --yes")
    forget_spool(settings.home)  # figures of attempts that no ledger will know any more
    with database(settings, must_be_current=False) as found:
        if not found.embedded:
            migrate.downgrade(found.url)
        migrate.upgrade(found.url)
        _show(settings, as_json)


@app.command()
def status(as_json: JsonOption = False) -> None:
    """Say where the database is, whether it runs, and at which migration it stands."""
    _show(read_settings(), as_json)


def _embedded_settings(what: str) -> "Settings":
    settings = read_settings()
    if settings.database_url is not None:
        raise BadInput(f"DATABASE_URL names another server, which is not {what} from here; unset it first")
    return settings


def _show(settings: "Settings", as_json: bool) -> None:
    state = _state(settings, hide_password=True)
    if as_json:
        print_json(state)
        return
    print_facts("Database", state)
    if state["revision"] != state["head"] and state["running"]:
        console().print("Next: touchline db upgrade")


def _state(settings: "Settings", *, hide_password: bool) -> dict[str, Any]:
    """Look at the database without starting anything."""
    from database import embedded, migrate
    from database.engine import Database, check_server, server_url

    if settings.database_url is not None:
        found = Database(server_url(settings.database_url.get_secret_value()), embedded=False)
        check_server(found, must_be_current=False)
    else:
        running = embedded.status(settings.home)
        if running.url is None:
            return {"url": None, "running": False, "embedded": True, "revision": None, "head": migrate.head()}
        found = Database(running.url, embedded=True)
    return {
        "url": found.shown_url if hide_password else found.url,
        "running": True,
        "embedded": found.embedded,
        "revision": migrate.current(found.url),
        "head": migrate.head(),
    }
