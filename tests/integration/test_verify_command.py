"""`maskloop verify` in processes of its own, against a chat server of the test's own."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from PIL import Image, ImageDraw
from sqlalchemy import make_url, text

from db.session import make_engine, transaction
from tests.chat_server import Reply, Request, a_reply, a_vllm, serving_beside
from tests.commands import MASKLOOP, CommandLine

pytestmark = [pytest.mark.service, pytest.mark.timeout(600)]

SPOKEN, MUTE = "square", "red square"  # about the second phrase the server says nothing

SIDE = 96  # pixels


async def answer(request: Request) -> Reply:
    """Choose the first option, whichever it is; say nothing about one phrase."""
    if MUTE.encode() in request.body:
        return Reply(body=b'{"choices": []}')
    return a_reply({"A": -0.1, "B": -3.0, "C": -4.0})


@pytest.fixture(scope="module")
def endpoint() -> Iterator[str]:
    """The address of the server."""
    with serving_beside(a_vllm(answer)) as address:
        yield address


@pytest.fixture(scope="module")
def images(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with three images."""
    folder = tmp_path_factory.mktemp("proposed") / "images"
    folder.mkdir()
    for number in range(3):
        image = Image.new("RGB", (SIDE + number, SIDE), "white")
        ImageDraw.Draw(image).rectangle((20, 30, 50, 60), fill="red")
        image.save(folder / f"{number}.png")
    return folder


@pytest.fixture(scope="module")
def proposed(images: Path, new_database: Callable[[], str], prefect_api_url: str) -> str:
    """The name of a database with six pairs, and what was proposed for them."""
    url = new_database()
    command_line = CommandLine(images.parent / "home", url, prefect_api_url)
    command_line("ingest", images, "--phrase", SPOKEN, "--phrase", MUTE)
    command_line("propose")
    return str(make_url(url).database)


@pytest.fixture
def maskloop(
    tmp_path: Path,
    proposed: str,
    copy_database: Callable[[str], str],
    prefect_api_url: str,
    endpoint: str,
) -> CommandLine:
    command_line = CommandLine(tmp_path / "home", copy_database(proposed), prefect_api_url)
    command_line.environment["MASKLOOP_VERIFIER__ENDPOINTS"] = endpoint
    return command_line


def counted(maskloop: CommandLine, query: str) -> int:
    engine = make_engine(maskloop.environment["DATABASE_URL"])
    with transaction(engine) as session:
        number = int(session.execute(text(query)).scalar_one())
    engine.dispose()
    return number


def test_pairs_are_verified_shown_and_exported(maskloop: CommandLine, tmp_path: Path) -> None:
    counts = maskloop.json("verify", exit_code=1)

    assert (3, 3) == (counts["pairs_verify_exhaustivity"], counts["failed"])
    assert counts["verdicts"] == counted(maskloop, "SELECT count(*) FROM verdict") > 0
    failed = maskloop.json("failures")
    assert {"incomplete_reply"} == {each["reason"] for each in failed}
    said = maskloop("export", tmp_path, "--masks", "proposed", "--presence", "ev", exit_code=2)
    assert "3 pairs have no verdicts" in said
    assert any(each["subject_id"] in said for each in failed)
    pair_id = show_one(maskloop, tmp_path)
    assert 1 <= (tmp_path / f"{pair_id}.html").read_text().count("data:image/jpeg")


def show_one(maskloop: CommandLine, folder: Path) -> str:
    """Show a verified pair, check its verdicts, and return its id."""
    engine = make_engine(maskloop.environment["DATABASE_URL"])
    with transaction(engine) as session:
        pair_id = str(session.scalar(text("SELECT min(pair_id) FROM verification")))
    engine.dispose()
    shown = maskloop.json("show", "pair", pair_id, "--out", folder)
    assert {"mask", "exhaustivity"} >= {each["task"] for each in shown["verdicts"]} - {
        "groundability"
    }
    assert all(each["prompt"] and each["judge"] and each["order"] for each in shown["verdicts"])
    return pair_id


def test_a_stage_can_run_alone_and_a_second_run_has_nothing_to_do(maskloop: CommandLine) -> None:
    masks = maskloop.json("verify", "--stage", "masks", exit_code=1)
    assert 0 == counted(maskloop, "SELECT count(*) FROM verdict WHERE task <> 'mask'")
    assert "pairs_verify_exhaustivity" not in masks
    both = maskloop.json("verify")
    again = maskloop.json("verify")

    assert (3, 3) == (masks["pairs_verify_masks"], masks["failed"])
    assert (0, 3) == (both["pairs_verify_masks"], both["pairs_verify_exhaustivity"])
    assert 0 == sum(again.values())


def test_the_exports_scores_are_those_of_the_verifier(
    maskloop: CommandLine, images: Path, tmp_path: Path
) -> None:
    image = {"file_name": "images/0.png", "width": SIDE, "height": SIDE}
    truth = images.with_name("truth.json")
    asked = {"id": 7, "text_input": SPOKEN, "is_instance_exhaustive": 1, **image}
    truth.write_text(json.dumps({"images": [asked], "annotations": []}))
    maskloop("ingest", truth)
    maskloop("verify", exit_code=1)
    scores = {}
    for name, options in {"proposer": [], "ev": ["--presence", "ev"]}.items():
        request = ["--format", "predictions", "--truth", truth, *options]
        maskloop("export", tmp_path / name, *request)
        found = json.loads((tmp_path / name / "predictions.json").read_text())
        scores[name] = [each["score"] for each in found]

    assert len(scores["proposer"]) == len(scores["ev"]) > 0
    assert scores["proposer"] != scores["ev"]


def test_a_server_that_is_gone_is_named(maskloop: CommandLine) -> None:
    maskloop.environment["MASKLOOP_VERIFIER__ENDPOINTS"] = "http://127.0.0.1:9/v1"
    maskloop.environment["MASKLOOP_VERIFIER__PATIENCE_SECONDS"] = "0.5"

    assert "no verifier answers (http://127.0.0.1:9/v1: " in maskloop("verify", exit_code=1)
    assert 0 == counted(maskloop, "SELECT count(*) FROM failure")


def test_worker_flows_on_the_pool_verify_too(maskloop: CommandLine) -> None:
    pool = subprocess.Popen(
        [str(MASKLOOP), "work", "--limit", "2"],
        env={**maskloop.environment, "MASKLOOP_WORK_POOL": "verify"},
        stdout=subprocess.DEVNULL,
        stderr=sys.stderr,
        start_new_session=True,
    )
    try:
        maskloop.environment["MASKLOOP_WORK_POOL"] = "verify"
        counts = maskloop.json("verify", "--runs", 2, exit_code=1)
    finally:
        os.killpg(pool.pid, signal.SIGINT)
        pool.wait(timeout=60)

    assert (3, 3) == (counts["pairs_verify_exhaustivity"], counts["failed"])
