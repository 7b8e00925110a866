"""
What a person leaves on a picture that is to be corrected: what is right, or that with one mistake.

Good masks stay as they are, to the byte. Others are taken away, things without a good mask get one
whose rim is a little off, and a crowd that nobody can tell apart is a group. Phrases that no mask
can answer are rejected.

Letters: H and W height and width in pixels.
"""

import random
from collections.abc import Mapping, Sequence

import numpy as np

from demo.known import Known
from demo.verifier.masks import grown, shrunk
from demo.verifier_truth import LEAST_OVERLAP, overlap
from demo.world.phrases import PhraseKind
from demo.world.scenes import BoolArray
from engine.masks import decode, encode
from engine.ports import Drawing, DrawnMask
from engine.records import Mask
from engine.reviews import Rejection

_REJECTIONS = {
    PhraseKind.WHOLE_IMAGE: Rejection.WHOLE_IMAGE,
    PhraseKind.FLAGGED: Rejection.FLAGGED,
    PhraseKind.UNGROUNDABLE: Rejection.UNGROUNDABLE,
}
_OVERLOOKED, _LEFT, _TAKEN_AWAY, _IMAGINED, _GIVEN_UP = range(5)
_WEIGHTS = {  # of the mistakes: an assumption
    _OVERLOOKED: 0.40,  # a thing without a mask was not noticed
    _LEFT: 0.30,  # a wrong mask was left
    _TAKEN_AWAY: 0.12,  # a good one was taken away
    _IMAGINED: 0.12,  # something else was taken for what the phrase names
    _GIVEN_UP: 0.06,  # the person was not sure
}
_OFF_SHARE = 0.15  # of the pixels at the rim of a drawn mask
_LEAST_DRAWN_OVERLAP = 0.75  # of a drawn mask with its thing: small things are drawn exactly


def draw(
    shown: Mapping[str, Mask], known: Known, *, accuracy: float, rng: random.Random
) -> Drawing:
    """
    Return what is left of the masks *shown*, and what was added.

    Args:
        shown: By mask id, in the order of the screen.

        known: The truth.

        accuracy: The chance that all of it is right. Otherwise one thing is wrong.

        rng: The person's hand and luck.
    """
    rejection = _REJECTIONS.get(known.truth.kind)
    is_right = rng.random() < accuracy
    if rejection is not None:
        return Drawing(rejection=rejection) if is_right else Drawing()
    right = Drawing(masks=tuple(_right(shown, known, rng)))
    return right if is_right else _mistaken(right, shown, known, rng)


def wobbly(mask_HW: BoolArray, rng: random.Random) -> BoolArray:
    """Return a mask as a hand draws it: some pixels at its rim are wrong."""
    rim_HW = grown(mask_HW, 1) & ~shrunk(mask_HW, 1)
    noise = np.random.default_rng(rng.getrandbits(64)).random(mask_HW.shape)
    drawn_HW: BoolArray = mask_HW ^ (rim_HW & (noise < _OFF_SHARE))
    return drawn_HW if overlap(drawn_HW, mask_HW) >= _LEAST_DRAWN_OVERLAP else mask_HW


def _right(shown: Mapping[str, Mask], known: Known, rng: random.Random) -> list[DrawnMask]:
    missing = list(known.truth.indices)
    masks = []
    for mask_id, mask in shown.items():
        if (index := _thing_under(mask, missing, known)) is not None:
            missing.remove(index)
            is_group = known.scene.things[index].is_group
            masks.append(DrawnMask(mask=mask, origin=mask_id, is_group=is_group))
    return masks + [_drawn(index, known, rng) for index in missing]


def _thing_under(mask: Mask, indices: Sequence[int], known: Known) -> int | None:
    """Return which of the things a mask shows well, None for none of them."""
    (mask_HW,) = decode([mask])
    overlaps = {index: overlap(mask_HW, known.scene.mask(index)) for index in indices}
    best = max(overlaps, key=overlaps.__getitem__, default=None)
    return None if best is None or overlaps[best] < LEAST_OVERLAP else best


def _drawn(index: int, known: Known, rng: random.Random) -> DrawnMask:
    (mask,) = encode(wobbly(known.scene.mask(index), rng)[None])
    return DrawnMask(mask=mask, origin="", is_group=known.scene.things[index].is_group)


def _mistaken(
    right: Drawing, shown: Mapping[str, Mask], known: Known, rng: random.Random
) -> Drawing:
    """Return *right* with one mistake of those that can be made here."""
    kept = {each.origin for each in right.masks}
    others = [i for i in range(len(known.scene.things)) if i not in known.truth.indices]
    wrong = [
        DrawnMask(mask=mask, origin=own, is_group=False)
        for own, mask in shown.items()
        if own not in kept
    ]
    mistakes = {
        _OVERLOOKED: [_without(right, each) for each in right.masks if not each.origin],
        _LEFT: [_with(right, each) for each in wrong],
        _TAKEN_AWAY: [_without(right, each) for each in right.masks if each.origin],
        _IMAGINED: [_with(right, _drawn(index, known, rng)) for index in others],
        _GIVEN_UP: [Drawing(rejection=Rejection.UNSURE)],
    }
    kinds = [kind for kind, found in mistakes.items() if found]
    kind = rng.choices(kinds, [_WEIGHTS[kind] for kind in kinds])[0]
    return rng.choice(mistakes[kind])


def _with(drawing: Drawing, more: DrawnMask) -> Drawing:
    return Drawing(masks=(*drawing.masks, more))


def _without(drawing: Drawing, gone: DrawnMask) -> Drawing:
    return Drawing(masks=tuple(each for each in drawing.masks if each is not gone))
