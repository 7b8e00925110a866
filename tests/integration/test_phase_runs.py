"""Phases from end to end: real Prefect and Postgres, the bundled proposer, and kill -9."""

import os
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from multiprocessing.process import BaseProcess
from pathlib import Path

import pytest
from PIL import Image
from pydantic import SecretStr

from engine.phases import Phase, RunState
from flows.phases import move_here
from flows.settings import Settings
from tests.commands import CommandLine, rows, start

pytestmark = [pytest.mark.service, pytest.mark.timeout(900)]

NUM_IMAGES = 6
PHRASES = ("red circle", "blue square")
NUM_PAIRS = NUM_IMAGES * len(PHRASES)
ONLY_MACHINES = ("phase", "run", "1", "--pairs", NUM_PAIRS, "--wait-hours", "1e-6")

# What a phase leaves; when, by whom and how long is left out.
RESULTS = (
    "SELECT id, media_id, phrase, state FROM pair ORDER BY id",
    "SELECT id, pair_id, kind, source, domain, phase FROM pair_origin ORDER BY id",
    "SELECT id, pair_id, proposer, presence, num_proposals FROM proposal_set ORDER BY id",
    'SELECT set_id, "index", query_score, counts FROM proposal ORDER BY 1, 2',
    "SELECT stage, key, number, phase, pair_ids, state FROM shard ORDER BY 1, 2, 3",
    "SELECT id, queue, pair_id, subject_id, state FROM queue_item ORDER BY id",
    "SELECT id, phase, number, plan, state, pairs FROM phase_run ORDER BY id",
    "SELECT run_id, number, kind FROM phase_event ORDER BY 1, 2",
    "SELECT stage, key, subject_id, reason FROM failure ORDER BY 1, 2, 3, 4",
)


@pytest.fixture(scope="session")
def images(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("images")
    for number in range(NUM_IMAGES):
        Image.new("RGB", (60 + number, 50), "red").save(folder / f"{number}.png")
    return folder


@pytest.fixture
def deploy(
    tmp_path: Path, new_database: Callable[[], str], prefect_api_url: str, images: Path
) -> Callable[[], CommandLine]:
    """Make command lines on databases of their own with the same twelve pairs."""

    def make() -> CommandLine:
        made = CommandLine(tmp_path / "home", new_database(), prefect_api_url)
        made.environment |= {
            "MASKLOOP_QUEUES__POLL_SECONDS": "0.2",
            "MASKLOOP_SHARDS__LEASE_SECONDS": "2",
            "OMP_NUM_THREADS": "1",
        }
        made("ingest", images, *(word for phrase in PHRASES for word in ("--phrase", phrase)))
        return made

    return make


@contextmanager
def started(maskloop: CommandLine, *arguments: object) -> Iterator[BaseProcess]:
    """A command that runs until the block ends."""
    with tempfile.TemporaryDirectory() as folder:
        process = start(maskloop.environment, *arguments, out=Path(folder))
        try:
            yield process
        finally:
            process.kill()
            process.join()


def wait_for(maskloop: CommandLine, query: str, process: BaseProcess) -> None:
    """Return once *query* finds something; the process is at work until then."""
    while not rows(maskloop, query):
        assert process.is_alive(), f"the run ended before: {query}"
        time.sleep(0.02)


def move(maskloop: CommandLine, target: RunState) -> None:
    """Do what `maskloop phase pause`, `resume` and `stop` do."""
    url = maskloop.environment["DATABASE_URL"]
    move_here(Phase.HUMAN, target, Settings(DATABASE_URL=SecretStr(url)), person="anna")


def waiting(maskloop: CommandLine) -> int:
    query = "SELECT count(*) FROM queue_item WHERE state IN ('waiting', 'open')"
    return int(str(rows(maskloop, query)[0][0]))


def test_a_run_is_planned_paused_resumed_and_stopped_and_is_there_once(
    deploy: Callable[[], CommandLine],
) -> None:
    maskloop = deploy()
    assert NUM_PAIRS == maskloop.json("phase", "plan", "1", "--human-hours", 10)["pairs"]
    assert [] == maskloop.json("phase", "status")

    with started(maskloop, "phase", "run", "1", "--pairs", 8) as process:
        wait_for(maskloop, "SELECT 1 FROM queue_item WHERE state = 'waiting'", process)
        num_asked = waiting(maskloop)
        said = maskloop("phase", "run", "1", "--pairs", 8, exit_code=2)
        assert "run by another process already" in said

        move(maskloop, RunState.PAUSED)
        assert 0 == waiting(maskloop)
        move(maskloop, RunState.RUNNING)
        assert num_asked == waiting(maskloop)
        maskloop("phase", "stop", "1")
        process.join(120)
        assert 1 == process.exitcode
    (stopped,) = maskloop.json("phase", "status", "1")
    assert ("stopped", 8, 0) == (stopped["state"], stopped["pairs"], stopped["waiting_items"])
    assert ["started", "step", "step", "paused", "resumed", "stopped"] == [
        event["kind"] for event in stopped["events"]
    ]
    assert "no run of phase 1 is on" in maskloop("phase", "pause", "1", exit_code=2)


def test_a_run_within_its_budget_ends_and_prefect_shows_how(
    deploy: Callable[[], CommandLine],
) -> None:
    # Prefect reads its settings when it is imported.
    from prefect.client.orchestration import get_client
    from prefect.settings import PREFECT_API_AUTH_STRING, PREFECT_API_URL, temporary_settings

    maskloop = deploy()
    (found,) = maskloop.json(*ONLY_MACHINES)

    assert ("finished", NUM_PAIRS) == (found["state"], found["pairs"])
    assert "the round is done" in found["reason"]
    assert found["machine_seconds"] > 0
    assert NUM_PAIRS == len(rows(maskloop, "SELECT id FROM proposal_set"))
    # Over is over: what nobody has answered is asked about in the next run.
    assert 0 == found["waiting_items"]

    server = {
        PREFECT_API_URL: maskloop.environment["PREFECT_API_URL"],
        PREFECT_API_AUTH_STRING: os.environ["PREFECT_API_AUTH_STRING"],
    }
    with temporary_settings(server), get_client(sync_client=True) as client:
        shown = [each for each in client.read_artifacts() if each.key == "phase-1"]
    assert any("# Run 1-1 of phase 1: finished" in str(each.data) for each in shown)


def test_what_cannot_be_run_is_refused_before_anything_is_started(
    deploy: Callable[[], CommandLine],
) -> None:
    maskloop = deploy()

    for arguments, error in (
        (("run", "2"), "a phase needs a budget"),
        (("plan", "3", "--no-people", "--human-hours", "1"), "no human hours"),
        (("plan", "1", "--pairs", "-3"), "pairs: Input should be greater than or equal to 0"),
        (("plan", "1", "--pairs", "3", "--no-mining"), "is_mining: Extra inputs"),
        (("plan", "2", "--pairs", "3", "--gold", "none"), "no snapshot 'none'"),
    ):
        assert error in maskloop("phase", *arguments, exit_code=2)
    assert [] == rows(maskloop, "SELECT id FROM phase_run")


def test_a_killed_run_is_gone_on_with_and_leaves_the_database_of_an_undisturbed_one(
    deploy: Callable[[], CommandLine],
) -> None:
    undisturbed, disturbed = deploy(), deploy()
    undisturbed(*ONLY_MACHINES)
    moments = (
        "SELECT id FROM phase_run",  # just begun
        "SELECT 1 FROM phase_event WHERE kind = 'step'",  # pairs are taken up
        "SELECT 1 FROM shard WHERE state = 'finished'",  # proposing
    )
    for moment in moments:
        with started(disturbed, *ONLY_MACHINES) as process:
            wait_for(disturbed, moment, process)
    disturbed(*ONLY_MACHINES)

    for query in RESULTS:
        assert rows(undisturbed, query) == rows(disturbed, query), query
    assert 3 == len(rows(disturbed, "SELECT 1 FROM phase_event WHERE kind = 'step'"))
