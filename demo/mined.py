"""
Mined hard negatives: phrases that name nothing in a scene and that the proposer falls for.

One word off what is there, drawn many at a time and kept where the proposer is confident all the
same (SAM 3 paper, D.4 on hard negatives: those that the current model gets wrong).
"""

import random
from collections.abc import Sequence

from demo.verifier.offered import offers
from demo.world.phrases import PhraseTruth, Sampling, sample_phrases
from demo.world.scenes import Domain, make_scene

_NUM_DRAWN = 12  # for each scene
_MOST_KEPT = 3
_LEAST_CONFIDENCE = 0.5  # what evaluation counts
_HARD = Sampling(positive_share=0.0, hard_share=1.0)


def mined_negatives(seeds: Sequence[int], domain: Domain) -> dict[int, list[PhraseTruth]]:
    """Return hard negatives that the tiny proposer falls for, by the seed of their scene."""
    return {seed: _mined(seed, domain) for seed in seeds}


def _mined(seed: int, domain: Domain) -> list[PhraseTruth]:
    scene = make_scene(seed, domain)
    rng = random.Random(f"mined/{seed}")
    drawn = sample_phrases(scene, rng, num=_NUM_DRAWN, sampling=_HARD)
    found = [each for each in offers(scene, drawn) if each.confidence >= _LEAST_CONFIDENCE]
    return [each.truth for each in found[:_MOST_KEPT]]
