"""What the shape of a request alone makes the API refuse: the change, and how the message begins."""

from typing import Any

from tests.integration.emulator_requests import text, user

CLOSED: dict[str, Any] = {"type": "object", "additionalProperties": False}
FORMAT: dict[str, Any] = {"type": "json_schema", "schema": CLOSED}
MARK: dict[str, Any] = {"type": "ephemeral"}
TOOL: dict[str, Any] = {"name": "look_up", "input_schema": CLOSED}
USE: dict[str, Any] = {"type": "tool_use", "id": "toolu_1", "name": "look_up", "input": {}}
RESULT: dict[str, Any] = {"type": "tool_result", "tool_use_id": "toolu_1", "content": "found"}
THOUGHT: dict[str, Any] = {"type": "thinking", "thinking": "", "signature": "c2ln"}
REDACTED: dict[str, Any] = {"type": "redacted_thinking", "data": "ZGF0YQ=="}
BUDGET: dict[str, Any] = {"type": "enabled", "budget_tokens": 2000}
WITHOUT_BUDGET = ("adaptive", "disabled", "between_tools")
ONE_AT_A_TIME = {"disable_parallel_tool_use": True}
NOT_IMITATED = "the emulator does not imitate this yet"
CONTENT = "messages.0.content.0"
ROLES = "Input should be 'user' or 'assistant'"


def block(content: dict[str, Any]) -> dict[str, Any]:
    """A request whose only block this is."""
    return {"messages": user(content)}


def tool(**changes: object) -> dict[str, Any]:
    """A request whose only tool differs by this."""
    return {"tools": [{**TOOL, **changes}]}


def within_result(content: object) -> dict[str, Any]:
    """A request with this in a tool result."""
    return block({**RESULT, "content": content})


# Where an unknown field "x" is sent.
UNKNOWN_FIELDS: list[tuple[str, dict[str, Any]]] = [
    ("x", {"x": 1}),
    ("messages.0.x", {"messages": [{"role": "user", "content": "x", "x": 1}]}),
    (f"{CONTENT}.text.x", block({**text("x"), "x": 1})),
    (f"{CONTENT}.tool_use.x", block({**USE, "x": 1})),
    (f"{CONTENT}.tool_result.x", block({**RESULT, "x": 1})),
    (f"{CONTENT}.tool_result.content.0.x", within_result([{**text("x"), "x": 1}])),
    (f"{CONTENT}.thinking.x", block({**THOUGHT, "x": 1})),
    (f"{CONTENT}.redacted_thinking.x", block({**REDACTED, "x": 1})),
    (f"{CONTENT}.text.cache_control.x", block({**text("x"), "cache_control": {**MARK, "x": 1}})),
    ("cache_control.x", {"cache_control": {**MARK, "x": 1}}),
    ("system.0.x", {"system": [{**text("x"), "x": 1}]}),
    ("tools.0.custom.x", tool(x=1)),
    ("tools.0.custom.cache_control.x", tool(cache_control={**MARK, "x": 1})),
    *[(f"tool_choice.{kind}.x", {"tool_choice": {"type": kind, "x": 1}}) for kind in ("auto", "none", "any")],
    ("tool_choice.none.disable_parallel_tool_use", {"tool_choice": {"type": "none", **ONE_AT_A_TIME}}),
    ("tool_choice.tool.x", {"tool_choice": {"type": "tool", "name": "look_up", "x": 1}}),
    *[(f"thinking.{kind}.x", {"thinking": {"type": kind, "x": 1}}) for kind in WITHOUT_BUDGET],
    *[
        (f"thinking.{kind}.budget_tokens", {"thinking": {"type": kind, "budget_tokens": 2000}})
        for kind in WITHOUT_BUDGET
    ],
    ("thinking.enabled.x", {"thinking": {**BUDGET, "x": 1}}),
    ("thinking.disabled.display", {"thinking": {"type": "disabled", "display": "omitted"}}),
    ("output_config.x", {"output_config": {"x": 1}}),
    ("output_config.format.x", {"output_config": {"format": {**FORMAT, "x": 1}}}),
    ("metadata.x", {"metadata": {"x": 1}}),
    (f"{CONTENT}.thinking.cache_control", block({**THOUGHT, "cache_control": MARK})),
]

MISSING_FIELDS: list[tuple[str, dict[str, Any]]] = [
    ("model", {"model": None}),
    ("max_tokens", {"max_tokens": None}),
    ("messages", {"messages": None}),
    ("messages.0.role", {"messages": [{"content": "x"}]}),
    ("messages.0.content", {"messages": [{"role": "user"}]}),
    (f"{CONTENT}.text.text", block({"type": "text"})),
    (f"{CONTENT}.tool_use.id", block({"type": "tool_use", "name": "look_up", "input": {}})),
    (f"{CONTENT}.tool_use.name", block({"type": "tool_use", "id": "toolu_1", "input": {}})),
    (f"{CONTENT}.tool_use.input", block({"type": "tool_use", "id": "toolu_1", "name": "look_up"})),
    (f"{CONTENT}.tool_result.tool_use_id", block({"type": "tool_result"})),
    (f"{CONTENT}.thinking.thinking", block({"type": "thinking", "signature": "c2ln"})),
    (f"{CONTENT}.thinking.signature", block({"type": "thinking", "thinking": ""})),
    (f"{CONTENT}.redacted_thinking.data", block({"type": "redacted_thinking"})),
    ("output_config.format.type", {"output_config": {"format": {"schema": CLOSED}}}),
    ("output_config.format.schema", {"output_config": {"format": {"type": "json_schema"}}}),
    ("tools.0.custom.name", {"tools": [{"input_schema": CLOSED}]}),
    ("tools.0.custom.input_schema", {"tools": [{"name": "look_up"}]}),
    ("tool_choice.tool.name", {"tool_choice": {"type": "tool"}}),
    ("thinking.enabled.budget_tokens", {"thinking": {"type": "enabled"}}),
    ("cache_control.type", {"cache_control": {}}),
]

ARRAY = "Input should be a valid array"
BOOLEAN = "Input should be a valid boolean"
INTEGER = "Input should be a valid integer"
OBJECT = "Input should be an object"
STRING = "Input should be a valid string"
NAME_PATTERN = "String should match pattern '^[a-zA-Z0-9_-]{1,128}$'"
EFFORTS = "Input should be 'low', 'medium', 'high', 'xhigh' or 'max'"
NO_TAG = "Unable to extract tag using discriminator 'type'"
THINKING = (
    "Input tag 'deep' found using 'type' does not match any of the expected tags: "
    "'enabled', 'adaptive', 'disabled', 'between_tools'"
)
CHOICES = (
    "Input tag 'x' found using 'type' does not match any of the expected tags: 'none', 'auto', 'any', 'tool'"
)
BUDGET_MIN = "thinking.enabled.budget_tokens: Input should be greater than or equal to 1024"

WRONG_VALUES: list[tuple[str, dict[str, Any], str]] = [
    ("words for a limit", {"max_tokens": "many"}, f"max_tokens: {INTEGER}"),
    ("a fraction for a limit", {"max_tokens": 5.5}, f"max_tokens: {INTEGER}"),
    ("true for a limit", {"max_tokens": True}, f"max_tokens: {INTEGER}"),
    ("a negative limit", {"max_tokens": -1}, "max_tokens: Input should be greater than or equal to 0"),
    ("a model without a name", {"model": ""}, "model: String should have at least 1 character"),
    ("no messages", {"messages": []}, "messages: List should have at least 1 item"),
    ("messages in words", {"messages": "Hello"}, f"messages: {ARRAY}"),
    ("an unknown role", {"messages": [{"role": "coach", "content": "x"}]}, f"messages.0.role: {ROLES}"),
    *[
        (
            f"a role that is {role!r}",
            {"messages": [{"role": role, "content": "x"}]},
            f"messages.0.role: {ROLES}",
        )
        for role in (5, None, ["system"], {"system": 1})
    ],
    ("a turn in words", {"messages": ["Hello"]}, f"messages.0: {OBJECT}"),
    ("content of a number", {"messages": [{"role": "user", "content": 5}]}, f"messages.0.content: {ARRAY}"),
    ("a block of no type", block({"text": "x"}), f"{CONTENT}: {NO_TAG}"),
    ("an unknown block", block({"type": "song"}), f"{CONTENT}: Input tag 'song' found using 'type' does not"),
    ("a list of a block", block({"type": ["image"]}), f"{CONTENT}: Input tag '['image']' found using 'type'"),
    ("a number as text", block({"type": "text", "text": 5}), f"{CONTENT}.text.text: {STRING}"),
    (
        "a tool use's odd id",
        block({**USE, "id": "a b"}),
        f"{CONTENT}.tool_use.id: String should match pattern",
    ),
    (
        "a use of no tool",
        block({**USE, "name": ""}),
        f"{CONTENT}.tool_use.name: String should have at least 1",
    ),
    ("an input in words", block({**USE, "input": "x"}), f"{CONTENT}.tool_use.input: {OBJECT}"),
    (
        "a word for is_error",
        block({**RESULT, "is_error": "no"}),
        f"{CONTENT}.tool_result.is_error: {BOOLEAN}",
    ),
    ("a number as result", within_result(5), f"{CONTENT}.tool_result.content: {ARRAY}"),
    (
        "an unknown block of a result",
        within_result([{"type": "song"}]),
        f"{CONTENT}.tool_result.content.0.type: Input should be 'text'",
    ),
    ("a number as system", {"system": 5}, f"system: {ARRAY}"),
    ("an unknown block of a system", {"system": [{"type": "song"}]}, "system.0.type: Input should be 'text'"),
    (
        "another lifetime",
        {"system": [text("a", "2h")]},
        "system.0.cache_control.ttl: Input should be '5m' or '1h'",
    ),
    (
        "an unknown marker",
        {"cache_control": {"type": "x"}},
        "cache_control.type: Input should be 'ephemeral'",
    ),
    ("a word for stream", {"stream": "yes"}, f"stream: {BOOLEAN}"),
    ("one stop sequence", {"stop_sequences": "x"}, f"stop_sequences: {ARRAY}"),
    ("a number to stop at", {"stop_sequences": [5]}, f"stop_sequences.0: {STRING}"),
    ("metadata in words", {"metadata": "x"}, f"metadata: {OBJECT}"),
    ("a number as user", {"metadata": {"user_id": 5}}, f"metadata.user_id: {STRING}"),
    (
        "a user of 513 characters",
        {"metadata": {"user_id": "u" * 513}},
        "metadata.user_id: String should have at most 512 characters",
    ),
    ("an unknown tier", {"service_tier": "batch"}, "service_tier: Input should be 'auto' or 'standard_only'"),
    ("a number as geography", {"inference_geo": 5}, f"inference_geo: {STRING}"),
    ("tools as an object", {"tools": {}}, f"tools: {ARRAY}"),
    ("a tool in words", {"tools": ["look_up"]}, f"tools.0: {OBJECT}"),
    *[
        (f"a tool of kind {kind!r}", tool(type=kind), "tools.0.custom.type: Input should be 'custom'")
        for kind in ("x", "tool_search_tool", ["web_search_20250305"])
    ],
    *[
        (f"a tool {what}", tool(name=name), f"tools.0.custom.name: {NAME_PATTERN}")
        for what, name in (("without a name", ""), ("of two words", "look up"), ("of 129 letters", "n" * 129))
    ],
    ("a tool's schema in words", tool(input_schema="x"), f"tools.0.custom.input_schema: {OBJECT}"),
    ("a word for strict", tool(strict="yes"), f"tools.0.custom.strict: {BOOLEAN}"),
    ("an example in words", tool(input_examples=["x"]), f"tools.0.custom.input_examples.0: {OBJECT}"),
    ("a number as description", tool(description=5), f"tools.0.custom.description: {STRING}"),
    ("a tool choice in words", {"tool_choice": "auto"}, f"tool_choice: {OBJECT}"),
    ("a tool choice of no kind", {"tool_choice": {}}, f"tool_choice: {NO_TAG}"),
    ("an unknown tool choice", {"tool_choice": {"type": "x"}}, f"tool_choice: {CHOICES}"),
    ("thinking in words", {"thinking": "off"}, f"thinking: {OBJECT}"),
    ("thinking of no kind", {"thinking": {}}, f"thinking: {NO_TAG}"),
    ("unknown thinking", {"thinking": {"type": "deep"}}, f"thinking: {THINKING}"),
    (
        "a budget in words",
        {"thinking": {**BUDGET, "budget_tokens": "x"}},
        f"thinking.enabled.budget_tokens: {INTEGER}",
    ),
    ("a budget of 1,023", {"thinking": {**BUDGET, "budget_tokens": 1023}}, BUDGET_MIN),
    ("a budget below 0", {"thinking": {**BUDGET, "budget_tokens": -1}}, BUDGET_MIN),
    *[
        (
            f"an unknown display of {thinking['type']} thinking",
            {"thinking": {**thinking, "display": "full"}},
            f"thinking.{thinking['type']}.display: Input should be 'summarized' or 'omitted'",
        )
        for thinking in (BUDGET, {"type": "adaptive"})
    ],
    ("an unknown speed", {"speed": "turbo"}, "speed: Input should be 'standard' or 'fast'"),
    ("an unknown effort", {"output_config": {"effort": "huge"}}, f"output_config.effort: {EFFORTS}"),
    (
        "an unknown format",
        {"output_config": {"format": {**FORMAT, "type": "xml"}}},
        "output_config.format.type: Input should be 'json_schema'",
    ),
    (
        "a schema in words",
        {"output_config": {"format": {**FORMAT, "schema": "object"}}},
        f"output_config.format.schema: {OBJECT}",
    ),
]

# Whether these are all that the SDK can send is compared in tests/unit/test_emulator_shapes.py.
BLOCKS = (
    "image",
    "document",
    "search_result",
    "container_upload",
    "server_tool_use",
    "web_search_tool_result",
    "web_fetch_tool_result",
    "code_execution_tool_result",
    "bash_code_execution_tool_result",
    "text_editor_code_execution_tool_result",
    "tool_search_tool_result",
)
RESULT_BLOCKS = ("image", "document", "search_result", "tool_reference", "browser_state")
TOOLS = (
    "bash_20250124",
    "browser_toolset_20260801",
    "code_execution_20250522",
    "code_execution_20250825",
    "code_execution_20260120",
    "code_execution_20260521",
    "computer_toolset_20260801",
    "memory_20250818",
    "text_editor_20250124",
    "text_editor_20250429",
    "text_editor_20250728",
    "tool_search_tool_bm25",
    "tool_search_tool_bm25_20251119",
    "tool_search_tool_regex",
    "tool_search_tool_regex_20251119",
    "web_fetch_20250910",
    "web_fetch_20260209",
    "web_fetch_20260309",
    "web_fetch_20260318",
    "web_search_20250305",
    "web_search_20260209",
    "web_search_20260318",
)
NOT_HERE: list[tuple[str, dict[str, Any], str]] = [
    ("a system turn", {"messages": [{"role": "system", "content": "x"}]}, f"messages.0: {NOT_IMITATED}"),
    *[(f"block {kind}", block({"type": kind}), f"{CONTENT}: {NOT_IMITATED}") for kind in BLOCKS],
    *[
        (
            f"{kind} in a tool result",
            within_result([{"type": kind}]),
            f"{CONTENT}.tool_result.content.0: {NOT_IMITATED}",
        )
        for kind in RESULT_BLOCKS
    ],
    *[
        (f"tool {kind}", {"tools": [{"type": kind, "name": "x"}]}, f"tools.0: {NOT_IMITATED}")
        for kind in TOOLS
    ],
]

REFUSED_SHAPES: list[tuple[str, dict[str, Any], str]] = [
    *[
        (f"unknown: {path}", change, f"{path}: Extra inputs are not permitted")
        for path, change in UNKNOWN_FIELDS
    ],
    *[(f"missing: {path}", change, f"{path}: Field required") for path, change in MISSING_FIELDS],
    *WRONG_VALUES,
    *[(f"not imitated: {title}", change, message) for title, change, message in NOT_HERE],
]
