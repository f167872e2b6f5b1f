"""What tools, turns and blocks may not say although they are well-formed: one function per documented rule.

Source: the API's error pages and the guides on tool use and prompt caching. Messages marked (wording
recorded) were returned by the real API; the others are worded after their rule.
"""

from collections.abc import Callable, Iterator
from itertools import takewhile

from emulator.errors import invalid
from emulator.request import shapes
from emulator.request.catalog import ModelTraits

BREAKPOINTS_MAX = 4

Marked = shapes.TextBlock | shapes.ToolUseBlock | shapes.ToolResultBlock | shapes.Tool


def turns_are_sound(request: shapes.PromptRequest, traits: ModelTraits) -> None:
    """The user speaks first, and nobody says nothing (wordings recorded)."""
    if request.messages[0].role != "user":
        raise invalid('messages: first message must use the "user" role')
    for i, message in enumerate(request.messages):
        if not message.content:
            raise invalid(f"messages.{i}: all messages must have non-empty content")


def blocks_suit_their_turn(request: shapes.PromptRequest, traits: ModelTraits) -> None:
    """Who uses a tool or thinks is the assistant, who brings results is the user."""
    for i, message in enumerate(request.messages):
        for block in message.content:
            if block.type in ("tool_use", "thinking", "redacted_thinking") and message.role == "user":
                raise invalid(f"messages.{i}: `{block.type}` blocks can only be in `assistant` messages")
            if block.type == "tool_result" and message.role == "assistant":
                raise invalid(f"messages.{i}: `tool_result` blocks can only be in `user` messages")


def tools_are_answered(request: shapes.PromptRequest, traits: ModelTraits) -> None:
    """Each use of a tool has its one result at the start of the next turn, and each result its use.

    Wordings recorded.
    """
    used: list[str] = []
    for i, message in enumerate(request.messages):
        leading = takewhile(lambda block: isinstance(block, shapes.ToolResultBlock), message.content)
        first = {block.tool_use_id for block in leading if isinstance(block, shapes.ToolResultBlock)}
        if missing := ", ".join(sorted(set(used) - first)):
            raise invalid(
                f"messages.{i - 1}: `tool_use` ids were found without `tool_result` blocks immediately "
                f"after: {missing}. Each `tool_use` block must have a corresponding `tool_result` block in "
                "the next message."
            )
        _check_results(i, message.content, used)
        used = [block.id for block in message.content if isinstance(block, shapes.ToolUseBlock)]


def tool_uses_are_told_apart(request: shapes.PromptRequest, traits: ModelTraits) -> None:
    """No two uses of tools have the same id, in the whole conversation (wording recorded)."""
    seen: set[str] = set()
    for path, block in blocks_of(request):
        if isinstance(block, shapes.ToolUseBlock):
            if block.id in seen:
                raise invalid(f"{path}: `tool_use` ids must be unique")
            seen.add(block.id)


def _check_results(i: int, content: list[shapes.ContentBlock], used: list[str]) -> None:
    seen: set[str] = set()
    for j, block in enumerate(content):
        if not isinstance(block, shapes.ToolResultBlock):
            continue
        result = block.tool_use_id
        if result not in used:
            raise invalid(
                f"messages.{i}.content.{j}: unexpected `tool_use_id` found in `tool_result` blocks: "
                f"{result}. Each `tool_result` block must have a corresponding `tool_use` block in the "
                "previous message."
            )
        if result in seen:
            raise invalid(
                f"messages.{i}.content.{j}: each tool_use must have a single result. Found multiple "
                f"`tool_result` blocks with id: {result}"
            )
        seen.add(result)


def text_is_not_empty(request: shapes.PromptRequest, traits: ModelTraits) -> None:
    """An empty text block is a 400, with a marker or without (wordings recorded)."""
    for path, block in _texts(request):
        if block.text.strip():
            continue
        if block.cache_control and not block.text:
            raise invalid(f"{path}: cache_control cannot be set for empty text blocks")
        what = "contain non-whitespace text" if block.text else "be non-empty"
        raise invalid(f"{path.split('.')[0]}: text content blocks must {what}")


def breakpoints_are_few(request: shapes.PromptRequest, traits: ModelTraits) -> None:
    """At most 4 markers; the top-level one counts unless it meets another (wording recorded)."""
    found = sum(1 for _, block in blocks_of(request) if _ttl(block) is not None)
    if request.cache_control and _last_ttl(request) is None:
        found += 1
    if found > BREAKPOINTS_MAX:
        raise invalid(f"A maximum of 4 blocks with cache_control may be provided. Found {found}.")


def breakpoints_are_ordered(request: shapes.PromptRequest, traits: ModelTraits) -> None:
    """1h blocks come before 5m blocks, over tools, system and messages (wording recorded)."""
    short_seen = False
    marks = [(f"{path}.cache_control.ttl", _ttl(block)) for path, block in blocks_of(request)]
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


def blocks_of(request: shapes.PromptRequest) -> Iterator[tuple[str, shapes.Tool | shapes.ContentBlock]]:
    """Every tool and block of a request with its path, in the order of the prompt."""
    for i, tool in enumerate(request.tools):
        yield f"tools.{i}", tool
    for i, block in enumerate(request.system):
        yield f"system.{i}", block
    for i, message in enumerate(request.messages):
        for j, content in enumerate(message.content):
            yield f"messages.{i}.content.{j}", content


def _texts(request: shapes.PromptRequest) -> Iterator[tuple[str, shapes.TextBlock]]:
    for path, block in blocks_of(request):
        if isinstance(block, shapes.TextBlock):
            yield path, block
        elif isinstance(block, shapes.ToolResultBlock):
            yield from ((path, part) for part in block.content)


def _ttl(block: shapes.Tool | shapes.ContentBlock) -> shapes.Ttl | None:
    return block.cache_control.ttl if isinstance(block, Marked) and block.cache_control else None


def _last_ttl(request: shapes.PromptRequest) -> shapes.Ttl | None:
    blocks = list(blocks_of(request))
    return _ttl(blocks[-1][1]) if blocks else None


CONTENT_RULES: tuple[Callable[[shapes.PromptRequest, ModelTraits], None], ...] = (
    turns_are_sound,
    blocks_suit_their_turn,
    tools_are_answered,
    tool_uses_are_told_apart,
    text_is_not_empty,
    breakpoints_are_few,
    breakpoints_are_ordered,
)
