"""
The environment of the embedded Label Studio: made once, by pip, from a lock of its own.

Label Studio holds packages back that maskloop uses newer, so the two never share an environment.
Below the folder given lie

  env-<digest>  one environment, named after the lock and the version of Python. Its file
                `installed` is written last: where it is missing, the installation was cut off
  lock          held while somebody installs, by pip as well: one that outlives us is waited for
  pip.txt       what pip said the last time

Another lock gives another environment; the old one goes when the new one is complete.
"""

import contextlib
import fcntl
import hashlib
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import IO

from engine.errors import ConfigError, ServiceUnavailableError
from flows.console import note, progress

LOCK = Path(__file__).with_name("label-studio.lock")

_SIZE_MB = 920  # of the installed environment
_FREE_MB = 1500  # with what pip keeps meanwhile
_FIRST_WITHOUT_WHEELS = (3, 14)  # Label Studio 1.23 wants numpy below 2.3, built for 3.13 and older
_TAKEN_UP = ("Collecting ", "Processing ", "Ignoring ")  # how pip begins on a package
_PROBE_SECONDS = 60.0


def install(folder: Path, *, lock: Path = LOCK) -> Path:
    """
    Return the Python of Label Studio's environment in *folder*, installing it if needed.

    Any number of processes may call this at once: one installs, the others wait for it.

    Args:
        folder: Holds nothing else.

        lock: A requirements file that pins every package.

    Raises:
        ConfigError: If no environment can be made here.
        ServiceUnavailableError: If pip could not fetch or install a package.
    """
    place = _place(folder, lock)
    with _alone(folder) as held:
        if not _is_complete(place):
            _make(place, lock, said=folder / "pip.txt", held=held)
            _remove_others(place)
    return _python(place)


def is_installed(folder: Path, *, lock: Path = LOCK) -> bool:
    """Return whether the environment of *lock* is complete in *folder*."""
    return _is_complete(_place(folder, lock))


def installed_version(folder: Path) -> str:
    """
    Return the version of Label Studio in *folder*; "" where nothing was ever installed.

    Raises:
        ConfigError: If there is an environment that does not work.
    """
    if not any(folder.glob("env-*")):
        return ""
    if not is_installed(folder):
        raise ConfigError(f"the installation in {folder} is of another version, or was cut off")
    look = "import django, label_studio, rest_framework; print(label_studio.__version__)"
    try:
        found = subprocess.run(
            [str(_python(_place(folder, LOCK))), "-I", "-c", look],
            capture_output=True,
            text=True,
            check=True,
            timeout=_PROBE_SECONDS,
        )
    except (OSError, subprocess.SubprocessError) as exc:
        why = _last_line(getattr(exc, "stderr", "") or str(exc))
        raise ConfigError(f"the installation in {folder} is broken: {why}") from exc
    return found.stdout.strip()


def _place(folder: Path, lock: Path) -> Path:
    made_of = lock.read_bytes() + bytes(sys.version_info[:2])
    return folder.absolute() / f"env-{hashlib.blake2b(made_of, digest_size=6).hexdigest()}"


def _python(place: Path) -> Path:
    return place / "bin" / "python"


def _is_complete(place: Path) -> bool:
    return (place / "installed").exists() and _python(place).exists()


@contextlib.contextmanager
def _alone(folder: Path) -> Iterator[int]:
    """Yield the file descriptor of the folder's lock while it is held."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        file = (folder / "lock").open("w")
    except OSError as exc:
        msg = f"{folder} cannot be written: {exc.strerror}"
        raise ConfigError(f"{msg}: choose another home, or set MASKLOOP_REVIEW__VENV") from exc
    with file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            note("waiting for another process that installs Label Studio")
            fcntl.flock(file, fcntl.LOCK_EX)
        yield file.fileno()


def _make(place: Path, lock: Path, *, said: Path, held: int) -> None:
    _check_machine(place)
    note(f"installing Label Studio into {place}, once: {_SIZE_MB} MB, a minute or more")
    shutil.rmtree(place, ignore_errors=True)
    made = subprocess.run(
        [sys.executable, "-m", "venv", place], capture_output=True, text=True, pass_fds=[held]
    )
    if made.returncode != 0:
        why = _last_line(made.stderr) or _last_line(made.stdout)
        raise ConfigError(f"Python makes no environment: {why}: install python3-venv or ensurepip")
    with said.open("w") as log:
        code = _run_pip(place, lock, log=log, held=held)
    if code != 0:
        msg = f"Label Studio was not installed: {_last_error(said.read_text())} (see {said})"
        raise ServiceUnavailableError(f"{msg}: check that pip reaches its index, then try again")
    (place / "installed").touch()


def _check_machine(place: Path) -> None:
    """Say before anything is fetched what cannot work."""
    instead = "give a server by MASKLOOP_REVIEW__ADDRESS and __TOKEN"
    if sys.version_info >= _FIRST_WITHOUT_WHEELS:
        raise ConfigError(
            f"Label Studio needs Python 3.11 to 3.13: run maskloop on it, or {instead}"
        )
    free = shutil.disk_usage(place.parent).free >> 20
    if free < _FREE_MB:
        msg = f"{place.parent} has {free} MB free and Label Studio needs {_FREE_MB} to install"
        raise ConfigError(f"{msg}: set MASKLOOP_REVIEW__VENV to another disk, or {instead}")


def _run_pip(place: Path, lock: Path, *, log: IO[str], held: int) -> int:
    """Install what *lock* pins, show how far it is, and return pip's exit code."""
    options = ["--disable-pip-version-check", "--no-input", "--progress-bar", "off", "--no-deps"]
    pip = subprocess.Popen(
        [_python(place), "-I", "-m", "pip", "install", *options, "-r", lock],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        pass_fds=[held],
    )
    assert pip.stdout is not None, "it was asked for"
    with pip:
        try:
            _show(pip.stdout, log, total=_count(lock))
        except BaseException:
            pip.kill()
            raise
    return pip.returncode


def _show(said: IO[str], log: IO[str], *, total: int) -> None:
    """Keep what pip says in *log* and show its progress over *total* packages."""
    with progress("fetching Label Studio", total) as bar:
        for line in said:
            log.write(line)
            bar.advance(int(line.startswith(_TAKEN_UP)))
            if line.startswith("Installing collected"):
                break
    with progress("unpacking Label Studio", None):
        log.writelines(said)


def _count(lock: Path) -> int:
    return len(re.findall(r"^[A-Za-z0-9]", lock.read_text(), flags=re.MULTILINE))


def _remove_others(place: Path) -> None:
    for other in place.parent.glob("env-*"):
        if other != place:
            shutil.rmtree(other, ignore_errors=True)


def _last_error(said: str) -> str:
    errors = [line for line in said.splitlines() if line.startswith("ERROR")]
    return errors[-1].removeprefix("ERROR:").strip() if errors else _last_line(said)


def _last_line(text: str) -> str:
    return next((line.strip() for line in reversed(text.splitlines()) if line.strip()), "")
