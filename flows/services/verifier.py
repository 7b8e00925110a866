"""
The embedded verifier server: an image-text model behind vLLM's API, on 127.0.0.1.

It serves one folder of weights. Whoever wants other weights, or the same folder with another
content, gets a new server: the name of the model that it lists tells.
"""

import http.client
import json
import logging
import os
import sys
import threading
import urllib.parse
import urllib.request
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from engine.errors import MaskloopError
from flows.services.daemon import Daemon, free_port, locked
from flows.services.secret import secret
from verifiers.tiny.server.weights import find_weights

log = logging.getLogger(__name__)

_READY_SECONDS = 180.0  # importing torch and transformers: 5 s alone, more under load
_PROBE_SECONDS = 5.0
WATCH_SECONDS = 2.0
_MAX_WAITING = 1024  # several clients with many requests each; one request has some 10 kB


@dataclass(frozen=True, slots=True, kw_only=True)
class Served:
    """How the server is reached."""

    address: str  # with /v1
    api_key: str


def start(home: Path, *, weights: Path) -> Served:
    """
    Return the running server of *weights*, starting it if needed.

    Raises:
        WeightsError: If *weights* is no folder of an image-text model.
        ConfigError: If *home* cannot be written.
        ServiceUnavailableError: If it does not start; the message shows the end of its log.
    """
    with _alone(home):
        return _start(home, weights)


@contextmanager
def kept(home: Path, *, weights: Path) -> Iterator[None]:
    """Start the server again, at the same address, whenever it dies while the block runs."""
    ended = threading.Event()

    def watch() -> None:
        while not ended.wait(WATCH_SECONDS):
            with suppress(MaskloopError), _alone(home):  # callers notice what stays down
                if _died(home):
                    log.warning("the verifier server died and is started again")
                    _start(home, weights)

    watcher = threading.Thread(target=watch, name="verifier watch", daemon=True)
    watcher.start()
    try:
        yield
    finally:
        ended.set()
        watcher.join()


def stop(home: Path) -> bool:
    """Stop the server; return whether it was running."""
    daemon = server(home)
    if not daemon.folder.exists():
        return False
    with _alone(home):
        return daemon.stop()


def server(home: Path) -> Daemon:
    """Return the server's daemon in *home*."""
    return Daemon(name="verifier server", folder=home / "verifier")


def is_healthy(address: str) -> bool:
    """Return whether a server answers at *address*, which ends in /v1."""
    try:
        with _open(f"{address.removesuffix('/v1')}/health") as answer:
            return bool(answer.status == 200)
    except (OSError, http.client.HTTPException, ValueError):  # ValueError: no url at all
        return False


def served_model(address: str, api_key: str) -> str:
    """Return the model that the server at *address* lists, "" if it does not answer."""
    try:
        with _open(f"{address}/models", api_key) as answer:
            return str(json.load(answer)["data"][0]["id"])
    except (OSError, http.client.HTTPException, ValueError, LookupError):
        return ""


def _port(address: str) -> int:
    """Return the port in an address, 0 for none."""
    return urllib.parse.urlsplit(address).port or 0


def _alone(home: Path) -> AbstractContextManager[None]:
    """Start, stop or look without others doing so."""
    return locked(server(home).folder / "starting.lock")


def _died(home: Path) -> bool:
    """Whether it ended without being stopped."""
    daemon = server(home)
    return daemon.running() is None and daemon.last_address != ""


def _start(home: Path, weights: Path) -> Served:
    name = find_weights(weights).name
    daemon = server(home)
    key_file = daemon.folder / "secret"
    api_key = secret(key_file)
    running = daemon.running()
    if running is not None and served_model(running.address, api_key) not in ("", name):
        daemon.stop()  # one that is too busy to answer goes on
    port = free_port(wish=_port(daemon.last_address))  # so that callers find it again
    address = f"http://127.0.0.1:{port}/v1"
    state = daemon.start(
        _command(weights, port=port, key_file=key_file),
        environment=os.environ,
        address=address,
        is_ready=lambda: is_healthy(address),
        timeout_seconds=_READY_SECONDS,
    )
    return Served(address=state.address, api_key=api_key)


def _command(weights: Path, *, port: int, key_file: Path) -> list[str]:
    return [
        sys.executable,
        "-P",  # no module of the working directory in place of ours
        *("-m", "verifiers.tiny.server"),
        *("--weights", str(weights.absolute())),
        *("--port", str(port)),
        *("--max-waiting", str(_MAX_WAITING)),
        *("--api-key-file", str(key_file)),
    ]


def _open(url: str, api_key: str = "") -> http.client.HTTPResponse:
    request = urllib.request.Request(url)
    if api_key:
        request.add_header("Authorization", f"Bearer {api_key}")
    response: http.client.HTTPResponse = urllib.request.urlopen(request, timeout=_PROBE_SECONDS)
    return response
