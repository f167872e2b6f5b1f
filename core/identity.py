"""Who a person is, and how what happens at a time is named."""

from datetime import datetime
from uuid import UUID

from core.errors import PersonNotFound

NOISE_BITS = 74  # of an id, beside its milliseconds


def person_key(user_id: str | None, auth_id: str | None) -> str:
    """Return the key of a person: `user_id` if the auth system set it, else its own `id`.

    Raises PersonNotFound when neither is set.
    """
    key = user_id or auth_id
    if not key:
        raise PersonNotFound("user id not found")
    return key


def time_ordered_id(at: datetime, noise: int) -> str:
    """Return a UUID of version 7 (RFC 9562): milliseconds since 1970, then `noise`, 74 random bits.

    What happens together lies together in an index, where ids by chance alone would touch every page of it.
    """
    milliseconds = int(at.timestamp() * 1000)
    low = noise & (1 << 62) - 1
    return str(UUID(int=milliseconds << 80 | 7 << 76 | noise >> 62 << 64 | 0b10 << 62 | low))
