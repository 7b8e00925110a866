"""
Where masks come from: each mask of a pair with what it was made from, and how.

  proposed   a proposer offered it
  kept       a person left it as it was shown
  edited     a person changed it
  added      a person drew it
  decided    it is a mask of a resolution; what it was made from is found by its run lengths
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from engine.records import Mask, ProposalSet, Resolution
from engine.reviews import Correction, Review, review_mask_id
from engine.verdicts import proposal_mask_id

PROPOSED, DECIDED = "proposed", "decided"


@dataclass(frozen=True, slots=True, kw_only=True)
class MadeMask:
    """A mask, who made it, and from what."""

    id: str  # "<proposal set, review or resolution>/<place>"
    maker: str  # a model version, a person, or an import
    how: str
    mask: Mask
    parents: tuple[str, ...] = ()  # ids of the masks that it was made from
    scores: Mapping[str, float] | None = None  # of proposals: presence, query score, confidence

    @property
    def owner(self) -> str:
        """The id of its proposal set, review or resolution."""
        return self.id.rpartition("/")[0]


def made_masks(
    sets: Sequence[ProposalSet],
    reviews: Sequence[Review],
    resolutions: Mapping[str, Resolution],
) -> dict[str, MadeMask]:
    """
    Return all masks of one pair by their ids: proposals, then reviews, then resolutions.

    Args:
        sets: Its proposal sets.

        reviews: Its reviews.

        resolutions: Its resolutions by their ids.
    """
    proposed = [one for found in sets for one in _of_set(found)]
    reviewed = [one for review in reviews for one in _of_review(review)]
    decided = [
        one
        for own_id, resolution in resolutions.items()
        for one in _of_resolution(own_id, resolution, [*proposed, *reviewed])
    ]
    return {one.id: one for one in [*proposed, *reviewed, *decided]}


def line_of(mask_id: str, masks: Mapping[str, MadeMask]) -> list[MadeMask]:
    """
    Return a mask with all that it was made from and that was made of it, in the order of *masks*.
    """
    before = _reached(mask_id, {own_id: one.parents for own_id, one in masks.items()})
    children: dict[str, list[str]] = {}
    for own_id, one in masks.items():
        for parent in one.parents:
            children.setdefault(parent, []).append(own_id)
    after = _reached(mask_id, children)
    return [one for own_id, one in masks.items() if own_id in before | after]


def _of_set(found: ProposalSet) -> Iterable[MadeMask]:
    set_id = found.id
    for index, proposal in enumerate(found.proposals):
        yield MadeMask(
            id=proposal_mask_id(set_id, index),
            maker=found.proposer,
            how=PROPOSED,
            mask=proposal.mask,
            scores={
                "presence": found.presence,
                "query_score": proposal.query_score,
                "confidence": found.confidence(proposal),
            },
        )


def _of_review(review: Review) -> Iterable[MadeMask]:
    if not isinstance(review.answer, Correction):
        return
    review_id = review.id
    for index, each in enumerate(review.answer.masks):
        yield MadeMask(
            id=review_mask_id(review_id, index),
            maker=review.person,
            how=each.change.value,
            mask=each.mask,
            parents=(each.origin,) if each.origin else (),
        )


def _of_resolution(
    own_id: str, resolution: Resolution, earlier: Sequence[MadeMask]
) -> Iterable[MadeMask]:
    """Of equal masks those that the maker of the resolution left go first, then the latest kind."""
    for index, resolved in enumerate(resolution.masks):
        same = [one for one in earlier if one.mask.counts == resolved.mask.counts]
        own = [one for one in same if one.maker == resolution.maker]
        by_people = [one for one in same if one.how != PROPOSED]
        yield MadeMask(
            id=f"{own_id}/{index}",
            maker=resolution.maker,
            how=DECIDED,
            mask=resolved.mask,
            parents=tuple(one.id for one in own or by_people or same),
        )


def _reached(start: str, further: Mapping[str, Sequence[str]]) -> set[str]:
    """Return *start* and all that is reached from it."""
    found, waiting = {start}, [start]
    while waiting:
        new = [each for each in further.get(waiting.pop(), ()) if each not in found]
        found |= set(new)
        waiting += new
    return found
