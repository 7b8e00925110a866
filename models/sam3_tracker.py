"""
Sam3's tracker on images, behind the `Clicker` port: clicks and a box become one mask.

An image is encoded once and its features are kept, so the next click on it costs one pass of the
mask decoder. A click alone can mean a thing or its part: of three masks the one that the model
itself rates best is taken. More clicks, or a box, say which: then there is one mask.

Letters: S side of the model's square image, h and w height and width of its masks, K points, M
masks, T tokens, C channels.

Sources: transformers' Sam3TrackerProcessor: coordinates are scaled to the square image, masks are
up-sampled as logits and cut at 0; SAM 2's `SAM2ImagePredictor` for the choice of masks.
"""

import math
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor
from transformers import Sam3TrackerModel

from engine.errors import ConfigError
from engine.ports import ImageArray
from engine.records import Mask
from models.preprocessing import normalise, resize
from models.run_lengths import Probabilities, encode_upsampled
from models.settings import ClickerSettings
from models.tracker_features import FeatureCache, Features, image_features
from models.tracker_loading import find_tracker, load_tracker, tracker_device

_CUT = 0.5  # where `encode_upsampled` cuts; logits are cut at 0


class Sam3Clicker:
    """
    Makes masks with one Sam3Tracker. Threads may share it.

    Args:
        model: On the device where it shall run, in evaluation mode.

        name: Kind and weights digest.

        cached_images: How many images' features are kept, those asked about last.
    """

    def __init__(self, model: Sam3TrackerModel, *, name: str, cached_images: int) -> None:
        side = model.prompt_encoder.input_image_size
        assert isinstance(side, int)  # the class computes with squares only
        self.name = name
        self._model = model
        self._side = side  # pixels
        self._positions_1Chw = model.get_image_wide_positional_embeddings()
        self._features = FeatureCache(cached_images)

    def mask(
        self,
        media_id: str,
        pixels_HWC: ImageArray,
        *,
        points_xy: Sequence[tuple[float, float]],
        are_positive: Sequence[bool],
        box_xyxy: tuple[float, float, float, float] | None,
    ) -> Mask:
        """
        Return the mask that the clicks mean, as large as the image; it may be empty.

        Args:
            media_id: Of the image; the next call with the same id does not look at the pixels.

            pixels_HWC: RGB, shape (H, W, 3).

            points_xy: In pixels of the image; positive ones lie on the thing, others beside it.

            are_positive: As many.

            box_xyxy: Around the thing, in pixels; None: no box.

        Raises:
            ValueError: If there is neither a point nor a box, or one that is none on this image.
            ConfigError: If the device has too little memory for the image.
        """
        height, width = pixels_HWC.shape[:2]
        _check_prompt(points_xy, are_positive, box_xyxy, height=height, width=width)
        features = self._features.get(media_id, lambda: self._encode(pixels_HWC))
        scale_xy = (self._side / width, self._side / height)
        prompt = _prompt(points_xy, are_positive, box_xyxy, scale_xy, self._model.device)
        logits_hw = self._decode(features, prompt)
        [mask] = encode_upsampled(logits_hw[None] + _CUT, height=height, width=width)
        return mask

    @torch.inference_mode()
    def _encode(self, pixels_HWC: ImageArray) -> Features:
        pixels_CSS = resize(pixels_HWC, self._side).to(self._model.device)
        try:
            return image_features(self._model, normalise(pixels_CSS[None]))
        except torch.OutOfMemoryError as exc:
            msg = f"{self._model.device} has too little memory for an image"
            raise ConfigError(f"{msg}: lower cached_images, or set the device to cpu") from exc

    @torch.inference_mode()
    def _decode(self, features: Features, prompt: dict[str, Tensor | None]) -> Probabilities:
        """Return the logits of the best mask, shape (h, w)."""
        points_11K2, boxes_114 = prompt["input_points"], prompt["input_boxes"]
        is_ambiguous = boxes_114 is None and points_11K2 is not None and points_11K2.shape[2] == 1
        # The two parts of the model's own forward; what it computes anew each time is kept here.
        tokens_11TC, dense_1Chw = self._model.prompt_encoder(**prompt, input_masks=None)
        masks_11Mhw, ious_11M, _, _ = self._model.mask_decoder(
            image_embeddings=features[-1],
            image_positional_embeddings=self._positions_1Chw,
            sparse_prompt_embeddings=tokens_11TC,
            dense_prompt_embeddings=dense_1Chw,
            multimask_output=is_ambiguous,
            high_resolution_features=features[:-1],
        )
        logits_hw: Probabilities = masks_11Mhw[0, 0, ious_11M[0, 0].argmax()].cpu().numpy()
        return logits_hw


def load_clicker(settings: ClickerSettings) -> Sam3Clicker:
    """
    Load the weights that *settings* name onto its device.

    Raises:
        WeightsError: If the weights are missing, cannot be downloaded, or hold no Sam3Tracker.
        ConfigError: If the device is not there.
    """
    device = tracker_device(settings.device)
    weights = find_tracker(settings.weights)
    model = load_tracker(weights, device)
    return Sam3Clicker(model, name=weights.name, cached_images=settings.cached_images)


def _check_prompt(
    points_xy: Sequence[tuple[float, float]],
    are_positive: Sequence[bool],
    box_xyxy: tuple[float, float, float, float] | None,
    *,
    height: int,
    width: int,
) -> None:
    if not points_xy and box_xyxy is None:
        raise ValueError("there is neither a point nor a box: give one of them")
    if len(points_xy) != len(are_positive):
        msg = f"{len(points_xy)} points have {len(are_positive)} signs"
        raise ValueError(f"{msg}: say of each whether it is positive")
    for x, y in points_xy:
        if not (0 <= x <= width and 0 <= y <= height):
            msg = f"point ({x}, {y}) is not on the image of {width} x {height} pixels"
            raise ValueError(f"{msg}: give pixels of the image")
    if box_xyxy is not None:
        left, top, right, bottom = box_xyxy
        if not (left < right and top < bottom) or not all(map(math.isfinite, box_xyxy)):
            raise ValueError(f"box must be left, top, right, bottom with an area, got {box_xyxy}")


def _prompt(
    points_xy: Sequence[tuple[float, float]],
    are_positive: Sequence[bool],
    box_xyxy: tuple[float, float, float, float] | None,
    scale_xy: tuple[float, float],
    device: torch.device,
) -> dict[str, Tensor | None]:
    """Return what the prompt encoder takes: one prompt about one image."""
    across, down = scale_xy
    points = [(x * across, y * down) for x, y in points_xy]
    labels = [int(is_positive) for is_positive in are_positive]
    box: list[float] = []
    if box_xyxy is not None:
        left, top, right, bottom = box_xyxy
        box = [left * across, top * down, right * across, bottom * down]

    def tensor(rows: list[Any], dtype: torch.dtype) -> Tensor | None:
        return torch.tensor([[rows]], dtype=dtype, device=device) if rows else None

    return {
        "input_points": tensor(points, torch.float32),
        "input_labels": tensor(labels, torch.long),
        "input_boxes": tensor(box, torch.float32),
    }
