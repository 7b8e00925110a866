"""From routed pairs through a desk to finished ones, on the real Postgres."""

from collections.abc import Callable, Sequence
from datetime import datetime

import pytest
from sqlalchemy import Engine

from db.failures import failure_counts
from db.labels import add_labels, audit_labels
from db.media import add_media
from db.pairs import add_pairs, states_of
from db.proposals import add_proposal_sets
from db.queues import add_items, count_items, items_of
from db.resolutions import resolutions
from db.reviews import reviews_of
from db.routes import add_routes
from db.session import transaction
from engine.decisions import CalibratedTask
from engine.errors import ServiceUnavailableError
from engine.labels import Sampling
from engine.ports import Drawing, DrawnMask
from engine.queues import Asked, ItemState, Purpose, Queue, QueueItem
from engine.records import MediaSource, Outcome, Pair, PairState, ProposalSet
from engine.reviews import NoAnswer, Standing
from engine.routes import Reason, Route, RoutedPair, Step
from engine.verdicts import Option, proposal_mask_id
from flows.advance import Demand, advance
from flows.desk import DeskLoop
from flows.settings import QueueSettings
from flows.window import Window, fill
from tests.factories import a_mask, a_media, a_proposal_set
from tests.paper_desk import PaperDesk, drawing
from tests.verdicts import a_label, a_mask_verdict

pytestmark = pytest.mark.service

MEDIA = a_media()
YES, NO = Option.ACCEPT, Option.REJECT
ONCE = QueueSettings(second_review_share=0, known_share=0)


@pytest.fixture
def engine(fresh_database: Callable[[], Engine]) -> Engine:
    created = fresh_database()
    with transaction(created) as session:
        source = MediaSource(media_id=MEDIA.id, uri="file:///a.png", domain="art")
        add_media(session, [MEDIA], [source])
    return created


@pytest.fixture
def desk() -> PaperDesk:
    return PaperDesk()


def a_pair(
    engine: Engine,
    phrase: str,
    *,
    step: Step = Step.HUMAN_MASK,
    num_masks: int = 1,
    settings: QueueSettings = ONCE,
) -> ProposalSet:
    """Write a pair that a verifier sent to people, and return its proposals."""
    pair = Pair(media_id=MEDIA.id, phrase=phrase)
    proposals = a_proposal_set(pair, [a_mask(left=left) for left in range(num_masks)])
    ids = tuple(proposal_mask_id(proposals.id, index) for index in range(num_masks))
    is_open = step is Step.HUMAN_MASK
    route = RoutedPair(
        pair_id=pair.id,
        judge="llava@1",
        route=Route(step=step, task=CalibratedTask.MASK, reason=Reason.UNSURE),
        mask_ids=() if is_open else ids,
        undecided_ids=ids if is_open else (),
        is_shadowed=False,
        evidence="evidence",
    )
    with transaction(engine) as session:
        add_pairs(session, [pair], [])
        add_proposal_sets(session, [proposals])
        add_routes(session, [route])
        advance(session, [pair.id], wanted=Demand(), settings=settings)
    return proposals


def a_window(
    engine: Engine, desk: PaperDesk, settings: QueueSettings = ONCE, *, size: int = 10
) -> Window:
    return Window(
        engine=engine,
        desk=desk,
        settings=settings,
        size=size,
        media_url=lambda media_id: f"http://media/{media_id}",
        reference_urls=lambda phrase: (),
    )


def a_loop(
    engine: Engine, desk: PaperDesk, settings: QueueSettings = ONCE, *, size: int = 10
) -> DeskLoop:
    return DeskLoop(a_window(engine, desk, settings, size=size))


def state(engine: Engine, proposals: ProposalSet) -> PairState:
    with transaction(engine) as session:
        return states_of(session, [proposals.pair_id])[proposals.pair_id]


def outcomes(engine: Engine, proposals: ProposalSet) -> list[Outcome]:
    with transaction(engine) as session:
        return [each.outcome for each in resolutions(session, [proposals.pair_id])]


def standings(engine: Engine, proposals: ProposalSet) -> list[Standing]:
    with transaction(engine) as session:
        return [standing for _, standing in reviews_of(session, [proposals.pair_id])]


def counts(engine: Engine, queue: Queue) -> dict[ItemState, int]:
    with transaction(engine) as session:
        return {at: n for (own, at), n in count_items(session).items() if own is queue}


def only(desk: PaperDesk, queue: Queue) -> int:
    (number,) = desk.numbers(queue)
    return number


def test_a_pair_goes_from_its_mask_to_the_end(engine: Engine, desk: PaperDesk) -> None:
    pair, loop = a_pair(engine, "red circle"), a_loop(engine, desk)
    loop.turn()
    desk.answer(only(desk, Queue.MASK_VERIFICATION), YES)
    loop.turn()
    assert PairState.EXHAUSTIVITY_VERIFICATION is state(engine, pair)
    desk.answer(only(desk, Queue.EXHAUSTIVITY), YES, "ben@example.org")
    loop.turn()

    assert PairState.FINISHED is state(engine, pair)
    assert [Outcome.INSTANCE_EXHAUSTIVE] == outcomes(engine, pair)
    loop.turn()
    assert [] == desk.numbers(Queue.MASK_VERIFICATION) + desk.numbers(Queue.EXHAUSTIVITY)


def test_what_a_person_drew_is_kept_to_the_byte(engine: Engine, desk: PaperDesk) -> None:
    pair, loop = a_pair(engine, "red circle", step=Step.CORRECTION), a_loop(engine, desk)
    loop.turn()
    number = only(desk, Queue.CORRECTION)
    shown = proposal_mask_id(pair.id, 0)
    new = a_mask(left=5)
    desk.answer(number, drawing((shown, pair.proposals[0].mask), ("", new)))
    loop.turn()

    with transaction(engine) as session:
        (resolution,) = resolutions(session, [pair.pair_id])
    assert [pair.proposals[0].mask, new] == [each.mask for each in resolution.masks]
    assert "anna@example.org" == resolution.maker


def test_reading_again_changes_nothing(engine: Engine, desk: PaperDesk) -> None:
    pair, loop = a_pair(engine, "red circle"), a_loop(engine, desk)
    loop.turn()
    desk.answer(only(desk, Queue.MASK_VERIFICATION), YES)
    for _ in range(3):
        a_loop(engine, desk).turn()  # each forgets what it knew

    assert [Standing.COUNTED] == standings(engine, pair)


def test_the_window_holds_the_most_urgent_items(engine: Engine, desk: PaperDesk) -> None:
    for number in range(7):
        a_pair(engine, f"thing {number}")
    loop = a_loop(engine, desk, size=3)
    loop.turn()
    loop.turn()

    assert 3 == len(desk.numbers(Queue.MASK_VERIFICATION))
    assert {ItemState.OPEN: 3, ItemState.WAITING: 4} == counts(engine, Queue.MASK_VERIFICATION)


def test_a_push_that_nobody_wrote_down_is_not_pushed_again(
    engine: Engine, desk: PaperDesk, monkeypatch: pytest.MonkeyPatch
) -> None:
    a_pair(engine, "red circle")

    def die(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("flows.window.set_desk_tasks", die)
        with pytest.raises(KeyboardInterrupt):
            fill(a_window(engine, desk), Queue.MASK_VERIFICATION)
    a_loop(engine, desk).turn()

    assert 1 == len(desk.numbers(Queue.MASK_VERIFICATION))
    assert 1 == len(desk.pushes)


def test_a_task_that_the_desk_lost_is_shown_again(engine: Engine, desk: PaperDesk) -> None:
    a_pair(engine, "red circle")
    loop = a_loop(engine, desk)
    loop.turn()
    desk.remove(Queue.MASK_VERIFICATION, desk.numbers(Queue.MASK_VERIFICATION))
    loop.turn()

    assert 1 == len(desk.numbers(Queue.MASK_VERIFICATION))


def test_of_two_tasks_for_an_item_one_stays(engine: Engine, desk: PaperDesk) -> None:
    a_pair(engine, "red circle")
    loop = a_loop(engine, desk)
    loop.turn()
    first = only(desk, Queue.MASK_VERIFICATION)
    desk.push(Queue.MASK_VERIFICATION, [desk.task(first)])
    loop.turn()

    assert [first] == desk.numbers(Queue.MASK_VERIFICATION)


def test_two_people_on_one_pair_are_counted_once(engine: Engine, desk: PaperDesk) -> None:
    pair, loop = a_pair(engine, "red circle"), a_loop(engine, desk)
    loop.turn()
    number = only(desk, Queue.MASK_VERIFICATION)
    task = desk.task(number)
    desk.answer(number, YES, "anna@example.org")
    loop.turn()
    # Ben had it open all the time.
    again = desk.push(Queue.MASK_VERIFICATION, [task])[task.item.id]
    desk.answer(again, NO, "ben@example.org")
    loop.turn()

    assert [Standing.COUNTED, Standing.LATE] == standings(engine, pair)
    assert PairState.EXHAUSTIVITY_VERIFICATION is state(engine, pair)


def test_a_changed_answer_counts_until_the_item_is_settled(engine: Engine, desk: PaperDesk) -> None:
    pair = a_pair(engine, "red circle", step=Step.HUMAN_EXHAUSTIVITY)
    loop = a_loop(engine, desk)
    audit(engine, pair)
    loop.turn()
    number = only(desk, Queue.AUDIT)
    annotation = desk.answer(number, NO, "anna@example.org")
    loop.turn()
    desk.change(annotation, number, YES, "anna@example.org")
    desk.answer(number, NO, "ben@example.org")
    loop.turn()
    desk.answer(number, YES, "carla@example.org")
    loop.turn()

    with transaction(engine) as session:
        (label,) = audit_labels(session)
    assert (YES, Sampling.RANDOM) == (label.option, label.sampling)
    assert ["anna@example.org", "ben@example.org", "carla@example.org"] == [
        vote.person for vote in label.votes
    ]


def audit(engine: Engine, pair: ProposalSet) -> None:
    mask_id = proposal_mask_id(pair.id, 0)
    item = QueueItem(
        queue=Queue.AUDIT,
        asked=Asked.MASK,
        purpose=Purpose.RANDOM,
        pair_id=pair.pair_id,
        subject_id=mask_id,
        mask_ids=(mask_id,),
    )
    with transaction(engine) as session:
        add_items(session, {item: 1.0})


def test_a_deleted_answer_no_longer_counts(engine: Engine, desk: PaperDesk) -> None:
    pair = a_pair(engine, "red circle", step=Step.HUMAN_EXHAUSTIVITY)
    audit(engine, pair)
    loop = a_loop(engine, desk)
    loop.turn()
    number = only(desk, Queue.AUDIT)
    gone = desk.answer(number, NO, "anna@example.org")
    desk.answer(number, YES, "ben@example.org")
    loop.turn()
    desk.take_back(gone)
    loop.turn()
    desk.answer(number, YES, "carla@example.org")
    loop.turn()
    with transaction(engine) as session:
        assert [] == audit_labels(session)
    desk.answer(number, YES, "dora@example.org")
    loop.turn()

    with transaction(engine) as session:
        (label,) = audit_labels(session)
    assert "anna@example.org" not in [vote.person for vote in label.votes]


def test_three_who_differ_need_a_fourth_who_is_somebody_else(
    engine: Engine, desk: PaperDesk
) -> None:
    pair = a_pair(engine, "red circle", step=Step.HUMAN_EXHAUSTIVITY)
    audit(engine, pair)
    loop = a_loop(engine, desk)
    loop.turn()
    number = only(desk, Queue.AUDIT)
    said = {"anna": YES, "ben": NO, "carla": Option.WHOLE_IMAGE}
    for person, option in said.items():
        desk.answer(number, option, person)
    loop.turn()
    loop.turn()
    again = only(desk, Queue.AUDIT)
    assert again != number
    desk.answer(again, NO, "anna")
    loop.turn()
    loop.turn()
    desk.answer(only(desk, Queue.AUDIT), NO, "dora")
    loop.turn()

    with transaction(engine) as session:
        (label,) = audit_labels(session)
    assert NO is label.option
    assert label.referee is not None
    assert "dora" == label.referee.person


def test_what_somebody_skipped_waits_for_somebody_else(engine: Engine, desk: PaperDesk) -> None:
    pair, loop = a_pair(engine, "red circle"), a_loop(engine, desk)
    loop.turn()
    first = only(desk, Queue.MASK_VERIFICATION)
    desk.answer(first, NoAnswer.SKIPPED, "anna@example.org")
    loop.turn()
    loop.turn()
    again = only(desk, Queue.MASK_VERIFICATION)
    desk.answer(again, YES, "anna@example.org")
    loop.turn()
    loop.turn()
    assert PairState.MASK_VERIFICATION is state(engine, pair)
    desk.answer(only(desk, Queue.MASK_VERIFICATION), YES, "ben@example.org")
    loop.turn()

    assert [Standing.COUNTED, Standing.EXCLUDED, Standing.COUNTED] == standings(engine, pair)
    assert PairState.EXHAUSTIVITY_VERIFICATION is state(engine, pair)


def test_a_correction_is_looked_at_by_somebody_else_and_sent_back(
    engine: Engine, desk: PaperDesk
) -> None:
    settings = QueueSettings(second_review_share=1, known_share=0)
    pair = a_pair(engine, "red circle", step=Step.CORRECTION, settings=settings)
    loop = a_loop(engine, desk, settings)
    loop.turn()
    desk.answer(only(desk, Queue.CORRECTION), drawing(("", a_mask(left=3))), "anna")
    loop.turn()
    assert PairState.SECOND_REVIEW is state(engine, pair)
    desk.answer(only(desk, Queue.SECOND_REVIEW), YES, "anna")
    loop.turn()
    assert PairState.SECOND_REVIEW is state(engine, pair)
    loop.turn()
    desk.answer(only(desk, Queue.SECOND_REVIEW), NO, "ben")
    loop.turn()
    assert PairState.CORRECTION is state(engine, pair)
    desk.answer(only(desk, Queue.CORRECTION), drawing(("", a_mask(left=5))), "carla")
    loop.turn()
    desk.answer(only(desk, Queue.SECOND_REVIEW), YES, "ben")
    loop.turn()

    with transaction(engine) as session:
        (resolution,) = resolutions(session, [pair.pair_id])
    assert [a_mask(left=5)] == [each.mask for each in resolution.masks]


def test_a_group_that_is_sent_back_is_shown_as_one_and_stays_one(
    engine: Engine, desk: PaperDesk
) -> None:
    settings = QueueSettings(second_review_share=1, known_share=0)
    pair = a_pair(engine, "red circle", step=Step.CORRECTION, settings=settings)
    loop = a_loop(engine, desk, settings)
    loop.turn()
    assert (False,) == desk.task(only(desk, Queue.CORRECTION)).are_groups
    drawn = Drawing(
        masks=(
            DrawnMask(mask=a_mask(), origin=f"{pair.id}/0", is_group=False),
            DrawnMask(mask=a_mask(left=3), origin="", is_group=True),
        )
    )
    desk.answer(only(desk, Queue.CORRECTION), drawn, "anna")
    loop.turn()
    assert (False, True) == desk.task(only(desk, Queue.SECOND_REVIEW)).are_groups
    desk.answer(only(desk, Queue.SECOND_REVIEW), NO, "ben")
    loop.turn()
    again = desk.task(only(desk, Queue.CORRECTION))

    assert (False, True) == again.are_groups
    assert (a_mask(), a_mask(left=3)) == again.masks


def labelled_pairs(engine: Engine, number: int) -> None:
    """Write pairs that wait for people though the answers to their masks are known."""
    pairs = [a_pair(engine, f"known {each}") for each in range(number)]
    verdicts = [
        a_mask_verdict(YES, mask_id=proposal_mask_id(each.id, 0), pair_id=each.pair_id)
        for each in pairs
    ]
    with transaction(engine) as session:
        add_labels(session, [a_label(each, YES) for each in verdicts], source="file_1")


@pytest.mark.parametrize(("num_work", "num_known"), [(1, 0), (2, 1), (7, 3), (20, 3)])
def test_known_items_are_a_share_of_what_is_shown(
    engine: Engine, desk: PaperDesk, num_work: int, num_known: int
) -> None:
    labelled_pairs(engine, num_work)
    settings = QueueSettings(second_review_share=0, known_share=0.3)
    a_loop(engine, desk, settings).turn()
    shown = [desk.task(n).item.purpose for n in desk.numbers(Queue.MASK_VERIFICATION)]

    assert min(num_work, 10 - num_known) == shown.count(Purpose.WORK)
    assert num_known == shown.count(Purpose.KNOWN)


def test_answers_of_a_person_in_training_are_kept_and_not_counted(
    engine: Engine, desk: PaperDesk
) -> None:
    labelled_pairs(engine, 7)
    settings = QueueSettings(
        second_review_share=0, known_share=0.3, training_share=0.3, known_needed=3
    )
    loop = a_loop(engine, desk, settings)
    loop.turn()
    tasks = {n: desk.task(n).item for n in desk.numbers(Queue.MASK_VERIFICATION)}
    trials = [n for n, item in tasks.items() if item.purpose is Purpose.KNOWN]
    assert 3 == len(trials)
    for number in trials:
        desk.answer(number, NO, "eva")
    loop.turn()
    work = next(n for n, item in tasks.items() if item.purpose is Purpose.WORK)
    desk.answer(work, YES, "eva")
    loop.turn()

    with transaction(engine) as session:
        pair_id = tasks[work].pair_id
        said = [
            each for each in reviews_of(session, [pair_id]) if each[0].item_id == tasks[work].id
        ]
    assert [Standing.IN_TRAINING] == [standing for _, standing in said]
    loop.turn()
    assert work not in desk.numbers(Queue.MASK_VERIFICATION)
    assert tasks[work].id in [desk.task(n).item.id for n in desk.numbers(Queue.MASK_VERIFICATION)]


def test_an_answer_that_fits_no_question_is_a_failure_and_the_rest_goes_on(
    engine: Engine, desk: PaperDesk
) -> None:
    bad, good = a_pair(engine, "red circle"), a_pair(engine, "blue ring")
    loop = a_loop(engine, desk)
    loop.turn()
    by_pair = {desk.task(n).item.pair_id: n for n in desk.numbers(Queue.MASK_VERIFICATION)}
    desk.answer(by_pair[bad.pair_id], Option.REJECT_UNSEPARATED)
    desk.answer(by_pair[good.pair_id], YES)
    loop.turn()

    assert PairState.MASK_VERIFICATION is state(engine, bad)
    assert PairState.EXHAUSTIVITY_VERIFICATION is state(engine, good)
    with transaction(engine) as session:
        assert {("review", "permanent"): 1} == failure_counts(session)
    loop.turn()
    again = only(desk, Queue.MASK_VERIFICATION)
    assert again != by_pair[bad.pair_id]
    assert bad.pair_id == desk.task(again).item.pair_id


def test_what_the_desk_cannot_show_is_set_aside_and_the_rest_is_pushed(
    engine: Engine, desk: PaperDesk
) -> None:
    pairs = [a_pair(engine, f"thing {number}") for number in range(5)]
    with transaction(engine) as session:
        found = items_of(session, [each.pair_id for each in pairs])
    items = {each.item.pair_id: each.item.id for each in found}
    desk.unshowable = {items[pairs[2].pair_id]}
    a_loop(engine, desk).turn()

    assert 4 == len(desk.numbers(Queue.MASK_VERIFICATION))
    with transaction(engine) as session:
        assert {("review", "invalid_mask"): 1} == failure_counts(session)


def test_a_pair_that_a_verifier_finishes_is_taken_off_the_desk(
    engine: Engine, desk: PaperDesk
) -> None:
    pair, loop = a_pair(engine, "red circle"), a_loop(engine, desk)
    loop.turn()
    with transaction(engine) as session:
        route = RoutedPair(
            pair_id=pair.pair_id,
            judge="llava@2",
            route=Route(step=Step.AUTO_ACCEPT, task=CalibratedTask.ABSENCE, reason=Reason.NEGATIVE),
            mask_ids=(),
            undecided_ids=(),
            is_shadowed=False,
            evidence="evidence 2",
        )
        add_routes(session, [route])
        advance(session, [pair.pair_id], wanted=Demand(), settings=ONCE)
    loop.turn()

    assert [] == desk.numbers(Queue.MASK_VERIFICATION)
    assert {ItemState.WITHDRAWN: 1} == counts(engine, Queue.MASK_VERIFICATION)


class HastyDesk(PaperDesk):
    """Somebody answers in the moment in which a task is removed."""

    def remove(
        self, queue: Queue, task_ids: Sequence[int], *, unless_after: datetime | None = None
    ) -> None:
        for number in [each for each in task_ids if each in self.shown[queue]]:
            self.answer(number, NO, "ben@example.org")
        super().remove(queue, task_ids, unless_after=unless_after)


def test_an_answer_to_a_task_that_is_being_removed_is_read(engine: Engine) -> None:
    pair, desk = a_pair(engine, "red circle"), HastyDesk()
    loop = a_loop(engine, desk)
    loop.turn()
    desk.answer(only(desk, Queue.MASK_VERIFICATION), YES)
    loop.turn()
    loop.turn()

    assert [Standing.COUNTED, Standing.LATE] == standings(engine, pair)


def test_an_answer_whose_stamp_came_too_late_is_read(engine: Engine, desk: PaperDesk) -> None:
    early, late = a_pair(engine, "red circle"), a_pair(engine, "blue ring")
    loop = a_loop(engine, desk)
    loop.turn()
    by_pair = {desk.task(n).item.pair_id: n for n in desk.numbers(Queue.MASK_VERIFICATION)}
    own = desk.answer(by_pair[late.pair_id], YES)
    hidden = desk.given.pop(own)
    for _ in range(60):  # seconds
        desk.answer(by_pair[early.pair_id], YES)
    loop.turn()
    desk.given[own] = hidden
    for _ in range(3):
        loop.turn()

    assert [Standing.COUNTED] == standings(engine, late)


def test_nothing_is_lost_while_the_desk_is_away(engine: Engine, desk: PaperDesk) -> None:
    pair, loop = a_pair(engine, "red circle"), a_loop(engine, desk)
    loop.turn()
    desk.answer(only(desk, Queue.MASK_VERIFICATION), YES)
    desk.is_away = True
    with pytest.raises(ServiceUnavailableError):
        loop.turn()
    desk.is_away = False
    loop.turn()

    assert [Standing.COUNTED] == standings(engine, pair)
