"""Another verifier over finished pairs: its verdicts are stored, and nothing else moves."""

import asyncio
import base64
from collections.abc import Callable

import pytest
from sqlalchemy import Engine, text

from db.media import add_media
from db.pairs import add_pairs, states_of
from db.proposals import add_proposal_sets
from db.resolutions import add_resolutions, resolutions
from db.session import transaction
from db.verdicts import add_verdicts, verdicts_of
from engine.images import inspect_image
from engine.records import Outcome, Pair, Resolution, ResolvedMask
from engine.verdicts import Option, Question, VerdictTask
from flows.inquiries import inquiry_of
from flows.reverify import Reverified, reverify_all
from tests.doubles import FakeVerifier
from tests.factories import a_mask, a_proposal_set
from tests.verdicts import JUDGE, a_mask_verdict

pytestmark = pytest.mark.service

PNG = base64.b64decode(  # 8 x 6 grey pixels
    "iVBORw0KGgoAAAANSUhEUgAAAAgAAAAGCAAAAADbboAnAAAAEElEQVR4nGNsYIAAJgYSGAAb+gCMIRdGyAAAAABJRU5ErkJggg=="
)
MEDIA = inspect_image(PNG, name="a.png")
POSITIVE = Pair(media_id=MEDIA.id, phrase="red circle")
IMPORTED = Pair(media_id=MEDIA.id, phrase="blue circle")
NEGATIVE = Pair(media_id=MEDIA.id, phrase="green circle")
OPEN = Pair(media_id=MEDIA.id, phrase="open")
PAIRS = [POSITIVE, IMPORTED, NEGATIVE, OPEN]
PROPOSALS = a_proposal_set(POSITIVE, [a_mask(left=0), a_mask(left=1)])
YES, NO = Option.ACCEPT, Option.REJECT


class Reader:
    def read(self, media_id: str) -> bytes:
        assert MEDIA.id == media_id
        return PNG


@pytest.fixture
def engine(fresh_database: Callable[[], Engine]) -> Engine:
    """Two positive pairs, by the judge and by import, a negative one and an open one."""
    engine = fresh_database()
    outcome = Outcome.INSTANCE_EXHAUSTIVE
    with transaction(engine) as session:
        add_media(session, [MEDIA], [])
        add_pairs(session, PAIRS, [])
        add_proposal_sets(session, [PROPOSALS])
        ids = [f"{PROPOSALS.id}/{i}" for i in range(2)]
        said = zip(ids, (YES, NO), strict=True)
        add_verdicts(session, [a_mask_verdict(o, mask_id=m, pair_id=POSITIVE.id) for m, o in said])
        made = [
            (POSITIVE, JUDGE, outcome, (ResolvedMask(mask=a_mask(left=0)),)),
            (IMPORTED, "import:file", outcome, (ResolvedMask(mask=a_mask(left=2)),)),
            (NEGATIVE, "anna", Outcome.NEGATIVE, ()),
        ]
        add_resolutions(
            session,
            [Resolution(pair_id=p.id, maker=m, outcome=o, masks=k) for p, m, o, k in made],
        )
    return engine


def reverify(engine: Engine, verifier: FakeVerifier) -> Reverified:
    inquiry = inquiry_of(verifier, Reader(), engine=engine, cpu_threads=1)
    return asyncio.run(reverify_all(engine, inquiry=inquiry, advance=lambda _: None))


def contrary(question: Question) -> Option | None:
    """Accept what was left out, reject what was kept, and agree on everything else."""
    if question.task is VerdictTask.MASK:
        return YES if question.mask_ids == (f"{PROPOSALS.id}/1",) else NO
    return Option.GROUNDABLE if question.task is VerdictTask.GROUNDABILITY else YES


def test_the_flips_name_pair_mask_and_both_answers(engine: Engine) -> None:
    found = reverify(engine, FakeVerifier(contrary))
    flips = {
        (flip.claim.question.phrase, flip.claim.option, flip.claim.maker, flip.verdict.option)
        for flip in found.flips
    }

    assert {
        ("red circle", YES, JUDGE, NO),
        ("red circle", NO, JUDGE, YES),
        ("blue circle", YES, "import:file", NO),
    } == flips
    assert (3, 7, 0) == (found.num_pairs, found.num_claims, found.num_failed)


def test_nothing_but_verdicts_is_written(engine: Engine) -> None:
    def rest() -> object:
        ids = [pair.id for pair in PAIRS]
        with transaction(engine) as session:
            routes = session.scalar(text("SELECT count(*) FROM route"))
            return states_of(session, ids), resolutions(session, ids), routes

    before = rest()
    reverify(engine, FakeVerifier(contrary))

    assert before == rest()
    with transaction(engine) as session:
        judges = [each.judge for each in verdicts_of(session, [pair.id for pair in PAIRS])]
    assert 7 == judges.count(FakeVerifier.name)


def test_what_was_asked_is_not_asked_again(engine: Engine) -> None:
    first = reverify(engine, FakeVerifier(contrary))
    again = FakeVerifier(contrary)

    assert first == reverify(engine, again)
    assert [] == again.asked


def test_a_claim_without_an_answer_is_no_flip_and_is_counted(engine: Engine) -> None:
    found = reverify(engine, FakeVerifier(lambda _: None))

    assert (0, 7) == (len(found.flips), found.num_failed)
    with transaction(engine) as session:
        assert 7 == session.scalar(text("SELECT count(*) FROM failure WHERE stage = 'reverify'"))
