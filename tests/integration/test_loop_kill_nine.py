"""A round of the loop, without people, killed in every step of it."""

import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from demo.world.files import FolderPlan, write_folder
from flows.services import verifier
from tests.commands import CommandLine, rows, start

pytestmark = [pytest.mark.service, pytest.mark.timeout(1200)]

NUM_STEPS = 6  # of training
RUN = (
    *("phase", "run", "3", "--no-people", "--domain", "new", "--pairs", 60),
    *("--gold", "gold", "--train-steps", NUM_STEPS),
)

# What a round leaves; when, by whom and how long is left out.
RESULTS = (
    "SELECT id, state FROM pair ORDER BY id",
    "SELECT id, pair_id, kind, domain, phase FROM pair_origin ORDER BY id",
    "SELECT id, pair_id, proposer, presence, num_proposals FROM proposal_set ORDER BY id",
    'SELECT set_id, "index", query_score, counts FROM proposal ORDER BY 1, 2',
    "SELECT id, judge, subject_id, option FROM verdict ORDER BY id",
    "SELECT id, pair_id, outcome, maker FROM resolution ORDER BY id",
    "SELECT pair_id, proposer, positive_id, relation FROM hard_negative ORDER BY 1, 2",
    "SELECT pair_id, key, relation, num_candidates, num_kept FROM mining_yield ORDER BY 1, 2, 3",
    "SELECT stage, key, number, phase, pair_ids, state FROM shard ORDER BY 1, 2, 3",
    "SELECT id, purpose, num_rows, rows_hash FROM snapshot ORDER BY id",
    "SELECT snapshot_id, pair_id, resolution_id, split FROM snapshot_row ORDER BY 1, 2",
    "SELECT name, role, parent, snapshot_id, recipe FROM model_version ORDER BY name",
    "SELECT id, model, cgf1, metrics FROM evaluation ORDER BY id",
    "SELECT evaluation_id, pair_id, num_predicted, true_positives FROM evaluation_pair"
    " ORDER BY 1, 2",
    "SELECT id, role, model, replaces FROM promotion ORDER BY id",
    "SELECT id, phase, state, reason, pairs FROM phase_run ORDER BY id",
    # What a step counts is what its last process did; what it left is the same.
    "SELECT run_id, number, kind, detail->>'step', detail->>'round' FROM phase_event ORDER BY 1, 2",
    "SELECT run_id, number, detail->'result' FROM phase_event"
    " WHERE detail->>'step' IN ('snapshot', 'train', 'gate') ORDER BY 1, 2",
    "SELECT stage, key, subject_id, reason FROM failure ORDER BY 1, 2, 3, 4",
)

# When it is killed: as soon as this finds something, step by step.
MOMENTS = (
    "SELECT 1 FROM phase_run",
    "SELECT 1 FROM shard WHERE stage = 'propose' AND state = 'finished'",
    "SELECT 1 FROM verdict",
    "SELECT 1 FROM resolution WHERE maker NOT LIKE 'import:%'",
    "SELECT 1 FROM mining_yield",
    "SELECT 1 FROM snapshot WHERE purpose = 'training'",
    "SELECT 1 FROM evaluation_pair",
    "SELECT 1 FROM evaluation",
)


@pytest.fixture(scope="session")
def world(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Scenes to annotate, and gold."""
    folder = tmp_path_factory.mktemp("world")
    write_folder(folder / "new", FolderPlan(seeds=range(6)))
    write_folder(folder / "gold", FolderPlan(seeds=range(100, 103)))
    return folder


@pytest.fixture
def deploy(
    tmp_path: Path, new_database: Callable[[], str], prefect_api_url: str, world: Path
) -> Iterator[Callable[[str], CommandLine]]:
    """Make deployments that share nothing and know the same."""
    homes: list[Path] = []

    def make(name: str) -> CommandLine:
        homes.append(tmp_path / name)
        made = CommandLine(homes[-1], new_database(), prefect_api_url)
        for untrained in ("SCORE_THRESHOLD", "PRESENCE_FLOOR"):
            del made.environment[f"MASKLOOP_PROPOSER__{untrained}"]
        made.environment |= {
            "MASKLOOP_SHARDS__LEASE_SECONDS": "2",
            "MASKLOOP_QUEUES__POLL_SECONDS": "0.2",
            "MASKLOOP_MINING__TRIED_PER_POSITIVE": "4",
            "MASKLOOP_TRAINING__CHECKPOINT_STEPS": "2",
            "OMP_NUM_THREADS": "1",
        }
        made("ingest", world / "new" / "phrases.csv", "--domain", "new")
        made("ingest", world / "gold" / "truth.json", "--domain", "gold")
        made("ontology", "import", world / "new" / "ontology.json")
        made("snapshot", "create", "gold", "--purpose", "gold", "--domain", "gold")
        return made

    yield make
    for home in homes:
        verifier.stop(home)


def kill_when(maskloop: CommandLine, has_come: Callable[[], bool], moment: str) -> bool:
    """Run the phase until *moment* has come, and kill it there; False if it was there before."""
    if has_come():
        return False  # the kill before came late
    with tempfile.TemporaryDirectory() as folder:
        process = start(maskloop.environment, *RUN, out=Path(folder))
        try:
            while not has_come():
                assert process.is_alive(), f"the run ended before: {moment}"
                time.sleep(0.02)
        finally:
            process.kill()
            process.join()
    return True


def test_a_loop_that_is_killed_in_every_step_ends_in_the_same_database_and_model(
    deploy: Callable[[str], CommandLine], tmp_path: Path
) -> None:
    undisturbed, disturbed = deploy("undisturbed"), deploy("disturbed")
    undisturbed(*RUN)
    checkpoints = (tmp_path / "disturbed" / "training").glob
    moments: dict[str, Callable[[], bool]] = {
        query: lambda query=query: bool(rows(disturbed, query)) for query in MOMENTS
    }
    moments["a checkpoint"] = lambda: any(checkpoints("*/checkpoint.pt"))
    order = [*MOMENTS[:-2], "a checkpoint", *MOMENTS[-2:]]
    hits = [kill_when(disturbed, moments[moment], moment) for moment in order]
    assert sum(hits) >= len(order) - 3, hits
    disturbed(*RUN)

    for query in RESULTS:
        assert rows(undisturbed, query) == rows(disturbed, query), query
    (trained,) = rows(disturbed, "SELECT name FROM model_version WHERE snapshot_id <> ''")
    assert str(trained[0]).startswith("sam3@")
    assert rows(disturbed, "SELECT 1 FROM hard_negative")
    assert 2 == len(rows(disturbed, "SELECT model FROM evaluation"))
