"""
Finished pairs of an image as what a trainer can use, and what each of them may teach.

  outcome               presence  instances    pixels   of the released trainer
  instance exhaustive   yes       all known    known
  pixel exhaustive      yes       some known   known    trap 5: a group mask would become a negative
  incomplete            yes       some known   unknown  trap 6: others are no negatives (weak loss)
  incomplete, no mask   left out                        trap 6: presence would be taught as 0
  negative              no        none         none     trap 3: only where somebody verified it

"Some known" teaches what the known instances are, and nothing about the other queries. An instance
that has no pixel left where the model looks is not known either (trap 7: there it is dropped, and
its query becomes a negative). An image without any usable pair is left out (trap 8: there, an
error).

Letters: M masks of one pair, H and W height and width in pixels.
"""

import threading
from collections import OrderedDict
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from engine.errors import PermanentError, UnreadableMediaError
from engine.images import decode_rgb
from engine.masks import decode
from engine.ports import MediaReader
from engine.records import Failure, Outcome
from engine.training_set import TrainingImage, TrainingPair

STAGE = "train"
_KEPT_BYTES = 1 << 29  # of decoded images: 400 of the concept world take 20 MB
_COMPLETE = frozenset({Outcome.INSTANCE_EXHAUSTIVE, Outcome.NEGATIVE})


@dataclass(frozen=True, slots=True, kw_only=True)
class PairTruth:
    """What one pair of an image may teach."""

    pair_id: str
    phrase: str
    masks_MHW: Tensor  # bool
    is_group_M: Tensor  # bool
    knows_instances: bool  # every instance has its mask
    knows_pixels: bool  # every pixel of the concept is in a mask

    @property
    def teaches(self) -> bool:
        """Whether it says anything: without masks, and others being possible, it does not."""
        return bool(len(self.masks_MHW)) or self.knows_instances or self.knows_pixels


@dataclass(frozen=True, slots=True, kw_only=True)
class Example:
    """One image, decoded, with its usable pairs; at least one."""

    media_id: str
    pixels_3HW: Tensor  # uint8
    truths: tuple[PairTruth, ...]

    @property
    def num_bytes(self) -> int:
        return self.pixels_3HW.nbytes + sum(truth.masks_MHW.nbytes for truth in self.truths)


def is_usable(pair: TrainingPair) -> bool:
    """Whether a pair teaches anything: see the table above."""
    return bool(pair.masks) or pair.outcome is not Outcome.INCOMPLETE


def is_complete(pair: TrainingPair) -> bool:
    """Whether all instances of its phrase are known."""
    return pair.outcome in _COMPLETE


def make_example(image: TrainingImage, content: bytes, *, longest_side: int) -> Example:
    """
    Return *image* decoded.

    Args:
        image: With at least one usable pair.

        content: The bytes of its file.

        longest_side: Pixels; a larger image is made smaller, its masks with it.

    Raises:
        UnreadableMediaError: If the bytes are no image, or of another size than the masks.
    """
    pixels_HW3 = np.require(decode_rgb(content, name=image.media_id), requirements=["W", "C"])
    if pixels_HW3.shape[:2] != (image.height, image.width):
        found = f"{pixels_HW3.shape[1]} x {pixels_HW3.shape[0]}"
        msg = f"media {image.media_id} is {found} pixels, its masks {image.width} x {image.height}"
        raise UnreadableMediaError(f"{msg}: bring back the file that was annotated")
    pixels_3HW = torch.from_numpy(pixels_HW3).permute(2, 0, 1)
    scale = min(1.0, longest_side / max(image.height, image.width))
    size = max(1, round(image.height * scale)), max(1, round(image.width * scale))
    if scale < 1:
        pixels_3HW = functional.interpolate(
            pixels_3HW[None].contiguous(), size=size, mode="bilinear", antialias=True
        )[0]
    truths = tuple(_truth(pair, size) for pair in image.pairs if is_usable(pair))
    return Example(media_id=image.media_id, pixels_3HW=pixels_3HW.contiguous(), truths=truths)


class ExampleReader:
    """
    Reads and decodes training images, and keeps the most recent ones.

    What cannot be read is named in `failures` and returned as None, so that the rest goes on. Two
    snapshots may have different pairs of one media: these are two examples.
    """

    def __init__(self, media: MediaReader, *, longest_side: int, limit: int = _KEPT_BYTES) -> None:
        self._media = media
        self._longest_side = longest_side
        self._limit = limit
        self._kept: OrderedDict[TrainingImage, Example] = OrderedDict()
        self._num_bytes = 0
        self._lock = threading.Lock()  # batches are made on threads
        self.failures: dict[str, Failure] = {}

    def read(self, image: TrainingImage) -> Example | None:
        """
        Return *image* decoded, or None.

        Raises:
            BlobStoreUnavailableError: If the store cannot be reached.
        """
        with self._lock:
            if image in self._kept:
                self._kept.move_to_end(image)
                return self._kept[image]
        try:
            content = self._media.read(image.media_id)
            example = make_example(image, content, longest_side=self._longest_side)
        except PermanentError as exc:
            self.failures.setdefault(
                image.media_id,
                Failure(stage=STAGE, subject_id=image.media_id, reason=exc.reason, detail=str(exc)),
            )
            return None
        self._keep(image, example)
        return example

    def _keep(self, image: TrainingImage, example: Example) -> None:
        with self._lock:
            if image not in self._kept:
                self._kept[image] = example
                self._num_bytes += example.num_bytes
            while self._num_bytes > self._limit and len(self._kept) > 1:
                self._num_bytes -= self._kept.popitem(last=False)[1].num_bytes


def _truth(pair: TrainingPair, size: tuple[int, int]) -> PairTruth:
    masks_MHW = _masks(pair, size)
    is_group_M = torch.tensor([mask.is_group for mask in pair.masks], dtype=torch.bool)
    is_left_M = masks_MHW.flatten(1).any(1)
    return PairTruth(
        pair_id=pair.pair_id,
        phrase=pair.phrase,
        masks_MHW=masks_MHW[is_left_M],
        is_group_M=is_group_M[is_left_M],
        knows_instances=is_complete(pair) and bool(is_left_M.all()),
        knows_pixels=pair.outcome is not Outcome.INCOMPLETE and bool(is_left_M.all()),
    )


def _masks(pair: TrainingPair, size: tuple[int, int]) -> Tensor:
    if not pair.masks:
        return torch.zeros(0, *size, dtype=torch.bool)
    masks_MHW = torch.from_numpy(decode([resolved.mask for resolved in pair.masks]))
    if masks_MHW.shape[1:] == size:
        return masks_MHW.bool()
    shares_MHW = functional.adaptive_avg_pool2d(masks_MHW[None].float(), size)[0]
    return shares_MHW >= 0.5
