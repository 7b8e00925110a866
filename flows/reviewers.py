"""`maskloop reviewers`: how much people do, how long it takes them, and how far they agree."""

import math
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field

from sqlalchemy.orm import Session

from db.gold import gold_items
from db.labels import audit_labels
from db.media import media_of_pairs
from db.people import Seconds, reviews_by_person, second_reviews_by_person, seconds_by_person
from db.reviews import known_answers
from db.session import make_engine, transaction
from engine.accuracy import Share
from engine.agreement import Agreement, MaskAgreement, mask_agreement
from engine.qualification import known_records
from engine.queues import Asked
from engine.records import Mask
from engine.reviews import Correction, Standing
from engine.verdicts import Option, VerdictTask
from engine.voters import TwoPeople, alphas, kappas, shares_of_settled, voted_subjects
from flows.answers import bar_of
from flows.console import print_json, print_table
from flows.gold import iter_gold
from flows.human_ceiling import value_text
from flows.services.embedded import start_database
from flows.settings import QueueSettings, Settings
from ui.accuracy_page import share_text

_NOTHING = Share(num_right=0, num=0)
_SENT_BACK = (Option.REJECT, Option.REJECT_UNSEPARATED)


@dataclass(frozen=True, slots=True, kw_only=True)
class Reviewer:
    """One person."""

    name: str
    reviews: Mapping[Standing, int] = field(default_factory=dict)
    seconds: Mapping[Asked, Seconds] = field(default_factory=dict)
    known: Share = _NOTHING  # answers to items whose answer is known
    is_in_training: bool = False
    second_reviews: Mapping[Option, int] = field(default_factory=dict)  # others' of own corrections
    settled: Share = _NOTHING  # votes in audits that are what was settled


@dataclass(frozen=True, slots=True, kw_only=True)
class Reviewers:
    """All people, and how far they agree."""

    people: tuple[Reviewer, ...]  # by name
    kappas: tuple[TwoPeople, ...]
    alphas: Mapping[VerdictTask, Agreement]
    masks: MaskAgreement  # of gold


def reviewers_here(settings: Settings) -> Reviewers:
    """Return everybody who has reviewed or voted."""
    with transaction(make_engine(start_database(settings))) as session:
        return read_reviewers(session, settings.queues)


def read_reviewers(session: Session, settings: QueueSettings) -> Reviewers:
    """Do the same in an open transaction."""
    subjects = voted_subjects(audit_labels(session))
    media = media_of_pairs(session, sorted({each.pair_id for each in subjects}))
    return Reviewers(
        people=tuple(_people(session, shares_of_settled(subjects), settings)),
        kappas=tuple(kappas(subjects)),
        alphas=alphas(subjects, {pair_id: each.id for pair_id, each in media.items()}),
        masks=mask_agreement(_gold_masks(session)),
    )


def print_reviewers(found: Reviewers, *, as_json: bool) -> None:
    """Show everybody on a line of a table, and the agreement of all, or everything as JSON."""
    if as_json:
        print_json(_as_json(found))
        return
    columns = (
        *("person", "reviews", "counted", "median seconds", "known answers right"),
        *("second reviews", "votes as settled", "in training"),
    )
    title = "reviewers (shares in %, 95 % interval)"
    print_table(title, columns, [_row(each) for each in found.people])
    measured = ("all together", "agreement (95 % interval)", "over")
    print_table("agreement", measured, [*_agreement_rows(found)])


def _people(
    session: Session, settled: Mapping[str, Share], settings: QueueSettings
) -> Iterator[Reviewer]:
    reviews, seconds = reviews_by_person(session), seconds_by_person(session)
    known = known_records(known_answers(session), bar_of(settings))
    second = second_reviews_by_person(session)
    for name in sorted({*reviews, *settled}):
        record = known.get(name)
        yield Reviewer(
            name=name,
            reviews=reviews.get(name, {}),
            seconds=seconds.get(name, {}),
            known=Share(num_right=record.num_right, num=record.num_known) if record else _NOTHING,
            is_in_training=record is not None and record.is_in_training,
            second_reviews=second.get(name, {}),
            settled=settled.get(name, _NOTHING),
        )


def _gold_masks(session: Session) -> Iterator[tuple[str, list[list[Mask]]]]:
    """Yield the media of each gold item and the masks that each person left, as they left them."""
    media = media_of_pairs(session, [each.item.pair_id for each in gold_items(session)])
    for stored, votes in iter_gold(session):
        answers = [each.answer for each in votes if isinstance(each.answer, Correction)]
        drawn = [each for each in answers if each.rejection is None]
        if len(drawn) > 1:
            masks = [[each.mask for each in own.masks] for own in drawn]
            yield media[stored.item.pair_id].id, masks


def _row(each: Reviewer) -> tuple[object, ...]:
    median = ", ".join(f"{asked.value} {own.median:.3g}" for asked, own in each.seconds.items())
    looked = _second(each)
    second = f"{looked['accepted']} accepted, {looked['sent_back']} sent back"
    return (
        *(each.name, sum(each.reviews.values()), each.reviews.get(Standing.COUNTED, 0), median),
        *(share_text(each.known), second if any(looked.values()) else ""),
        *(share_text(each.settled), "yes" if each.is_in_training else ""),
    )


def _second(each: Reviewer) -> dict[str, int]:
    counts = Counter(each.second_reviews)
    sent_back = sum(counts[option] for option in _SENT_BACK)
    accepted = counts[Option.ACCEPT]
    # Any other answer says that the phrase cannot be used, which is not about the correction.
    dropped = counts.total() - accepted - sent_back
    return {"accepted": accepted, "sent_back": sent_back, "dropped": dropped}


def _agreement_rows(found: Reviewers) -> Iterator[tuple[str, str, str]]:
    for task, alpha in found.alphas.items():
        yield f"{task}: Krippendorff's alpha", _text(alpha), f"{alpha.num} subjects"
    masks = found.masks
    over = f"{masks.iou.num} comparisons, and {masks.num_negative} of two negatives"
    yield "gold: IoU of two people's masks", _text(masks.iou), over


def _text(agreement: Agreement) -> str:
    if math.isnan(agreement.value):
        return "no meaning"
    return value_text(agreement.value, agreement.interval)


def _as_json(found: Reviewers) -> dict[str, object]:
    return {
        "people": [_person_json(each, found.kappas) for each in found.people],
        "alpha": {task.value: _agreement_json(alpha) for task, alpha in found.alphas.items()},
        "masks": {**_agreement_json(found.masks.iou), "negatives": found.masks.num_negative},
    }


def _person_json(each: Reviewer, pairs: Sequence[TwoPeople]) -> dict[str, object]:
    return {
        "person": each.name,
        "reviews": {standing.value: each.reviews.get(standing, 0) for standing in Standing},
        "seconds": {asked.value: asdict(own) for asked, own in each.seconds.items()},
        "known": _share_json(each.known),
        "in_training": each.is_in_training,
        "second_reviews": _second(each),
        "settled": _share_json(each.settled),
        "kappa": [_kappa_json(each.name, two) for two in pairs if each.name in two.people],
    }


def _kappa_json(name: str, two: TwoPeople) -> dict[str, object]:
    (other,) = set(two.people) - {name}
    kappa = None if math.isnan(two.kappa) else two.kappa
    return {"task": two.task.value, "with": other, "subjects": two.num, "kappa": kappa}


def _share_json(share: Share) -> dict[str, object]:
    """An accuracy without any answer is nothing, and not 0."""
    value, interval = (share.value, [*share.interval]) if share.num else (None, None)
    return {"value": value, "interval": interval, "right": share.num_right, "of": share.num}


def _agreement_json(agreement: Agreement) -> dict[str, object]:
    value = None if math.isnan(agreement.value) else agreement.value
    interval = [*agreement.interval] if agreement.interval else None
    return {"value": value, "interval": interval, "over": agreement.num}
