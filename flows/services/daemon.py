"""
A process that outlives the command which started it: started once, found again, stopped for sure.

Each daemon has a folder in the home with `state.json` (pid, start time of the process, address)
and `log.txt`. A pid alone is not believed: it may belong to another process after a reboot, so
the start time must match too.
"""

import contextlib
import fcntl
import json
import os
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import psutil

from engine.errors import ConfigError, ServiceUnavailableError

_STOP_SECONDS = 20.0  # then the whole process group is killed
_POLL_SECONDS = 0.1
_PORT_SECONDS = 2.0  # a killed server holds its port a little longer than its process lives
_START_TIME_SLACK_SECONDS = 1.0  # clock ticks: psutil rounds the start time

# Daemons that this very process started: their exit must be collected here, or they stay zombies.
_OWN_CHILDREN: dict[int, subprocess.Popen[bytes]] = {}


@dataclass(frozen=True, slots=True, kw_only=True)
class DaemonState:
    """What is remembered about a running daemon."""

    pid: int
    started_at: float  # seconds since the epoch, as the operating system tells
    address: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Daemon:
    """One kind of daemon in one home."""

    name: str
    folder: Path

    @property
    def log_path(self) -> Path:
        return self.folder / "log.txt"

    @property
    def last_address(self) -> str:
        """Where it answers, or did before it died; "" if it was stopped or never started."""
        state = self._read_state()
        return state.address if state else ""

    @property
    def is_expected(self) -> bool:
        """Whether it was started and not stopped, be it alive or not."""
        return self._read_state() is not None

    def running(self) -> DaemonState | None:
        """Return the state of the live process, or None."""
        state = self._read_state()
        return state if state and _is_alive(state) else None

    def start(
        self,
        command: Sequence[str],
        *,
        environment: Mapping[str, str],
        address: str,
        is_ready: Callable[[], bool],
        timeout_seconds: float,
    ) -> DaemonState:
        """
        Return the running daemon, starting it if there is none.

        Args:
            command: Program and arguments. It must stay in the foreground.

            environment: The whole environment of the process.

            address: Where it will answer.

            is_ready: Asked until it says yes.

            timeout_seconds: How long to ask.

        Raises:
            ConfigError: If the folder cannot be written.
            ServiceUnavailableError: If it ended or was not ready in time; it is stopped then, and
                the message shows the end of its log.
        """
        with locked(self.folder / "lock"):
            if (state := self.running()) is not None:
                return state
            state = self._spawn(command, environment, address)
            try:
                self._wait(state, is_ready, timeout_seconds)
            except BaseException:
                self.stop()
                raise
            return state

    def stop(self) -> bool:
        """Stop the daemon and all its children; return whether it was running."""
        state = self.running()
        if state is not None:
            _stop_group(state.pid)
        self._state_path.unlink(missing_ok=True)
        return state is not None

    @property
    def _state_path(self) -> Path:
        return self.folder / "state.json"

    def _read_state(self) -> DaemonState | None:
        try:
            return DaemonState(**json.loads(self._state_path.read_text()))
        except (FileNotFoundError, NotADirectoryError, json.JSONDecodeError, TypeError):
            return None

    def _spawn(
        self, command: Sequence[str], environment: Mapping[str, str], address: str
    ) -> DaemonState:
        with self.log_path.open("ab") as log:
            started = subprocess.Popen(
                command,
                env=dict(environment),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,  # Ctrl-C in the terminal is not for the daemon
            )
        _OWN_CHILDREN[started.pid] = started
        started_at = psutil.Process(started.pid).create_time()
        state = DaemonState(pid=started.pid, started_at=started_at, address=address)
        write_atomically(self._state_path, json.dumps(asdict(state)))
        return state

    def _wait(
        self, state: DaemonState, is_ready: Callable[[], bool], timeout_seconds: float
    ) -> None:
        deadline = time.monotonic() + timeout_seconds
        while not is_ready():
            if not _is_alive(state):
                raise ServiceUnavailableError(
                    f"{self.name} ended while starting: {self._log_end()}"
                )
            if time.monotonic() > deadline:
                waited = f"{self.name} was not ready within {timeout_seconds:.0f} s"
                raise ServiceUnavailableError(f"{waited}: {self._log_end()}")
            time.sleep(_POLL_SECONDS)

    def _log_end(self) -> str:
        lines = self.log_path.read_text(errors="replace").splitlines()[-3:]
        return f"see {self.log_path}; it ends with {' | '.join(lines)!r}"


@contextlib.contextmanager
def locked(path: Path) -> Iterator[None]:
    """
    Hold the lock file at *path*: two commands that start the same thing take turns.

    Raises:
        ConfigError: If the file cannot be made.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        file = path.open("w")
    except OSError as exc:
        msg = f"{path.parent} cannot be written: {exc.strerror}"
        raise ConfigError(f"{msg}: choose another maskloop home") from exc
    with file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def write_atomically(path: Path, text: str) -> None:
    """Write *text* beside *path* and rename, so that no reader sees half of it."""
    beside = path.with_name(f"{path.name}.{os.getpid()}")
    beside.write_text(text)
    beside.replace(path)


def free_port(wish: int = 0) -> int:
    """Return a TCP port of 127.0.0.1 that nobody listens on at this moment: *wish*, if it is."""
    deadline = time.monotonic() + _PORT_SECONDS
    while time.monotonic() < deadline:
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # as servers do
            try:
                probe.bind(("127.0.0.1", wish))
            except OSError:
                time.sleep(_POLL_SECONDS)
                continue
            port: int = probe.getsockname()[1]
            return port
    return free_port()


def _is_alive(state: DaemonState) -> bool:
    own = _OWN_CHILDREN.get(state.pid)
    if own is not None and own.poll() is not None:
        del _OWN_CHILDREN[state.pid]
        return False
    try:
        known = psutil.Process(state.pid)
        if known.status() == psutil.STATUS_ZOMBIE:
            return False
        return abs(known.create_time() - state.started_at) < _START_TIME_SLACK_SECONDS
    except psutil.NoSuchProcess:
        return False


def _stop_group(pid: int) -> None:
    """End the process and its group; a daemon leads its own group, so nothing else is hit."""
    leader = psutil.Process(pid)
    members = [leader, *leader.children(recursive=True)]
    with contextlib.suppress(ProcessLookupError):
        os.killpg(pid, signal.SIGTERM)
    _, alive = psutil.wait_procs(members, timeout=_STOP_SECONDS)
    for survivor in alive:
        with contextlib.suppress(psutil.NoSuchProcess):
            survivor.kill()
    psutil.wait_procs(alive, timeout=_STOP_SECONDS)
    if (own := _OWN_CHILDREN.pop(pid, None)) is not None:
        own.wait()
