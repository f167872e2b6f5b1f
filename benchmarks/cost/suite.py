"""What the bench measures: each workload, its contenders, and the emulator's settings."""

from dataclasses import dataclass, replace

from benchmarks.cost.texts import PRODUCT_SET, REFERENCE_SET
from benchmarks.cost.workloads import SIX_SPORTS, Size
from core.states import Lane

SAME_PROMPTS = ("naive", "as-first-designed", "langchain", "litellm")  # one insight a call, as ours
LEAN = ("lean-two-calls", "lean-cached")
OURS = ("touchline-single", "touchline-packed")
BATCHES = ("batch-naive", "batch-cold", "batch-prewarmed")  # overnight; one insight a call, too
FIXED_LIFETIMES = {"fixed-none": "none", "fixed-5m": "5m", "fixed-1h": "1h"}
TRICKLED = ("naive", "touchline-packed", *FIXED_LIFETIMES)

ANSWER_TOKENS = 140
CATEGORY_TOKENS = 20  # what a classifier's answer is billed at
STANDS_STILL = 0.001  # the speed of an emulator whose clock is moved: its seconds per real second
BATCH_DELAY_SECONDS = 60  # the emulator's default; all items of a batch start together
TRICKLE_HOURS = 6  # long enough for six cold 1h prefixes, short enough to be waited for


@dataclass(frozen=True, slots=True)
class Workload:
    """One name in the results."""

    name: str
    size: Size
    contenders: tuple[str, ...] = ("touchline-packed",)  # live
    overnight: tuple[str, ...] = ()
    prompts: tuple[str, ...] = (REFERENCE_SET,)
    same_insights_as: str | None = None  # the workload whose naive bill is this one's 100 % too
    latency: str = "off"
    tier: str = "unlimited"
    miss_share: float = 0.0
    speed: int = 1
    concurrency: int | None = None
    records: bool = False  # the requests, for a contender that sends them again
    insights_a_day: int = 0  # of a trickle
    minutes_between_runs: int = 0

    def contenders_of(self, lane: Lane) -> tuple[str, ...]:
        """Return the names of those that take part in a lane."""
        return self.overnight if lane is Lane.OVERNIGHT else self.contenders

    def emulator_options(self, lane: Lane, prompts: str, answer_tokens: int = ANSWER_TOKENS) -> list[str]:
        """Return the emulator's command line for one lane and prompt set."""
        speed = STANDS_STILL if lane is Lane.OVERNIGHT else self.speed
        options = ["--latency", self.latency, "--tier", self.tier, "--speed", str(speed)]
        options += ["--batch-delay-seconds", str(BATCH_DELAY_SECONDS)]
        options += ["--miss-share", str(self.miss_share)]
        if prompts == REFERENCE_SET:
            options += ["--preamble-tokens", "0", "--answer-tokens", str(answer_tokens)]
        return options


CLUB = Size(insights=600, players=180, coaches=12)
PLATFORM = Size(insights=20_000, players=6_000, coaches=240, organizations=20, sports=SIX_SPORTS)
EVERYBODY = (*SAME_PROMPTS, *LEAN, *OURS)
OVERNIGHT = (*BATCHES, *OURS)
BOTH = (REFERENCE_SET, PRODUCT_SET)


def _trickle(insights_a_day: int, minutes: int) -> Workload:
    """People in the proportions of `platform`, insights of some hours."""
    players = insights_a_day * 3 // 10
    organizations = max(1, insights_a_day // 1_000)
    size = Size(
        insights=insights_a_day * TRICKLE_HOURS // 24,
        players=players,
        coaches=organizations * 12,
        organizations=organizations,
        sports=SIX_SPORTS if organizations > 1 else SIX_SPORTS[:3],
    )
    return Workload(
        f"trickle-{insights_a_day}-{minutes}",
        size,
        TRICKLED,
        insights_a_day=insights_a_day,
        minutes_between_runs=minutes,
    )


def _beside_bare(name: str, size: Size) -> Workload:
    """The same calls with latency and without limits, 64 at a time: ours, and then bare asyncio's."""
    return Workload(
        f"{name}-latency",
        size,
        ("touchline-packed", "asyncio-bare"),
        same_insights_as=name,
        latency="measured",
        concurrency=64,
        records=True,
    )


_CLUB_VARIANT = Workload("", CLUB, same_insights_as="club")
WORKLOADS = (
    Workload("club", CLUB, EVERYBODY, OVERNIGHT, BOTH),
    Workload("club-mixed", replace(CLUB, mixed=True), EVERYBODY, prompts=BOTH),
    replace(_CLUB_VARIANT, name="club-misses", miss_share=0.05, contenders=OURS),
    replace(_CLUB_VARIANT, name="club-speed-1", latency="measured"),
    replace(_CLUB_VARIANT, name="club-speed-10", latency="measured", speed=10),
    _beside_bare("club", CLUB),
    *(_trickle(insights, minutes) for insights in (500, 2_000, 20_000) for minutes in (3, 15)),
    Workload("memory-2000", replace(PLATFORM, insights=2_000, players=600)),
    Workload("platform", PLATFORM, EVERYBODY, OVERNIGHT, BOTH),
    _beside_bare("memory-2000", replace(PLATFORM, insights=2_000, players=600)),
    Workload(
        "platform-build",
        PLATFORM,
        same_insights_as="platform",
        latency="measured",
        tier="build",
        concurrency=512,
    ),
)
NAMES = tuple(workload.name for workload in WORKLOADS)


def chosen(name: str | None) -> tuple[Workload, ...]:
    """Return the workload of that name, or all."""
    return tuple(workload for workload in WORKLOADS if name in (None, "", workload.name))
