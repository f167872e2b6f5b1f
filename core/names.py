"""Figures as a name of a run has them: short, for the eye; the exact ones are on the ledger."""

from decimal import ROUND_HALF_EVEN, Decimal

NAME_LENGTH_MAX = 200


def count(number: int, one: str, several: str | None = None) -> str:
    """Return a number with its noun: 1 run, 1,204 rows."""
    return f"{number:,} {one if number == 1 else several or one + 's'}"


def short_usd(usd: Decimal) -> str:
    """Return US dollars in a few digits, never $0 for what cost something: $12.30, $0.031, $0.00042."""
    if not usd:
        return "$0"
    if usd >= 1:
        return f"${usd:,.2f}"
    places = 3 if usd >= Decimal("0.01") else 1 - usd.adjusted()
    return f"${usd.quantize(Decimal(1).scaleb(-places), ROUND_HALF_EVEN):f}"


def failed_name(error: str, told: str | None) -> str:
    """Name a run that ended by an exception of this kind, with what it had told of itself before."""
    return f"FAILED ({error}): {told}"[:NAME_LENGTH_MAX] if told else f"FAILED ({error})"


def learned_name(coaches: int) -> str:
    """Name a weekly learning by for how many it learned."""
    return f"learned for {count(coaches, 'coach', 'coaches')}" if coaches else "nothing to learn"
