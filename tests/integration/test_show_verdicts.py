"""The verdicts of a pair come with the pixels that they were given on."""

import asyncio
from collections.abc import Callable
from io import BytesIO

import numpy as np
import pytest
from PIL import Image
from sqlalchemy import Engine

from db.facts import facts_of
from db.media import add_media
from db.pairs import add_pairs
from db.proposals import add_proposal_sets
from db.session import transaction
from db.verdicts import newest_verifier
from engine.images import decode_rgb
from engine.records import Pair
from engine.verdicts import Option, Question, VerdictTask
from flows.drain import Worker, drain
from flows.inquiries import inquiry_of
from flows.jobs import ExhaustivityJob, MaskJob
from flows.judged import Judged, judged, verdict_cards, verdict_line, verdict_table
from flows.settings import ShardSettings
from tests.doubles import FakeVerifier, MemoryReader
from tests.factories import a_mask, a_media, a_proposal_set
from verifiers.render import as_jpeg, render_boxes, render_mask, render_version

pytestmark = pytest.mark.service

SIDE = 64
MEDIA = a_media()
PAIR = Pair(media_id=MEDIA.id, phrase="red circle")
OTHER = Pair(media_id=MEDIA.id, phrase="ghost")
MASKS = (a_mask(left=0), a_mask(left=4))


class Drawing(FakeVerifier):
    """Says that its pictures are drawn by this code."""

    render = render_version(SIDE)


def accept_first(question: Question) -> Option:
    if question.task is VerdictTask.GROUNDABILITY:
        return Option.GROUNDABLE
    is_second = question.task is VerdictTask.MASK and question.mask_ids[0].endswith("/1")
    return Option.REJECT if is_second else Option.ACCEPT


@pytest.fixture
def reader() -> MemoryReader:
    file = BytesIO()
    pixels_HWC = np.random.default_rng(0).integers(0, 256, (MEDIA.height, MEDIA.width, 3), np.uint8)
    Image.fromarray(pixels_HWC).save(file, "PNG")
    return MemoryReader({MEDIA.id: file.getvalue()})


@pytest.fixture
def engine(fresh_database: Callable[[], Engine]) -> Engine:
    engine = fresh_database()
    with transaction(engine) as session:
        add_media(session, [MEDIA], [])
        add_pairs(session, [PAIR, OTHER], [])
        add_proposal_sets(session, [a_proposal_set(PAIR, MASKS), a_proposal_set(OTHER, [])])
    return engine


def verify(engine: Engine, reader: MemoryReader, verifier: FakeVerifier) -> None:
    worker = Worker(name="w", engine=engine, shards=ShardSettings())

    async def work() -> None:
        for job in (MaskJob, ExhaustivityJob):
            inquiry = inquiry_of(verifier, reader, engine=engine, cpu_threads=1)
            await drain(job(engine=engine, inquiry=inquiry), worker)

    asyncio.run(work())


def verdicts_on(engine: Engine, pair: Pair) -> dict[str, Judged]:
    """The verdicts by what they are about."""
    with transaction(engine) as session:
        found = judged(session, facts_of(session, [pair.id])[0])
    return {each.about: each for each in found}


def test_pictures_are_those_that_were_sent(engine: Engine, reader: MemoryReader) -> None:
    verify(engine, reader, Drawing(accept_first))
    found = verdicts_on(engine, PAIR)
    cards = verdict_cards([*found.values()], MEDIA.id, reader)
    pixels_HWC = decode_rgb(reader.read(MEDIA.id), name="")
    set_id = a_proposal_set(PAIR, MASKS).id

    assert {
        f"mask {set_id}/0": as_jpeg(render_mask(pixels_HWC, MASKS[0], side=SIDE)),
        f"mask {set_id}/1": as_jpeg(render_mask(pixels_HWC, MASKS[1], side=SIDE)),
        "zero boxes": as_jpeg(render_boxes(pixels_HWC, [], side=SIDE)),
        f"boxes around {set_id}/0": as_jpeg(render_boxes(pixels_HWC, MASKS[:1], side=SIDE)),
    } == {about: card.jpeg for about, card in zip(found, cards, strict=True)}


def test_a_picture_of_another_version_is_not_drawn(engine: Engine, reader: MemoryReader) -> None:
    verify(engine, reader, FakeVerifier(accept_first))
    found = [*verdicts_on(engine, PAIR).values()]

    assert all("version 0/8" in card.problem for card in verdict_cards(found, MEDIA.id, reader))


def test_an_image_that_is_gone_leaves_the_verdicts(engine: Engine, reader: MemoryReader) -> None:
    verify(engine, reader, Drawing(accept_first))
    found = [*verdicts_on(engine, PAIR).values()]
    cards = verdict_cards(found, MEDIA.id, MemoryReader({}))

    assert [(b"", True)] * 4 == [(card.jpeg, MEDIA.id in card.problem) for card in cards]


def test_a_phrase_that_was_judged_for_another_pair_is_shown_too(
    engine: Engine, reader: MemoryReader
) -> None:
    same = Pair(media_id=a_media("b").id, phrase=OTHER.phrase)
    verify(engine, reader, Drawing(accept_first))
    with transaction(engine) as session:
        add_media(session, [a_media("b")], [])
        add_pairs(session, [same], [])
        add_proposal_sets(session, [a_proposal_set(same, [])])
    both = MemoryReader({MEDIA.id: reader.read(MEDIA.id), same.media_id: reader.read(MEDIA.id)})
    verify(engine, both, Drawing(accept_first))

    assert {"zero boxes", "the phrase, without a picture"} == set(verdicts_on(engine, same))


def test_the_table_tells_how_each_question_was_asked(engine: Engine, reader: MemoryReader) -> None:
    verify(engine, reader, Drawing(accept_first))
    table = verdict_table([*verdicts_on(engine, PAIR).values()])
    row = dict(zip(table.columns, table.rows[0], strict=True))

    assert "fake@0" == row["judge"]
    assert render_version(SIDE) == row["render"]
    assert sorted(["Accept", "Accept as text", "Flag label", "Whole image", "Reject"]) == sorted(
        row["order"].split(" > ")
    )


def test_a_tile_says_in_a_line_what_the_verifier_said(engine: Engine, reader: MemoryReader) -> None:
    verify(engine, reader, Drawing(accept_first))
    with transaction(engine) as session:
        key = newest_verifier(session)
        [judged_pair] = facts_of(session, [PAIR.id], verifier=key)
        [unasked] = facts_of(session, [PAIR.id])

    assert "MV accepts 1 of 2, EV presence 0.25, EV Accept" == verdict_line(judged_pair)
    assert "" == verdict_line(unasked)
