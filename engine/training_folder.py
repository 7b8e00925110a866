"""
The folder of a training, whatever is trained.

It is named by everything that the weights depend on, so the same command finds it again. What lies
in it is whole or not there, and one command at a time trains in it.
"""

import fcntl
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from engine.errors import ConfigError, TransientError

CHECKPOINT = "checkpoint.pt"
WEIGHTS = "weights"

_LOCK = "lock"


@contextmanager
def alone_in(folder: Path) -> Iterator[None]:
    """
    Hold *folder*, made if it is missing, while the block runs; a process that ends lets go.

    Raises:
        TransientError: If another process holds it.
        ConfigError: If it cannot be made.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        file = (folder / _LOCK).open("w")
    except OSError as exc:
        raise ConfigError(f"{folder} cannot be written: {exc.strerror}") from exc
    with file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as exc:
            msg = f"another command trains in {folder} now"
            raise TransientError(f"{msg}: wait for it; the same command then takes over") from exc
        yield


def write_whole(path: Path, write: Callable[[Path], object]) -> None:
    """
    Let *write* make a file beside *path*, then rename it: a kill leaves the old one or the new one.

    Raises:
        TransientError: If it cannot be written, such as on a full disk; the old one is still there.
    """
    unfinished = path.with_suffix(".unfinished")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write(unfinished)
        unfinished.replace(path)
    except (OSError, RuntimeError) as exc:  # torch's writer raises the latter on a full disk
        unfinished.unlink(missing_ok=True)
        msg = f"{path} cannot be written: {exc}"
        raise TransientError(
            f"{msg}; what was there still is: free disk space and run the same again"
        ) from exc


def kept_steps(path: Path, find: Callable[[], int]) -> int:
    """
    Return a number of steps that is found out once, when a training begins, and then kept.

    A training that was killed and goes on so ends where it would have ended. Raises as `alone_in`
    and `write_whole`.
    """
    if not path.exists():
        with alone_in(path.parent):
            num_steps = find()
            write_whole(path, lambda unfinished: unfinished.write_text(str(num_steps), "utf-8"))
    return int(path.read_text("utf-8"))
