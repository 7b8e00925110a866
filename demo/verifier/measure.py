"""
Measures a tiny verifier on scenes that no training has seen.

    python -m demo.verifier.measure --weights verifiers/tiny/verifier

Each verdict goes the way of every verdict: the product's rendering as JPEG, the product's wording,
the folder's own processor and chat template, one token, softmax over the letters of the options.
All options are in play.
"""

import argparse
import io
import json
import random
import sys
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from transformers import AutoModelForImageTextToText, AutoProcessor

from demo.lessons import MEASURING_SEEDS
from demo.verifier.cases import (
    Case,
    box_masks,
    mask_case,
    phrase_about,
    shown_mask,
    some_thing,
    special_phrase,
)
from demo.verifier_truth import exhaustivity_truth
from demo.world.scenes import NIGHT, PAPER, SCATTER, Domain, Scene, make_scene
from engine.masks import encode
from engine.ports import ImageArray
from engine.reliability import calibration_error, error_after_scaling, fitted_temperature
from engine.verdicts import OPTIONS, Option, VerdictTask, option_orders
from verifiers.prompts import LETTERS, system_text, user_text
from verifiers.render import as_jpeg, render_boxes, render_mask
from verifiers.tiny.architecture import IMAGE_SIZE

# The base world, with crowds and writings often enough to measure their options.
BASE = replace(PAPER, crowd_share=0.15, writing_share=0.15)
DOMAINS = {"base": BASE, "night": NIGHT, "scatter": SCATTER}
_NUM_SCENES = 600
_BATCH = 64


@dataclass(frozen=True, slots=True, kw_only=True)
class Posed:
    """A case as it is shown."""

    task: VerdictTask
    case: Case
    picture_HW3: ImageArray
    has_masks: bool
    order: tuple[Option, ...]


def measure(weights: str, domain: Domain, *, num_scenes: int) -> dict[str, Any]:
    """Return what share of verdicts is right, by task, option and difficulty."""
    posed = [
        one
        for seed in MEASURING_SEEDS[:num_scenes]
        for one in _posed(make_scene(seed, domain), random.Random(f"measure/{seed}"))
    ]
    probabilities = _probabilities(weights, posed)
    return {
        task.value: _summary(
            [one.case for one in posed if one.task is task],
            np.array([p for p, one in zip(probabilities, posed, strict=True) if one.task is task]),
            task,
        )
        for task in (VerdictTask.MASK, VerdictTask.EXHAUSTIVITY)
    }


def _posed(scene: Scene, rng: random.Random) -> Iterator[Posed]:
    """One question of each task about a scene."""
    seed = rng.randrange(1 << 31)
    thing = rng.randrange(len(scene.things))
    mask_HW, _ = shown_mask(scene, thing, rng, good_share=0.75)
    case = mask_case(scene, thing, mask_HW, rng, fits=rng.random() < 0.65)
    yield Posed(
        task=VerdictTask.MASK,
        case=case,
        picture_HW3=render_mask(scene.image_HW3, encode(mask_HW[None])[0], side=IMAGE_SIZE),
        has_masks=True,
        order=option_orders(VerdictTask.MASK, seed=seed, num_orders=1)[0],
    )
    case, found = _exhaustivity_case(scene, rng)
    masks = box_masks(scene, found, rng)
    yield Posed(
        task=VerdictTask.EXHAUSTIVITY,
        case=case,
        picture_HW3=render_boxes(scene.image_HW3, masks, side=IMAGE_SIZE),
        has_masks=bool(found),
        order=option_orders(VerdictTask.EXHAUSTIVITY, seed=seed, num_orders=1)[0],
    )


def _exhaustivity_case(scene: Scene, rng: random.Random) -> tuple[Case, tuple[int, ...]]:
    """What EV meets: all found, some found, none found, nothing there, and special phrases."""
    draw = rng.random()
    thing = some_thing(scene, rng)
    truth = phrase_about(scene, thing, rng, fits=draw < 0.65)
    found: tuple[int, ...] = ()
    if draw >= 0.85:
        truth, difficulty = special_phrase(rng), "special"
    elif draw >= 0.65:
        difficulty = "hard negative" if not truth.indices else "none found"
    elif draw < 0.25:
        found, difficulty = truth.indices, "all found"
    elif draw < 0.45 and len(truth.indices) > 1:
        found = tuple(rng.sample(truth.indices, rng.randint(1, len(truth.indices) - 1)))
        difficulty = "some found"
    else:
        difficulty = "none found"
    option = exhaustivity_truth(truth, scene, found)
    return Case(truth=truth, option=option, difficulty=difficulty), found


@torch.inference_mode()
def _probabilities(weights: str, posed: Sequence[Posed]) -> list[list[float]]:
    """The probability of each option of each question, in the order of OPTIONS."""
    model: Any = AutoModelForImageTextToText.from_pretrained(weights)
    model.eval()
    processor: Any = AutoProcessor.from_pretrained(weights)  # type: ignore[no-untyped-call]
    found: list[list[float]] = []
    for start in range(0, len(posed), _BATCH):
        some = posed[start : start + _BATCH]
        inputs = processor(
            images=[_after_jpeg(one.picture_HW3) for one in some],
            text=[_prompt(processor, one) for one in some],
            return_tensors="pt",
            padding=True,
            add_special_tokens=False,
        )
        logits_NV = model(**inputs, logits_to_keep=1).logits[:, -1]
        for logits_V, one in zip(logits_NV, some, strict=True):
            letters = [LETTERS[one.order.index(option)] for option in OPTIONS[one.task]]
            ids = processor.tokenizer.convert_tokens_to_ids(letters)
            found.append(logits_V[ids].double().softmax(-1).tolist())
    return found


def _prompt(processor: Any, one: Posed) -> str:
    text = user_text(one.task, one.case.truth.phrase, one.order, has_masks=one.has_masks)
    content = [{"type": "image"}, {"type": "text", "text": text}]
    guidance = system_text(one.task, has_masks=one.has_masks)
    messages = [{"role": "system", "content": guidance}, {"role": "user", "content": content}]
    prompt: str = processor.apply_chat_template(
        messages, add_generation_prompt=True, tokenize=False
    )
    return prompt


def _after_jpeg(picture_HW3: ImageArray) -> Image.Image:
    with Image.open(io.BytesIO(as_jpeg(picture_HW3))) as image:
        return image.convert("RGB")


def _summary(
    cases: Sequence[Case], probabilities_NO: np.ndarray, task: VerdictTask
) -> dict[str, Any]:
    truth_N = np.array([OPTIONS[task].index(case.option) for case in cases])
    right_N = probabilities_NO.argmax(1) == truth_N
    by: defaultdict[str, list[bool]] = defaultdict(list)
    for case, right in zip(cases, right_N, strict=True):
        by[case.option.value].append(bool(right))
        by[case.difficulty].append(bool(right))
    return {
        "verdicts": len(cases),
        "accuracy": round(float(right_N.mean()), 4),
        "accuracy_95%": _interval(right_N),
        "calibration_error": round(calibration_error(probabilities_NO, truth_N), 4),
        "temperature": round(fitted_temperature(probabilities_NO, truth_N), 3),
        "calibration_error_scaled": round(error_after_scaling(probabilities_NO, truth_N), 4),
        "by": {
            name: [round(sum(some) / len(some), 3), len(some)] for name, some in sorted(by.items())
        },
    }


def _interval(right_N: np.ndarray) -> list[float]:
    """95 %, bootstrap over the scenes: there is one verdict of each task a scene."""
    draws = np.random.default_rng(0).choice(right_N, (1000, len(right_N)))
    return [round(float(bound), 4) for bound in np.quantile(draws.mean(1), [0.025, 0.975])]


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="python -m demo.verifier.measure",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "--weights", default="verifiers/tiny/verifier", help="folder of the verifier (%(default)s)"
    )
    parser.add_argument("--scenes", type=int, default=_NUM_SCENES, help="of each domain")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    for name, domain in DOMAINS.items():
        found = measure(str(Path(arguments.weights)), domain, num_scenes=arguments.scenes)
        sys.stdout.write(json.dumps({"domain": name, **found}) + "\n")


if __name__ == "__main__":
    main()
