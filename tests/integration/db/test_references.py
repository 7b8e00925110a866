"""Instances that stand for a concept: the largest ones of the newest, complete decisions."""

from collections.abc import Callable

import numpy as np
import pytest
from sqlalchemy import Engine
from sqlalchemy.orm import Session

from db.media import add_media
from db.pairs import add_pairs
from db.references import reference_mask, reference_masks
from db.resolutions import add_resolutions
from db.session import transaction
from engine.masks import encode
from engine.records import Mask, Media, Outcome, Pair, Resolution, ResolvedMask
from tests.factories import a_mask, a_media

pytestmark = pytest.mark.service

PHRASE = "red circle"


def finish(
    session: Session,
    name: str,
    outcome: Outcome,
    *masks: Mask,
    phrase: str = PHRASE,
    maker: str = "anna",
) -> Media:
    """Finish the pair of a media of that name, and return it."""
    media = a_media(name)
    pair = Pair(media_id=media.id, phrase=phrase)
    resolution = Resolution(
        pair_id=pair.id,
        maker=maker,
        outcome=outcome,
        masks=tuple(ResolvedMask(mask=mask) for mask in masks),
    )
    add_media(session, [media], [])
    add_pairs(session, [pair], [])
    add_resolutions(session, [resolution])
    return media


def pixel(place: int) -> Mask:
    """A mask of one pixel."""
    return encode(np.arange(6 * 8).reshape(1, 6, 8) == place)[0]


def shown(session: Session, phrase: str = PHRASE, limit: int = 3) -> list[tuple[str, Mask]]:
    """Return media and mask of each reference."""
    places = reference_masks(session, phrase, limit=limit)
    found = [reference_mask(session, *each) for each in places]
    return [each for each in found if each is not None]


def test_the_largest_instance_of_each_pair_stands_for_the_concept(session: Session) -> None:
    expected = set()
    for name in "abcd":
        media = finish(
            session, name, Outcome.INSTANCE_EXHAUSTIVE, pixel(9), a_mask(left=2), pixel(7)
        )
        expected.add((media.id, a_mask(left=2)))

    assert 3 == len(shown(session))
    assert expected == set(shown(session, limit=9))
    assert shown(session) == shown(session, limit=9)[:3]


@pytest.mark.parametrize(
    ("outcome", "masks"),
    [
        pytest.param(Outcome.NEGATIVE, (), id="a negative"),
        pytest.param(Outcome.DROPPED, (), id="a dropped pair"),
        pytest.param(Outcome.INCOMPLETE, (a_mask(),), id="an incomplete pair"),
        pytest.param(Outcome.PIXEL_EXHAUSTIVE, (a_mask(),), id="groups"),
    ],
)
def test_nothing_else_stands_for_it(
    session: Session, outcome: Outcome, masks: tuple[Mask, ...]
) -> None:
    finish(session, "a", outcome, *masks)
    finish(session, "b", Outcome.INSTANCE_EXHAUSTIVE, a_mask(), phrase="blue square")

    assert [] == shown(session)


def test_what_is_not_there_is_none(session: Session) -> None:
    finish(session, "a", Outcome.INSTANCE_EXHAUSTIVE, a_mask())
    [(resolution_id, place)] = reference_masks(session, PHRASE, limit=3)

    assert place == 0
    assert reference_mask(session, resolution_id, 0) is not None
    assert reference_mask(session, resolution_id, 1) is None
    assert reference_mask(session, "resolution_nobody", 0) is None


def test_of_several_decisions_the_newest_counts(fresh_database: Callable[[], Engine]) -> None:
    engine = fresh_database()
    with transaction(engine) as session:
        finish(session, "a", Outcome.INSTANCE_EXHAUSTIVE, pixel(9), maker="zoe")
        finish(session, "b", Outcome.INSTANCE_EXHAUSTIVE, pixel(9), maker="zoe")
    with transaction(engine) as session:  # its own moment
        finish(session, "a", Outcome.NEGATIVE, maker="anna")
        media = finish(session, "b", Outcome.INSTANCE_EXHAUSTIVE, pixel(3), maker="anna")

        assert [(media.id, pixel(3))] == shown(session)
