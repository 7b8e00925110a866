"""
The embedded web app: media, webhook and assist backend, on 127.0.0.1 unless the settings say more.

It reads the same settings as whoever starts it. Whoever wants other ones stops it first; another
port alone is noticed.
"""

import http.client
import os
import sys
import urllib.parse
import urllib.request
from contextlib import AbstractContextManager
from pathlib import Path

from flows.services.daemon import Daemon, DaemonState, free_port, locked
from flows.settings import Settings, path_variables

_READY_SECONDS = 60.0  # importing the database's and the web's libraries: 2 s alone
_PROBE_SECONDS = 2.0


def start(settings: Settings) -> str:
    """
    Return the address of the running app, starting it if needed. Its database must run.

    Raises:
        ConfigError: If the home cannot be written.
        ServiceUnavailableError: If it does not start; the message shows the end of its log.
    """
    with _alone(settings.home):
        return _start(settings)


def stop(home: Path) -> bool:
    """Stop the app; return whether it was running."""
    daemon = server(home)
    if not daemon.folder.exists():
        return False
    with _alone(home):
        return daemon.stop()


def running(home: Path) -> DaemonState | None:
    """Return the state of the running app, or None."""
    return server(home).running()


def server(home: Path) -> Daemon:
    """Return the app's daemon in *home*."""
    return Daemon(name="web app", folder=home / "web")


def is_healthy(address: str) -> bool:
    """Return whether an app answers at *address*."""
    try:
        with urllib.request.urlopen(f"{address}/health", timeout=_PROBE_SECONDS) as answer:
            return bool(answer.status == 200)
    except (OSError, http.client.HTTPException, ValueError):  # ValueError: no url at all
        return False


def _alone(home: Path) -> AbstractContextManager[None]:
    return locked(server(home).folder / "starting.lock")


def _start(settings: Settings) -> str:
    daemon, wish = server(settings.home), settings.review.web.port
    state = daemon.running()
    if state is not None and wish not in (0, _port(state.address)):
        daemon.stop()
    # Addresses of pictures hold the port: people's open tasks shall find it again.
    port = wish or free_port(wish=_port(daemon.last_address) or _last_port(daemon))
    address = f"http://127.0.0.1:{port}"
    state = daemon.start(
        [sys.executable, "-P", "-m", "flows.web", "--port", str(port)],
        environment={**os.environ, **path_variables(settings)},
        address=address,
        is_ready=lambda: is_healthy(address),
        timeout_seconds=_READY_SECONDS,
    )
    _port_path(daemon).write_text(str(_port(state.address)))
    return state.address


def _last_port(daemon: Daemon) -> int:
    """Return the port of the app that was stopped last, 0 if there was none."""
    path = _port_path(daemon)
    text = path.read_text() if path.exists() else ""
    return int(text) if text.isdigit() else 0


def _port_path(daemon: Daemon) -> Path:
    return daemon.folder / "port"


def _port(address: str) -> int:
    """Return the port in an address, 0 for none."""
    return urllib.parse.urlsplit(address).port or 0
