"""
Signs of life: a worker registers, beats while it lives, and renews its leases in the background.
"""

import contextlib
import logging
import os
import socket
import threading
from collections.abc import Callable, Iterator

from sqlalchemy.engine import Engine

from db.session import transaction
from db.workers import beat, end_worker, start_worker
from engine.errors import TransientError

log = logging.getLogger(__name__)

BEATS_PER_LEASE = 4


@contextlib.contextmanager
def registered(worker: str, *, engine: Engine, lease_seconds: float) -> Iterator[None]:
    """Be known as *worker* and beat while the block runs."""

    def tell() -> None:
        with transaction(engine) as session:
            beat(session, worker)

    with transaction(engine) as session:
        start_worker(session, worker, host=socket.gethostname(), pid=os.getpid())
    try:
        with repeated(tell, every_seconds=lease_seconds / BEATS_PER_LEASE):
            yield
    finally:
        with contextlib.suppress(TransientError), transaction(engine) as session:
            end_worker(session, worker)


@contextlib.contextmanager
def repeated(action: Callable[[], None], *, every_seconds: float) -> Iterator[None]:
    """Call *action* again and again in a thread until the block ends."""
    ended = threading.Event()

    def repeat() -> None:
        while not ended.wait(every_seconds):
            try:
                action()
            except Exception as error:
                # The border of the thread: one failed beat must not end the others. Whether the
                # lease was lost is found out for certain by the write at the end of the shard.
                log.warning("beat failed", extra={"reason": str(error)})

    thread = threading.Thread(target=repeat, daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()
