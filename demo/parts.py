"""
The parts of the demo: scenes that are asked about different concepts.

  base      concepts that the tiny proposer was taught; their truth comes in with them
  new       each phrase mentions a word that it was never told: what a round can teach it
  mined     concepts that it knows, and hard negatives that it falls for
  scatter   concepts that it knows, in another domain: smaller and more things
  night     and in a third: dark and noisy
  special   also crowds, written words, and phrases that no mask can answer

The truth of all but the first stays outside: it only measures. In the four after it the proposer
is weak; together they are the part *weak*.
"""

import json
from dataclasses import dataclass, replace
from functools import cached_property, lru_cache
from pathlib import Path

from demo.lessons import DEMO_SEEDS
from demo.mined import mined_negatives
from demo.world.files import FolderPlan, write_folder
from demo.world.phrases import Sampling
from demo.world.scenes import NIGHT, PAPER, SCATTER, Domain
from demo.world.vocabulary import BASE, WORLD

NUM_SCENES = 100
PHRASES_PER_SCENE = 6
WEAK = "weak"
_FIRST_SCENE = 10_000  # the earlier ones have served to choose a threshold, see `demo.verified`
BASE_WORDS = Sampling(vocabulary=BASE)
NEW_WORDS = Sampling(must_mention=frozenset(w.name for w in WORLD.words if not w.is_base))
_BUSY = replace(PAPER, crowd_share=0.3, writing_share=0.3)


@dataclass(frozen=True, kw_only=True)
class Part:
    """Scenes that are asked about one kind of concepts."""

    name: str
    first_seed: int
    sampling: Sampling = BASE_WORDS
    domain: Domain = PAPER
    with_truth: bool = False  # comes in with the pairs
    with_special: bool = False
    is_mined: bool = False
    is_weak: bool = False
    num_scenes: int = NUM_SCENES
    num_phrases: int = PHRASES_PER_SCENE

    @property
    def origin(self) -> str:
        """The domain that the part's pairs come in with."""
        return f"drawn/{self.name}"

    @cached_property
    def plan(self) -> FolderPlan:
        seeds = range(self.first_seed, self.first_seed + self.num_scenes)
        return FolderPlan(
            seeds=seeds,
            domain=self.domain,
            sampling=self.sampling,
            num_phrases=self.num_phrases,
            with_special=self.with_special,
            more=mined_negatives(seeds, self.domain) if self.is_mined else {},
        )


@lru_cache(maxsize=1)
def parts() -> tuple[Part, ...]:
    """Return the parts, each with scenes of its own."""
    first = DEMO_SEEDS[_FIRST_SCENE::NUM_SCENES]
    return (
        Part(name="base", first_seed=first[0], with_truth=True),
        Part(
            name="new",
            first_seed=first[1],
            sampling=NEW_WORDS,
            is_weak=True,
        ),
        Part(name="mined", first_seed=first[2], is_mined=True, is_weak=True),
        Part(name="scatter", first_seed=first[3], domain=SCATTER, is_weak=True),
        Part(name="night", first_seed=first[4], domain=NIGHT, is_weak=True),
        Part(name="special", first_seed=first[5], domain=_BUSY, with_special=True),
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
