"""A request as the sequence of blocks that the prompt cache sees.

Source: the prompt-caching guide. The cached thing is the rendered prefix `tools -> system -> messages`;
effort, thinking and output format are part of it, so they open the chain of digests. Markers themselves are
not.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from hashlib import blake2b

from emulator.request import shapes
from emulator.request.catalog import ModelTraits

DIGEST_BYTES = 16

# Structured output injects an explanation of the format into the system prompt. Its length is not documented:
# the schema itself plus some words around it; `--preamble-tokens` fixes another figure.
PREAMBLE_FRAME_TOKENS = 60


@dataclass(frozen=True, slots=True)
class PromptBlock:
    """One position of the prompt: its identity, its size, and its marker if it carries one."""

    path: str
    digest: bytes
    tokens: int
    ttl: shapes.Ttl | None


@dataclass(frozen=True, slots=True)
class Prompt:
    """A rendered prompt; `head` folds in what is not a block but changes the prefix."""

    head: bytes
    preamble_tokens: int
    blocks: tuple[PromptBlock, ...]

    @property
    def tokens(self) -> int:
        """The size of the whole prompt."""
        return self.preamble_tokens + sum(block.tokens for block in self.blocks)


def render(request: shapes.PromptRequest, traits: ModelTraits, preamble_tokens: int | None) -> Prompt:
    """Lay a request out in the order the cache sees it."""
    output_format = request.output_config.format
    schema_text = _canonical(output_format.json_schema) if output_format else ""
    thinking = request.thinking.model_dump() if request.thinking else None
    head = _digest(b"", _canonical([thinking, request.output_config.effort]), schema_text)
    blocks = [*_tools(request, traits), *_system(request, traits), *_messages(request, traits)]
    if request.cache_control and blocks and blocks[-1].ttl is None:
        blocks[-1] = _marked(blocks[-1], request.cache_control.ttl)
    return Prompt(head, _preamble(schema_text, traits, preamble_tokens), tuple(blocks))


def chain(prompt: Prompt) -> Iterator[tuple[bytes, int]]:
    """The identity and size of every prefix: after each block, the digest and tokens of all up to it."""
    digest, tokens = prompt.head, prompt.preamble_tokens
    for block in prompt.blocks:
        digest = blake2b(digest + block.digest, digest_size=DIGEST_BYTES).digest()
        tokens += block.tokens
        yield digest, tokens


def _preamble(schema_text: str, traits: ModelTraits, fixed_tokens: int | None) -> int:
    if not schema_text:
        return 0
    return traits.tokens(len(schema_text)) + PREAMBLE_FRAME_TOKENS if fixed_tokens is None else fixed_tokens


def _tools(request: shapes.PromptRequest, traits: ModelTraits) -> Iterator[PromptBlock]:
    for i, tool in enumerate(request.tools):
        text = _canonical(tool.model_dump(exclude={"cache_control"}))
        yield _block(f"tools.{i}", "tool", text, tool.cache_control, traits)


def _system(request: shapes.PromptRequest, traits: ModelTraits) -> Iterator[PromptBlock]:
    for i, block in enumerate(request.system):
        yield _block(f"system.{i}", "system", block.text, block.cache_control, traits)


def _messages(request: shapes.PromptRequest, traits: ModelTraits) -> Iterator[PromptBlock]:
    for i, message in enumerate(request.messages):
        for j, block in enumerate(message.content):
            path = f"messages.{i}.content.{j}"
            if isinstance(block, shapes.TextBlock):
                yield _block(path, message.role, block.text, block.cache_control, traits)
            else:
                text = _canonical(block.model_dump(exclude={"cache_control"}))
                marker = getattr(block, "cache_control", None)
                yield _block(path, f"{message.role} {block.type}", text, marker, traits)


def _block(
    path: str, part: str, text: str, marker: shapes.CacheControl | None, traits: ModelTraits
) -> PromptBlock:
    digest = _digest(b"", part, text)
    return PromptBlock(path, digest, traits.tokens(len(text)), marker.ttl if marker else None)


def _marked(block: PromptBlock, ttl: shapes.Ttl) -> PromptBlock:
    return PromptBlock(block.path, block.digest, block.tokens, ttl)


def _digest(before: bytes, *texts: str) -> bytes:
    """A digest in which no text can run over into the next."""
    hasher = blake2b(before, digest_size=DIGEST_BYTES)
    for text in texts:
        data = text.encode("utf-8", "surrogatepass")
        hasher.update(b"%d:" % len(data))
        hasher.update(data)
    return hasher.digest()


def _canonical(value: object) -> str:
    return json.dumps(value, separators=(",", ":"), sort_keys=True, ensure_ascii=False)
