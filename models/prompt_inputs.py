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
    """

    def __init__(self, model: Sam3Model, tokenizer: CLIPTokenizer) -> None:
        self._model = model
        self._tokenizer = tokenizer
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
        while len(self._kept) > _KEPT_PHRASES:
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
    boxes_BR4 = torch.full((len(exemplars), most, 4), 0.5)
    labels_BR = torch.full((len(exemplars), most), _NO_BOX)
    for row, (of_prompt, (height, width)) in enumerate(zip(exemplars, sizes, strict=True)):
        for column, exemplar in enumerate(of_prompt):
            left, top, right, bottom = exemplar.box_xyxy
            boxes_BR4[row, column] = torch.tensor(
                [
                    (left + right) / 2 / width,
                    (top + bottom) / 2 / height,
                    (right - left) / width,
                    (bottom - top) / height,
                ]
            )
            labels_BR[row, column] = int(exemplar.is_positive)
    return boxes_BR4, labels_BR
