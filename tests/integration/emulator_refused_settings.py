"""What the API refuses beside the conversation: by rule, the change and the message."""

from typing import Any

from tests.integration.emulator_refused_content import SAID, answers, conversation
from tests.integration.emulator_refused_schemas import tools
from tests.integration.emulator_refused_shapes import BUDGET, NOT_IMITATED, RESULT, TOOL, USE
from tests.integration.emulator_requests import HAIKU, text, user

OLD_HAIKU = "claude-haiku-4-5"
OLD_SONNET = "claude-sonnet-4-6"
SONNET = "claude-sonnet-5-5"
PREFILL = (
    "This model does not support assistant message prefill. The conversation must end with a user message."
)
BUDGET_MAX = "`max_tokens` must be greater than `thinking.budget_tokens`"
NOT_ENABLED = (
    '"thinking.type.enabled" is not supported for this model. Use "thinking.type.adaptive" and '
    '"output_config.effort" to control thinking behavior.'
)
CITED = {"type": "char_location", "cited_text": "x", "document_index": 0}
ANSWER_MAX = "which is the maximum allowed number of output tokens for"


def effort(name: str, model: str = HAIKU) -> dict[str, Any]:
    """This effort, and no output format."""
    return {"output_config": {"effort": name}, "model": model}


def deprecated(name: str) -> str:
    return f"`{name}` is deprecated for this model."


MESSAGE_CASES: dict[str, list[tuple[str, dict[str, Any], str]]] = {
    "sampling_is_gone": [
        ("temperature", {"temperature": 0.5}, deprecated("temperature")),
        ("a temperature of 1", {"temperature": 1}, deprecated("temperature")),
        ("top_p", {"top_p": 0.5}, deprecated("top_p")),
        ("top_k", {"top_k": 5}, deprecated("top_k")),
    ],
    "max_tokens_fits_the_model": [
        (
            "a longer answer than the model's",
            {"max_tokens": 128_001},
            f"max_tokens: 128001 > 128000, {ANSWER_MAX} claude-haiku-5-5",
        ),
        (
            "a longer answer than an old model's",
            {"max_tokens": 64_001, "model": OLD_HAIKU},
            f"max_tokens: 64001 > 64000, {ANSWER_MAX} claude-haiku-4-5",
        ),
    ],
    "stop_sequences_say_something": [
        (title, {"stop_sequences": stops}, "stop_sequences: each stop sequence must contain non-whitespace")
        for title, stops in (("an empty stop sequence", ["END", ""]), ("a blank stop sequence", [" \n"]))
    ],
    "no_unimitated_message_field": [
        ("a container", {"container": "c"}, f"container: {NOT_IMITATED}"),
        ("diagnostics", {"diagnostics": {"previous_message_id": "m"}}, f"diagnostics: {NOT_IMITATED}"),
    ],
    "no_prefill": [
        ("a prefill", {"messages": [SAID, answers(text("{"))]}, PREFILL),
        ("only a prefill", {"messages": [answers(text("{"))]}, PREFILL),
    ],
    "prewarm_stands_alone": [
        (
            "a prewarm that streams",
            {"max_tokens": 0, "stream": True, "output_config": None},
            "max_tokens: 0 is not supported with `stream`",
        ),
        (
            "a prewarm that thinks by default",
            {"max_tokens": 0, "thinking": None, "output_config": None},
            "max_tokens: 0 is not supported with thinking enabled",
        ),
        (
            "a prewarm that thinks",
            {"max_tokens": 0, "thinking": {"type": "adaptive"}, "output_config": None},
            "max_tokens: 0 is not supported with thinking enabled",
        ),
        (
            "a prewarm with a format",
            {"max_tokens": 0},
            "max_tokens: 0 is not supported with `output_config.format`",
        ),
    ],
    "thinking_budget_fits": [
        (
            f"a budget {title} max_tokens",
            {"model": OLD_HAIKU, "thinking": {**BUDGET, "budget_tokens": budget}, "max_tokens": maximum},
            BUDGET_MAX,
        )
        for title, budget, maximum in (("above", 1024, 500), ("of", 2000, 2000))
    ],
    "geography_is_known": [
        (
            "an unknown geography",
            {"inference_geo": "mars"},
            "inference_geo: Input should be 'us' or 'global'",
        ),
        (
            "a geography on an old model",
            {"inference_geo": "us", "model": OLD_HAIKU},
            "inference_geo: this model does not support selecting a geography",
        ),
    ],
}

SETTINGS_CASES: dict[str, list[tuple[str, dict[str, Any], str]]] = {
    "no_unimitated_prompt_field": [
        ("fast speed", {"speed": "fast"}, f"speed: {NOT_IMITATED}"),
        ("a user profile", {"user_profile_id": "p"}, f"user_profile_id: {NOT_IMITATED}"),
        ("any tool", {"tools": [TOOL], "tool_choice": {"type": "any"}}, f"tool_choice.any: {NOT_IMITATED}"),
        (
            "a certain tool",
            {"tools": [TOOL], "tool_choice": {"type": "tool", "name": "look_up"}},
            f"tool_choice.tool: {NOT_IMITATED}",
        ),
        *[
            (
                f"callers of a tool: {callers}",
                tools({**TOOL, "allowed_callers": callers}),
                f"tools.0.allowed_callers: {NOT_IMITATED}",
            )
            for callers in (["code_execution_20260120"], ["direct", "code_execution_20260120"], [], "direct")
        ],
        (
            "a tool for later",
            tools({**TOOL, "defer_loading": True}),
            f"tools.0.defer_loading: {NOT_IMITATED}",
        ),
        *[
            (
                f"the caller of a tool use: {caller}",
                conversation(answers({**USE, "caller": caller}), *user(RESULT)),
                f"messages.1.content.0.caller: {NOT_IMITATED}",
            )
            for caller in ({"type": "code_execution_20260120", "tool_id": "x"}, {"type": "direct", "x": 1})
        ],
        (
            "the toolset of a tool use",
            conversation(answers({**USE, "toolset_name": "browser"}), *user(RESULT)),
            f"messages.1.content.0.toolset_name: {NOT_IMITATED}",
        ),
        (
            "the toolset of a tool result",
            conversation(answers(USE), *user({**RESULT, "toolset_name": "browser"})),
            f"messages.2.content.0.toolset_name: {NOT_IMITATED}",
        ),
        (
            "a marker inside a tool result",
            conversation(answers(USE), *user({**RESULT, "content": [text("x"), text("y", "5m")]})),
            f"messages.2.content.0.content.cache_control: {NOT_IMITATED}",
        ),
        (
            "citations of the user's",
            {"messages": user(text("x"), {**text("y"), "citations": [CITED]})},
            f"messages.0.content.1.citations: {NOT_IMITATED}",
        ),
        (
            "citations of the model's",
            conversation(answers({**text("x"), "citations": [CITED]}), SAID),
            f"messages.1.content.0.citations: {NOT_IMITATED}",
        ),
        (
            "citations of the system",
            {"system": [{**text("x"), "citations": [CITED]}]},
            f"system.0.citations: {NOT_IMITATED}",
        ),
    ],
    "thinking_is_supported": [
        ("a budget on a 5.x model", {"thinking": BUDGET, "max_tokens": 4000}, NOT_ENABLED),
        (
            "adaptive thinking on an old model",
            {"model": OLD_HAIKU, "thinking": {"type": "adaptive"}},
            "adaptive thinking is not supported on this model",
        ),
        (
            "disabled thinking on Sonnet",
            {"model": SONNET},
            "disabled thinking is not supported on this model",
        ),
        (
            "thinking between tools on Haiku",
            {"thinking": {"type": "between_tools"}},
            "between_tools thinking is not supported on this model",
        ),
    ],
    "effort_is_supported": [
        (
            "effort on an old model",
            effort("low", OLD_HAIKU),
            "This model does not support the effort parameter.",
        ),
        (
            "xhigh effort on Sonnet 4.6",
            effort("xhigh", OLD_SONNET),
            "output_config.effort: 'xhigh' is not supported on this model",
        ),
        *[
            (
                f"{name} effort without thinking",
                effort(name),
                f"output_config.effort: '{name}' is not supported with thinking turned off",
            )
            for name in ("xhigh", "max")
        ],
        (
            "max effort between tools",
            {**effort("max", SONNET), "thinking": {"type": "between_tools"}},
            "output_config.effort: 'max' is not supported with thinking turned off",
        ),
    ],
    "tools_are_sound": [
        ("two tools of one name", tools(TOOL, TOOL), "tools: Tool names must be unique."),
        (
            "a tool that takes a list",
            tools({**TOOL, "input_schema": {"type": "array"}}),
            "tools.0.custom.input_schema.type: Input should be 'object'",
        ),
        (
            "a second tool that takes anything",
            tools(TOOL, {"name": "other", "input_schema": {}}),
            "tools.1.custom.input_schema.type: Input should be 'object'",
        ),
        (
            "a choice without tools",
            {"tool_choice": {"type": "auto"}},
            "tool_choice: tool_choice may only be specified while providing tools",
        ),
    ],
}
