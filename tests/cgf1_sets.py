"""
Random truth and prediction sets for the cgF1 evaluator, in SA-Co form.

They hold what evaluators disagree about: negative pairs, group masks, low scores, instances that
share a mask (ties), annotators who see different things, and pairs that are not exhaustive.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np

from engine.masks import checked

Entry: TypeAlias = dict[str, Any]  # JSON, as a careless writer may change it
Shape: TypeAlias = tuple[float, float, float, float]  # centre and radius of an ellipse, y before x
Paths: TypeAlias = tuple[list[Path], Path]  # of the truth files and the predictions

_SCORES = (0.2, 0.4999999, 0.5, 0.6, 0.9)


def write_random_set(
    folder: Path,
    *,
    seed: int,
    num_pairs: int,
    num_annotators: int,
    height: int = 24,
    width: int = 32,
    num_shapes: Sequence[int] = (0, 0, 1, 2, 5),
) -> Paths:
    """
    Write truth_0.json ... and predictions.json; return (truth paths, predictions path).

    Each pair has one of *num_shapes* shapes, each as likely as the others; 0 is a negative pair.
    """
    rng = np.random.default_rng(seed)
    truths = [empty_truth() for _ in range(num_annotators)]
    predictions = []
    for pair_id in range(num_pairs):
        shapes = [_shape(rng, height, width) for _ in range(rng.choice(num_shapes))]
        for truth in truths:
            is_exhaustive = bool(rng.random() < 0.95) or pair_id == 0
            add_pair(truth, pair_id, height, width, is_exhaustive=is_exhaustive)
            for shape in _varied(rng, shapes, height, width):
                is_group = rng.random() < 0.1
                add_annotation(truth, pair_id, _region(shape, height, width), is_group=is_group)
        for shape in _varied(rng, shapes, height, width):
            region = _region(shape, height, width)
            score = float(rng.choice(_SCORES))
            predictions.append(region | {"image_id": pair_id, "category_id": 1, "score": score})
    return write_set(folder, truths, predictions)


def empty_truth() -> Entry:
    return {"images": [], "annotations": [], "categories": [{"id": 1, "name": "object"}]}


def add_pair(
    truth: Entry, pair_id: int, height: int, width: int, *, is_exhaustive: bool = True
) -> None:
    truth["images"].append(
        {
            "id": pair_id,
            "text_input": f"phrase {pair_id % 7}",
            "file_name": f"{pair_id // 3}.png",
            "height": height,
            "width": width,
            "is_instance_exhaustive": int(is_exhaustive),
        }
    )


def add_annotation(
    truth: Entry, pair_id: int, region: Mapping[str, object], *, is_group: bool = False
) -> None:
    own = {"id": len(truth["annotations"]), "image_id": pair_id, "category_id": 1}
    truth["annotations"].append(own | dict(region) | {"iscrowd": int(is_group)})


def write_set(folder: Path, truths: Sequence[Entry], predictions: Sequence[Entry]) -> Paths:
    paths = [folder / f"truth_{index}.json" for index in range(len(truths))]
    for path, truth in zip(paths, truths, strict=True):
        path.write_text(json.dumps(truth))
    (folder / "predictions.json").write_text(json.dumps(predictions))
    return paths, folder / "predictions.json"


def ellipse(
    height: int, width: int, centre_y: float, centre_x: float, radius_y: float, radius_x: float
) -> Entry:
    """Return the box and run lengths of an ellipse, as they stand in a file."""
    columns = np.arange(width)
    reach = radius_y * np.sqrt(np.clip(1 - ((columns - centre_x) / radius_x) ** 2, 0, None))
    top = np.clip(np.ceil(centre_y - reach), 0, height).astype(int)
    bottom = np.clip(np.floor(centre_y + reach) + 1, top, height).astype(int)
    drawn = bottom > top
    edges = np.stack([columns * height + top, columns * height + bottom], axis=1)[drawn].ravel()
    meets_next = np.flatnonzero(edges[1:] == edges[:-1])
    edges = np.delete(edges, np.concatenate([meets_next, meets_next + 1]))
    runs = np.diff(edges, prepend=0, append=height * width).tolist()
    mask = checked(height=height, width=width, counts=runs)
    scale = (width, height, width, height)
    return {
        "segmentation": {"size": [height, width], "counts": mask.counts},
        "bbox": [side / full for side, full in zip(mask.box_xywh, scale, strict=True)],
    }


def _region(shape: Shape, height: int, width: int) -> Entry:
    return ellipse(height, width, *shape)


def _shape(rng: np.random.Generator, height: int, width: int) -> Shape:
    centre_y, centre_x = rng.uniform(0, 1, 2) * (height, width)
    radius_y, radius_x = rng.uniform(0.03, 0.25, 2) * (height, width)
    return centre_y, centre_x, radius_y, radius_x


def _varied(
    rng: np.random.Generator, shapes: Sequence[Shape], height: int, width: int
) -> Iterator[Shape]:
    """Yield *shapes* as somebody else might see them: some lost, moved, drawn twice or made up."""
    for shape in shapes:
        for _ in range(rng.choice([0, 1, 1, 1, 1, 2])):
            shift = rng.choice([0, 0, 1, 3]) * rng.normal(0, 0.02, 2) * (height, width)
            yield (shape[0] + shift[0], shape[1] + shift[1], *shape[2:])
    if rng.random() < 0.2:
        yield _shape(rng, height, width)
