"""
One training pass: each image is encoded once, however many phrases ask about it.

`Sam3Model` returns the last decoder layer only; the losses want every layer. `LayerRecorder` reads
the others from two of its submodules, so the model stays the stock class.

Letters: B images, N pairs, K exemplar boxes of a pair, T tokens, L decoder layers, Q queries, H and
W height and width.
"""

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from transformers import PreTrainedTokenizerBase, Sam3Model
from transformers.modeling_outputs import BaseModelOutputWithPooling
from transformers.models.sam3.modeling_sam3 import (
    Sam3DETRDecoderOutput,
    Sam3VisionEncoderOutput,
)

from models.image_features import of_images

_BORDER = 1e-3  # as transformers' inverse_sigmoid clamps


@dataclass(frozen=True, slots=True, kw_only=True)
class Exemplars:
    """
    Boxes that show what is meant (label 1) or not meant (label 0).

    A pair with fewer boxes than the batch's most is filled up with label -10. Within one batch all
    pairs have exemplars or none has: the model adds a token of its own wherever boxes are given.
    """

    boxes_NK4: Tensor  # centre and size as shares of the image
    labels_NK: Tensor


@dataclass(frozen=True, slots=True, kw_only=True)
class TextFeatures:
    """Phrases after the text encoder."""

    features_NTC: Tensor
    mask_NT: Tensor  # 1 for tokens, 0 for padding

    def pooled(self) -> Tensor:
        """The mean over each phrase's tokens, shape (N, C)."""
        mask_NT1 = self.mask_NT[..., None].to(self.features_NTC.dtype)
        return (self.features_NTC * mask_NT1).sum(1) / mask_NT1.sum(1).clamp(min=1)

    def __getitem__(self, index: Tensor) -> "TextFeatures":
        return TextFeatures(features_NTC=self.features_NTC[index], mask_NT=self.mask_NT[index])


@dataclass(frozen=True, slots=True, kw_only=True)
class Outputs:
    """What the losses judge."""

    logits_LNQ: Tensor  # presence not included
    boxes_LNQ4: Tensor  # centre and size as shares of the image
    presence_LN: Tensor
    masks_NQHW: Tensor  # logits, last layer
    semantic_NHW: Tensor  # logits


class LayerRecorder:
    """Keeps what each decoder layer of *model* gave in its latest pass."""

    def __init__(self, model: Sam3Model) -> None:
        self._box_head: nn.Module = model.detr_decoder.box_head
        model.detr_decoder.register_forward_hook(self._keep_decoder)
        model.dot_product_scoring.register_forward_hook(self._keep_scores)

    def _keep_decoder(
        self, _module: nn.Module, _inputs: object, decoded: Sam3DETRDecoderOutput
    ) -> None:
        self._decoded = decoded

    def _keep_scores(self, _module: nn.Module, _inputs: object, scores: Tensor) -> None:
        self._logits_LNQ = scores.squeeze(-1)

    def outputs(self, masks_NQHW: Tensor, semantic_N1HW: Tensor) -> Outputs:
        """Return all layers; boxes refine the reference boxes as the model itself does."""
        reference_LNQ4 = torch.logit(self._decoded.reference_boxes, eps=_BORDER)
        refined_LNQ4 = reference_LNQ4 + self._box_head(self._decoded.intermediate_hidden_states)
        return Outputs(
            logits_LNQ=self._logits_LNQ,
            boxes_LNQ4=refined_LNQ4.sigmoid(),
            presence_LN=self._decoded.presence_logits.squeeze(-1),
            masks_NQHW=masks_NQHW,
            semantic_NHW=semantic_N1HW[:, 0],
        )


def encode_phrases(
    model: Sam3Model, tokenizer: PreTrainedTokenizerBase, phrases: list[str]
) -> TextFeatures:
    """Return the features of each phrase; equal phrases are encoded once."""
    distinct = list(dict.fromkeys(phrases))
    tokens = tokenizer(distinct, return_tensors="pt", padding=True).to(model.device)
    encoded = model.get_text_features(
        input_ids=tokens.input_ids, attention_mask=tokens.attention_mask
    )
    features = TextFeatures(features_NTC=encoded.pooler_output, mask_NT=tokens.attention_mask)
    place = {phrase: index for index, phrase in enumerate(distinct)}
    return features[torch.tensor([place[phrase] for phrase in phrases], device=model.device)]


def forward_pairs(
    model: Sam3Model,
    recorder: LayerRecorder,
    *,
    vision: Sam3VisionEncoderOutput,
    image_of_N: Tensor,
    text: TextFeatures,
    exemplars: Exemplars | None = None,
) -> Outputs:
    """
    Return the outputs of every layer for pairs of encoded images and phrases.

    Args:
        vision: The B images after `model.vision_encoder`.

        image_of_N: The image of each pair.

        text: The phrase of each pair; "visual" where exemplars speak alone.
    """
    boxes = {}
    if exemplars is not None:
        boxes = {"input_boxes": exemplars.boxes_NK4, "input_boxes_labels": exemplars.labels_NK}
    found = model(
        vision_embeds=of_images(vision, image_of_N.tolist()),
        text_embeds=BaseModelOutputWithPooling(pooler_output=text.features_NTC),
        attention_mask=text.mask_NT,
        **boxes,
    )
    return recorder.outputs(found.pred_masks, found.semantic_seg)
