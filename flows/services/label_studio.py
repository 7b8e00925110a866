"""
The embedded Label Studio: in an environment of its own, on SQLite in the home, on 127.0.0.1.

It is Label Studio's own server, Django's, with a thread for each connection. Below the home's
`label-studio` lie

  venv           the environment, unless the settings name another place
  data           database and uploads
  secret         signs sessions and tokens
  accounts.json  who is let in; see `flows.services.label_studio_users`
  port           where it listened last, so that it is found there again
"""

import logging
import threading
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import psutil

from engine.errors import MaskloopError, ServiceUnavailableError
from flows.services.daemon import Daemon, free_port, locked, write_atomically
from flows.services.label_studio_access import is_healthy
from flows.services.label_studio_environment import environment
from flows.services.label_studio_install import install, is_installed
from flows.services.label_studio_users import OWNER, accounts, accounts_path, queue_emails

log = logging.getLogger(__name__)

_READY_SECONDS = 600.0  # the first start makes the database: 31 s alone, 187 s were seen under load
WATCH_SECONDS = 2.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Served:
    """How the server is reached."""

    address: str
    token: str  # of the account that owns everything in it


def start(home: Path, *, venv: Path | None = None) -> Served:
    """
    Return the running server of *home*, installing and starting it if needed.

    Args:
        home: The maskloop home.

        venv: Where it is installed. None: in the home.

    Raises:
        ConfigError: If it cannot be installed here, or *home* cannot be written.
        ServiceUnavailableError: If it cannot be fetched or does not start.
    """
    with _alone(home):
        return _start(home, venv)


@contextmanager
def kept(home: Path, *, venv: Path | None = None) -> Iterator[None]:
    """Start the server again, at the same address, whenever it dies while the block runs."""
    ended = threading.Event()

    def watch() -> None:
        while not ended.wait(WATCH_SECONDS):
            with suppress(MaskloopError), _alone(home):  # callers notice what stays down
                if _died(home):
                    log.warning("Label Studio died and is started again")
                    _start(home, venv)

    watcher = threading.Thread(target=watch, name="Label Studio watch", daemon=True)
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
    return Daemon(name="Label Studio", folder=home / "label-studio")


def reviewers(home: Path, emails: Sequence[str], *, venv: Path | None = None) -> dict[str, str]:
    """
    Return a token for each of *emails*, making accounts for those that have none.

    Raises:
        ConfigError: If an e-mail address is none.
        ServiceUnavailableError: If the server does not run.
    """
    state = server(home).running()
    if state is None:
        raise ServiceUnavailableError("Label Studio does not run: start it by maskloop up --review")
    python = install(venv_folder(home, venv))
    found = accounts(server(home).folder, emails, address=state.address, python=python)
    return {email: account.token for email, account in found.items()}


def accounts_file(home: Path) -> Path:
    """Return the file with the names, passwords and tokens of all who are let in."""
    return accounts_path(server(home).folder)


def venv_folder(home: Path, venv: Path | None) -> Path:
    """Return where Label Studio is installed."""
    return venv or server(home).folder / "venv"


def _alone(home: Path) -> AbstractContextManager[None]:
    """Start, stop or look without others doing so."""
    return locked(server(home).folder / "starting.lock")


def _died(home: Path) -> bool:
    """Whether it ended without being stopped."""
    daemon = server(home)
    return daemon.running() is None and daemon.last_address != ""


def _start(home: Path, venv: Path | None) -> Served:
    daemon = server(home)
    if not is_installed(venv_folder(home, venv)):
        daemon.stop()  # it would lose what it runs from
    python = install(venv_folder(home, venv))
    address = _launch(daemon, python)
    known = accounts(daemon.folder, queue_emails(), address=address, python=python)
    return Served(address=address, token=known[OWNER].token)


def _launch(daemon: Daemon, python: Path) -> str:
    """Return the address of the running server, starting it if needed."""
    if (running := daemon.running()) is not None:
        return running.address
    port = free_port(wish=_last_port(daemon))
    address = f"http://127.0.0.1:{port}"
    daemon.start(
        [
            *(str(python), "-P", "-m", "label_studio.server", "start", "--no-browser"),
            *("--internal-host", "127.0.0.1", "--port", str(port)),
        ],
        environment=environment(daemon.folder),
        address=address,
        is_ready=lambda: _listens(daemon, port) and is_healthy(address),
        timeout_seconds=_READY_SECONDS,
    )
    write_atomically(_port_path(daemon), str(port))
    return address


def _listens(daemon: Daemon, port: int) -> bool:
    """
    Return whether this daemon, and nobody else, listens on *port*.

    Raises:
        ServiceUnavailableError: If it listens elsewhere: Label Studio goes on to the next port
            when it finds one taken.
    """
    ports = _open_ports(daemon)
    if ports and port not in ports:
        raise ServiceUnavailableError(f"another program took port {port}: try again")
    return port in ports


def _open_ports(daemon: Daemon) -> set[int]:
    state = daemon.running()
    with suppress(psutil.Error):
        if state is not None:
            opened = psutil.Process(state.pid).net_connections(kind="inet")
            return {each.laddr.port for each in opened if each.status == psutil.CONN_LISTEN}
    return set()


def _last_port(daemon: Daemon) -> int:
    """Return where it listened last, 0 for nowhere yet."""
    try:
        return int(_port_path(daemon).read_text())
    except (FileNotFoundError, ValueError):
        return 0


def _port_path(daemon: Daemon) -> Path:
    return daemon.folder / "port"
