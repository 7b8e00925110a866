"""
Prompts in, proposal sets out.

The prompts are grouped by media, so that all phrases of an image are asked together; images are
read and decoded on threads ahead of the proposer, and none of them stays in memory.
"""

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial

from engine.errors import PermanentError
from engine.images import decode_rgb
from engine.ports import ImageArray, MediaReader, PromptedImage, Proposer
from engine.prefetch import prefetched
from engine.records import Failure, Prompt, ProposalSet
from engine.stages.output import StageOutput

STAGE = "propose"
_OUTSIDE = "exemplar_outside"


def propose(
    prompts: Sequence[Prompt],
    *,
    proposer: Proposer,
    media: MediaReader,
    coarser: Callable[[str], Sequence[str]] | None = None,
    num_threads: int = 2,
    images_ahead: int = 4,
) -> StageOutput[ProposalSet]:
    """
    Ask the proposer about every prompt of a batch.

    Args:
        prompts: The batch, in any order. It may be empty.

        proposer: Who offers masks.

        media: Where the images are read.

        coarser: The ancestors of a phrase, nearest first. If given, a phrase for which nothing is
            proposed is prompted again as its nearest ancestor for which something is; the set
            stays the fine phrase's own and tells the phrase that was prompted. Give it only for
            phrases that are believed to be there: an absent one has present ancestors too.
            Prompts with exemplars, or with a phrase to prompt of their own, are left alone.

        num_threads: How many images are read and decoded at the same time.

        images_ahead: Decoded images that wait for the proposer, at most.

    Returns:
        A proposal set or a failure for every prompt, both in the order of *prompts*. A set
        without proposals says that nothing was found.

    Raises:
        TransientError: If media cannot be reached now. Nothing of the batch counts then.

    Source:
        SAM 3 paper, section 4 and D.4, for the ancestors.
    """
    ask = partial(
        _ask,
        proposer=proposer,
        media=media,
        num_threads=num_threads,
        images_ahead=images_ahead,
    )
    sets, failures = ask(prompts)
    if coarser is not None:
        sets |= _coarser_sets([*sets], sets, coarser=coarser, ask=ask)
    return StageOutput(
        items=tuple(sets[prompt] for prompt in prompts if prompt in sets),
        failures=tuple(failures[prompt] for prompt in prompts if prompt in failures),
    )


_Answers = tuple[dict[Prompt, ProposalSet], dict[Prompt, Failure]]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Loaded:
    """What became of one media: its pixels and the prompts to ask, and those that failed."""

    image: PromptedImage | None
    failures: dict[Prompt, Failure]


def _ask(
    prompts: Sequence[Prompt],
    *,
    proposer: Proposer,
    media: MediaReader,
    num_threads: int,
    images_ahead: int,
) -> _Answers:
    sets: dict[Prompt, ProposalSet] = {}
    failures: dict[Prompt, Failure] = {}
    asked: deque[tuple[Prompt, ...]] = deque()
    loaded = prefetched(
        partial(_load, media=media),
        _by_media(prompts).items(),
        num_threads=num_threads,
        num_ahead=images_ahead,
    )

    def images() -> Iterator[PromptedImage]:
        for one in loaded:
            failures.update(one.failures)
            if one.image is not None:
                asked.append(one.image.prompts)
                yield one.image

    for of_image in proposer.propose(images()):
        sets.update(zip(asked.popleft(), of_image, strict=True))
    assert not asked, "the proposer lost images"
    return sets, failures


def _by_media(prompts: Sequence[Prompt]) -> dict[str, tuple[Prompt, ...]]:
    """Return the different prompts of each media, both in order of first appearance."""
    grouped: dict[str, dict[Prompt, None]] = {}
    for prompt in prompts:
        grouped.setdefault(prompt.pair.media_id, {})[prompt] = None
    return {media_id: tuple(different) for media_id, different in grouped.items()}


def _load(group: tuple[str, tuple[Prompt, ...]], *, media: MediaReader) -> _Loaded:
    media_id, prompts = group
    try:
        pixels_HWC = decode_rgb(media.read(media_id), name=media_id)
    except PermanentError as exc:
        failed = {prompt: _failure(prompt, exc.reason, str(exc)) for prompt in prompts}
        return _Loaded(image=None, failures=failed)
    failures = {
        prompt: _failure(prompt, _OUTSIDE, _outside_message(prompt, pixels_HWC))
        for prompt in prompts
        if _reaches_outside(prompt, pixels_HWC)
    }
    fitting = tuple(prompt for prompt in prompts if prompt not in failures)
    image = PromptedImage(media_id=media_id, pixels_HWC=pixels_HWC, prompts=fitting)
    return _Loaded(image=image if fitting else None, failures=failures)


def _reaches_outside(prompt: Prompt, pixels_HWC: ImageArray) -> bool:
    height, width = pixels_HWC.shape[:2]
    return any(
        exemplar.box_xyxy[2] > width or exemplar.box_xyxy[3] > height
        for exemplar in prompt.exemplars
    )


def _outside_message(prompt: Prompt, pixels_HWC: ImageArray) -> str:
    height, width = pixels_HWC.shape[:2]
    boxes = [exemplar.box_xyxy for exemplar in prompt.exemplars]
    msg = f"exemplars {boxes} of {prompt.pair.phrase!r} reach outside the image"
    return f"{msg} of {width} x {height} pixels: give xyxy boxes inside it"


def _failure(prompt: Prompt, reason: str, detail: str) -> Failure:
    return Failure(stage=STAGE, subject_id=prompt.pair.id, reason=reason, detail=detail)


def _coarser_sets(
    prompts: Sequence[Prompt],
    sets: dict[Prompt, ProposalSet],
    *,
    coarser: Callable[[str], Sequence[str]],
    ask: Callable[[Sequence[Prompt]], _Answers],
) -> dict[Prompt, ProposalSet]:
    """Return the sets that a coarser phrase filled, one step up the ontology at a time."""
    ancestors = {
        prompt: deque(coarser(prompt.pair.phrase))
        for prompt in prompts
        if not (sets[prompt].proposals or prompt.exemplars or prompt.prompted_phrase)
    }
    filled: dict[Prompt, ProposalSet] = {}
    while ancestors := {prompt: left for prompt, left in ancestors.items() if left}:
        attempts = {
            replace(prompt, prompted_phrase=left.popleft()): prompt
            for prompt, left in ancestors.items()
        }
        answers, _ = ask([*attempts])
        found = {attempts[attempt]: one for attempt, one in answers.items() if one.proposals}
        filled |= found
        for prompt in found:
            del ancestors[prompt]
    return filled
