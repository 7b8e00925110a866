"""
Gold: what three people left on one pair, as three versions of its truth.
"""

from collections.abc import Sequence
from enum import StrEnum

from engine.records import Outcome, Resolution
from engine.reviews import Correction, Review
from engine.stages.resolve_reviews import resolution_of

VERSIONS = ("a", "b", "c")  # as the files of SA-Co/Gold are called


class GoldLoss(StrEnum):
    """Why a gold pair is in no file. The files hold the same pairs, so it is in all or in none."""

    WAITING = "waiting_pairs"  # fewer than three people have answered
    WITHDRAWN = "withdrawn_pairs"  # nobody can answer, see `maskloop failures`
    REJECTED = "rejected_pairs"  # somebody could not say where all instances are


def gold_resolutions(reviews: Sequence[Review]) -> list[Resolution]:
    """
    Return the version of each person, in the order of *reviews*.

    Args:
        reviews: Corrections of one pair, one of each person.
    """
    return [
        resolution_of(each, each.answer) for each in reviews if isinstance(each.answer, Correction)
    ]


def gold_loss(versions: Sequence[Resolution]) -> GoldLoss | None:
    """Return why these versions of a pair are in no file; None if they can be written."""
    if any(each.outcome is Outcome.DROPPED for each in versions):
        return GoldLoss.REJECTED
    return None
