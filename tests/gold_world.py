"""Pairs with proposals in a database, and people who answer gold items, for tests."""

from collections.abc import Sequence
from datetime import timedelta

from sqlalchemy import Engine

from db.gold import gold_items
from db.media import add_media
from db.pairs import add_pairs
from db.proposals import add_proposal_sets
from db.session import transaction
from engine.ports import DeskAnswer, Drawing, DrawnMask
from engine.queues import QueueItem
from engine.records import Mask, MediaSource, Pair
from engine.reviews import NoAnswer
from engine.verdicts import Option
from flows.advance import Demand
from flows.answers import take_answers
from flows.gold import queue_gold
from flows.settings import QueueSettings
from tests.factories import a_mask, a_media, a_proposal_set
from tests.reviewing import NOON

SHOWN, OTHER = a_mask(left=0), a_mask(left=4)  # the masks that are proposed for every pair
MISSED = a_mask(left=2)
PEOPLE = ("anna", "ben", "carla")


def write_pairs(
    engine: Engine, *, names: Sequence[str] = ("a",), phrases: Sequence[str] = ("kite",)
) -> list[Pair]:
    """Write a media of each name, in a domain of that name, and propose masks for each phrase."""
    media = [a_media(name) for name in names]
    pairs = [Pair(media_id=each.id, phrase=phrase) for each in media for phrase in phrases]
    sources = [
        MediaSource(media_id=each.id, uri=f"file:///{name}.png", domain=name)
        for name, each in zip(names, media, strict=True)
    ]
    with transaction(engine) as session:
        add_media(session, media, sources)
        add_pairs(session, pairs, [])
        add_proposal_sets(session, [a_proposal_set(pair, [SHOWN, OTHER]) for pair in pairs])
    return pairs


def queued(engine: Engine, *, num_pairs: int = 100) -> dict[str, QueueItem]:
    """Queue all pairs and return the items by pair."""
    with transaction(engine) as session:
        queue_gold(session, num_pairs=num_pairs, seed=0)
        return {each.item.pair_id: each.item for each in gold_items(session)}


def left(item: QueueItem, *masks: Mask, groups: Sequence[Mask] = ()) -> Drawing:
    """What a person leaves: masks that are shown are kept, others added."""
    origins = dict(zip((SHOWN, OTHER), item.mask_ids, strict=False))
    return Drawing(
        masks=tuple(
            DrawnMask(mask=mask, origin=origins.get(mask, ""), is_group=mask in groups)
            for mask in masks
        )
    )


def given(
    item: QueueItem,
    person: str,
    answer: Drawing | Option | NoAnswer,
    *,
    minute: int = 0,
    annotation_id: int | None = None,
    seconds: float = 5.0,
) -> DeskAnswer:
    own = hash((item.id, person)) % 10**9 if annotation_id is None else annotation_id
    return DeskAnswer(
        item_id=item.id,
        task_id=1,
        annotation_id=own,
        person=person,
        answer=answer,
        seconds=seconds,
        submitted_at=NOON + timedelta(minutes=minute),
    )


def take(
    engine: Engine, *answers: DeskAnswer, settings: QueueSettings | None = None
) -> dict[str, int]:
    """Let answers come in at once, and return what became of them."""
    with transaction(engine) as session:
        return dict(
            take_answers(
                session,
                answers,
                desk="desk",
                wanted=Demand(),
                settings=settings or QueueSettings(),
            )
        )


def answer_all(engine: Engine, item: QueueItem, *drawings: Drawing) -> None:
    """Let three people answer, one a minute."""
    for minute, (person, drawing) in enumerate(zip(PEOPLE, drawings, strict=True)):
        take(engine, given(item, person, drawing, minute=minute))
