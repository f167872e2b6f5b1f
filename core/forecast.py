"""How long calls will take: the limit that binds, from rate limits, concurrency and latency."""

from dataclasses import dataclass

FIRST_TOKEN_SECONDS = 1.177  # measured by others on live calls of Haiku 5.5
OUTPUT_TOKEN_SECONDS = 0.0044
LEADERS_IN_A_ROW = 3  # instructions, sport, tone: each must be written before the next can be read


@dataclass(frozen=True, slots=True)
class Limits:
    """Tokens and requests a minute, as the API's headers tell them; None: not known, or not limited."""

    requests: int | None = None
    input_tokens: int | None = None  # uncached ones and writes: reads do not count
    output_tokens: int | None = None


@dataclass(frozen=True, slots=True)
class Load:
    """What calls use, added up."""

    calls: int
    input_tokens: int  # all but reads
    output_tokens: int


@dataclass(frozen=True, slots=True)
class Forecast:
    """The seconds from the first request to the last answer, and the name of what they are limited by."""

    seconds: float
    limited_by: str


def forecast(load: Load, limits: Limits, concurrency: int) -> Forecast:
    """Return the duration of calls made with so many in flight; `nothing` limits no calls at all."""
    if not load.calls:
        return Forecast(0.0, "nothing")
    latency = FIRST_TOKEN_SECONDS + OUTPUT_TOKEN_SECONDS * load.output_tokens / load.calls
    minutes = {
        "requests per minute": (load.calls, limits.requests),
        "input tokens per minute": (load.input_tokens, limits.input_tokens),
        "output tokens per minute": (load.output_tokens, limits.output_tokens),
    }
    seconds = {name: 60 * used / limit for name, (used, limit) in minutes.items() if limit}
    seconds["concurrency"] = load.calls * latency / concurrency
    slowest = max(seconds, key=lambda name: seconds[name])
    lead = FIRST_TOKEN_SECONDS * min(LEADERS_IN_A_ROW, load.calls)
    return Forecast(round(max(seconds[slowest], latency) + lead, 1), slowest)
