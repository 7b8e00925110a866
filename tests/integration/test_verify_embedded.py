"""`maskloop verify` as it comes: the embedded server with the bundled weights, on drawn scenes."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from db.domains import iter_judged
from db.session import make_engine, transaction
from demo.world.files import FolderPlan, write_folder
from engine.verdicts import Verdict, VerdictTask
from flows.services import verifier
from tests.commands import MASKLOOP, CommandLine
from verifiers.settings import BUNDLED_WEIGHTS

pytestmark = [
    pytest.mark.service,
    pytest.mark.timeout(600),
    pytest.mark.skipif(not BUNDLED_WEIGHTS.is_dir(), reason="the bundled weights are not there"),
]

PLAN = FolderPlan(seeds=range(910_000, 910_006))
NOTHING = {"verdicts": 0, "pairs_verify_masks": 0, "pairs_verify_exhaustivity": 0, "failed": 0}


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Path]:
    home = tmp_path / "home"
    yield home
    verifier.stop(home)


@pytest.fixture
def maskloop(
    home: Path, tmp_path: Path, new_database: Callable[[], str], prefect_api_url: str
) -> CommandLine:
    """Scenes with what the bundled proposer finds on them."""
    command_line = CommandLine(home, new_database(), prefect_api_url)
    for name in ("SCORE_THRESHOLD", "PRESENCE_FLOOR"):  # as they are without settings
        del command_line.environment[f"MASKLOOP_PROPOSER__{name}"]
    write_folder(tmp_path / "world", PLAN)
    command_line("ingest", tmp_path / "world" / "phrases.csv")
    command_line("propose")
    return command_line


def verdicts(maskloop: CommandLine) -> list[Verdict]:
    """Return all verdicts."""
    engine = make_engine(maskloop.environment["DATABASE_URL"])
    with transaction(engine) as session:
        found = [verdict for _, verdict in iter_judged(session)]
    engine.dispose()
    return found


def test_every_pair_gets_verdicts_of_the_bundled_model(maskloop: CommandLine, home: Path) -> None:
    counts = maskloop.json("verify")
    running = verifier.server(home).running()
    assert running is not None
    model = verifier.served_model(running.address, (home / "verifier" / "secret").read_text())
    found = verdicts(maskloop)

    num_pairs = sum(maskloop.json("status")["pairs"].values())
    assert (num_pairs, 0) == (counts["pairs_verify_exhaustivity"], counts["failed"])
    assert {model} == {each.judge for each in found}
    assert set(VerdictTask) == {each.task for each in found}


def test_a_server_that_is_killed_is_started_again_and_nothing_is_lost_or_twice(
    maskloop: CommandLine, home: Path
) -> None:
    command = [str(MASKLOOP), "verify"]
    working = subprocess.Popen(command, env=maskloop.environment, stdout=sys.stderr)
    while (running := verifier.server(home).running()) is None or not verdicts(maskloop):
        assert working.poll() is None, "it ended before the server could be killed"
        time.sleep(0.02)
    os.kill(running.pid, signal.SIGKILL)

    assert 0 == working.wait(timeout=300)
    after = verifier.server(home).running()
    assert after is not None
    assert (running.address, True) == (after.address, running.pid != after.pid)
    again = maskloop.json("verify")
    assert NOTHING == {name: again[name] for name in NOTHING}
    assert [] == maskloop.json("failures")
    found = verdicts(maskloop)
    assert len(found) == len({each.subject_id for each in found})
