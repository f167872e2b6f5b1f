"""Who is meant: a person's key, from whichever of the auth system's two ids is given."""

import sqlalchemy as sa

from core.errors import PersonNotFound
from core.identity import person_key
from models.coach import QUERIES


def find_coach(connection: sa.Connection, person: str) -> str:
    """Return a coach's key. Raises PersonNotFound when nobody has this id, or none is given."""
    key = person_key(None, person)
    found = connection.execute(QUERIES["by_either_id"], {"person": key}).first()
    if found is None:
        raise PersonNotFound("user id not found: give a coach's id as it is in coaches.jsonl")
    return person_key(found.user_id, found.auth_id)
