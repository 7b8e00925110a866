"""
The review desk's process as a daemon: it reads answers and keeps the window in step.

It has no address. Two of them do no harm: they take turns.
"""

import os
import sys
from pathlib import Path

from flows.services.daemon import Daemon, DaemonState
from flows.settings import Settings, path_variables

_READY_SECONDS = 600.0  # it may start Label Studio first


def start(settings: Settings) -> DaemonState:
    """
    Return the running process, starting it if needed. Database and web app must run.

    Raises:
        ConfigError: If the home cannot be written.
        ServiceUnavailableError: If it does not start; the message shows the end of its log.
    """
    daemon, ready = process(settings.home), ready_file(settings.home)
    if (state := daemon.running()) is not None:
        return state
    ready.unlink(missing_ok=True)
    return daemon.start(
        [sys.executable, "-P", "-m", "flows.review_desk"],
        environment={**os.environ, **path_variables(settings)},
        address="",
        is_ready=ready.exists,
        timeout_seconds=_READY_SECONDS,
    )


def stop(home: Path) -> bool:
    """Stop the process; return whether it was running."""
    return process(home).stop()


def process(home: Path) -> Daemon:
    """Return the process' daemon in *home*."""
    return Daemon(name="review desk", folder=home / "desk")


def ready_file(home: Path) -> Path:
    """Return the file that is there once the process has taken its first turn."""
    return process(home).folder / "ready"
