"""
Masks that the tiny proposer offers for phrases about training scenes, held-out words included.

They have the faults that a verifier meets at work, which no drawn fault has: a wrong thing of the
right colour, two things as one, corners cut.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

from demo.world.phrases import PhraseTruth
from demo.world.scenes import BoolArray, Scene
from engine.masks import decode
from engine.ports import PromptedImage, Proposer
from engine.records import Pair, Prompt
from models.sam3_image import load_proposer
from models.settings import BUNDLED_WEIGHTS, ProposerSettings


@dataclass(frozen=True, slots=True, kw_only=True)
class Offered:
    """A phrase and the masks that were offered for it."""

    truth: PhraseTruth
    masks: tuple[BoolArray, ...]  # each of shape (H, W)
    confidence: float  # of the best mask, in [0, 1]; 0 for none


def offers(scene: Scene, truths: Sequence[PhraseTruth]) -> list[Offered]:
    """Return what the committed proposer offers for each phrase about *scene*."""
    prompts = tuple(Prompt(pair=Pair(media_id="", phrase=truth.phrase)) for truth in truths)
    asked = PromptedImage(media_id="", pixels_HWC=scene.image_HW3, prompts=prompts)
    (found,) = _proposer().propose([asked])
    return [
        Offered(
            truth=truth,
            masks=tuple(decode([each.mask for each in proposals.proposals]))
            if proposals.proposals
            else (),
            confidence=max(map(proposals.confidence, proposals.proposals), default=0.0),
        )
        for truth, proposals in zip(truths, found, strict=True)
    ]


@lru_cache(maxsize=1)
def _proposer() -> Proposer:
    return load_proposer(ProposerSettings(weights=str(BUNDLED_WEIGHTS), cpu_threads=1))
