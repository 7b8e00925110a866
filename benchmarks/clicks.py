"""
How long a click takes once the image's features are kept: from points to run lengths, against the
model's own forward on the same features, whose masks are thrown away.

  model                                                     image        masks
  the bundled tracker                                       96 x 96      of things that are clicked
  facebook/sam3's prompts and mask decoder, first weights   1920 x 1080  an ellipse, as untrained
                                                                         masks are noise, with more
                                                                         runs than any of a thing

The two ways take turns, and the ratio is the median over the turns: a machine's speed drifts from
one minute to the next but little within a turn.
"""

import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import nn
from transformers import Sam3TrackerConfig, Sam3TrackerModel

from benchmarks.render import photo
from benchmarks.rows import Row, at_most, print_rows
from demo.lessons import MEASURING_SEEDS
from demo.tracker.clicks import in_the_middle
from demo.world.scenes import make_scene
from engine.ports import ImageArray
from models.preprocessing import normalise, resize
from models.sam3_tracker import Sam3Clicker
from models.settings import BUNDLED_CLICKER_WEIGHTS
from models.tracker_features import image_features
from models.tracker_loading import find_tracker, load_tracker

GOAL = 1.15
_NUM_WARM = 3
# One layer of 32, and thin: the image is encoded once, before anything is timed.
_THIN = {"hidden_size": 128, "intermediate_size": 128, "num_hidden_layers": 1}

Points = list[tuple[float, float]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Bench:
    """One model, one image, and what is clicked on it."""

    label: str
    model: Sam3TrackerModel
    pixels_HWC: ImageArray
    prompts: Sequence[tuple[Points, list[bool]]]
    num_turns: int


def rows() -> list[Row]:
    """Measure both models."""
    large = _measure(published())
    num_threads = torch.get_num_threads()
    torch.set_num_threads(1)  # as loading a small model does
    tiny = _measure(bundled())
    torch.set_num_threads(num_threads)
    return [*tiny, *large]


def _measure(bench: Bench) -> list[Row]:
    ways = {"bare": bare_forward(bench), "click": click(bench)}
    for _ in range(_NUM_WARM):
        for way in ways.values():
            way()
    seconds: dict[str, list[float]] = {name: [] for name in ways}
    for turn in range(bench.num_turns):
        for name in ("bare", "click") if turn % 2 == 0 else ("click", "bare"):
            seconds[name].append(ways[name]())
    ratios = [click / bare for bare, click in zip(seconds["bare"], seconds["click"], strict=True)]
    name = f"click to mask with kept features, {bench.label}"
    return [
        at_most(f"{name}: against the decoder's own", statistics.median(ratios), "ratio", GOAL),
        Row(name=name, value=1000 * statistics.median(seconds["click"]), unit="ms"),
    ]


def click(bench: Bench) -> Callable[[], float]:
    clicker = Sam3Clicker(bench.model, name="sam3_tracker@benchmark", cached_images=1)

    def seconds_per_click() -> float:
        started = time.perf_counter()
        for points_xy, are_positive in bench.prompts:
            mask = clicker.mask(
                "photo",
                bench.pixels_HWC,
                points_xy=points_xy,
                are_positive=are_positive,
                box_xyxy=None,
            )
            assert mask.area_pixels > 0, "nothing was encoded"
        return (time.perf_counter() - started) / len(bench.prompts)

    return seconds_per_click


def bare_forward(bench: Bench) -> Callable[[], float]:
    height, width = bench.pixels_HWC.shape[:2]
    side = bench.model.prompt_encoder.input_image_size
    assert isinstance(side, int)
    scale_2 = torch.tensor([side / width, side / height])
    with torch.inference_mode():
        features = image_features(bench.model, normalise(resize(bench.pixels_HWC, side)[None]))
    prompts = [
        (torch.tensor([[points_xy]]) * scale_2, torch.tensor([[are_positive]]).long())
        for points_xy, are_positive in bench.prompts
    ]

    def seconds_per_click() -> float:
        started = time.perf_counter()
        with torch.inference_mode():
            for points_11K2, labels_11K in prompts:
                bench.model(
                    image_embeddings=features,
                    input_points=points_11K2,
                    input_labels=labels_11K,
                    multimask_output=points_11K2.shape[2] == 1,
                )
        return (time.perf_counter() - started) / len(prompts)

    return seconds_per_click


def bundled() -> Bench:
    scene = make_scene(MEASURING_SEEDS[0])
    places: Points = [in_the_middle(scene.mask(index)) for index in range(len(scene.things))]
    return Bench(
        label="tiny on the CPU",
        model=load_tracker(find_tracker(str(BUNDLED_CLICKER_WEIGHTS)), torch.device("cpu")),
        pixels_HWC=scene.image_HW3,
        prompts=[*[([place], [True]) for place in places], (places[:2], [True, False])],
        num_turns=100,
    )


def published() -> Bench:
    config = Sam3TrackerConfig(
        vision_config={
            "model_type": "sam3_vision_model",
            "backbone_config": {"model_type": "sam3_vit_model", **_THIN},
        }
    )
    torch.manual_seed(0)
    model = Sam3TrackerModel(config)
    nn.Module.eval(model)
    nn.Module.requires_grad_(model, False)
    nn.Module.register_forward_hook(model.mask_decoder, _with_an_ellipse)
    points: Points = [(700, 400), (900.5, 610), (80, 90)]
    return Bench(
        label="facebook/sam3's decoder on the CPU, 1080p",
        model=model,
        pixels_HWC=photo(np.random.default_rng(0)),
        prompts=[(points[:1], [True]), (points, [True, True, False])],
        num_turns=7,
    )


def _with_an_ellipse(_: nn.Module, __: object, output: Any) -> Any:
    """Put an ellipse, a sixth of the image high, in the place of every mask."""
    masks, *others = output
    height, width = masks.shape[-2:]
    y_h1 = torch.linspace(-1, 1, height)[:, None]
    x_1w = torch.linspace(-1, 1, width)[None, :]
    logits_hw = 8 * (1 - (y_h1 / 0.17) ** 2 - (x_1w / 0.12) ** 2)
    return (logits_hw.expand_as(masks), *others)


if __name__ == "__main__":
    print_rows(rows())
