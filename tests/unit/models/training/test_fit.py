"""A training is whole or goes on: kills, memory, disks, and losses that are no number."""

import math
import resource
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from engine.errors import ConfigError, TrainingError, TransientError
from engine.ports import PromptedImage
from engine.records import Outcome, Pair, Prompt
from models.sam3_image import load_proposer
from models.settings import ProposerSettings, TrainingSettings
from models.training.checkpoints import load_checkpoint, save_checkpoint
from models.training.logs import read_losses
from models.training.proposer import Length, Lesson, ProposerTraining
from tests.tiny_weights import save_untrained_weights
from tests.train_squares import NUM_STEPS, train, training
from tests.training_images import Pictures, image, pair, small_set

ROOT = Path(__file__).resolve().parents[4]
BOX = (10, 20, 40, 60)


@pytest.fixture(scope="module")
def weights(tmp_path_factory):
    return save_untrained_weights(tmp_path_factory.mktemp("weights"))


@pytest.fixture(scope="module")
def trained(weights, tmp_path_factory):
    return train(weights, tmp_path_factory.mktemp("whole"))


def losses_below(home: Path):
    (path,) = home.glob("*/losses.jsonl")
    return read_losses(path)


def of(images, weights, home, *, steps=2, pictures, settings=None):
    return ProposerTraining(
        str(weights),
        Lesson(images=images, data_id="few"),
        pictures,
        home=home,
        settings=settings or TrainingSettings(recipe={"images_per_batch": 2}, device="cpu"),
        length=Length(steps=steps),
        seed=0,
    )


def test_a_killed_training_goes_on_with_the_same_losses_and_ends_in_the_same_weights(
    weights, trained, tmp_path
):
    command = [sys.executable, "-m", "tests.train_squares", str(weights), str(tmp_path)]
    killed = subprocess.run([*command, "4"], cwd=ROOT, check=False)
    before = losses_below(tmp_path)
    subprocess.run(command, cwd=ROOT, check=True)
    after = losses_below(tmp_path)
    expected = read_losses(trained.fitted.folder.parent / "losses.jsonl")

    assert killed.returncode == -signal.SIGKILL
    assert len(before) == 5
    assert [line["step"] for line in after] == list(range(NUM_STEPS))
    for line, wanted in zip(after, expected, strict=True):
        assert line["loss"] == pytest.approx(wanted["loss"], abs=1e-6)
    (folder,) = tmp_path.glob("*/weights")
    for path in trained.fitted.folder.iterdir():
        assert (folder / path.name).read_bytes() == path.read_bytes(), path.name


def test_a_finished_training_is_not_made_again(weights, trained):
    steps = []
    again = training(weights, trained.fitted.folder.parent.parent).fit(steps.append)

    assert steps == []
    assert again.fitted == trained.fitted


def test_weights_that_were_deleted_are_made_again(weights, tmp_path):
    pictures = Pictures()
    images = small_set(pictures, 2)
    first = of(images, weights, tmp_path, pictures=pictures).fit()
    before = (first.fitted.folder / "model.safetensors").read_bytes()
    shutil.rmtree(first.fitted.folder)
    again = of(images, weights, tmp_path, pictures=pictures).fit()

    assert again.fitted == first.fitted
    assert (again.fitted.folder / "model.safetensors").read_bytes() == before


def test_another_recipe_is_another_training(weights, trained):
    other = training(weights, trained.fitted.folder.parent.parent, rate=5e-4)

    assert other.folder != trained.fitted.folder.parent


def test_what_was_trained_answers_through_the_usual_proposer(trained):
    settings = ProposerSettings(weights=str(trained.fitted.folder), device="cpu", score_threshold=0)
    prompt = Prompt(pair=Pair(media_id="media_0", phrase="a word that nobody taught"))
    pixels = torch.zeros(96, 96, 3, dtype=torch.uint8).numpy()
    asked = PromptedImage(media_id="media_0", pixels_HWC=pixels, prompts=(prompt,))
    ((found,),) = load_proposer(settings).propose([asked])

    assert found.proposer.startswith("sam3@")
    assert 0 < found.presence < 1


def test_weights_move_and_masks_are_among_the_losses(weights, trained):
    losses = read_losses(trained.fitted.folder.parent / "losses.jsonl")
    before, after = (
        (f / "model.safetensors").read_bytes() for f in (weights, trained.fitted.folder)
    )

    assert before != after
    assert all(line["mask_dice"] > 0 and line["semantic"] > 0 for line in losses)
    assert not (trained.fitted.folder.parent / "checkpoint.pt").exists()  # it was of use until then


def lonely(kind: str, media_id: str):
    return {
        "one class": pair(media_id, "red square", [BOX]),
        "all negatives": pair(media_id, "red square"),
        "only group masks": pair(
            media_id, "red square", [BOX], outcome=Outcome.PIXEL_EXHAUSTIVE, groups=[0]
        ),
        "incomplete": pair(media_id, "red square", [BOX], outcome=Outcome.INCOMPLETE),
    }[kind]


@pytest.mark.parametrize("kind", ["one class", "all negatives", "only group masks", "incomplete"])
def test_a_set_of_one_kind_of_pair_is_learnt(kind, weights, tmp_path):
    pictures = Pictures()
    names = ["media_0", "media_1"]
    for name in names:
        pictures.draw(name, [("red square", BOX)])
    images = [image(name, lonely(kind, name)) for name in names]
    result = of(images, weights, tmp_path, pictures=pictures).fit()

    losses = losses_below(tmp_path)
    assert result.fitted.num_skipped == 0
    assert all(math.isfinite(line["loss"]) for line in losses)
    queries_learn = kind in ("one class", "incomplete")
    assert (losses[0]["box_l1"] > 0) == queries_learn


def test_an_image_that_is_gone_is_named_and_the_rest_is_learnt(weights, tmp_path):
    pictures = Pictures()
    images = small_set(pictures, 3)
    del pictures.contents["media_1"]
    result = of(images, weights, tmp_path, steps=3, pictures=pictures).fit()

    assert [failure.subject_id for failure in result.fitted.failures] == ["media_1"]
    assert result.fitted.num_steps == 3


def test_a_batch_that_is_too_large_for_the_memory_is_halved_until_it_fits(weights, tmp_path):
    pictures = Pictures()
    mine = of(small_set(pictures, 4), weights, tmp_path, pictures=pictures)
    sizes = []

    def too_large(_module, _args, given):
        sizes.append(len(given["text_features"]))
        if sizes[-1] > 2:
            raise torch.OutOfMemoryError("CUDA out of memory")

    mine.run.model.detr_decoder.register_forward_pre_hook(too_large, with_kwargs=True)
    result = mine.fit()

    assert result.fitted.num_steps == 2
    assert sizes[:2] == [6, 3]
    assert max(sizes[2:]) <= 2
    assert mine.run.state()["num_parts"] == 4


def test_a_pair_that_is_too_large_alone_stops_with_what_to_lower(weights, tmp_path):
    pictures = Pictures()
    mine = of(small_set(pictures, 4), weights, tmp_path, pictures=pictures)

    def always(_module, _args):
        raise torch.OutOfMemoryError("CUDA out of memory")

    mine.run.model.detr_decoder.register_forward_pre_hook(always)
    with pytest.raises(ConfigError, match="images_per_batch"):
        mine.fit()


def test_a_step_without_a_number_moves_no_weight_and_is_counted(weights, tmp_path):
    pictures = Pictures()
    mine = of(small_set(pictures, 4), weights, tmp_path, steps=3, pictures=pictures)
    weight = mine.run.model.detr_decoder.query_embed.weight
    calls, seen = [], []

    def spoil_the_second(_module, _args, found):
        calls.append(1)
        if len(calls) == 2:
            found.last_hidden_state.mul_(float("nan"))

    mine.run.model.detr_encoder.register_forward_hook(spoil_the_second)
    result = mine.fit(lambda step: seen.append((step.is_skipped, weight.detach().clone())))

    assert [is_skipped for is_skipped, _ in seen] == [False, True, False]
    assert torch.equal(seen[0][1], seen[1][1])
    assert not torch.equal(seen[1][1], seen[2][1])
    assert result.fitted.num_skipped == 1


def test_a_training_that_breaks_stops_and_names_batch_and_pairs(weights, tmp_path):
    pictures = Pictures()
    settings = TrainingSettings(
        recipe={"images_per_batch": 1, "rate": 1e30, "warm_up_steps": 1}, device="cpu"
    )
    mine = of(
        small_set(pictures, 2), weights, tmp_path, steps=20, pictures=pictures, settings=settings
    )

    with pytest.raises(TrainingError, match=r"5 steps in a row.*batch \d+ with pairs pair_"):
        mine.fit()


def test_on_a_full_disk_the_checkpoint_before_stays(tmp_path):
    path = tmp_path / "checkpoint.pt"
    save_checkpoint(path, {"step": 3})
    ignored = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (50_000, hard))
    try:
        with pytest.raises(TransientError, match="free disk space"):
            save_checkpoint(path, {"step": 4, "weights": torch.ones(100_000)})
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        signal.signal(signal.SIGXFSZ, ignored)

    assert load_checkpoint(path) == {"step": 3}
    assert [each.name for each in tmp_path.iterdir()] == ["checkpoint.pt"]


def test_minutes_become_steps_once(weights, tmp_path):
    pictures = Pictures()
    images = small_set(pictures, 2)

    def timed():
        return ProposerTraining(
            str(weights),
            Lesson(images=images, data_id="few"),
            pictures,
            home=tmp_path,
            settings=TrainingSettings(recipe={"images_per_batch": 1}, device="cpu"),
            length=Length(minutes=0.02),
            seed=0,
        )

    mine = timed()
    (kept,) = tmp_path.glob("*/steps")
    kept.write_text("2")

    assert mine.recipe.num_steps >= 1
    assert mine.run.step == 0
    assert timed().recipe.num_steps == 2


def test_the_recipe_of_large_models_trains_by_the_same_path(weights, tmp_path):
    pictures = Pictures()
    settings = TrainingSettings(
        preset="sam3",
        recipe={"target_side": 128, "losses": {"mask_points": 500}, "exemplar_share": 0.5},
        device="cpu",
    )
    mine = of(small_set(pictures, 3), weights, tmp_path, pictures=pictures, settings=settings)
    mine.fit()

    losses = losses_below(tmp_path)
    assert {"many_query", "many_box_l1"} <= losses[0].keys()
    assert all(math.isfinite(line["loss"]) for line in losses)
    assert mine.run.finished() is mine.run.model  # without an average


def test_a_share_of_the_first_weights_is_kept(weights, tmp_path):
    pictures = Pictures()
    images = small_set(pictures, 2)
    settings = TrainingSettings(
        recipe={"images_per_batch": 1, "parent_share": 0.25, "average_decay": 0}, device="cpu"
    )
    mine = of(images, weights, tmp_path, pictures=pictures, settings=settings)
    first, last = mine.run.model.detr_decoder.query_embed.weight.detach().clone(), []
    mine.fit(lambda step: last.append(mine.run.model.detr_decoder.query_embed.weight.clone()))

    kept = mine.run.model.detr_decoder.query_embed.weight
    assert not torch.equal(first, last[-1])
    torch.testing.assert_close(kept, 0.25 * first + 0.75 * last[-1])


def test_two_processes_learn_from_other_batches_and_stay_alike(weights, trained, tmp_path):
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone"]
    places = [str(weights), str(tmp_path / "home"), str(tmp_path)]
    module = ["--nproc_per_node", "2", "--module", "tests.train_together"]
    done = subprocess.run(
        [*command, *module, *places], cwd=ROOT, check=False, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr

    first, second = ((tmp_path / f"{index}.txt").read_text() for index in (0, 1))
    (folder,) = (tmp_path / "home").iterdir()
    logs = [read_losses(folder / name) for name in ("losses.jsonl", "losses_1.jsonl")]
    assert first == second
    assert first.startswith("2 ")
    assert all(one["loss"] != other["loss"] for one, other in zip(*logs, strict=True))
    assert (folder / "weights" / "model.safetensors").exists()


def test_a_batch_in_parts_learns_what_the_whole_one_learns(weights, tmp_path):
    """Where each part has as many instances; losses are means over these."""
    pictures = Pictures()
    images = [image(one.media_id, *one.pairs[:1]) for one in small_set(pictures, 2)]
    gradients = []
    for parts in (1, 2):
        settings = TrainingSettings(
            recipe={
                "images_per_batch": 2,
                "parts": parts,
                "exemplar_share": 0,
                "alignment_weight": 0,
                "warm_up_steps": 1,
            },
            device="cpu",
        )
        mine = of(images, weights, tmp_path, steps=1, pictures=pictures, settings=settings)
        mine.run._gradients(mine.maker.batch(0))
        gradients.append(mine.run.model.detr_decoder.query_embed.weight.grad.clone())

    torch.testing.assert_close(*gradients, atol=1e-3, rtol=1e-3)
