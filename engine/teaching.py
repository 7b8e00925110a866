"""
What people's decisions teach a verifier: questions with their right answers. Pure.

  decided                              teaches
  an answer to MV, EV or groundability its option, on what was shown
  a correction: mask kept              MV Accept on the shown mask
  ... mask edited or added             MV Accept on what the person left
  ... mask removed                     MV Reject, unless another one was left on the same thing
  ... the final set                    EV Accept
  ... the set that was shown           EV Reject if a thing had no mask there, else EV Accept
  ... given up                         EV with the option that says why
  a pair with every instance           zero boxes: EV Reject; the phrase is groundable
  ... masks on none of its instances   MV Reject: proposals, and masks of the image's other pairs
  a verified negative                  zero boxes: EV Accept
  imported truth, instance-exhaustive  the final set: EV Accept; some left out: EV Reject;
                                       its masks, and proposals close to one: MV Accept

Source of the rules: SAM 3 paper, appendix D.4: verifiers learn from people's MV and EV answers,
from every mask that was added by hand (an MV positive) and from every job that was finished (an
EV row). Leaving masks out of complete truth, and masks that lie on something else, are ours: the
options of the guidance (`verifiers/prompts`) say what is right there.

Of several answers to one question the newest counts. What only a verifier decided teaches nothing.
A pair with an audit label of a task gives no row of that task: verifiers are measured there.
"""

import random
from collections.abc import Iterable, Mapping, Sequence

from engine.masks import iou
from engine.queues import Asked
from engine.records import Mask, Outcome, ResolvedMask
from engine.reviews import Change, Correction, Rejection, ReviewedMask, review_mask_id
from engine.stages.resolve_reviews import Settled
from engine.verdicts import Option, Question, VerdictTask
from engine.verifier_rows import COMPLETE, DecidedPair, RowSource, VerifierRow

_SAME_THING = 0.5  # IoU from which two masks show one thing: cgF1's loosest threshold
_GOOD = 0.75  # IoU from which a proposal is as good as the truth, COCO's strict threshold
_EV = VerdictTask.EXHAUSTIVITY
_NUM_STRANGERS = 2  # masks of other pairs that a pair rejects, at most

_GIVEN_UP = {
    Rejection.FLAGGED: Option.FLAG_LABEL,
    Rejection.WHOLE_IMAGE: Option.WHOLE_IMAGE,
    Rejection.UNGROUNDABLE: Option.UNGROUNDABLE,
    Rejection.UNSURE: Option.UNGROUNDABLE,  # the option is "Ungroundable/Vague/Unsure"
}


def rows_of_image(pairs: Sequence[DecidedPair]) -> list[VerifierRow]:
    """Return the rows that the decided pairs of one image give, each question once."""
    rows: list[VerifierRow] = []
    for pair in pairs:
        found = {(row.question.task, row.question.subject_id): row for row in _rows(pair, pairs)}
        rows += [row for (task, _), row in found.items() if task not in pair.labelled]
    return rows


def _rows(pair: DecidedPair, others: Sequence[DecidedPair]) -> list[VerifierRow]:
    """Return all rows of a pair, the surest about a question last."""
    rows = _finished_rows(pair, others) + _imported_rows(pair)
    for each in pair.settled:
        if isinstance(each.answer, Correction):
            rows += _correction_rows(pair, each, each.answer)
        elif each.item.asked is not Asked.CORRECTION:
            task = VerdictTask(each.item.asked.value)
            rows += _answer_rows(pair, task, each.item.mask_ids, each.answer)
    return rows


def _answer_rows(
    pair: DecidedPair, task: VerdictTask, mask_ids: Sequence[str], option: Option
) -> list[VerifierRow]:
    shown = {mask_id: pair.shown[mask_id] for mask_id in mask_ids if mask_id in pair.shown}
    if len(shown) < len(mask_ids):
        return []  # its masks are not known any more
    masks = {} if task is VerdictTask.GROUNDABILITY else shown
    rows = [_row(pair, task, masks, option, RowSource.ANSWER)]
    if option is Option.UNGROUNDABLE and task is VerdictTask.EXHAUSTIVITY:
        rows.append(_row(pair, VerdictTask.GROUNDABILITY, {}, option, RowSource.ANSWER))
    return rows


def _correction_rows(pair: DecidedPair, each: Settled, answer: Correction) -> list[VerifierRow]:
    shown = {own: pair.shown[own] for own in each.item.mask_ids if own in pair.shown}
    if answer.rejection is not None:
        return _given_up_rows(pair, shown, answer.rejection)
    left = {
        review_mask_id(each.review.id, index): reviewed
        for index, reviewed in enumerate(answer.masks)
    }
    masks = {own: reviewed.mask for own, reviewed in left.items()}
    rows = [_row(pair, _EV, masks, Option.ACCEPT, RowSource.CORRECTION)]
    if len(shown) == len(each.item.mask_ids):
        option = _missing(shown, list(left.values()))
        rows.append(_row(pair, _EV, shown, option, RowSource.CORRECTION))
    for own, reviewed in left.items():
        if not reviewed.is_group and reviewed.mask.area_pixels:
            mask_id = reviewed.origin if reviewed.change is Change.KEPT else own
            rows.append(_mask_row(pair, mask_id, reviewed.mask, Option.ACCEPT))
    rows += [
        _mask_row(pair, own, shown[own], Option.REJECT)
        for own in answer.removed
        if own in shown and not _overlaps(shown[own], masks.values())
    ]
    return rows


def _given_up_rows(
    pair: DecidedPair, shown: Mapping[str, Mask], rejection: Rejection
) -> list[VerifierRow]:
    option = _GIVEN_UP.get(rejection)
    if option is None:
        return []
    rows = [_row(pair, _EV, shown, option, RowSource.CORRECTION)]
    if rejection is Rejection.UNGROUNDABLE:
        rows.append(_row(pair, VerdictTask.GROUNDABILITY, {}, option, RowSource.CORRECTION))
    return rows


def _missing(shown: Mapping[str, Mask], left: Sequence[ReviewedMask]) -> Option:
    """Return what EV says about the masks *shown*, when all there is was *left*."""
    new = [
        each
        for each in left
        if each.change is Change.ADDED and not _overlaps(each.mask, shown.values())
    ]
    return _of_missing([each.is_group for each in new])


def _of_missing(are_groups: Sequence[bool]) -> Option:
    """Return the option of EV when these masks are missing; one thing apart is enough."""
    if not are_groups:
        return Option.ACCEPT
    return Option.REJECT_UNSEPARATED if all(are_groups) else Option.REJECT


def _finished_rows(pair: DecidedPair, others: Sequence[DecidedPair]) -> list[VerifierRow]:
    """Return what follows from knowing every instance of a pair."""
    complete = pair.complete
    if complete is None:
        return []
    source = RowSource.FINISHED
    option = _of_missing([each.is_group for each in complete])
    rows = [_row(pair, _EV, {}, option, source)]
    if complete:
        rows.append(_row(pair, VerdictTask.GROUNDABILITY, {}, Option.GROUNDABLE, source))
    return rows + [
        _row(pair, VerdictTask.MASK, {own: mask}, Option.REJECT, source)
        for own, mask in _wrong(pair, others, complete).items()
    ]


def _wrong(
    pair: DecidedPair, others: Sequence[DecidedPair], complete: Sequence[ResolvedMask]
) -> dict[str, Mask]:
    """Return masks that show no instance; none where groups may hide one."""
    if any(each.is_group for each in complete):
        return {}
    instances = [each.mask for each in complete]
    offered = {**pair.proposals, **_strangers(pair, others)}
    return {
        own: mask
        for own, mask in offered.items()
        if mask.area_pixels and not _overlaps(mask, instances)
    }


def _strangers(pair: DecidedPair, others: Sequence[DecidedPair]) -> dict[str, Mask]:
    """Return a few masks of the image's other pairs, named for this one."""
    masks = [
        (f"{pair.pair_id}:{other.pair_id}/{index}", each.mask)
        for other in others
        if other.pair_id != pair.pair_id and other.complete
        for index, each in enumerate(other.complete)
        if not each.is_group
    ]
    rng = random.Random(pair.pair_id)
    return dict(rng.sample(sorted(masks, key=lambda one: one[0]), min(len(masks), _NUM_STRANGERS)))


def _imported_rows(pair: DecidedPair) -> list[VerifierRow]:
    """Return what imported truth says; incomplete truth says what its masks are."""
    found = pair.resolution
    if found is None or not pair.is_imported or found.outcome is Outcome.DROPPED:
        return []
    masks = {f"{pair.pair_id}:truth/{i}": each.mask for i, each in enumerate(found.masks)}
    alone = {
        own: mask
        for (own, mask), each in zip(masks.items(), found.masks, strict=True)
        if not each.is_group and mask.area_pixels
    }
    close = {
        own: mask
        for own, mask in pair.proposals.items()
        if _overlaps(mask, alone.values(), least=_GOOD)
    }
    rows = [
        _row(pair, VerdictTask.MASK, {own: mask}, Option.ACCEPT, RowSource.IMPORT)
        for own, mask in (alone | close).items()
    ]
    if masks and found.outcome in COMPLETE:
        rows.append(_row(pair, _EV, masks, Option.ACCEPT, RowSource.IMPORT))
    if len(masks) > 1 and found.outcome is Outcome.INSTANCE_EXHAUSTIVE:
        kept = _some(masks, pair.pair_id)
        rows.append(_row(pair, _EV, kept, Option.REJECT, RowSource.IMPORT))
    return rows


def _some(masks: Mapping[str, Mask], seed: str) -> dict[str, Mask]:
    """Return at least one and not all of *masks*."""
    rng = random.Random(seed)
    kept = rng.sample(sorted(masks), rng.randrange(1, len(masks)))
    return {own: masks[own] for own in kept}


def _overlaps(mask: Mask, others: Iterable[Mask], *, least: float = _SAME_THING) -> bool:
    found = list(others)
    return bool(found) and float(iou([mask], found).max()) >= least


def _mask_row(pair: DecidedPair, mask_id: str, mask: Mask, option: Option) -> VerifierRow:
    return _row(pair, VerdictTask.MASK, {mask_id: mask}, option, RowSource.CORRECTION)


def _row(
    pair: DecidedPair,
    task: VerdictTask,
    masks: Mapping[str, Mask],
    option: Option,
    source: RowSource,
) -> VerifierRow:
    question = Question(
        task=task,
        pair_id=pair.pair_id,
        media_id=pair.media_id,
        phrase=pair.phrase,
        masks=tuple(masks.values()),
        mask_ids=tuple(masks),
    )
    return VerifierRow(question=question, option=option, source=source)
