"""Ids of what happens: version 7 UUIDs, in the order of their times, by RFC 9562's own example."""

from datetime import UTC, datetime, timedelta
from uuid import UUID

from core.identity import NOISE_BITS, time_ordered_id

# RFC 9562, appendix A.6: 2022-02-22T19:22:22Z, rand_a 0xCC3, rand_b 0x18C4DC0C0C07398F
AT = datetime(2022, 2, 22, 19, 22, 22, tzinfo=UTC)


def test_the_example_of_the_standard_comes_out() -> None:
    noise = 0xCC3 << 62 | 0x18C4DC0C0C07398F
    assert time_ordered_id(AT, noise) == "017f22e2-79b0-7cc3-98c4-dc0c0c07398f"


def test_ids_are_version_7_whatever_the_noise() -> None:
    for noise in (0, 2**NOISE_BITS - 1, 0x5A5A5A5A5A5A5A5A5A5 % 2**NOISE_BITS):
        made = UUID(time_ordered_id(AT, noise))
        assert (made.version, made.variant) == (7, UUID(time_ordered_id(AT, 0)).variant)


def test_a_later_id_sorts_after_an_earlier_one() -> None:
    earlier = time_ordered_id(AT, 2**NOISE_BITS - 1)
    assert earlier < time_ordered_id(AT + timedelta(milliseconds=1), 0)
