"""An answer in the shape of any output schema: property names decide what is said, the schema how.

Understands what structured output accepts: objects, arrays, enums, consts, references, anyOf/allOf, string
formats. Every property is given, required or not.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from emulator.request.schemas import resolve
from emulator.writer.notes import Brief
from emulator.writer.prose import Judgement, judge

Schema = Mapping[str, Any]

STRING_FORMATS = {
    "date-time": "2026-01-01T00:00:00Z",
    "date": "2026-01-01",
    "time": "00:00:00Z",
    "duration": "PT1H",
    "email": "coach@example.com",
    "hostname": "example.com",
    "uri": "https://example.com/",
    "ipv4": "192.0.2.1",
    "ipv6": "2001:db8::1",
    "uuid": "00000000-0000-4000-8000-000000000000",
}
PROSE_NAMES = ("summary", "message", "text", "body", "content", "answer")
# `transform_schema` moves bounds it cannot send into the description: "{minimum: 0, maximum: 1}".
DESCRIBED_BOUND = re.compile(r"\b(minimum|maximum): (-?\d+(?:\.\d+)?)")


@dataclass(frozen=True)
class _Place:
    """Where in the answer we are: which property, about which note."""

    root: Schema
    name: str
    judgement: Judgement
    judgements: tuple[Judgement, ...]
    brief: Brief


def shape_answer(schema: Schema, brief: Brief) -> Any:
    """The JSON value that answers this brief in this schema."""
    judgements = tuple(judge(note, brief) for note in brief.notes)
    return _value(schema, _Place(schema, "", judgements[0], judgements, brief))


def _value(schema: Schema, place: _Place) -> Any:
    if "$ref" in schema:
        return _value(resolve(place.root, schema["$ref"]), place)
    if "const" in schema:
        return schema["const"]
    if "enum" in schema:
        return _choice(schema["enum"], place)
    for several in ("anyOf", "oneOf"):
        if several in schema:
            return _value(_first_substantial(schema[several]), place)
    if "allOf" in schema:
        return _value(_merged(schema["allOf"], place.root), place)
    kind = schema.get("type", "object" if "properties" in schema else "string")
    if isinstance(kind, list):
        kind = next((name for name in kind if name != "null"), "null")
    return WRITERS[kind](schema, place)


def _object(schema: Schema, place: _Place) -> dict[str, Any]:
    properties: Schema = schema.get("properties", {})
    return {name: _value(child, replace(place, name=name)) for name, child in properties.items()}


def _array(schema: Schema, place: _Place) -> list[Any]:
    """One item per note for items that carry an id, the flags for enums, else a single item."""
    items: Schema = schema.get("items", {})
    while "$ref" in items:
        items = resolve(place.root, items["$ref"])
    if "id" in items.get("properties", {}):
        return [_value(items, replace(place, judgement=judgement)) for judgement in place.judgements]
    if "enum" in items:
        chosen = [flag for flag in place.judgement.flags if flag in items["enum"]]
        return chosen or [items["enum"][0]][: schema.get("minItems", 0)]
    return [_value(items, place)]


def _string(schema: Schema, place: _Place) -> str:
    if schema.get("format") in STRING_FORMATS:
        return STRING_FORMATS[schema["format"]]
    judgement, name = place.judgement, place.name.lower()
    known = {
        "id": judgement.id,
        "category": judgement.category,
        "reason": judgement.reason,
        "topic": judgement.topic,
        "title": judgement.topic.capitalize(),
        "first_name": place.brief.name,
        "name": place.brief.name,
    }
    if name in known:
        return known[name]
    is_prose = not name or any(word in name for word in PROSE_NAMES)
    return judgement.summary if is_prose else judgement.topic


def _number(schema: Schema, place: _Place) -> float | int:
    """A confidence where one is asked for, else something within the bounds."""
    if place.name == "category_confidence":
        return place.judgement.category_confidence
    if "confidence" in place.name:
        return place.judgement.confidence
    described = {name: float(value) for name, value in DESCRIBED_BOUND.findall(schema.get("description", ""))}
    low = described.get("minimum", 0.0)
    high = described.get("maximum", max(low, 1.0))
    return round(low + (high - low) * (place.judgement.number % 101) / 100, 2)


def _integer(schema: Schema, place: _Place) -> int:
    return round(_number(schema, replace(place, name="")))


def _boolean(schema: Schema, place: _Place) -> bool:
    return place.judgement.number % 2 == 0


def _null(schema: Schema, place: _Place) -> None:
    return None


def _choice(choices: list[Any], place: _Place) -> Any:
    """The judgement's own word if the enumeration has it, else one by the note's hash."""
    if place.judgement.category in choices:
        return place.judgement.category
    return choices[place.judgement.number % len(choices)]


def _merged(parts: list[Schema], root: Schema) -> Schema:
    """All parts of an `allOf` as one schema, their properties side by side."""
    whole: dict[str, Any] = {}
    for part in (resolve(root, part["$ref"]) if "$ref" in part else part for part in parts):
        properties = {**whole.get("properties", {}), **part.get("properties", {})}
        whole = {**whole, **part, **({"properties": properties} if properties else {})}
    return whole


def _first_substantial(options: list[Schema]) -> Schema:
    return next((option for option in options if option.get("type") != "null"), options[0])


WRITERS: Mapping[str, Callable[[Schema, _Place], Any]] = {
    "object": _object,
    "array": _array,
    "string": _string,
    "number": _number,
    "integer": _integer,
    "boolean": _boolean,
    "null": _null,
}
