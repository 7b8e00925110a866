"""Phrases and exemplars as the model reads them."""

import pytest
import torch
from transformers import CLIPTokenizer, Sam3Model

from engine.records import Exemplar
from models.prompt_inputs import PhraseFeatures, box_inputs

LEFT_HALF = Exemplar(box_xyxy=(0, 0, 100, 50), is_positive=True)
CORNER = Exemplar(box_xyxy=(150, 40, 200, 50), is_positive=False)


def test_boxes_are_centre_and_size_as_shares_of_their_own_image() -> None:
    boxes_BR4, labels_BR = box_inputs([(LEFT_HALF, CORNER), (LEFT_HALF,)], [(50, 200), (100, 400)])

    assert [[0.25, 0.5, 0.5, 1.0], [0.875, 0.9, 0.25, 0.2]] == [
        pytest.approx(box) for box in boxes_BR4[0].tolist()
    ]
    assert pytest.approx([0.125, 0.25, 0.25, 0.5]) == boxes_BR4[1, 0].tolist()
    assert [[1, 0], [1, -10]] == labels_BR.tolist()


@pytest.mark.parametrize(
    "phrase",
    [
        pytest.param("red circle", id="short"),
        pytest.param("a very long phrase " * 20, id="more tokens than the model reads"),
        pytest.param("\u732b \U0001f408", id="other scripts and emoji"),
    ],
)
@torch.no_grad()
def test_a_kept_phrase_equals_a_new_one(
    model: Sam3Model, tokenizer: CLIPTokenizer, phrase: str
) -> None:
    phrases = PhraseFeatures(model, tokenizer)
    phrases.of(["something else", phrase])

    kept, _ = phrases.of([phrase])
    new, is_token_BT = PhraseFeatures(model, tokenizer).of([phrase])

    assert torch.allclose(new, kept, atol=1e-5)
    assert (1, 32) == is_token_BT.shape


@torch.no_grad()
def test_only_the_latest_phrases_are_kept(model: Sam3Model, tokenizer: CLIPTokenizer) -> None:
    calls: list[int] = []
    hook = model.text_encoder.register_forward_pre_hook(
        lambda _module, _args, kwargs: calls.append(len(kwargs["input_ids"])), with_kwargs=True
    )
    phrases = PhraseFeatures(model, tokenizer, limit=2)
    try:
        for phrase in ("a", "b", "a", "c", "a", "b"):
            phrases.of([phrase])
    finally:
        hook.remove()

    assert [1, 1, 1, 1] == calls  # a, b, c, and b again, which c had pushed out


@torch.no_grad()
def test_a_batch_larger_than_the_limit_is_answered(
    model: Sam3Model, tokenizer: CLIPTokenizer
) -> None:
    features, _ = PhraseFeatures(model, tokenizer, limit=1).of(["a", "b", "c"])

    assert 3 == len(features)
