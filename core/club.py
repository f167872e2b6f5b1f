"""What a club or the whole platform may choose, and what follows from it for one club."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from enum import StrEnum
from typing import Any, Generic, TypeVar
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from core.errors import BadInput, NotReady
from core.states import LaneChoice

ON, OFF = "on", "off"
DUE_AT_LEAST = timedelta(hours=1)  # what is asked for later than that would wait for the next day's time
HOURS_MAX = 720
T = TypeVar("T")


class Source(StrEnum):
    """Where the value of a setting comes from."""

    DEFAULT = "default"  # nobody has set it
    PLATFORM = "platform"  # set for all clubs that have not set it themselves
    ORGANIZATION = "organization"  # set by the club itself


@dataclass(frozen=True, slots=True)
class Setting(Generic[T]):
    """One setting: texts in, values out; each value has one text only, so that texts can be compared."""

    name: str
    default: str
    allowed: str  # what it takes, to end "It takes ..."
    description: str
    parse: Callable[[str], T]  # ValueError for a text that is not allowed
    is_kill_switch: bool = False  # the platform's counts whatever a club has set, unless it is the default

    def read(self, text: str) -> T:
        """Return the value of a text. Raises BadInput that says what is allowed."""
        try:
            return self.parse(text)
        except ValueError:
            raise BadInput(f"{self.name} takes {self.allowed}, not {text!r}.") from None


def _hours(text: str) -> int:
    hours = int(text)
    if text != str(hours) or not 1 <= hours <= HOURS_MAX:
        raise ValueError
    return hours


def _clock_time(text: str) -> time:
    found = time.fromisoformat(text)
    if text != format(found, "%H:%M"):
        raise ValueError
    return found


def _on_off(text: str) -> bool:
    if text not in {ON, OFF}:
        raise ValueError
    return text == ON


def _switch(name: str, description: str) -> Setting[bool]:
    """Make a kill switch: permitting until somebody switches it off, the platform for everybody."""
    return Setting(name, ON, "on or off", description, _on_off, is_kill_switch=True)


LANE = Setting(
    "lane",
    LaneChoice.LIVE.value,
    "live, overnight or auto",
    "live: at once; overnight: in batches, at half the price; auto: overnight, unless urgent or late",
    LaneChoice,
)
LIVE_AFTER_HOURS = Setting(
    "live_after_hours",
    "36",
    f"a whole number of hours from 1 to {HOURS_MAX}",
    "with lane auto, an insight older than so many hours is asked about live",
    _hours,
)
SUMMARIES_DUE = Setting(
    "summaries_due",
    "07:00",
    "a local time from 00:00 to 23:59, written HH:MM",
    "what a batch has not answered by this local time is asked about live",
    _clock_time,
)
GENERATION = _switch("generation", "off: the model is asked for no summary; insights wait")
AUTOMATIC_APPROVAL = _switch("automatic_approval", "off: every new summary is for its coach to review")
NOTIFICATION = _switch("notification", "off: no summary is delivered")
SETTINGS: Mapping[str, Setting[Any]] = {
    setting.name: setting
    for setting in (LANE, LIVE_AFTER_HOURS, SUMMARIES_DUE, GENERATION, AUTOMATIC_APPROVAL, NOTIFICATION)
}


def setting_named(name: str) -> Setting[Any]:
    """Return a setting. Raises BadInput that names all there are."""
    if name not in SETTINGS:
        raise BadInput(f"There is no setting {name!r}; there are: {', '.join(SETTINGS)}.")
    return SETTINGS[name]


def counting(
    setting: Setting[Any], platform: Mapping[str, str], own: Mapping[str, str]
) -> tuple[str, Source]:
    """Return the text that counts: the club's own, else the platform's, else the default.

    Of a kill switch the platform's counts before all, unless it says the default, which permits.
    """
    if setting.is_kill_switch and platform.get(setting.name, setting.default) != setting.default:
        return platform[setting.name], Source.PLATFORM
    if setting.name in own:
        return own[setting.name], Source.ORGANIZATION
    if setting.name in platform:
        return platform[setting.name], Source.PLATFORM
    return setting.default, Source.DEFAULT


@dataclass(frozen=True, slots=True)
class Club:
    """A club's choices, as they count for it."""

    organization_id: str
    timezone: str  # IANA name
    lane: LaneChoice
    live_after_hours: int
    summaries_due: time  # on the club's own clocks
    generation: bool = True  # the model may be asked

    def live_before(self, now: datetime) -> datetime:
        """Return the instant, in UTC: with lane auto, insights from before it go live."""
        return now.astimezone(UTC) - timedelta(hours=self.live_after_hours)

    def due_after(self, now: datetime) -> datetime:
        """Return when a batch that starts now is due, in UTC: the first `summaries_due` it has time for.

        Days are local ones. A time that a change of the clocks skips is taken with the offset from before
        the change, one that comes twice is taken the first time. Raises NotReady for an unknown time zone.
        """
        earliest = now.astimezone(UTC) + DUE_AT_LEAST
        zone = self._zone()
        today = earliest.astimezone(zone).date()
        # The day before, too: a time that is skipped around midnight comes on the day after its own.
        days = (today + timedelta(days=n) for n in (-1, 0, 1, 2))
        times = (datetime.combine(day, self.summaries_due, zone).astimezone(UTC) for day in days)
        return next(moment for moment in times if moment >= earliest)

    def _zone(self) -> ZoneInfo:
        try:
            return ZoneInfo(self.timezone)
        except (ZoneInfoNotFoundError, ValueError) as error:
            raise NotReady(
                f"This machine does not know the time zone {self.timezone!r} of {self.organization_id}: "
                "correct it in organizations.jsonl and ingest again, or install the package tzdata."
            ) from error


def club_of(organization_id: str, timezone: str, platform: Mapping[str, str], own: Mapping[str, str]) -> Club:
    """Return a club from stored texts. Raises BadInput when one that counts is not allowed."""

    def value(setting: Setting[T]) -> T:
        return setting.read(counting(setting, platform, own)[0])

    return Club(
        organization_id,
        timezone,
        lane=value(LANE),
        live_after_hours=value(LIVE_AFTER_HOURS),
        summaries_due=value(SUMMARIES_DUE),
        generation=value(GENERATION),
    )


def permitted(switch: Setting[bool], platform: str | None, own: str | None) -> bool | None:
    """Say whether the stored texts of a kill switch permit; None when one of them is not allowed."""
    try:
        return all(switch.read(text) for text in (platform, own) if text is not None)
    except BadInput:
        return None
