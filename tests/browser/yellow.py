"""
A drawn scene with three plain yellow objects among others, and what the database says of it.

The masks that are asked about are the scene's truth. One object has none: people have to find it.
"""

from dataclasses import replace
from functools import cache
from pathlib import Path

import numpy as np
from PIL import Image
from sqlalchemy import Engine

from db.media import add_media
from db.pairs import add_pairs
from db.proposals import add_proposal_sets
from db.queues import add_items
from db.resolutions import add_resolutions
from db.routes import add_routes
from db.session import transaction
from demo.world.scenes import PAPER, Scene, make_scene
from engine.decisions import CalibratedTask
from engine.images import inspect_image
from engine.masks import encode
from engine.queues import Asked, Purpose, Queue, QueueItem
from engine.records import Mask, Media, MediaSource, Outcome, Pair, Resolution, ResolvedMask
from engine.routes import Reason, Route, RoutedPair, Step
from engine.verdicts import proposal_mask_id
from flows.advance import Demand, advance
from flows.settings import QueueSettings
from tests.factories import a_proposal_set

PHRASE = "plain yellow object"
SIDE = 480  # pixels of the picture, which is square
NUM_PROPOSED = 2  # of the objects: they have a mask from the beginning
_SEED = 308
_NAMED = (0, 3, 5)  # things that the phrase names: two rings, whose masks have holes, and a disc
_DOMAIN = replace(
    PAPER,
    size=SIDE,
    radius=(0.1, 0.17),
    max_things=7,
    least_visible=1.0,
    held_out_weight=1.0,
    roughness=0.3,
    noise=0.0,
    crowd_share=0,
    writing_share=0,
)
_ASKED = {
    Queue.MASK_VERIFICATION: Asked.MASK,
    Queue.EXHAUSTIVITY: Asked.EXHAUSTIVITY,
    Queue.CORRECTION: Asked.CORRECTION,
    Queue.SECOND_REVIEW: Asked.EXHAUSTIVITY,
    Queue.GOLD: Asked.CORRECTION,
    Queue.AUDIT: Asked.MASK,
}


@cache
def scene() -> Scene:
    """The scene; every start draws the same one."""
    drawn = make_scene(_SEED, _DOMAIN)
    assert ["ring", "ring", "circle"] == [drawn.things[own].shape for own in _NAMED]
    return drawn


def objects() -> list[Mask]:
    """The true masks of what the phrase names, those that are proposed first."""
    return encode(np.stack([scene().mask(own) for own in _NAMED]))


def write_routed_pair(engine: Engine, folder: Path, settings: QueueSettings) -> str:
    """
    Write a pair whose first mask a judge accepted and whose second one people decide about.

    Returns:
        The pair's id. What its items ask is worked out from these facts by `advance`.
    """
    pair = _write_pair(engine, folder)
    ids = _propose(engine, pair)
    route = RoutedPair(
        pair_id=pair.id,
        judge="llava@1",
        route=Route(step=Step.HUMAN_MASK, task=CalibratedTask.MASK, reason=Reason.UNSURE),
        mask_ids=ids[:1],
        undecided_ids=ids[1:],
        is_shadowed=False,
        evidence="evidence",
    )
    with transaction(engine) as session:
        add_routes(session, [route])
        advance(session, [pair.id], wanted=Demand(), settings=settings)
    return pair.id


def write_item_of_each_queue(engine: Engine, folder: Path) -> None:
    """Write a pair about which something is asked in every queue."""
    pair = _write_pair(engine, folder)
    ids = _propose(engine, pair)
    items = [_item(queue, pair.id, ids) for queue in Queue]
    with transaction(engine) as session:
        add_items(session, dict.fromkeys(items, 1.0))


def _item(queue: Queue, pair_id: str, mask_ids: tuple[str, ...]) -> QueueItem:
    asked = _ASKED[queue]
    shown = mask_ids[:1] if asked is Asked.MASK else mask_ids
    return QueueItem(
        queue=queue,
        asked=asked,
        purpose=Purpose.RANDOM if queue is Queue.AUDIT else Purpose.WORK,
        pair_id=pair_id,
        subject_id=shown[0] if asked is Asked.MASK else pair_id,
        mask_ids=shown,
    )


def _write_pair(engine: Engine, folder: Path) -> Pair:
    """Write the picture and its pair, and three other pictures in which people found an object."""
    for turns in range(1, 4):
        media = _write_picture(engine, folder, turns=turns)
        _write_finished(engine, Pair(media_id=media.id, phrase=PHRASE), turns=turns)
    pair = Pair(media_id=_write_picture(engine, folder, turns=0).id, phrase=PHRASE)
    with transaction(engine) as session:
        add_pairs(session, [pair], [])
    return pair


def _write_picture(engine: Engine, folder: Path, *, turns: int) -> Media:
    """Write the scene, turned by quarters, as a file and a media."""
    path = folder / f"yellow{turns}.png"
    Image.fromarray(np.rot90(scene().image_HW3, turns)).save(path)
    media = inspect_image(path.read_bytes(), name=path.name)
    with transaction(engine) as session:
        source = MediaSource(media_id=media.id, uri=path.as_uri(), domain=_DOMAIN.name)
        add_media(session, [media], [source])
    return media


def _write_finished(engine: Engine, pair: Pair, *, turns: int) -> None:
    """Write that a person found an object, another one in each picture."""
    mask_HW = np.rot90(scene().mask(_NAMED[turns - 1]), turns)
    resolution = Resolution(
        pair_id=pair.id,
        maker="anna@example.org",
        outcome=Outcome.INSTANCE_EXHAUSTIVE,
        masks=(ResolvedMask(mask=encode(mask_HW[None])[0]),),
    )
    with transaction(engine) as session:
        add_pairs(session, [pair], [])
        add_resolutions(session, [resolution])


def _propose(engine: Engine, pair: Pair) -> tuple[str, ...]:
    """Propose the first objects, and return the ids of their masks."""
    proposals = a_proposal_set(pair, objects()[:NUM_PROPOSED])
    with transaction(engine) as session:
        add_proposal_sets(session, [proposals])
    return tuple(proposal_mask_id(proposals.id, index) for index in range(NUM_PROPOSED))
