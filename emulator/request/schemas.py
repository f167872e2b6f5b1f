"""Which schemas structured output accepts, each checked once.

Source: the structured-outputs guide: objects are closed, schemas do not recurse, only some keywords exist
(the SDK's `transform_schema` leaves exactly these), and what makes the compiled grammar large is counted:
at most 24 optional properties and 16 properties of several types.
"""

import json
from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import Any

from jsonschema import Draft202012Validator
from jsonschema.exceptions import SchemaError

from emulator.errors import ApiError, invalid, not_imitated

OPTIONAL_PROPERTIES_MAX = 24
UNION_PROPERTIES_MAX = 16
# How deep schemas may lie in each other, references followed: not documented, ours.
NESTING_MAX = 32
TOO_COMPLEX = "Schema is too complex."
STRING_FORMATS = frozenset(
    {"date-time", "time", "date", "duration", "email", "hostname", "uri", "ipv4", "ipv6", "uuid"}
)
KEYWORDS_OF_ALL = frozenset(
    {"$schema", "$ref", "$defs", "definitions", "type", "enum", "const", "default"}
    | {"anyOf", "allOf", "title", "description"}
)
KEYWORDS_BY_TYPE = {
    "object": {"properties", "required", "additionalProperties"},
    "array": {"items", "minItems"},
    "string": {"format", "pattern"},
}
CHILDREN_BY_NAME = ("properties", "$defs", "definitions")
CHILDREN_IN_LIST = ("anyOf", "allOf")

Schema = Mapping[str, Any]


def check_schemas(schemas: Mapping[str, Schema]) -> None:
    """Refuse schemas outside the documented subset, each by the name of its field, or too large together.

    Known schemas are not looked at again.
    """
    optional = unions = 0
    for field, schema in schemas.items():
        problem, of_optional, of_unions = _looked_at(json.dumps(schema, sort_keys=True))
        if problem is not None:
            raise invalid(f"{field}: {problem}")
        optional, unions = optional + of_optional, unions + of_unions
    if optional > OPTIONAL_PROPERTIES_MAX:
        raise invalid(
            f"Schemas contains too many optional parameters ({optional}), which would make grammar "
            "compilation inefficient. Reduce the number of optional parameters "
            f"(limit: {OPTIONAL_PROPERTIES_MAX})."
        )
    if unions > UNION_PROPERTIES_MAX:
        raise invalid(
            f"Schemas contains too many parameters with union types ({unions}), which causes exponential "
            f"compilation cost. Reduce the number of union-typed parameters (limit: {UNION_PROPERTIES_MAX})."
        )


def resolve(root: Schema, ref: str) -> Schema:
    """The schema that a local reference names."""
    target: Any = root
    for step in ref.split("/")[1:] if ref.startswith("#") else ():
        name = step.replace("~1", "/").replace("~0", "~")
        if not isinstance(target, dict) or name not in target:
            raise invalid(f"reference {ref} does not resolve within the schema")
        target = target[name]
    if not (ref == "#" or ref.startswith("#/")) or not isinstance(target, dict):
        raise invalid(f"reference {ref} does not resolve within the schema")
    return target


@lru_cache(maxsize=1024)
def _looked_at(schema_text: str) -> tuple[str | None, int, int]:
    """What is wrong with a schema, if anything; how many optional and how many union properties it has."""
    schema = json.loads(schema_text)
    try:
        _check_nesting(schema)
        Draft202012Validator.check_schema(schema)
        parts = list(_parts(schema))
        for part in parts:
            _check_keywords(part)
        _check_references(schema, parts)
    except SchemaError as error:
        return error.message, 0, 0
    except ApiError as error:
        return error.message, 0, 0
    return None, *_sizes(parts)


def _check_nesting(schema: Any) -> None:
    """Refuse what lies too deep before anything follows it; a schema in a schema is two levels of JSON."""
    level, depth = [schema], 0
    while level:
        depth += 1
        if depth > 2 * NESTING_MAX:
            raise invalid(TOO_COMPLEX)
        inner = [value.values() if isinstance(value, dict) else value for value in level]
        level = [child for values in inner for child in values if isinstance(child, dict | list)]


def _parts(schema: Any) -> Iterator[Schema]:
    """The schema and every schema inside it."""
    if not isinstance(schema, dict):
        raise invalid("a schema must be an object")
    yield schema
    for child in _children(schema):
        yield from _parts(child)


def _children(schema: Schema) -> Iterator[Any]:
    for name in CHILDREN_BY_NAME:
        yield from schema.get(name, {}).values()
    for name in CHILDREN_IN_LIST:
        yield from schema.get(name, [])
    if "items" in schema:
        yield schema["items"]


def _check_keywords(part: Schema) -> None:
    kinds = part.get("type", [])
    kinds = [kinds] if isinstance(kinds, str) else kinds
    allowed = KEYWORDS_OF_ALL.union(*(KEYWORDS_BY_TYPE.get(kind, ()) for kind in kinds))
    for name in part:
        if name not in allowed:
            whose = f"For '{kinds[0]}' type, property" if kinds else "Property"
            raise invalid(f"{whose} '{name}' is not supported")
    if "object" in kinds and part.get("additionalProperties") is not False:
        raise invalid("For 'object' type, 'additionalProperties' must be explicitly set to false")
    if part.get("minItems", 0) not in (0, 1):
        raise invalid("For 'array' type, 'minItems' values other than 0 or 1 are not supported")
    if part.get("format", "date") not in STRING_FORMATS:
        raise invalid(f"For 'string' type, format '{part['format']}' is not supported")
    if not part.get("enum", [None]):
        raise invalid("'enum' must not be empty")
    if any(isinstance(choice, dict | list) for choice in [*part.get("enum", []), part.get("const")]):
        raise invalid("'enum' and 'const' values must be strings, numbers, booleans or null")
    if any("$ref" in option for option in part.get("allOf", [])):
        raise invalid("'allOf' with '$ref' is not supported")
    if "pattern" in part:
        raise not_imitated("'pattern'")


def _check_references(root: Schema, parts: list[Schema]) -> None:
    """Every reference names a schema, none leads back to itself, and none too deep; each part once."""
    known = {id(part) for part in parts}
    depths: dict[int, int] = {}

    def depth_of(part: Schema, open_refs: tuple[str, ...]) -> int:
        if id(part) in depths:
            return depths[id(part)]
        if len(open_refs) > NESTING_MAX:
            raise invalid(TOO_COMPLEX)
        inner = [depth_of(child, open_refs) for child in _children(_outside_definitions(part))]
        if ref := part.get("$ref"):
            target = resolve(root, ref)
            if ref in open_refs:
                raise invalid(f"Circular reference detected in schema definitions: {ref}")
            if id(target) not in known:
                raise invalid(f"reference {ref} does not resolve within the schema")
            inner.append(depth_of(target, (*open_refs, ref)))
        depths[id(part)] = 1 + max(inner, default=0)
        if depths[id(part)] > NESTING_MAX:
            raise invalid(TOO_COMPLEX)
        return depths[id(part)]

    for part in parts:
        depth_of(part, ())


def _outside_definitions(part: Schema) -> Schema:
    return {name: value for name, value in part.items() if name not in ("$defs", "definitions")}


def _sizes(parts: list[Schema]) -> tuple[int, int]:
    """How many properties are optional, and how many have several types."""
    properties = [(part, name, child) for part in parts for name, child in part.get("properties", {}).items()]
    optional = sum(name not in part.get("required", ()) for part, name, _ in properties)
    unions = sum("anyOf" in child or isinstance(child.get("type"), list) for _, _, child in properties)
    return optional, unions
