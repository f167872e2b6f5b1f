"""Which output schemas structured output accepts, each checked once.

Source: the structured-outputs guide: objects are closed, schemas do not recurse, and value constraints
(`minimum`, `maxLength`, ...) are refused; the SDK's `transform_schema` removes exactly these.
"""

import json
from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import Any

from jsonschema import Draft202012Validator
from jsonschema.exceptions import SchemaError

from emulator.errors import ApiError, invalid

FIELD = "output_config.format.schema"
UNSUPPORTED = {
    "number": ("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf"),
    "integer": ("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf"),
    "string": ("minLength", "maxLength"),
    "array": ("maxItems", "uniqueItems", "contains"),
}
CHILDREN_BY_NAME = ("properties", "$defs", "definitions")
CHILDREN_IN_LIST = ("anyOf", "allOf", "oneOf", "prefixItems")

Schema = Mapping[str, Any]


def check_schema(schema: Schema) -> None:
    """Refuse a schema outside the documented subset; known schemas are not looked at again."""
    problem = _problem_of(json.dumps(schema, sort_keys=True))
    if problem is not None:
        raise invalid(problem)


@lru_cache(maxsize=1024)
def _problem_of(schema_text: str) -> str | None:
    schema = json.loads(schema_text)
    try:
        Draft202012Validator.check_schema(schema)
        for part in _parts(schema):
            _check_part(part)
        _check_recursion(schema, schema, ())
    except SchemaError as error:
        return f"{FIELD}: {error.message}"
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


def _check_part(part: Schema) -> None:
    kind = part.get("type")
    if kind == "object" and part.get("additionalProperties") is not False:
        raise invalid(f"{FIELD}: For 'object' type, 'additionalProperties' must be explicitly set to false")
    if kind == "array" and part.get("minItems", 0) not in (0, 1):
        raise invalid(f"{FIELD}: For 'array' type, 'minItems' values other than 0 or 1 are not supported")
    for name in UNSUPPORTED.get(kind, ()) if isinstance(kind, str) else ():
        if name in part:
            raise invalid(f"{FIELD}: For '{kind}' type, property '{name}' is not supported")


def _check_recursion(root: Schema, part: Any, open_refs: tuple[str, ...]) -> None:
    if not isinstance(part, dict):
        return
    if "$ref" in part:
        ref = part["$ref"]
        if ref in open_refs:
            raise invalid(f"{FIELD}: Circular reference detected in schema definitions: {ref}")
        _check_recursion(root, resolve(root, ref), (*open_refs, ref))
    for child in _children(
        {name: value for name, value in part.items() if name not in ("$defs", "definitions")}
    ):
        _check_recursion(root, child, open_refs)


def resolve(root: Schema, ref: str) -> Schema:
    """The schema that a local reference names."""
    target: Any = root
    for step in ref.removeprefix("#").split("/")[1:]:
        name = step.replace("~1", "/").replace("~0", "~")
        if not isinstance(target, dict) or name not in target:
            raise invalid(f"{FIELD}: reference {ref} does not resolve within the schema")
        target = target[name]
    if not ref.startswith("#") or not isinstance(target, dict):
        raise invalid(f"{FIELD}: reference {ref} does not resolve within the schema")
    return target
