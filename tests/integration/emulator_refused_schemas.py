"""Schemas that structured output does not accept: outside the subset each, or too large together."""

from typing import Any

Schema = dict[str, Any]

CLOSED: Schema = {"type": "object", "additionalProperties": False}
TEXT: Schema = {"type": "string"}
OPEN = "For 'object' type, 'additionalProperties' must be explicitly set to false"

MANY_OPTIONAL = (
    "Schemas contains too many optional parameters (25), which would make grammar compilation inefficient. "
    "Reduce the number of optional parameters (limit: 24)."
)
MANY_UNIONS = (
    "Schemas contains too many parameters with union types (17), which causes exponential compilation cost. "
    "Reduce the number of union-typed parameters (limit: 16)."
)
CHOICES = "'enum' and 'const' values must be strings, numbers, booleans or null"


def closed(*names: str, **properties: Schema | bool) -> Schema:
    """A closed object of these properties, the named ones required."""
    return {**CLOSED, "properties": properties, "required": list(names)}


def unsupported(name: str, kind: str = "") -> str:
    """How the API words a keyword outside the subset."""
    whose = f"For '{kind}' type, property" if kind else "Property"
    return f"{whose} '{name}' is not supported"


def properties(count: int, schema: Schema) -> Schema:
    """Properties that are all alike."""
    return {f"p{i}": schema for i in range(count)}


def with_schema(schema: Schema) -> dict[str, Any]:
    """Structured output in this schema."""
    return {"output_config": {"format": {"type": "json_schema", "schema": schema}}}


def tools(*some: dict[str, Any]) -> dict[str, Any]:
    return {"tools": list(some)}


def strict_tool(schema: Schema, name: str = "look_up") -> dict[str, Any]:
    """A tool whose schema must be within the subset."""
    return {"name": name, "input_schema": schema, "strict": True}


def optional(count: int) -> Schema:
    """A closed object of properties that may be left out."""
    return closed(**properties(count, TEXT))


def unions(count: int) -> Schema:
    """A closed object of required properties that may be null."""
    return closed(*properties(count, TEXT), **properties(count, {"type": ["string", "null"]}))


def chain(length: int) -> Schema:
    """A schema that is found over this many references, none of them twice."""
    links = {f"A{i}": {"$ref": f"#/$defs/A{i + 1}"} for i in range(length - 1)}
    return {"$defs": {**links, f"A{length - 1}": TEXT}, "$ref": "#/$defs/A0"}


def nested(depth: int) -> Schema:
    """Lists within lists."""
    return {"type": "array", "items": nested(depth - 1)} if depth else TEXT


# What a whole schema of one keyword too many looks like: (type, keyword, its value).
KEYWORDS: list[tuple[str, str, object]] = [
    ("integer", "minimum", 1),
    ("integer", "maximum", 1),
    ("integer", "exclusiveMinimum", 1),
    ("number", "exclusiveMaximum", 1),
    ("number", "multipleOf", 0.5),
    ("number", "format", "date"),
    ("number", "pattern", "^1$"),
    ("boolean", "items", TEXT),
    ("null", "minItems", 1),
    ("string", "minLength", 1),
    ("string", "maxLength", 9),
    ("string", "properties", {}),
    ("string", "contentEncoding", "base64"),
    ("array", "maxItems", 3),
    ("array", "uniqueItems", True),
    ("array", "prefixItems", [TEXT]),
    ("array", "contains", TEXT),
    ("array", "required", ["x"]),
    ("object", "patternProperties", {}),
    ("object", "propertyNames", TEXT),
    ("object", "minProperties", 1),
    ("object", "unevaluatedProperties", False),
    ("object", "items", TEXT),
    ("", "oneOf", [TEXT]),
    ("", "not", TEXT),
    ("", "if", TEXT),
    ("", "properties", {"x": TEXT}),
    ("", "items", TEXT),
    ("", "format", "date"),
    ("", "$anchor", "here"),
    ("", "$dynamicRef", "#here"),
    ("", "examples", ["x"]),
]


def with_keyword(kind: str, name: str, value: object) -> Schema:
    """A schema that would do, but for this keyword."""
    return {**(CLOSED if kind == "object" else {"type": kind} if kind else {}), name: value}


RECURSIVE: Schema = {"$defs": {"A": closed(a={"$ref": "#/$defs/A"})}, "$ref": "#/$defs/A"}
IN_TURNS: Schema = {
    "definitions": {"A": closed(b={"$ref": "#/definitions/B"}), "B": closed(a={"$ref": "#/definitions/A"})},
    "type": "array",
    "items": {"$ref": "#/definitions/A"},
}
SPREAD: Schema = {
    "$defs": {"A": closed(**properties(13, TEXT))},
    **closed("a", a={"$ref": "#/$defs/A"}, **properties(12, TEXT)),
}

SCHEMAS: list[tuple[str, Schema, str]] = [
    ("an unknown type", {"type": "poem"}, "'poem' is not valid under any of the given schemas"),
    ("properties that are a list", {**CLOSED, "properties": []}, "[] is not of type 'object'"),
    *[
        (f"{name} of {kind or 'anything'}", with_keyword(kind, name, value), unsupported(name, kind))
        for kind, name, value in KEYWORDS
    ],
    (
        "minLength of string or null",
        {"type": ["string", "null"], "minLength": 1},
        unsupported("minLength", "string"),
    ),
    ("an open object", {"type": "object"}, OPEN),
    ("an object that says it is open", {"type": "object", "additionalProperties": True}, OPEN),
    ("an object open to strings", {"type": "object", "additionalProperties": TEXT}, OPEN),
    ("an open object or null", {"type": ["object", "null"]}, OPEN),
    ("an open object in a property", closed(a={"type": "object"}), OPEN),
    ("an open object in items", {"type": "array", "items": {"type": "object"}}, OPEN),
    ("an open object in anyOf", {"anyOf": [TEXT, {"type": "object"}]}, OPEN),
    ("an open object in allOf", {"allOf": [{"type": "object"}]}, OPEN),
    ("an open object in $defs", {"$defs": {"A": {"type": "object"}}, "$ref": "#/$defs/A"}, OPEN),
    ("an open object in definitions", {"definitions": {"A": {"type": "object"}}, **TEXT}, OPEN),
    (
        "many items",
        {"type": "array", "items": TEXT, "minItems": 3},
        "For 'array' type, 'minItems' values other than 0 or 1 are not supported",
    ),
    *[
        (
            f"the format {name}",
            closed(a={**TEXT, "format": name}),
            f"For 'string' type, format '{name}' is not",
        )
        for name in ("phone", "regex")
    ],
    ("an enum of nothing", {"enum": []}, "'enum' must not be empty"),
    ("an enum of nothing in a property", closed(a={**TEXT, "enum": []}), "'enum' must not be empty"),
    ("an enum of objects", {"enum": ["x", {"a": 1}]}, CHOICES),
    ("an enum of lists", {"enum": [["x"]]}, CHOICES),
    ("an object as const", {"const": {"a": 1}}, CHOICES),
    ("a list as const", closed(a={"const": ["x"]}), CHOICES),
    *[
        (f"{word} as {place}", schema, "a schema must be an object")
        for word in (True, False)
        for place, schema in (
            ("a property", closed(a=word)),
            ("items", {"type": "array", "items": word}),
            ("an option", {"anyOf": [TEXT, word]}),
            ("a part", {"allOf": [word]}),
            ("a definition", {"$defs": {"A": word}, **TEXT}),
            ("an old definition", {"definitions": {"A": word}, **TEXT}),
        )
    ],
    (
        "allOf with a reference",
        {"$defs": {"A": TEXT}, "allOf": [{"$ref": "#/$defs/A"}, {"description": "x"}]},
        "'allOf' with '$ref' is not supported",
    ),
    ("a pattern", {"type": "string", "pattern": "^x$"}, "'pattern': the emulator does not imitate this yet"),
    ("recursion", RECURSIVE, "Circular reference detected in schema definitions: #/$defs/A"),
    ("recursion by turns", IN_TURNS, "Circular reference detected in schema definitions: #/definitions/A"),
    (
        "recursion to the root",
        closed(a={"$ref": "#"}),
        "Circular reference detected in schema definitions: #",
    ),
    (
        "recursion in an unused definition",
        {"$defs": {"A": {"type": "array", "items": {"$ref": "#/$defs/A"}}}, **TEXT},
        "Circular reference detected in schema definitions: #/$defs/A",
    ),
    (
        "recursion to a property",
        closed(a={"type": "array", "items": {"$ref": "#/properties/a"}}),
        "Circular reference detected in schema definitions: #/properties/a",
    ),
    (
        "recursion within anyOf",
        {"$defs": {"A": {"anyOf": [TEXT, {"$ref": "#/$defs/A"}]}}, "$ref": "#/$defs/A"},
        "Circular reference detected in schema definitions: #/$defs/A",
    ),
    ("a dangling reference", {"$ref": "#/$defs/A"}, "reference #/$defs/A does not resolve within the schema"),
    (
        "a dangling reference in an unused definition",
        {"$defs": {"A": {"$ref": "#/$defs/B"}}, **TEXT},
        "reference #/$defs/B does not resolve within the schema",
    ),
    *[
        (
            f"a reference to no schema: {ref}",
            {"$defs": {"A": TEXT}, "default": {"type": "string"}, "$ref": ref},
            f"reference {ref} does not resolve within the schema",
        )
        for ref in ("#/$defs", "#/default", "/$defs/A", "#A")
    ],
    (
        "a reference to all properties",
        closed(type=TEXT, a={"$ref": "#/properties"}),
        "reference #/properties does not resolve within the schema",
    ),
    (
        "a reference to a value",
        {"$defs": {"A": {"const": "x"}}, "$ref": "#/$defs/A/const"},
        "reference #/$defs/A/const does not resolve within the schema",
    ),
    (
        "a reference to a file",
        {"$ref": "other.json"},
        "reference other.json does not resolve within the schema",
    ),
    (
        "a reference to elsewhere",
        {"$defs": {"A": TEXT}, "$ref": "https://example.com/a.json#/$defs/A"},
        "reference https://example.com/a.json#/$defs/A does not resolve within the schema",
    ),
    ("32 lists within lists", nested(32), "Schema is too complex."),
    ("32 references", chain(32), "Schema is too complex."),
    ("180 lists within lists", nested(180), "Schema is too complex."),
    ("lists within lists in a definition", {"$defs": {"A": nested(180)}, **TEXT}, "Schema is too complex."),
    ("3,000 references", chain(3_000), "Schema is too complex."),
]

FORMAT = "output_config.format.schema"
SIZE_CASES: dict[str, list[tuple[str, dict[str, Any], str]]] = {
    "schemas_are_supported": [
        ("an open format", with_schema({"type": "object"}), f"{FORMAT}: {OPEN}"),
        (
            "a strict tool of an open object",
            tools(
                {"name": "other", "input_schema": {"type": "object"}},
                strict_tool(closed("a", a={"type": "object"})),
            ),
            f"tools.1.custom.input_schema: {OPEN}",
        ),
        (
            "a strict tool and an open format",
            {**tools(strict_tool(CLOSED)), **with_schema({"type": "object"})},
            f"{FORMAT}: {OPEN}",
        ),
        (
            "21 strict tools",
            tools(*[strict_tool(CLOSED, f"tool_{i}") for i in range(21)]),
            "tools: at most 20 strict tools are supported",
        ),
        ("25 optional properties", with_schema(optional(25)), MANY_OPTIONAL),
        ("25 optional properties in two objects", with_schema(SPREAD), MANY_OPTIONAL),
        ("25 optional properties of a strict tool", tools(strict_tool(optional(25))), MANY_OPTIONAL),
        (
            "25 optional properties in two strict tools",
            tools(strict_tool(optional(12), "a"), strict_tool(optional(13), "b")),
            MANY_OPTIONAL,
        ),
        (
            "25 optional properties in a strict tool and the format",
            {**tools(strict_tool(optional(24))), **with_schema(optional(1))},
            MANY_OPTIONAL,
        ),
        (
            "25 optional properties in a strict tool and the same format",
            {**tools(strict_tool(optional(1)), strict_tool(optional(12), "b")), **with_schema(optional(12))},
            MANY_OPTIONAL,
        ),
        ("17 unions", with_schema(unions(17)), MANY_UNIONS),
        (
            "17 unions by anyOf",
            with_schema(closed(*properties(17, TEXT), **properties(17, {"anyOf": [TEXT, {"type": "null"}]}))),
            MANY_UNIONS,
        ),
        (
            "17 unions in a strict tool and the format",
            {**tools(strict_tool(unions(8))), **with_schema(unions(9))},
            MANY_UNIONS,
        ),
    ]
}
