"""Looks at everything that Touchline needs, and says of each what to do next. Spends nothing."""

import tempfile
import urllib.error
import urllib.request
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass
from datetime import datetime
from http.client import HTTPException
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit, urlunsplit

from alembic.util import CommandError
from sqlalchemy.exc import SQLAlchemyError

from core.errors import TouchlineError, UnknownModel
from core.pricing import known_models, minimum_prefix_tokens, prices_at
from core.prompt import PlayerFacts, estimated_tokens, layers, sports
from core.settings import Settings
from core.states import Tone
from database import embedded, migrate
from database.engine import Database, connect, database
from models.insight import QUERIES
from models.message_batch import QUERIES as BATCHES
from tasks.spool import spool_folder

REACH_SECONDS_MAX = 3
NOBODY = PlayerFacts("", None, None, None)


@dataclass(frozen=True, slots=True)
class Check:
    """What one look found; `next_step` is there when something is to be done."""

    name: str
    ok: bool
    detail: str
    next_step: str | None = None

    def to_json(self) -> dict[str, Any]:
        """Return the check as the interfaces name it."""
        return asdict(self)


def check_all(settings: Settings, *, prefect_api_url: str | None, now: datetime) -> list[Check]:
    """Make every check; a look that fails is a failed check, never an error."""
    looks: tuple[tuple[str, Callable[[], Iterable[Check]]], ...] = (
        ("settings", lambda: [Check("settings", True, "the environment is right")]),
        ("home folder", lambda: [check_home(settings.home)]),
        ("spool", lambda: [check_spool(settings.home)]),
        ("model", lambda: [check_model("model", "TOUCHLINE_MODEL", settings.model, now)]),
        (
            "fallback model",
            lambda: [check_model("fallback model", "TOUCHLINE_FALLBACK_MODEL", settings.fallback_model, now)],
        ),
        ("prefixes", lambda: check_prefixes(settings.model)),
        ("calls", lambda: [check_calls(settings)]),
        ("database", lambda: check_database(settings, now)),
        ("prefect", lambda: [check_prefect(prefect_api_url)]),
    )
    return [check for name, look in looks for check in _made(name, look)]


def _made(name: str, look: Callable[[], Iterable[Check]]) -> list[Check]:
    try:
        return list(look())
    except (TouchlineError, CommandError, OSError) as error:
        return [Check(name, False, str(error), "Do what the detail says, then run again: touchline doctor")]
    except SQLAlchemyError as error:
        # Only the kind: the server's message may quote a row.
        kind = type(getattr(error, "orig", None) or error).__name__
        return [Check(name, False, f"the database refuses to be read ({kind})", "Look at the server's log.")]


def check_home(home: Path) -> Check:
    """Whether files can be kept in the home folder."""
    try:
        home.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=home) as file:
            file.write(b"touchline")
    except OSError as error:
        return Check(
            "home folder",
            False,
            f"{home} cannot be written to: {error.strerror}",
            "Set TOUCHLINE_HOME to a folder of your own, on a disk with room.",
        )
    return Check("home folder", True, f"{home} can be written to")


def check_spool(home: Path) -> Check:
    """Whether settled figures wait for the ledger to take them."""
    folder = spool_folder(home)
    waiting = len(list(folder.glob("*.json")))
    if not waiting:
        return Check("spool", True, "nothing waits for the ledger")
    return Check(
        "spool",
        False,
        f"the settled figures of {waiting} attempts wait in {folder}; the ledger has only their estimates",
        "The next run books them before anything else: touchline summarize",
    )


def check_model(name: str, variable: str, model: str, now: datetime) -> Check:
    """Whether what the model costs is known."""
    try:
        prices = prices_at(model, now)
    except UnknownModel as error:
        return Check(name, False, str(error), f"Set {variable} to one of: {', '.join(known_models())}")
    listed = f"USD {prices.input:f} in, {prices.cache_read:f} read, {prices.output:f} out"
    return Check(name, True, f"{model}: {listed} per million tokens")


def check_prefixes(model: str) -> list[Check]:
    """Whether each sport's prefix is long enough for the model to cache it."""
    minimum = minimum_prefix_tokens(model)
    return [check_prefix(sport, model, minimum) for sport in sports()]


def check_prefix(sport: str, model: str, minimum: int) -> Check:
    """Whether instructions and the sport's sheet, shared by all its notes, reach the minimum."""
    instructions, sheet = (
        estimated_tokens(layer.text, model) for layer in layers(sport, Tone.WARM, NOBODY)[:2]
    )
    tones = [estimated_tokens(layers(sport, tone, NOBODY)[2].text, model) for tone in Tone]
    shared, margin = instructions + sheet, instructions + sheet - minimum
    return Check(
        f"prefix {sport}",
        margin >= 0,
        f"about {instructions:,} tokens of instructions, {shared:,} with the sheet, "
        f"{shared + min(tones):,} with the shortest tone; {model} caches from {minimum:,}: margin {margin:,}",
        None
        if margin >= 0
        else f"Nothing of it would be cached: write more into core/prompts/sports/{sport}.md, or choose a "
        "model with a smaller minimum.",
    )


def check_calls(settings: Settings) -> Check:
    """Where calls would go, with which right; makes none, and never tells the key."""
    where = _without_password(settings.base_url)
    kind = "a rehearsal, nothing made there is deliverable" if settings.rehearsal else "live"
    has_key = settings.anthropic_api_key is not None
    detail = f"calls go to {where} ({kind}), {'with the' if has_key else 'without a'} key"
    if not _is_web_address(settings.base_url):
        return Check("calls", False, detail, "Set ANTHROPIC_BASE_URL to an address with http:// or https://.")
    if has_key or settings.rehearsal:
        return Check("calls", True, detail)
    return Check(
        "calls",
        False,
        detail,
        "Set ANTHROPIC_API_KEY, or rehearse without one: run `touchline emulator` in a second terminal and "
        "set ANTHROPIC_BASE_URL to the address it prints.",
    )


def check_database(settings: Settings, now: datetime) -> list[Check]:
    """Whether the database answers and stands at our migration, and what waits in it.

    Like any command, it starts the embedded server when it is down, and migrates a new one.
    """
    with database(settings, must_be_current=False) as found:
        if found.embedded and migrate.current(found.url) is None:
            migrate.upgrade(found.url)
        checks = [_check_server(found)]
        try:
            migrate.require_head(found.url)
        except TouchlineError as error:
            return [*checks, Check("migration", False, str(error), "Run: touchline db upgrade")]
        return [*checks, Check("migration", True, f"at {migrate.head()}"), _check_insights(found, now)]


def _check_server(found: Database) -> Check:
    version = migrate.server_version(found.url)
    detail = f"PostgreSQL {version // 10000}.{version % 10000} at {found.shown_url}"
    return Check("database", True, f"{detail}. {embedded.backup_hint()}" if found.embedded else detail)


def _check_insights(found: Database, now: datetime) -> Check:
    """For information: nothing that waits is an error."""
    engine = connect(found.url)
    try:
        with engine.connect() as connection:
            waiting = connection.execute(QUERIES["need_attention"], {"now": now}).one()
            batches = connection.execute(BATCHES["need_attention"], {"now": now}).one()
    finally:
        engine.dispose()
    steps = []
    if waiting.parked:
        steps.append("Look at what is parked: touchline insights list --state parked")
    if batches.batches_overdue:
        steps.append("Settle what has ended of the batches: touchline batches collect")
    return Check(
        "insights",
        True,
        f"{waiting.leases_ended} with an ended lease, {waiting.deferred_due} deferred and due (the next run "
        f"takes both), {waiting.deferred_later} deferred for later, {waiting.parked} parked; "
        f"{batches.batches_open} batches open, {batches.batches_overdue} of them past their time",
        " ".join(steps) or None,
    )


def check_prefect(api_url: str | None) -> Check:
    """Whether Prefect's API answers, when one is named."""
    if not api_url:
        return Check("prefect", True, "PREFECT_API_URL is not set: a temporary one is started for each run")
    where = _without_password(api_url)
    problem = _unreachable(f"{where.rstrip('/')}/health")
    if problem is None:
        return Check("prefect", True, f"the API at {where} answers")
    return Check(
        "prefect",
        False,
        f"the API at {where} does not answer: {problem}",
        "Start it (prefect server start), correct PREFECT_API_URL, or unset it.",
    )


def _unreachable(url: str) -> str | None:
    """Why a GET without a login fails; None when it does not, or when only the login is missing."""
    if not _is_web_address(url):
        return "it must begin with http:// or https://"
    try:
        with urllib.request.urlopen(url, timeout=REACH_SECONDS_MAX):
            return None
    except urllib.error.HTTPError as error:
        return None if error.code in {401, 403} else f"status {error.code}"
    except (OSError, HTTPException, ValueError) as error:
        return str(getattr(error, "reason", error))


def _without_password(url: str) -> str:
    """An address that may be shown: neither user nor password, nor a query that might hold a token."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return "an address that cannot be read"
    return urlunsplit((parts.scheme, parts.netloc.rpartition("@")[2], parts.path, "", ""))


def _is_web_address(url: str) -> bool:
    return url.lower().startswith(("http://", "https://"))
