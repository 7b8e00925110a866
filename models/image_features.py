"""
Image features, encoded once and shared by all prompts about an image.

Letters: B prompts of one batch.
"""

from collections.abc import Sequence

import torch
from torch import Tensor
from transformers.models.sam3.modeling_sam3 import Sam3VisionEncoderOutput


def of_images(
    vision: Sam3VisionEncoderOutput, image_of_B: Sequence[int]
) -> Sam3VisionEncoderOutput:
    """Return the features of each row's image; the rows of one image share them uncopied."""
    first, num_rows = image_of_B[0], len(image_of_B)
    is_one_image = all(image == first for image in image_of_B)

    def rows_of(level: Tensor) -> Tensor:
        if is_one_image:
            return level[first : first + 1].expand(num_rows, -1, -1, -1)
        return level[torch.tensor(image_of_B, device=level.device)]

    return Sam3VisionEncoderOutput(
        fpn_hidden_states=tuple(rows_of(level) for level in vision.fpn_hidden_states),
        fpn_position_encoding=tuple(
            level[:1].expand(num_rows, -1, -1, -1) for level in vision.fpn_position_encoding
        ),
    )
