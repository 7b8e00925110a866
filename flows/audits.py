"""
Audits: subjects that people label for the sake of the labels.

  random   drawn one by one from all that a verifier was asked: thresholds are chosen from them
  shadow   everything about the pairs that were finished without a person and drawn for review

Three people answer each, a fourth where they differ; what they settle on becomes an audit label.
"""

import random
from collections.abc import Sequence

from sqlalchemy.orm import Session

from db.domains import iter_judged
from db.queues import add_items
from db.session import make_engine, transaction
from db.verdicts import verdicts_of, verifications_of
from engine.audits import draw_subjects
from engine.priorities import SECONDS, entropy_share
from engine.queues import Asked, Purpose, Queue, QueueItem
from engine.routes import RoutedPair
from engine.verdicts import Verdict, VerdictTask, accepted_set_id
from flows.services.embedded import start_database
from flows.settings import Settings


def draw_audit_here(settings: Settings, *, per_task: int, seed: int) -> int:
    """Draw in the database of *settings*; see `draw_audit`."""
    with transaction(make_engine(start_database(settings))) as session:
        return draw_audit(session, per_task=per_task, seed=seed)


def draw_audit(session: Session, *, per_task: int, seed: int) -> int:
    """
    Draw subjects at random and queue them, and return how many were new.

    Args:
        session: An open transaction.

        per_task: Subjects of each calibrated task; fewer where there are no more. Those that were
            drawn before with the same seed are among them.

        seed: Of the draw.
    """
    drawn = draw_subjects(iter_judged(session), per_task=per_task, seed=seed)
    verdicts = [verdict for _, verdict in drawn]
    masks = _masks_of(session, verdicts)
    items = [_item(each, masks, Purpose.RANDOM) for each in verdicts]
    # In random order too: a label that comes first must be no likelier to be of one kind.
    rng = random.Random(seed)
    return add_items(session, {item: rng.random() for item in items})


def queue_shadowed(session: Session, routes: Sequence[RoutedPair]) -> int:
    """
    Queue what people look at though a verifier finished it, and return how many items were new.

    Args:
        session: The transaction that writes *routes*.

        routes: Those that were drawn for it count, the others are passed over.
    """
    drawn = {each.pair_id: each for each in routes if each.is_shadowed}
    said = {
        verdict.subject_id: verdict
        for verdict in verdicts_of(session, sorted(drawn))
        if verdict.judge == drawn[verdict.pair_id].judge
    }
    verdicts = [said[one] for each in drawn.values() for one in _decided(each) if one in said]
    masks = _masks_of(session, verdicts)
    return add_items(session, {_item(v, masks, Purpose.SHADOW): _worth(v) for v in verdicts})


def _decided(route: RoutedPair) -> list[str]:
    """Return the subjects on which a pair was finished: its masks, and their set."""
    return [*route.mask_ids, accepted_set_id(route.pair_id, route.mask_ids)]


def _worth(verdict: Verdict) -> float:
    return entropy_share(verdict.probabilities) / SECONDS[Asked(verdict.task.value)]


def _masks_of(session: Session, verdicts: Sequence[Verdict]) -> dict[str, tuple[str, ...]]:
    """Return the mask ids of every set that a verdict of exhaustivity may be about."""
    pair_ids = sorted({each.pair_id for each in verdicts})
    sets = [(each.pair_id, each.mask_ids) for each in verifications_of(session, pair_ids)]
    sets += [(pair_id, ()) for pair_id in pair_ids]
    return {accepted_set_id(pair_id, mask_ids): mask_ids for pair_id, mask_ids in sets}


def _item(verdict: Verdict, masks: dict[str, tuple[str, ...]], purpose: Purpose) -> QueueItem:
    shown = {
        VerdictTask.MASK: (verdict.subject_id,),
        VerdictTask.EXHAUSTIVITY: masks.get(verdict.subject_id, ()),
        VerdictTask.GROUNDABILITY: (),
    }
    return QueueItem(
        queue=Queue.AUDIT,
        asked=Asked(verdict.task.value),
        purpose=purpose,
        pair_id=verdict.pair_id,
        subject_id=verdict.subject_id,
        mask_ids=shown[verdict.task],
    )
