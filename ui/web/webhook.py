"""
Label Studio's webhook: a hint that there is news, and nothing more.

What a webhook says is not read for facts: it may be lost, doubled or late, and the desk's loop
looks for itself. So it is answered at once, and many hints become few.
"""

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Callable

from engine.errors import MaskloopError

log = logging.getLogger(__name__)

QUIET_SECONDS = 0.5  # between two hints that are passed on


class Hints:
    """
    Passes hints on: the first one at once, those of the next QUIET_SECONDS together as one more.

    Args:
        passed_on: Tells whoever waits; it may block.
    """

    def __init__(self, passed_on: Callable[[], None]) -> None:
        self._pass_on = passed_on
        self._news = asyncio.Event()

    def give(self) -> None:
        """Take a hint; it is passed on soon."""
        self._news.set()

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Pass hints on while the block runs."""
        passing = asyncio.create_task(self._run(), name="hints")
        try:
            yield
        finally:
            passing.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await passing

    async def _run(self) -> None:
        while True:
            await self._news.wait()
            self._news.clear()
            try:
                await asyncio.to_thread(self._pass_on)
            except MaskloopError as exc:
                log.warning("a hint was lost, the desk is read at its next turn: %s", exc)
            await asyncio.sleep(QUIET_SECONDS)
