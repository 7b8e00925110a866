"""
A second annotator: how well truth agrees with truth that somebody else has drawn.

Nobody can be expected to do better than people do against one another. The second annotator draws
each thing a little differently (`demo.verifier.masks.good_mask`) and errs about whether a phrase
names anything in 3 of 100 pairs, which gives the IL_MCC of 0.94 that people reach on SA-Co/Gold
(SAM 3 paper, table of AI verifiers at inference).
"""

import json
import random
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from demo.known import Known
from demo.verifier.masks import good_mask
from engine.masks import encode, to_coco
from engine.metrics.files import read_truth
from engine.records import Mask

_WRONG_SHARE = 0.03


def write_second_annotator(truth: Path, known: Mapping[tuple[str, str], Known], path: Path) -> Path:
    """Write what a second annotator finds for every pair of *truth*, as a file of predictions."""
    pairs = read_truth(truth, ["bbox"]).pairs.values()
    asked = (
        (pair.id, known[(truth.parent / pair.file_name).resolve().as_uri(), pair.phrase])
        for pair in pairs
    )
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(list(_annotations(asked))))
    return path


def annotated_again(known: Known, rng: random.Random) -> list[Mask]:
    """Return the masks that a second annotator leaves."""
    masks_HW = [good_mask(known.scene, index, rng) for index in _found(known, rng)]
    return [encode(mask_HW[None])[0] for mask_HW in masks_HW]


def _annotations(asked: Iterable[tuple[int, Known]]) -> Iterator[dict[str, object]]:
    for pair_id, each in asked:
        rng = random.Random(f"second annotator/{pair_id}/{each.truth.phrase}")
        for mask in annotated_again(each, rng):
            x, y, width, height = mask.box_xywh
            yield {
                "image_id": pair_id,
                "category_id": 1,
                "score": 1.0,
                "bbox": [x / mask.width, y / mask.height, width / mask.width, height / mask.height],
                "segmentation": to_coco(mask),
            }


def _found(each: Known, rng: random.Random) -> tuple[int, ...]:
    """The things that are annotated: the right ones, or by mistake none or a wrong one."""
    if rng.random() >= _WRONG_SHARE:
        return each.truth.indices
    return () if each.truth.indices else (rng.randrange(len(each.scene.things)),)
