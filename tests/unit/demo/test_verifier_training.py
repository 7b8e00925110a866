"""The tiny verifier in training: packing changes nothing, and steps make it better."""

import random
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from transformers import AutoModelForImageTextToText, AutoProcessor

from demo.verifier.beginning import initialise
from demo.verifier.forward import answer, as_tensor, see
from demo.verifier.lessons import mask_lesson
from demo.verifier.packing import Packer, Question
from demo.verifier.recipe import Recipe
from demo.verifier.run import VerifierRun
from demo.verifier.words import every_text
from demo.world.scenes import make_scene
from engine.errors import ConfigError
from models.training.checkpoints import load_checkpoint, save_checkpoint
from verifiers.tiny.architecture import build_tokenizer, build_verifier, save_verifier

RECIPE = Recipe(teach_steps=2, see_steps=2, answer_steps=2, settle_steps=2, pictures=2)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    torch.manual_seed(0)
    tokenizer = build_tokenizer(every_text())
    model = build_verifier(tokenizer)
    initialise(model)
    path = tmp_path_factory.mktemp("verifier")
    save_verifier(model, tokenizer, path)
    return path


def test_packed_questions_get_what_each_gets_alone(folder: Path) -> None:
    """The training's forward pass against the saved folder's own processor and forward pass."""
    model = AutoModelForImageTextToText.from_pretrained(folder).eval()
    processor = AutoProcessor.from_pretrained(folder)
    lesson = mask_lesson(make_scene(3_000_001), random.Random(0))
    asked = [one for one in lesson.asked if one.sees_picture]
    packer = Packer(processor.tokenizer)
    packed = packer.pack([[Question(text=one.text, answer=one.answer) for one in asked]])
    with torch.inference_mode():
        together = answer(model, see(model, as_tensor([lesson.picture_SS3])), packed).logits_QV
        for one, logits_V in zip(asked, together, strict=True):
            content = [{"type": "image"}, {"type": "text", "text": one.text}]
            prompt = processor.apply_chat_template(
                [{"role": "user", "content": content}], add_generation_prompt=True, tokenize=False
            )
            inputs = processor(
                images=Image.fromarray(lesson.picture_SS3),
                text=prompt,
                return_tensors="pt",
                add_special_tokens=False,
            )
            alone_V = model(**inputs).logits[0, -1]
            np.testing.assert_allclose(logits_V.numpy(), alone_V.numpy(), atol=2e-5)


def test_a_question_without_a_picture_does_not_see_it(folder: Path) -> None:
    model = AutoModelForImageTextToText.from_pretrained(folder).eval()
    packer = Packer(AutoProcessor.from_pretrained(folder).tokenizer)
    questions = [
        Question(text='Rate the label "red circle"\n(A) Groundable', sees_picture=False),
        Question(text='Rate this mask for the label "red circle"\n(A) Accept'),
    ]
    pictures = torch.rand(2, 3, 96, 96, generator=torch.Generator().manual_seed(0))
    with torch.inference_mode():
        packed = packer.pack([questions, questions])
        blind, seeing = (
            answer(model, see(model, pictures), packed).logits_QV.view(2, 2, -1).unbind(1)
        )
    assert torch.allclose(blind[0], blind[1], atol=1e-6)
    assert not torch.allclose(seeing[0], seeing[1], atol=1e-3)


def test_a_resumed_run_goes_on_as_if_it_had_not_stopped(tmp_path: Path) -> None:
    whole = VerifierRun(RECIPE)
    for _ in range(4):
        whole.learn()
    save_checkpoint(tmp_path / "checkpoint.pt", whole.state())
    losses = [whole.learn()["loss"] for _ in range(4)]
    resumed = VerifierRun(RECIPE)
    state = load_checkpoint(tmp_path / "checkpoint.pt")
    assert state is not None
    resumed.restore(state)
    assert [resumed.learn()["loss"] for _ in range(4)] == losses


def test_a_checkpoint_of_another_recipe_is_refused() -> None:
    state = VerifierRun(RECIPE).state()
    with pytest.raises(ConfigError, match="another folder"):
        VerifierRun(Recipe(seed=1)).restore(state)


def test_phases_follow_one_another() -> None:
    phases = [RECIPE.phase(step) for step in range(RECIPE.num_steps)]
    assert phases == [name for name in ("teach", "see", "answer", "settle") for _ in range(2)]


def test_steps_make_the_answers_better() -> None:
    torch.manual_seed(0)
    run = VerifierRun(
        Recipe(teach_steps=0, see_steps=0, answer_steps=24, settle_steps=0, pictures=2)
    )
    answers = [run.learn()["answers"] for _ in range(24)]
    assert sum(answers[-4:]) < 0.9 * sum(answers[:4])


def test_the_rate_rises_stays_and_falls() -> None:
    recipe = Recipe(teach_steps=50, see_steps=100, answer_steps=50, settle_steps=100)
    rates = [recipe.rate_at(step) for step in range(recipe.num_steps)]
    assert rates[0] < rates[50] < rates[100] == rates[199] == recipe.rate
    assert rates[200] == pytest.approx(recipe.rate * recipe.settle_rate)
    assert all(later < earlier for earlier, later in pairwise(rates[200:]))
    assert rates[-1] < 1.5 * recipe.rate * recipe.last_rate
