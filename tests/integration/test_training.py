"""`maskloop train`: from a snapshot to a registered version, whatever is killed on the way."""

import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from db.session import make_engine
from engine.records import Outcome
from models.settings import BUNDLED_WEIGHTS
from models.training.logs import read_losses
from models.weights import find_weights
from tests.commands import MASKLOOP, CommandLine
from tests.snapshot_world import ONE, TWO, World

pytestmark = [pytest.mark.service, pytest.mark.timeout(900)]

TRAIN = ("train", "--role", "proposer", "--snapshot", "new", "--mix", "old", "--steps", "4")


@pytest.fixture
def database_url(new_database: Callable[[], str]) -> str:
    return new_database()


@pytest.fixture
def maskloop(tmp_path: Path, database_url: str) -> CommandLine:
    return CommandLine(tmp_path / "home", database_url, "")


@pytest.fixture
def world(tmp_path: Path, database_url: str, maskloop: CommandLine) -> World:
    world = World(engine=make_engine(database_url), folder=tmp_path / "images")
    for seed in range(6):
        domain = "new" if seed < 4 else "old"
        world.finished(world.image(seed, domain=domain), {"kite": [ONE, TWO], "bird": []})
    pair = world.pair(world.image(9, domain="new"), "kite")
    world.resolve(pair, ONE, outcome=Outcome.INCOMPLETE)
    for name in ("new", "old"):
        maskloop.json("snapshot", "create", name, "--purpose", "training", "--domain", name)
    return world


def test_a_training_is_registered_with_its_recipe_and_not_made_twice(
    maskloop: CommandLine, world: World
) -> None:
    made = maskloop.json(*TRAIN, "--seed", "5")
    again = maskloop.json(*TRAIN, "--seed", "5")

    assert made["model"].startswith("sam3@")
    assert made["parent"] == find_weights(str(BUNDLED_WEIGHTS)).name != made["model"]
    assert (made["steps"], made["skipped"], made["failures"]) == (4, 0, [])
    assert find_weights(made["weights"]).name == made["model"] == again["model"]


def test_a_killed_command_goes_on_and_ends_in_the_same_model(
    maskloop: CommandLine, world: World, tmp_path: Path, database_url: str
) -> None:
    elsewhere = CommandLine(tmp_path / "elsewhere", database_url, "")
    expected = elsewhere.json(*TRAIN)
    killed = subprocess.Popen([MASKLOOP, *TRAIN], env=maskloop.environment)
    while sum(len(read_losses(p)) for p in (tmp_path / "home").glob("training/*/losses.jsonl")) < 2:
        assert killed.poll() is None, "it ended before it could be killed"
        time.sleep(0.02)
    killed.send_signal(signal.SIGKILL)
    killed.wait()

    assert maskloop.json(*TRAIN)["model"] == expected["model"]


def test_an_image_that_is_gone_is_named_and_the_rest_is_learnt(
    maskloop: CommandLine, world: World
) -> None:
    (world.folder / "0.png").unlink()
    made = maskloop.json(*TRAIN)

    (failure,) = made["failures"]
    assert "0.png" in failure
    assert made["steps"] == 4


def test_a_gold_snapshot_never_trains(maskloop: CommandLine, world: World) -> None:
    maskloop.json("snapshot", "create", "gold", "--purpose", "gold", "--domain", "old")

    arguments = ("train", "--role", "proposer", "--snapshot", "gold")
    assert "gold snapshot" in maskloop(*arguments, exit_code=2)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        pytest.param(["--snapshot", "nowhere"], "no snapshot 'nowhere'", id="no such snapshot"),
        pytest.param(["--snapshot", "new", "--split", "val"], "choose one of train", id="no split"),
        pytest.param(["--snapshot", "new", "--from", "sam3@0"], "no model 'sam3@0'", id="no model"),
        pytest.param(
            ["--snapshot", "new", "--steps", "1", "--minutes", "1"], "not both", id="both"
        ),
    ],
)
def test_what_cannot_be_trained_is_refused(
    maskloop: CommandLine, world: World, arguments: list[str], message: str
) -> None:
    refused = maskloop("train", "--role", "proposer", *arguments, exit_code=2)
    assert message in " ".join(refused.split())
