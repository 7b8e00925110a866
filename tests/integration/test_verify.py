"""Verify workers on the real Postgres; the verifier is a named double."""

import asyncio
from collections import Counter
from collections.abc import Callable, Iterable
from io import BytesIO

import pytest
from PIL import Image
from sqlalchemy import Engine, text

from db.failures import failures, retry_failures
from db.media import add_media
from db.pairs import add_pairs, states_of
from db.proposals import add_proposal_sets
from db.session import transaction
from db.verdicts import verdicts_by_id, verdicts_of, verifications_of
from engine.errors import ServiceUnavailableError
from engine.ports import ShownQuestion
from engine.records import Pair, PairState
from engine.stages.verify import EXHAUSTIVITY, MASKS
from engine.verdicts import Option, Question, VerdictTask
from flows.drain import Worker, drain
from flows.inquiries import inquiry_of
from flows.jobs import ExhaustivityJob, MaskJob
from flows.settings import ShardSettings
from tests.doubles import FakeVerifier, MemoryReader
from tests.factories import a_mask, a_proposal_set, some_media

pytestmark = pytest.mark.service

NUM_MEDIA = 4
FULL, EMPTY = "red circle", "blue square"  # one has two proposals everywhere, one has none


ALL_MEDIA = some_media(NUM_MEDIA)


def pairs_of(phrase: str) -> list[Pair]:
    return [Pair(media_id=media.id, phrase=phrase) for media in ALL_MEDIA]


@pytest.fixture
def engine(fresh_database: Callable[[], Engine]) -> Engine:
    """Eight pairs with proposals."""
    engine = fresh_database()
    masks = [a_mask(left=0), a_mask(left=4)]
    with transaction(engine) as session:
        add_media(session, ALL_MEDIA, [])
        add_pairs(session, pairs_of(FULL) + pairs_of(EMPTY), [])
        add_proposal_sets(session, [a_proposal_set(pair, masks) for pair in pairs_of(FULL)])
        add_proposal_sets(session, [a_proposal_set(pair, []) for pair in pairs_of(EMPTY)])
    return engine


def sensible(question: Question) -> Option | None:
    """Accepts the first mask of each set, finds the boxes complete and the rest absent."""
    if question.task is VerdictTask.GROUNDABILITY:
        return Option.GROUNDABLE
    if question.task is VerdictTask.MASK:
        return Option.ACCEPT if question.mask_ids[0].endswith("/0") else Option.REJECT
    is_complete = bool(question.masks) or question.phrase == EMPTY
    return Option.ACCEPT if is_complete else Option.REJECT


def a_reader(gone: str = "") -> MemoryReader:
    file = BytesIO()
    Image.new("RGB", (8, 6)).save(file, "PNG")
    names = {media.id for media in ALL_MEDIA} - {gone}
    return MemoryReader(dict.fromkeys(names, file.getvalue()))


def verify(
    engine: Engine,
    verifier: FakeVerifier | None = None,
    *,
    reader: MemoryReader | None = None,
    stages: tuple[str, ...] = (MASKS, EXHAUSTIVITY),
) -> dict[str, Counter[str]]:
    jobs = {MASKS: MaskJob, EXHAUSTIVITY: ExhaustivityJob}
    worker = Worker(name="w", engine=engine, shards=ShardSettings(pairs_per_shard=3))
    inquiry = inquiry_of(
        verifier or FakeVerifier(sensible), reader or a_reader(), engine=engine, cpu_threads=1
    )
    return {
        stage: asyncio.run(drain(jobs[stage](engine=engine, inquiry=inquiry), worker))
        for stage in stages
    }


def tasks(verifier: FakeVerifier) -> Counter[tuple[VerdictTask, int]]:
    return Counter((each.question.task, len(each.question.masks)) for each in verifier.asked)


def test_every_pair_gets_its_verdicts(engine: Engine) -> None:
    verifier = FakeVerifier(sensible)
    counts = verify(engine, verifier)

    assert (4, 8) == (counts[MASKS]["pairs"], counts[EXHAUSTIVITY]["pairs"])
    expected = {
        (VerdictTask.MASK, 1): 8,
        (VerdictTask.EXHAUSTIVITY, 0): 8,
        (VerdictTask.EXHAUSTIVITY, 1): 4,
        (VerdictTask.GROUNDABILITY, 0): tasks(verifier)[(VerdictTask.GROUNDABILITY, 0)],
    }
    assert expected == tasks(verifier)


def test_a_phrase_is_asked_once_over_all_shards(engine: Engine) -> None:
    verifier = FakeVerifier(sensible)
    verify(engine, verifier)
    with transaction(engine) as session:
        ids = [pair.id for pair in pairs_of(EMPTY)]
        through = verifications_of(session, ids, stage=EXHAUSTIVITY)
        verdicts = verdicts_by_id(session, {one.verdict_ids[-1] for one in through})

    assert 1 == tasks(verifier)[(VerdictTask.GROUNDABILITY, 0)]
    assert 4 == len(through)
    assert [Option.GROUNDABLE] == [verdict.option for verdict in verdicts.values()]


def test_masks_that_were_judged_move_their_pair_on(engine: Engine) -> None:
    verify(engine, stages=(MASKS,))
    with transaction(engine) as session:
        states = states_of(session, [pair.id for pair in pairs_of(FULL)])

    assert {PairState.EXHAUSTIVITY_VERIFICATION} == set(states.values())


def test_finished_pairs_are_verified_and_stay_finished(engine: Engine) -> None:
    with transaction(engine) as session:
        session.execute(text("UPDATE pair SET state = 'finished'"))
    counts = verify(engine)

    assert 8 == counts[EXHAUSTIVITY]["pairs"]
    with transaction(engine) as session:
        assert {"finished"} == set(session.scalars(text("SELECT state FROM pair")))


def test_exhaustivity_is_asked_about_the_accepted_masks(engine: Engine) -> None:
    verify(engine)
    pair = pairs_of(FULL)[0]
    with transaction(engine) as session:
        [through] = verifications_of(session, [pair.id], stage=EXHAUSTIVITY)

    assert ["0"] == [mask_id.rpartition("/")[2] for mask_id in through.mask_ids]


def test_a_second_run_asks_nothing(engine: Engine) -> None:
    verify(engine)
    verifier = FakeVerifier(sensible)
    counts = verify(engine, verifier)

    assert ([], {MASKS: Counter(), EXHAUSTIVITY: Counter()}) == (verifier.asked, counts)


def test_an_image_that_is_gone_fails_its_pairs_and_comes_back_by_a_retry(engine: Engine) -> None:
    counts = verify(engine, reader=a_reader(gone="media_2"))

    assert (3, 1) == (counts[MASKS]["pairs"], counts[MASKS]["failed"])
    assert (6, 1) == (counts[EXHAUSTIVITY]["pairs"], counts[EXHAUSTIVITY]["failed"])
    with transaction(engine) as session:
        assert {"unreadable_media"} == {each.reason for each in failures(session)}
        for stage in (MASKS, EXHAUSTIVITY):
            retry_failures(session, stage=stage)
    again = verify(engine)
    assert (1, 2) == (again[MASKS]["pairs"], again[EXHAUSTIVITY]["pairs"])


def test_a_question_without_an_answer_is_all_that_a_retry_asks(engine: Engine) -> None:
    broken = pairs_of(FULL)[0]

    def cut(question: Question) -> Option | None:
        is_cut = question.pair_id == broken.id and question.mask_ids[0].endswith("/1")
        return None if is_cut else sensible(question)

    verify(engine, FakeVerifier(cut), stages=(MASKS,))
    with transaction(engine) as session:
        assert PairState.MASK_VERIFICATION is states_of(session, [broken.id])[broken.id]
        assert 1 == len(verdicts_of(session, [broken.id]))
        retry_failures(session, stage=MASKS)
    verifier = FakeVerifier(sensible)
    verify(engine, verifier, stages=(MASKS,))

    assert [1] == [int(each.question.mask_ids[0][-1]) for each in verifier.asked]


def test_a_verifier_that_is_gone_writes_nothing_and_gives_its_shard_back(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Gone(FakeVerifier):
        """Answers once, then is gone."""

        async def judge(self, questions: Iterable[ShownQuestion]):  # type: ignore[no-untyped-def]
            async for answer in super().judge(questions):
                yield answer
                raise ServiceUnavailableError("no server answers")

    monkeypatch.setattr("flows.drain._WAIT_SECONDS", (0.0,))
    with pytest.raises(ServiceUnavailableError):
        verify(engine, Gone(sensible), stages=(MASKS,))

    with transaction(engine) as session:
        assert 0 == session.scalar(text("SELECT count(*) FROM verdict"))
        free = "SELECT count(*) FROM shard WHERE lease_token = '' AND attempts = 0"
        assert 2 == session.scalar(text(free))
