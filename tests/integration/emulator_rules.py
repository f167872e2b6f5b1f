"""Every request that the API refuses with a 400, by rule; one table for all tests of errors.

The wordings are copied by hand: a change of one in the emulator is a change here.
"""

import json
from collections.abc import Mapping
from typing import Any, NamedTuple

from emulator.errors import ApiError
from emulator.request.catalog import load_catalog
from emulator.request.shapes import MessageRequest, parse
from emulator.request.validation import MESSAGE_RULES, PROMPT_RULES
from tests.integration.emulator_refused_content import CONTENT_CASES
from tests.integration.emulator_refused_schemas import SCHEMAS, SIZE_CASES, with_schema
from tests.integration.emulator_refused_settings import MESSAGE_CASES, SETTINGS_CASES
from tests.integration.emulator_refused_shapes import REFUSED_SHAPES
from tests.integration.emulator_requests import VALID

CATALOG = load_catalog()
# Where the emulator keeps the rule of a case that is not named after it.
HOME_OF = {"schema": "schemas_are_supported"}


class Case(NamedTuple):
    """A change of the valid request (None leaves a field out), and how the answer's message begins.

    `rule` is the name of a function of `emulator/request/validation.py` or `content.py`, or what comes before
    and below: `shape` for `shapes.py`, `schema` for `schemas.py`.
    """

    rule: str
    title: str
    change: dict[str, Any]
    message: str


def request_of(change: Mapping[str, Any]) -> dict[str, Any]:
    """The valid request with a change; `None` leaves a field out."""
    return {name: value for name, value in {**VALID, **change}.items() if value is not None}


def refused_by(change: Mapping[str, Any]) -> str | None:
    """The name of the first rule that refuses this."""
    try:
        request = parse(MessageRequest, json.dumps(request_of(change)))
    except ApiError:
        return "shape"
    for rule in (*MESSAGE_RULES, *PROMPT_RULES):
        try:
            rule(request, CATALOG[request.model])
        except ApiError:
            return rule.__name__
    return None


REFUSED: list[Case] = [
    *[Case("shape", *case) for case in REFUSED_SHAPES],
    *[
        Case(rule, *case)
        for table in (MESSAGE_CASES, SETTINGS_CASES, CONTENT_CASES, SIZE_CASES)
        for rule, cases in table.items()
        for case in cases
    ],
    *[
        Case("schema", title, with_schema(schema), f"output_config.format.schema: {problem}")
        for title, schema, problem in SCHEMAS
    ],
]
