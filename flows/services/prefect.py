"""
The embedded Prefect server: on SQLite in the home, on 127.0.0.1, found by its API address.

Prefect reads its settings when it is imported, so `use` must run before the first import of
prefect in a process; commands import it late for that reason.
"""

import http.client
import os
import sys
import urllib.request
from collections.abc import Mapping
from pathlib import Path

from engine.errors import ConfigError
from flows.services.daemon import Daemon, DaemonState, free_port
from flows.services.secret import secret

_READY_SECONDS = 180.0  # the first start migrates the database: 12 s alone, more under load
_PROBE_SECONDS = 2.0


def start(home: Path) -> str:
    """Return the API address of the running server, starting it if needed."""
    daemon = server(home)
    if (state := daemon.running()) is not None:
        return state.address
    port = free_port()
    address = f"http://127.0.0.1:{port}/api"
    executable = Path(sys.executable).with_name("prefect")
    command = [str(executable), "server", "start", "--host", "127.0.0.1", "--port", str(port)]
    state = daemon.start(
        command,
        environment={**os.environ, **environment(home, api_url=address), **credentials(home)},
        address=address,
        is_ready=lambda: is_healthy(address),
        timeout_seconds=_READY_SECONDS,
    )
    return state.address


def stop(home: Path) -> bool:
    """Stop the server; return whether it was running."""
    return server(home).stop()


def running(home: Path) -> DaemonState | None:
    """Return the state of the running server, or None."""
    return server(home).running()


def server(home: Path) -> Daemon:
    """Return the server's daemon in *home*."""
    return Daemon(name="Prefect server", folder=home / "prefect")


def use(home: Path, *, api_url: str) -> None:
    """
    Make this process, and what it starts, talk to the server at *api_url*.

    Raises:
        ConfigError: If *home* cannot be written.
    """
    _folder(home)
    os.environ.update(environment(home, api_url=api_url))
    own = running(home)
    if own is not None and own.address == api_url:
        os.environ.update(credentials(home))


def environment(home: Path, *, api_url: str) -> Mapping[str, str]:
    """Return the variables that point Prefect at *api_url* and keep its files in *home*."""
    return {
        "PREFECT_HOME": str(home / "prefect"),
        "PREFECT_API_URL": api_url,
        "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
        "DO_NOT_TRACK": "1",
        "PREFECT_LOGGING_EXTRA_LOGGERS": "engine,models,verifiers,db,ui,flows",
        "PREFECT_LOGGING_TO_API_WHEN_MISSING_FLOW": "ignore",
        "PREFECT_LOGGING_HANDLERS_CONSOLE_LEVEL": "WARNING",
        "PREFECT_SERVER_LOGGING_LEVEL": "WARNING",
        "PREFECT_CLI_PROMPT": "false",
    }


def credentials(home: Path) -> Mapping[str, str]:
    """
    Return the variables by which the embedded server and its clients know each other.

    Whoever reaches the server could have any code run on the workers, and 127.0.0.1 belongs to all
    users of a machine. The secret is made at random on the first start, in a file for its owner.
    """
    shared = secret(_folder(home) / "secret", prefix="maskloop:")
    names = ("PREFECT_SERVER_API_AUTH_STRING", "PREFECT_API_AUTH_STRING")
    return dict.fromkeys(names, shared)


def is_healthy(api_url: str) -> bool:
    """Return whether a Prefect server answers at *api_url*."""
    try:
        with urllib.request.urlopen(f"{api_url}/health", timeout=_PROBE_SECONDS) as answer:
            return bool(answer.status == 200)
    except (OSError, http.client.HTTPException, ValueError):  # ValueError: no url at all
        return False


def _folder(home: Path) -> Path:
    """Return the folder of the server's files; Prefect makes no parents of its own."""
    folder = home / "prefect"
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as exc:
        raise ConfigError(f"{home} cannot be written: choose another maskloop home") from exc
    return folder
