"""From a mask to the pixels before it and the models after it, on the real Postgres."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
from sqlalchemy import Engine

from db.lineage import pair_of_fact, trained_on
from db.model_versions import add_trained_version
from db.proposals import add_proposal_sets
from db.queues import add_items
from db.reviews import add_reviews
from db.session import transaction
from db.verdicts import add_verdicts
from engine.errors import ConfigError
from engine.model_versions import ModelVersion, Role
from engine.queues import Asked, Queue
from engine.records import Pair
from engine.reviews import Change, Correction, ReviewedMask, Standing
from engine.snapshots import Purpose
from engine.verdicts import OPTIONS, Verdict, VerdictTask
from flows.lineage import lineage
from flows.snapshots import SnapshotRequest, create_snapshot
from tests.commands import CommandLine
from tests.factories import a_mask, a_proposal_set
from tests.reviewing import a_review, an_item
from tests.snapshot_world import HEIGHT, ONE, TWO, WIDTH, World, settings_of

pytestmark = pytest.mark.service

EDITED = a_mask(left=20, width=WIDTH, height=HEIGHT)


@pytest.fixture
def engine(fresh_database: Callable[[], Engine]) -> Engine:
    return fresh_database()


@dataclass(frozen=True, slots=True, kw_only=True)
class Story:
    """One pair whose second mask was edited, and what came of it."""

    pair: Pair
    set_id: str
    review_id: str
    resolution_id: str
    snapshot_id: str


@pytest.fixture
def story(engine: Engine, tmp_path: Path) -> Story:
    world = World(engine=engine, folder=tmp_path / "images")
    media = world.image(1, domain="food", caption="a kite")
    pair = world.pair(media, "kite", phase="2")
    proposals = a_proposal_set(pair, [ONE, TWO], proposer="sam3@2")
    proposed = [f"{proposals.id}/{place}" for place in range(2)]
    item = an_item(
        Queue.CORRECTION,
        asked=Asked.CORRECTION,
        pair_id=pair.id,
        subject_id=pair.id,
        mask_ids=tuple(proposed),
    )
    kept = ReviewedMask(mask=ONE, change=Change.KEPT, origin=proposed[0])
    edited = ReviewedMask(mask=EDITED, change=Change.EDITED, origin=proposed[1])
    review = a_review(item, Correction(masks=(kept, edited)), seconds=9.0)
    with transaction(engine) as session:
        add_proposal_sets(session, [proposals])
        add_verdicts(session, [verdict_on(pair, mask_id) for mask_id in proposed])
        add_items(session, {item: 1.0})
        add_reviews(session, {review: Standing.COUNTED})
        for number, parent in (("1", ""), ("2", "sam3@1")):
            version(engine, f"sam3@{number}", parent=parent, snapshot_id="snapshot_old")
    resolution_id = world.resolve(pair, ONE, EDITED)
    request = SnapshotRequest(name="first", purpose=Purpose.TRAINING)
    made = create_snapshot(request, settings=settings_of(engine, tmp_path / "home"))
    version(engine, "sam3@3", parent="sam3@2", snapshot_id=made.id)
    version(engine, "sam3@4", parent="sam3@3", snapshot_id="snapshot_other")
    return Story(
        pair=pair,
        set_id=proposals.id,
        review_id=review.id,
        resolution_id=resolution_id,
        snapshot_id=made.id,
    )


def verdict_on(pair: Pair, mask_id: str) -> Verdict:
    rest = len(OPTIONS[VerdictTask.MASK]) - 1
    return Verdict(
        task=VerdictTask.MASK,
        subject_id=mask_id,
        pair_id=pair.id,
        judge="llava@1",
        prompt="prompt",
        render="",
        order_seed=0,
        num_orders=1,
        probabilities=(0.8, *(0.2 / rest for _ in range(rest))),
        seconds=0.1,
    )


def version(engine: Engine, name: str, **made: str) -> None:
    recipe = made.pop("recipe", '{"seed": 1}')
    with transaction(engine) as session:
        add_trained_version(
            session,
            ModelVersion(
                name=name, role=Role.PROPOSER, weights_uri=f"/w/{name}", recipe=recipe, **made
            ),
        )


def told(engine: Engine, fact_id: str) -> dict[str, list[dict[str, str]]]:
    with transaction(engine) as session:
        return {each.title: each.as_rows() for each in lineage(session, fact_id)}


def test_a_mask_of_a_resolution_leads_to_everything(engine: Engine, story: Story) -> None:
    found = told(engine, f"{story.resolution_id}/1")

    assert [story.pair.id] == [row["pair"] for row in found["pair"]]
    assert ["food", "a kite"] == [found["sources"][0][key] for key in ("domain", "caption")]
    assert ["2"] == [row["phase"] for row in found["origins"]]
    assert [("sam3@2", "kite", "0.750")] == [
        (row["proposer"], row["text"], row["presence"]) for row in found["prompts"]
    ]
    assert [
        (f"{story.set_id}/1", "proposed", "sam3@2"),
        (f"{story.review_id}/1", "edited", "anna"),
        (f"{story.resolution_id}/1", "decided", "anna"),
    ] == [(row["mask"], row["how"], row["maker"]) for row in found["masks"]]
    assert [f"mask {story.set_id}/1"] == [row["about"] for row in found["verdicts"]]
    assert [("anna", "9.0")] == [(row["person"], row["seconds"]) for row in found["people"]]
    assert [("sam3@2", "sam3@1"), ("sam3@1", "")] == [
        (row["model"], row["parent"]) for row in found["weights"]
    ]
    assert [("first", "train", story.resolution_id)] == [
        (row["names"], row["split"], row["resolution"]) for row in found["snapshots"]
    ]
    assert [("sam3@3", story.snapshot_id), ("sam3@4", "by its parent")] == [
        (row["model"], row["snapshot"]) for row in found["models trained on it"]
    ]


def test_every_end_of_the_line_tells_the_same(engine: Engine, story: Story) -> None:
    ends = [f"{owner}/1" for owner in (story.set_id, story.review_id, story.resolution_id)]

    assert [told(engine, ends[0])] * 3 == [told(engine, end) for end in ends]


def test_of_a_mask_only_its_own_is_shown(engine: Engine, story: Story) -> None:
    """The first mask was kept: the second one's line is not among what is told of it."""
    masks = {row["mask"] for row in told(engine, f"{story.set_id}/0")["masks"]}

    assert {f"{own}/0" for own in (story.set_id, story.review_id, story.resolution_id)} == masks


def test_of_a_pair_all_masks_are_shown(engine: Engine, story: Story) -> None:
    found = told(engine, story.pair.id)

    assert 6 == len(found["masks"])
    assert 2 == len(found["verdicts"])


def test_a_mask_that_nobody_decided_on_is_in_no_snapshot(engine: Engine, story: Story) -> None:
    newer = a_proposal_set(story.pair, [TWO], proposer="sam3@4")
    with transaction(engine) as session:
        add_proposal_sets(session, [newer])
    found = told(engine, f"{newer.id}/0")

    assert ([], []) == (found["snapshots"], found["models trained on it"])
    assert ["sam3@4", "sam3@3", "sam3@2", "sam3@1"] == [row["model"] for row in found["weights"]]


def test_what_a_model_was_not_trained_on_did_not_teach_it(engine: Engine, story: Story) -> None:
    """The snapshot is the same, but the model learnt from another split of it."""
    version(engine, "sam3@5", parent="", snapshot_id=story.snapshot_id, recipe='{"split": "val"}')

    found = told(engine, story.pair.id)["models trained on it"]
    assert ["sam3@3", "sam3@4"] == [row["model"] for row in found]


def test_a_snapshot_that_was_mixed_in_taught_as_well(engine: Engine, story: Story) -> None:
    recipe = f'{{"mix": "{story.snapshot_id}"}}'
    version(engine, "sam3@6", parent="", snapshot_id="snapshot_other", recipe=recipe)

    assert "sam3@6" in {row["model"] for row in told(engine, story.pair.id)["models trained on it"]}


@pytest.mark.parametrize(
    "fact_id", ["", "pair_1", "proposals_1/0", "review_1/0", "nonsense", "media_1", "resolution_1"]
)
def test_what_is_neither_pair_nor_mask_is_refused(engine: Engine, fact_id: str) -> None:
    with transaction(engine) as session:
        assert pair_of_fact(session, fact_id) is None
        assert [] == trained_on(session, [])
        with pytest.raises(ConfigError, match="neither a pair nor a mask"):
            lineage(session, fact_id)


def test_a_place_without_a_mask_is_refused(engine: Engine, story: Story) -> None:
    with pytest.raises(ConfigError, match="has no mask"):
        told(engine, f"{story.set_id}/7")


def test_the_command_and_the_page_of_the_pair_say_it(
    engine: Engine, story: Story, tmp_path: Path
) -> None:
    maskloop = CommandLine(tmp_path / "home", engine.url.render_as_string(hide_password=False), "")
    found = maskloop.json("lineage", f"{story.resolution_id}/0")
    shown = maskloop.json("show", "pair", story.pair.id, "--out", tmp_path / "page")

    assert told(engine, f"{story.resolution_id}/0") == found
    assert [story.snapshot_id] == [row["snapshot"] for row in shown["snapshots"]]
    assert "sam3@3" in (tmp_path / "page" / f"{story.pair.id}.html").read_text()
    assert "neither a pair nor a mask" in maskloop("lineage", "pair_none", exit_code=2)
