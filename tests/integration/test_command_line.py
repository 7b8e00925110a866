"""
The main job by the command line, in processes of their own, on real photos with truth.

What the tiny weights find on photos is little; every step must still be right.
"""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from PIL import Image, ImageDraw
from sqlalchemy import text

from db.session import make_engine, transaction
from engine.formats.coco import read_coco
from engine.formats.saco import read_saco
from tests.commands import CommandLine

pytestmark = [pytest.mark.service, pytest.mark.timeout(600)]

DATA = Path(__file__).resolve().parents[3] / "shared" / "data"


@pytest.fixture
def maskloop(tmp_path: Path, new_database: Callable[[], str], prefect_api_url: str) -> CommandLine:
    return CommandLine(tmp_path / "home", new_database(), prefect_api_url)


@pytest.fixture
def fruits() -> Path:
    path = DATA / "fruits_nuts" / "annotations.json"
    if not path.exists():
        pytest.skip("the photos with truth are not beside the project")
    return path


def test_photos_go_all_the_way(maskloop: CommandLine, fruits: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    came_in = maskloop.json("ingest", fruits, "--exhaustive")
    proposed = maskloop.json("propose")
    maskloop("export", out, "--format", "saco")
    maskloop("export", out, "--format", "predictions")
    maskloop("sheet", out / "sheet", "--limit", 4)
    truth, predictions = out / "truth.json", out / "predictions.json"
    measured = maskloop.json("evaluate", "--truth", truth, "--predictions", predictions)

    assert (12, 36, 36) == tuple(came_in[key] for key in ("media", "pairs", "resolutions"))
    assert (36, 0) == (proposed["pairs"], proposed["failed"])
    assert (36, 32) == (measured["counts"]["pairs"], measured["counts"]["positive_pairs"])
    assert 0 <= measured["metrics"]["cgF1_eval_segm_cgF1"] <= 1
    expected = read_coco(fruits, exhaustive=True)
    exported = read_saco(truth)
    assert masks_by_phrase(expected) == masks_by_phrase(exported)
    assert (out / "sheet" / "sheet.png").stat().st_size > 10_000


def masks_by_phrase(dataset: Any) -> set[tuple[str, str, str]]:
    """Return (file, phrase, run lengths) of every mask."""
    return {
        (Path(pair.media.file_name).name, pair.phrase, resolved.mask.counts)
        for pair in dataset.pairs
        for resolved in pair.masks
    }


def test_truth_scores_itself_perfectly(maskloop: CommandLine, fruits: Path, tmp_path: Path) -> None:
    maskloop("ingest", fruits, "--exhaustive")
    maskloop("export", tmp_path, "--format", "saco")
    truth = json.loads((tmp_path / "truth.json").read_text())
    perfect = [{**each, "score": 1.0} for each in truth["annotations"]]
    (tmp_path / "perfect.json").write_text(json.dumps(perfect))
    measured = maskloop.json(
        "evaluate", "--truth", tmp_path / "truth.json", "--predictions", tmp_path / "perfect.json"
    )

    assert pytest.approx(1, abs=1e-3) == measured["metrics"]["cgF1_eval_segm_cgF1"]
    assert pytest.approx(1, abs=1e-3) == measured["metrics"]["cgF1_eval_bbox_cgF1"]


def test_bad_files_fail_alone(maskloop: CommandLine, tmp_path: Path) -> None:
    folder = tmp_path / "images"
    folder.mkdir()
    Image.new("RGB", (40, 30), "red").save(folder / "good.png")
    (folder / "copy.png").write_bytes((folder / "good.png").read_bytes())
    (folder / "empty.jpg").write_bytes(b"")
    (folder / "cut.png").write_bytes((folder / "good.png").read_bytes()[:60])
    (folder / "text.jpg").write_text("no image at all")
    counts = maskloop.json("ingest", folder, "--phrase", "red thing", exit_code=1)
    failures = maskloop.json("failures")

    assert (1, 1, 3) == tuple(counts[key] for key in ("media", "duplicates", "failed"))
    assert ["cut.png", "empty.jpg", "text.jpg"] == [Path(f["subject_id"]).name for f in failures]
    assert all(Path(f["subject_id"]).name in f["detail"] for f in failures)


def test_a_media_that_is_gone_fails_its_pairs(maskloop: CommandLine, tmp_path: Path) -> None:
    folder = tmp_path / "images"
    folder.mkdir()
    for colour in ("red", "blue"):
        Image.new("RGB", (40, 30), colour).save(folder / f"{colour}.png")
    maskloop("ingest", folder, "--phrase", "circle", "--phrase", "square")
    (folder / "blue.png").unlink()
    counts = maskloop.json("propose", exit_code=1)

    assert (2, 2) == (counts["pairs"], counts["failed"])
    Image.new("RGB", (40, 30), "blue").save(folder / "blue.png")
    maskloop("failures", "--stage", "propose", "--retry")
    assert (2, 0) == tuple(maskloop.json("propose")[key] for key in ("pairs", "failed"))


def test_predictions_pass_over_phrases_that_the_truth_does_not_ask(
    maskloop: CommandLine, tmp_path: Path
) -> None:
    truth = tmp_path / "truth.json"
    Image.new("RGB", (40, 30), "red").save(tmp_path / "red.png")
    size = {"file_name": "red.png", "width": 40, "height": 30}
    asked = {"id": 7, "text_input": "red thing", **size, "is_instance_exhaustive": 1}
    truth.write_text(json.dumps({"images": [asked], "annotations": []}))
    maskloop("ingest", truth, "--phrase", "blue thing")
    maskloop("propose")
    maskloop("export", tmp_path, "--format", "predictions", "--truth", truth)

    predictions = json.loads((tmp_path / "predictions.json").read_text())
    assert {each["image_id"] for each in predictions} <= {7}


def test_truth_that_stays_outside_is_found_by_its_images(
    maskloop: CommandLine, tmp_path: Path
) -> None:
    truth, images = tmp_path / "truth.json", tmp_path / "images"
    images.mkdir()
    picture = Image.new("RGB", (96, 96), "gray")
    ImageDraw.Draw(picture).ellipse((20, 20, 60, 60), fill="red")
    picture.save(images / "red.png")
    size = {"file_name": "images/red.png", "width": 96, "height": 96}
    asked = {"id": 7, "text_input": "Red  circle", **size, "is_instance_exhaustive": 1}
    truth.write_text(json.dumps({"images": [asked], "annotations": []}))
    request = ("export", tmp_path, "--format", "predictions", "--truth", truth)
    assert "ingest its images" in maskloop(*request, exit_code=2)
    maskloop("ingest", images, "--phrase", "red circle")
    maskloop("propose")
    maskloop(*request)

    predictions = json.loads((tmp_path / "predictions.json").read_text())
    assert predictions
    assert {each["image_id"] for each in predictions} == {7}


def test_shards_of_another_proposer_do_not_fail_a_run(maskloop: CommandLine) -> None:
    engine = make_engine(maskloop.environment["DATABASE_URL"])
    with transaction(engine) as session:
        session.execute(
            text(
                "INSERT INTO shard (stage, key, number, pair_ids, state) VALUES"
                " ('propose', 'old', 1, '{pair_0}', 'failed'),"
                " ('propose', 'old', 2, '{pair_1}', 'open')"
            )
        )
    engine.dispose()
    counts = maskloop.json("propose")

    assert (0, 0) == (counts["shards_failed"], counts["shards_waiting"])


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        pytest.param(["ingest", "nowhere"], "nowhere does not exist", id="no source"),
        pytest.param(["show", "pair", "pair_0"], "no pair pair_0", id="no pair"),
        pytest.param(["export", "out"], "no pair is resolved", id="nothing to export"),
        pytest.param(["sheet", "out"], "no pair to show", id="nothing to show"),
        pytest.param(["export", "out", "--split", "train=0.5"], "add up to 1", id="no split"),
    ],
)
def test_a_wrong_request_says_what_to_do(
    maskloop: CommandLine, tmp_path: Path, arguments: list[str], message: str
) -> None:
    assert message in maskloop(*arguments, exit_code=2)


def test_weights_of_another_kind_stop_the_start(maskloop: CommandLine, tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text('{"model_type": "bert"}')
    maskloop.environment["MASKLOOP_PROPOSER__WEIGHTS"] = str(tmp_path)

    assert "expected 'sam3'" in maskloop("propose", exit_code=2)


def test_an_unreachable_database_is_named_without_its_password(
    maskloop: CommandLine, tmp_path: Path
) -> None:
    maskloop.environment["DATABASE_URL"] = "postgresql://me:hidden@127.0.0.1:1/db"
    Image.new("RGB", (4, 3)).save(tmp_path / "a.png")
    said = maskloop("ingest", tmp_path, exit_code=1)

    assert "cannot be reached" in said
    assert "hidden" not in said
