"""
One training pass: each image is encoded once, however many phrases ask about it.

`Sam3Model` returns the last decoder layer only; the losses want every layer. `LayerRecorder` reads
the others from two of its submodules, so the model stays the stock class.

A second pass through the decoder without attention between queries gives the outputs for
one-to-many matching: there, several queries may find the same thing (the `o2m` half of SAM 3's
decoder).

Letters: B images, N pairs, K exemplar boxes of a pair, T tokens, L decoder layers, Q queries, H and
W height and width.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from transformers import PreTrainedTokenizerBase, Sam3Model
from transformers.modeling_outputs import BaseModelOutputWithPooling
from transformers.models.sam3.modeling_sam3 import (
    Sam3DETRDecoderOutput,
    Sam3VisionEncoderOutput,
)

from models.image_features import of_images

_MAX_TOKENS = 32  # as inference cuts phrases, see `models.prompt_inputs`
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

    def to(self, device: torch.device) -> "Exemplars":
        """Return the same boxes on *device*."""
        return Exemplars(boxes_NK4=self.boxes_NK4.to(device), labels_NK=self.labels_NK.to(device))


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
    """Keeps what each decoder layer of *model* was given and gave in its latest pass."""

    def __init__(self, model: Sam3Model) -> None:
        self._decoder, self._scoring = model.detr_decoder, model.dot_product_scoring
        self._box_head: nn.Module = self._decoder.box_head
        self._decoder.register_forward_hook(self._keep_decoder, with_kwargs=True)
        self._scoring.register_forward_hook(self._keep_scores, with_kwargs=True)

    def _keep_decoder(
        self,
        _module: nn.Module,
        _inputs: object,
        given: Mapping[str, Any],
        decoded: Sam3DETRDecoderOutput,
    ) -> None:
        self._decoder_given, self._decoded = given, decoded

    def _keep_scores(
        self, _module: nn.Module, _inputs: object, given: Mapping[str, Any], scores: Tensor
    ) -> None:
        self._scoring_given, self._logits_LNQ = given, scores.squeeze(-1)

    def without_one_another(self, outputs: Outputs) -> Outputs:
        """Return *outputs* of the latest pass with logits and boxes of queries on their own."""
        with _without_self_attention(self._decoder):
            decoded = self._decoder(**self._decoder_given)
        given = {**self._scoring_given, "decoder_hidden_states": decoded.intermediate_hidden_states}
        self._scoring(**given)
        return self.outputs(outputs.masks_NQHW, outputs.semantic_NHW[:, None])

    def outputs(self, masks_NQHW: Tensor, semantic_N1HW: Tensor) -> Outputs:
        """Return all layers; boxes refine the reference boxes as the model itself does."""
        reference_LNQ4 = torch.logit(self._decoded.reference_boxes, eps=_BORDER)
        refined_LNQ4 = reference_LNQ4 + self._box_head(self._decoded.intermediate_hidden_states)
        # In full precision, whatever the model computes in: losses add up small numbers.
        return Outputs(
            logits_LNQ=self._logits_LNQ.float(),
            boxes_LNQ4=refined_LNQ4.float().sigmoid(),
            presence_LN=self._decoded.presence_logits.squeeze(-1).float(),
            masks_NQHW=masks_NQHW.float(),
            semantic_NHW=semantic_N1HW[:, 0].float(),
        )


@contextmanager
def _without_self_attention(decoder: nn.Module) -> Iterator[None]:
    layers: Any = decoder.layers
    handles = [layer.self_attn.register_forward_hook(_nothing) for layer in layers]
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()


def _nothing(
    _module: nn.Module, _inputs: object, found: tuple[Tensor, Tensor | None]
) -> tuple[Tensor, Tensor | None]:
    return torch.zeros_like(found[0]), found[1]


def encode_phrases(
    model: Sam3Model, tokenizer: PreTrainedTokenizerBase, phrases: list[str]
) -> TextFeatures:
    """Return the features of each phrase; equal phrases are encoded once."""
    distinct = list(dict.fromkeys(phrases))
    tokens = tokenizer(
        distinct, return_tensors="pt", padding=True, truncation=True, max_length=_MAX_TOKENS
    ).to(model.device)
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
