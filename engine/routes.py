"""
Routes: where a mask or a pair goes after its verdicts, and why. `engine.policy` decides.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from engine.decisions import CalibratedTask
from engine.records import Outcome


class Step(StrEnum):
    """What happens next to a mask or a pair."""

    AUTO_ACCEPT = "auto_accept"  # of a pair: it is finished
    AUTO_REJECT = "auto_reject"  # of a mask only: it is left out
    HUMAN_MASK = "human_mask"  # people verify the masks
    HUMAN_EXHAUSTIVITY = "human_exhaustivity"
    CORRECTION = "correction"
    DROP = "drop"


class Reason(StrEnum):
    """Why. Together with the question that it is about it says what stood in the way."""

    SURE = "sure"  # the score reaches the threshold
    POSITIVE = "positive"  # masks and exhaustivity are accepted
    NEGATIVE = "negative"  # absence and groundability are accepted
    NO_VERDICT = "no_verdict"  # the judge failed, or was asked about other masks
    NO_CALIBRATION = "no_calibration"
    NO_THRESHOLD = "no_threshold"  # the labels support none
    STOPPED = "stopped_by_shadow_review"
    WORSE_THAN_PEOPLE = "worse_than_people"  # the judge is switched off in this task and domain
    UNSURE = "unsure"  # below the threshold
    NOT_EXHAUSTIVE = "not_exhaustive"
    NOT_SEPARABLE = "not_separable"  # what is missing cannot be told apart
    FLAG_LABEL = "flag_label"
    WHOLE_IMAGE = "whole_image"
    UNGROUNDABLE = "ungroundable"


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """Where one mask or pair goes."""

    step: Step
    task: CalibratedTask  # the question that decided it
    reason: Reason

    @property
    def name(self) -> str:
        """Such as "human_mask: mask, unsure": what is counted."""
        return f"{self.step}: {self.task}, {self.reason}"


@dataclass(frozen=True, slots=True, kw_only=True)
class PairRoute:
    """Where a pair goes, and what is settled about it."""

    pair_id: str
    route: Route
    masks: Mapping[str, Route]  # of each mask
    outcome: Outcome | None  # None: not finished

    @property
    def accepted(self) -> tuple[str, ...]:
        """The ids of the masks that were accepted without a person."""
        return tuple(own for own, each in self.masks.items() if each.step is Step.AUTO_ACCEPT)

    @property
    def undecided(self) -> tuple[str, ...]:
        """The ids of the masks that people decide about."""
        return tuple(own for own, each in self.masks.items() if each.step is Step.HUMAN_MASK)


@dataclass(frozen=True, slots=True, kw_only=True)
class RoutedPair:
    """Where a judge's verdicts sent a pair: a fact."""

    pair_id: str
    judge: str
    route: Route
    mask_ids: tuple[str, ...]  # accepted without a person
    undecided_ids: tuple[str, ...]  # masks that people decide about
    is_shadowed: bool  # finished without a person, and people look at it all the same
    evidence: str  # content id of the verdicts and calibrations
