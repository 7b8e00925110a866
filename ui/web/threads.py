"""
Blocking work beside the event loop: models on one thread, a call at a time; the rest on a few.
"""

import asyncio
import ctypes
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Generic, TypeVar

from ui.web.requests import RefusedError

Out = TypeVar("Out")
Value = TypeVar("Value")

MAX_WAITING = 64  # calls of a model; each one that waits is a person who waits
_M_ARENA_MAX = -8  # glibc's malloc.h
_THREADS = 4  # a picture of 200 megapixels takes 600 MB while it is decoded


def share_heap() -> None:
    """
    Let all threads of this process take memory from one heap. Call it before there are any.

    glibc gives each thread a heap of its own, which hands large blocks back to the system at once:
    facebook/sam3's decoder at 1080p met 5,000 new pages a click there, 8 % of its processor time,
    and none in the main thread's. Other C libraries have one heap anyway.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        mallopt(_M_ARENA_MAX, 1)


class Threads:
    """The threads of one app."""

    def __init__(self) -> None:
        self._few = ThreadPoolExecutor(_THREADS, "web")
        self._model = ThreadPoolExecutor(1, "model")
        self._num_waiting = 0  # touched by the event loop alone

    async def call(self, function: Callable[[], Out]) -> Out:
        """Return what *function* returns, called on one of a few threads."""
        return await asyncio.get_running_loop().run_in_executor(self._few, function)

    async def call_model(self, function: Callable[[], Out]) -> Out:
        """
        Return what *function* returns; no other call of a model runs meanwhile.

        Raises:
            RefusedError: 503 if MAX_WAITING calls wait already.
        """
        if self._num_waiting >= MAX_WAITING:
            raise RefusedError(503, "too many people wait for the model: try again in a moment")
        self._num_waiting += 1
        try:
            return await asyncio.get_running_loop().run_in_executor(self._model, function)
        finally:
            self._num_waiting -= 1

    def close(self) -> None:
        """Finish what runs, drop what waits."""
        for pool in (self._few, self._model):
            pool.shutdown(wait=True, cancel_futures=True)


class Kept(Generic[Value]):
    """
    What was loaded last, by its key. Who asks while it is being loaded waits for the same.

    Args:
        load: Called for a key that is not kept. What it raises is not kept.

        size: How many are kept.
    """

    def __init__(self, load: Callable[[str], Awaitable[Value]], *, size: int) -> None:
        self._load = load
        self._size = size
        self._tasks: OrderedDict[str, asyncio.Task[Value]] = OrderedDict()

    async def get(self, key: str) -> Value:
        """Return the value of *key*, or raise what loading it raised."""
        task = self._tasks.get(key)
        if task is None:
            task = self._tasks[key] = asyncio.create_task(self._loaded(key))
            task.add_done_callback(partial(self._forget_failed, key))
            if len(self._tasks) > self._size:
                self._tasks.popitem(last=False)
        else:
            self._tasks.move_to_end(key)
        return await asyncio.shield(task)  # whoever goes away leaves it to the others

    async def _loaded(self, key: str) -> Value:
        return await self._load(key)

    def _forget_failed(self, key: str, task: "asyncio.Task[Value]") -> None:
        failed = task.cancelled() or task.exception() is not None
        if failed and self._tasks.get(key) is task:
            del self._tasks[key]
