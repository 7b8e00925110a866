"""
From people's labels to finished pairs by the command line: import reviews, calibrate, route,
accuracy, reverify. The verifier is a chat server of the test's own that is sure of everything.
"""

import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from engine.verdicts import Option
from tests.chat_server import Answer, Reply, Request, a_reply, a_vllm, serving_beside
from tests.commands import CommandLine

pytestmark = [pytest.mark.service, pytest.mark.timeout(600)]

COLOURS = ("red", "green")
PHRASES = tuple(f"{colour} kite" for colour in ("red", "green", "blue", "black", "white", "grey"))
NUM_PAIRS = len(COLOURS) * len(PHRASES)
LOOSE = ("--target-error", 0.3, "--confidence", 0.8)  # 5 labels without an error are enough
OTHER_MODEL = "other@1111111111111111"


def sure_of(*wanted: Option) -> Answer:
    """Choose the letter of whichever of *wanted* is among the options."""

    async def answer(request: Request) -> Reply:
        for option in wanted:
            letter = re.search(rf"\((\w)\) {option}(\\n|\")", request.body.decode())
            if letter:
                return a_reply({letter[1]: -0.01})
        raise AssertionError(f"none of {wanted} was offered")

    return answer


@pytest.fixture(scope="module")
def endpoint() -> Iterator[str]:
    with serving_beside(a_vllm(sure_of(Option.GROUNDABLE, Option.ACCEPT))) as address:
        yield address


@pytest.fixture(scope="module")
def other_endpoint() -> Iterator[str]:
    """Another verifier, which says that something is there."""
    answer = sure_of(Option.GROUNDABLE, Option.REJECT)
    with serving_beside(a_vllm(answer, model=OTHER_MODEL)) as address:
        yield address


@pytest.fixture
def maskloop(
    tmp_path: Path, new_database: Callable[[], str], prefect_api_url: str, endpoint: str
) -> CommandLine:
    """Pairs without masks, all of them verified."""
    command_line = CommandLine(tmp_path / "home", new_database(), prefect_api_url)
    command_line.environment["MASKLOOP_VERIFIER__ENDPOINTS"] = endpoint
    command_line.environment["MASKLOOP_PROPOSER__SCORE_THRESHOLD"] = "0.999"
    command_line.environment["MASKLOOP_ROUTING__SHADOW_SHARE"] = "0"
    folder = tmp_path / "images"
    folder.mkdir()
    for colour in COLOURS:
        Image.new("RGB", (48, 32), colour).save(folder / f"{colour}.png")
    asked = [word for phrase in PHRASES for word in ("--phrase", phrase)]
    command_line("ingest", folder, *asked)
    command_line("propose")
    command_line("verify")
    return command_line


def reviews(folder: Path) -> Path:
    """Three people who agree with the verifier about everything, and three lines to fail."""
    subjects: list[dict[str, Any]] = [
        {"task": "exhaustivity", "masks": [], "phrase": phrase, "media": f"images/{colour}.png"}
        for colour in COLOURS
        for phrase in PHRASES
    ]
    for phrase in PHRASES:
        media = f"images/{COLOURS[0]}.png"
        subjects.append({"task": "groundability", "phrase": phrase, "media": media})
    lines = [json.dumps({**each, "votes": votes(each), "sampling": "random"}) for each in subjects]
    unknown = {**json.loads(lines[0]), "media": "images/nowhere.png"}
    path = folder / "reviews.jsonl"
    path.write_text("\n".join([*lines, "{", "[]", json.dumps(unknown)]))
    return path


def votes(subject: dict[str, Any]) -> list[tuple[str, str]]:
    option = Option.ACCEPT if subject["task"] == "exhaustivity" else Option.GROUNDABLE
    return [(person, option.value) for person in ("anna", "ben", "carla")]


def test_from_labels_to_what_another_verifier_would_flip(
    maskloop: CommandLine, tmp_path: Path, other_endpoint: str
) -> None:
    import_labels(maskloop, tmp_path)
    calibrate_and_route(maskloop)
    measure(maskloop, tmp_path / "accuracy")
    reverify(maskloop, tmp_path / "flips", other_endpoint)

    assert NUM_PAIRS == maskloop.json("status")["pairs"]["finished"]


def import_labels(maskloop: CommandLine, folder: Path) -> None:
    """Import twice: bad lines are named, and nothing is there twice."""
    path, num_labels = reviews(folder), NUM_PAIRS + len(PHRASES)
    came_in = maskloop.json("import", "reviews", path, exit_code=1)
    again = maskloop.json("import", "reviews", path, exit_code=1)
    failed = maskloop.json("failures", "--stage", "import_reviews")

    assert {"labels": num_labels, "known": 0, "failed": 3} == came_in
    assert {"labels": 0, "known": num_labels, "failed": 3} == again
    assert {f"line {num_labels + i}" for i in (1, 2, 3)} == {
        each["subject_id"].partition("#")[2] for each in failed
    }


def calibrate_and_route(maskloop: CommandLine) -> None:
    before = maskloop.json("route")
    calibrated = maskloop.json("calibrate", *LOOSE)
    thresholds = {(each["task"], each["decision"]): each["threshold"] for each in calibrated}

    assert {"human_exhaustivity: absence, no_calibration": NUM_PAIRS} == before
    assert {("absence", "accept"), ("groundability", "accept")} == {
        decided for decided, threshold in thresholds.items() if threshold is not None
    }
    assert {"auto_accept: groundability, negative": NUM_PAIRS} == maskloop.json("route")
    assert {} == maskloop.json("route")


def measure(maskloop: CommandLine, folder: Path) -> None:
    measured = maskloop.json("accuracy", "--out", folder)

    assert {("absence", 1.0, NUM_PAIRS), ("groundability", 1.0, len(PHRASES))} == {
        (each["task"], each["accuracy"]["value"], each["accuracy"]["labels"]) for each in measured
    }
    assert "<svg" in (folder / "accuracy.html").read_text()


def reverify(maskloop: CommandLine, folder: Path, other_endpoint: str) -> None:
    maskloop.environment["MASKLOOP_VERIFIER__ENDPOINTS"] = other_endpoint
    other = maskloop.json("reverify", "--out", folder)

    assert (OTHER_MODEL, NUM_PAIRS) == (other["judge"], other["pairs"])
    assert [("exhaustivity", "Accept", "Reject")] * NUM_PAIRS == [
        (each["task"], each["was"], each["would be"]) for each in other["flips"]
    ]
    assert "exhaustivity: Accept -&gt; Reject" in (folder / "sheet.html").read_text()
