"""
Losses on a picture's patches, for a verifier that starts from nothing.

A tower that is taught by verdicts alone stays blind for hours: what it must see first is told to it
patch by patch. Two sets of weights are added for that and thrown away after training: `PatchHeads`,
and a small convolutional `Teacher`, which learns the same labels in a minute because neighbouring
pixels are neighbours to it, and whose features the tower then imitates.

Letters: B pictures, P patches, C channels, S side of a picture, K kinds of words, N all words.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional

from demo.verifier.cells import IGNORED, NUM_POINTS, WORDS, Cells
from verifiers.tiny.architecture import GRID

_NUM_FAULTS = 4
_SIZES = [len(words) for words in WORDS]
_WEIGHTS = {"words": 1.0, "things": 1.0, "boxed": 1.0, "group": 0.5, "fault": 2.0, "shape": 2.0}


class PatchHeads(nn.Module):
    """Reads the labels of `Cells` out of features."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self._parts = [len(WORDS), 1, 1, _NUM_FAULTS, NUM_POINTS, 4]
        self.read = nn.Linear(width, sum(self._parts))
        self.scale = nn.Parameter(torch.tensor(1.0))

    def forward(
        self, features_BPC: Tensor, words_NC: Tensor, cells: Cells
    ) -> tuple[Tensor, dict[str, float]]:
        """
        Return the loss and what was right.

        Args:
            features_BPC: What is taught.

            words_NC: One vector for each of WORDS, kind by kind: patches must resemble the vector
                of their word.

            cells: What is true.
        """
        read = torch.split(self.read(features_BPC), self._parts, -1)
        background, boxed, group, fault, inside, extent = read
        word_loss, right = self._words(features_BPC, words_NC, background, cells)
        is_thing_BP = cells.owner_BP > 0
        loss = (
            word_loss
            + _WEIGHTS["boxed"] * _binary(boxed[..., 0], cells.is_boxed_BP)
            + _WEIGHTS["group"] * _binary(group[..., 0], cells.is_group_BP)
            + _WEIGHTS["fault"] * _cross_entropy(fault, cells.fault_BP)
            + _WEIGHTS["shape"]
            * functional.binary_cross_entropy_with_logits(
                inside[is_thing_BP], cells.inside_BPQ[is_thing_BP]
            )
            + _WEIGHTS["shape"] * (extent - cells.extent_BP4)[is_thing_BP].abs().mean()
        )
        return loss, {**right, "fault": _right(fault, cells.fault_BP, of=(1, 2))}

    def _words(
        self, features_BPC: Tensor, words_NC: Tensor, background_BPK: Tensor, cells: Cells
    ) -> tuple[Tensor, dict[str, float]]:
        """Which word of each kind: in every patch, and in the mean over a thing's patches."""
        scale = self.scale / features_BPC.shape[-1] ** 0.5
        words = torch.split(words_NC, _SIZES)
        means_BMC, labels_BMK = _means(features_BPC, cells)
        loss = features_BPC.new_zeros(())
        right: dict[str, float] = {}
        for kind, words_nC in enumerate(words):
            patches = features_BPC @ words_nC.T * scale
            patches = torch.cat([background_BPK[..., kind : kind + 1], patches], -1)
            loss = loss + _WEIGHTS["words"] * _cross_entropy(patches, cells.words_BPK[..., kind])
            things = means_BMC @ words_nC.T * scale
            # A thing is never background, so its classes begin with the first word.
            wanted_BM = labels_BMK[..., kind]
            wanted_BM = torch.where(wanted_BM > 0, wanted_BM - 1, IGNORED)
            loss = loss + _WEIGHTS["things"] * _cross_entropy(things, wanted_BM)
            right[f"kind{kind}"] = _right(things, wanted_BM)
        return loss, right


class Teacher(nn.Module):
    """A convolutional network that sees the same pictures; thrown away after training."""

    def __init__(self, width: int = 96) -> None:
        super().__init__()
        self.width = width
        self.early = nn.Sequential(
            _convolution(3, 16, 2), _convolution(16, 32, 1),
            _convolution(32, 48, 2), _convolution(48, 64, 1),
        )  # fmt: skip
        self.late = nn.Sequential(_convolution(64, width, 2), _convolution(width, width, 1))
        self.words = nn.Parameter(torch.randn(sum(_SIZES), width))
        self.heads = PatchHeads(width)

    def forward(self, pictures_B3SS: Tensor) -> tuple[Tensor, Tensor]:
        """Return early features, shape (B, P, 256), and late features, shape (B, P, C)."""
        early_Bcss = self.early(pictures_B3SS)
        late_BPC = self.late(early_Bcss).flatten(2).transpose(1, 2)
        blocks = early_Bcss.unflatten(3, (GRID, 2)).unflatten(2, (GRID, 2))
        early_BPC = blocks.permute(0, 2, 4, 1, 3, 5).flatten(3).flatten(1, 2)
        return early_BPC, late_BPC


class Imitation(nn.Module):
    """How far a tower's features are from the teacher's, each projected and normalised."""

    def __init__(self, width: int, teacher_width: int) -> None:
        super().__init__()
        self.early = nn.Linear(width, 256)
        self.late = nn.Linear(width, teacher_width)

    def forward(self, early_BPC: Tensor, late_BPC: Tensor, shown: tuple[Tensor, Tensor]) -> Tensor:
        """Return the loss of the tower's *early_BPC* and *late_BPC* against what is *shown*."""
        early = functional.mse_loss(self.early(early_BPC), _normalised(shown[0]))
        late = functional.mse_loss(self.late(late_BPC), _normalised(shown[1]))
        return early + 2 * late


def _convolution(inputs: int, outputs: int, stride: int) -> nn.Module:
    return nn.Sequential(
        nn.Conv2d(inputs, outputs, 3, stride, 1), nn.BatchNorm2d(outputs), nn.ReLU()
    )


def _normalised(features: Tensor) -> Tensor:
    return functional.layer_norm(features, features.shape[-1:])


def _means(features_BPC: Tensor, cells: Cells) -> tuple[Tensor, Tensor]:
    """The mean features of each thing, and its words; IGNORED where no patch shows it."""
    num_things = int(cells.owner_BP.max()) + 1
    owned_BMP = functional.one_hot(cells.owner_BP, num_things).float().transpose(1, 2)[:, 1:]
    num_BM1 = owned_BMP.sum(-1, keepdim=True)
    means_BMC = owned_BMP @ features_BPC / num_BM1.clamp(min=1)
    # All patches of a thing carry its words: the first one tells.
    first_BM = owned_BMP.argmax(-1)
    labels_BMK = torch.take_along_dim(cells.words_BPK, first_BM[..., None], 1)
    return means_BMC, labels_BMK.masked_fill(num_BM1 == 0, IGNORED)


def _cross_entropy(logits: Tensor, wanted: Tensor) -> Tensor:
    """The mean over what is not IGNORED; 0 where everything is."""
    total = functional.cross_entropy(
        logits.flatten(0, -2), wanted.flatten(), ignore_index=IGNORED, reduction="sum"
    )
    return total / (wanted != IGNORED).sum().clamp(min=1)


def _binary(logits: Tensor, wanted: Tensor) -> Tensor:
    is_known = wanted != IGNORED
    total = functional.binary_cross_entropy_with_logits(
        logits[is_known], wanted[is_known].float(), reduction="sum"
    )
    return total / is_known.sum().clamp(min=1)


def _right(logits: Tensor, wanted: Tensor, *, of: tuple[int, ...] = ()) -> float:
    is_known = torch.isin(wanted, torch.tensor(of)) if of else wanted != IGNORED
    if not is_known.any():
        return float("nan")
    return (logits.argmax(-1) == wanted)[is_known].float().mean().item()
