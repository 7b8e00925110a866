"""
A request becomes a prompt: the model's own chat template, its tokens, its scaled pictures.

Sequences are tensors with one value per token; everything else that a processor returns (pixels,
grids of patches) is about the pictures.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from transformers import ProcessorMixin

from verifiers.tiny.server.pictures import Picture, picture
from verifiers.tiny.server.protocol import ChatRequest, ImagePart, RefusedRequestError


@dataclass(frozen=True, slots=True, kw_only=True)
class Prompt:
    """What the model is given for one request, and what it may answer."""

    sequences: Mapping[str, torch.Tensor]  # each of shape (L,); "input_ids" is one of them
    visuals: Mapping[str, torch.Tensor]  # pixel values and what belongs to them
    pictures: tuple[Picture, ...]
    allowed: tuple[int, ...]  # token ids; () is any
    num_best: int  # how many of the most probable tokens are wanted

    @property
    def input_ids(self) -> torch.Tensor:
        return self.sequences["input_ids"]


class PromptReader:
    """Reads requests for one model. To be used by one thread at a time."""

    def __init__(self, processor: ProcessorMixin, *, max_tokens: int) -> None:
        self._processor: Any = processor
        self.tokenizer: Any = self._processor.tokenizer
        self._max_tokens = max_tokens
        added = self.tokenizer.added_tokens_decoder.values()
        special = {token.content for token in added if token.special}
        self._special = sorted(special.union(self.tokenizer.all_special_tokens))

    def read(self, request: ChatRequest) -> Prompt:
        """
        Return the prompt.

        Raises:
            RefusedRequestError: If an image is none, the prompt is too long, or a choice is more
                than one token.
        """
        pictures = tuple(picture(url) for url in request.image_urls)
        found = self._encode(self._text(request), pictures)
        length = found["input_ids"].shape[1]
        if length >= self._max_tokens:
            msg = f"the prompt has {length} tokens, the model's maximum is {self._max_tokens}"
            raise RefusedRequestError(f"{msg} with the answer")
        per_token = {name for name, value in found.items() if value.shape == (1, length)}
        return Prompt(
            sequences={name: found[name][0] for name in per_token},
            visuals={name: found[name] for name in found.keys() - per_token},
            pictures=pictures,
            allowed=self._allowed(request.choices or []),
            num_best=request.top_logprobs or 0,
        )

    def _encode(self, text: str, pictures: tuple[Picture, ...]) -> Mapping[str, torch.Tensor]:
        images = [each.decode() for each in pictures]
        try:
            found: Mapping[str, torch.Tensor] = self._processor(
                text=[text],
                images=[images] if images else None,
                add_special_tokens=False,  # the template has written them
                return_tensors="pt",
            )
        except ValueError as exc:  # such as more images than places for them
            raise RefusedRequestError(f"the prompt does not fit its images: {exc}") from exc
        return found

    def _text(self, request: ChatRequest) -> str:
        """Fill in the chat template, with the parts named as transformers names them."""
        messages = []
        for message in request.messages:
            parts: list[dict[str, str]] = []
            for part in message.parts:
                if isinstance(part, ImagePart):
                    parts.append({"type": "image"})
                else:
                    parts.append({"type": "text", "text": self._checked(part.text)})
            messages.append({"role": message.role, "content": parts})
        try:
            text = self._processor.apply_chat_template(
                messages, add_generation_prompt=True, tokenize=False
            )
        except Exception as exc:  # a template refuses by errors of its own
            raise RefusedRequestError(f"the model's chat template refuses this: {exc}") from exc
        return str(text)

    def _checked(self, text: str) -> str:
        """A phrase must not end the question and answer it itself."""
        found = next((token for token in self._special if token in text), None)
        if found is not None:
            raise RefusedRequestError(f"a text holds {found!r}, which only the server may write")
        return text

    def _allowed(self, choices: list[str]) -> tuple[int, ...]:
        """Return the one token of each choice."""
        tokens = [self.tokenizer.encode(choice, add_special_tokens=False) for choice in choices]
        for choice, ids in zip(choices, tokens, strict=True):
            if len(ids) != 1:
                msg = f"choice {choice!r} is {len(ids)} tokens of this model"
                raise RefusedRequestError(f"{msg}; choices of one token are supported")
        return tuple(ids[0] for ids in tokens)
