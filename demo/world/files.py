"""
The world as ordinary files: what an annotation team would have got from outside.

  images/0000012.png   one image per seed
  captions.csv         uri, caption
  phrases.csv          uri, phrase, caption: what is asked, without the answers
  truth.json           every image with its phrases and masks, in the form of SA-Co/Gold
  ontology.json        concepts with names and parents

The same request writes the same bytes. Boxes and areas are shares of the image and masks are run
lengths in pixels, as SA-Co has them (README of `scripts/eval/gold`).
"""

import csv
import json
import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from io import StringIO
from pathlib import Path

from PIL import Image

from demo.world.captions import caption
from demo.world.ontology import ontology
from demo.world.phrases import (
    DEFAULT_SAMPLING,
    PhraseKind,
    PhraseTruth,
    Sampling,
    sample_phrases,
    special_phrases,
    writing_phrases,
)
from demo.world.scenes import PAPER, Domain, Scene, make_scene
from engine.masks import encode


@dataclass(frozen=True, slots=True, kw_only=True)
class FolderPlan:
    """What a folder holds."""

    seeds: Sequence[int]
    domain: Domain = PAPER
    sampling: Sampling = DEFAULT_SAMPLING
    num_phrases: int = 4  # plain phrases for each image
    with_special: bool = False  # also written words and what cannot be asked; not for evaluation
    more: Mapping[int, Sequence[PhraseTruth]] = field(default_factory=dict)  # besides, by seed


def write_folder(root: Path, plan: FolderPlan) -> Path:
    """Write images, captions, truth and ontology below *root*, and return the path of the truth."""
    (root / "images").mkdir(parents=True, exist_ok=True)
    captions: list[tuple[str, str]] = []
    phrases: list[tuple[str, str, str]] = []
    asked: list[tuple[str, Scene, PhraseTruth]] = []
    for seed in plan.seeds:
        scene = make_scene(seed, plan.domain)
        name = image_name(seed)
        Image.fromarray(scene.image_HW3).save(root / name)
        truths = asked_about(scene, seed, plan)
        captions.append((name, caption(scene)))
        phrases += [(name, truth.phrase, caption(scene)) for truth in truths]
        asked += [(name, scene, truth) for truth in truths]
    _write_json(root / "truth.json", gold_file(asked, domain=plan.domain.name))
    _write_json(root / "ontology.json", ontology())
    _write_text(root / "captions.csv", _as_csv([("uri", "caption"), *captions]))
    _write_text(root / "phrases.csv", _as_csv([("uri", "phrase", "caption"), *phrases]))
    return root / "truth.json"


def image_name(seed: int) -> str:
    """Return where a folder has the image of *seed*."""
    return f"images/{seed:07d}.png"


def gold_file(asked: Sequence[tuple[str, Scene, PhraseTruth]], *, domain: str) -> dict[str, object]:
    """Return scenes with their phrases in the form of SA-Co/Gold; ids are positions from 1."""
    entries: list[dict[str, object]] = []
    annotations: list[dict[str, object]] = []
    for pair_id, (name, scene, truth) in enumerate(asked, start=1):
        entries.append(_entry(pair_id, name, scene, truth))
        for annotation in _annotations(pair_id, scene, truth):
            annotations.append({"id": len(annotations) + 1, **annotation})
    return {
        "info": {"description": "concept world", "version": "1", "domain": domain},
        "images": entries,
        "annotations": annotations,
        "categories": [{"id": 1, "name": "object"}],
    }


def asked_about(scene: Scene, seed: int, plan: FolderPlan) -> list[PhraseTruth]:
    """Return the phrases that a folder asks about the scene of *seed*."""
    rng = random.Random(f"phrases/{seed}")
    asked = sample_phrases(scene, rng, num=plan.num_phrases, sampling=plan.sampling)
    if plan.with_special:
        asked += writing_phrases(scene) + special_phrases(rng)
    known = {truth.phrase for truth in asked}
    return asked + [truth for truth in plan.more.get(seed, ()) if truth.phrase not in known]


def _entry(pair_id: int, name: str, scene: Scene, truth: PhraseTruth) -> dict[str, object]:
    height, width = scene.numbers_HW.shape
    can_be_asked = truth.kind in (PhraseKind.PLAIN, PhraseKind.TEXT)
    return {
        "id": pair_id,
        "file_name": name,
        "text_input": truth.phrase,
        "width": width,
        "height": height,
        "queried_category": "1",
        "is_instance_exhaustive": int(can_be_asked and not truth.has_group),
        "is_pixel_exhaustive": int(can_be_asked),
        "phrase_kind": truth.kind.value,
    }


def _annotations(pair_id: int, scene: Scene, truth: PhraseTruth) -> list[dict[str, object]]:
    height, width = scene.numbers_HW.shape
    found: list[dict[str, object]] = []
    for index in truth.indices:
        (mask,) = encode(scene.mask(index)[None])
        x, y, box_width, box_height = mask.box_xywh
        found.append(
            {
                "image_id": pair_id,
                "source": "manual",
                "area": mask.area_pixels / (width * height),
                "bbox": [x / width, y / height, box_width / width, box_height / height],
                "segmentation": {"counts": mask.counts, "size": [height, width]},
                "category_id": 1,
                "iscrowd": int(scene.things[index].is_group),
            }
        )
    return found


def _as_csv(rows: Sequence[tuple[str, ...]]) -> str:
    text = StringIO()
    csv.writer(text, lineterminator="\n").writerows(rows)
    return text.getvalue()


def _write_json(path: Path, content: object) -> None:
    _write_text(path, json.dumps(content, indent=1) + "\n")


def _write_text(path: Path, text: str) -> None:
    # Bytes and not text: a platform's line endings would change them.
    path.write_bytes(text.encode())
