"""
What a model should find for each pair.

Letters: N pairs, M targets of one pair, G targets of all pairs together, H and W height and width
of the target masks in pixels.

Boxes are centre x, centre y, width, height as shares of the image, as in Sam3's decoder.
"""

from collections.abc import Sequence
from dataclasses import dataclass, fields

import torch
from torch import Tensor
from torch.nn import functional


@dataclass(frozen=True, slots=True, kw_only=True)
class PairTarget:
    """
    The truth of one pair.

    The instances of a pair that is not instance-exhaustive are learnt; what else its queries find
    is not judged, as it may be an instance that nobody marked, or part of a group (traps 5 and 6
    of the released trainer: there, a pair of nothing but a group would become a negative).
    """

    boxes_M4: Tensor  # of the instances; group masks have none
    masks_MHW: Tensor  # of the same instances, float in [0, 1]
    semantic_HW: Tensor  # union of all masks, group masks included
    is_present: bool
    is_instance_exhaustive: bool = True
    is_pixel_exhaustive: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Targets:
    """The truth of a batch of pairs."""

    boxes_G4: Tensor
    masks_GHW: Tensor
    pair_of_G: Tensor  # the index of each target's pair
    semantic_NHW: Tensor
    is_present_N: Tensor  # bool
    has_instances_N: Tensor  # bool: all are known, so any other query is wrong
    has_pixels_N: Tensor  # bool: its semantic mask may be judged

    @property
    def num_pairs(self) -> int:
        return len(self.is_present_N)

    def to(self, device: torch.device) -> "Targets":
        """Return the same truth on *device*, where the model's outputs are."""
        moved = {field.name: getattr(self, field.name).to(device) for field in fields(self)}
        return Targets(**moved)

    def of_pairs(self, rows_N: Tensor) -> "Targets":
        """Return the truth of the pairs *rows_N*, given in ascending order."""
        new_number_N = torch.full((self.num_pairs,), -1)
        new_number_N[rows_N] = torch.arange(len(rows_N))
        kept_G = torch.nonzero(new_number_N[self.pair_of_G] >= 0).flatten()
        return Targets(
            boxes_G4=self.boxes_G4[kept_G],
            masks_GHW=self.masks_GHW[kept_G],
            pair_of_G=new_number_N[self.pair_of_G[kept_G]],
            semantic_NHW=self.semantic_NHW[rows_N],
            is_present_N=self.is_present_N[rows_N],
            has_instances_N=self.has_instances_N[rows_N],
            has_pixels_N=self.has_pixels_N[rows_N],
        )

    @property
    def counts(self) -> list[int]:
        """How many targets each pair has."""
        counts: list[int] = torch.bincount(self.pair_of_G, minlength=self.num_pairs).tolist()
        return counts


def pair_target(
    masks_MHW: Tensor,
    *,
    size: int,
    is_group_M: Tensor | None = None,
    is_instance_exhaustive: bool = True,
    is_pixel_exhaustive: bool = True,
) -> PairTarget:
    """
    Return the truth that binary masks of an image contain.

    Args:
        masks_MHW: Binary masks at the image's own size. None of them is empty.

        size: Height and width of the target masks; each pixel is the share that a mask covers.

        is_group_M: True for masks over several inseparable instances.

    Raises:
        ValueError: If there are no masks and nobody says that there is nothing: such a pair would
            teach that the phrase is absent (trap 6 of the released trainer).
    """
    if not len(masks_MHW) and not (is_instance_exhaustive or is_pixel_exhaustive):
        msg = "a pair without masks must be exhaustive, this one may have instances"
        raise ValueError(f"{msg}: leave it out")
    shrunk_MHW = shrink(masks_MHW, size)
    single_M = torch.ones(len(masks_MHW), dtype=torch.bool)
    if is_group_M is not None:
        single_M = ~is_group_M
    semantic_HW = shrunk_MHW.amax(0) if len(shrunk_MHW) else shrunk_MHW.new_zeros(size, size)
    return PairTarget(
        boxes_M4=boxes_of(masks_MHW[single_M]),
        masks_MHW=shrunk_MHW[single_M],
        semantic_HW=semantic_HW,
        is_present=len(masks_MHW) > 0,
        is_instance_exhaustive=is_instance_exhaustive and bool(single_M.all()),
        is_pixel_exhaustive=is_pixel_exhaustive,
    )


def collate(targets: Sequence[PairTarget]) -> Targets:
    """Return the truth of a batch, at least one pair."""
    counts = torch.tensor([len(target.boxes_M4) for target in targets])
    return Targets(
        boxes_G4=torch.cat([target.boxes_M4 for target in targets]),
        masks_GHW=torch.cat([target.masks_MHW for target in targets]),
        pair_of_G=torch.repeat_interleave(torch.arange(len(targets)), counts),
        semantic_NHW=torch.stack([target.semantic_HW for target in targets]),
        is_present_N=torch.tensor([target.is_present for target in targets]),
        has_instances_N=torch.tensor([target.is_instance_exhaustive for target in targets]),
        has_pixels_N=torch.tensor([target.is_pixel_exhaustive for target in targets]),
    )


def shrink(masks_MHW: Tensor, size: int) -> Tensor:
    """Return the share of each of *size* x *size* cells that a mask covers, float."""
    if not len(masks_MHW):
        return torch.zeros(0, size, size)
    return functional.adaptive_avg_pool2d(masks_MHW[None].float(), size)[0]


def boxes_of(masks_MHW: Tensor) -> Tensor:
    """Return the tight boxes of masks, shape (M, 4), as shares of the image."""
    if not len(masks_MHW):
        return torch.zeros(0, 4)
    x0_M, x1_M = _span(masks_MHW.any(1))
    y0_M, y1_M = _span(masks_MHW.any(2))
    return torch.stack([(x0_M + x1_M) / 2, (y0_M + y1_M) / 2, x1_M - x0_M, y1_M - y0_M], dim=-1)


def _span(is_touched_ML: Tensor) -> tuple[Tensor, Tensor]:
    """First and one past the last touched position, as shares of the length."""
    length = is_touched_ML.shape[1]
    touched_ML = is_touched_ML.int()
    first_M = touched_ML.argmax(1)
    last_M = length - touched_ML.flip(1).argmax(1)
    return first_M / length, last_M / length
