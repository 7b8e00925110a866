"""
A verifier is trained by the command line: on real Postgres, from imported truth, with the bundled
weights; and the embedded server serves what came out to the same client.
"""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from safetensors.torch import load_file

from demo.world.files import FolderPlan, write_folder
from flows.services import verifier
from tests.commands import MASKLOOP, CommandLine
from verifiers.settings import BUNDLED_WEIGHTS
from verifiers.tiny.server.weights import find_weights

pytestmark = [pytest.mark.service, pytest.mark.timeout(900)]

PLAN = FolderPlan(seeds=range(920_000, 920_006))
GOLD = FolderPlan(seeds=range(930_000, 930_002))


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Path]:
    home = tmp_path / "home"
    yield home
    verifier.stop(home)


@pytest.fixture
def maskloop(
    home: Path, tmp_path: Path, new_database: Callable[[], str], prefect_api_url: str
) -> CommandLine:
    """Scenes with their truth, in a training snapshot of their own."""
    command_line = CommandLine(home, new_database(), prefect_api_url)
    command_line.environment["MASKLOOP_VERIFIER_TRAINING__BATCH_SIZE"] = "4"
    command_line.environment["MASKLOOP_VERIFIER_TRAINING__CHECKPOINT_STEPS"] = "2"
    folder = tmp_path / "world"
    truth = write_folder(folder, PLAN)
    command_line("ingest", truth, "--images", folder, "--exhaustive")
    command_line("snapshot", "create", "first", "--purpose", "training")
    return command_line


def train(maskloop: CommandLine, steps: int = 6, *more: object) -> dict[str, str]:
    asked = ("--role", "verifier", "--snapshot", "first", "--steps", steps, *more)
    found: dict[str, str] = maskloop.json("train", *asked)
    return found


def test_what_was_trained_is_kept_served_and_asked(maskloop: CommandLine, home: Path) -> None:
    trained = train(maskloop)
    again = train(maskloop)
    weights = home / "models" / trained["model"]
    maskloop.environment["MASKLOOP_VERIFIER__WEIGHTS"] = str(weights)
    maskloop("propose")
    counts = maskloop.json("verify")

    assert trained == again
    assert find_weights(BUNDLED_WEIGHTS).name == trained["parent"] != trained["model"]
    assert trained["model"] == find_weights(weights).name
    assert (0, True) == (counts["failed"], counts["verdicts"] > 0)
    running = verifier.server(home).running()
    assert running is not None
    secret = (home / "verifier" / "secret").read_text()
    assert trained["model"] == verifier.served_model(running.address, secret)


def test_a_training_that_is_killed_goes_on_and_ends_in_the_same_model(
    maskloop: CommandLine, home: Path, tmp_path: Path
) -> None:
    command = [str(MASKLOOP), "train", "--role", "verifier", "--snapshot", "first"]
    command += ["--steps", "40"]
    working = subprocess.Popen(command, env=maskloop.environment, stdout=sys.stderr)
    while not list(home.glob("training/*/checkpoint.pt")):
        assert working.poll() is None, "it ended before it could be killed"
        time.sleep(0.02)
    os.kill(working.pid, signal.SIGKILL)
    working.wait()
    assert not list(home.glob("models/*"))
    after_kill = train(maskloop, 40)

    maskloop.environment["MASKLOOP_HOME"] = str(tmp_path / "other")
    whole = train(maskloop, 40)

    assert whole == after_kill
    tensors = [
        load_file(folder / "models" / whole["model"] / "model.safetensors")
        for folder in (home, tmp_path / "other")
    ]
    assert all(tensors[0][name].equal(tensors[1][name]) for name in tensors[0])


def test_gold_and_unknown_snapshots_and_those_without_rows_are_refused(
    maskloop: CommandLine, tmp_path: Path
) -> None:
    folder = tmp_path / "gold"
    maskloop("ingest", write_folder(folder, GOLD), "--images", folder, "--exhaustive")
    asked = ("train", "--role", "verifier", "--steps", 1, "--snapshot")

    assert "no snapshot 'second'" in maskloop(*asked, "second", exit_code=2)
    assert "no row to learn" in maskloop(*asked, "first", "--split", "holdout", exit_code=2)
    maskloop("snapshot", "create", "measure", "--purpose", "gold")
    assert "is a gold snapshot" in maskloop(*asked, "measure", exit_code=2)
