"""Lines that a load must refuse, one for each reason in the season format, to show what becomes of them."""

import json
from collections.abc import Callable

from examples.people import Club, Row


def _not_json(good: Row, bad_id: str, clubs: list[Club]) -> str:
    return _line({"id": bad_id, "title": "First touch", "description": "cut off here"})[:-9]


def _not_an_object(good: Row, bad_id: str, clubs: list[Club]) -> str:
    return _line([bad_id, "First touch", "three out of five"])


def _missing_field(good: Row, bad_id: str, clubs: list[Club]) -> str:
    return _line({key: value for key, value in good.items() if key != "description"} | {"id": bad_id})


def _bad_value(good: Row, bad_id: str, clubs: list[Club]) -> str:
    return _line(
        {"id": bad_id, "organization_id": clubs[0].id, "first_name": "Dara", "sport": "underwater_chess"}
    )


def _wrong_type(good: Row, bad_id: str, clubs: list[Club]) -> str:
    return _line({"id": bad_id, "player_id": "player-00001", "status": "active", "consented": "yes"})


def _too_long(good: Row, bad_id: str, clubs: list[Club]) -> str:
    rambling = "and another thing about the first touch, " * 13
    return _line(good | {"id": bad_id, "title": rambling[:501]})


def _duplicate_id(good: Row, bad_id: str, clubs: list[Club]) -> str:
    return _line(good | {"description": "Same id as the line before, but this is another note altogether."})


def _control_character(good: Row, bad_id: str, clubs: list[Club]) -> str:
    return _line(
        good | {"id": bad_id, "description": "The recorder cut out here\u0000 and came back later on."}
    )


def _unknown_reference(good: Row, bad_id: str, clubs: list[Club]) -> str:
    return _line(good | {"id": bad_id, "player_id": "player-who-left"})


def _other_organization(good: Row, bad_id: str, clubs: list[Club]) -> str:
    others = [club.id for club in clubs if club.id != good["organization_id"]]
    if not others:  # a season of one club has no other to name
        return _unknown_reference(good, bad_id, clubs)
    return _line(good | {"id": bad_id, "organization_id": others[0]})


def _line(value: object) -> str:
    return json.dumps(value, ensure_ascii=False)


# In the order they are dealt: the file each belongs to, the reason it will be refused for, what writes it.
KINDS: tuple[tuple[str, str, Callable[[Row, str, list[Club]], str]], ...] = (
    ("insights", "not_json", _not_json),
    ("insights", "not_an_object", _not_an_object),
    ("insights", "missing_field", _missing_field),
    ("guardians", "wrong_type", _wrong_type),
    ("players", "bad_value", _bad_value),
    ("insights", "too_long", _too_long),
    ("insights", "duplicate_id", _duplicate_id),
    ("insights", "control_character", _control_character),
    ("insights", "unknown_reference", _unknown_reference),
    ("insights", "other_organization", _other_organization),
)


def serials(file: str, count: int) -> list[int]:
    """Return which of `count` bad lines, numbered from 0 over all files, belong to `file`."""
    return [serial for serial in range(count) if KINDS[serial % len(KINDS)][0] == file]


def bad_line(serial: int, good: Row, clubs: list[Club]) -> str:
    """Return one bad line; those for `insights` are made from `good`, a valid insight."""
    _, _, write = KINDS[serial % len(KINDS)]
    return write(good, f"bad-{serial + 1:03}", clubs)
