"""Test doubles with a name and a home. The contract suites hold them to what the real ones do."""

from collections.abc import Iterable, Iterator, Mapping
from itertools import pairwise

import numpy as np

from engine.errors import UnreadableMediaError
from engine.masks import encode
from engine.ports import PromptedImage
from engine.records import Prompt, Proposal, ProposalSet


class FakeProposer:
    """
    Proposes vertical bands for the phrases it has been told about, and nothing for others.

    Args:
        bands: Phrase to number of bands, at most the width of the images.
    """

    name = "fake@0"
    inference_settings = "inference_fake"

    def __init__(self, bands: Mapping[str, int]) -> None:
        self._bands = bands
        self.asked: list[str] = []  # the text of every prompt, in order

    def propose(self, images: Iterable[PromptedImage]) -> Iterator[list[ProposalSet]]:
        for image in images:
            height, width = image.pixels_HWC.shape[:2]
            yield [self._answer(prompt, height, width) for prompt in image.prompts]

    def _answer(self, prompt: Prompt, height: int, width: int) -> ProposalSet:
        self.asked.append(prompt.text)
        num_bands = self._bands.get(prompt.text, 0)
        masks_NHW = np.zeros((num_bands, height, width), np.bool_)
        for band, (left, right) in enumerate(pairwise(np.linspace(0, width, num_bands + 1))):
            masks_NHW[band, :, int(left) : int(right)] = True
        proposals = tuple(
            Proposal(mask=mask, query_score=1 / (1 + rank))
            for rank, mask in enumerate(encode(masks_NHW))
        )
        return ProposalSet(
            pair_id=prompt.pair.id,
            proposer=self.name,
            inference_settings=self.inference_settings,
            prompted_phrase=prompt.prompted_phrase,
            exemplars=prompt.exemplars,
            presence=0.9 if proposals else 0.1,
            proposals=proposals,
        )


class MemoryReader:
    """Reads media from a dictionary of bytes."""

    def __init__(self, contents: Mapping[str, bytes]) -> None:
        self.contents = contents

    def read(self, media_id: str) -> bytes:
        if media_id not in self.contents:
            raise UnreadableMediaError(f"media {media_id} has no source that can be read")
        return self.contents[media_id]
