"""
Questions in, answers out: what was answered before is not asked again, and images are read and
decoded on threads ahead of the verifier.

A question that cannot be asked (its image is gone, its mask is empty) is answered by a `Failure`,
as is one that the verifier could not answer: silence is never read as a rejection.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

from engine.errors import PermanentError
from engine.images import decode_rgb
from engine.ports import ImageArray, MediaReader, ShownQuestion, Verifier
from engine.prefetch import prefetched
from engine.records import Failure
from engine.verdicts import Question, Verdict, VerdictTask, verifier_key

_EMPTY_MASK = "empty_mask"
_MISFIT = "mask_does_not_fit"
STAGE = "ask"  # of failures on their way: who asked makes them failures of its own stage

Answer = Verdict | Failure


@dataclass(frozen=True, slots=True, kw_only=True)
class Inquiry:
    """Who is asked, with which pixels, and what was answered before."""

    verifier: Verifier
    media: MediaReader
    stored: Callable[[Iterable[str]], Mapping[str, Verdict]]  # verdicts by those ids that are known
    num_threads: int = 2  # that read and decode images
    images_ahead: int = 4  # decoded images that wait for the verifier, at most

    @property
    def key(self) -> str:
        """Whose answers these are, see `engine.verdicts.verifier_key`."""
        verifier = self.verifier
        return verifier_key(judge=verifier.name, settings_hash=verifier.settings_hash)


async def ask(questions: Iterable[Question], inquiry: Inquiry) -> dict[str, Answer]:
    """
    Return the answer to each of *questions* by its subject id; equal questions are asked once.

    Raises:
        TransientError: If media or the verifier cannot be reached now.
    """
    asked = {question.subject_id: question for question in questions}
    ids = {subject: inquiry.verifier.verdict_id(each) for subject, each in asked.items()}
    stored = inquiry.stored(ids.values())
    answers: dict[str, Answer] = {
        subject: stored[verdict_id] for subject, verdict_id in ids.items() if verdict_id in stored
    }
    left = [each for subject, each in asked.items() if subject not in answers]

    def shown() -> Iterator[ShownQuestion]:
        for each in _shown(left, inquiry):
            if isinstance(each, Failure):
                answers[each.subject_id] = each
            else:
                yield each

    async for answer in inquiry.verifier.judge(shown()):
        answers[answer.subject_id] = answer
    assert answers.keys() == asked.keys(), "the verifier lost or mixed up questions"
    return answers


def _shown(questions: Sequence[Question], inquiry: Inquiry) -> Iterator[ShownQuestion | Failure]:
    """Yield the questions with their pixels, those about one image together, or why not."""
    of_media: defaultdict[str, list[Question]] = defaultdict(list)
    for question in questions:
        if question.task is VerdictTask.GROUNDABILITY:
            yield ShownQuestion(question=question, pixels_HWC=None)
        else:
            of_media[question.media_id].append(question)
    loaded = prefetched(
        partial(_load, media=inquiry.media),
        of_media.items(),
        num_threads=inquiry.num_threads,
        num_ahead=inquiry.images_ahead,
    )
    for of_one in loaded:
        yield from of_one


def _load(
    group: tuple[str, Sequence[Question]], *, media: MediaReader
) -> list[ShownQuestion | Failure]:
    media_id, questions = group
    try:
        pixels_HWC = decode_rgb(media.read(media_id), name=media_id)
    except PermanentError as exc:
        return [_failure(question, exc.reason, str(exc)) for question in questions]
    return [_show(question, pixels_HWC) for question in questions]


def _show(question: Question, pixels_HWC: ImageArray) -> ShownQuestion | Failure:
    height, width = pixels_HWC.shape[:2]
    for mask in question.masks:
        if (mask.height, mask.width) != (height, width):
            msg = f"mask of {mask.width} x {mask.height}, image of {width} x {height} pixels"
            return _failure(question, _MISFIT, msg)
        if mask.area_pixels == 0:
            return _failure(question, _EMPTY_MASK, "a mask without any pixel shows nothing")
    return ShownQuestion(question=question, pixels_HWC=pixels_HWC)


def _failure(question: Question, reason: str, detail: str) -> Failure:
    return Failure(stage=STAGE, subject_id=question.subject_id, reason=reason, detail=detail)
