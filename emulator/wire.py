"""The shape of requests on the wire, strictly: unknown fields and wrong types are refused.

Source: the parameter types of the SDK 2.12. pydantic words a violation as the API does
(`messages.0.content.0.text.text: Field required`), so its first complaint is the answer's message.
"""

from typing import Annotated, Any, Literal, TypeVar

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from emulator.errors import invalid

Ttl = Literal["5m", "1h"]


class Strict(BaseModel):
    """No unknown fields, no coercion, no mutation."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, arbitrary_types_allowed=False)


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
    id: str
    name: str
    input: dict[str, Any]
    cache_control: CacheControl | None = None


class ThinkingBlock(Strict):
    type: Literal["thinking"]
    thinking: str
    signature: str


class RedactedThinkingBlock(Strict):
    type: Literal["redacted_thinking"]
    data: str


def _as_blocks(content: Any) -> Any:
    """A string is shorthand for one text block."""
    return [{"type": "text", "text": content}] if isinstance(content, str) else content


class ToolResultBlock(Strict):
    type: Literal["tool_result"]
    tool_use_id: str
    content: Annotated[list[TextBlock], BeforeValidator(_as_blocks)] = []
    is_error: bool | None = None
    cache_control: CacheControl | None = None


ContentBlock = Annotated[
    TextBlock | ToolUseBlock | ToolResultBlock | ThinkingBlock | RedactedThinkingBlock,
    Field(discriminator="type"),
]


class Message(Strict):
    role: Literal["user", "assistant"]
    content: Annotated[list[ContentBlock], BeforeValidator(_as_blocks)]


class Tool(Strict):
    name: str
    input_schema: dict[str, Any]
    description: str | None = None
    type: Literal["custom"] | None = None
    strict: bool | None = None
    cache_control: CacheControl | None = None


class ToolChoice(Strict):
    type: Literal["auto", "none", "any", "tool"]
    name: str | None = None
    disable_parallel_tool_use: bool | None = None


class Thinking(Strict):
    type: Literal["enabled", "disabled", "adaptive", "between_tools"]
    budget_tokens: int | None = None
    display: Literal["summarized", "omitted"] | None = None


class OutputFormat(Strict):
    type: Literal["json_schema"]
    # Serialised as `schema`; the attribute avoids pydantic's method of that name.
    json_schema: dict[str, Any] = Field(alias="schema")


class OutputConfig(Strict):
    effort: Literal["low", "medium", "high", "xhigh", "max"] | None = None
    format: OutputFormat | None = None


class Metadata(Strict):
    user_id: str | None = None


class PromptRequest(Strict):
    """What `messages` and `messages/count_tokens` share: everything that makes the prompt."""

    model: str = Field(min_length=1)
    messages: list[Message] = Field(min_length=1, max_length=100_000)
    system: Annotated[list[TextBlock], BeforeValidator(_as_blocks)] = []
    tools: list[Tool] = []
    tool_choice: ToolChoice | None = None
    thinking: Thinking | None = None
    output_config: OutputConfig = OutputConfig()
    cache_control: CacheControl | None = None
    # Known to the API, refused by this emulator with a message of their own.
    speed: Any = None
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


Parsed = TypeVar("Parsed", bound=BaseModel)


def parse(shape: type[Parsed], body: bytes) -> Parsed:
    """Read a body into its shape, or refuse it in the API's words."""
    try:
        return shape.model_validate_json(body)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False, include_context=False)[0]
        if first["type"] == "json_invalid":
            raise invalid(f"The request body is not valid JSON: {first['msg']}") from error
        path = ".".join(str(step) for step in first["loc"])
        raise invalid(f"{path}: {first['msg']}" if path else first["msg"]) from error
