"""
Many questions about one picture in one sequence.

The picture's tokens come once; a mask lets each question see the picture and itself and nothing of
the others, and positions begin anew with each question. What a question gets is what it would get
alone (a test holds the two together), at a fraction of the price.

Letters: B sequences, L tokens of a sequence, Q questions of all sequences.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from transformers import PreTrainedTokenizerFast

from verifiers.tiny.architecture import ASSISTANT, IMAGE, NUM_PATCHES, USER

_HEAD = 2  # tokens before the picture: the beginning and the user's mark


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """A question in words, and its answer where it is known."""

    text: str
    answer: str = ""
    sees_picture: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Packed:
    """Sequences of questions as tensors."""

    ids_BL: Tensor
    positions_BL: Tensor
    mask_B1LL: Tensor  # 0 where a token may look, a large negative number elsewhere
    sequence_Q: Tensor  # which sequence a question is in
    asked_Q: Tensor  # the token that gives the answer
    phrase_Q: Tensor  # the last token of the question's first line
    answers_Q: Tensor  # the token of the right answer


class Packer:
    """Turns questions into sequences."""

    def __init__(self, tokenizer: PreTrainedTokenizerFast) -> None:
        self._tokenizer = tokenizer
        self._ids: dict[str, list[int]] = {}
        self._head = [*self._of("<s>"), *self._of(USER)]
        self._image = self._of(IMAGE) * NUM_PATCHES
        self._assistant = self._of(ASSISTANT)

    def pack(self, sequences: Sequence[Sequence[Question]]) -> Packed:
        """Return *sequences*, each about one picture."""
        rows = [_Row() for _ in sequences]
        for row, questions in zip(rows, sequences, strict=True):
            row.add(self._head, segment=0, start=0)
            row.add(self._image, segment=1, start=_HEAD)
            for number, question in enumerate(questions, start=2):
                self._add(row, question, segment=number)
        longest = max(len(row.ids) for row in rows)
        segments_BL = _filled([row.segments for row in rows], longest, -1)
        return Packed(
            ids_BL=_filled([row.ids for row in rows], longest, 0),
            positions_BL=_filled([row.positions for row in rows], longest, 0),
            mask_B1LL=_mask(segments_BL, [row.blind for row in rows]),
            sequence_Q=torch.tensor([b for b, row in enumerate(rows) for _ in row.asked]),
            asked_Q=torch.tensor([place for row in rows for place in row.asked]),
            phrase_Q=torch.tensor([place for row in rows for place in row.phrases]),
            answers_Q=torch.tensor([answer for row in rows for answer in row.answers]),
        )

    def _add(self, row: "_Row", question: Question, *, segment: int) -> None:
        first, *options = question.text.split("\n")
        ids = [*self._of(first), *(token for line in options for token in self._of(line))]
        row.phrases.append(len(row.ids) + len(self._of(first)) - 1)
        start = _HEAD + (NUM_PATCHES if question.sees_picture else 0)
        row.add([*ids, *self._assistant], segment=segment, start=start)
        row.asked.append(len(row.ids) - 1)
        row.answers.append(self._of(question.answer)[0] if question.answer else 0)
        if not question.sees_picture:
            row.blind.append(segment)

    def _of(self, text: str) -> list[int]:
        if text not in self._ids:
            encoded = self._tokenizer(text, add_special_tokens=False)["input_ids"]
            self._ids[text] = list(encoded)
        return self._ids[text]


class _Row:
    """One sequence while it is put together."""

    def __init__(self) -> None:
        self.ids: list[int] = []
        self.positions: list[int] = []
        self.segments: list[int] = []
        self.asked: list[int] = []
        self.phrases: list[int] = []
        self.answers: list[int] = []
        self.blind: list[int] = []  # segments that do not see the picture

    def add(self, ids: Sequence[int], *, segment: int, start: int) -> None:
        self.ids += ids
        self.positions += range(start, start + len(ids))
        self.segments += [segment] * len(ids)


def _filled(rows: Sequence[Sequence[int]], length: int, value: int) -> Tensor:
    return torch.tensor([[*row, *[value] * (length - len(row))] for row in rows])


def _mask(segments_BL: Tensor, blind: Sequence[Sequence[int]]) -> Tensor:
    """The head and the picture are seen by all, a question by itself, and nothing sees ahead."""
    length = segments_BL.shape[1]
    sees_BLL = segments_BL[:, :, None] == segments_BL[:, None, :]
    sees_BLL = sees_BLL | (segments_BL == 0)[:, None, :]
    is_blind_BL = torch.stack(
        [
            torch.isin(row_L, torch.tensor(some))
            for row_L, some in zip(segments_BL, blind, strict=True)
        ]
    )
    sees_BLL = sees_BLL | ((segments_BL == 1)[:, None, :] & ~is_blind_BL[:, :, None])
    sees_BLL = sees_BLL & torch.ones(length, length, dtype=torch.bool).tril()
    return torch.where(sees_BLL, 0.0, torch.finfo(torch.float32).min)[:, None]
