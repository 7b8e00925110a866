"""
The verdicts of one pair, each with the picture that it was given on.

Pictures are not stored: they are drawn again, by the same code, from the media and the masks. One
that an older version of the code drew is not shown, as it would be another one.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from sqlalchemy.orm import Session

from db.facts import PairFacts
from db.verdicts import verdicts_by_id, verdicts_of, verifications_of
from engine.errors import MaskloopError
from engine.images import decode_rgb
from engine.ports import ImageArray, MediaReader
from engine.records import Mask
from engine.verdicts import (
    ACCEPTING,
    OPTIONS,
    Verdict,
    VerdictTask,
    accepted_set_id,
    masks_by_id,
    option_orders,
    presence_of,
)
from ui.pair_page import FactTable, VerdictCard

_COLUMNS = ("task", "about", "option", "probabilities", "judge", "prompt", "render", "order", "s")

_Subject: TypeAlias = tuple[tuple[str, ...], tuple[Mask, ...]]  # mask ids, masks


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """A verdict and what it is about."""

    verdict: Verdict
    about: str  # such as "mask proposals_.../0" or "zero boxes"
    masks: tuple[Mask, ...] | None  # None: the masks are not known any more


def judged(session: Session, facts: PairFacts) -> list[Judged]:
    """Return all verdicts of a pair, oldest first; then those on its phrase from other pairs."""
    verdicts = verdicts_of(session, [facts.pair.id])
    through = verifications_of(session, [facts.pair.id])
    known = {verdict.id for verdict in verdicts}
    elsewhere = {one for each in through for one in each.verdict_ids} - known
    verdicts += sorted(verdicts_by_id(session, elsewhere).values(), key=lambda one: one.id)
    subjects = _subjects(facts, [each.mask_ids for each in through])
    return [_judged(verdict, subjects) for verdict in verdicts]


def verdict_table(found: Sequence[Judged]) -> FactTable:
    """Return *found* as a table of text."""
    return FactTable(title="verdicts", columns=_COLUMNS, rows=tuple(_row(each) for each in found))


def verdict_cards(found: Sequence[Judged], media_id: str, reader: MediaReader) -> list[VerdictCard]:
    """Return *found* with the pictures that the verdicts were given on."""
    try:
        pixels_HWC = decode_rgb(reader.read(media_id), name=media_id) if found else None
    except MaskloopError as exc:
        return [_card(each, problem=str(exc)) for each in found]
    return [_drawn(each, pixels_HWC) for each in found]


def verdict_line(facts: PairFacts) -> str:
    """Return in a few words what the verifier of *facts* said; "" if it said nothing."""
    masks = [each for each in facts.verdicts if each.task is VerdictTask.MASK]
    zero_box = accepted_set_id(facts.pair.id, ())
    told = [f"MV accepts {sum(each.option in ACCEPTING for each in masks)} of {len(masks)}"]
    for verdict in facts.verdicts:
        if verdict.subject_id == zero_box:
            told.append(f"EV presence {presence_of(verdict):.2f}")
        elif verdict.task is VerdictTask.EXHAUSTIVITY:
            told.append(f"EV {verdict.option.value}")
    return ", ".join(told) if facts.verdicts else ""


def _subjects(facts: PairFacts, asked: Sequence[Sequence[str]]) -> dict[str, _Subject]:
    """Return mask ids and masks by the subject id that a verdict on them has."""
    masks = {one: mask for found in facts.proposal_sets for one, mask in masks_by_id(found).items()}
    subjects: dict[str, _Subject] = {one: ((one,), (mask,)) for one, mask in masks.items()}
    for mask_ids in [(), *asked]:
        if all(mask_id in masks for mask_id in mask_ids):
            subject = accepted_set_id(facts.pair.id, mask_ids)
            subjects[subject] = (tuple(mask_ids), tuple(masks[one] for one in mask_ids))
    return subjects


def _judged(verdict: Verdict, subjects: Mapping[str, _Subject]) -> Judged:
    if verdict.task is VerdictTask.GROUNDABILITY:
        return Judged(verdict=verdict, about="the phrase, without a picture", masks=())
    if verdict.subject_id not in subjects:
        return Judged(verdict=verdict, about=verdict.subject_id, masks=None)
    mask_ids, masks = subjects[verdict.subject_id]
    what = "mask" if verdict.task is VerdictTask.MASK else "boxes around"
    about = f"{what} {', '.join(mask_ids)}" if mask_ids else "zero boxes"
    return Judged(verdict=verdict, about=about, masks=masks)


def _row(each: Judged) -> tuple[str, ...]:
    verdict = each.verdict
    return (
        *(verdict.task.value, each.about, verdict.option.value, _probabilities(verdict)),
        *(verdict.judge, verdict.prompt, verdict.render, _orders(verdict)),
        f"{verdict.seconds:.3f}",
    )


def _probabilities(verdict: Verdict) -> str:
    each = zip(OPTIONS[verdict.task], verdict.probabilities, strict=True)
    return ", ".join(f"{option.value} {probability:.3f}" for option, probability in each)


def _orders(verdict: Verdict) -> str:
    """The options in the order of their letters, for each time that they were asked."""
    orders = option_orders(verdict.task, seed=verdict.order_seed, num_orders=verdict.num_orders)
    return "; ".join(" > ".join(option.value for option in order) for order in orders)


def _drawn(each: Judged, pixels_HWC: ImageArray | None) -> VerdictCard:
    # Drawing needs torch, which takes seconds to import.
    from verifiers.render import as_jpeg, render_boxes, render_mask, side_of

    verdict = each.verdict
    if verdict.render == "" or pixels_HWC is None:
        return _card(each)
    if each.masks is None:
        return _card(each, problem="the masks that were shown are not among the proposals")
    side = side_of(verdict.render)
    if side is None:
        return _card(each, problem=f"drawn by version {verdict.render}, which this code is not")
    try:
        if verdict.task is VerdictTask.MASK:
            picture_HWC = render_mask(pixels_HWC, each.masks[0], side=side)
        else:
            picture_HWC = render_boxes(pixels_HWC, each.masks, side=side)
    except ValueError as error:
        return _card(each, problem=str(error))
    return _card(each, jpeg=as_jpeg(picture_HWC))


def _card(each: Judged, *, jpeg: bytes = b"", problem: str = "") -> VerdictCard:
    verdict = each.verdict
    return VerdictCard(
        title=f"{verdict.task.value}: {verdict.option.value} {max(verdict.probabilities):.2f}",
        lines=(
            each.about,
            _probabilities(verdict),
            f"judge {verdict.judge}, prompt {verdict.prompt}, render {verdict.render or 'none'}",
            f"order {_orders(verdict)}",
            f"{verdict.seconds:.3f} seconds",
        ),
        jpeg=jpeg,
        problem=problem,
    )
