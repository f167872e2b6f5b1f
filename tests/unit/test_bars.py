"""Bars and numbers of the usage tables."""

from typing import Any

import pytest

from cli.bars import bar, dollars, short
from cli.usage_tables import by_month, from_first_to_last


def test_a_bar_is_as_long_as_its_share_and_never_unseen() -> None:
    assert bar(10, 10, 8) == "████████"
    assert bar(5, 10, 8) == "████"
    assert bar(5.25, 10, 5) == "██▋"
    assert bar(0.0001, 10, 8) == "▏"
    assert bar(0, 10, 8) == bar(0, 0, 8) == bar(-1, 10, 8) == ""


@pytest.mark.parametrize(
    ("money", "shown"),
    [
        ("0.000000005", "$0.000000"),
        ("0.00012", "$0.000120"),
        ("1.23456789", "$1.2346"),
        ("12345.678", "$12,345.68"),
        ("-0.5", "-$0.500000"),
    ],
)
def test_dollars_have_the_digits_that_their_size_needs(money: str, shown: str) -> None:
    assert dollars(money) == shown


def test_large_numbers_are_short() -> None:
    numbers = (0, 9_999, 12_345, 4_500_000, 7_000_000_000)
    assert [short(number) for number in numbers] == ["0", "9,999", "12.3k", "4.5M", "7.0G"]


def test_many_days_are_months_from_the_first_call_to_the_last() -> None:
    def day(name: str, calls: int) -> dict[str, Any]:
        return {"day": name, "calls": calls, "cost_usd": "0.5" if calls else "0"}

    daily = [day("2026-01-30", 0), day("2026-01-31", 2), day("2026-02-01", 0), day("2026-02-02", 3)]
    used = from_first_to_last([*daily, day("2026-02-03", 0)])
    assert used == daily[1:]
    assert [(row["day"], row["calls"], row["cost_usd"]) for row in by_month(used)] == [
        ("2026-01", 2, 0.5),
        ("2026-02", 3, 0.5),
    ]
