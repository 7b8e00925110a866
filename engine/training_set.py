"""
What a trainer is given: images with pairs that were finished, as a snapshot selects them.

Whoever trains reads nothing else of the database. The pixels come from a `MediaReader`.
"""

from dataclasses import dataclass

from engine.records import Outcome, ResolvedMask


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainingPair:
    """One finished pair of an image; dropped pairs are none."""

    pair_id: str
    phrase: str  # in normal form
    outcome: Outcome  # what its masks may teach, see `models.training.targets`
    masks: tuple[ResolvedMask, ...]

    def __post_init__(self) -> None:
        if self.outcome is Outcome.DROPPED:
            raise ValueError(f"pair {self.pair_id} was dropped: it teaches nothing")


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainingImage:
    """One image with all its pairs of a training set."""

    media_id: str
    width: int  # pixels, as seen
    height: int  # pixels, as seen
    pairs: tuple[TrainingPair, ...]  # at least one
