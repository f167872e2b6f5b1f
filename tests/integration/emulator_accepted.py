"""Requests that are answered although they are near a refusal, and a model for structured output."""

from typing import Any, Literal

import anthropic
from pydantic import BaseModel, Field

from tests.integration.emulator_refused_content import (
    LONG_MARK,
    SAID,
    answers,
    conversation,
    marks,
    result,
    use,
)
from tests.integration.emulator_refused_schemas import (
    TEXT,
    chain,
    closed,
    nested,
    optional,
    properties,
    strict_tool,
    tools,
    unions,
    with_schema,
)
from tests.integration.emulator_refused_settings import (
    OLD_HAIKU,
    OLD_SONNET,
    SONNET,
    effort,
)
from tests.integration.emulator_refused_shapes import CLOSED, MARK, REDACTED, RESULT, THOUGHT, TOOL, USE
from tests.integration.emulator_requests import text, user


class Place(BaseModel):
    town: str
    county: str | None = None


class Report(BaseModel):
    """What pydantic and the SDK make of optional fields, unions, nested models, bounds and lists of enums."""

    rating: int = Field(ge=0, le=10)
    mood: str | None = Field(default=None, max_length=80)
    place: Place
    places: list[Place] = Field(min_length=1, max_length=4)
    score: int | float | str
    flags: list[Literal["wet", "dry"]] = Field(default_factory=list)


USED_AND_ANSWERED = conversation(answers(use("a"), use("b")), *user(result("a"), result("b")))
TOOL_CALLED = {"type": "tool_use", "id": "toolu_1", "name": "look_up", "input": {"of": [1, None]}}
ACCEPTED: list[tuple[str, dict[str, Any]]] = [
    ("nothing but the least", {"thinking": None, "output_config": None, "max_tokens": 1}),
    ("a prewarm", {"max_tokens": 0, "output_config": None}),
    ("a prewarm with effort", {"max_tokens": 0, "output_config": {"effort": "low"}}),
    ("the longest answer", {"max_tokens": 128_000}),
    ("an old model's longest answer", {"max_tokens": 64_000, "model": OLD_HAIKU}),
    ("a stop sequence of one letter", {"stop_sequences": ["x"]}),
    ("a user id of 512 characters", {"metadata": {"user_id": "u" * 512}}),
    ("no user id", {"metadata": {"user_id": None}}),
    ("standard speed", {"speed": "standard"}),
    ("fields that say nothing", {"container": None, "speed": None, "user_profile_id": None}),
    (
        "a budget just below max_tokens",
        {"model": OLD_HAIKU, "thinking": {"type": "enabled", "budget_tokens": 1024}, "max_tokens": 1025},
    ),
    (
        "enabled thinking on Sonnet 4.6",
        {"model": OLD_SONNET, "thinking": {"type": "enabled", "budget_tokens": 1024}, "max_tokens": 2000},
    ),
    (
        "adaptive thinking out of sight",
        {"thinking": {"type": "adaptive", "display": "omitted"}, "max_tokens": 4000},
    ),
    ("thinking between tools on Sonnet", {"model": SONNET, "thinking": {"type": "between_tools"}}),
    ("high effort between tools", {**effort("high", SONNET), "thinking": {"type": "between_tools"}}),
    ("high effort without thinking", effort("high")),
    ("max effort with thinking", {**effort("max"), "thinking": None, "max_tokens": 8000}),
    ("max effort where nothing thinks by default", effort("max", "claude-opus-4-8")),
    ("a geography", {"inference_geo": "us"}),
    ("the whole world", {"inference_geo": "global"}),
    ("a tier", {"service_tier": "standard_only"}),
    ("four breakpoints", {"messages": user(*marks("5m", "5m", "5m", "5m"))}),
    (
        "three breakpoints and the top-level one",
        {"messages": user(*marks("5m", "5m", "5m"), text("x")), "cache_control": MARK},
    ),
    (
        "four breakpoints, the last also from the top",
        {"messages": user(*marks("1h", "1h", "5m", "5m")), "cache_control": MARK},
    ),
    ("1h before 5m", {"system": marks("1h"), "messages": user(*marks("1h", "5m"))}),
    ("a top-level 1h on a 1h", {"messages": user(*marks("1h")), "cache_control": LONG_MARK}),
    (
        "a marker that is null",
        {"messages": user({**text("x"), "cache_control": None}), "cache_control": None},
    ),
    ("a turn in one string", {"messages": [SAID], "system": "y"}),
    ("two turns of the user", conversation(SAID)),
    ("a thinking block handed back", conversation(answers(THOUGHT, REDACTED, text("x")), *user(text("y")))),
    ("a system of an empty string", {"system": ""}),
    ("a system of nothing", {"system": []}),
    ("tools that are used and answered", USED_AND_ANSWERED),
    (
        "results in another order, then words",
        conversation(answers(text("x"), use("a"), use("b")), *user(result("b"), result("a"), text("y"))),
    ),
    (
        "a thought before a tool is used",
        conversation(answers(THOUGHT, use("a")), *user(result("a")), answers(use("b")), *user(result("b"))),
    ),
    (
        "a direct caller",
        {
            **tools({**TOOL, "allowed_callers": ["direct"]}),
            **conversation(answers({**USE, "caller": {"type": "direct"}}), *user(RESULT)),
        },
    ),
    (
        "callers that are null",
        {
            **tools({**TOOL, "allowed_callers": None, "defer_loading": None}),
            **conversation(answers({**USE, "caller": None}), *user(RESULT)),
        },
    ),
    (
        "citations that are empty or null",
        {
            "system": [{**text("x"), "citations": []}],
            **conversation(answers({**text("x"), "citations": None}), *user({**text("y"), "citations": []})),
        },
    ),
    (
        "a marker on a tool result",
        conversation(answers(USE), *user({**RESULT, "content": [text("x")], "cache_control": MARK})),
    ),
    (
        "a tool that answered with an empty string",
        conversation(answers(USE), *user({**RESULT, "content": ""})),
    ),
    ("a tool that answered with no blocks", conversation(answers(USE), *user({**RESULT, "content": []}))),
    (
        "a tool that failed, in blocks",
        conversation(
            answers(TOOL_CALLED), *user({**RESULT, "content": [text("x")], "is_error": True}, text("y"))
        ),
    ),
    (
        "a tool that answered nothing",
        conversation(answers(USE), *user({"type": "tool_result", "tool_use_id": "toolu_1"})),
    ),
    ("a tool's longest name", tools({**TOOL, "name": "n" * 128, "type": "custom"})),
    (
        "a tool with all its trimmings",
        tools(
            {
                **TOOL,
                "description": "x",
                "defer_loading": False,
                "input_examples": [{}],
                "eager_input_streaming": True,
            }
        ),
    ),
    ("a tool with an odd schema", tools({**TOOL, "input_schema": {"type": "object", "minProperties": 1}})),
    ("20 strict tools", tools(*[strict_tool(CLOSED, f"tool_{i}") for i in range(20)])),
    (
        "a strict tool within the subset",
        tools(strict_tool(closed("a", a=TEXT, b={"type": ["integer", "null"]}))),
    ),
    (
        "a choice that forces nothing",
        {**tools(TOOL), "tool_choice": {"type": "auto", "disable_parallel_tool_use": True}},
    ),
    ("a choice of no tool", {**tools(TOOL), "tool_choice": {"type": "none"}}),
    ("24 optional properties", with_schema(optional(24))),
    ("16 unions", with_schema(unions(16))),
    (
        "24 optional properties in two strict tools and the format",
        {**tools(strict_tool(optional(12)), strict_tool(optional(6), "b")), **with_schema(optional(6))},
    ),
    ("16 unions in a tool and the format", {**tools(strict_tool(unions(8))), **with_schema(unions(8))}),
    (
        "many optional properties and unions of a tool that is not strict",
        {**tools({**TOOL, "input_schema": {**optional(30), **unions(30)}}), **with_schema(optional(24))},
    ),
    (
        "a tool that is not strict, with a schema of anything",
        tools({**TOOL, "input_schema": {"type": "object", "properties": {"a": True}}, "strict": False}),
    ),
    ("a schema of anything that is not strict", tools({**TOOL, "input_schema": {"type": "object", "x": 1}})),
    ("an enum of one", with_schema({"enum": [None]})),
    ("a const that is null", with_schema({"const": None})),
    ("properties named like keywords", with_schema(closed("enum", "$ref", **{"enum": TEXT, "$ref": TEXT}))),
    ("a reference to a property", with_schema(closed("a", "b", a=TEXT, b={"$ref": "#/properties/a"}))),
    (
        "an unused definition",
        with_schema({"$defs": {"A": {"enum": [1]}, "B": {"$ref": "#/$defs/A"}}, **TEXT}),
    ),
    ("a chain of references", with_schema(chain(31))),
    ("lists within lists", with_schema(nested(31))),
    ("many required properties", with_schema(closed(*properties(60, TEXT), **properties(60, TEXT)))),
    ("an array of at least one", with_schema({"type": "array", "items": TEXT, "minItems": 1})),
    ("an array of any", with_schema({"type": "array", "items": TEXT, "minItems": 0})),
    (
        "one definition used twice",
        with_schema(
            {
                "$defs": {"A": closed("a", a=TEXT)},
                **closed("x", "y", x={"$ref": "#/$defs/A"}, y={"$ref": "#/$defs/A"}),
            }
        ),
    ),
    (
        "a definition with a slash",
        with_schema({"definitions": {"a/b~": TEXT}, "$ref": "#/definitions/a~1b~0"}),
    ),
    ("allOf of one", with_schema({"allOf": [closed("a", a=TEXT)]})),
    (
        "words beside the rules",
        with_schema(
            {
                **TEXT,
                "title": "x",
                "description": "y",
                "default": "z",
                "$schema": "https://json-schema.org/draft/2020-12/schema",
            }
        ),
    ),
    ("what the SDK makes of a model", with_schema(anthropic.transform_schema(Report))),
]
