"""Prompts for LLaVA, which remember how the last pictures were scaled."""

from collections.abc import Mapping
from functools import lru_cache

import torch
from transformers import ProcessorMixin

from verifiers.tiny.server.pictures import Picture
from verifiers.tiny.server.prompts import PromptReader
from verifiers.tiny.server.protocol import RefusedRequestError

_KEPT_PICTURES = 64  # further questions about a picture come soon after the first


class LlavaPromptReader(PromptReader):
    """
    Does what the processor does in two halves, as LLaVA's pictures do not depend on the text.

    Decoding and scaling takes longer than the model does for a further question about a picture.
    """

    def __init__(self, processor: ProcessorMixin, *, max_tokens: int) -> None:
        super().__init__(processor, max_tokens=max_tokens)
        self._pixels = lru_cache(maxsize=_KEPT_PICTURES)(self._scaled)

    def _encode(self, text: str, pictures: tuple[Picture, ...]) -> Mapping[str, torch.Tensor]:
        start, *rest = text.split(self._processor.image_token)
        if len(rest) != len(pictures):
            msg = f"{len(rest)} places for {len(pictures)} images"
            raise RefusedRequestError(f"the model's chat template leaves {msg}")
        pixels = [self._pixels(picture) for picture in pictures]
        for each, following in zip(pixels, rest, strict=True):
            start += self._processor.replace_image_token({"pixel_values": each}, 0) + following
        found = self.tokenizer([start], add_special_tokens=False, return_tensors="pt")
        return {**found, "pixel_values": torch.cat(pixels)} if pixels else found

    def _scaled(self, picture: Picture) -> torch.Tensor:
        """Return the pixels as the tower takes them, shape (1, 3, H, W)."""
        found = self._processor.image_processor([picture.decode()], return_tensors="pt")
        pixels: torch.Tensor = found["pixel_values"]
        return pixels
