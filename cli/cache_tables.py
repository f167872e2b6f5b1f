"""What the cache did, for a person to read."""

from collections.abc import Mapping, Sequence
from typing import Any

from cli.bars import dollars, plain_table, short
from cli.output import console

RUNS_SHOWN = 10
UNKNOWN = "?"
USUAL_PLACES = ("global", "not_available")


def print_cache(title: str, report: Mapping[str, Any]) -> None:
    """Show the report; every figure is in `--json`."""
    days = f"{report['from']} up to {report['to']} (not included), {report['time_zone']}"
    console().print(f"{title}, the cache: {days}")
    if not report["requests"]:
        console().print("Nothing was answered in these days.")
        return
    for sentence in _sentences(report):
        console().print(sentence)
    _print_prefixes(report["by_prefix"])
    _print_below_minimum(report["below_minimum"])
    _print_runs(report["by_run"])


def _sentences(report: Mapping[str, Any]) -> list[str]:
    unknown = report["packs_unknown_of_runs"]
    rest = f" (not known of {unknown} of {unknown + report['packs_known_of_runs']} runs)" if unknown else ""
    return [
        f"{report['requests']:,} paid answers for {dollars(report['cost_usd'])}; "
        f"{report['cache_hit_rate']:.1%} of their input was read from the cache.",
        f"Caching saved {dollars(report['caching_saved_usd'])}, batches then "
        f"{dollars(report['batches_saved_usd'])}; packs {dollars(report['packs_saved_usd'])}{rest}.",
    ]


def _print_prefixes(rows: Sequence[Mapping[str, Any]]) -> None:
    one = len({row["model"] for row in rows}) == 1
    asked = f" for {rows[0]['model']}" if one else ""
    table = plain_table(f"By prefix{asked} (efficiency: cheapest bill possible / bill)")
    table.add_column("prefix", overflow="fold")
    for heading in ("tokens", "answers", "hit rate", "cost", "saved", "effic."):
        table.add_column(heading, justify="right", no_wrap=True)
    for row in rows:
        table.add_row(
            _prefix(row, with_model=not one),
            UNKNOWN if row["prefix_tokens"] is None else f"{row['prefix_tokens']:,}",
            short(row["requests"]),
            f"{row['cache_hit_rate']:.1%}",
            dollars(row["cost_usd"]),
            dollars(row["caching_saved_usd"]),
            _share(row["efficiency"]),
        )
    console().print(table)
    unmeasured = sum(row["unmeasured_requests"] for row in rows)
    if unmeasured:
        console().print(f"Of {unmeasured:,} requests no prefix length is known: they are in no efficiency.")
    warmed = sum(row["warmed_by_others"] for row in rows)
    if warmed:
        console().print(f"{warmed:,} requests read what another prefix's calls had written for them.")


def _print_below_minimum(rows: Sequence[Mapping[str, Any]]) -> None:
    for row in rows:
        console().print(
            f"Too short to be cached: {_prefix(row)} has {row['prefix_tokens']:,} tokens, the minimum is "
            f"{row['minimum_prefix_tokens']:,} ({row['requests']:,} requests)."
        )


def _print_runs(rows: Sequence[Mapping[str, Any]]) -> None:
    table = plain_table(f"By run (the newest {RUNS_SHOWN}; efficiency and packs are of the whole run)")
    table.add_column("run", no_wrap=True)
    table.add_column("began (UTC)", no_wrap=True)
    table.add_column("lane", no_wrap=True)
    for heading in ("answers", "hit rate", "cost", "packs", "effic."):
        table.add_column(heading, justify="right", no_wrap=True)
    for row in rows[:RUNS_SHOWN]:
        packs = row["packs_saved_usd"]
        table.add_row(
            row["run_id"][:8],
            row["started_at"][5:16].replace("T", " "),
            row["lane"],
            short(row["requests"]),
            f"{row['cache_hit_rate']:.1%}",
            dollars(row["cost_usd"]),
            UNKNOWN if packs is None else dollars(packs),
            _share(row["run_efficiency"]),
        )
    console().print(table)


def _prefix(row: Mapping[str, Any], *, with_model: bool = True) -> str:
    """What it was for, where that is kept, else the version; then model, tier and place, if unusual."""
    about = f"{row['sport']}/{row['tone']}" if row["sport"] else row["prompt_version"]
    tier = "" if row["service_tier"] == "standard" else f" {row['service_tier']}"
    place = "" if row["inference_geo"] in USUAL_PLACES else f" {row['inference_geo']}"
    return about + (f" {row['model']}" if with_model else "") + tier + place


def _share(value: float | None) -> str:
    return UNKNOWN if value is None else f"{value:.1%}"
