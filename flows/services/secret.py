"""Secrets between a service and its callers, made at random on the first start."""

import contextlib
import os
import secrets
from pathlib import Path

from engine.errors import ConfigError

_RANDOM_BYTES = 32


def secret(path: Path, *, prefix: str = "") -> str:
    """
    Return the secret in the file at *path*, which only its owner can read.

    Any number of processes may ask at once: the first one makes it.

    Args:
        path: Its folder is made if there is none.

        prefix: What a new secret begins with.

    Raises:
        ConfigError: If the folder cannot be written.
    """
    beside = path.with_name(f"{path.name}.{os.getpid()}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        if not path.exists():
            beside.touch(mode=0o600)
            beside.write_text(prefix + secrets.token_urlsafe(_RANDOM_BYTES))
            with contextlib.suppress(FileExistsError):
                os.link(beside, path)  # whole or not at all, and the first one stays
            beside.unlink()
        return path.read_text()
    except OSError as exc:
        msg = f"{path} cannot be written: {exc.strerror}"
        raise ConfigError(f"{msg}: choose another maskloop home") from exc
