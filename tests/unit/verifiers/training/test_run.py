"""A run ends in weights that the server answers with, whatever happens on the way."""

import json
import multiprocessing
import os
import signal
import time
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from engine.errors import ConfigError, TrainingError
from engine.records import Failure
from engine.verdicts import OPTIONS, Option, VerdictTask
from engine.weights import Weights
from tests.other_image_text import save_untrained_idefics3
from tests.taught import SIDE, Shelf, a_recipe, a_row, a_square, some_rows, tensors, untaught
from verifiers.tiny.server.llava import Llava
from verifiers.tiny.server.loading import load_model
from verifiers.tiny.server.model import ImageTextModel
from verifiers.tiny.server.weights import find_weights
from verifiers.training.draws import Drawn
from verifiers.training.examples import Example, ExampleMaker
from verifiers.training.recipes import Method, VerifierRecipe
from verifiers.training.run import Progress, TrainingRows, open_learner, train

CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Weights:
    return untaught(tmp_path_factory.mktemp("verifier"))


@pytest.fixture(scope="module")
def other(tmp_path_factory: pytest.TempPathFactory) -> Weights:
    return find_weights(save_untrained_idefics3(tmp_path_factory.mktemp("other")))


@pytest.fixture
def shelf() -> Shelf:
    return Shelf()


def run(
    shelf: Shelf,
    recipe: VerifierRecipe,
    weights: Weights,
    out: Path,
    on_step: Callable[[Progress], None] = lambda _: None,
    *,
    max_rows: int = 4,
) -> Path:
    rows = TrainingRows(new=some_rows(shelf))
    folder, _ = train(
        rows,
        recipe,
        weights=weights,
        media=shelf,
        out=out,
        max_rows=max_rows,
        steps_per_checkpoint=2,
        on_step=on_step,
    )
    return folder


def some_examples(maker: ExampleMaker, shelf: Shelf) -> list[Example]:
    """Of all tasks and so of several lengths, with one picture or none."""
    media_id = some_rows(shelf)[0].question.media_id
    rows = [
        a_row("a", media_id, (a_square(6),), Option.ACCEPT),
        a_row("b", media_id, (), Option.REJECT, task=VerdictTask.EXHAUSTIVITY),
        a_row("c", media_id, (), Option.GROUNDABLE, task=VerdictTask.GROUNDABILITY),
        a_row("d", media_id, (a_square(36),), Option.REJECT),
    ]
    made = [maker.make(Drawn(row=row, order=OPTIONS[row.question.task])) for row in rows]
    return [each for each in made if isinstance(each, Example)]


@pytest.mark.parametrize("kind", ["llava", "idefics3"])
def test_what_learns_sees_what_the_server_sees(
    kind: str, weights: Weights, other: Weights, shelf: Shelf
) -> None:
    ours = weights if kind == "llava" else other
    learner, reader = open_learner(ours, a_recipe(ours), max_rows=4)
    examples = some_examples(ExampleMaker(reader, shelf, panel_side=SIDE), shelf)
    served = (Llava if kind == "llava" else ImageTextModel)(load_model(ours, CPU), padding=0)
    expected = served.logits([each.prompt for each in examples])

    learner.model.eval()
    with torch.no_grad():
        two = [examples[0], examples[3]]
        together = learner.logits([each.prompt for each in two])
        each_alone = torch.cat([learner.logits([each.prompt]) for each in examples])

    assert 4 == len(examples)
    torch.testing.assert_close(each_alone, expected, atol=2e-5, rtol=1e-4)
    torch.testing.assert_close(together, expected[[0, 3]], atol=2e-5, rtol=1e-4)


def test_a_verifier_learns_what_it_is_shown(weights: Weights, shelf: Shelf, tmp_path: Path) -> None:
    losses: list[float] = []
    recipe = a_recipe(weights, num_steps=25, rate=3e-3)

    def note(now: Progress) -> None:
        assert now.learnt is not None
        losses.append(now.learnt.loss)

    run(shelf, recipe, weights, tmp_path, note)

    # From hundreds of tokens to one of a few letters; which letter takes minutes from nothing.
    assert sum(losses[-5:]) / 5 < 2.5 < 5 < losses[0]


def test_the_new_folder_keeps_all_but_the_tensors(
    weights: Weights, shelf: Shelf, tmp_path: Path
) -> None:
    folder = run(shelf, a_recipe(weights), weights, tmp_path)

    files = {path.name for path in weights.folder.iterdir()}
    assert files == {path.name for path in folder.iterdir()}
    same = {n for n in files if (weights.folder / n).read_bytes() == (folder / n).read_bytes()}
    assert files - same == {"model.safetensors"}
    before, after = tensors(weights.folder), tensors(folder)
    assert {name: each.shape for name, each in before.items()} == {
        name: each.shape for name, each in after.items()
    }
    moved = [name for name in before if not torch.equal(before[name], after[name])]
    assert any(name.startswith("vision_tower") for name in moved)
    assert any(name.startswith("language_model") for name in moved)


def test_the_same_recipe_makes_the_same_weights_and_another_seed_others(
    weights: Weights, shelf: Shelf, tmp_path: Path
) -> None:
    names = [
        find_weights(run(shelf, recipe, weights, tmp_path / str(place))).name
        for place, recipe in enumerate(
            [a_recipe(weights), a_recipe(weights), a_recipe(weights, seed=1)]
        )
    ]

    assert names[0] == names[1] != names[2]


@pytest.mark.parametrize("method", list(Method))
def test_a_run_that_was_killed_ends_in_the_same_weights(
    method: Method, weights: Weights, shelf: Shelf, tmp_path: Path
) -> None:
    recipe = a_recipe(weights, method=method, num_steps=7)
    whole = run(shelf, recipe, weights, tmp_path / "whole")
    killed = multiprocessing.get_context("spawn").Process(
        target=_die_after, args=(5, recipe, weights, tmp_path / "killed")
    )
    killed.start()
    killed.join()
    steps: list[int] = []

    again = run(
        shelf, recipe, weights, tmp_path / "killed", lambda progress: steps.append(progress.step)
    )

    assert -signal.SIGKILL == killed.exitcode
    assert [4, 5, 6, 7] == steps  # the checkpoint of step 4, then the rest
    expected, actual = tensors(whole), tensors(again)
    assert all(torch.equal(expected[name], actual[name]) for name in expected)


def test_a_finished_training_is_not_made_twice(
    weights: Weights, shelf: Shelf, tmp_path: Path
) -> None:
    folder = run(shelf, a_recipe(weights, num_steps=2), weights, tmp_path)
    written = (folder / "model.safetensors").stat().st_mtime_ns
    steps: list[int] = []

    def note(progress: Progress) -> None:
        steps.append(progress.step)

    assert folder == run(shelf, a_recipe(weights, num_steps=2), weights, tmp_path, note)
    assert ([], written) == (steps, (folder / "model.safetensors").stat().st_mtime_ns)


def _die_after(step: int, recipe: VerifierRecipe, weights: Weights, out: Path) -> None:
    torch.set_num_threads(1)

    def die(progress: Progress) -> None:
        if progress.step == step:
            os.kill(os.getpid(), signal.SIGKILL)

    run(Shelf(), recipe, weights, out, die)
    time.sleep(60)  # it never comes here


def test_an_adapter_has_the_files_and_names_that_vllm_loads(
    other: Weights, shelf: Shelf, tmp_path: Path
) -> None:
    recipe = a_recipe(other, method=Method.LORA, rate=1e-2)

    folder = run(shelf, recipe, other, tmp_path)

    config = json.loads((folder / "adapter" / "adapter_config.json").read_text())
    assert ("LORA", 4, 8, "none") == tuple(
        config[name] for name in ("peft_type", "r", "lora_alpha", "bias")
    )
    assert not config["modules_to_save"]
    assert not config["use_dora"]
    assert other.name == config["base_model_name_or_path"]
    names = set(load_file(folder / "adapter" / "adapter_model.safetensors"))
    layer = "base_model.model.model.text_model.layers.0"
    assert f"{layer}.self_attn.q_proj.lora_A.weight" in names
    assert f"{layer}.mlp.down_proj.lora_B.weight" in names
    assert not [name for name in names if "text_model" not in name]


@pytest.mark.filterwarnings("ignore:`is_gradient_checkpointing`")  # peft, see `adapters`
@pytest.mark.parametrize("kind", ["llava", "idefics3"])
def test_a_merged_adapter_answers_as_the_adapted_model_did(
    kind: str, weights: Weights, other: Weights, shelf: Shelf, tmp_path: Path
) -> None:
    from peft import PeftModel

    ours = weights if kind == "llava" else other
    recipe = a_recipe(ours, method=Method.LORA, rate=1e-2)
    folder = run(shelf, recipe, ours, tmp_path)
    _, reader = open_learner(ours, recipe, max_rows=4)
    example = some_examples(ExampleMaker(reader, shelf, panel_side=SIDE), shelf)[0]
    merged = ImageTextModel(load_model(find_weights(folder), CPU), padding=0)
    adapted = PeftModel.from_pretrained(load_model(ours, CPU), str(folder / "adapter"))

    before = ImageTextModel(load_model(ours, CPU), padding=0).logits([example.prompt])
    expected = ImageTextModel(adapted, padding=0).logits([example.prompt])  # type: ignore[arg-type]
    actual = merged.logits([example.prompt])

    torch.testing.assert_close(actual, expected, atol=1e-4, rtol=1e-4)
    assert (before - actual).abs().max() > 1e-2


def test_a_loss_that_is_no_number_stops_the_run_before_it_spoils_anything(
    weights: Weights, shelf: Shelf, tmp_path: Path
) -> None:
    spoilt = tmp_path / "spoilt"
    spoilt.mkdir()
    for path in weights.folder.iterdir():
        (spoilt / path.name).write_bytes(path.read_bytes())
    found = dict(tensors(spoilt))
    found["language_model.lm_head.weight"][:] = float("nan")
    from safetensors.torch import save_file

    save_file(found, spoilt / "model.safetensors", metadata={"format": "pt"})

    with pytest.raises(TrainingError, match=r"step 0 is no number.*RATE"):
        run(shelf, a_recipe(weights), find_weights(spoilt), tmp_path / "out")
    assert not (tmp_path / "out" / "weights").exists()


def test_an_image_that_is_gone_costs_its_rows_and_is_counted(
    weights: Weights, tmp_path: Path
) -> None:
    shelf = Shelf()
    rows = some_rows(shelf, num=40)
    del shelf.files[rows[0].question.media_id]

    _, gone = train(
        TrainingRows(new=rows),
        a_recipe(weights, num_steps=12),
        weights=weights,
        media=shelf,
        out=tmp_path,
        max_rows=4,
        steps_per_checkpoint=100,
        on_step=lambda _: None,
    )

    assert {"unreadable_media"} == set(gone)
    assert 1 <= gone.total() < 5


def test_a_run_stops_where_most_images_are_gone(weights: Weights, tmp_path: Path) -> None:
    shelf = Shelf()
    rows = some_rows(shelf)
    shelf.files.clear()

    with pytest.raises(ConfigError, match=r"4 of 4 rows cannot be shown \(unreadable_media 4\)"):
        train(
            TrainingRows(new=rows),
            a_recipe(weights),
            weights=weights,
            media=shelf,
            out=tmp_path,
            max_rows=4,
            steps_per_checkpoint=100,
            on_step=lambda _: None,
        )


def test_memory_that_runs_out_halves_what_goes_through_at_once(
    weights: Weights, shelf: Shelf, monkeypatch: pytest.MonkeyPatch
) -> None:
    learner, reader = open_learner(weights, a_recipe(weights), max_rows=4)
    maker = ExampleMaker(reader, shelf, panel_side=SIDE)
    rows = some_rows(shelf)[:4]
    made = [maker.make(Drawn(row=row, order=OPTIONS[VerdictTask.MASK])) for row in rows]
    examples = [each for each in made if not isinstance(each, Failure)]
    forward, sizes = learner.model.forward, []

    def narrow(*args: object, **inputs: torch.Tensor) -> object:
        sizes.append(len(inputs["input_ids"]))
        if sizes[-1] > 1:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return forward(*args, **inputs)

    monkeypatch.setattr(learner.model, "forward", narrow)
    learner.learn(examples, step=0)

    assert [4, 2, 1, 1, 1, 1] == sizes


def test_rows_that_go_through_in_parts_teach_the_same(
    weights: Weights, shelf: Shelf, tmp_path: Path
) -> None:
    recipe = a_recipe(weights, num_steps=2)
    at_once = tensors(run(shelf, recipe, weights, tmp_path / "4", max_rows=4))
    in_parts = tensors(run(shelf, recipe, weights, tmp_path / "1", max_rows=1))

    assert all((at_once[name] - in_parts[name]).abs().max() < 1e-3 for name in at_once)
