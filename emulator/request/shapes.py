"""The shape of requests on the wire, strictly: unknown fields and wrong types are refused.

Source: the parameter types of the SDK 2.12. pydantic words a violation as the API does
(`messages.0.content.0.text.text: Field required`), so its first complaint is the answer's message.
What the API knows and this emulator does not is named here too, so that it is refused by name.
"""

import json
from collections.abc import Callable
from typing import Annotated, Any, Literal, TypeVar

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, ValidationError
from pydantic_core import PydanticCustomError

from emulator.errors import NOT_IMITATED, invalid

Ttl = Literal["5m", "1h"]

# Blocks of the API that are neither priced nor answered here.
BLOCKS_NOT_IMITATED = frozenset(
    {
        "image",
        "document",
        "search_result",
        "tool_reference",
        "browser_state",
        "container_upload",
        "server_tool_use",
        "web_search_tool_result",
        "web_fetch_tool_result",
        "code_execution_tool_result",
        "bash_code_execution_tool_result",
        "text_editor_code_execution_tool_result",
        "tool_search_tool_result",
    }
)
UNDATED_TOOLS = frozenset({"tool_search_tool_bm25", "tool_search_tool_regex"})


def _refusing(field: str, known: Callable[[Any], bool]) -> BeforeValidator:
    """A validator that refuses by name an object whose `field` says something the API alone knows."""

    def check(value: Any) -> Any:
        if isinstance(value, dict) and field in value and known(value[field]):
            raise PydanticCustomError("not_imitated", NOT_IMITATED)
        return value

    return BeforeValidator(check)


def _is_tool_of_the_api(kind: Any) -> bool:
    """Server tools and toolsets carry their version's date (`web_search_20250305`), but for two aliases."""
    return isinstance(kind, str) and (kind[-8:].isdecimal() or kind in UNDATED_TOOLS)


class Strict(BaseModel):
    """No unknown fields, no coercion, no mutation."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


def _finite(value: dict[str, Any]) -> dict[str, Any]:
    """`NaN`, `Infinity` and numbers beyond all bounds are no JSON, although pydantic reads them."""
    try:
        json.dumps(value, allow_nan=False)
    except ValueError as error:
        raise PydanticCustomError("not_json", "Input should be valid JSON: numbers must be finite") from error
    return value


JsonObject = Annotated[dict[str, Any], AfterValidator(_finite)]


class CacheControl(Strict):
    type: Literal["ephemeral"]
    ttl: Ttl = "5m"


class TextBlock(Strict):
    type: Literal["text"]
    text: str
    cache_control: CacheControl | None = None
    citations: list[Any] | None = None


class ToolUseBlock(Strict):
    type: Literal["tool_use"]
    id: str = Field(pattern=r"^[a-zA-Z0-9_-]+$")
    name: str = Field(min_length=1, max_length=200)
    input: JsonObject
    cache_control: CacheControl | None = None
    caller: Any = None
    toolset_name: str | None = None


class ThinkingBlock(Strict):
    type: Literal["thinking"]
    thinking: str
    signature: str


class RedactedThinkingBlock(Strict):
    type: Literal["redacted_thinking"]
    data: str


def _as_blocks(content: Any) -> Any:
    """A string is shorthand for one text block; an empty one for none."""
    if not isinstance(content, str):
        return content
    return [{"type": "text", "text": content}] if content else []


_IMITATED_BLOCK = _refusing("type", lambda kind: isinstance(kind, str) and kind in BLOCKS_NOT_IMITATED)


class ToolResultBlock(Strict):
    type: Literal["tool_result"]
    tool_use_id: str
    content: Annotated[list[Annotated[TextBlock, _IMITATED_BLOCK]], BeforeValidator(_as_blocks)] = []
    is_error: bool | None = None
    cache_control: CacheControl | None = None
    toolset_name: str | None = None


ContentBlock = Annotated[
    TextBlock | ToolUseBlock | ToolResultBlock | ThinkingBlock | RedactedThinkingBlock,
    Field(discriminator="type"),
]


class Message(Strict):
    role: Literal["user", "assistant"]
    content: Annotated[list[Annotated[ContentBlock, _IMITATED_BLOCK]], BeforeValidator(_as_blocks)]


class Tool(Strict):
    name: str = Field(pattern=r"^[a-zA-Z0-9_-]{1,128}$")
    input_schema: JsonObject
    description: str | None = None
    type: Literal["custom"] | None = None
    strict: bool | None = None
    cache_control: CacheControl | None = None
    eager_input_streaming: bool | None = None
    input_examples: list[JsonObject] | None = None
    # Known to the API, refused by this emulator with a message of their own.
    allowed_callers: Any = None
    defer_loading: bool | None = None


class ToolChoiceNone(Strict):
    type: Literal["none"]


class ToolChoiceAuto(Strict):
    type: Literal["auto"]
    disable_parallel_tool_use: bool | None = None


class ToolChoiceAny(Strict):
    type: Literal["any"]
    disable_parallel_tool_use: bool | None = None


class ToolChoiceTool(Strict):
    type: Literal["tool"]
    name: str
    disable_parallel_tool_use: bool | None = None


ToolChoice = Annotated[
    ToolChoiceNone | ToolChoiceAuto | ToolChoiceAny | ToolChoiceTool, Field(discriminator="type")
]


class ThinkingEnabled(Strict):
    type: Literal["enabled"]
    budget_tokens: int = Field(ge=1_024)
    display: Literal["summarized", "omitted"] | None = None


class ThinkingAdaptive(Strict):
    type: Literal["adaptive"]
    display: Literal["summarized", "omitted"] | None = None


class ThinkingDisabled(Strict):
    type: Literal["disabled"]


class ThinkingBetweenTools(Strict):
    type: Literal["between_tools"]


Thinking = Annotated[
    ThinkingEnabled | ThinkingAdaptive | ThinkingDisabled | ThinkingBetweenTools, Field(discriminator="type")
]


class OutputFormat(Strict):
    type: Literal["json_schema"]
    # Serialised as `schema`; the attribute avoids pydantic's method of that name.
    json_schema: JsonObject = Field(alias="schema")


class OutputConfig(Strict):
    effort: Literal["low", "medium", "high", "xhigh", "max"] | None = None
    format: OutputFormat | None = None


class Metadata(Strict):
    user_id: str | None = Field(default=None, max_length=512)


class PromptRequest(Strict):
    """What `messages` and `messages/count_tokens` share: everything that makes the prompt."""

    model: str = Field(min_length=1)
    messages: list[Annotated[Message, _refusing("role", lambda role: role == "system")]] = Field(
        min_length=1, max_length=100_000
    )
    system: Annotated[list[TextBlock], BeforeValidator(_as_blocks)] = []
    tools: list[Annotated[Tool, _refusing("type", _is_tool_of_the_api)]] = []
    tool_choice: ToolChoice | None = None
    thinking: Thinking | None = None
    output_config: OutputConfig = OutputConfig()
    cache_control: CacheControl | None = None
    # Known to the API, refused by this emulator with a message of their own.
    speed: Literal["standard", "fast"] | None = None
    user_profile_id: Any = None


class MessageRequest(PromptRequest):
    """`POST /v1/messages`."""

    max_tokens: int = Field(ge=0)
    stream: bool = False
    stop_sequences: list[str] = []
    metadata: Metadata | None = None
    service_tier: Literal["auto", "standard_only"] = "auto"
    inference_geo: str | None = None
    container: Any = None
    diagnostics: Any = None
    # Gone from the API; declared so that the refusal can say so.
    temperature: Any = None
    top_p: Any = None
    top_k: Any = None


class BatchItem(Strict):
    """One request of a batch; what is in `params` is looked at when its turn comes, not before."""

    custom_id: str = Field(pattern=r"^[a-zA-Z0-9_-]{1,64}$")
    params: JsonObject


class BatchRequest(Strict):
    """`POST /v1/messages/batches`."""

    requests: list[BatchItem] = Field(min_length=1, max_length=100_000)


Parsed = TypeVar("Parsed", bound=BaseModel)


def parse(shape: type[Parsed], body: bytes | str) -> Parsed:
    """Read a body into its shape, or refuse it in the API's words."""
    try:
        return shape.model_validate_json(body)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False, include_context=False)[0]
        if first["type"] == "json_invalid":
            raise invalid(f"The request body is not valid JSON: {first['msg']}") from error
        path = ".".join(_steps(first["loc"]))
        raise invalid(f"{path}: {first['msg']}" if path else first["msg"]) from error


def _steps(place: tuple[int | str, ...]) -> list[str]:
    """The way to a field as the API tells it: a tool's kind is a step of its own."""
    steps = [str(step) for step in place]
    return [*steps[:2], "custom", *steps[2:]] if steps[:1] == ["tools"] and len(steps) > 2 else steps
