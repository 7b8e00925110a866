"""
Protocols: what the engine asks of the world. The adapters live in models, verifiers, db and ui.
"""

from collections.abc import AsyncIterator, Iterable, Iterator
from dataclasses import dataclass
from typing import Protocol, TypeAlias

import numpy as np
import numpy.typing as npt

from engine.records import Failure, Prompt, ProposalSet
from engine.verdicts import Question, Verdict

ImageArray: TypeAlias = npt.NDArray[np.uint8]


@dataclass(frozen=True, slots=True, kw_only=True)
class PromptedImage:
    """One decoded image and all prompts about it."""

    media_id: str
    pixels_HWC: ImageArray  # RGB, shape (H, W, 3)
    prompts: tuple[Prompt, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ShownQuestion:
    """A question with the decoded image that it is about."""

    question: Question
    pixels_HWC: ImageArray | None  # RGB, shape (H, W, 3); None in groundability


class Verifier(Protocol):
    """Judges masks, sets of masks and phrases. See `verifiers.client`."""

    name: str  # the judge of its verdicts: model and digest, such as "llava@3f9c0a12b4d5e6f7"
    settings_hash: str  # of all that changes an answer: prompts, rendering, orders

    def verdict_id(self, question: Question) -> str:
        """Return the id that the verdict on *question* will have: one that is stored is enough."""
        ...

    def judge(self, questions: Iterable[ShownQuestion]) -> AsyncIterator[Verdict | Failure]:
        """
        Yield one verdict or failure for each question, in any order.

        Questions are pulled as they are needed, a bounded number ahead, so that memory stays flat
        over any number of them. A failure names the question's subject.

        Raises:
            ServiceUnavailableError: If no server answers any more.
        """
        ...


class Proposer(Protocol):
    """Finds masks for prompts. See `models.sam3_image`."""

    name: str  # kind and weights digest, such as "sam3@3f9c0a12b4d5e6f7"
    inference_settings: str  # hash of all settings that change the answer

    def propose(self, images: Iterable[PromptedImage]) -> Iterator[list[ProposalSet]]:
        """
        Yield, for each image in order, one proposal set per prompt in order.

        Images are pulled as they are needed, a bounded number ahead, so that memory stays flat
        over any number of them.
        """
        ...


class BlobStore(Protocol):
    """Keeps the bytes of media. See `db.blobs`."""

    def put(self, key: str, content: bytes) -> str:
        """Store *content* once and return its uri. Storing the same key again changes nothing."""
        ...

    def read(self, uri: str) -> bytes:
        """
        Return the bytes at *uri*.

        Raises:
            UnreadableMediaError: If there is nothing at *uri*.
            BlobStoreUnavailableError: If the store cannot be reached.
        """
        ...


class MediaReader(Protocol):
    """Reads media by id, wherever its sources lie."""

    def read(self, media_id: str) -> bytes:
        """
        Return the file's bytes.

        Raises:
            UnreadableMediaError: If no source of the media can be read any more.
            BlobStoreUnavailableError: If the store cannot be reached.
        """
        ...
