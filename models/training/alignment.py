"""
Losses on the image features alone, for models that start from nothing.

DETR losses reach the image encoder through matching, which is noise until the features mean
something. These three reach it directly. They add a few weights of their own, which are thrown away
after training; the model itself stays as it is.

  phrases   does a cell belong to what a phrase names?          every phrase on every cell
  words     which word of each kind describes a thing?          cells, and means over a thing
  boxes     what is the box of the thing that a cell shows?     cells of things

Letters: B images, P phrases of an image, C channels, S cells along a side of the feature map, M
things of an image (filled up), K words, D kinds of words.
"""

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

_FOREGROUND = 4.0  # extra weight of cells that belong to the phrase: most cells do not
_PHRASES_WEIGHT, _BOXES_WEIGHT = 6.0, 5.0
IGNORED = -100  # a thing whose word of a kind is not to be learnt


@dataclass(frozen=True, slots=True, kw_only=True)
class ThingCells:
    """Where the things of each image are, on the grid of the features."""

    shares_BMSS: Tensor  # share of each cell that a thing covers
    boxes_BM4: Tensor  # centre and size as shares of the image
    words_BMD: Tensor  # index of its word among those of each kind, or IGNORED

    def owner_cells(self) -> Tensor:
        """Which thing shows most in each cell, one-hot, shape (B, M, S, S)."""
        most_BSS, owner_BSS = self.shares_BMSS.max(1)
        background_BSS = 1 - self.shares_BMSS.sum(1)
        one_hot_BMSS = functional.one_hot(owner_BSS, self.shares_BMSS.shape[1]).movedim(-1, 1)
        is_owned_B1SS = (most_BSS > background_BSS)[:, None]
        return torch.where(is_owned_B1SS, one_hot_BMSS, 0)


class Alignment(nn.Module):
    """The three losses and the weights they need."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.scale = nn.Parameter(torch.tensor(1.0))
        self.bias = nn.Parameter(torch.tensor(-2.0))
        self.box_head = nn.Linear(width, 4)
        self._root_width = width**0.5

    def phrase_loss(self, features_BCSS: Tensor, phrases_BPC: Tensor, share_BPSS: Tensor) -> Tensor:
        """Return the cross-entropy of every phrase on every cell."""
        logits_BPSS = torch.einsum("bpc,bcij->bpij", phrases_BPC, features_BCSS)
        logits_BPSS = logits_BPSS * (self.scale / self._root_width) + self.bias
        loss_BPSS = functional.binary_cross_entropy_with_logits(
            logits_BPSS, share_BPSS, reduction="none"
        )
        balance_BPSS = 1 + _FOREGROUND * share_BPSS
        return _PHRASES_WEIGHT * (loss_BPSS * balance_BPSS).mean() / balance_BPSS.mean()

    def box_loss(self, features_BCSS: Tensor, things: ThingCells) -> Tensor:
        """Return the mean L1 error of the boxes that cells of things give."""
        owner_BMSS = things.owner_cells().float()
        wanted_BSS4 = torch.einsum("bmij,bmd->bijd", owner_BMSS, things.boxes_BM4)
        given_BSS4 = self.box_head(features_BCSS.movedim(1, -1)).sigmoid()
        error_BSS = (given_BSS4 - wanted_BSS4).abs().sum(-1) * owner_BMSS.sum(1)
        mean_error: Tensor = error_BSS.sum() / owner_BMSS.sum().clamp(min=1)
        return _BOXES_WEIGHT * mean_error

    def word_loss(
        self, features_BCSS: Tensor, words_KC: Tensor, kind_sizes: list[int], things: ThingCells
    ) -> tuple[Tensor, float]:
        """
        Return the cross-entropy of the words, and the share of things whose first word is right.

        Args:
            words_KC: Text features of all words, those of the first kind first.

            kind_sizes: How many words each kind has.
        """
        owner_BMSS = things.owner_cells().float()
        cells_BM = owner_BMSS.sum((2, 3))
        mean_BMC = torch.einsum("bmij,bcij->bmc", owner_BMSS, features_BCSS)
        mean_BMC = mean_BMC / cells_BM.clamp(min=1)[..., None]
        temperature = self.scale / self._root_width
        things_BMK = mean_BMC @ words_KC.T * temperature
        cells_BSSK = features_BCSS.movedim(1, -1) @ words_KC.T * temperature

        owned_BMD = things.words_BMD.masked_fill((cells_BM == 0)[..., None], IGNORED)
        is_owned_BSS = owner_BMSS.sum(1) > 0
        owner_BSS = owner_BMSS.argmax(1)
        loss = features_BCSS.new_zeros(())
        splits = zip(
            things_BMK.split(kind_sizes, -1), cells_BSSK.split(kind_sizes, -1), strict=True
        )
        for kind, (of_thing, of_cell) in enumerate(splits):
            thing_word_BM = owned_BMD[..., kind]
            cell_word_BSS = thing_word_BM.gather(1, owner_BSS.flatten(1)).view_as(owner_BSS)
            cell_word_BSS = cell_word_BSS.masked_fill(~is_owned_BSS, IGNORED)
            loss = loss + 2 * _cross_entropy(of_thing, thing_word_BM)
            loss = loss + _cross_entropy(of_cell, cell_word_BSS)
        return loss, _share_right(things_BMK[..., : kind_sizes[0]], owned_BMD[..., 0])


def _cross_entropy(logits: Tensor, wanted: Tensor) -> Tensor:
    """The mean over what is not IGNORED; 0 where everything is."""
    total = functional.cross_entropy(
        logits.flatten(0, -2), wanted.flatten(), ignore_index=IGNORED, reduction="sum"
    )
    return total / (wanted != IGNORED).sum().clamp(min=1)


def _share_right(logits_BMK: Tensor, wanted_BM: Tensor) -> float:
    known_BM = wanted_BM != IGNORED
    right_BM = (logits_BMK.argmax(-1) == wanted_BM) & known_BM
    return (right_BM.sum() / known_BM.sum().clamp(min=1)).item()
