"""
Boxes that a person might have drawn, simulated from the truth.

A pair that is there is shown by boxes on one or two of its instances, and sometimes by one on
something else (label 0). A pair that is not there is shown, if the image has other known things, by
a box on one of these with label 0. Boxes are as inexact as a hand is.

Letters: N pairs, K boxes of a pair.
"""

import random
from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

from models.training.forward import Exemplars
from models.training.targets import PairTarget

_PADDED_LABEL = -10  # transformers' mark of a box that is not there
_MOST_SHOWN = 2
_WRONG_SHARE = 0.3
_LEAST, _MOST = 0.005, 0.995  # of centre and size: inside the image, and never empty
_SAME_CENTRE = 0.1  # a box whose centre is nearer to an instance of the pair may be that instance


def draw_exemplars(
    targets: Sequence[PairTarget], others: Sequence[Tensor], rng: random.Random, noise: float
) -> Exemplars:
    """
    Return boxes for each pair.

    Args:
        targets: The truth of N pairs.

        others: For each pair, the boxes of everything else that is known in its image, (K, 4).

        noise: Deviation of centre and size, as a share of the size.
    """
    drawn = [_shown(*pair, rng, noise) for pair in zip(targets, others, strict=True)]
    return Exemplars(
        boxes_NK4=pad_sequence([boxes for boxes, _ in drawn], batch_first=True, padding_value=0.5),
        labels_NK=pad_sequence(
            [torch.tensor(labels, dtype=torch.long) for _, labels in drawn],
            batch_first=True,
            padding_value=_PADDED_LABEL,
        ),
    )


def _shown(
    target: PairTarget, others_K4: Tensor, rng: random.Random, noise: float
) -> tuple[Tensor, list[int]]:
    meant = range(len(target.boxes_M4))
    shown = rng.sample(meant, min(len(meant), rng.randint(1, _MOST_SHOWN)))
    # Where instances are missing or in a group, what is beside the known ones may be one of them.
    is_known = target.is_instance_exhaustive
    apart_K4 = _apart(others_K4, target.boxes_M4) if is_known else others_K4[:0]
    wants_wrong = not shown or rng.random() < _WRONG_SHARE
    wrong = rng.sample(range(len(apart_K4)), min(len(apart_K4), int(wants_wrong)))
    boxes_K4 = torch.cat([target.boxes_M4[shown], apart_K4[wrong]])
    labels = [1] * len(shown) + [0] * len(wrong)
    if not labels:  # the model wants one box at least; this one does not count
        return torch.full((1, 4), 0.5), [_PADDED_LABEL]
    shake_K4 = torch.tensor([[rng.gauss(0, noise) for _ in range(4)] for _ in labels])
    sizes_K4 = boxes_K4[:, 2:].repeat(1, 2)
    return (boxes_K4 + shake_K4 * sizes_K4).clamp(_LEAST, _MOST), labels


def _apart(others_K4: Tensor, meant_M4: Tensor) -> Tensor:
    """Those of *others* that are surely not one of the pair's own instances."""
    if not len(others_K4) or not len(meant_M4):
        return others_K4
    distance_KM = torch.cdist(others_K4[:, :2], meant_M4[:, :2])
    return others_K4[distance_KM.amin(1) > _SAME_CENTRE]
