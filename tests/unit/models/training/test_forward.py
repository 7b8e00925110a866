"""The training pass gives what the stock model gives, and more layers of it."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from models.roi_align import install
from models.tiny.architecture import (
    IMAGE_SIZE,
    MAX_TOKENS,
    build_model,
    build_tokenizer,
    save_proposer,
)
from models.training.alignment import IGNORED, Alignment, ThingCells
from models.training.boxes import to_corners
from models.training.forward import Exemplars, LayerRecorder, encode_phrases, forward_pairs

PHRASES = ["red circle", "striped square", "red circle"]
TOKENIZER = build_tokenizer(["red circle", "striped square", "visual"])


@pytest.fixture(scope="module")
def model():
    torch.manual_seed(0)
    install()
    model = build_model(len(TOKENIZER)).eval()
    # The first weights move no box; here they must, or refinement would not be seen.
    torch.nn.init.normal_(model.detr_decoder.box_head.layer3.weight, std=0.1)
    return model


@pytest.fixture(scope="module")
def pixels():
    return torch.rand(2, 3, IMAGE_SIZE, IMAGE_SIZE) * 2 - 1


def asked(model, pixels, exemplars=None):
    recorder = LayerRecorder(model)
    with torch.no_grad():
        return forward_pairs(
            model,
            recorder,
            vision=model.vision_encoder(pixels),
            image_of_N=torch.tensor([0, 0, 1]),
            text=encode_phrases(model, TOKENIZER, PHRASES),
            exemplars=exemplars,
        )


def plainly(model, pixels, **boxes):
    tokens = TOKENIZER(PHRASES, return_tensors="pt", padding="max_length", max_length=MAX_TOKENS)
    with torch.no_grad():
        return model(pixel_values=pixels[[0, 0, 1]], **tokens, **boxes)


def test_the_last_layer_is_what_the_model_returns(model, pixels):
    outputs, expected = asked(model, pixels), plainly(model, pixels)

    pairs = [
        (outputs.logits_LNQ[-1], expected.pred_logits),
        (to_corners(outputs.boxes_LNQ4[-1]), expected.pred_boxes),
        (outputs.presence_LN[-1], expected.presence_logits[:, 0]),
        (outputs.masks_NQHW, expected.pred_masks),
        (outputs.semantic_NHW, expected.semantic_seg[:, 0]),
    ]
    for got, wanted in pairs:
        torch.testing.assert_close(got, wanted, atol=2e-4, rtol=2e-4)
    assert len(outputs.logits_LNQ) == model.config.detr_decoder_config.num_layers


def test_exemplars_reach_the_model(model, pixels):
    boxes = torch.tensor([[[0.4, 0.4, 0.3, 0.3]], [[0.6, 0.6, 0.2, 0.2]], [[0.5, 0.5, 0.5, 0.5]]])
    labels = torch.tensor([[1], [0], [-10]])
    shown = Exemplars(boxes_NK4=boxes, labels_NK=labels)

    outputs = asked(model, pixels, shown)

    expected = plainly(model, pixels, input_boxes=boxes, input_boxes_labels=labels)
    torch.testing.assert_close(outputs.masks_NQHW, expected.pred_masks, atol=2e-4, rtol=2e-4)
    unprompted = asked(model, pixels)
    assert not torch.allclose(outputs.logits_LNQ[-1], unprompted.logits_LNQ[-1], atol=1e-3)


def test_gradients_reach_every_part_of_the_model(pixels):
    torch.manual_seed(0)
    install()
    model = build_model(len(TOKENIZER))
    # A box head of zeros hides what lies before it.
    torch.nn.init.normal_(model.detr_decoder.box_head.layer3.weight, std=0.1)
    outputs = forward_pairs(
        model,
        LayerRecorder(model),
        vision=model.vision_encoder(pixels),
        image_of_N=torch.tensor([0, 0, 1]),
        text=encode_phrases(model, TOKENIZER, PHRASES),
        exemplars=Exemplars(
            boxes_NK4=torch.rand(3, 1, 4) * 0.3 + 0.3, labels_NK=torch.tensor([[1], [0], [1]])
        ),
    )
    parts = (outputs.logits_LNQ, outputs.boxes_LNQ4, outputs.presence_LN, outputs.masks_NQHW)
    (sum(part.square().mean() for part in parts) + outputs.semantic_NHW.mean()).backward()

    modules = ["vision_encoder", "text_encoder", "geometry_encoder", "detr_encoder", "detr_decoder"]
    for name in [*modules, "mask_decoder", "dot_product_scoring", "text_projection"]:
        gradients = [p.grad for p in model.get_submodule(name).parameters() if p.grad is not None]
        assert gradients, name
        assert any(gradient.abs().sum() > 0 for gradient in gradients), name


def test_a_saved_proposer_is_loaded_as_sam3_is(model, pixels, tmp_path):
    save_proposer(model, TOKENIZER, tmp_path)

    loaded = type(model).from_pretrained(tmp_path).eval()
    torch.testing.assert_close(
        plainly(loaded, pixels).pred_masks, plainly(model, pixels).pred_masks, atol=0, rtol=0
    )
    again = type(TOKENIZER).from_pretrained(tmp_path)
    assert again("striped red thing").input_ids == TOKENIZER("striped red thing").input_ids


def test_the_tokenizer_follows_from_its_texts_and_keeps_words_whole():
    again = build_tokenizer(["red circle", "striped square", "visual"])

    assert again.get_vocab() == TOKENIZER.get_vocab()
    assert len(TOKENIZER("striped red circle").input_ids) == 3 + 2


@given(st.text(st.characters(codec="utf-8", exclude_categories=["Cs"]), max_size=20))
def test_no_text_is_unknown_to_the_tokenizer(text):
    assert None not in TOKENIZER(text).input_ids
    assert max(TOKENIZER(text).input_ids) < len(TOKENIZER)


def things_in_corners() -> ThingCells:
    shares = torch.zeros(1, 2, 4, 4)
    shares[0, 0, :2, :2] = 1.0
    shares[0, 1, 2:, 2:] = 0.8
    return ThingCells(
        shares_BMSS=shares,
        boxes_BM4=torch.tensor([[[0.25, 0.25, 0.5, 0.5], [0.75, 0.75, 0.5, 0.5]]]),
        words_BMD=torch.tensor([[[0, 1], [1, IGNORED]]]),
    )


def test_a_cell_belongs_to_what_shows_most_in_it():
    things = things_in_corners()
    things.shares_BMSS[0, 1, 3, 3] = 0.3

    owner_BMSS = things.owner_cells()
    assert owner_BMSS[0, 0].sum() == 4
    assert owner_BMSS[0, 1].sum() == 3


def test_features_that_say_everything_cost_nothing():
    things, alignment = things_in_corners(), Alignment(width=4)
    words_KC = 60 * torch.eye(4)  # two shapes and two colours
    features = torch.zeros(1, 4, 4, 4)
    features[0, 0, :2, :2] = features[0, 3, :2, :2] = 1
    features[0, 1, 2:, 2:] = 1

    loss, share_right = alignment.word_loss(features, words_KC, [2, 2], things)
    assert loss.item() == pytest.approx(0, abs=1e-4)
    assert share_right == 1.0
    wrong, none_right = alignment.word_loss(features[:, [1, 0, 3, 2]], words_KC, [2, 2], things)
    assert wrong > 10
    assert none_right < 1.0


def test_phrases_that_light_up_their_cells_cost_less():
    alignment = Alignment(width=4)
    share_BPSS = things_in_corners().shares_BMSS[:, :1]
    lit, dark = torch.zeros(1, 4, 4, 4), torch.zeros(1, 4, 4, 4)
    lit[0, 0] = 20 * share_BPSS[0, 0] - 10
    dark[0, 0] = -lit[0, 0]
    phrase_BPC = torch.tensor([[[4.0, 0.0, 0.0, 0.0]]])

    good, bad = (alignment.phrase_loss(seen, phrase_BPC, share_BPSS) for seen in (lit, dark))
    assert good < 0.01 < bad


def test_queries_on_their_own_do_not_know_of_one_another(model, pixels):
    """Without attention between them, what one query finds does not depend on the others."""
    recorder = LayerRecorder(model)

    def alone():
        with torch.no_grad():
            outputs = forward_pairs(
                model,
                recorder,
                vision=model.vision_encoder(pixels),
                image_of_N=torch.tensor([0]),
                text=encode_phrases(model, TOKENIZER, PHRASES[:1]),
            )
            return outputs, recorder.without_one_another(outputs)

    together_before, before = alone()
    saved = model.detr_decoder.query_embed.weight.detach().clone()
    with torch.no_grad():
        model.detr_decoder.query_embed.weight[1:] += 1.0
    together_after, after = alone()
    with torch.no_grad():
        model.detr_decoder.query_embed.weight.copy_(saved)

    first = (slice(None), 0, 0)
    torch.testing.assert_close(before.logits_LNQ[first], after.logits_LNQ[first])
    torch.testing.assert_close(before.boxes_LNQ4[first], after.boxes_LNQ4[first])
    changed = together_before.logits_LNQ[first] - together_after.logits_LNQ[first]
    assert changed.abs().max() > 1e-3
    assert len(before.logits_LNQ) == model.config.detr_decoder_config.num_layers
