"""
Binary masks and COCO run lengths: encode, decode, check, and measure overlap.

  masks_NHW   bool, one mask per instance, row-major, True inside
  counts      COCO compressed run lengths: column-major runs, the first one of zeros, as ASCII
  box_xywh    left, top, width, height in pixels; an empty mask has (0, 0, 0, 0)

Run lengths from outside are checked before anything decodes them: the reference decoder trusts
that the runs add up to height * width.
"""

from collections.abc import Sequence
from typing import TypeAlias

import numpy as np
import numpy.typing as npt
from pycocotools import mask as coco_mask

from engine.errors import InvalidMaskError
from engine.records import Mask

BoolArray: TypeAlias = npt.NDArray[np.bool_]
FloatArray: TypeAlias = npt.NDArray[np.float64]
IntArray: TypeAlias = npt.NDArray[np.int64]

_CHUNK_PIXELS = 1 << 26  # 64 MB of uint8 at a time: memory stays flat whatever the image size


def encode(masks_NHW: BoolArray) -> list[Mask]:
    """Return the run lengths of each mask, shape (N, H, W), in order."""
    num_masks, height, width = masks_NHW.shape
    step = max(1, _CHUNK_PIXELS // (height * width))
    masks: list[Mask] = []
    for start in range(0, num_masks, step):
        columns_HWN = np.asfortranarray(
            masks_NHW[start : start + step].transpose(1, 2, 0), np.uint8
        )
        rles = coco_mask.encode(columns_HWN)
        areas = coco_mask.area(rles)
        boxes = coco_mask.toBbox(rles)
        masks.extend(
            _mask(height, width, rle["counts"].decode("ascii"), int(area), box)
            for rle, area, box in zip(rles, areas, boxes, strict=True)
        )
    return masks


def decode(masks: Sequence[Mask]) -> BoolArray:
    """Return the masks as an array of shape (N, H, W). All must share height and width, N >= 1."""
    stacked_HWN = coco_mask.decode([to_coco(mask) for mask in masks])
    decoded_NHW: BoolArray = np.ascontiguousarray(stacked_HWN.transpose(2, 0, 1)).view(np.bool_)
    return decoded_NHW


def checked(*, height: int, width: int, counts: str | bytes | Sequence[int]) -> Mask:
    """
    Return run lengths from outside as a Mask, with area and box computed here.

    Args:
        height: Rows of the image, in pixels.

        width: Columns of the image, in pixels.

        counts: Compressed COCO counts, or the uncompressed list of runs.

    Raises:
        InvalidMaskError: If the runs are no run lengths or do not add up to height * width.
    """
    if not isinstance(counts, str | bytes):
        counts = _compressed(counts, height=height, width=width)
    text = counts.decode("ascii", "replace") if isinstance(counts, bytes) else counts
    check_counts(height=height, width=width, counts=text)
    rle = {"size": [height, width], "counts": text}
    return _mask(height, width, text, int(coco_mask.area(rle)), coco_mask.toBbox(rle))


def check_counts(*, height: int, width: int, counts: str) -> None:
    """Raise InvalidMaskError unless *counts* are runs >= 0 that add up to height * width."""
    runs = run_lengths(counts)
    if len(runs) and (runs.min() < 0 or runs.max() > height * width):
        msg = f"mask has a run outside [0, {height * width}]"
        raise InvalidMaskError(f"{msg}: its counts {counts[:20]!r} are corrupt")
    if runs.sum() != height * width:
        msg = f"mask runs add up to {runs.sum()}, expected {height} * {width} = {height * width}"
        raise InvalidMaskError(f"{msg}: the mask belongs to an image of another size")


def run_lengths(counts: str) -> IntArray:
    """
    Return the runs of compressed COCO counts, zeros first.

    Raises:
        InvalidMaskError: If a character is outside the alphabet or the last number is cut off.

    Source:
        pycocotools maskApi.c, rleFrString: 5 bits a character, bit 6 continues a number, the
        last character's bit 5 is the sign, and from the fourth number on the difference to the
        number two before is stored.
    """
    # Beyond ASCII every UTF-8 byte is outside the alphabet; a replacement "?" would be inside.
    codes = np.frombuffer(counts.encode("utf-8", "surrogatepass"), np.uint8).astype(np.int64) - 48
    if len(codes) == 0:
        return codes
    ends = np.flatnonzero((codes & 0x20) == 0)
    if codes.min() < 0 or codes.max() > 63 or len(ends) == 0 or ends[-1] != len(codes) - 1:
        raise InvalidMaskError(f"mask counts {counts[:20]!r} are not COCO compressed run lengths")
    starts = np.concatenate(([0], ends[:-1] + 1))
    place = np.arange(len(codes)) - np.repeat(starts, ends - starts + 1)
    if place.max() > 11:
        raise InvalidMaskError(f"mask counts {counts[:20]!r} hold a number beyond 60 bits")
    numbers = np.add.reduceat((codes & 0x1F) << (5 * place), starts)
    negative = (codes[ends] & 0x10) != 0
    numbers -= np.where(negative, np.int64(1) << (5 * (place[ends] + 1)), 0)
    numbers[1::2] = np.cumsum(numbers[1::2])
    numbers[2::2] = np.cumsum(numbers[2::2])
    return numbers


def to_coco(mask: Mask) -> dict[str, object]:
    """Return *mask* as the dictionary that pycocotools reads."""
    return {"size": [mask.height, mask.width], "counts": mask.counts}


def iou(masks: Sequence[Mask], others: Sequence[Mask]) -> FloatArray:
    """
    Return the intersection over union of every pair of masks, shape (len(masks), len(others)).

    Two empty masks have IoU 0, so that a proposal which found nothing never counts as a match.
    """
    inter, area, other_area = _overlaps(masks, others)
    union = area[:, None] + other_area[None, :] - inter
    return np.divide(inter, union, out=np.zeros_like(inter), where=union > 0)


def iom(masks: Sequence[Mask], others: Sequence[Mask]) -> FloatArray:
    """
    Return the intersection over the smaller mask of every pair, shape (len(masks), len(others)).

    It is 1 for nested masks, which IoU misses (SAM 3 paper, C.2). Empty masks give 0.
    """
    inter, area, other_area = _overlaps(masks, others)
    smaller = np.minimum(area[:, None], other_area[None, :])
    return np.divide(inter, smaller, out=np.zeros_like(inter), where=smaller > 0)


def _overlaps(
    masks: Sequence[Mask], others: Sequence[Mask]
) -> tuple[FloatArray, FloatArray, FloatArray]:
    area = np.array([mask.area_pixels for mask in masks], np.float64)
    other_area = np.array([mask.area_pixels for mask in others], np.float64)
    if not masks or not others:
        return np.zeros((len(masks), len(others))), area, other_area
    sizes = {(mask.height, mask.width) for mask in (*masks, *others)}
    if len(sizes) > 1:
        raise ValueError(f"masks must share (height, width), got {sorted(sizes)}")
    first, second = [to_coco(mask) for mask in masks], [to_coco(mask) for mask in others]
    # The crowd flag makes pycocotools divide by the first mask's area: times it, the intersection.
    share = np.asarray(coco_mask.iou(first, second, [1] * len(second)), np.float64)
    return np.rint(share * area[:, None]), area, other_area


def _compressed(runs: Sequence[int], *, height: int, width: int) -> bytes:
    lengths = [int(run) for run in runs]
    if any(run < 0 for run in lengths) or sum(lengths) != height * width:
        msg = f"mask runs add up to {sum(lengths)}, expected {height} * {width}"
        raise InvalidMaskError(f"{msg}: the mask belongs to an image of another size")
    rle = coco_mask.frPyObjects({"size": [height, width], "counts": lengths}, height, width)
    counts: bytes = rle["counts"]
    return counts


def _mask(height: int, width: int, counts: str, area: int, box: FloatArray) -> Mask:
    left, top, box_width, box_height = (int(side) for side in box)
    return Mask(
        height=height,
        width=width,
        counts=counts,
        area_pixels=area,
        box_xywh=(left, top, box_width, box_height),
    )
