"""The batched way finds what the stock model finds, one prompt at a time."""

from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import pytest
import torch
from torch import nn
from transformers import CLIPTokenizer, Sam3Config, Sam3Model
from transformers.modeling_outputs import BaseModelOutputWithPooling

from engine.errors import ConfigError
from engine.records import Exemplar, Pair, Prompt
from models.detector import Detections, Detector, ResizedImage
from models.image_features import of_images
from models.prompt_inputs import PhraseFeatures
from models.roi_align import install
from models.settings import ProposerSettings

# Batches sum in another order than single prompts; float32 at this depth keeps five digits.
TOLERANCE = 1e-4
BOX = Exemplar(box_xyxy=(10, 20, 60, 70), is_positive=True)
OTHER_BOX = Exemplar(box_xyxy=(100, 5, 180, 90), is_positive=False)
HEIGHT, WIDTH = 100, 200


def an_image(
    seed: int, *asked: str | tuple[str, tuple[Exemplar, ...]], side: int = 96
) -> ResizedImage:
    generator = torch.Generator().manual_seed(seed)
    pixels_CSS = torch.randint(0, 256, (3, side, side), dtype=torch.uint8, generator=generator)
    prompts = []
    for one in asked:
        phrase, exemplars = (one, ()) if isinstance(one, str) else one
        pair = Pair(media_id=str(seed), phrase=phrase)
        prompts.append(Prompt(pair=pair, exemplars=exemplars))
    return ResizedImage(pixels_CSS=pixels_CSS, height=HEIGHT, width=WIDTH, prompts=tuple(prompts))


def a_detector(model: Sam3Model, tokenizer: CLIPTokenizer, **settings: object) -> Detector:
    return Detector(model, tokenizer, ProposerSettings(score_threshold=0, **settings))


@torch.no_grad()
def find_plainly(
    model: Sam3Model, tokenizer: CLIPTokenizer, image: ResizedImage, prompt: Prompt
) -> Detections:
    """One call of the stock model for one prompt, all its 25 queries."""
    tokens = tokenizer([prompt.text], return_tensors="pt", padding="max_length", max_length=32)
    boxes = {}
    if prompt.exemplars:
        xyxy_R4 = torch.tensor([exemplar.box_xyxy for exemplar in prompt.exemplars])
        shares_R4 = xyxy_R4 / torch.tensor([WIDTH, HEIGHT, WIDTH, HEIGHT])
        centre_R2 = (shares_R4[:, :2] + shares_R4[:, 2:]) / 2
        size_R2 = shares_R4[:, 2:] - shares_R4[:, :2]
        boxes["input_boxes"] = torch.cat([centre_R2, size_R2], 1)[None]
        boxes["input_boxes_labels"] = torch.tensor(
            [[int(exemplar.is_positive) for exemplar in prompt.exemplars]]
        )
    pixels_1CSS = (image.pixels_CSS[None].float() / 255 - 0.5) / 0.5
    outputs = model(pixel_values=pixels_1CSS, **tokens, **boxes)
    order_Q = outputs.pred_logits[0].argsort(descending=True, stable=True)
    return Detections(
        presence=float(outputs.presence_logits.sigmoid()),
        scores_K=outputs.pred_logits[0, order_Q].sigmoid().numpy(),
        probabilities_Khw=outputs.pred_masks[0, order_Q].sigmoid().numpy(),
    )


def assert_close(expected: Detections, found: Detections) -> None:
    assert found.presence == pytest.approx(expected.presence, abs=TOLERANCE)
    np.testing.assert_allclose(expected.scores_K, found.scores_K, atol=TOLERANCE)
    np.testing.assert_allclose(expected.probabilities_Khw, found.probabilities_Khw, atol=TOLERANCE)


IMAGES = [
    an_image(1, "red circle", ("red circle", (BOX,)), "blue square"),
    an_image(2),
    an_image(3, ("visual", (BOX, OTHER_BOX)), "striped star", ("star", (OTHER_BOX,))),
    an_image(4, "red circle"),
]


@pytest.mark.parametrize("prompts_per_batch", [1, 2, 16])
def test_batches_find_what_the_stock_model_finds(
    model: Sam3Model, tokenizer: CLIPTokenizer, prompts_per_batch: int
) -> None:
    detector = a_detector(model, tokenizer, prompts_per_batch=prompts_per_batch)

    found = detector.detect(IMAGES)

    assert [3, 0, 3, 1] == [len(of_image) for of_image in found]
    for image, of_image in zip(IMAGES, found, strict=True):
        for prompt, one in zip(image.prompts, of_image, strict=True):
            assert_close(find_plainly(model, tokenizer, image, prompt), one)


def test_exemplars_change_the_answer(model: Sam3Model, tokenizer: CLIPTokenizer) -> None:
    plain, boxed, other = a_detector(model, tokenizer).detect(
        [an_image(1, "star", ("star", (BOX,)), ("star", (OTHER_BOX,)))]
    )[0]
    scores = [plain.scores_K, boxed.scores_K, other.scores_K]

    assert min(np.abs(scores[i] - scores[i - 1]).max() for i in range(3)) > TOLERANCE


@contextmanager
def counted(module: nn.Module) -> Iterator[list[int]]:
    """Collect the batch size of each call of *module*."""
    sizes: list[int] = []

    def count(_module: nn.Module, args: tuple[object, ...], kwargs: dict[str, object]) -> None:
        batch = next(one for one in [*args, *kwargs.values()] if isinstance(one, torch.Tensor))
        sizes.append(len(batch))

    hook = module.register_forward_pre_hook(count, with_kwargs=True)
    try:
        yield sizes
    finally:
        hook.remove()


def test_an_image_is_encoded_once(model: Sam3Model, tokenizer: CLIPTokenizer) -> None:
    detector = a_detector(model, tokenizer, prompts_per_batch=2)

    with counted(model.vision_encoder) as sizes:
        detector.detect([an_image(1, "a", "b", "c", "d", "e"), an_image(2), an_image(3, "a")])

    assert [2] == sizes


def test_a_phrase_is_encoded_once(model: Sam3Model, tokenizer: CLIPTokenizer) -> None:
    detector = a_detector(model, tokenizer, prompts_per_batch=3)

    with counted(model.text_encoder) as sizes:
        detector.detect([an_image(1, "red circle", "star"), an_image(2, "red circle")])
        detector.detect([an_image(3, "star", ("red circle", (BOX,)))])

    assert [2] == sizes


def test_prompts_fill_batches_across_images(model: Sam3Model, tokenizer: CLIPTokenizer) -> None:
    detector = a_detector(model, tokenizer, prompts_per_batch=4)

    with counted(model.detr_encoder.layers[0]) as sizes:
        detector.detect([an_image(seed, "red circle") for seed in range(8)])

    assert [4, 4] == sizes


def test_bfloat16_finds_nearly_the_same(model: Sam3Model, tokenizer: CLIPTokenizer) -> None:
    image = an_image(1, "red circle", ("star", (BOX,)))
    [exact] = a_detector(model, tokenizer).detect([image])

    [found] = a_detector(model, tokenizer, precision="bfloat16").detect([image])

    for one, other in zip(exact, found, strict=True):
        assert other.presence == pytest.approx(one.presence, abs=0.03)
        np.testing.assert_allclose(one.scores_K, other.scores_K, atol=0.03)


def test_running_out_of_memory_says_what_to_lower(
    model: Sam3Model, tokenizer: CLIPTokenizer
) -> None:
    def run_out(*_: object) -> None:
        raise torch.OutOfMemoryError("no more")

    hook = model.detr_encoder.register_forward_pre_hook(run_out)
    try:
        with pytest.raises(ConfigError, match="lower prompts_per_batch"):
            a_detector(model, tokenizer).detect([an_image(1, "star")])
    finally:
        hook.remove()


def test_the_calls_fit_the_published_configuration(tokenizer: CLIPTokenizer) -> None:
    """On the meta device: 840 million parameters, shapes without numbers."""
    with torch.device("meta"), torch.inference_mode():
        model = Sam3Model(Sam3Config(attn_implementation="eager")).eval()
        # The decoder reads the size of its grid from a tensor, which has no numbers here; nor has
        # the mask of tokens, which is therefore left out.
        grid = torch.arange(72, dtype=torch.float32)
        model.detr_decoder._get_coords = lambda *_, **__: (grid, grid)
        vision = model.get_vision_features(torch.empty(2, 3, 1008, 1008))
        features_BTC, _ = PhraseFeatures(model, tokenizer).of(["a", "b", "a"])
        outputs = model(
            vision_embeds=of_images(vision, [0, 1, 1]),
            text_embeds=BaseModelOutputWithPooling(pooler_output=features_BTC),
        )

    shapes = (outputs.pred_masks.shape, outputs.pred_logits.shape, outputs.presence_logits.shape)
    assert ((3, 200, 288, 288), (3, 200), (3, 1)) == shapes


@pytest.fixture(scope="module")
def thin_model(tokenizer: CLIPTokenizer) -> Sam3Model:
    """facebook/sam3 in everything but depth and width: size, grid, windows, queries, pyramid."""
    torch.manual_seed(0)
    thin = {"hidden_size": 32, "intermediate_size": 32, "num_layers": 1, "num_attention_heads": 2}
    text = {"hidden_size": 32, "intermediate_size": 32, "num_hidden_layers": 1}
    config = Sam3Config(
        vision_config={
            "model_type": "sam3_vision_model",
            "backbone_config": {
                "model_type": "sam3_vit_model",
                "hidden_size": 32,
                "intermediate_size": 32,
                "num_hidden_layers": 2,
                "num_attention_heads": 2,
                "global_attn_indexes": [1],
            },
            "fpn_hidden_size": 32,
        },
        text_config={
            **text,
            "model_type": "clip_text_model",
            "vocab_size": len(tokenizer),
            "num_attention_heads": 2,
            "max_position_embeddings": 32,
        },
        geometry_encoder_config=thin,
        detr_encoder_config=thin,
        detr_decoder_config=thin,
        mask_decoder_config={"hidden_size": 32, "num_attention_heads": 2},
    )
    install()
    return Sam3Model(config).eval().requires_grad_(False)


def test_the_one_code_path_runs_at_the_published_geometry(
    thin_model: Sam3Model, tokenizer: CLIPTokenizer
) -> None:
    detector = a_detector(thin_model, tokenizer, max_proposals=3)

    [[plain, boxed]] = detector.detect([an_image(0, "star", ("star", (BOX,)), side=detector.side)])

    assert 1008 == detector.side
    assert [(3, 288, 288)] * 2 == [one.probabilities_Khw.shape for one in (plain, boxed)]
