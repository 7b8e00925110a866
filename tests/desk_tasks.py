"""Review tasks for tests of a desk."""

from engine.ports import ReviewTask
from engine.queues import Asked, Purpose, Queue, QueueItem
from engine.records import Mask
from tests.reviewing import HEIGHT, WIDTH


def a_task(
    name: str = "a", *masks: Mask, asked: Asked = Asked.MASK, queue: Queue = Queue.MASK_VERIFICATION
) -> ReviewTask:
    """A task about *masks*, which differs from others by its name."""
    mask_ids = tuple(f"proposals_{name}/{index}" for index in range(len(masks)))
    item = QueueItem(
        queue=queue,
        asked=asked,
        purpose=Purpose.RANDOM if queue is Queue.AUDIT else Purpose.WORK,
        pair_id=f"pair_{name}",
        subject_id=f"subject_{name}",
        mask_ids=mask_ids,
    )
    return ReviewTask(
        item=item,
        phrase="red <b>circle</b>",
        definition="",
        media_url="http://127.0.0.1:1/media_1",
        width=WIDTH,
        height=HEIGHT,
        masks=masks,
        reference_urls=("http://127.0.0.1:1/media_2",),
    )


def a_correction(name: str = "a", *masks: Mask) -> ReviewTask:
    """A task to correct *masks*."""
    return a_task(name, *masks, asked=Asked.CORRECTION, queue=Queue.CORRECTION)
