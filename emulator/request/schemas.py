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


def check_schema(field: str, schema: Schema) -> None:
    """Refuse a schema outside the documented subset, naming `field`; known ones are not looked at again."""
    problem = _problem_of(json.dumps(schema, sort_keys=True))
    if problem is not None:
        raise invalid(f"{field}: {problem}")


def resolve(root: Schema, ref: str) -> Schema:
    """The schema that a local reference names."""
    target: Any = root
    for step in ref.removeprefix("#").split("/")[1:]:
        name = step.replace("~1", "/").replace("~0", "~")
        if not isinstance(target, dict) or name not in target:
            raise invalid(f"reference {ref} does not resolve within the schema")
        target = target[name]
    if not ref.startswith("#") or not isinstance(target, dict):
        raise invalid(f"reference {ref} does not resolve within the schema")
    return target


@lru_cache(maxsize=1024)
def _problem_of(schema_text: str) -> str | None:
    schema = json.loads(schema_text)
    try:
        Draft202012Validator.check_schema(schema)
        parts = list(_parts(schema))
        for part in parts:
            _check_keywords(part)
        _check_recursion(schema, schema, ())
        _check_size(parts)
    except SchemaError as error:
        return error.message
    except ApiError as error:
        return error.message
    return None


def _parts(schema: Any) -> Iterator[Schema]:
    """The schema and every schema inside it."""
    if not isinstance(schema, dict):
        return
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
    if any(isinstance(choice, dict | list) for choice in part.get("enum", [])):
        raise invalid("'enum' values must be strings, numbers, booleans or null")
    if any("$ref" in option for option in part.get("allOf", []) if isinstance(option, dict)):
        raise invalid("'allOf' with '$ref' is not supported")
    if "pattern" in part:
        raise not_imitated("'pattern'")


def _check_recursion(root: Schema, part: Any, open_refs: tuple[str, ...]) -> None:
    if not isinstance(part, dict):
        return
    if "$ref" in part:
        ref = part["$ref"]
        if ref in open_refs:
            raise invalid(f"Circular reference detected in schema definitions: {ref}")
        _check_recursion(root, resolve(root, ref), (*open_refs, ref))
    for child in _children(
        {name: value for name, value in part.items() if name not in ("$defs", "definitions")}
    ):
        _check_recursion(root, child, open_refs)


def _check_size(parts: list[Schema]) -> None:
    properties = [(part, name, child) for part in parts for name, child in part.get("properties", {}).items()]
    optional = sum(name not in part.get("required", ()) for part, name, _ in properties)
    if optional > OPTIONAL_PROPERTIES_MAX:
        raise invalid(
            f"Schemas contains too many optional parameters ({optional}), which would make grammar "
            "compilation inefficient. Reduce the number of optional parameters "
            f"(limit: {OPTIONAL_PROPERTIES_MAX})."
        )
    unions = sum(
        isinstance(child, dict) and ("anyOf" in child or isinstance(child.get("type"), list))
        for _, _, child in properties
    )
    if unions > UNION_PROPERTIES_MAX:
        raise invalid(
            f"Schemas contains too many parameters with union types ({unions}), which causes exponential "
            f"compilation cost. Reduce the number of union-typed parameters (limit: {UNION_PROPERTIES_MAX})."
        )
