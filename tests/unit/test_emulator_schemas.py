"""Any schema within the accepted subset is accepted, and answered with what the schema describes."""

import json
import re
from functools import cache
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from emulator.errors import ApiError
from emulator.request.schemas import STRING_FORMATS, check_schemas
from emulator.request.shapes import MessageRequest
from emulator.writer.notes import Brief, read_brief
from emulator.writer.shaping import shape_answer

Schema = dict[str, Any]
CLOSED: Schema = {"type": "object", "additionalProperties": False}

# Names that the writer has its own words for, and one that it has not.
NAMES = ("id", "category", "category_confidence", "confidence", "reason", "summary", "flags", "name", "other")
WORDS = ("normal", "injury", "needs_context", "technical_jargon", "x", "")
SIMPLE = ("string", "integer", "number", "boolean", "null")
PRIMITIVES = st.none() | st.booleans() | st.integers(-9, 9) | st.floats(-1, 1) | st.sampled_from(WORDS)
NOTES = (
    '<player>{"first_name": "Clodagh"}</player>'
    '<note>{"id": "i1", "title": "Passing", "text": "Great at winning the jackal with Saoirse."}</note>'
    '<note>{"id": "i2", "title": "Ankle", "text": "Ankle strain."}</note>'
)


def brief_of(content: str) -> Brief:
    messages = [{"role": "user", "content": content}]
    request = {"model": "claude-haiku-5-5", "max_tokens": 1, "messages": messages}
    return read_brief(MessageRequest.model_validate_json(json.dumps(request)))


BRIEFS = {"two notes": brief_of(NOTES), "no note": brief_of("Hello")}


def leaves(names: tuple[str, ...]) -> st.SearchStrategy[Schema]:
    """Schemas without a schema inside; `names` are the definitions they may refer to."""
    some = [
        st.fixed_dictionaries({"type": st.sampled_from(SIMPLE)}),
        st.fixed_dictionaries({"type": st.sampled_from(SIMPLE[:-1]).flatmap(nullable)}),
        st.fixed_dictionaries({"type": st.just("string"), "format": st.sampled_from(sorted(STRING_FORMATS))}),
        st.fixed_dictionaries({"enum": st.lists(PRIMITIVES, min_size=1, max_size=3)}),
        st.fixed_dictionaries(
            {"type": st.just("string"), "enum": st.lists(st.sampled_from(WORDS), min_size=1, max_size=3)}
        ),
        st.fixed_dictionaries({"const": PRIMITIVES}),
    ]
    refs = st.sampled_from(names).map(lambda name: {"$ref": f"#/$defs/{name}"}) if names else st.nothing()
    return st.one_of(*some, *[refs] * 3)


def nullable(kind: str) -> st.SearchStrategy[list[str]]:
    """A type or null, in either order."""
    return st.permutations([kind, "null"])


@st.composite
def objects(draw: st.DrawFn, children: st.SearchStrategy[Schema]) -> Schema:
    """Closed objects, any of their properties required."""
    properties = draw(st.dictionaries(st.sampled_from(NAMES), children, max_size=3))
    kind = draw(st.just("object") | nullable("object"))
    schema: Schema = {"type": kind, "additionalProperties": False, "properties": properties}
    if properties:
        schema["required"] = draw(st.lists(st.sampled_from(sorted(properties)), unique=True))
    return schema


def inner(children: st.SearchStrategy[Schema]) -> st.SearchStrategy[Schema]:
    """Schemas of schemas."""
    kind = st.just("array") | nullable("array")
    arrays = st.fixed_dictionaries(
        {"type": kind, "items": children}, optional={"minItems": st.sampled_from((0, 1))}
    )
    unions = st.fixed_dictionaries({"anyOf": st.lists(children, min_size=1, max_size=3)})
    return objects(children) | arrays | unions


@cache
def schemas(names: tuple[str, ...]) -> st.SearchStrategy[Schema]:
    """Schemas that may refer to these definitions."""
    return st.recursive(leaves(names), inner, max_leaves=4)


@st.composite
def documents(draw: st.DrawFn) -> Schema:
    """Whole schemas, whose definitions refer to earlier ones only: they do not recurse."""
    definitions: dict[str, Schema] = {}
    for name in ("A", "B")[: draw(st.integers(0, 2))]:
        definitions[name] = draw(schemas(tuple(definitions)))
    root = draw(schemas(tuple(definitions)))
    return {**root, "$defs": definitions} if definitions else root


@given(documents(), st.sampled_from(sorted(BRIEFS)))
@example({"type": "array", "items": {"enum": ["x", 1]}, "minItems": 1}, "no note")
@example({"type": "array", "items": {"$ref": "#/$defs/A"}, "$defs": {"A": {"enum": [None]}}}, "two notes")
@settings(derandomize=True, deadline=None, max_examples=100)
def test_any_schema_of_the_subset_is_accepted_and_answered_in_its_shape(schema: Schema, brief: str) -> None:
    check_schemas({"format": schema})
    answer = shape_answer(schema, BRIEFS[brief])
    validator = Draft202012Validator(schema, format_checker=Draft202012Validator.FORMAT_CHECKER)
    assert [error.message for error in validator.iter_errors(answer)] == []
    assert json.loads(json.dumps(answer)) == answer


@given(documents(), st.sampled_from(("minimum", "maxLength", "oneOf", "uniqueItems", "x-order")))
@settings(derandomize=True, deadline=None, max_examples=20)
def test_one_keyword_outside_the_subset_is_enough_to_refuse_it_wherever_it_is(
    schema: Schema, keyword: str
) -> None:
    values: dict[str, Any] = {
        "maxLength": 3,
        "minimum": 3,
        "oneOf": [{"type": "string"}],
        "uniqueItems": True,
    }
    culprit = {"type": "string", keyword: values.get(keyword, 1)}
    with pytest.raises(ApiError, match=f"'{keyword}' is not supported"):
        check_schemas({"format": {"$defs": {"C": culprit}, "anyOf": [{"type": "array", "items": schema}]}})


@given(st.lists(st.integers(0, 9), min_size=1, max_size=6), st.booleans())
@settings(derandomize=True, deadline=None, max_examples=60)
def test_sizes_are_summed_over_all_schemas_whichever_way_they_are_split(
    counts: list[int], of_unions: bool
) -> None:
    kind: Schema = {"anyOf": [{"type": "string"}, {"type": "null"}]} if of_unions else {"type": "string"}
    fields: dict[str, Schema] = {}
    for i, count in enumerate(counts):
        properties = {f"p{i}": kind for i in range(count)}
        required = sorted(properties) if of_unions else []
        fields[f"field {i}"] = {**CLOSED, "properties": properties, "required": required}
    if sum(counts) <= (16 if of_unions else 24):
        check_schemas(fields)
        return
    what = "parameters with union types" if of_unions else "optional parameters"
    with pytest.raises(ApiError, match=rf"too many {what} \({sum(counts)}\)"):
        check_schemas(fields)


@given(documents(), st.sampled_from(("#/$defs/C", "#/$defs/nowhere", "#/$defs", "#/$defs/C/items/$ref")))
@settings(derandomize=True, deadline=None, max_examples=20)
def test_a_reference_that_leads_nowhere_or_back_is_refused_although_nobody_uses_it(
    schema: Schema, ref: str
) -> None:
    culprit = {"type": "array", "items": {"$ref": ref}}
    with pytest.raises(ApiError, match=re.escape(ref)):
        check_schemas({"format": {**schema, "$defs": {**schema.get("$defs", {}), "C": culprit}}})
