"""
What another verifier would have decided about finished pairs.

A finished pair makes claims: each mask that was kept is right, each one that its maker rejected is
not, and together the kept ones are all there is; a negative also that its phrase can be pointed at.
A claim that the other verifier contradicts is a flip. Nothing follows from a flip by itself: it is
looked at before a model is retrained or replaced.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from engine.records import Mask, Outcome, Pair, Resolution
from engine.verdicts import ACCEPTING, Option, Question, Verdict, VerdictTask

_EXHAUSTIVE = frozenset({Outcome.INSTANCE_EXHAUSTIVE, Outcome.PIXEL_EXHAUSTIVE, Outcome.NEGATIVE})
_AGREEING = ACCEPTING | {Option.GROUNDABLE}


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """One thing that a finished pair says, and the question that tests it."""

    question: Question
    option: Option  # what its maker answered, or would have
    maker: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Flip:
    """A claim and the verdict that contradicts it."""

    claim: Claim
    verdict: Verdict


@dataclass(frozen=True, slots=True, kw_only=True)
class FinishedPair:
    """A pair with what finished it."""

    pair: Pair
    resolution: Resolution
    mask_ids: tuple[str, ...]  # of the resolution's masks
    rejected: Mapping[str, Mask]  # proposals that are not among them, by mask id
    said: Mapping[str, Verdict]  # the maker's own verdicts by subject id; none of people


def claims_of(finished: FinishedPair) -> Iterator[Claim]:
    """
    Yield what *finished* says, masks first.

    A group mask is no instance, so it is only part of the whole. An incomplete pair does not say
    that its masks are all there is, and a dropped one says nothing.
    """
    resolution = finished.resolution
    kept = list(zip(finished.mask_ids, resolution.masks, strict=True))
    for mask_id, resolved in kept:
        if not resolved.is_group:
            yield _claim(finished, VerdictTask.MASK, {mask_id: resolved.mask}, Option.ACCEPT)
    for mask_id, mask in finished.rejected.items():
        if mask_id in finished.said:
            yield _claim(finished, VerdictTask.MASK, {mask_id: mask}, Option.REJECT)
    if resolution.outcome in _EXHAUSTIVE:
        masks = {mask_id: resolved.mask for mask_id, resolved in kept}
        yield _claim(finished, VerdictTask.EXHAUSTIVITY, masks, Option.ACCEPT)
    if resolution.outcome is Outcome.NEGATIVE:
        yield _claim(finished, VerdictTask.GROUNDABILITY, {}, Option.GROUNDABLE)


def flips_of(claims: Sequence[Claim], verdicts: Mapping[str, Verdict]) -> list[Flip]:
    """
    Return the claims that are contradicted, in their order.

    Args:
        claims: In any order.

        verdicts: The other verifier's by subject id. A claim without one is no flip.
    """
    told = [(claim, verdicts.get(claim.question.subject_id)) for claim in claims]
    return [
        Flip(claim=claim, verdict=verdict)
        for claim, verdict in told
        if verdict is not None and (verdict.option in _AGREEING) != (claim.option in _AGREEING)
    ]


def _claim(
    finished: FinishedPair, task: VerdictTask, masks: Mapping[str, Mask], implied: Option
) -> Claim:
    question = Question(
        task=task,
        pair_id=finished.pair.id,
        media_id=finished.pair.media_id,
        phrase=finished.pair.phrase,
        masks=tuple(masks.values()),
        mask_ids=tuple(masks),
    )
    said = finished.said.get(question.subject_id)
    option = implied if said is None else said.option
    return Claim(question=question, option=option, maker=finished.resolution.maker)
