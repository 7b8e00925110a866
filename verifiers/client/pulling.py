"""A blocking iterator, pulled from an event loop."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Generator, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Generic, TypeVar

T = TypeVar("T")


class Source(Generic[T]):
    """
    Hands out what an iterator yields, to many tasks, one pull at a time on one thread.

    Args:
        iterator: Runs on *thread* alone.

        thread: A pool of one.
    """

    def __init__(self, iterator: Iterator[T], thread: ThreadPoolExecutor) -> None:
        self._iterator = iterator
        self._thread = thread

    async def next(self) -> T | None:
        """Return the next one; None at the end, however often it is asked."""
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._thread, next, self._iterator, None)


@contextlib.asynccontextmanager
async def pulled(iterator: Generator[T, None, None]) -> AsyncIterator[Source[T]]:
    """Pull from *iterator*; at the end close it, once a pull that is under way has come back."""
    with ThreadPoolExecutor(1, thread_name_prefix="pull") as thread:
        try:
            yield Source(iterator, thread)
        finally:
            await asyncio.get_running_loop().run_in_executor(thread, iterator.close)
