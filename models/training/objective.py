"""
What a training makes small: a model, and the loss of a batch.

One module around everything, so that `accelerate` can wrap it for half precision and several GPUs.

Letters: B images, N pairs, C channels, S cells along a side of the feature map.
"""

from typing import Any

import torch
from torch import Tensor, nn
from transformers import CLIPTokenizer, Sam3Model

from models.preprocessing import normalise
from models.sam3_image import VISUAL_PROMPT
from models.training.alignment import Alignment
from models.training.batches import Batch
from models.training.forward import (
    LayerRecorder,
    TextFeatures,
    encode_phrases,
    forward_pairs,
)
from models.training.losses import Losses, LossWeights, detection_loss
from models.training.targets import shrink


class Objective(nn.Module):
    """
    The loss of *model* on batches.

    Args:
        model: What learns.

        tokenizer: The one that it was trained with.

        weights: How much each loss counts.

        alignment_weight: Of the loss on image features alone; 0 leaves it out.
    """

    def __init__(
        self,
        model: Sam3Model,
        tokenizer: CLIPTokenizer,
        *,
        weights: LossWeights,
        alignment_weight: float,
    ) -> None:
        super().__init__()
        self.model = model
        vision: Any = model.config.vision_config
        self.alignment = Alignment(vision.fpn_hidden_size)
        self.alignment.box_head.requires_grad_(False)  # wants every thing of an image: not known
        self._tokenizer = tokenizer
        self._weights = weights
        self._alignment_weight = alignment_weight
        self._recorder = LayerRecorder(model)

    def forward(self, batch: Batch) -> Losses:
        """Return the losses of *batch*, which may lie on another device."""
        device = self.model.device
        image_of_N = batch.image_of_N.to(device)
        vision = self.model.vision_encoder(normalise(batch.pixels_BCSS.to(device)))
        text = encode_phrases(self.model, self._tokenizer, list(batch.phrases))
        outputs = forward_pairs(
            self.model,
            self._recorder,
            vision=vision,
            image_of_N=image_of_N,
            text=text,
            exemplars=batch.exemplars and batch.exemplars.to(device),
        )
        targets = batch.targets.to(device)
        many = None
        if self._weights.one_to_many:
            many = self._recorder.without_one_another(outputs)
        found = detection_loss(outputs, targets, self._weights, many=many)
        if not self._alignment_weight:
            return found
        # The level before the last is the one that the detector reads.
        names_N = torch.tensor([phrase != VISUAL_PROMPT for phrase in batch.phrases])
        known_N = (targets.has_pixels_N & names_N.to(device)).nonzero().flatten()
        aligned = self._aligned(
            vision.fpn_hidden_states[-2][image_of_N[known_N]],
            text[known_N],
            targets.semantic_NHW[known_N],
        )
        return Losses(
            total=found.total + self._alignment_weight * aligned,
            parts={**found.parts, "phrases": aligned.item()},
        )

    def _aligned(self, features_NCSS: Tensor, text: TextFeatures, semantic_NHW: Tensor) -> Tensor:
        """The alignment of phrases whose pixels are all known; boxes alone are no phrase."""
        if not len(features_NCSS):
            return features_NCSS.new_zeros(())
        share_NSS = shrink(semantic_NHW, features_NCSS.shape[-1])
        return self.alignment.phrase_loss(features_NCSS, text.pooled()[:, None], share_NSS[:, None])
