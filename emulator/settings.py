"""The command line as one frozen value; everything the emulator's behaviour depends on is in it."""

import argparse
from collections.abc import Sequence
from dataclasses import dataclass

TIERS = ("start", "build", "scale", "unlimited")
LATENCIES = ("measured", "off")


@dataclass(frozen=True)
class Settings:
    """How this emulator behaves; `None` means "as the rule computes it"."""

    port: int = 0
    speed: float = 1.0
    tier: str = "start"
    burst_seconds: float = 1.0
    latency: str = "measured"
    answer_tokens: int | None = None
    preamble_tokens: int | None = None
    miss_share: float = 0.0
    seed: int = 0


def parse_settings(arguments: Sequence[str] | None = None) -> Settings:
    """Read the command line; a wrong option ends the process with argparse's message and status 2."""
    return Settings(**vars(_parser().parse_args(arguments)))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m emulator",
        description="A local Anthropic API that bills like the real one. First line on stdout: its base URL.",
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    add = parser.add_argument
    add("--port", type=_count, default=0, help="TCP port on 127.0.0.1; 0 takes a free one")
    add("--speed", type=_positive, default=1.0, help="emulator seconds per real second")
    add("--tier", choices=TIERS, default="start", help="rate limits of this usage tier")
    add(
        "--burst-seconds",
        type=_positive,
        default=1.0,
        help="size of a rate limit's bucket, in seconds of its rate",
    )
    add(
        "--latency",
        choices=LATENCIES,
        default="measured",
        help="1,177 ms + 4.40 ms per output token, or none",
    )
    add("--answer-tokens", type=_count, help="bill every answer at this many output tokens")
    add(
        "--preamble-tokens",
        type=_count,
        help="input tokens a JSON format adds (default: its schema's tokens + 60)",
    )
    add("--miss-share", type=_share, default=0.0, help="share of requests that miss the cache for no reason")
    add("--seed", type=int, default=0, help="seed of everything drawn by chance: misses, and faults by share")
    return parser


def _count(text: str) -> int:
    value = int(text)
    if value < 0:
        raise argparse.ArgumentTypeError("must be 0 or more")
    return value


def _positive(text: str) -> float:
    value = float(text)
    if not 0 < value < float("inf"):
        raise argparse.ArgumentTypeError("must be a number above 0")
    return value


def _share(text: str) -> float:
    value = float(text)
    if not 0 <= value <= 1:
        raise argparse.ArgumentTypeError("must be between 0 and 1")
    return value
