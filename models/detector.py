"""
What a Sam3 finds in a few images: the part of the proposer that runs on the model's device.

Letters: B prompts of one batch, C channels, S side of the model's square image, Q queries, K
queries that are kept, h and w height and width of the model's masks.

Sources: SAM 3 paper, C.2; transformers' `post_process_instance_segmentation`.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from transformers import CLIPTokenizer, Sam3Model
from transformers.modeling_outputs import BaseModelOutputWithPooling
from transformers.models.sam3.modeling_sam3 import (
    Sam3ImageSegmentationOutput,
    Sam3VisionEncoderOutput,
)

from engine.errors import ConfigError
from engine.records import Prompt
from models.image_features import of_images
from models.preprocessing import normalise
from models.prompt_inputs import PhraseFeatures, box_inputs
from models.run_lengths import Probabilities
from models.selection import Indices, Scores, best_queries
from models.settings import ProposerSettings


@dataclass(frozen=True, slots=True, kw_only=True)
class ResizedImage:
    """One image, resized, and what is asked about it."""

    pixels_CSS: Tensor  # 8 bits
    height: int  # pixels of the image itself
    width: int
    prompts: tuple[Prompt, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Detections:
    """What the model found for one prompt, best first."""

    presence: float
    scores_K: Scores
    probabilities_Khw: Probabilities


@dataclass(frozen=True, slots=True, kw_only=True)
class _Row:
    """One prompt, and the number of its image."""

    image: int
    size: tuple[int, int]  # height and width in pixels
    prompt: Prompt


class Detector:
    """
    One Sam3 on its device.

    Args:
        model: On the device where it shall run, in evaluation mode.

        tokenizer: The one that the model was trained with.

        settings: Thresholds and batch size.
    """

    def __init__(
        self, model: Sam3Model, tokenizer: CLIPTokenizer, settings: ProposerSettings
    ) -> None:
        self.precision = _precision(settings.precision, model.device)
        self.side = int(model.config.image_size)  # pixels
        self._model = model
        self._settings = settings
        self._phrases = PhraseFeatures(model, tokenizer)

    @torch.inference_mode()
    def detect(self, images: Sequence[ResizedImage]) -> list[list[Detections]]:
        """
        Return, for each image, what was found for each of its prompts.

        Raises:
            ConfigError: If the device has too little memory for a batch.
        """
        asked = [image for image in images if image.prompts]
        if not asked:
            return [[] for _ in images]
        rows = [
            _Row(image=number, size=(image.height, image.width), prompt=prompt)
            for number, image in enumerate(asked)
            for prompt in image.prompts
        ]
        is_half = self.precision == "bfloat16"
        try:
            with torch.autocast(self._model.device.type, torch.bfloat16, enabled=is_half):
                found = self._detect(asked, rows)
        except torch.OutOfMemoryError as exc:
            msg = f"{self._model.device} has too little memory for {len(rows)} prompts"
            raise ConfigError(f"{msg}: lower prompts_per_batch") from exc
        in_order = iter(found)
        return [[next(in_order) for _ in image.prompts] for image in images]

    def _detect(self, images: Sequence[ResizedImage], rows: Sequence[_Row]) -> list[Detections]:
        pixels_BCSS = torch.stack([image.pixels_CSS for image in images])
        vision: Sam3VisionEncoderOutput = self._model.get_vision_features(
            normalise(pixels_BCSS.to(self._model.device))
        )
        found: dict[int, Detections] = {}
        for batch in _batches(rows, self._settings.prompts_per_batch):
            found.update(zip(batch, self._decode([rows[i] for i in batch], vision), strict=True))
        return [found[i] for i in range(len(rows))]

    def _decode(
        self, rows: Sequence[_Row], vision: Sam3VisionEncoderOutput
    ) -> Iterator[Detections]:
        features_BTC, is_token_BT = self._phrases.of([row.prompt.text for row in rows])
        boxes: dict[str, Tensor] = {}
        if rows[0].prompt.exemplars:
            exemplars = [row.prompt.exemplars for row in rows]
            boxes_BR4, labels_BR = box_inputs(exemplars, [row.size for row in rows])
            boxes["input_boxes"] = boxes_BR4.to(self._model.device)
            boxes["input_boxes_labels"] = labels_BR.to(self._model.device)
        outputs = self._model(
            vision_embeds=of_images(vision, [row.image for row in rows]),
            text_embeds=BaseModelOutputWithPooling(pooler_output=features_BTC),
            attention_mask=is_token_BT,
            **boxes,
        )
        return self._survivors(outputs)

    def _survivors(self, outputs: Sam3ImageSegmentationOutput) -> Iterator[Detections]:
        """Cut to the queries that count before anything of an image's size is computed."""
        assert outputs.presence_logits is not None
        assert outputs.pred_logits is not None
        presence_B: list[float] = outputs.presence_logits.float().sigmoid()[:, 0].tolist()
        scores_BQ: Scores = outputs.pred_logits.float().sigmoid().cpu().numpy()
        kept = [
            best_queries(
                scores_Q,
                presence=presence,
                threshold=self._settings.score_threshold,
                presence_floor=self._settings.presence_floor,
                limit=self._settings.max_proposals,
            )
            for scores_Q, presence in zip(scores_BQ, presence_B, strict=True)
        ]
        masks_Khw = _probabilities(outputs.pred_masks, kept)
        last = np.cumsum([len(kept_K) for kept_K in kept])[:-1]
        for presence, scores_Q, kept_K, mine_Khw in zip(
            presence_B, scores_BQ, kept, np.split(masks_Khw, last), strict=True
        ):
            yield Detections(
                presence=presence, scores_K=scores_Q[kept_K], probabilities_Khw=mine_Khw
            )


def _precision(wanted: str, device: torch.device) -> str:
    if wanted != "auto":
        return wanted
    has_bfloat16 = device.type == "cuda" and torch.cuda.is_bf16_supported()
    return "bfloat16" if has_bfloat16 else "float32"


def _batches(rows: Sequence[_Row], limit: int) -> Iterator[list[int]]:
    """
    Yield the numbers of the rows in batches of nearly equal size.

    Rows with exemplars are never mixed with rows without: the model adds a token of its own
    wherever boxes are given, which would change the answers of the others.
    """
    for has_boxes in (False, True):
        alike = [i for i, row in enumerate(rows) if bool(row.prompt.exemplars) is has_boxes]
        num_batches = -(-len(alike) // limit)
        for i in range(num_batches):
            start, stop = len(alike) * i // num_batches, len(alike) * (i + 1) // num_batches
            yield alike[start:stop]


def _probabilities(logits_BQhw: Tensor, kept: Sequence[Indices]) -> Probabilities:
    """Return the masks of the kept queries of all rows, one after the other."""
    row_K = np.repeat(np.arange(len(kept)), [len(kept_K) for kept_K in kept])
    query_K = np.concatenate(kept)
    masks_Khw = logits_BQhw[torch.from_numpy(row_K), torch.from_numpy(query_K)].float().sigmoid()
    if masks_Khw.is_cuda:
        # Copying to ordinary memory is several times slower, and the GPU waits for it.
        masks_Khw = torch.empty_like(masks_Khw, device="cpu", pin_memory=True).copy_(masks_Khw)
    probabilities_Khw: Probabilities = masks_Khw.numpy()
    return probabilities_Khw
