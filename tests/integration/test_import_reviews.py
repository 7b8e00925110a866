"""People's labels come in from files: about what is known, once, and no bad line stops the rest."""

import json
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest
from sqlalchemy import Engine

from db.failures import failures
from db.labels import audit_labels
from db.media import add_media
from db.pairs import add_pairs
from db.proposals import add_proposal_sets
from db.session import transaction
from engine.calibration import calibrate
from engine.records import MediaSource, Pair
from engine.thresholds import CalibrationReason, Goal
from engine.verdicts import Option, VerdictTask, accepted_set_id
from flows.reviews import write_reviews
from tests.factories import a_mask, a_media, a_proposal_set
from tests.verdicts import a_mask_verdict

pytestmark = pytest.mark.service

MEDIA = a_media()
PAIR = Pair(media_id=MEDIA.id, phrase="red circle")
OTHER = Pair(media_id=MEDIA.id, phrase="blue circle")
PROPOSALS = a_proposal_set(PAIR, [a_mask(left=0), a_mask(left=1)])
MASK = f"{PROPOSALS.id}/0"
LINE = {
    "pair": PAIR.id,
    "task": "mask",
    "masks": [MASK],
    "votes": [["anna", "Accept"], ["ben", "Accept"], ["carla", "Reject"]],
    "sampling": "random",
}


@pytest.fixture
def engine(fresh_database: Callable[[], Engine], tmp_path: Path) -> Engine:
    engine = fresh_database()
    uri = (tmp_path / "images" / "a.png").as_uri()
    with transaction(engine) as session:
        add_media(session, [MEDIA], [MediaSource(media_id=MEDIA.id, uri=uri)])
        add_pairs(session, [PAIR, OTHER], [])
        add_proposal_sets(session, [PROPOSALS])
    return engine


def import_(engine: Engine, folder: Path, *lines: object) -> Counter[str]:
    path = folder / "reviews.jsonl"
    path.write_text("\n".join(map(json.dumps, lines)), encoding="utf-8")
    return write_reviews(path, engine=engine, advance=lambda _: None)


@pytest.mark.parametrize(
    "named",
    [
        pytest.param({"pair": PAIR.id}, id="by its id"),
        pytest.param({"media": MEDIA.id, "phrase": "Red circle"}, id="by media and phrase"),
        pytest.param({"media": "images/a.png", "phrase": "red circle"}, id="by a path"),
    ],
)
def test_a_pair_can_be_named_in_several_ways(
    engine: Engine, tmp_path: Path, named: dict[str, str]
) -> None:
    line = {key: value for key, value in LINE.items() if key != "pair"}
    counts = import_(engine, tmp_path, {**line, **named})

    assert {"labels": 1, "known": 0, "failed": 0} == counts
    with transaction(engine) as session:
        (label,) = audit_labels(session)
    assert (PAIR.id, MASK, Option.ACCEPT) == (label.pair_id, label.subject_id, label.option)


def test_a_set_of_masks_is_known_whatever_their_order(engine: Engine, tmp_path: Path) -> None:
    ids = [f"{PROPOSALS.id}/1", MASK]
    import_(engine, tmp_path, {**LINE, "task": "exhaustivity", "masks": ids})

    with transaction(engine) as session:
        (label,) = audit_labels(session)
    assert (VerdictTask.EXHAUSTIVITY, accepted_set_id(PAIR.id, ids[::-1])) == (
        label.task,
        label.subject_id,
    )


def test_importing_again_changes_nothing(engine: Engine, tmp_path: Path) -> None:
    import_(engine, tmp_path, LINE)

    assert {"labels": 0, "known": 1, "failed": 0} == import_(engine, tmp_path, LINE)


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        pytest.param({**LINE, "pair": "pair_x"}, "there is no pair pair_x", id="pair"),
        pytest.param(
            {**LINE, "pair": "", "media": "b.png", "phrase": "red circle"},
            "there is no pair b.png and 'red circle'",
            id="media",
        ),
        pytest.param({**LINE, "masks": ["set/0"]}, "mask set/0 is none of pair", id="mask"),
        pytest.param({**LINE, "pair": OTHER.id}, "is none of pair", id="another pair's mask"),
        pytest.param({**LINE, "votes": []}, "0 votes are no label", id="no votes"),
    ],
)
def test_a_line_about_something_unknown_is_named_and_the_rest_comes_in(
    engine: Engine, tmp_path: Path, line: object, reason: str
) -> None:
    counts = import_(engine, tmp_path, line, LINE)

    assert {"labels": 1, "known": 0, "failed": 1} == counts
    with transaction(engine) as session:
        (failure,) = failures(session, "import_reviews")
    assert reason in failure.detail
    assert "reviews.jsonl#line 1" in failure.detail


def test_imported_labels_calibrate_a_judge_that_comes_later(engine: Engine, tmp_path: Path) -> None:
    """Labels belong to subjects: verdicts may follow."""
    pairs = [Pair(media_id=MEDIA.id, phrase=f"thing {i}") for i in range(600)]
    sets = [a_proposal_set(pair) for pair in pairs]
    with transaction(engine) as session:
        add_pairs(session, pairs, [])
        add_proposal_sets(session, sets)
    lines = [{**LINE, "pair": each.pair_id, "masks": [f"{each.id}/0"]} for each in sets]
    counts = import_(engine, tmp_path, *lines)
    verdicts = [
        a_mask_verdict(Option.ACCEPT, mask_id=f"{each.id}/0", pair_id=each.pair_id) for each in sets
    ]
    with transaction(engine) as session:
        labels = audit_labels(session)

    found = calibrate([("", verdict) for verdict in verdicts], labels, goal=Goal())

    assert 600 == counts["labels"]
    assert CalibrationReason.HOLDS in {each.choice.reason for each in found}
