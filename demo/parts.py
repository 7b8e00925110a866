"""
The parts of the demo: scenes that are asked about different concepts.

  base      concepts that the tiny proposer was taught; their truth comes in with them
  new       each phrase mentions a word that it was never told: what a round can teach it
  shifted   concepts that it knows, in another domain: smaller and more things
  special   also crowds, written words, and phrases that no mask can answer

The truth of all but the first stays outside: it only measures. What *new* and *shifted* have in
common is that the proposer is weak there; together they are the part *weak*.
"""

import json
from dataclasses import dataclass, replace
from pathlib import Path

from demo.lessons import DEMO_SEEDS
from demo.world.files import FolderPlan, write_folder
from demo.world.phrases import Sampling
from demo.world.scenes import PAPER, SCATTER, Domain
from demo.world.vocabulary import BASE, WORLD

NUM_SCENES = 100
PHRASES_PER_SCENE = 6
WEAK = "weak"
_KNOWN = Sampling(vocabulary=BASE)
_NEW_NAMES = frozenset(word.name for word in WORLD.words if not word.is_base)
_BUSY = replace(PAPER, crowd_share=0.3, writing_share=0.3)


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """Scenes that are asked about one kind of concepts."""

    name: str
    first_seed: int
    sampling: Sampling = _KNOWN
    domain: Domain = PAPER
    with_truth: bool = False  # comes in with the pairs
    with_special: bool = False
    is_weak: bool = False

    @property
    def plan(self) -> FolderPlan:
        return FolderPlan(
            seeds=range(self.first_seed, self.first_seed + NUM_SCENES),
            domain=self.domain,
            sampling=self.sampling,
            num_phrases=PHRASES_PER_SCENE,
            with_special=self.with_special,
        )


def parts() -> tuple[Part, ...]:
    """Return the parts, each with scenes of its own."""
    first = range(DEMO_SEEDS[0], DEMO_SEEDS[-1], NUM_SCENES)
    return (
        Part(name="base", first_seed=first[0], with_truth=True),
        Part(
            name="new",
            first_seed=first[1],
            sampling=Sampling(must_mention=_NEW_NAMES),
            is_weak=True,
        ),
        Part(name="shifted", first_seed=first[2], domain=SCATTER, is_weak=True),
        Part(name="special", first_seed=first[3], domain=_BUSY, with_special=True),
    )


def write_parts(folder: Path) -> dict[str, Path]:
    """Draw all parts as files below *folder*, and return the paths of their truths, WEAK's too."""
    truths = {part.name: write_folder(folder / part.name, part.plan) for part in parts()}
    truths[WEAK] = folder / f"{WEAK}.json"
    weak = [truths[part.name] for part in parts() if part.is_weak]
    truths[WEAK].write_text(json.dumps(_together(weak, folder)))
    return truths


def _together(truths: list[Path], folder: Path) -> dict[str, object]:
    """Several truth files as one, numbered anew, its file names relative to *folder*."""
    images: list[dict[str, object]] = []
    annotations: list[dict[str, object]] = []
    content: dict[str, object] = {}
    for path in truths:
        one = json.loads(path.read_text())
        first, inside = len(images), path.parent.relative_to(folder)
        images += [
            {**entry, "id": first + entry["id"], "file_name": str(inside / entry["file_name"])}
            for entry in one["images"]
        ]
        for entry in one["annotations"]:
            number = len(annotations) + 1
            annotations.append({**entry, "id": number, "image_id": first + entry["image_id"]})
        content = one
    return {**content, "images": images, "annotations": annotations}
