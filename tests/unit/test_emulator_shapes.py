"""The emulator's shapes against the SDK's parameter types: whatever the SDK can send is known, by name."""

import json
from collections.abc import Iterator
from typing import Annotated, Any, Literal, NamedTuple, Required, get_args, get_origin, get_type_hints

import anthropic.types as sdk
import pytest
import typing_extensions
from anthropic.types import message_count_tokens_params, message_create_params, tool_result_block_param
from anthropic.types.message_count_tokens_tool_param import MessageCountTokensToolParam
from anthropic.types.messages import batch_create_params
from pydantic import BaseModel

from emulator.errors import NOT_IMITATED, ApiError
from emulator.request import shapes

# What the SDK's types have among the parameters and sends as a header: anthropic-workspace-id and
# anthropic-user-profile-id (`resources/messages`). A message's body can name a user profile as well, says the
# documentation of batches; there it is refused by name.
WORKSPACE = frozenset({"workspace_id"})
HEADERS = frozenset({"workspace_id", "user_profile_id"})
# What only the emulator knows, to say that it is gone from the API.
GONE = frozenset({"temperature", "top_p", "top_k"})
NOTHING = frozenset[str]()


class Pair(NamedTuple):
    """Types of the SDK that are one shape here; what is a header there, and what is only here."""

    types: tuple[type, ...]
    shape: type[BaseModel]
    headers: frozenset[str] = NOTHING
    ours: frozenset[str] = NOTHING


PAIRS = [
    Pair((message_create_params.MessageCreateParamsNonStreaming,), shapes.MessageRequest, WORKSPACE, GONE),
    Pair((message_count_tokens_params.MessageCountTokensParams,), shapes.PromptRequest, WORKSPACE),
    Pair((batch_create_params.BatchCreateParams,), shapes.BatchRequest, HEADERS),
    Pair((batch_create_params.Request,), shapes.BatchItem),
    Pair(get_args(sdk.MessageParam), shapes.Message),
    Pair((sdk.TextBlockParam,), shapes.TextBlock),
    Pair((sdk.ToolUseBlockParam,), shapes.ToolUseBlock),
    Pair((sdk.ToolResultBlockParam,), shapes.ToolResultBlock),
    Pair((sdk.ThinkingBlockParam,), shapes.ThinkingBlock),
    Pair((sdk.RedactedThinkingBlockParam,), shapes.RedactedThinkingBlock),
    Pair((sdk.ToolParam,), shapes.Tool),
    Pair((sdk.CacheControlEphemeralParam,), shapes.CacheControl),
    Pair((sdk.OutputConfigParam,), shapes.OutputConfig),
    Pair((sdk.JSONOutputFormatParam,), shapes.OutputFormat),
    Pair((sdk.MetadataParam,), shapes.Metadata),
    Pair((sdk.ThinkingConfigEnabledParam,), shapes.ThinkingEnabled),
    Pair((sdk.ThinkingConfigAdaptiveParam,), shapes.ThinkingAdaptive),
    Pair((sdk.ThinkingConfigDisabledParam,), shapes.ThinkingDisabled),
    Pair((sdk.ThinkingConfigBetweenToolsParam,), shapes.ThinkingBetweenTools),
    Pair((sdk.ToolChoiceNoneParam,), shapes.ToolChoiceNone),
    Pair((sdk.ToolChoiceAutoParam,), shapes.ToolChoiceAuto),
    Pair((sdk.ToolChoiceAnyParam,), shapes.ToolChoiceAny),
    Pair((sdk.ToolChoiceToolParam,), shapes.ToolChoiceTool),
]
BY_SHAPE = pytest.mark.parametrize("pair", PAIRS, ids=lambda pair: pair.shape.__name__)
BLOCKS = set(get_args(sdk.ContentBlockParam))
IMITATED_BLOCKS = {"text", "tool_use", "tool_result", "thinking", "redacted_thinking"}


def fields(type_: type) -> dict[str, Any]:
    """The fields of a parameter type and their hints."""
    return get_type_hints(type_, include_extras=True)


def wire_fields(shape: type[BaseModel]) -> dict[str, Any]:
    """The fields of a shape as they are called on the wire."""
    return {field.alias or name: field for name, field in shape.model_fields.items()}


def is_required(hint: Any) -> bool:
    return get_origin(hint) in (Required, typing_extensions.Required)


def words(hint: Any) -> set[Any]:
    """Every literal within a hint."""
    if get_origin(hint) in (Literal, typing_extensions.Literal):
        return set(get_args(hint))
    parts = get_args(hint)[:1] if get_origin(hint) is Annotated else get_args(hint)
    return set().union(*map(words, parts))


def members(hint: Any) -> set[Any]:
    """Every parameter type within a hint."""
    if typing_extensions.is_typeddict(hint):
        return {hint}
    return set().union(*map(members, get_args(hint)))


def kinds(union: Any) -> Iterator[str]:
    """Every `type` that a member of this union can carry."""
    for member in get_args(union):
        yield from sorted(words(fields(member)["type"]) - {None})


def refusal(**changes: Any) -> str:
    """The message of the shape's refusal; empty if there is none."""
    said = [{"role": "user", "content": "x"}]
    request = {"model": "claude-haiku-5-5", "max_tokens": 1, "messages": said, **changes}
    try:
        shapes.parse(shapes.MessageRequest, json.dumps(request))
    except ApiError as error:
        return error.message
    return ""


def refusal_of_block(block: dict[str, Any], role: str = "user") -> str:
    return refusal(messages=[{"role": role, "content": [block]}])


@BY_SHAPE
def test_a_shape_has_the_fields_of_the_sdks_type_and_no_others(pair: Pair) -> None:
    known = set().union(*map(fields, pair.types))
    assert known >= pair.headers
    assert set(wire_fields(pair.shape)) == (known - pair.headers) | pair.ours


@BY_SHAPE
def test_a_shape_requires_what_the_sdks_type_requires(pair: Pair) -> None:
    required = [{name for name, hint in fields(type_).items() if is_required(hint)} for type_ in pair.types]
    assert {
        name for name, field in wire_fields(pair.shape).items() if field.is_required()
    } == set.intersection(*required)


@BY_SHAPE
def test_a_shape_knows_the_words_of_the_sdks_type_and_no_others(pair: Pair) -> None:
    for name, field in wire_fields(pair.shape).items():
        known = words(field.annotation)
        if known:
            sent = set().union(*(words(fields(type_).get(name)) for type_ in pair.types))
            unimitated = {"system"} if name == "role" else set()
            assert known - {None} == sent - {None} - unimitated, name


@pytest.mark.parametrize("kind", [*kinds(sdk.ContentBlockParam)])
def test_every_block_of_the_sdk_is_imitated_or_refused_by_name(kind: str) -> None:
    message = refusal_of_block({"type": kind})
    if kind in IMITATED_BLOCKS:
        assert message.startswith(f"messages.0.content.0.{kind}.")
    else:
        assert message == f"messages.0.content.0: {NOT_IMITATED}"


def test_both_speakers_may_say_every_block_and_the_system_only_text() -> None:
    for turn in get_args(sdk.MessageParam):
        blocks = {sdk.TextBlockParam} if "system" in words(fields(turn)["role"]) else BLOCKS
        assert members(fields(turn)["content"]) == blocks
    assert members(fields(message_create_params.MessageCreateParamsBase)["system"]) == {sdk.TextBlockParam}


@pytest.mark.parametrize("kind", [*kinds(tool_result_block_param.Content)])
def test_every_block_of_a_tool_result_is_text_or_refused_by_name(kind: str) -> None:
    message = refusal_of_block({"type": "tool_result", "tool_use_id": "x", "content": [{"type": kind}]})
    path = "messages.0.content.0.tool_result.content.0"
    assert message == (f"{path}.text: Field required" if kind == "text" else f"{path}: {NOT_IMITATED}")


def test_no_block_is_refused_by_name_that_the_sdk_does_not_know() -> None:
    known = {*kinds(sdk.ContentBlockParam), *kinds(tool_result_block_param.Content)}
    assert known == IMITATED_BLOCKS | shapes.BLOCKS_NOT_IMITATED


@pytest.mark.parametrize("kind", sorted({*kinds(sdk.ToolUnionParam), *kinds(MessageCountTokensToolParam)}))
def test_every_tool_of_the_sdk_is_imitated_or_refused_by_name(kind: str) -> None:
    message = refusal(tools=[{"type": kind, "name": "x"}])
    if kind == "custom":
        assert message == "tools.0.custom.input_schema: Field required"
    else:
        assert message == f"tools.0: {NOT_IMITATED}"


@pytest.mark.parametrize("role", ["user", "assistant", "system"])
def test_every_role_of_the_sdk_is_imitated_or_refused_by_name(role: str) -> None:
    message = refusal(messages=[{"role": role, "content": "x"}])
    assert message == (f"messages.0: {NOT_IMITATED}" if role == "system" else "")


@pytest.mark.parametrize(
    "kind", ["tool_search_tool", "web_search", "web_search_2025030", "tool_search_tool_bm26"]
)
def test_a_tool_that_the_sdk_does_not_know_is_not_refused_by_name(kind: str) -> None:
    assert refusal(tools=[{"type": kind, "name": "x", "input_schema": {}}]) == (
        "tools.0.custom.type: Input should be 'custom'"
    )


@pytest.mark.parametrize("value", [None, 5, True, [], ["system"], {}, {"type": "image"}], ids=repr)
@pytest.mark.parametrize("path", ["role", "block", "inner block", "tool"])
def test_a_name_of_any_type_is_refused_and_never_an_error_of_ours(path: str, value: object) -> None:
    inner: dict[str, Any] = {"type": "tool_result", "tool_use_id": "x", "content": [{"type": value}]}
    changes: dict[str, dict[str, Any]] = {
        "role": {"messages": [{"role": value, "content": "x"}]},
        "block": {"messages": [{"role": "user", "content": [{"type": value}]}]},
        "inner block": {"messages": [{"role": "user", "content": [inner]}]},
        "tool": {"tools": [{"type": value, "name": "x"}]},
    }
    message = refusal(**changes[path])
    assert message
    assert NOT_IMITATED not in message


@pytest.mark.parametrize("system", ["", []])
def test_an_empty_string_is_no_block(system: object) -> None:
    said = [{"role": "user", "content": ""}]
    request = {"model": "claude-haiku-5-5", "messages": said, "system": system}
    parsed = shapes.parse(shapes.PromptRequest, json.dumps(request))
    assert (parsed.system, parsed.messages[0].content) == ([], [])


@pytest.mark.parametrize("number", ["NaN", "Infinity", "-Infinity", "1e999"])
def test_a_number_that_json_has_not_is_refused_wherever_anything_may_stand(number: str) -> None:
    form = f'{{"type":"json_schema","schema":{{"const":{number}}}}}'
    body = f'{{"model":"m","messages":[{{"role":"user","content":"x"}}],"output_config":{{"format":{form}}}}}'
    with pytest.raises(ApiError, match="numbers must be finite"):
        shapes.parse(shapes.PromptRequest, body)
    batch = f'{{"requests":[{{"custom_id":"a","params":{{"x":{number}}}}}]}}'
    with pytest.raises(ApiError, match="numbers must be finite"):
        shapes.parse(shapes.BatchRequest, batch)
