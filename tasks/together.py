"""Work done at the same time, of which the first failure ends the rest."""

import asyncio
from collections.abc import AsyncIterator, Coroutine, Iterable
from contextlib import asynccontextmanager
from typing import Any


async def together(work: Iterable[Coroutine[Any, Any, None]]) -> None:
    """Run everything at once; when one fails, cancel the others and raise its error, not a group."""
    async with a_few_at_a_time() as few:
        for part in work:
            await few.start(part)


class AFew:
    """Parts of work, started as long as those at work are not too much."""

    def __init__(self, group: asyncio.TaskGroup, size_max: int | None) -> None:
        self._group = group
        self._size_max = size_max
        self._size = 0
        self._less = asyncio.Condition()

    async def start(self, part: Coroutine[Any, Any, None], size: int = 1) -> None:
        """Start a part of this size once what is at work is small enough."""
        if self._size_max is not None:
            async with self._less:
                await self._less.wait_for(lambda: self._size < (self._size_max or 0))
        self._size += size
        self._group.create_task(self._run(part, size))

    async def _run(self, part: Coroutine[Any, Any, None], size: int) -> None:
        try:
            await part
        finally:
            self._size -= size
            async with self._less:
                self._less.notify_all()


@asynccontextmanager
async def a_few_at_a_time(size_max: int | None = None) -> AsyncIterator[AFew]:
    """Give a place to start work in; leaving it waits for all. The first failure cancels the others."""
    try:
        async with asyncio.TaskGroup() as group:
            yield AFew(group, size_max)
    except BaseExceptionGroup as failed:
        raise _first(failed) from None


def _first(failed: BaseException) -> BaseException:
    while isinstance(failed, BaseExceptionGroup):
        failed = failed.exceptions[0]
    return failed
