"""The command line as one frozen value; everything the emulator's behaviour depends on is in it."""

import argparse
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

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
    state: Path | None = None
    batch_delay_seconds: float = 60.0
    batch_wave: int | None = None
    batch_wave_seconds: float = 10.0
    batch_miss_share: float = 0.0
    batch_queue: int = 200_000
    report_delay_seconds: float = 300.0


def parse_settings(arguments: Sequence[str] | None = None) -> Settings:
    """Read the command line; a wrong option ends the process with argparse's message and status 2."""
    return Settings(**vars(_parser().parse_args(arguments)))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m emulator",
        description="A local Anthropic API that bills like the real one. First line on stdout: its base URL.",
        allow_abbrev=False,
    )
    for name, kind, default, words in OPTIONS:
        shown = words if default is None else f"{words} (default: {default})"
        parser.add_argument(name, type=kind, default=default, help=shown, metavar="…")
    return parser


def _count(text: str) -> int:
    value = int(text)
    if value < 0:
        raise argparse.ArgumentTypeError("must be 0 or more")
    return value


def _port(text: str) -> int:
    if not 0 <= int(text) <= 65_535:
        raise argparse.ArgumentTypeError("must be a TCP port, 0 to 65535")
    return int(text)


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


def _at_least_one(text: str) -> int:
    if int(text) < 1:
        raise argparse.ArgumentTypeError("must be 1 or more")
    return int(text)


def _seconds(text: str) -> float:
    value = float(text)
    if not 0 <= value < 1e9:
        raise argparse.ArgumentTypeError("must be a number of seconds, 0 or more")
    return value


def _one_of(*choices: str) -> Callable[[str], str]:
    def choice(text: str) -> str:
        if text not in choices:
            raise argparse.ArgumentTypeError(f"must be one of {', '.join(choices)}")
        return text

    return choice


# What is not documented of the API is an option here, its default on the dearer or slower side.
OPTIONS: tuple[tuple[str, Callable[[str], object], object, str], ...] = (
    ("--port", _port, 0, "TCP port on 127.0.0.1; 0 takes a free one"),
    ("--speed", _positive, 1.0, "emulator seconds per real second while no request comes"),
    ("--tier", _one_of(*TIERS), "start", f"rate limits of this usage tier: {', '.join(TIERS)}"),
    ("--burst-seconds", _positive, 1.0, "size of a rate limit's bucket, in seconds of its rate"),
    (
        "--latency",
        _one_of(*LATENCIES),
        "measured",
        "measured: 1,177 ms + 4.40 ms per output token; off: none (batches are not affected)",
    ),
    ("--answer-tokens", _count, None, "bill every answer at this many output tokens per note in its prompt"),
    (
        "--preamble-tokens",
        _count,
        None,
        "input tokens a JSON format adds (default: its schema's tokens + 60)",
    ),
    ("--miss-share", _share, 0.0, "share of requests that miss the cache for no reason"),
    ("--seed", int, 0, "seed of everything drawn by chance: misses, faults by share, the order of results"),
    ("--state", Path, None, "file in which meter, cache, calls and batches survive a kill; made if absent"),
    ("--batch-delay-seconds", _seconds, 60.0, "from the creation of a batch until its items start"),
    ("--batch-wave", _at_least_one, None, "items of a batch that start together (default: all of them)"),
    ("--batch-wave-seconds", _seconds, 10.0, "from one wave of a batch to the next"),
    ("--batch-miss-share", _share, 0.0, "share of batch items that miss the cache for no reason"),
    ("--batch-queue", _at_least_one, 200_000, "batch requests that may wait at once, in every tier"),
    ("--report-delay-seconds", _seconds, 300.0, "how late the usage and cost reports are"),
)
