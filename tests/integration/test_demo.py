"""The demo, as `make demo` runs it."""

import json
import os
import signal
import subprocess
import time
from pathlib import Path

import psutil
import pytest

from tests.commands import MASKLOOP

pytestmark = [pytest.mark.service, pytest.mark.timeout(900)]


def environment(home: Path) -> dict[str, str]:
    """Return an environment in which everything of the demo lies in *home*."""
    ours = {name for name in os.environ if name.startswith("MASKLOOP_")}
    outside = ours | {"DATABASE_URL"}
    kept = {
        name: value
        for name, value in os.environ.items()
        if name not in outside and not name.startswith("PREFECT_")
    }
    return {**kept, "MASKLOOP_HOME": str(home)}


def living(home: Path) -> list[str]:
    """Return the command lines of all processes that work in *home*."""
    return [
        " ".join(process.info["cmdline"] or [])
        for process in psutil.process_iter(["cmdline", "environ"])
        if str(home) in f"{process.info['cmdline']} {process.info['environ']}"
    ]


def test_the_demo_reaches_its_goals_and_leaves_nothing_running(tmp_path: Path) -> None:
    home, result = tmp_path / "home", tmp_path / "result.json"
    command = [str(MASKLOOP), "demo", "--json", str(result)]
    done = subprocess.run(command, env=environment(home), capture_output=True, text=True)

    assert done.returncode == 0, done.stdout + done.stderr
    rows = {row["name"]: row for row in json.loads(result.read_text())}
    assert {"name", "value", "interval", "goal", "holds"} == set(rows["cgF1, base concepts"])
    assert rows["cgF1, base concepts"]["holds"]
    assert rows["IL_MCC, base concepts"]["holds"]
    assert rows["cgF1, new concepts"]["value"] < 0.1 < rows["cgF1, base concepts"]["value"]
    assert rows["mv_accuracy"]["holds"]
    assert rows["ev_accuracy"]["holds"]
    assert rows["cgF1_ev"]["value"] > rows["cgF1_proposer"]["value"] + 0.03
    assert rows["cgF1_ev_mv"]["holds"]
    assert rows["pairs finished without a person"]["value"] > 500
    assert rows["error rate among them"]["value"] < 0.05
    assert (home / "demo" / "sheet" / "sheet.png").exists()
    assert (home / "demo" / "accuracy.html").exists()
    assert [] == living(home)


def test_an_interrupted_demo_leaves_nothing_running(tmp_path: Path) -> None:
    home = tmp_path / "home"
    running = subprocess.Popen(
        [str(MASKLOOP), "demo"],
        env=environment(home),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    drawn = home / "demo" / "world" / "base" / "truth.json"
    while not drawn.exists():
        assert running.poll() is None, "the demo ended before it could be interrupted"
        time.sleep(0.1)
    os.killpg(running.pid, signal.SIGINT)

    assert 130 == running.wait(timeout=60)
    assert [] == living(home)
