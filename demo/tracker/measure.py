"""
Measures a tiny tracker on scenes that no training has seen: how much of a thing a few clicks find.

    python -m demo.tracker.measure --weights models/tiny/tracker

Clicks go the way of people's clicks, through the product's clicker. The first lies in the middle of
the thing, each next one in the middle of the largest region where the mask is wrong. Six sets:

  base       things that only base words name, such as a striped red circle
  anywhere   the same, clicked on any pixel of thing and region, as a hasty person does
  new words  things that a held-out word names, such as a star or anything purple
  groups     crowds and writings, under one mask each
  night      things of base words in another domain: dark, rough and noisy
  scatter    things of base words in another domain: smaller and more
"""

import argparse
import json
import random
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from demo.lessons import MEASURING_SEEDS
from demo.tracker.clicks import Click, anywhere, drawn_box, first_click, in_the_middle, next_click
from demo.world.scenes import NIGHT, PAPER, SCATTER, Domain, Scene, Thing, make_scene
from demo.world.vocabulary import held_out_names
from engine.masks import BoolArray, FloatArray, decode, encode, iou
from engine.metrics.bootstrap import clusters_of, group_sums, intervals
from engine.ports import Clicker
from engine.records import Mask
from models.sam3_tracker import load_clicker
from models.settings import ClickerSettings

_NUM_SCENES = 400  # of each set
_MOST_CLICKS = 5
_REPORTED = ("click 1", "click 2", "click 3", "click 5", "box")
_NAMES = (*(f"click {n}" for n in range(1, _MOST_CLICKS + 1)), "box")
_NUM_SAMPLES = 1000
GOAL_SET, GOAL_NAME, GOAL = "base", "click 3", 0.75


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """One set of things that are clicked."""

    name: str
    asks: Callable[[Thing], bool]
    domain: Domain = PAPER
    by_chance: bool = False  # clicks anywhere, and not in the middle


def _is_base(thing: Thing) -> bool:
    return not _is_group(thing) and not _is_new(thing)


def _is_new(thing: Thing) -> bool:
    return not held_out_names().isdisjoint((thing.shape, thing.colour, thing.texture))


def _is_group(thing: Thing) -> bool:
    return thing.is_group or bool(thing.text)


def _is_new_alone(thing: Thing) -> bool:
    return not _is_group(thing) and _is_new(thing)


QUESTIONS = (
    Question(name="base", asks=_is_base),
    Question(name="anywhere", asks=_is_base, by_chance=True),
    Question(name="new words", asks=_is_new_alone),
    Question(name="groups", asks=_is_group),
    Question(name="night", asks=_is_base, domain=NIGHT),
    Question(name="scatter", asks=_is_base, domain=SCATTER),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """Mean IoU by what was clicked, such as "click 3", and its 95 % interval over the scenes."""

    num_scenes: int  # with such a thing
    num_things: int
    ious: Mapping[str, float]
    intervals: Mapping[str, tuple[float, float]]


def measure(
    clicker: Clicker, question: Question, *, seeds: Sequence[int] = MEASURING_SEEDS[:_NUM_SCENES]
) -> Measured:
    """Ask *clicker* for every thing of the question's set on the scenes of *seeds*."""
    names, rows = [], []
    for seed in seeds:
        scene = make_scene(seed, question.domain)
        for index, thing in enumerate(scene.things):
            if question.asks(thing):
                names.append(str(seed))
                rows.append([1.0, *_ious(clicker, question, scene, seed, index)])
    cluster_P = clusters_of(names)
    sums_CS = group_sums(np.array(rows), cluster_P, int(cluster_P.max()) + 1)
    return Measured(
        num_scenes=len(sums_CS),
        num_things=len(rows),
        ious={name: float(iou_B[0]) for name, iou_B in _means(sums_CS.sum(0)[None]).items()},
        intervals=intervals(sums_CS, _means, num_samples=_NUM_SAMPLES, seed=0),
    )


def _means(sums_BS: FloatArray) -> Mapping[str, FloatArray]:
    """The first column counts the things, the others sum their IoUs."""
    return {name: sums_BS[:, i] / sums_BS[:, 0] for i, name in enumerate(_NAMES, 1)}


def _ious(
    clicker: Clicker, question: Question, scene: Scene, seed: int, index: int
) -> Iterator[float]:
    """Yield the IoU after each click, then that of a box alone."""
    truth_HW = scene.mask(index)
    [truth] = encode(truth_HW[None])
    rng = random.Random(f"{seed}/{index}")
    media_id = f"{question.domain.name}/{seed}"
    place = anywhere(rng) if question.by_chance else in_the_middle
    clicks = [first_click(truth_HW, place)]
    while True:
        found = _clicked(clicker, media_id, scene, clicks)
        yield float(iou([found], [truth])[0, 0])
        if len(clicks) == _MOST_CLICKS:
            break
        found_HW: BoolArray = decode([found])[0]
        clicks.append(next_click(found_HW, truth_HW, place))
    boxed = clicker.mask(
        media_id,
        scene.image_HW3,
        points_xy=(),
        are_positive=(),
        box_xyxy=drawn_box(truth_HW, rng),
    )
    yield float(iou([boxed], [truth])[0, 0])


def _clicked(clicker: Clicker, media_id: str, scene: Scene, clicks: Sequence[Click]) -> Mask:
    return clicker.mask(
        media_id,
        scene.image_HW3,
        points_xy=[(click.x, click.y) for click in clicks],
        are_positive=[click.is_positive for click in clicks],
        box_xyxy=None,
    )


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="python -m demo.tracker.measure",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "--weights", default="models/tiny/tracker", help="folder of the tracker (%(default)s)"
    )
    parser.add_argument(
        "--scenes", type=int, default=_NUM_SCENES, help="scenes of each set (%(default)s)"
    )
    arguments = parser.parse_args()
    clicker = load_clicker(ClickerSettings(weights=arguments.weights))
    for question in QUESTIONS:
        measured = measure(clicker, question, seeds=MEASURING_SEEDS[: arguments.scenes])
        sys.stdout.write(json.dumps(_line(question, measured)) + "\n")
        sys.stdout.flush()


def _line(question: Question, measured: Measured) -> dict[str, object]:
    line: dict[str, object] = {
        "set": question.name,
        "scenes": measured.num_scenes,
        "things": measured.num_things,
    }
    for name in _REPORTED:
        bounds = (measured.ious[name], *measured.intervals[name])
        line[name] = [round(bound, 3) for bound in bounds]
    if question.name == GOAL_SET:
        line |= {"goal": f"{GOAL_NAME} >= {GOAL}", "holds": measured.ious[GOAL_NAME] >= GOAL}
    return line


if __name__ == "__main__":
    main()
