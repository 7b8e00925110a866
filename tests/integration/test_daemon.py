"""Daemons are real processes here."""

import os
import signal
import sys
import time
from pathlib import Path

import psutil
import pytest

from engine.errors import ServiceUnavailableError
from flows.services.daemon import Daemon, DaemonState

# A parent with a child: both must be gone after a stop.
_PROGRAM = """
import subprocess, sys, time, pathlib
child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
pathlib.Path(sys.argv[1]).write_text(str(child.pid))
time.sleep(600)
"""


def start(daemon: Daemon, child: Path, timeout_seconds: float = 20) -> DaemonState:
    return daemon.start(
        [sys.executable, "-c", _PROGRAM, str(child)],
        environment=os.environ,
        address="here",
        is_ready=lambda: child.exists() and child.read_text() != "",
        timeout_seconds=timeout_seconds,
    )


def test_a_second_start_finds_the_first(tmp_path: Path) -> None:
    daemon = Daemon(name="sleeper", folder=tmp_path / "sleeper")
    try:
        assert start(daemon, tmp_path / "child") == start(daemon, tmp_path / "child")
    finally:
        daemon.stop()


def test_a_stop_ends_the_children_too(tmp_path: Path) -> None:
    daemon = Daemon(name="sleeper", folder=tmp_path / "sleeper")
    state = start(daemon, tmp_path / "child")
    pids = [state.pid, int((tmp_path / "child").read_text())]

    assert daemon.stop()
    assert [] == [pid for pid in pids if _runs(pid)]
    assert daemon.running() is None


def test_a_killed_daemon_is_started_anew(tmp_path: Path) -> None:
    daemon = Daemon(name="sleeper", folder=tmp_path / "sleeper")
    first = start(daemon, tmp_path / "child")
    child = int((tmp_path / "child").read_text())
    os.kill(first.pid, signal.SIGKILL)
    os.kill(child, signal.SIGKILL)
    assert not _runs(first.pid)
    try:
        assert first.pid != start(daemon, tmp_path / "child").pid
    finally:
        daemon.stop()


def test_a_reused_pid_is_not_believed(tmp_path: Path) -> None:
    daemon = Daemon(name="sleeper", folder=tmp_path / "sleeper")
    daemon.folder.mkdir()
    text = f'{{"pid": {os.getpid()}, "started_at": 1.0, "address": "here"}}'
    (daemon.folder / "state.json").write_text(text)

    assert daemon.running() is None
    assert not daemon.stop()


def test_a_start_that_fails_says_what_the_log_says(tmp_path: Path) -> None:
    daemon = Daemon(name="broken", folder=tmp_path / "broken")

    with pytest.raises(ServiceUnavailableError, match="out of luck"):
        daemon.start(
            [sys.executable, "-c", "raise SystemExit('out of luck')"],
            environment=os.environ,
            address="",
            is_ready=lambda: False,
            timeout_seconds=20,
        )


def test_a_start_that_hangs_leaves_nothing_running(tmp_path: Path) -> None:
    daemon = Daemon(name="slow", folder=tmp_path / "slow")
    child = tmp_path / "child"

    with pytest.raises(ServiceUnavailableError, match="not ready"):
        daemon.start(
            [sys.executable, "-c", _PROGRAM, str(child)],
            environment=os.environ,
            address="",
            is_ready=lambda: False,
            timeout_seconds=2,
        )
    assert not _runs(int(child.read_text()))


def _runs(pid: int) -> bool:
    """A child of ours that ended stays in the process table until it is waited for."""
    deadline = time.monotonic() + 5
    while time.monotonic() < deadline:
        if not psutil.pid_exists(pid) or psutil.Process(pid).status() == psutil.STATUS_ZOMBIE:
            return False
        time.sleep(0.05)
    return True
