"""What a well-formed request may still not say: one function per documented rule.

Source: the API's error pages and the prompt-caching, thinking and structured-output guides. Messages marked
(wording recorded) were returned by the real API; the others are worded after their rule.
"""

from collections.abc import Callable

from emulator.errors import invalid, not_imitated
from emulator.request import shapes
from emulator.request.catalog import ModelTraits
from emulator.request.content import CONTENT_RULES, blocks_of
from emulator.request.schemas import check_schemas

STRICT_TOOLS_MAX = 20
EFFORTS_THAT_NEED_THINKING = ("xhigh", "max")
GEOGRAPHIES = ("us", "global")
# Fields that only server tools and citations give another value than these.
USUAL: dict[str, tuple[object, ...]] = {
    "allowed_callers": (["direct"],),
    "caller": ({"type": "direct"},),
    "citations": ([],),
    "defer_loading": (False,),
    "toolset_name": (),
}


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
    """A budget is less than `max_tokens`."""
    thinking = request.thinking
    if isinstance(thinking, shapes.ThinkingEnabled) and thinking.budget_tokens >= request.max_tokens:
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
    for path, block in blocks_of(request):
        for name, usual in USUAL.items():
            if getattr(block, name, None) not in (None, *usual):
                raise not_imitated(f"{path}.{name}")
        inside = block.content if isinstance(block, shapes.ToolResultBlock) else []
        if any(part.cache_control for part in inside):
            raise not_imitated(f"{path}.content.cache_control")


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


def tools_are_sound(request: shapes.PromptRequest, traits: ModelTraits) -> None:
    """Tools are objects with names of their own, and a choice needs them."""
    names = [tool.name for tool in request.tools]
    if len(set(names)) < len(names):
        raise invalid("tools: Tool names must be unique.")
    for i, tool in enumerate(request.tools):
        if tool.input_schema.get("type") != "object":
            raise invalid(f"tools.{i}.custom.input_schema.type: Input should be 'object'")
    if request.tool_choice and not request.tools:
        raise invalid("tool_choice: tool_choice may only be specified while providing tools")


def schemas_are_supported(request: shapes.PromptRequest, traits: ModelTraits) -> None:
    """What constrains the answer keeps to the documented subset of JSON schema, and to its size in all."""
    strict = {
        f"tools.{i}.custom.input_schema": tool.input_schema
        for i, tool in enumerate(request.tools)
        if tool.strict
    }
    if len(strict) > STRICT_TOOLS_MAX:
        raise invalid(f"tools: at most {STRICT_TOOLS_MAX} strict tools are supported")
    if request.output_config.format:
        strict["output_config.format.schema"] = request.output_config.format.json_schema
    check_schemas(strict)


def thinks(request: shapes.PromptRequest, traits: ModelTraits) -> bool:
    """Whether the answer thinks first: by request, else by the model's default.

    `between_tools` switches it off as well: it only allows short updates between the uses of tools.
    """
    if request.thinking is None:
        return traits.thinks_by_default
    return request.thinking.type not in ("disabled", "between_tools")


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
    *CONTENT_RULES,
    schemas_are_supported,
)
