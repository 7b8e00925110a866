"""Gold from the draw to three files and what is measured on them, on the real Postgres."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine

from db.gold import draw_pairs, gold_items
from db.pairs import add_pairs, move_pairs
from db.proposals import add_proposal_sets
from db.queues import withdraw_items
from db.session import transaction
from engine.errors import ConfigError
from engine.evaluation import evaluate
from engine.formats.saco import read_saco
from engine.ports import Drawing
from engine.queues import ItemState
from engine.records import Outcome, Pair, PairState
from engine.reviews import NoAnswer, Rejection
from flows.gold import BY_HAND, FILES, NOT_EXHAUSTIVE, export_gold, queue_gold
from flows.human_ceiling import gold_ceiling
from tests.commands import CommandLine
from tests.factories import a_media, a_proposal_set
from tests.gold_world import (
    MISSED,
    OTHER,
    PEOPLE,
    SHOWN,
    answer_all,
    given,
    left,
    queued,
    take,
    write_pairs,
)

pytestmark = pytest.mark.service

MEDIA = ("a", "b", "c")
PHRASES = ("kite", "red kite", "bird", "sea")


@pytest.fixture
def engine(fresh_database: Callable[[], Engine]) -> Engine:
    return fresh_database()


def queue(engine: Engine, num_pairs: int, *, seed: int = 0, domain: str | None = None) -> int:
    """Return how many items were new."""
    with transaction(engine) as session:
        return queue_gold(session, num_pairs=num_pairs, seed=seed, domain=domain)["new"]


def queued_pairs(engine: Engine) -> list[str]:
    with transaction(engine) as session:
        return [each.item.pair_id for each in gold_items(session)]


def load(folder: Path) -> list[Any]:
    return [json.loads((folder / name).read_bytes()) for name in FILES]


def test_drawing_again_queues_nothing_and_drawing_more_adds(engine: Engine) -> None:
    write_pairs(engine, names=MEDIA, phrases=PHRASES)
    counts = [queue(engine, num_pairs) for num_pairs in (5, 5, 7, 100)]

    assert [5, 0, 2, 5] == counts
    assert 12 == len(set(queued_pairs(engine)))


def test_pairs_are_drawn_media_by_media_and_by_the_seed(engine: Engine) -> None:
    pairs = {pair.id: pair for pair in write_pairs(engine, names=MEDIA, phrases=PHRASES)}
    with transaction(engine) as session:
        draws = [draw_pairs(session, 8, seed=seed) for seed in range(20)]

    for drawn in draws:
        media = [pairs[own].media_id for own in drawn]
        assert [media[0]] * 4 + [media[4]] * 4 == media
    assert 3 == len({pairs[drawn[0]].media_id for drawn in draws})
    assert 4 <= len({pairs[drawn[0]].phrase for drawn in draws})


def test_a_pair_keeps_its_item_until_that_is_withdrawn(engine: Engine) -> None:
    (pair,) = write_pairs(engine)
    item = queued(engine)[pair.id]
    newer = a_proposal_set(pair, [MISSED], proposer="sam3@1")
    with transaction(engine) as session:
        add_proposal_sets(session, [newer])

    assert 0 == queue(engine, 1)
    with transaction(engine) as session:
        withdraw_items(session, [item.id])
    assert 1 == queue(engine, 1)
    with transaction(engine) as session:
        waiting = [each for each in gold_items(session) if each.state is ItemState.WAITING]
    assert [(f"{newer.id}/0",)] == [each.item.mask_ids for each in waiting]


def test_pairs_that_are_dropped_or_have_no_proposals_are_not_drawn(engine: Engine) -> None:
    dropped, finished = write_pairs(engine, phrases=("kite", "bird"))
    unproposed = Pair(media_id=a_media().id, phrase="sea")
    states = {dropped.id: PairState.DROPPED, finished.id: PairState.FINISHED}
    with transaction(engine) as session:
        add_pairs(session, [unproposed], [])
        move_pairs(session, states, sources=list(PairState))

    assert 1 == queue(engine, 10)
    assert [finished.id] == queued_pairs(engine)


def test_a_domain_can_be_chosen(engine: Engine) -> None:
    pairs = write_pairs(engine, names=MEDIA)

    assert 1 == queue(engine, 10, domain="b")
    assert [pairs[1].id] == queued_pairs(engine)


def test_an_unknown_domain_and_a_draw_of_nothing_are_told(engine: Engine) -> None:
    with pytest.raises(ConfigError, match="maskloop propose"):
        queue(engine, 1)
    write_pairs(engine, names=MEDIA)
    with pytest.raises(ConfigError, match="no domain 'z': known are a, b, c"):
        queue(engine, 1, domain="z")


def test_three_versions_come_out_with_the_same_pairs_and_read_back(
    engine: Engine, tmp_path: Path
) -> None:
    pairs = write_pairs(engine, phrases=PHRASES)
    items = queued(engine)
    kite, red, bird, sea = (items[pair.id] for pair in pairs)
    answer_all(engine, kite, *[left(kite, SHOWN, OTHER)] * 3)
    answer_all(engine, red, left(red, SHOWN, OTHER, MISSED), *[left(red, SHOWN, OTHER)] * 2)
    answer_all(engine, bird, left(bird), left(bird), left(bird, MISSED, groups=[MISSED]))
    answer_all(engine, sea, left(sea, SHOWN, OTHER), *[left(sea, SHOWN)] * 2)
    counts = export_gold(tmp_path / "gold", engine)

    assert {"pairs": 4, BY_HAND: 3, NOT_EXHAUSTIVE: 1} == counts
    whole, negative = Outcome.INSTANCE_EXHAUSTIVE, Outcome.NEGATIVE
    expected = {
        "kite": ([whole] * 3, [[SHOWN, OTHER]] * 3),
        "red kite": ([whole] * 3, [[SHOWN, OTHER, MISSED], *[[SHOWN, OTHER]] * 2]),
        "bird": ([negative, negative, Outcome.PIXEL_EXHAUSTIVE], [[], [], [MISSED]]),
        "sea": ([whole] * 3, [[SHOWN, OTHER], [SHOWN], [SHOWN]]),
    }
    versions = [
        {pair.phrase: pair for pair in read_saco(tmp_path / "gold" / name).pairs} for name in FILES
    ]
    for phrase, (outcomes, masks) in expected.items():
        assert outcomes == [version[phrase].outcome for version in versions]
        assert masks == [[each.mask for each in v[phrase].masks] for v in versions]
    named = [
        [(image["id"], image["pair_id"]) for image in file["images"]]
        for file in load(tmp_path / "gold")
    ]
    assert named[0] == named[1] == named[2] == list(enumerate(sorted(items), start=1))


def test_group_masks_and_flags_are_those_of_each_version(engine: Engine, tmp_path: Path) -> None:
    (pair,) = write_pairs(engine)
    item = queued(engine)[pair.id]
    answer_all(
        engine, item, left(item, SHOWN), left(item, SHOWN, groups=[SHOWN]), left(item, SHOWN)
    )
    export_gold(tmp_path, engine)

    flags = ("is_instance_exhaustive", "is_pixel_exhaustive")
    files = load(tmp_path)
    assert [(1, 1), (0, 1), (1, 1)] == [
        tuple(file["images"][0][flag] for flag in flags) for file in files
    ]
    assert [0, 1, 0] == [file["annotations"][0]["iscrowd"] for file in files]


def test_whoever_answers_first_makes_version_a_even_if_the_answer_is_changed_later(
    engine: Engine, tmp_path: Path
) -> None:
    (pair,) = write_pairs(engine)
    item = queued(engine)[pair.id]
    take(engine, given(item, "carla", left(item, SHOWN, OTHER), minute=1))
    take(engine, given(item, "anna", left(item, SHOWN, OTHER), minute=2))
    take(engine, given(item, "carla", left(item, SHOWN, OTHER, MISSED), minute=3))
    take(engine, given(item, "ben", left(item, SHOWN, OTHER), minute=4))
    export_gold(tmp_path, engine)

    assert [3, 2, 2] == [len(file["annotations"]) for file in load(tmp_path)]


def test_of_four_who_answer_at_once_the_first_three_count(engine: Engine, tmp_path: Path) -> None:
    (pair,) = write_pairs(engine)
    item = queued(engine)[pair.id]
    alike = left(item, SHOWN, OTHER)
    answers = [given(item, person, alike, minute=i) for i, person in enumerate(PEOPLE)]
    take(engine, *answers, given(item, "dora", Drawing(rejection=Rejection.UNSURE), minute=9))

    assert {"pairs": 1, BY_HAND: 0, NOT_EXHAUSTIVE: 0} == export_gold(tmp_path, engine)


def test_pairs_that_are_in_no_file_are_counted_by_reason(engine: Engine, tmp_path: Path) -> None:
    pairs = write_pairs(engine, phrases=("kite", "bird", "sea", "boat", "wave"))
    items = queued(engine)
    kite, bird, sea, boat, wave = (items[pair.id] for pair in pairs)
    answer_all(engine, kite, *[left(kite, SHOWN)] * 3)
    answer_all(engine, bird, left(bird), left(bird), Drawing(rejection=Rejection.TOO_COMPLEX))
    answer_all(engine, sea, left(sea, SHOWN), left(sea, SHOWN), left(sea))
    take(engine, given(boat, "anna", left(boat)), given(boat, "ben", NoAnswer.SKIPPED))
    with transaction(engine) as session:
        withdraw_items(session, [wave.id])

    assert {
        "pairs": 2,
        BY_HAND: 1,
        NOT_EXHAUSTIVE: 0,
        "rejected_pairs": 1,
        "waiting_pairs": 1,
        "withdrawn_pairs": 1,
    } == export_gold(tmp_path, engine)
    assert [2, 2, 2] == [len(file["images"]) for file in load(tmp_path)]


def test_without_a_finished_pair_nothing_is_written(engine: Engine, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="maskloop gold queue"):
        export_gold(tmp_path / "gold", engine)
    (pair,) = write_pairs(engine)
    item = queued(engine)[pair.id]
    take(engine, given(item, "anna", left(item, SHOWN)))
    take(engine, given(item, "anna", left(item, OTHER), minute=1))
    take(engine, given(item, "anna", left(item, OTHER, SHOWN), minute=2))
    with pytest.raises(ConfigError, match="1 waiting_pairs; each needs 3 people"):
        export_gold(tmp_path / "gold", engine)

    assert [] == list(tmp_path.iterdir())


def test_a_folder_that_cannot_be_written_is_named(engine: Engine, tmp_path: Path) -> None:
    (pair,) = write_pairs(engine)
    item = queued(engine)[pair.id]
    answer_all(engine, item, *[left(item, SHOWN)] * 3)
    (tmp_path / "file").write_text("precious")

    with pytest.raises(ConfigError, match=r"file/gold cannot be written"):
        export_gold(tmp_path / "file" / "gold", engine)
    assert "precious" == (tmp_path / "file").read_text()


def test_writing_again_gives_the_same_bytes_and_leaves_other_files(
    engine: Engine, tmp_path: Path
) -> None:
    pairs = write_pairs(engine, phrases=PHRASES)
    items = queued(engine)
    for pair in pairs:
        item = items[pair.id]
        answer_all(engine, item, left(item, SHOWN), left(item, SHOWN, MISSED), left(item, SHOWN))
    (tmp_path / "predictions.json").write_text("[]")
    export_gold(tmp_path, engine)
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    export_gold(tmp_path, engine)

    assert {"predictions.json", *FILES} == set(before)
    assert before == {path.name: path.read_bytes() for path in tmp_path.iterdir()}


def test_the_files_are_what_evaluation_takes(engine: Engine, tmp_path: Path) -> None:
    """Predictions that are version b are perfect by the oracle."""
    items = an_agreed_world(engine)
    export_gold(tmp_path, engine)
    found = [
        {key: each[key] for key in ("image_id", "category_id", "bbox", "segmentation")}
        | {"score": 1.0}
        for each in load(tmp_path)[1]["annotations"]
    ]
    (tmp_path / "predictions.json").write_text(json.dumps(found))
    truth = [tmp_path / name for name in FILES]
    evaluation = evaluate(truth, tmp_path / "predictions.json", bootstrap_samples=0)

    assert (3, len(items)) == (evaluation.counts["annotators"], evaluation.counts["pairs"])
    assert 1 == pytest.approx(evaluation.metrics["cgF1_eval_segm_cgF1"], abs=1e-3)
    alone = evaluate(truth[:1], tmp_path / "predictions.json", bootstrap_samples=0)
    assert alone.metrics["cgF1_eval_segm_cgF1"] < 0.95


def an_agreed_world(engine: Engine) -> list[str]:
    """Write pairs of which one is disputed: version b has a mask there, the others have none."""
    pairs = write_pairs(engine, names=MEDIA, phrases=("kite", "bird"))
    items = queued(engine)
    for number, pair in enumerate(pairs):
        item = items[pair.id]
        drawings = [left(item, SHOWN) if number % 2 else left(item)] * 3
        if number == 2:
            drawings[1] = left(item, MISSED)
        answer_all(engine, item, *drawings)
    return [*items]


def test_the_ceiling_of_what_is_stored(engine: Engine) -> None:
    an_agreed_world(engine)
    found = gold_ceiling(engine, bootstrap_samples=100, seed=0)

    assert (6, 0, 1) == (found.num_pairs, found.num_pairs_left_out, found.num_disputed)
    # Six ordered choices of two versions, six pairs each: four choices disagree about one pair.
    tp, fn, fp, tn = 18, 2, 2, 14
    mcc = (tp * tn - fp * fn) / ((tp + fp) * (tp + fn) * (tn + fp) * (tn + fn)) ** 0.5
    assert mcc == pytest.approx(found.random_pair.metrics["IL_MCC"], abs=1e-4)
    assert found.oracle.metrics["cgF1"] > found.random_pair.metrics["cgF1"]


def test_a_ceiling_needs_a_pair_that_all_find_complete(engine: Engine) -> None:
    with pytest.raises(ConfigError, match="no gold yet"):
        gold_ceiling(engine, bootstrap_samples=0, seed=0)
    (pair,) = write_pairs(engine)
    item = queued(engine)[pair.id]
    answer_all(engine, item, left(item, SHOWN, groups=[SHOWN]), *[left(item, SHOWN)] * 2)

    with pytest.raises(ConfigError, match="none of 1 gold pairs"):
        gold_ceiling(engine, bootstrap_samples=0, seed=0)


def test_gold_by_the_command_line(engine: Engine, tmp_path: Path) -> None:
    url = engine.url.render_as_string(hide_password=False)
    maskloop = CommandLine(tmp_path / "home", url, "http://127.0.0.1:9/api")
    pairs = write_pairs(engine, names=MEDIA, phrases=("kite", "bird"))
    assert "no domain 'z'" in maskloop("gold", "queue", "--pairs", 3, "--domain", "z", exit_code=2)
    assert {"pairs": 6, "new": 6} == maskloop.json("gold", "queue", "--pairs", 9)
    items = queued(engine)
    for number, pair in enumerate(pairs):
        item = items[pair.id]
        answer_all(engine, item, *[left(item, SHOWN) if number % 2 else left(item)] * 3)
    counts = maskloop.json("gold", "export", tmp_path / "gold")
    assert {"pairs": 6, BY_HAND: 0, NOT_EXHAUSTIVE: 0} == counts
    stored = maskloop.json("gold", "ceiling", "--bootstrap", 10)
    truth = [word for name in FILES for word in ("--truth", tmp_path / "gold" / name)]

    assert stored == maskloop.json("gold", "ceiling", *truth, "--bootstrap", 10)
    assert 1 == pytest.approx(stored["random_pair"]["metrics"]["cgF1"], abs=1e-3)
    assert "human ceiling, 6 pairs" in maskloop("gold", "ceiling", "--bootstrap", 0)
    assert [*PEOPLE] == [each["person"] for each in maskloop.json("reviewers")["people"]]
    assert "carla" in maskloop("reviewers")
