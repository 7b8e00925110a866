"""Streaming pairs with their facts."""

import pytest
from sqlalchemy.orm import Session

from db.facts import PairFacts, iter_pairs_with_facts
from db.media import add_media
from db.pairs import add_pairs
from db.proposals import add_proposal_sets
from db.resolutions import add_resolutions
from engine.records import (
    MediaSource,
    OriginKind,
    Outcome,
    Pair,
    PairOrigin,
    PairState,
    Resolution,
)
from tests.factories import a_media, a_proposal_set

pytestmark = pytest.mark.service


def test_a_pair_comes_with_everything_known_about_it(session: Session) -> None:
    media = a_media()
    pair = Pair(media_id=media.id, phrase="red circle")
    source = MediaSource(media_id=media.id, uri="file:///a.png")
    origin = PairOrigin(pair_id=pair.id, kind=OriginKind.PERSON, source="anna")
    ours, others = a_proposal_set(pair), a_proposal_set(pair, proposer="sam3@1")
    resolution = Resolution(pair_id=pair.id, maker="anna", outcome=Outcome.NEGATIVE)
    add_media(session, [media], [source])
    add_pairs(session, [pair], [origin])
    add_proposal_sets(session, [ours, others])
    add_resolutions(session, [resolution])

    expected = PairFacts(
        pair=pair,
        state=PairState.FINISHED,
        media=media,
        sources=(source,),
        origins=(origin,),
        proposal_sets=(ours,),
        resolutions=(resolution,),
    )
    assert [expected] == list(iter_pairs_with_facts(session, proposer="sam3@0"))


@pytest.mark.parametrize("pairs_per_read", [1, 5, 12, 13])
def test_every_pair_comes_once_in_order_of_media_whatever_is_read_at_a_time(
    session: Session, pairs_per_read: int
) -> None:
    media = [a_media(str(number)) for number in range(3)]
    pairs = [
        Pair(media_id=each.id, phrase=phrase)
        for each in media
        for phrase in ("Zebra", "b", "Ä", "a")
    ]
    add_media(session, media, [])
    add_pairs(session, pairs, [])

    expected = sorted(pairs, key=lambda pair: (pair.media_id, pair.phrase))
    found = iter_pairs_with_facts(session, pairs_per_read=pairs_per_read)
    assert expected == [facts.pair for facts in found]
