"""What a well-formed request may still not say: one function per documented rule.

Source: the API's error pages and the prompt-caching, thinking and structured-output guides. Messages marked
(wording recorded) were returned by the real API; the others are worded after their rule.
"""

from collections.abc import Callable, Iterator

from emulator.errors import invalid, not_imitated
from emulator.request import shapes
from emulator.request.catalog import ModelTraits
from emulator.request.schemas import check_schema

BREAKPOINTS_MAX = 4
THINKING_BUDGET_MIN = 1024
STRICT_TOOLS_MAX = 20
EFFORTS_THAT_NEED_THINKING = ("xhigh", "max")
GEOGRAPHIES = ("us", "global")

Marked = shapes.TextBlock | shapes.ToolUseBlock | shapes.ToolResultBlock | shapes.Tool


def validate_message(request: shapes.MessageRequest, traits: ModelTraits) -> None:
    """Check every rule of `POST /v1/messages`; the first broken one is the answer."""
    for message_rule in MESSAGE_RULES:
        message_rule(request, traits)
    validate_prompt(request, traits)


def validate_prompt(request: shapes.PromptRequest, traits: ModelTraits) -> None:
    """Check the rules that `count_tokens` shares."""
    for prompt_rule in PROMPT_RULES:
        prompt_rule(request, traits)


def sampling_is_gone(request: shapes.MessageRequest, traits: ModelTraits) -> None:
    """`temperature`, `top_p` and `top_k` are a 400 (wording recorded)."""
    for name in ("temperature", "top_p", "top_k"):
        if name in request.model_fields_set:
            raise invalid(f"`{name}` is deprecated for this model.")


def max_tokens_fits_the_model(request: shapes.MessageRequest, traits: ModelTraits) -> None:
    """Each model has a longest answer (wording recorded)."""
    if request.max_tokens > traits.output_tokens_max:
        raise invalid(
            f"max_tokens: {request.max_tokens} > {traits.output_tokens_max}, which is the maximum allowed "
            f"number of output tokens for {traits.name}"
        )


def stop_sequences_say_something(request: shapes.MessageRequest, traits: ModelTraits) -> None:
    """A stop sequence holds more than white space (wording recorded)."""
    if any(not stop.strip() for stop in request.stop_sequences):
        raise invalid("stop_sequences: each stop sequence must contain non-whitespace")


def no_prefill(request: shapes.MessageRequest, traits: ModelTraits) -> None:
    """The last turn must be the user's (wording recorded)."""
    if request.messages[-1].role == "assistant":
        raise invalid(
            "This model does not support assistant message prefill. "
            "The conversation must end with a user message."
        )


def prewarm_stands_alone(request: shapes.MessageRequest, traits: ModelTraits) -> None:
    """`max_tokens: 0` writes the cache; not with stream, thinking or an output format."""
    if request.max_tokens > 0:
        return
    if request.stream:
        raise invalid("max_tokens: 0 is not supported with `stream`")
    if thinks(request, traits):
        raise invalid("max_tokens: 0 is not supported with thinking enabled")
    if request.output_config.format:
        raise invalid("max_tokens: 0 is not supported with `output_config.format`")


def thinking_budget_fits(request: shapes.MessageRequest, traits: ModelTraits) -> None:
    """A budget is at least 1,024 and less than `max_tokens`."""
    thinking = request.thinking
    if thinking is None or thinking.type != "enabled" or thinking.budget_tokens is None:
        return
    if thinking.budget_tokens < THINKING_BUDGET_MIN:
        raise invalid("thinking.enabled.budget_tokens: Input should be greater than or equal to 1024")
    if thinking.budget_tokens >= request.max_tokens:
        raise invalid("`max_tokens` must be greater than `thinking.budget_tokens`")


def geography_is_known(request: shapes.MessageRequest, traits: ModelTraits) -> None:
    """`inference_geo` is `us` or `global`, on the models that know it."""
    if request.inference_geo is None:
        return
    if not traits.geography:
        raise invalid("inference_geo: this model does not support selecting a geography")
    if request.inference_geo not in GEOGRAPHIES:
        raise invalid("inference_geo: Input should be 'us' or 'global'")


def no_unimitated_message_field(request: shapes.MessageRequest, traits: ModelTraits) -> None:
    """Containers and diagnostics exist in the API and not here."""
    for name in ("container", "diagnostics"):
        if getattr(request, name) is not None:
            raise not_imitated(name)


def no_unimitated_prompt_field(request: shapes.PromptRequest, traits: ModelTraits) -> None:
    """Fast speed, user profiles, forced tool use and callers exist in the API and not here."""
    if request.speed not in (None, "standard"):
        raise not_imitated("speed")
    if request.user_profile_id is not None:
        raise not_imitated("user_profile_id")
    if request.tool_choice and request.tool_choice.type in ("any", "tool"):
        raise not_imitated(f"tool_choice.{request.tool_choice.type}")
    for path, block in _blocks(request):
        for name in ("allowed_callers", "defer_loading", "caller", "toolset_name"):
            if getattr(block, name, None):
                raise not_imitated(f"{path}.{name}")


def thinking_is_supported(request: shapes.PromptRequest, traits: ModelTraits) -> None:
    """Each model accepts its own kinds of thinking (first wording recorded)."""
    thinking = request.thinking
    if thinking is None:
        return
    if thinking.type == "enabled" and thinking.type not in traits.thinking:
        raise invalid(
            '"thinking.type.enabled" is not supported for this model. Use "thinking.type.adaptive" and '
            '"output_config.effort" to control thinking behavior.'
        )
    if thinking.type not in traits.thinking:
        raise invalid(f"{thinking.type} thinking is not supported on this model")
    if thinking.type == "enabled" and thinking.budget_tokens is None:
        raise invalid("thinking.enabled.budget_tokens: Field required")
    if thinking.type != "enabled" and thinking.budget_tokens is not None:
        raise invalid(f"thinking.{thinking.type}.budget_tokens: Extra inputs are not permitted")


def effort_is_supported(request: shapes.PromptRequest, traits: ModelTraits) -> None:
    """Effort is known to some models only; the two highest need thinking where it can be switched off."""
    effort = request.output_config.effort
    if effort is None:
        return
    if not traits.efforts:
        raise invalid("This model does not support the effort parameter.")
    if effort not in traits.efforts:
        raise invalid(f"output_config.effort: '{effort}' is not supported on this model")
    off = traits.thinks_by_default and not thinks(request, traits)
    if off and effort in EFFORTS_THAT_NEED_THINKING:
        raise invalid(f"output_config.effort: '{effort}' is not supported with thinking turned off")


def format_is_supported(request: shapes.PromptRequest, traits: ModelTraits) -> None:
    """The output format's schema keeps to the documented subset of JSON schema."""
    if request.output_config.format:
        check_schema("output_config.format.schema", request.output_config.format.json_schema)


def tools_are_sound(request: shapes.PromptRequest, traits: ModelTraits) -> None:
    """Tools are objects with names of their own; strict ones keep to the subset, at most 20 of them."""
    names = [tool.name for tool in request.tools]
    if len(set(names)) < len(names):
        raise invalid("tools: Tool names must be unique.")
    for i, tool in enumerate(request.tools):
        if tool.input_schema.get("type") != "object":
            raise invalid(f"tools.{i}.custom.input_schema.type: Input should be 'object'")
        if tool.strict:
            check_schema(f"tools.{i}.custom.input_schema", tool.input_schema)
    if sum(bool(tool.strict) for tool in request.tools) > STRICT_TOOLS_MAX:
        raise invalid(f"tools: at most {STRICT_TOOLS_MAX} strict tools are supported")
    if request.tool_choice and not request.tools:
        raise invalid("tool_choice: tool_choice may only be specified while providing tools")


def turns_are_sound(request: shapes.PromptRequest, traits: ModelTraits) -> None:
    """The user speaks first, and nobody says nothing (wordings recorded)."""
    if request.messages[0].role != "user":
        raise invalid('messages: first message must use the "user" role')
    for i, message in enumerate(request.messages):
        if not message.content:
            raise invalid(f"messages.{i}: all messages must have non-empty content")


def tools_are_answered(request: shapes.PromptRequest, traits: ModelTraits) -> None:
    """Each use of a tool has its result in the next turn, and each result its use (wordings recorded)."""
    used: set[str] = set()
    for i, message in enumerate(request.messages):
        results = {
            block.tool_use_id for block in message.content if isinstance(block, shapes.ToolResultBlock)
        }
        if missing := ", ".join(sorted(used - results)):
            raise invalid(
                f"messages.{i - 1}: `tool_use` ids were found without `tool_result` blocks immediately "
                f"after: {missing}. Each `tool_use` block must have a corresponding `tool_result` block in "
                "the next message."
            )
        if orphans := ", ".join(sorted(results - used)):
            raise invalid(
                f"messages.{i}: unexpected `tool_use_id` found in `tool_result` blocks: {orphans}. Each "
                "`tool_result` block must have a corresponding `tool_use` block in the previous message."
            )
        used = {block.id for block in message.content if isinstance(block, shapes.ToolUseBlock)}


def text_is_not_empty(request: shapes.PromptRequest, traits: ModelTraits) -> None:
    """An empty text block is a 400, with a marker or without (wordings recorded)."""
    for path, block in _blocks(request):
        if not isinstance(block, shapes.TextBlock) or block.text.strip():
            continue
        if block.cache_control and not block.text:
            raise invalid(f"{path}: cache_control cannot be set for empty text blocks")
        what = "contain non-whitespace text" if block.text else "be non-empty"
        raise invalid(f"{path.split('.')[0]}: text content blocks must {what}")


def breakpoints_are_few(request: shapes.PromptRequest, traits: ModelTraits) -> None:
    """At most 4 markers; the top-level one counts unless it meets another (wording recorded)."""
    found = sum(1 for _, block in _blocks(request) if _ttl(block) is not None)
    if request.cache_control and _last_ttl(request) is None:
        found += 1
    if found > BREAKPOINTS_MAX:
        raise invalid(f"A maximum of 4 blocks with cache_control may be provided. Found {found}.")


def breakpoints_are_ordered(request: shapes.PromptRequest, traits: ModelTraits) -> None:
    """1h blocks come before 5m blocks, over tools, system and messages (wording recorded)."""
    short_seen = False
    marks = [(f"{path}.cache_control.ttl", _ttl(block)) for path, block in _blocks(request)]
    if request.cache_control:
        if _last_ttl(request) not in (None, request.cache_control.ttl):
            raise invalid("cache_control: the last block carries a marker with another ttl")
        marks.append(("cache_control.ttl", request.cache_control.ttl))
    for path, ttl in marks:
        if ttl == "1h" and short_seen:
            raise invalid(
                f"{path}: a ttl='1h' cache_control block must not come after a ttl='5m' cache_control block. "
                "Note that blocks are processed in the following order: `tools`, `system`, `messages`."
            )
        short_seen = short_seen or ttl == "5m"


def thinks(request: shapes.PromptRequest, traits: ModelTraits) -> bool:
    """Whether the answer thinks first: by request, else by the model's default.

    `between_tools` switches it off as well: it only allows short updates between the uses of tools.
    """
    if request.thinking is None:
        return traits.thinks_by_default
    return request.thinking.type not in ("disabled", "between_tools")


def _blocks(request: shapes.PromptRequest) -> Iterator[tuple[str, shapes.Tool | shapes.ContentBlock]]:
    for i, tool in enumerate(request.tools):
        yield f"tools.{i}", tool
    for i, block in enumerate(request.system):
        yield f"system.{i}", block
    for i, message in enumerate(request.messages):
        for j, content in enumerate(message.content):
            yield f"messages.{i}.content.{j}", content


def _ttl(block: shapes.Tool | shapes.ContentBlock) -> shapes.Ttl | None:
    return block.cache_control.ttl if isinstance(block, Marked) and block.cache_control else None


def _last_ttl(request: shapes.PromptRequest) -> shapes.Ttl | None:
    blocks = list(_blocks(request))
    return _ttl(blocks[-1][1]) if blocks else None


MESSAGE_RULES: tuple[Callable[[shapes.MessageRequest, ModelTraits], None], ...] = (
    sampling_is_gone,
    max_tokens_fits_the_model,
    stop_sequences_say_something,
    no_unimitated_message_field,
    no_prefill,
    prewarm_stands_alone,
    thinking_budget_fits,
    geography_is_known,
)
PROMPT_RULES: tuple[Callable[[shapes.PromptRequest, ModelTraits], None], ...] = (
    no_unimitated_prompt_field,
    thinking_is_supported,
    effort_is_supported,
    tools_are_sound,
    turns_are_sound,
    tools_are_answered,
    text_is_not_empty,
    breakpoints_are_few,
    breakpoints_are_ordered,
    format_is_supported,
)
