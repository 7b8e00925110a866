"""Snapshots from the facts to what trainers read, on the real Postgres and real images."""

import gzip
import hashlib
import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import Engine, text

from db.failures import failures
from db.ontology import adopt_ontology
from db.session import transaction
from db.snapshots import (
    gold_media,
    media_of_split,
    snapshot_named,
    snapshot_rows,
    training_images,
    training_images_of,
)
from engine.errors import ConfigError
from engine.ontology import Concept, Ontology
from engine.records import Outcome
from engine.selection import Exhaustive, Selection
from engine.snapshots import Purpose, SnapshotRow
from engine.training_set import TrainingImage
from flows.export import Place
from flows.settings import Settings
from flows.snapshot_export import export_snapshot
from flows.snapshots import SnapshotInfo, SnapshotRequest, create_snapshot
from tests.snapshot_world import ONE, TWO, World, settings_of

pytestmark = pytest.mark.service

NOON = datetime(2026, 1, 2, 12, tzinfo=UTC)
HALVES = {"train": 0.5, "val": 0.5}


@pytest.fixture
def engine(fresh_database: Callable[[], Engine]) -> Engine:
    return fresh_database()


@pytest.fixture
def settings(engine: Engine, tmp_path: Path) -> Settings:
    return settings_of(engine, tmp_path / "home")


@pytest.fixture
def world(engine: Engine, tmp_path: Path) -> World:
    return World(engine=engine, folder=tmp_path / "images")


def make(settings: Settings, name: str = "s", **asked: object) -> SnapshotInfo:
    request = {"name": name, "purpose": Purpose.TRAINING, **asked}
    return create_snapshot(SnapshotRequest(**request), settings=settings)  # type: ignore[arg-type]


def rows_of(engine: Engine, made: SnapshotInfo) -> list[SnapshotRow]:
    with transaction(engine) as session:
        return list(snapshot_rows(session, made.id))


def images_of(engine: Engine, made: SnapshotInfo, split: str = "train") -> list[TrainingImage]:
    with transaction(engine) as session:
        return list(training_images(session, made.id, split=split))


def digests(folder: Path) -> dict[str, str]:
    """Return a digest of each file below *folder* by its path there."""
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def phrases_of(engine: Engine, made: SnapshotInfo) -> list[str]:
    return sorted(row.phrase for row in rows_of(engine, made))


def test_a_snapshot_holds_every_finished_pair_with_its_masks(
    world: World, engine: Engine, settings: Settings
) -> None:
    first, second = sorted(world.images([1, 2]), key=lambda media: media.id)
    world.finished(first, {"kite": [ONE, TWO], "bird": []})
    world.finished(second, {"kite": [TWO]})
    world.pair(second, "not finished")
    made = make(settings)
    one, other = images_of(engine, made)

    assert (3, 2, {"train": 3}) == (made.snapshot.num_rows, made.num_media, made.splits)
    assert (first.id, 48, 36) == (one.media_id, one.width, one.height)
    found = {pair.phrase: [each.mask for each in pair.masks] for pair in one.pairs}
    assert {"kite": [ONE, TWO], "bird": []} == found
    assert [Outcome.INSTANCE_EXHAUSTIVE] == [pair.outcome for pair in other.pairs]


@pytest.mark.parametrize("images_per_read", [1, 2, 100])
def test_images_come_once_and_in_order_whatever_is_read_at_a_time(
    world: World, engine: Engine, settings: Settings, images_per_read: int
) -> None:
    media = world.images(range(5))
    for each in media:
        world.finished(each, {"kite": [ONE], "bird": []})
    made = make(settings)
    with transaction(engine) as session:
        found = training_images(session, made.id, split="train", images_per_read=images_per_read)
        images = list(found)
        picked = training_images_of(session, made.id, [images[3].media_id, images[1].media_id])

    assert sorted(each.id for each in media) == [image.media_id for image in images]
    assert all(2 == len(image.pairs) for image in images)
    assert [images[1], images[3]] == picked


def test_doing_it_again_changes_nothing(world: World, engine: Engine, settings: Settings) -> None:
    world.finished(world.image(1), {"kite": [ONE]})
    first, again = make(settings), make(settings)
    other_name = make(settings, "t")

    assert (True, False, False) == (first.is_new, again.is_new, other_name.is_new)
    assert first.id == again.id == other_name.id
    assert 1 == len(rows_of(engine, first))
    with transaction(engine) as session:
        assert snapshot_named(session, "t") == snapshot_named(session, first.id) == first.snapshot


def test_a_name_never_moves(world: World, settings: Settings) -> None:
    world.finished(world.image(1), {"kite": [ONE]})
    make(settings)
    world.finished(world.image(2), {"kite": [ONE]})

    with pytest.raises(ConfigError, match="'s' is the name of snapshot_"):
        make(settings)


def test_what_comes_later_does_not_change_a_snapshot(
    world: World, engine: Engine, settings: Settings
) -> None:
    media = world.image(1)
    (pair,) = world.finished(media, {"kite": [ONE]})
    made = make(settings)
    before = rows_of(engine, made), images_of(engine, made)
    world.resolve(pair, TWO, maker="ben")

    assert before == (rows_of(engine, made), images_of(engine, made))


def test_of_several_resolutions_the_newest_counts(
    world: World, engine: Engine, settings: Settings
) -> None:
    media = world.image(1)
    pairs = {phrase: world.pair(media, phrase) for phrase in ("kept", "dropped", "emptied")}
    for pair in pairs.values():
        world.resolve(pair, ONE, at=NOON)
    world.resolve(pairs["kept"], TWO, maker="ben")
    world.resolve(pairs["dropped"], maker="ben", outcome=Outcome.DROPPED)
    world.resolve(pairs["emptied"], maker="ben", outcome=Outcome.INCOMPLETE)
    made = make(settings)
    (image,) = images_of(engine, made)

    assert [[TWO]] == [[each.mask for each in pair.masks] for pair in image.pairs]
    assert {"dropped": 1, "without_masks": 1} == made.left_out


@pytest.mark.parametrize(
    ("selection", "expected"),
    [
        pytest.param(Selection(), ["bird", "kite", "sea"], id="everything"),
        pytest.param(Selection(domains=("food",)), ["kite"], id="a domain"),
        pytest.param(Selection(domains=("", "food")), ["bird", "kite", "sea"], id="or no domain"),
        pytest.param(Selection(phases=("2",)), ["sea"], id="a phase"),
        pytest.param(Selection(phrases=("kite", "sea")), ["kite", "sea"], id="phrases"),
        pytest.param(Selection(concepts=("thing",)), ["bird", "kite"], id="a node and those below"),
        pytest.param(Selection(concepts=("Q2",)), ["kite"], id="a node by its id"),
        pytest.param(Selection(makers=("anna",)), ["bird", "kite"], id="a maker"),
        pytest.param(Selection(since=NOON), ["sea"], id="since then"),
        pytest.param(Selection(until=NOON), ["bird", "kite"], id="before then"),
        pytest.param(Selection(outcomes=(Outcome.NEGATIVE,)), ["bird"], id="an outcome"),
        pytest.param(
            Selection(exhaustive=Exhaustive.INSTANCE), ["bird", "kite"], id="every instance"
        ),
        pytest.param(
            Selection(exhaustive=Exhaustive.PIXEL), ["bird", "kite", "sea"], id="every pixel"
        ),
    ],
)
def test_filters(
    world: World, engine: Engine, settings: Settings, selection: Selection, expected: list[str]
) -> None:
    concepts = (
        Concept(id="Q1", name="thing"),
        Concept(id="Q2", name="kite", synonyms=("paper kite",), parents=("Q1",)),
        Concept(id="Q3", name="bird", parents=("Q1",)),
    )
    with transaction(engine) as session:
        adopt_ontology(session, Ontology(version="1", concepts=concepts), source="file_1")
    earlier = NOON - timedelta(seconds=1)
    world.resolve(world.pair(world.image(1, domain="food"), "kite"), ONE, at=earlier)
    plain = world.image(2)
    world.resolve(world.pair(plain, "bird"), at=earlier)
    sea = world.pair(plain, "sea", phase="2")
    world.resolve(sea, ONE, maker="ben", outcome=Outcome.PIXEL_EXHAUSTIVE, is_group=True, at=NOON)
    made = make(settings, selection=selection)

    assert expected == phrases_of(engine, made)


def test_a_concept_that_is_unknown_stops_it(world: World, settings: Settings) -> None:
    world.finished(world.image(1), {"kite": [ONE]})

    with pytest.raises(ConfigError, match="no ontology is in force"):
        make(settings, selection=Selection(concepts=("kite",)))


def test_an_empty_snapshot_is_refused_with_the_reasons(world: World, settings: Settings) -> None:
    with pytest.raises(ConfigError, match="no pair is finished yet"):
        make(settings)
    world.finished(world.image(1), {"kite": [ONE], "bird": []})
    with pytest.raises(ConfigError, match="not_asked 2"):
        make(settings, selection=Selection(domains=("food",)))


def test_gold_and_what_looks_like_it_stay_out_of_training(
    world: World, engine: Engine, settings: Settings
) -> None:
    for media in (world.image(1, domain="gold"), world.image(1, quality=60), world.image(2)):
        world.finished(media, {"kite": [ONE], "bird": []})
    gold = make(settings, "gold", purpose=Purpose.GOLD, selection=Selection(domains=("gold",)))
    made = make(settings)

    assert {"test": 2} == gold.splits
    assert {world.image(2).id} == {row.media_id for row in rows_of(engine, made)}
    assert {"like_gold": 4} == made.left_out
    with transaction(engine) as session:
        assert {row.media_id for row in rows_of(engine, gold)} == gold_media(session)


def test_gold_that_was_trained_on_is_said(world: World, settings: Settings) -> None:
    world.finished(world.image(1), {"kite": [ONE]})
    make(settings)
    world.finished(world.image(1, quality=60), {"kite": [ONE]})
    world.finished(world.image(2), {"kite": [ONE]})

    assert 2 == make(settings, "gold", purpose=Purpose.GOLD).media_trained_on


def test_media_that_look_the_same_are_in_one_split(
    world: World, engine: Engine, settings: Settings
) -> None:
    for seed in range(12):
        for quality in (0, 60):
            world.finished(world.image(seed, quality=quality), {"kite": [ONE]})
    made = make(settings, shares=HALVES)
    split_of = {row.media_id: row.split for row in rows_of(engine, made)}

    same = [(world.image(seed).id, world.image(seed, quality=60).id) for seed in range(12)]
    assert [] == [pair for pair in same if split_of[pair[0]] != split_of[pair[1]]]
    assert {"train", "val"} == set(split_of.values())
    with transaction(engine) as session:
        val = media_of_split(session, made.id, split="val")
    assert val == sorted(media for media, split in split_of.items() if split == "val")


def test_media_that_are_added_move_no_other(
    world: World, engine: Engine, settings: Settings
) -> None:
    for media in world.images(range(10)):
        world.finished(media, {"kite": [ONE]})
    before = {row.media_id: row.split for row in rows_of(engine, make(settings, shares=HALVES))}
    for seed in range(10):  # the same images again, compressed: they join the groups
        world.finished(world.image(seed, quality=60), {"kite": [ONE]})
    after = {
        row.media_id: row.split for row in rows_of(engine, make(settings, "later", shares=HALVES))
    }

    assert 20 == len(after)
    assert before == {media_id: after[media_id] for media_id in before}


def test_a_pair_whose_image_is_gone_fails_alone(
    world: World, engine: Engine, settings: Settings
) -> None:
    (lost,) = world.finished(world.image(1), {"kite": [ONE]})
    world.finished(world.image(2), {"kite": [ONE]})
    (world.folder / "1.png").unlink()
    made = make(settings)

    assert (1, {"media_gone": 1}) == (made.snapshot.num_rows, made.left_out)
    with transaction(engine) as session:
        (failure,) = failures(session, "snapshot")
    assert (lost.id, "unreadable_media") == (failure.subject_id, failure.reason)
    assert "1.png" in failure.detail
    trusting = make(settings, "trusting", is_media_read=False)
    assert 2 == trusting.snapshot.num_rows


@pytest.mark.parametrize(
    ("phrases", "group", "expected"),
    [
        pytest.param({"kite": [], "bird": []}, False, "all pairs are negative", id="negatives"),
        pytest.param({"kite": [ONE], "bird": [TWO]}, False, "no pair is negative", id="positives"),
        pytest.param({"kite": [ONE]}, False, "one phrase only: 'kite'", id="one class"),
        pytest.param({"kite": [ONE], "bird": []}, True, "all masks are group masks", id="groups"),
    ],
)
def test_what_a_snapshot_lacks_is_said(
    world: World,
    settings: Settings,
    phrases: dict[str, list[object]],
    group: bool,
    expected: str,
) -> None:
    for media in world.images([1, 2]):
        for phrase, masks in phrases.items():
            outcome = Outcome.PIXEL_EXHAUSTIVE if group and masks else None
            world.resolve(
                world.pair(media, phrase),
                *masks,  # type: ignore[arg-type]
                outcome=outcome,
                is_group=group,
            )

    assert [True] == [expected in remark for remark in make(settings).remarks if expected in remark]


def test_the_manifest_says_every_row_and_is_never_written_again(
    world: World, engine: Engine, settings: Settings
) -> None:
    for media in world.images([1, 2]):
        world.finished(media, {"kite": [ONE], "bird": []})
    made = make(settings)
    path = Path(made.snapshot.manifest_uri.removeprefix("file://"))
    written, changed = path.read_bytes(), path.stat().st_mtime_ns
    make(settings)
    head, *lines = [json.loads(line) for line in gzip.decompress(written).splitlines()]

    assert (made.id, 4) == (head["snapshot"], len(lines))
    assert [row.pair_id for row in rows_of(engine, made)] == [line["pair_id"] for line in lines]
    assert (written, changed) == (path.read_bytes(), path.stat().st_mtime_ns)


@pytest.mark.parametrize("file_format", ["saco", "coco", "lvis", "yolo", "parquet"])
def test_an_export_is_the_same_to_the_byte_whatever_comes_later(
    world: World, settings: Settings, tmp_path: Path, file_format: str
) -> None:
    media = world.images(range(6))
    for each in media:
        world.finished(each, {"kite": [ONE, TWO], "bird": []})
    make(settings, "first", shares=HALVES)

    def export(name: str) -> dict[str, str]:
        place = Place(folder=tmp_path / name, file_format=file_format, with_media=True)
        export_snapshot("first", place, split=None, settings=settings)
        return digests(place.folder)

    before = export("one")
    world.resolve(world.pair(media[0], "kite"), TWO, maker="ben")  # a newer decision
    world.resolve(world.pair(media[0], "sea"), TWO)  # a new pair of a media that is in it
    elsewhere = World(engine=world.engine, folder=tmp_path / "a")  # sorts before the first source
    elsewhere.image(0, caption="a caption")

    assert before == export("two") != {}


@pytest.mark.parametrize("name", ["", "a b", "snapshot_1", "../a", "a" * 81])
def test_what_cannot_be_a_name_is_refused(settings: Settings, name: str) -> None:
    with pytest.raises(ConfigError, match="cannot be the name"):
        make(settings, name)


def test_a_snapshot_cut_short_is_made_by_the_same_command(
    world: World, engine: Engine, settings: Settings
) -> None:
    """The manifest is there and the rows are not, as after kill -9 between the two."""
    world.finished(world.image(1), {"kite": [ONE]})
    whole = make(settings)
    with transaction(engine) as session:
        for table in ("snapshot_name", "snapshot_row", "snapshot"):
            session.execute(text(f"DELETE FROM {table}"))
    again = make(settings)

    assert (whole.id, True) == (again.id, again.is_new)
    assert whole.snapshot == again.snapshot
