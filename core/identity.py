"""Who a person is: the one place that turns an auth record into the key used everywhere."""

from core.errors import PersonNotFound


def person_key(user_id: str | None, auth_id: str | None) -> str:
    """Return the key of a person: `user_id` if the auth system set it, else its own `id`.

    Raises PersonNotFound when neither is set.
    """
    key = user_id or auth_id
    if not key:
        raise PersonNotFound("user id not found")
    return key
