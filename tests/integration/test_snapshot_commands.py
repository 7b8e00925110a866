"""Snapshots by the command line, in processes of their own."""

import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text

from db.session import make_engine, transaction
from engine.formats.saco import read_saco
from tests.commands import MASKLOOP, CommandLine
from tests.snapshot_world import ONE, TWO, World

pytestmark = [pytest.mark.service, pytest.mark.timeout(300)]


@pytest.fixture
def database_url(new_database: Callable[[], str]) -> str:
    return new_database()


@pytest.fixture
def maskloop(tmp_path: Path, database_url: str) -> CommandLine:
    return CommandLine(tmp_path / "home", database_url, "")


@pytest.fixture
def world(tmp_path: Path, database_url: str) -> World:
    world = World(engine=make_engine(database_url), folder=tmp_path / "images")
    for seed in range(8):
        domain = "food" if seed < 4 else "art"
        world.finished(world.image(seed, domain=domain), {"kite": [ONE, TWO], "bird": []})
    return world


def create(maskloop: CommandLine, name: str, *arguments: str) -> Any:
    return maskloop.json("snapshot", "create", name, "--purpose", "training", *arguments)


def test_a_snapshot_is_made_listed_and_shown(maskloop: CommandLine, world: World) -> None:
    made = create(maskloop, "first", "--domain", "food", "--split", "train=0.5,val=0.5")
    (listed,) = maskloop.json("snapshot", "list")
    shown = maskloop.json("snapshot", "show", "first")

    assert (8, 4, {"not_asked": 8}) == (made["pairs"], made["media"], made["left_out"])
    assert {"instance_exhaustive": 4, "negative": 4} == made["outcomes"] == shown["outcome"]
    assert ("first", made["id"], 8) == (listed["name"], listed["id"], listed["pairs"])
    assert {"domains": ["food"], "seed": 0, "split": {"train": 0.5, "val": 0.5}} == listed["asked"]
    assert "the same" == shown["manifest"]
    assert ({"food": 8}, {"bird": 4, "kite": 4}) == (shown["domain"], shown["phrase"])
    assert made["splits"] == shown["split"]
    assert made["id"] in maskloop("snapshot", "show", made["id"])


def test_a_manifest_that_was_touched_is_found_out(maskloop: CommandLine, world: World) -> None:
    made = create(maskloop, "first")
    path = Path(made["manifest"].removeprefix("file://"))
    path.write_bytes(path.read_bytes()[:-9])

    assert maskloop.json("snapshot", "show", "first")["manifest"].startswith("broken: ")
    path.unlink()
    assert maskloop.json("snapshot", "show", "first")["manifest"].startswith("gone: ")


def test_two_snapshots_are_compared(maskloop: CommandLine, world: World) -> None:
    create(maskloop, "before", "--domain", "food")
    media = world.image(0)
    world.resolve(world.pair(media, "kite"), TWO, maker="ben")
    create(maskloop, "after", "--phrase", "kite", "--split", "train=0.5,val=0.5", "--seed", "3")
    found = maskloop.json("snapshot", "diff", "before", "after")
    kinds: dict[str, int] = {}
    for row in found["rows"]:
        for kind in row["kinds"]:
            kinds[kind] = kinds.get(kind, 0) + 1
    (resolved,) = (row for row in found["rows"] if "resolved" in row["kinds"])

    assert (4, 4, 1) == (kinds["added"], kinds["removed"], kinds["resolved"])
    assert {"art": 4} == found["by_domain"]["added"]
    assert {"negative": 4} == found["by_outcome"]["removed"]
    assert (media.id, "kite") == (resolved["media_id"], resolved["phrase"])
    assert resolved["before"]["resolution_id"] != resolved["after"]["resolution_id"]
    assert "removed" in maskloop("snapshot", "diff", "before", "after")


def test_an_export_has_a_folder_for_each_split(
    maskloop: CommandLine, world: World, tmp_path: Path
) -> None:
    made = create(maskloop, "first", "--split", "train=0.6,val=0.4")
    maskloop("snapshot", "export", "first", tmp_path / "all", "--with-media")
    maskloop("snapshot", "export", "first", tmp_path / "val", "--split", "val")
    parts = {name: read_saco(tmp_path / "all" / name / "truth.json") for name in ("train", "val")}
    alone = read_saco(tmp_path / "val" / "truth.json")

    assert made["splits"] == {name: len(part.pairs) for name, part in parts.items()}
    assert [pair.pair_id for pair in parts["val"].pairs] == [pair.pair_id for pair in alone.pairs]
    for name, part in parts.items():
        assert all((tmp_path / "all" / name / one.file_name).is_file() for one in part.media)
    refused = maskloop("snapshot", "export", "first", tmp_path, "--split", "no", exit_code=2)
    assert "it has train, val" in refused


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        pytest.param(("show", "none"), "no snapshot 'none'", id="unknown"),
        pytest.param(("create", "s", "--purpose", "gold", "--domain", "no"), "not_asked 16"),
        pytest.param(
            ("create", "s", "--purpose", "gold", "--split", "train=0.5"), "add up to 1", id="shares"
        ),
    ],
)
def test_what_cannot_be_done_says_why(
    maskloop: CommandLine, world: World, arguments: tuple[str, ...], expected: str
) -> None:
    assert expected in maskloop("snapshot", *arguments, exit_code=2)


def test_killed_after_the_manifest_the_same_command_ends_in_the_same_snapshot(
    maskloop: CommandLine, world: World, tmp_path: Path
) -> None:
    command = [str(MASKLOOP), "snapshot", "create", "first", "--purpose", "training"]
    running = subprocess.Popen(command, env=maskloop.environment, stderr=subprocess.DEVNULL)
    while not list((tmp_path / "home" / "blobs").glob("*/snapshot_*")):
        assert running.poll() is None
        time.sleep(0.001)
    running.kill()
    running.wait()
    made = create(maskloop, "first")
    with transaction(world.engine) as session:
        counts = [
            session.scalar(text(f"SELECT count(*) FROM {table}"))
            for table in ("snapshot", "snapshot_row", "snapshot_name")
        ]

    assert [1, 16, 1] == counts
    assert "the same" == maskloop.json("snapshot", "show", "first")["manifest"]
    assert 16 == made["pairs"]


def test_two_at_once_make_one_snapshot(maskloop: CommandLine, world: World) -> None:
    command = [str(MASKLOOP), "snapshot", "create", "first", "--purpose", "training", "--json"]
    running = [
        subprocess.Popen(command, env=maskloop.environment, stdout=subprocess.DEVNULL)
        for _ in range(3)
    ]

    assert [0, 0, 0] == [each.wait() for each in running]
    assert 1 == len(maskloop.json("snapshot", "list"))
