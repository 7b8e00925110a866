"""Reviews from files: both forms say the same, and a bad line takes nothing with it."""

import json
from pathlib import Path

import pytest

from engine.errors import InvalidFileError
from engine.formats.reviews import Review, read_reviews
from engine.labels import Sampling, Vote
from engine.records import Failure
from engine.verdicts import Option, VerdictTask

LINE = {
    "media": "a.png",
    "phrase": "Red  Circle",
    "task": "mask",
    "masks": ["set_a/0"],
    "votes": [["carla", "Accept"], ["anna", "Accept"], ["ben", "Reject"]],
    "sampling": "random",
    "batch": "2026-03",
}
REVIEW = Review(
    line=1,
    pair_id="",
    media="a.png",
    phrase="red circle",
    task=VerdictTask.MASK,
    mask_ids=("set_a/0",),
    votes=(
        Vote(person="anna", option=Option.ACCEPT),
        Vote(person="ben", option=Option.REJECT),
        Vote(person="carla", option=Option.ACCEPT),
    ),
    referee=None,
    option=Option.ACCEPT,
    sampling=Sampling.RANDOM,
    batch="2026-03",
)


def read(folder: Path, *lines: object, name: str = "reviews.jsonl") -> list[Review | Failure]:
    path = folder / name
    texts = [line if isinstance(line, str) else json.dumps(line) for line in lines]
    path.write_text("\n".join(texts), encoding="utf-8")
    return list(read_reviews(path))


def test_a_line_of_json(tmp_path: Path) -> None:
    assert [REVIEW] == read(tmp_path, LINE)


def test_a_table_says_the_same(tmp_path: Path) -> None:
    header = "media,phrase,task,masks,votes,referee,sampling,batch"
    row = "a.png,Red  Circle,mask,set_a/0,carla=Accept; anna=Accept; ben=Reject,,random,2026-03"
    (found,) = read(tmp_path, header, row, name="reviews.csv")

    assert isinstance(found, Review)
    assert {**_fields(REVIEW), "line": 2} == _fields(found)


def test_a_referee_has_the_last_word(tmp_path: Path) -> None:
    (found,) = read(tmp_path, {**LINE, "referee": ["dora", "Reject"]})

    assert isinstance(found, Review)
    assert (Option.REJECT, Vote(person="dora", option=Option.REJECT)) == (
        found.option,
        found.referee,
    )


def test_exhaustivity_over_no_mask_says_so(tmp_path: Path) -> None:
    (found,) = read(tmp_path, {**LINE, "task": "exhaustivity", "masks": []})

    assert isinstance(found, Review)
    assert () == found.mask_ids


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        pytest.param("{", "no JSON", id="half a line"),
        pytest.param("[1]", "must be an object", id="a list"),
        pytest.param({**LINE, "task": "masks"}, "is none of mask", id="task"),
        pytest.param({**LINE, "masks": []}, "about one mask, got 0", id="no mask"),
        pytest.param({**LINE, "masks": ["a", "a"]}, "different mask ids", id="mask twice"),
        pytest.param({**LINE, "masks": [1]}, "different mask ids", id="a number for a mask"),
        pytest.param({**LINE, "votes": [["anna", "Accept"]]}, "1 votes are no", id="one vote"),
        pytest.param({**LINE, "votes": "anna"}, "'votes' must be a list", id="votes are no list"),
        pytest.param({**LINE, "votes": [["anna"]]}, "a person and an option", id="half a vote"),
        pytest.param({**LINE, "votes": [["", "Accept"]]}, "'person' is empty", id="nobody"),
        pytest.param({**LINE, "votes": [["anna", "Yes"]]}, "'Yes' is none of", id="option"),
        pytest.param({**LINE, "sampling": "all"}, "'all' is none of random", id="sampling"),
        pytest.param({**LINE, "sampling": None}, "'sampling' must be a text", id="not drawn"),
        pytest.param({**LINE, "media": " "}, "'media' is empty", id="no media"),
        pytest.param({**LINE, "phrase": "..."}, "is empty", id="no phrase"),
        pytest.param(
            {k: v for k, v in {**LINE, "task": "exhaustivity"}.items() if k != "masks"},
            "'masks' is missing",
            id="accepted masks not said",
        ),
        pytest.param(
            {**LINE, "task": "groundability"}, "about no mask", id="groundability of a mask"
        ),
    ],
)
def test_a_bad_line_is_named_and_the_rest_goes_on(
    tmp_path: Path, line: object, reason: str
) -> None:
    first, second = read(tmp_path, line, LINE)

    assert isinstance(first, Failure)
    assert reason in first.detail
    assert first.subject_id.endswith("reviews.jsonl#line 1")
    assert isinstance(second, Review)


@pytest.mark.parametrize("name", ["none.jsonl", "none.csv", "reviews.txt"])
def test_a_file_that_is_none_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(InvalidFileError, match=name):
        list(read_reviews(tmp_path / name))


def test_a_table_without_a_column_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InvalidFileError, match="no column votes, sampling"):
        read(tmp_path, "media,phrase,task", "a,b,mask", name="reviews.csv")


def _fields(review: Review) -> dict[str, object]:
    return {name: getattr(review, name) for name in Review.__dataclass_fields__}
