"""
The masks that people are shown: proposals, and what somebody left on a pair before.
"""

from collections.abc import Iterable

from sqlalchemy.orm import Session

from db.proposals import masks_of_proposals
from db.reviews import review_masks, reviews_by_id
from engine.records import Mask
from engine.reviews import Correction, is_of_review, review_mask_id


def shown_masks(session: Session, mask_ids: Iterable[str]) -> dict[str, Mask]:
    """Return masks of proposals and of reviews by their ids; unknown ids are left out."""
    wanted = set(mask_ids)
    drawn = {mask_id for mask_id in wanted if is_of_review(mask_id)}
    return {**masks_of_proposals(session, wanted - drawn), **review_masks(session, drawn)}


def shown_groups(session: Session, mask_ids: Iterable[str]) -> frozenset[str]:
    """Return those of the masks that cover several instances, as a person said: never proposals."""
    drawn = {mask_id for mask_id in mask_ids if is_of_review(mask_id)}
    reviews = reviews_by_id(session, {mask_id.rpartition("/")[0] for mask_id in drawn})
    groups = {
        review_mask_id(own, index)
        for own, review in reviews.items()
        if isinstance(review.answer, Correction)
        for index, each in enumerate(review.answer.masks)
        if each.is_group
    }
    return frozenset(groups & drawn)
