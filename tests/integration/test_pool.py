"""Worker flows on a Prefect work pool, served by a process worker of this machine."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from PIL import Image

from models.settings import BUNDLED_WEIGHTS
from tests.commands import MASKLOOP, CommandLine

pytestmark = [pytest.mark.service, pytest.mark.timeout(600)]


@pytest.fixture
def maskloop(tmp_path: Path, new_database: Callable[[], str], prefect_api_url: str) -> CommandLine:
    command_line = CommandLine(tmp_path / "home", new_database(), prefect_api_url)
    # The worker runs its flows in folders of their own, where this path leads nowhere.
    command_line.environment["MASKLOOP_PROPOSER__WEIGHTS"] = os.path.relpath(BUNDLED_WEIGHTS)
    return command_line


@pytest.fixture
def served_pool(maskloop: CommandLine) -> Iterator[None]:
    """A process worker that serves the pool while the test runs."""
    worker = subprocess.Popen(
        [str(MASKLOOP), "work", "--limit", "2"],
        env=maskloop.environment,
        stdout=subprocess.DEVNULL,
        stderr=sys.stderr,
        start_new_session=True,
    )
    yield
    os.killpg(worker.pid, signal.SIGINT)
    worker.wait(timeout=60)


@pytest.mark.usefixtures("served_pool")
def test_two_runs_on_the_pool_answer_every_pair(maskloop: CommandLine, tmp_path: Path) -> None:
    folder = tmp_path / "images"
    folder.mkdir()
    for number in range(8):
        Image.new("RGB", (40 + number, 30), "red").save(folder / f"{number}.png")
    maskloop("ingest", folder, "--phrase", "red thing", "--phrase", "blue thing")
    counts = maskloop.json("propose", "--runs", 2)

    assert (16, 0, 4) == tuple(counts[key] for key in ("pairs", "failed", "shards_finished"))
