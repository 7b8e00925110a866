"""From decoded images to proposal sets."""

import resource
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from transformers import CLIPTokenizer, Sam3Model

from engine.errors import ConfigError
from engine.masks import BoolArray, decode, iom
from engine.ports import PromptedImage
from engine.records import Exemplar, Pair, Prompt, ProposalSet
from models.sam3_image import VISUAL_PROMPT, Sam3Proposer, load_proposer
from models.settings import ProposerSettings

THRESHOLD = 0.105  # some of the untrained model's 25 queries lie above, some below
BOX = Exemplar(box_xyxy=(10, 20, 61, 72), is_positive=True)
PHRASES = ("red circle", "blue square", "striped star")


def a_proposer(model: Sam3Model, tokenizer: CLIPTokenizer, **settings: object) -> Sam3Proposer:
    chosen = {"score_threshold": THRESHOLD, "iom_threshold": 1, **settings}
    return Sam3Proposer(model, tokenizer, name="sam3@0", settings=ProposerSettings(**chosen))


def an_image(seed: int, *phrases: str, exemplars: tuple[Exemplar, ...] = ()) -> PromptedImage:
    generator = np.random.default_rng(seed)
    coarse = generator.integers(0, 256, (6, 8, 3), np.uint8)
    prompts = tuple(
        Prompt(pair=Pair(media_id=str(seed), phrase=phrase), exemplars=exemplars)
        for phrase in phrases
    )
    pixels_HWC = coarse.repeat(20, axis=0).repeat(20, axis=1)
    return PromptedImage(media_id=str(seed), pixels_HWC=pixels_HWC, prompts=prompts)


@torch.no_grad()
def post_process(
    model: Sam3Model, tokenizer: CLIPTokenizer, image: PromptedImage, phrase: str
) -> tuple[list[float], BoolArray]:
    """The lines of transformers' image processor, which needs torchvision: scores and masks."""
    pixels_1CHW = torch.tensor(image.pixels_HWC).permute(2, 0, 1)[None]
    resized_1CSS = torch.nn.functional.interpolate(
        pixels_1CHW, (96, 96), mode="bilinear", align_corners=False, antialias=True
    )
    tokens = tokenizer([phrase], return_tensors="pt", padding="max_length", max_length=32)
    outputs = model(pixel_values=(resized_1CSS / 255 - 0.5) / 0.5, **tokens)
    scores = (outputs.pred_logits.sigmoid() * outputs.presence_logits.sigmoid())[0]
    keep = scores > THRESHOLD
    masks = torch.nn.functional.interpolate(
        outputs.pred_masks.sigmoid()[:, keep],
        size=image.pixels_HWC.shape[:2],
        mode="bilinear",
        align_corners=False,
    )[0]
    order = scores[keep].argsort(descending=True, stable=True)
    return scores[keep][order].tolist(), (masks[order] > 0.5).numpy()


def test_the_masks_are_those_of_transformers_post_processing(
    model: Sam3Model, tokenizer: CLIPTokenizer
) -> None:
    image = an_image(0, *PHRASES)

    [sets] = a_proposer(model, tokenizer).propose([image])

    for phrase, found in zip(PHRASES, sets, strict=True):
        scores, masks_NHW = post_process(model, tokenizer, image, phrase)
        is_visible = masks_NHW.any((1, 2))
        # They threshold presence * query score, we the query score alone.
        likely = [one for one in found.proposals if found.confidence(one) > THRESHOLD]
        confidences = [found.confidence(proposal) for proposal in likely]
        assert confidences == pytest.approx(np.array(scores)[is_visible].tolist(), abs=1e-4)
        different = decode([one.mask for one in likely]) ^ masks_NHW[is_visible]
        assert different.mean() < 1e-4  # pixels that lie on the threshold may fall either way


def assert_same_sets(expected: ProposalSet, found: ProposalSet) -> None:
    """Equal up to the rounding of float32: the fourth digit of scores, a pixel in 10,000."""
    assert replace(expected, presence=0, proposals=()) == replace(found, presence=0, proposals=())
    assert found.presence == pytest.approx(expected.presence, abs=1e-4)
    scores = [one.query_score for one in expected.proposals]
    assert [one.query_score for one in found.proposals] == pytest.approx(scores, abs=1e-4)
    ours, theirs = (decode([one.mask for one in each.proposals]) for each in (expected, found))
    assert (ours ^ theirs).mean() < 1e-4


def test_an_answer_does_not_depend_on_what_else_is_asked(
    model: Sam3Model, tokenizer: CLIPTokenizer
) -> None:
    images = [
        an_image(0, *PHRASES),
        an_image(1, PHRASES[0]),
        an_image(2, PHRASES[1], VISUAL_PROMPT, exemplars=(BOX,)),
        an_image(3, *PHRASES, *PHRASES[:1], exemplars=(BOX, replace(BOX, is_positive=False))),
    ]
    together = [found for sets in a_proposer(model, tokenizer).propose(images) for found in sets]

    proposer = a_proposer(model, tokenizer, prompts_per_batch=1)
    alone = [
        found
        for image in images
        for prompt in image.prompts
        for [found] in proposer.propose([replace(image, prompts=(prompt,))])
    ]

    assert 10 == len(alone) == len(together)
    for one, other in zip(alone, together, strict=True):
        assert_same_sets(one, other)


def test_only_masks_above_the_threshold_are_proposed(
    model: Sam3Model, tokenizer: CLIPTokenizer
) -> None:
    image = an_image(0, PHRASES[0])
    [[everything]] = a_proposer(model, tokenizer, score_threshold=0).propose([image])
    scores = sorted(proposal.query_score for proposal in everything.proposals)
    threshold = scores[len(scores) // 2]

    [[found]] = a_proposer(model, tokenizer, score_threshold=threshold).propose([image])

    assert 0 < len(found.proposals) < len(everything.proposals)
    assert min(proposal.query_score for proposal in found.proposals) > threshold


def test_below_the_presence_floor_nothing_is_proposed(
    model: Sam3Model, tokenizer: CLIPTokenizer
) -> None:
    [[found]] = a_proposer(model, tokenizer, presence_floor=1).propose([an_image(0, PHRASES[0])])

    assert () == found.proposals
    assert 0 < found.presence < 1


def test_overlapping_masks_are_proposed_once(model: Sam3Model, tokenizer: CLIPTokenizer) -> None:
    image = an_image(0, PHRASES[0])
    [[everything]] = a_proposer(model, tokenizer).propose([image])

    [[found]] = a_proposer(model, tokenizer, iom_threshold=0.5).propose([image])
    masks = [proposal.mask for proposal in found.proposals]

    assert everything.proposals[0] == found.proposals[0]
    assert len(masks) < len(everything.proposals)
    assert (iom(masks, masks) - np.eye(len(masks))).max() <= 0.5


def test_boxes_can_speak_alone(model: Sam3Model, tokenizer: CLIPTokenizer) -> None:
    pair = Pair(media_id="0", phrase="gadget")
    prompt = Prompt(pair=pair, exemplars=(BOX,), prompted_phrase=VISUAL_PROMPT)
    image = replace(an_image(0), prompts=(prompt,))

    [[found]] = a_proposer(model, tokenizer).propose([image])

    assert (pair.id, VISUAL_PROMPT, (BOX,)) == (
        found.pair_id,
        found.prompted_phrase,
        found.exemplars,
    )


@pytest.mark.parametrize(
    ("change", "is_the_same"),
    [
        pytest.param({"score_threshold": 0.4}, False, id="threshold"),
        pytest.param({"presence_floor": 0.2}, False, id="presence floor"),
        pytest.param({"max_proposals": 3}, False, id="limit"),
        pytest.param({"iom_threshold": 0.7}, False, id="duplicates"),
        pytest.param({"precision": "bfloat16"}, False, id="precision"),
        pytest.param({"precision": "float32"}, True, id="what auto means here"),
        pytest.param(
            {"prompts_per_batch": 3, "cpu_threads": 1, "images_ahead": 1}, True, id="speed"
        ),
    ],
)
def test_the_hash_of_settings_knows_what_changes_answers(
    model: Sam3Model, tokenizer: CLIPTokenizer, change: dict[str, object], is_the_same: bool
) -> None:
    plain = a_proposer(model, tokenizer).inference_settings

    assert is_the_same is (plain == a_proposer(model, tokenizer, **change).inference_settings)


def test_a_proposer_is_named_after_its_weights(weights_folder: Path) -> None:
    proposer = load_proposer(ProposerSettings(weights=str(weights_folder), device="cpu"))

    assert proposer.name.startswith("sam3@")


@pytest.mark.skipif(torch.cuda.is_available(), reason="needs a machine without a GPU")
def test_a_missing_gpu_is_an_error(weights_folder: Path) -> None:
    with pytest.raises(ConfigError, match="torch finds no GPU"):
        load_proposer(ProposerSettings(weights=str(weights_folder), device="cuda"))


def test_memory_does_not_grow_with_the_number_of_images(
    model: Sam3Model, tokenizer: CLIPTokenizer
) -> None:
    num_images, megabyte = 120, 1024  # the peak is counted in kB

    def images() -> Iterator[PromptedImage]:
        for seed in range(num_images):
            image = an_image(seed % 7, PHRASES[seed % 3])
            yield replace(image, pixels_HWC=image.pixels_HWC.repeat(20, axis=0))  # 1 MB each

    peaks = [
        resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        for _ in a_proposer(model, tokenizer).propose(images())
    ]

    assert num_images == len(peaks)
    assert peaks[-1] - peaks[num_images // 3] < 20 * megabyte
