"""
Prompts as Sam3's inputs: phrases as text features, exemplars as boxes.

Letters: B prompts, T tokens, C channels, R boxes of a prompt.

Source: transformers' Sam3Processor: 32 tokens a phrase, boxes as centre and size in shares of the
image, labels 1 (positive), 0 (negative) and -10 (none: fills up).
"""

from collections import OrderedDict
from collections.abc import Sequence

import torch
from torch import Tensor
from transformers import CLIPTokenizer, Sam3Model

from engine.records import Exemplar

_MAX_TOKENS = 32  # SAM 3 paper, C.2; what comes after is not read
_KEPT_PHRASES = 1024  # 32 kB each at facebook/sam3's width
_NO_BOX = -10


class PhraseFeatures:
    """
    Text features, computed once for each phrase; the most recent ones are kept.

    Args:
        model: Whose text encoder is used.

        tokenizer: The one that the model was trained with.

        limit: How many phrases are kept between calls.
    """

    def __init__(
        self, model: Sam3Model, tokenizer: CLIPTokenizer, *, limit: int = _KEPT_PHRASES
    ) -> None:
        self._model = model
        self._tokenizer = tokenizer
        self._limit = limit
        self._kept: OrderedDict[str, tuple[Tensor, Tensor]] = OrderedDict()

    def of(self, phrases: Sequence[str]) -> tuple[Tensor, Tensor]:
        """Return features, shape (B, T, C), and which tokens count, shape (B, T)."""
        new = [phrase for phrase in dict.fromkeys(phrases) if phrase not in self._kept]
        if new:
            features_BTC, is_token_BT = self._encode(new)
            rows = zip(features_BTC.unbind(), is_token_BT.unbind(), strict=True)
            self._kept.update(zip(new, rows, strict=True))
        found = [self._kept[phrase] for phrase in phrases]
        self._forget_all_but(phrases)
        features, is_token = zip(*found, strict=True)
        return torch.stack(features), torch.stack(is_token)

    def _encode(self, phrases: list[str]) -> tuple[Tensor, Tensor]:
        tokens = self._tokenizer(
            phrases,
            padding="max_length",
            truncation=True,
            max_length=_MAX_TOKENS,
            return_tensors="pt",
        ).to(self._model.device)
        encoded = self._model.get_text_features(
            input_ids=tokens.input_ids, attention_mask=tokens.attention_mask
        )
        return encoded.pooler_output, tokens.attention_mask

    def _forget_all_but(self, latest: Sequence[str]) -> None:
        """Move the *latest* phrases to the end and drop the oldest beyond the limit."""
        for phrase in latest:
            self._kept.move_to_end(phrase)
        while len(self._kept) > self._limit:
            self._kept.popitem(last=False)


def box_inputs(
    exemplars: Sequence[tuple[Exemplar, ...]], sizes: Sequence[tuple[int, int]]
) -> tuple[Tensor, Tensor]:
    """
    Return the exemplars of B prompts as boxes and labels.

    Args:
        exemplars: The exemplars of each prompt, at least one in all.

        sizes: (height, width) in pixels of the image of each prompt.

    Returns:
        Centre x, centre y, width and height as shares of the image, shape (B, R, 4), and labels,
        shape (B, R), with R the largest number of exemplars.
    """
    most = max(len(of_prompt) for of_prompt in exemplars)
    corners_BR4 = torch.zeros((len(exemplars), most, 4))
    labels_BR = torch.full((len(exemplars), most), _NO_BOX)
    for row, of_prompt in enumerate(exemplars):
        for column, exemplar in enumerate(of_prompt):
            corners_BR4[row, column] = torch.tensor(exemplar.box_xyxy)
            labels_BR[row, column] = int(exemplar.is_positive)
    # In float32 and in this order, as transformers does: the model pools a box at a number of
    # points that is rounded up, so that the last bit can change the answer.
    corners_BR4 /= torch.tensor([(width, height, width, height) for height, width in sizes])[
        :, None
    ]
    start_BR2, end_BR2 = corners_BR4[..., :2], corners_BR4[..., 2:]
    boxes_BR4 = torch.cat([(start_BR2 + end_BR2) / 2, end_BR2 - start_BR2], dim=-1)
    return boxes_BR4, labels_BR
