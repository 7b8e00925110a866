"""
Protocols: what the engine asks of the world. The adapters live in models, verifiers, db and ui.
"""

from collections.abc import AsyncIterator, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol, TypeAlias

import numpy as np
import numpy.typing as npt

from engine.queues import Queue, QueueItem
from engine.records import Failure, Mask, Prompt, ProposalSet
from engine.reviews import NoAnswer, Rejection
from engine.verdicts import Option, Question, Verdict

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
    tokens_spent: int  # read and written by its servers for this object so far, in vain too

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


@dataclass(frozen=True, slots=True, kw_only=True)
class ReviewTask:
    """What a person sees of one item of a queue."""

    item: QueueItem
    phrase: str
    definition: str  # of the concept; "" where none is known
    media_url: str  # of an image that a browser shows, as large as the media
    width: int  # pixels
    height: int  # pixels
    masks: tuple[Mask, ...]  # as many as the item's mask_ids, in their order
    are_groups: tuple[bool, ...] = ()  # whether each mask covers several instances; (): none does
    reference_urls: tuple[str, ...] = ()  # pictures of finished instances of the concept

    def __post_init__(self) -> None:
        if self.are_groups and len(self.are_groups) != len(self.masks):
            counts = f"{len(self.are_groups)} group flags for {len(self.masks)} masks"
            raise ValueError(f"item {self.item.id} has {counts}")


@dataclass(frozen=True, slots=True, kw_only=True)
class DrawnMask:
    """One region that a person left on a picture."""

    mask: Mask
    origin: str  # the id of the shown mask that the region began as; "" if it was drawn anew
    is_group: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Drawing:
    """All regions that a person left; shown masks that are missing were removed."""

    masks: tuple[DrawnMask, ...] = ()
    rejection: Rejection | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class DeskAnswer:
    """One answer as the desk has it."""

    item_id: str
    task_id: int  # the desk's number of the review task
    annotation_id: int
    person: str  # the name by which the desk knows the person, such as an e-mail address
    answer: Option | Drawing | NoAnswer
    seconds: float  # that the person took
    submitted_at: datetime  # with time zone, by the desk's clock: of the last change


@dataclass(frozen=True, slots=True, kw_only=True)
class DeskTask:
    """One review task as the desk has it."""

    task_id: int
    item_id: str  # "" for one that maskloop never made
    annotation_ids: frozenset[int]


class ReviewDesk(Protocol):
    """Where people answer. See `ui.label_studio.desk`."""

    name: str  # of this desk: its address

    def prepare(self) -> None:
        """
        Make what each queue needs, and bring up to date what is there. Doing it again is safe.

        Raises:
            ServiceUnavailableError: If the desk does not answer.
            ConfigError: If it refuses us, such as by a revoked token.
        """
        ...

    def push(self, queue: Queue, tasks: Sequence[ReviewTask]) -> dict[str, int]:
        """
        Show *tasks*, and return the desk's number of each by item id.

        All are checked before any is sent. What was pushed before and is still there must not be
        pushed again: ask `tasks` first.

        Raises:
            InvalidMaskError: If a mask does not fit its picture; nothing was pushed.
            PermanentError: If the desk takes none of them as they are, such as
                `ui.label_studio.http.DeskRefusedError`; some may have been pushed.
            ServiceUnavailableError: If the desk does not answer; some may have been pushed.
        """
        ...

    def tasks(self, queue: Queue) -> list[DeskTask]:
        """Return everything that is shown, by number."""
        ...

    def answers(self, queue: Queue, *, since: datetime | None) -> Iterator[DeskAnswer | Failure]:
        """
        Yield the answers that were given or changed at or after *since*, oldest change first.

        Args:
            queue: Whose answers.

            since: By the desk's clock. None: all.

        Returns:
            A failure, which names the annotation, for each that cannot be used.
        """
        ...

    def last_change(self, queue: Queue) -> datetime | None:
        """
        Return when a review task or an answer to it was made or changed last, by the desk's clock.

        None: nothing is shown.
        """
        ...

    def remove(
        self, queue: Queue, task_ids: Sequence[int], *, unless_after: datetime | None = None
    ) -> None:
        """
        Take review tasks away with their answers; those that are gone already are passed over.

        Args:
            queue: In which they are shown.

            task_ids: The desk's numbers.

            unless_after: A task that was changed or answered later stays; the desk looks in the
                same moment in which it removes. None: none stays.
        """
        ...


class Clicker(Protocol):
    """Makes one mask from clicks and boxes. See `models.sam3_tracker`."""

    name: str  # kind and weights digest

    def mask(
        self,
        media_id: str,
        pixels_HWC: ImageArray,
        *,
        points_xy: Sequence[tuple[float, float]],
        are_positive: Sequence[bool],
        box_xyxy: tuple[float, float, float, float] | None,
    ) -> Mask:
        """
        Return the mask that the clicks mean, as large as the image.

        Image features are kept by media id, so that the next click on an image answers fast.

        Args:
            media_id: Of the image.

            pixels_HWC: RGB, shape (H, W, 3).

            points_xy: In pixels of the image; positive ones lie on the thing, others beside it.

            are_positive: As many.

            box_xyxy: Around the thing, in pixels; None: no box.

        Raises:
            ValueError: If there is neither a point nor a box.
        """
        ...
