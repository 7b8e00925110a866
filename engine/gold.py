"""
Gold: what three people left on one pair, as three versions of its truth.

A version is complete if it holds every mask that its person left. The all-three rule
(`engine.settling.gold_versions`) may have taken one away: its person saw an instance that the
version lacks, so the version says that instances are missing.
"""

from collections.abc import Sequence
from dataclasses import replace
from enum import StrEnum

from engine.records import Outcome, Resolution
from engine.reviews import Correction, Review
from engine.settling import gold_versions
from engine.stages.resolve_reviews import resolution_of

VERSIONS = ("a", "b", "c")  # as the files of SA-Co/Gold are called


class GoldLoss(StrEnum):
    """Why a gold pair is in no file. The files hold the same pairs, so it is in all or in none."""

    WAITING = "waiting_pairs"  # fewer than three people have answered
    WITHDRAWN = "withdrawn_pairs"  # nobody can answer, see `maskloop failures`
    REJECTED = "rejected_pairs"  # somebody could not say where all instances are
    WITHOUT_MASKS = "incomplete_pairs_without_masks"  # a version would read as a negative


def gold_resolutions(reviews: Sequence[Review]) -> list[Resolution]:
    """
    Return the version of each person, in the order of *reviews*.

    Args:
        reviews: Corrections of one pair, one of each person.
    """
    corrections = [each.answer for each in reviews if isinstance(each.answer, Correction)]
    versions = gold_versions(corrections)
    return [
        _resolution(review, correction, version)
        for review, correction, version in zip(reviews, corrections, versions, strict=True)
    ]


def gold_loss(versions: Sequence[Resolution]) -> GoldLoss | None:
    """Return why these versions of a pair are in no file; None if they can be written."""
    if any(each.outcome is Outcome.DROPPED for each in versions):
        return GoldLoss.REJECTED
    if any(each.outcome is Outcome.INCOMPLETE and not each.masks for each in versions):
        return GoldLoss.WITHOUT_MASKS
    return None


def _resolution(review: Review, correction: Correction, version: Correction) -> Resolution:
    resolution = resolution_of(review, version)
    is_whole = len(version.masks) == len(correction.masks)
    return resolution if is_whole else replace(resolution, outcome=Outcome.INCOMPLETE)
