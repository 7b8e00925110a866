"""
Work done by threads a bounded number of inputs ahead, answered in order.

Image decoding, resizing and run-length encoding spend their time in C and give up the interpreter
lock there, so threads keep the next batch ready while a model computes.
"""

from collections import deque
from collections.abc import Callable, Generator, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

In = TypeVar("In")
Out = TypeVar("Out")


def prefetched(
    function: Callable[[In], Out],
    inputs: Iterable[In],
    *,
    num_threads: int,
    num_ahead: int,
    initializer: Callable[[], None] | None = None,
) -> Generator[Out, None, None]:
    """
    Yield ``function(one)`` for each of *inputs*, in their order.

    Args:
        function: Called on a thread of this call's own pool.

        inputs: Pulled by the thread that consumes the results, so it needs no lock.

        num_threads: How many calls run at the same time, at least 1.

        num_ahead: How many inputs are pulled beyond the one whose result is awaited. Memory holds
            that many inputs and results, however many inputs there are.

        initializer: Called once on each thread before its first input.

    Raises:
        Exception: What *function* raised, at the place of its input. Inputs that wait are dropped;
            those being computed are finished first. Closing the iterator early does the same.
    """
    pool = ThreadPoolExecutor(num_threads, "prefetch", initializer)
    waiting: deque[Future[Out]] = deque()
    try:
        for one in inputs:
            waiting.append(pool.submit(function, one))
            if len(waiting) > num_ahead:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
    finally:
        pool.shutdown(wait=True, cancel_futures=True)
