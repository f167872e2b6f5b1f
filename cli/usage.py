"""`touchline usage`: what a club, the platform, a coach or a player used, and what it cost."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cli.output import JsonOption, print_json
from cli.session import open_database
from core.errors import BadInput

if TYPE_CHECKING:
    from zoneinfo import ZoneInfo

    import sqlalchemy as sa

DAYS = 30  # when nothing else is asked for
STDOUT = "-"
EXACTLY_ONE = "Give exactly one of --org ID, --platform, --coach ID and --player ID."
NOT_OF_ONE_PERSON = "The cache is shared by many: --cache goes with --org ID or --platform."
ONE_ON_STDOUT = "Only one thing can be on stdout: give --json, or --csv -, but not both."
NO_FILES_OF_CACHE = "--cache goes with --json, or by itself; --csv and --chart are of usage."

OrganizationOption = Annotated[str | None, typer.Option("--org", help="A club, by its id.")]


PlatformOption = Annotated[bool, typer.Option("--platform", help="All clubs together, by UTC days.")]
CoachOption = Annotated[str | None, typer.Option(help="A coach, by either id; days are the club's.")]
PlayerOption = Annotated[str | None, typer.Option(help="A player, by id; days are the club's.")]
FromOption = Annotated[
    datetime | None,
    typer.Option("--from", formats=["%Y-%m-%d"], help="First day (default: 30 days before --to)."),
]
ToOption = Annotated[
    datetime | None,
    typer.Option("--to", formats=["%Y-%m-%d"], help="The day after the last one (default: tomorrow)."),
]
CacheOption = Annotated[
    bool, typer.Option("--cache", help="What caching and packs did, by prefix and run, instead.")
]
CsvOption = Annotated[
    str | None,
    typer.Option(
        "--csv",
        metavar="FILE|-",
        help="Write exact sums as well: of a club or the platform by day, operation, model, lane and tier, "
        "of a person by day. - writes them to stdout, and nothing else.",
    ),
]
ChartOption = Annotated[
    Path | None, typer.Option(metavar="FILE.png", help="Draw cost by day, and who and what it was for.")
]


@dataclass(frozen=True, slots=True)
class Whose:
    """Whose usage is asked for: `org`, `platform`, `coach` or `player`, and which one."""

    kind: str
    id: str = ""

    @property
    def title(self) -> str:
        """How the tables and the chart name it."""
        return " ".join(filter(None, ({"org": "organization"}.get(self.kind, self.kind), self.id)))

    def zone(self, engine: "sa.Engine") -> "ZoneInfo":
        """Return the zone that its days are in."""
        from tasks import analytics

        zones: dict[str, Callable[[], ZoneInfo]] = {
            "org": lambda: analytics.organization_time_zone(engine, self.id),
            "coach": lambda: analytics.person_time_zone(engine, coach_id=self.id),
            "player": lambda: analytics.person_time_zone(engine, player_id=self.id),
            "platform": lambda: analytics.PLATFORM_ZONE,
        }
        return zones[self.kind]()

    def usage(self, engine: "sa.Engine", from_day: date, to_day: date) -> dict[str, Any]:
        """Return USAGE, or the part of it that a person has."""
        from tasks import analytics

        if self.kind == "platform":
            return analytics.platform_usage(engine, from_day, to_day)
        read = {"org": analytics.org_usage, "coach": analytics.coach_usage, "player": analytics.player_usage}
        return read[self.kind](engine, self.id, from_day, to_day)


def usage(
    organization: OrganizationOption = None,
    platform: PlatformOption = False,
    coach: CoachOption = None,
    player: PlayerOption = None,
    from_time: FromOption = None,
    to_time: ToOption = None,
    cache: CacheOption = False,
    csv_file: CsvOption = None,
    chart: ChartOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show tokens, cost and savings of a club, the platform, a coach or a player, with today's."""
    whose = _whose(org=organization, platform="" if platform else None, coach=coach, player=player)
    _check(whose, cache=cache, csv_file=csv_file, chart=chart, as_json=as_json)
    with open_database() as engine:
        from_day, to_day = _range(from_time, to_time, whose.zone(engine))
        if cache:
            _show_cache(engine, whose, from_day, to_day, as_json)
            return
        used = whose.usage(engine, from_day, to_day)
        if csv_file is not None:
            _write_csv(engine, whose, used, csv_file)
    if chart is not None:
        from cli.usage_chart import draw

        draw(chart, whose.title, used)
    if csv_file != STDOUT:
        _show(whose, used, as_json)


def _whose(**given: str | None) -> Whose:
    chosen = [Whose(kind, value) for kind, value in given.items() if value is not None]
    if len(chosen) != 1:
        raise typer.BadParameter(EXACTLY_ONE)
    return chosen[0]


def _check(whose: Whose, *, cache: bool, csv_file: str | None, chart: Path | None, as_json: bool) -> None:
    """Refuse options that cannot go together."""
    if cache and whose.kind in {"coach", "player"}:
        raise typer.BadParameter(NOT_OF_ONE_PERSON)
    if cache and (csv_file is not None or chart is not None):
        raise typer.BadParameter(NO_FILES_OF_CACHE)
    if as_json and csv_file == STDOUT:
        raise typer.BadParameter(ONE_ON_STDOUT)
    if chart is not None and chart.suffix.lower() != ".png":
        raise typer.BadParameter("A chart is a PNG: its name ends with .png.")


def _range(from_time: datetime | None, to_time: datetime | None, zone: "ZoneInfo") -> tuple[date, date]:
    """What was asked for; by default the last 30 days, today included."""
    to_day = to_time.date() if to_time else datetime.now(zone).date() + timedelta(days=1)
    try:
        return (from_time.date() if from_time else to_day - timedelta(days=DAYS)), to_day
    except OverflowError:
        raise BadInput(f"The calendar has no {DAYS} days before {to_day}; give --from as well.") from None


def _show_cache(engine: "sa.Engine", whose: Whose, from_day: date, to_day: date, as_json: bool) -> None:
    from tasks import analytics

    report = analytics.cache_report(engine, from_day, to_day, whose.id or None)
    if as_json:
        print_json(report)
        return
    from cli.cache_tables import print_cache

    print_cache(whose.title, report)


def _show(whose: Whose, used: Mapping[str, Any], as_json: bool) -> None:
    if as_json:
        print_json(used)
        return
    from cli.usage_tables import print_usage

    print_usage(whose.title, used)


def _write_csv(engine: "sa.Engine", whose: Whose, used: Mapping[str, Any], csv_file: str) -> None:
    """Write the daily rows of a person; of all others the frame."""
    from cli.usage_csv import write_csv
    from tasks import analytics

    rows: Any = used["daily"]
    if whose.kind in {"org", "platform"}:
        days = date.fromisoformat(used["from"]), date.fromisoformat(used["to"])
        rows = analytics.read_usage(engine, *days, whose.id or None)
    write_csv(csv_file, rows)
