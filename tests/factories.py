"""Valid records with one-line overrides."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from engine.ids import content_id
from engine.masks import encode
from engine.records import Exemplar, Mask, Media, MediaKind, Pair, Proposal, ProposalSet


def a_media(name: str = "a", *, width: int = 8, height: int = 6) -> Media:
    """An image whose id follows from *name*."""
    return Media(
        id=content_id("media", name=name),
        kind=MediaKind.IMAGE,
        width=width,
        height=height,
        num_bytes=100,
        mime_type="image/png",
        perceptual_hash=0xF000_0000_0000_000F,
    )


def some_media(num: int) -> list[Media]:
    """Images of one size: "media_0", "media_1" and so on."""
    return [replace(a_media(), id=f"media_{number}") for number in range(num)]


def a_mask(*, left: int = 1, width: int = 8, height: int = 6) -> Mask:
    """A block of 3 x 2 pixels, *left* pixels from the left edge."""
    pixels_HW = np.zeros((height, width), np.bool_)
    pixels_HW[1:3, left : left + 3] = True
    return encode(pixels_HW[None])[0]


def a_proposal_set(
    pair: Pair,
    masks: Sequence[Mask] | None = None,
    *,
    proposer: str = "sam3@0",
    exemplars: tuple[Exemplar, ...] = (),
) -> ProposalSet:
    """A set over *pair* with one mask, or with *masks*."""
    return ProposalSet(
        pair_id=pair.id,
        proposer=proposer,
        inference_settings="settings",
        prompted_phrase="",
        exemplars=exemplars,
        presence=0.75,
        proposals=tuple(
            Proposal(mask=mask, query_score=1 / (2 + index))
            for index, mask in enumerate([a_mask()] if masks is None else masks)
        ),
    )
