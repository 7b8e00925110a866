"""
Scenes with phrases, kept in memory: what an annotation team would have got as files.

Every set has seeds of its own, so that nothing is trained on that is measured. A repetition of a
table (its seed) draws other scenes.
"""

import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from random import Random

import numpy as np
from PIL import Image

from demo.known import Known
from demo.lessons import DEMO_SEEDS
from demo.world.phrases import DEFAULT_SAMPLING, PhraseTruth, Sampling, sample_phrases
from demo.world.scenes import PAPER, Domain, make_scene
from demo.world.vocabulary import BASE, WORLD
from engine.errors import UnreadableMediaError
from engine.ports import ImageArray
from engine.records import Pair

NEW_WORDS = Sampling(must_mention=frozenset(w.name for w in WORLD.words if not w.is_base))
BASE_WORDS = Sampling(vocabulary=BASE)

_FIRST_SCENE = 500_000  # below are the scenes of the demo
_SCENES_A_SEED = 40_000
_SCENES_A_SET = 1_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """One phrase about one scene, with its truth."""

    pair: Pair
    known: Known


@dataclass(frozen=True, slots=True, kw_only=True)
class SceneSet:
    """Scenes that are asked about one kind of concepts."""

    number: int  # sets of one seed with the same number share scenes
    seed: int
    num_scenes: int
    sampling: Sampling = DEFAULT_SAMPLING
    domain: Domain = PAPER
    num_phrases: int = 4
    more: Mapping[int, Sequence[PhraseTruth]] = field(default_factory=dict)  # by scene

    @property
    def scenes(self) -> range:
        first = _FIRST_SCENE + self.seed * _SCENES_A_SEED + self.number * _SCENES_A_SET
        return DEMO_SEEDS[first : first + self.num_scenes]

    def asked(self) -> list[Asked]:
        """Return the pairs, those of one scene together."""
        return [one for number in self.scenes for one in self._about(number)]

    def _about(self, number: int) -> list[Asked]:
        scene = make_scene(number, self.domain)
        rng = Random(f"phrases/{number}")
        truths = sample_phrases(scene, rng, num=self.num_phrases, sampling=self.sampling)
        by_phrase = {each.phrase: each for each in [*truths, *self.more.get(number, ())]}
        media_id = media_id_of(number, self.domain)
        return [
            Asked(
                pair=Pair(media_id=media_id, phrase=phrase), known=Known(scene=scene, truth=truth)
            )
            for phrase, truth in by_phrase.items()
        ]


class SceneReader:
    """
    Reads scenes by the ids that this module gives them.

    Args:
        domains: Of the scenes, each with a name of its own.

    Raises:
        ValueError: If two have one name: a scene would be shown as another than was asked about.
    """

    def __init__(self, *domains: Domain) -> None:
        if len({each.name for each in domains}) < len(domains):
            raise ValueError(f"domains share a name: {[each.name for each in domains]}")
        self._domains = {each.name: each for each in domains}

    def read(self, media_id: str) -> bytes:
        """
        Return a scene as PNG.

        Raises:
            UnreadableMediaError: If it is none of these domains.
        """
        name, _, number = media_id.rpartition("/")
        if name not in self._domains:
            raise UnreadableMediaError(f"{media_id} is no scene of {', '.join(self._domains)}")
        return _as_png(make_scene(int(number), self._domains[name]).image_HW3)


def media_id_of(number: int, domain: Domain) -> str:
    """Return the id of a scene."""
    return f"{domain.name}/{number}"


def _as_png(pixels_HWC: ImageArray) -> bytes:
    content = io.BytesIO()
    Image.fromarray(np.ascontiguousarray(pixels_HWC)).save(content, "PNG", compress_level=1)
    return content.getvalue()
