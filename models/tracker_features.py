"""
What a Sam3Tracker makes of images, and a cache of it.

Letters: B images, S side of the model's square image, C channels, X cells of a level, h and w its
height and width.
"""

from collections import OrderedDict
from collections.abc import Callable
from concurrent.futures import Future
from threading import Lock
from typing import TypeAlias

from torch import Tensor
from transformers import Sam3TrackerModel

Features: TypeAlias = list[Tensor]  # levels of the pyramid, finest first, each (B, C, h, w)


class FeatureCache:
    """
    Features of the images that were asked about last. Threads may share it.

    Args:
        num_images: How many are kept.
    """

    def __init__(self, num_images: int) -> None:
        self._num_images = num_images
        self._lock, self._encoding = Lock(), Lock()
        self._features: OrderedDict[str, Future[Features]] = OrderedDict()

    def get(self, media_id: str, encode: Callable[[], Features]) -> Features:
        """
        Return the features of an image; *encode* makes them if they are not kept.

        Threads that ask for the same image wait for the one that encodes it. Images are encoded
        one at a time, so that the device's memory holds one at work. What *encode* raises, all who
        wait get; the next call tries again.
        """
        with self._lock:
            is_new = media_id not in self._features
            future = self._features.setdefault(media_id, Future())
            self._features.move_to_end(media_id)
            if len(self._features) > self._num_images:
                self._features.popitem(last=False)
        if is_new:
            self._fill(media_id, future, encode)
        return future.result()

    def _fill(
        self, media_id: str, future: Future[Features], encode: Callable[[], Features]
    ) -> None:
        try:
            with self._encoding:
                features = encode()
        except BaseException as exc:
            with self._lock:
                if self._features.get(media_id) is future:
                    del self._features[media_id]
            future.set_exception(exc)
        else:
            future.set_result(features)


def image_features(model: Sam3TrackerModel, pixels_BCSS: Tensor) -> Features:
    """
    Return what the mask decoder reads of images, finest level first.

    transformers 5.23 adds the embedding of "no memory" to the last level of the pyramid, which in
    published checkpoints is a fourth one that the decoder never gets. SAM adds it to the level
    that the decoder reads, and so does transformers' tracker of videos.

    Args:
        model: Whose features.

        pixels_BCSS: Normalised, at the model's size.
    """
    levels_XBC = model.get_image_features(pixels_BCSS).fpn_hidden_states
    levels = [
        level_XBC.permute(1, 2, 0).unflatten(-1, size_hw)
        for level_XBC, size_hw in zip(levels_XBC, model.backbone_feature_sizes, strict=False)
    ]
    levels[-1] = levels[-1] + model.no_memory_embedding.view(1, -1, 1, 1)
    return levels
