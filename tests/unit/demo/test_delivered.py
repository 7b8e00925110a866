"""Answers of simulated people as a file: what comes in is what they said, and mostly right."""

from pathlib import Path

from demo.delivered import write_answers
from demo.parts import NEW_WORDS
from demo.world.files import FolderPlan, asked_about, write_folder
from demo.world.scenes import make_scene
from engine.formats.saco import read_saco
from engine.records import Outcome

PLAN = FolderPlan(seeds=range(30_000, 30_020), sampling=NEW_WORDS)


def test_answers_are_read_as_finished_pairs_most_of_them_as_the_world_has_them(
    tmp_path: Path,
) -> None:
    write_folder(tmp_path, PLAN)

    found = read_saco(write_answers(tmp_path, PLAN))

    assert found.failures == ()
    names = {
        (f"images/{seed:07d}.png", truth.phrase): bool(truth.indices)
        for seed in PLAN.seeds
        for truth in asked_about(make_scene(seed, PLAN.domain), seed, PLAN)
    }
    said = {
        (pair.media.file_name, pair.phrase): pair.outcome is not Outcome.NEGATIVE
        for pair in found.pairs
    }
    assert set(said) <= set(names)
    assert len(said) > 0.8 * len(names)
    right = [said[key] is names[key] for key in said]
    assert 0.85 < sum(right) / len(right) <= 1.0


def test_the_same_people_say_the_same_twice(tmp_path: Path) -> None:
    write_folder(tmp_path, PLAN)
    first = write_answers(tmp_path, PLAN).read_bytes()
    assert write_answers(tmp_path, PLAN).read_bytes() == first
