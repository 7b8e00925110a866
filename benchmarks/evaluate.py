"""
The evaluator against the official algorithm as pycocotools runs it (`tests.reference_cgf1`).

Both read the same files and compute all keys for masks and boxes. The set has the proportions of
SA-Co/Gold: three annotators, 0.75 masks a pair, most pairs negative. The sides take turns; the
ratio is the median over the turns. What the evaluator does beyond the official one, checking every
entry, is inside its time; intervals are measured apart.
"""

import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median

from benchmarks.rows import Row, at_least, print_rows
from engine.evaluation import evaluate
from tests import reference_cgf1
from tests.cgf1_sets import write_random_set

_NUM_PAIRS = 2000
_NUM_SHAPES = (*[0] * 10, 1, 1, 2, 4)  # instances of a pair, each as likely as the others
_HEIGHT, _WIDTH = 720, 960  # pixels
_NUM_TURNS = 7
_NUM_SAMPLES = 1000


def rows() -> list[Row]:
    """Measure and return the ratios, the largest difference and the seconds of each side."""
    with tempfile.TemporaryDirectory() as folder:
        truth, predictions = write_random_set(
            Path(folder),
            seed=0,
            num_pairs=_NUM_PAIRS,
            num_annotators=3,
            height=_HEIGHT,
            width=_WIDTH,
            num_shapes=_NUM_SHAPES,
        )
        sides: dict[str, Callable[[], dict[str, float]]] = {
            "official": lambda: reference(truth, predictions),
            "ours": lambda: measured(truth, predictions),
            "with_intervals": lambda: measured(truth, predictions, num_samples=_NUM_SAMPLES),
        }
        turns = [take_turn(sides) for _ in range(_NUM_TURNS + 1)][1:]  # the first one warms up
        expected, found = sides["official"](), sides["ours"]()
    ratio = median(turn["official"] / turn["ours"] for turn in turns)
    difference = max(abs(expected[key] - found[key]) for key in expected)
    return [
        at_least("evaluate.speed_against_official_algorithm", ratio, "ratio", 5),
        Row(
            name="evaluate.largest_difference",
            value=difference,
            unit="",
            goal="<= 1e-9",
            holds=difference <= 1e-9 and expected.keys() == found.keys(),
        ),
        *(
            Row(
                name=f"evaluate.{side}",
                value=1000 * median(turn[side] for turn in turns) / _NUM_PAIRS,
                unit="ms/pair",
            )
            for side in sides
        ),
    ]


def reference(truth: list[Path], predictions: Path) -> dict[str, float]:
    """Return all official keys from the reference, which takes one kind of region a run."""
    segm: dict[str, float] = reference_cgf1.evaluate(truth, predictions, "segm")
    bbox: dict[str, float] = reference_cgf1.evaluate(truth, predictions, "bbox")
    return segm | bbox


def measured(truth: list[Path], predictions: Path, *, num_samples: int = 0) -> dict[str, float]:
    """Return all official keys from the evaluator."""
    return dict(evaluate(truth, predictions, bootstrap_samples=num_samples).metrics)


def take_turn(sides: dict[str, Callable[[], dict[str, float]]]) -> dict[str, float]:
    """Return the seconds that each side takes, one after the other."""
    seconds = {}
    for side, run in sides.items():
        start = time.perf_counter()
        run()
        seconds[side] = time.perf_counter() - start
    return seconds


if __name__ == "__main__":
    print_rows(rows())
