"""What the report says of people, from their answers on the real Postgres."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from sqlalchemy import Engine

from db.labels import add_labels
from db.queues import add_items
from db.reviews import votes_on
from db.session import transaction
from engine.labels import AuditLabel, Sampling, Vote
from engine.ports import Drawing
from engine.queues import Asked, Purpose, Queue, QueueItem
from engine.records import Pair
from engine.reviews import NoAnswer, Rejection, review_mask_id
from engine.verdicts import Option, VerdictTask, accepted_set_id
from flows.reviewers import print_reviewers, read_reviewers
from flows.settings import QueueSettings
from tests.gold_world import (
    MISSED,
    OTHER,
    SHOWN,
    answer_all,
    given,
    left,
    queued,
    take,
    write_pairs,
)

pytestmark = pytest.mark.service

YES, NO, WHOLE = Option.ACCEPT, Option.REJECT, Option.WHOLE_IMAGE
SETTINGS = QueueSettings(accuracy_bar=0.7, known_needed=4)


@pytest.fixture
def engine(fresh_database: Callable[[], Engine]) -> Engine:
    return fresh_database()


@pytest.fixture
def pair(engine: Engine) -> Pair:
    (written,) = write_pairs(engine)
    return written


Report = Callable[[], dict[str, Any]]


@pytest.fixture
def report(engine: Engine, capsys: pytest.CaptureFixture[str]) -> Report:
    """Return what `maskloop reviewers --json` prints, with the people by name."""

    def read() -> dict[str, Any]:
        with transaction(engine) as session:
            found = read_reviewers(session, SETTINGS)
        capsys.readouterr()
        print_reviewers(found, as_json=True)
        printed: dict[str, Any] = json.loads(capsys.readouterr().out)
        people = {each["person"]: each for each in printed["people"]}
        return printed | {"people": people}

    return read


def mask_item(
    pair: Pair, number: int, *, expected: Option | None = None, excluded: tuple[str, ...] = ()
) -> QueueItem:
    return QueueItem(
        queue=Queue.MASK_VERIFICATION,
        asked=Asked.MASK,
        purpose=Purpose.WORK if expected is None else Purpose.KNOWN,
        pair_id=pair.id,
        subject_id=f"set/{number}",
        mask_ids=(),
        excluded=excluded,
        expected=expected,
    )


def wait(engine: Engine, *items: QueueItem) -> None:
    with transaction(engine) as session:
        add_items(session, dict.fromkeys(items, 1.0))


def test_nobody_yet(report: Report) -> None:
    nothing = {"value": None, "interval": None, "over": 0}

    assert {"people": {}, "alpha": {}, "masks": {**nothing, "negatives": 0}} == report()


def test_reviews_are_counted_by_standing_and_seconds_by_what_was_asked(
    engine: Engine, report: Report
) -> None:
    *pairs, last = write_pairs(engine, phrases=("kite", "bird", "sea", "boat", "wave"))
    items = [mask_item(pair, number) for number, pair in enumerate(pairs)]
    items.append(mask_item(last, 4, excluded=("anna",)))
    wait(engine, *items)
    for number, seconds in enumerate((1.0, 2.0, 9.0)):
        take(engine, given(items[number], "anna", YES, seconds=seconds))
    take(engine, given(items[0], "anna", NO, minute=1, annotation_id=77, seconds=4.0))
    take(engine, given(items[3], "anna", NoAnswer.SKIPPED, seconds=100.0))
    take(engine, given(items[4], "anna", YES, seconds=4.0))
    gold = queued(engine)[last.id]
    take(engine, given(gold, "anna", left(gold, SHOWN), seconds=60.0))
    anna = report()["people"]["anna"]

    assert {"counted": 5, "late": 1, "excluded": 1, "in_training": 0} == anna["reviews"]
    assert {
        "mask": {"num": 5, "median": 4.0, "mean": 4.0},
        "correction": {"num": 1, "median": 60.0, "mean": 60.0},
    } == anna["seconds"]


def test_known_answers_say_how_good_a_person_is_and_who_is_in_training(
    engine: Engine, pair: Pair, report: Report
) -> None:
    right = {"anna": (YES, YES, YES, NO), "ben": (YES, NO, NO, NO)}
    for person, said in right.items():
        shift = 10 * len(person)
        known = [mask_item(pair, shift + number, expected=YES) for number in range(len(said))]
        wait(engine, *known)
        for minute, (item, option) in enumerate(zip(known, said, strict=True)):
            take(engine, given(item, person, option, minute=minute), settings=SETTINGS)
    work = mask_item(pair, 0)
    wait(engine, work)
    take(engine, given(work, "ben", YES, minute=9), settings=SETTINGS)
    people = report()["people"]

    assert [(3, 4, False), (1, 4, True)] == [
        (each["known"]["right"], each["known"]["of"], each["in_training"])
        for each in (people["anna"], people["ben"])
    ]
    assert 0.75 == people["anna"]["known"]["value"]
    # Clopper and Pearson (1934), 3 of 4 at 95 %
    assert [0.1941, 0.9937] == pytest.approx(people["anna"]["known"]["interval"], abs=1e-4)
    assert {"counted": 4, "late": 0, "excluded": 0, "in_training": 1} == people["ben"]["reviews"]
    assert people["ben"]["second_reviews"] == {"accepted": 0, "sent_back": 0, "dropped": 0}


def test_of_a_known_item_the_first_answer_in_time_says_how_good_a_person_is(
    engine: Engine, pair: Pair, report: Report
) -> None:
    known = [mask_item(pair, number, expected=YES) for number in range(3)]
    wait(engine, *known)
    take(engine, given(known[0], "anna", NO))
    take(engine, given(known[0], "anna", YES, minute=1))  # changed
    take(engine, given(known[1], "ben", YES))
    take(engine, given(known[1], "anna", NO, minute=2))  # the item was settled by ben
    take(engine, given(known[2], "anna", NoAnswer.SKIPPED, minute=3))
    people = report()["people"]

    assert [(0, 1), (1, 1)] == [
        (each["known"]["right"], each["known"]["of"]) for each in (people["anna"], people["ben"])
    ]


def correct(
    engine: Engine, pair: Pair, person: str, *, attempt: int, is_empty: bool, num_shown: int = 2
) -> str:
    """Let *person* correct the pair, and return the id of the review."""
    item = QueueItem(
        queue=Queue.CORRECTION,
        asked=Asked.CORRECTION,
        purpose=Purpose.WORK,
        pair_id=pair.id,
        subject_id=pair.id,
        mask_ids=queued(engine)[pair.id].mask_ids[:num_shown],
        attempt=attempt,
    )
    wait(engine, item)
    drawn = Drawing() if is_empty else left(item, SHOWN, MISSED)
    take(engine, given(item, person, drawn))
    with transaction(engine) as session:
        return votes_on(session, [item.id])[item.id][0].id


@pytest.mark.parametrize("is_empty", [False, True], ids=["masks", "no masks"])
def test_second_reviews_belong_to_whom_they_are_about(
    engine: Engine, report: Report, is_empty: bool
) -> None:
    pairs = write_pairs(engine, phrases=("kite", "bird", "sea"))
    said = {0: (YES,), 1: (NO, Option.REJECT_UNSEPARATED), 2: (NO, WHOLE)}
    for number, options in said.items():
        pair = pairs[number]
        for attempt, option in enumerate(options):
            person = "anna" if attempt == 0 else "ben"
            # Somebody else corrected what an earlier model had proposed; nobody looked at that.
            correct(engine, pair, "dora", attempt=attempt, is_empty=not is_empty, num_shown=0)
            review = correct(engine, pair, person, attempt=attempt, is_empty=is_empty)
            masks = () if is_empty else tuple(review_mask_id(review, i) for i in range(2))
            item = QueueItem(
                queue=Queue.SECOND_REVIEW,
                asked=Asked.EXHAUSTIVITY,
                purpose=Purpose.WORK,
                pair_id=pair.id,
                subject_id=accepted_set_id(pair.id, masks),
                mask_ids=masks,
                attempt=attempt,
                excluded=(person,),
            )
            wait(engine, item)
            take(engine, given(item, "carla", option))
    people = report()["people"]

    assert {"accepted": 1, "sent_back": 2, "dropped": 0} == people["anna"]["second_reviews"]
    assert {"accepted": 0, "sent_back": 1, "dropped": 1} == people["ben"]["second_reviews"]
    for other in ("carla", "dora"):
        assert {"accepted": 0, "sent_back": 0, "dropped": 0} == people[other]["second_reviews"]


def test_audits_say_how_far_people_agree(engine: Engine, pair: Pair, report: Report) -> None:
    def label(number: int, *said: Option) -> AuditLabel:
        votes = zip(("anna", "ben", "carla"), said, strict=True)
        return AuditLabel(
            task=VerdictTask.MASK,
            subject_id=f"set/{number}",
            pair_id=pair.id,
            mask_ids=(),
            votes=tuple(Vote(person=person, option=option) for person, option in votes),
            referee=None,
            option=said[0],
            sampling=Sampling.RANDOM,
            batch="",
        )

    with transaction(engine) as session:
        add_labels(session, [label(0, YES, YES, NO), label(1, NO, NO, NO)], source="file_1")
    found = report()
    anna, carla = found["people"]["anna"], found["people"]["carla"]

    assert [(2, 2), (1, 2)] == [
        (own["settled"]["right"], own["settled"]["of"]) for own in (anna, carla)
    ]
    assert [
        {"task": "mask", "with": "ben", "subjects": 2, "kappa": 1.0},
        {"task": "mask", "with": "carla", "subjects": 2, "kappa": 0.0},
    ] == anna["kappa"]
    # Coincidences: 2 of unlike values over 2, times 5; by chance 2 * 2 * 4.
    assert 1 - 5 * 2 / 16 == found["alpha"]["mask"]["value"]
    assert 2 == found["alpha"]["mask"]["over"]
    assert 0 == sum(anna["reviews"].values())


def test_gold_says_how_alike_masks_are(engine: Engine, report: Report) -> None:
    pairs = write_pairs(engine, phrases=("kite", "bird", "sea"))
    items = queued(engine)
    kite, bird, sea = (items[pair.id] for pair in pairs)
    answer_all(engine, kite, left(kite, SHOWN), left(kite, SHOWN), left(kite, SHOWN, OTHER))
    answer_all(engine, bird, *[left(bird)] * 3)
    take(engine, given(sea, "anna", left(sea, SHOWN)))
    take(engine, given(sea, "ben", Drawing(rejection=Rejection.UNSURE)))
    masks = report()["masks"]

    assert (3, 3) == (masks["over"], masks["negatives"])
    assert (1 + 0.5 + 0.5) / 3 == pytest.approx(masks["value"])


def test_the_table_names_everybody(
    engine: Engine, pair: Pair, capsys: pytest.CaptureFixture[str]
) -> None:
    item = mask_item(pair, 0)
    wait(engine, item)
    take(engine, given(item, "[red]anna@example.org", YES, seconds=3.0))
    with transaction(engine) as session:
        found = read_reviewers(session, SETTINGS)
    print_reviewers(found, as_json=False)
    printed = capsys.readouterr().out

    assert "[red]anna@example.org" in printed
    assert "mask 3" in printed
    assert "no meaning" in printed
