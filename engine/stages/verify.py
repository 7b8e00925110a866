"""
Pairs with masks in, verdicts out: first on each mask, then on what the accepted ones leave out.

  verify_masks          MV: one question for each mask that was proposed
  verify_exhaustivity   EV: do the accepted masks cover every instance? And the same question with
                        no mask at all, whose answer is the EV presence (SAM 3 paper, A.2 and the
                        caption of its EV table). Where nothing was accepted the two are one

EV's guidance says Accept for a vague phrase too. A zero-box Accept where nothing was accepted is
therefore followed by the question whether the phrase can be pointed at in an image at all; only
with a yes may the pair become a verified negative.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from engine.asking import Answer, Inquiry, ask
from engine.records import Failure, Mask, Pair, ProposalSet
from engine.verdicts import (
    ACCEPTING,
    Option,
    Question,
    Verdict,
    VerdictTask,
    Verification,
    masks_by_id,
)

MASKS = "verify_masks"
EXHAUSTIVITY = "verify_exhaustivity"


@dataclass(frozen=True, slots=True, kw_only=True)
class PairMasks:
    """A pair with masks of one of its proposal sets: all of them, or those that were accepted."""

    pair: Pair
    set_id: str
    masks: tuple[Mask, ...]
    mask_ids: tuple[str, ...]  # as many; see `engine.verdicts.proposal_mask_id`


@dataclass(frozen=True, slots=True, kw_only=True)
class VerifyOutput:
    """
    What came of one batch. Each pair has a verification or at least one failure.

    A failed pair keeps the verdicts that it got, so that a retry asks only for the others.
    """

    verdicts: tuple[Verdict, ...]
    verifications: tuple[Verification, ...]
    failures: tuple[Failure, ...]  # of pairs, one for each reason


def proposed_masks(pair: Pair, proposals: ProposalSet) -> PairMasks:
    """Return *pair* with all masks of *proposals*."""
    masks = masks_by_id(proposals)
    return PairMasks(
        pair=pair, set_id=proposals.id, masks=tuple(masks.values()), mask_ids=tuple(masks)
    )


def accepted_masks(proposed: PairMasks, verdicts: Mapping[str, Verdict]) -> PairMasks:
    """
    Return the masks whose verdict's option accepts.

    Args:
        proposed: All masks of a set.

        verdicts: MV on each of them by mask id, all of one judge.
    """
    kept = [
        (mask, mask_id)
        for mask, mask_id in zip(proposed.masks, proposed.mask_ids, strict=True)
        if verdicts[mask_id].option in ACCEPTING
    ]
    return replace(
        proposed,
        masks=tuple(mask for mask, _ in kept),
        mask_ids=tuple(mask_id for _, mask_id in kept),
    )


async def verify_masks(batch: Sequence[PairMasks], *, inquiry: Inquiry) -> VerifyOutput:
    """
    Judge every mask of a batch.

    Args:
        batch: Pairs with all masks of their newest proposal set, in any order.

        inquiry: Who judges, on what.

    Raises:
        TransientError: If media or the verifier cannot be reached now. Nothing of the batch counts
            then.
    """
    questions = [
        [_question(VerdictTask.MASK, each, [index]) for index in range(len(each.masks))]
        for each in batch
    ]
    answers = await ask([one for of_pair in questions for one in of_pair], inquiry)
    return _output(MASKS, batch, questions, answers, inquiry)


async def verify_exhaustivity(batch: Sequence[PairMasks], *, inquiry: Inquiry) -> VerifyOutput:
    """
    Judge whether the accepted masks of each pair cover all, and whether its phrase is there.

    Args:
        batch: Pairs with the accepted masks of their newest proposal set, in any order.

        inquiry: Who judges, on what. The answer about a phrase that was asked for another pair
            counts for this one too.

    Raises:
        TransientError: If media or the verifier cannot be reached now. Nothing of the batch counts
            then.
    """
    questions = [_exhaustivity_questions(each) for each in batch]
    answers = await ask([one for of_pair in questions for one in of_pair], inquiry)
    for of_pair in questions:
        if len(of_pair) == 1 and _accepts(answers[of_pair[0].subject_id]):
            of_pair.append(_phrase_question(of_pair[0]))
    phrases = [of_pair[-1] for of_pair in questions if of_pair[-1].task is _PHRASE]
    answers |= await ask(phrases, inquiry)
    return _output(EXHAUSTIVITY, batch, questions, answers, inquiry)


_PHRASE = VerdictTask.GROUNDABILITY


def _exhaustivity_questions(each: PairMasks) -> list[Question]:
    """The zero-box question, and the one about the accepted masks if there are any."""
    questions = [_question(VerdictTask.EXHAUSTIVITY, each, [])]
    if each.masks:
        everything = range(len(each.masks))
        questions.append(_question(VerdictTask.EXHAUSTIVITY, each, everything))
    return questions


def _question(task: VerdictTask, each: PairMasks, indices: Sequence[int]) -> Question:
    return Question(
        task=task,
        pair_id=each.pair.id,
        media_id=each.pair.media_id,
        phrase=each.pair.phrase,
        masks=tuple(each.masks[index] for index in indices),
        mask_ids=tuple(each.mask_ids[index] for index in indices),
    )


def _phrase_question(zero_box: Question) -> Question:
    return replace(zero_box, task=_PHRASE)


def _accepts(answer: Answer) -> bool:
    return isinstance(answer, Verdict) and answer.option is Option.ACCEPT


def _output(
    stage: str,
    batch: Sequence[PairMasks],
    questions: Sequence[Sequence[Question]],
    answers: Mapping[str, Answer],
    inquiry: Inquiry,
) -> VerifyOutput:
    verifications: list[Verification] = []
    failures: list[Failure] = []
    for each, of_pair in zip(batch, questions, strict=True):
        found = {one.subject_id: answers[one.subject_id] for one in of_pair}
        failed = {subject: a for subject, a in found.items() if isinstance(a, Failure)}
        failures += _pair_failures(stage, each.pair, failed)
        if not failed:
            verdicts = [answer for answer in found.values() if isinstance(answer, Verdict)]
            verifications.append(
                Verification(
                    stage=stage,
                    key=inquiry.key,
                    pair_id=each.pair.id,
                    set_id=each.set_id,
                    mask_ids=each.mask_ids,
                    verdict_ids=tuple(verdict.id for verdict in verdicts),
                )
            )
    return VerifyOutput(
        verdicts=tuple(answer for answer in answers.values() if isinstance(answer, Verdict)),
        verifications=tuple(verifications),
        failures=tuple(failures),
    )


def _pair_failures(stage: str, pair: Pair, failed: Mapping[str, Failure]) -> list[Failure]:
    """Return one failure of the pair for each reason, naming the questions that had it."""
    details: defaultdict[str, list[str]] = defaultdict(list)
    for subject, failure in failed.items():
        details[failure.reason].append(f"{subject}: {failure.detail}")
    return [
        Failure(stage=stage, subject_id=pair.id, reason=reason, detail="; ".join(told))
        for reason, told in details.items()
    ]
