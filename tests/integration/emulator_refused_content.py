"""What the API refuses in turns and their markers: by rule, the change and the message."""

from typing import Any

from tests.integration.emulator_refused_shapes import MARK, REDACTED, RESULT, THOUGHT, TOOL, USE
from tests.integration.emulator_requests import text, user

SAID = {"role": "user", "content": "x"}
LONG_MARK = {"type": "ephemeral", "ttl": "1h"}
FOUND_5 = "A maximum of 4 blocks with cache_control may be provided. Found 5."
AFTER_SHORT = (
    "a ttl='1h' cache_control block must not come after a ttl='5m' cache_control block. Note that blocks are "
    "processed in the following order: `tools`, `system`, `messages`."
)
NOT_ANSWERED = (
    "`tool_use` ids were found without `tool_result` blocks immediately after: {ids}. Each `tool_use` block "
    "must have a corresponding `tool_result` block in the next message."
)
ORPHAN = (
    "unexpected `tool_use_id` found in `tool_result` blocks: {id}. Each `tool_result` block must have a "
    "corresponding `tool_use` block in the previous message."
)
TWICE = "each tool_use must have a single result. Found multiple `tool_result` blocks with id: a"
EMPTY = "all messages must have non-empty content"


def conversation(*turns: dict[str, Any]) -> dict[str, Any]:
    """Turns that follow on a first one of the user's."""
    return {"messages": [SAID, *turns]}


def answers(*blocks: dict[str, Any]) -> dict[str, Any]:
    """A turn of the model."""
    return {"role": "assistant", "content": list(blocks)}


def use(id_: str) -> dict[str, Any]:
    return {**USE, "id": id_}


def result(id_: str) -> dict[str, Any]:
    return {**RESULT, "tool_use_id": id_}


def marks(*ttls: str) -> list[dict[str, Any]]:
    """Marked text blocks with these lifetimes."""
    return [text(f"block {i}", ttl) for i, ttl in enumerate(ttls)]


# One breakpoint too many, over all places that can carry one.
EVERYWHERE = {
    "tools": [{**TOOL, "cache_control": MARK}],
    "system": marks("5m"),
    **conversation(
        answers({**USE, "cache_control": MARK}), *user({**RESULT, "cache_control": MARK}, *marks("5m"))
    ),
}

CONTENT_CASES: dict[str, list[tuple[str, dict[str, Any], str]]] = {
    "turns_are_sound": [
        (
            "a model that speaks first",
            {"messages": [answers(text("x")), SAID]},
            'messages: first message must use the "user" role',
        ),
        ("a turn of nothing", {"messages": user()}, f"messages.0: {EMPTY}"),
        ("a turn of an empty string", {"messages": [{**SAID, "content": ""}]}, f"messages.0: {EMPTY}"),
        ("a later turn of nothing", conversation(answers(), SAID), f"messages.1: {EMPTY}"),
        (
            "a later turn of an empty string",
            conversation({"role": "assistant", "content": ""}, SAID),
            f"messages.1: {EMPTY}",
        ),
    ],
    "blocks_suit_their_turn": [
        *[
            (
                f"{block['type']} of the user's",
                {"messages": user(text("x"), block)},
                f"messages.0: `{block['type']}` blocks can only be in `assistant` messages",
            )
            for block in (USE, THOUGHT, REDACTED)
        ],
        (
            "a later tool use of the user's",
            conversation(answers(use("a")), *user(result("a"), use("b")), SAID),
            "messages.2: `tool_use` blocks can only be in `assistant` messages",
        ),
        (
            "a result of the model's",
            conversation(answers(use("a")), answers(result("a")), SAID),
            "messages.2: `tool_result` blocks can only be in `user` messages",
        ),
    ],
    "tools_are_answered": [
        (
            "a tool use without a result",
            conversation(answers(use("b"), use("a")), SAID),
            f"messages.1: {NOT_ANSWERED.format(ids='a, b')}",
        ),
        (
            "one result of two",
            conversation(answers(use("a"), use("b")), *user(result("a"))),
            f"messages.1: {NOT_ANSWERED.format(ids='b')}",
        ),
        (
            "a result that comes late",
            conversation(answers(use("a")), SAID, *user(result("a"))),
            f"messages.1: {NOT_ANSWERED.format(ids='a')}",
        ),
        (
            "a result after words",
            conversation(answers(use("a"), use("b")), *user(result("b"), text("x"), result("a"))),
            f"messages.1: {NOT_ANSWERED.format(ids='a')}",
        ),
        (
            "results after words",
            conversation(answers(use("a"), use("b")), *user(text("x"), result("a"), result("b"))),
            f"messages.1: {NOT_ANSWERED.format(ids='a, b')}",
        ),
        (
            "a result of nothing",
            {"messages": user(result("b"), result("a"))},
            f"messages.0.content.0: {ORPHAN.format(id='b')}",
        ),
        (
            "a result of nothing after words",
            {"messages": user(text("x"), result("a"))},
            f"messages.0.content.1: {ORPHAN.format(id='a')}",
        ),
        (
            "a result of another use",
            conversation(answers(use("c")), *user(result("c"), result("a"), result("b"))),
            f"messages.2.content.1: {ORPHAN.format(id='a')}",
        ),
        (
            "a result of an earlier use",
            conversation(
                answers(use("a")), *user(result("a")), answers(use("b")), *user(result("b"), result("a"))
            ),
            f"messages.4.content.1: {ORPHAN.format(id='a')}",
        ),
        (
            "two results of one use",
            conversation(answers(use("a")), *user(result("a"), result("a"))),
            f"messages.2.content.1: {TWICE}",
        ),
        (
            "two results of one use, the second after words",
            conversation(answers(use("a")), *user(result("a"), text("x"), result("a"))),
            f"messages.2.content.2: {TWICE}",
        ),
    ],
    "tool_uses_are_told_apart": [
        (
            "two uses of one id in a turn",
            conversation(answers(use("a"), text("x"), use("a")), *user(result("a"))),
            "messages.1.content.2: `tool_use` ids must be unique",
        ),
        (
            "two uses of one id in two turns",
            conversation(answers(use("a")), *user(result("a")), answers(use("a")), *user(result("a"))),
            "messages.3.content.0: `tool_use` ids must be unique",
        ),
    ],
    "text_is_not_empty": [
        (
            "a marked empty text block",
            {"messages": user(text("x"), text("", "5m"))},
            "messages.0.content.1: cache_control cannot be set for empty text blocks",
        ),
        (
            "a marked empty system block",
            {"system": [text("", "1h")]},
            "system.0: cache_control cannot be set for empty text blocks",
        ),
        (
            "an empty text block in a result",
            conversation(answers(use("a")), *user({**result("a"), "content": [text("x"), text("")]})),
            "messages: text content blocks must be non-empty",
        ),
        (
            "blank words in a result",
            conversation(answers(use("a")), *user({**result("a"), "content": " "})),
            "messages: text content blocks must contain non-whitespace text",
        ),
        (
            "an empty text block",
            {"messages": user(text(""))},
            "messages: text content blocks must be non-empty",
        ),
        ("an empty system block", {"system": [text("")]}, "system: text content blocks must be non-empty"),
        (
            "a blank text block",
            {"messages": user(text(" \n"))},
            "messages: text content blocks must contain non-whitespace text",
        ),
        (
            "a marked blank system block",
            {"system": [text(" ", "5m")]},
            "system: text content blocks must contain non-whitespace text",
        ),
    ],
    "breakpoints_are_few": [
        ("five breakpoints", {"messages": user(*marks("5m", "5m", "5m", "5m", "5m"))}, FOUND_5),
        ("five breakpoints everywhere", EVERYWHERE, FOUND_5),
        (
            "four breakpoints and the top-level one",
            {"messages": user(*marks("5m", "5m", "5m", "5m"), text("x")), "cache_control": MARK},
            FOUND_5,
        ),
    ],
    "breakpoints_are_ordered": [
        (
            "1h after 5m in one message",
            {"messages": user(*marks("5m", "1h"))},
            f"messages.0.content.1.cache_control.ttl: {AFTER_SHORT}",
        ),
        (
            "a message's 1h after a system's 5m",
            {"system": marks("5m"), "messages": user(*marks("1h"))},
            f"messages.0.content.0.cache_control.ttl: {AFTER_SHORT}",
        ),
        (
            "a system's 1h after a tool's 5m",
            {"tools": [{**TOOL, "cache_control": MARK}], "system": marks("1h")},
            f"system.0.cache_control.ttl: {AFTER_SHORT}",
        ),
        (
            "a top-level 1h after a 5m",
            {"messages": user(*marks("5m"), text("x")), "cache_control": LONG_MARK},
            f"cache_control.ttl: {AFTER_SHORT}",
        ),
        (
            "a top-level 5m on a 1h",
            {"messages": user(*marks("1h")), "cache_control": MARK},
            "cache_control: the last block carries a marker with another ttl",
        ),
    ],
}
