"""
Reviews: audit labels in a file, one subject a line; see docs/formats.md.

  .jsonl  an object a line; a vote is [person, option], masks are a list of ids
  .csv    the same fields as columns; votes are "anna=Accept; ben=Reject", masks "id id"

A line names its pair by `pair`, or by `media` (an id, a uri or a path) and `phrase`. Whether there
is such a pair is not known here.
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from engine.errors import InvalidFileError
from engine.formats.entries import Entry, Failures, entry, sequence, text
from engine.formats.tables import table_rows
from engine.labels import Sampling, Vote, adjudicate
from engine.phrases import normalise
from engine.records import Failure
from engine.verdicts import Option, VerdictTask

STAGE = "import_reviews"
_EXAMPLE = "media,phrase,task,masks,votes,referee,sampling,batch"


@dataclass(frozen=True, slots=True, kw_only=True)
class Review:
    """One line: what people said about one subject."""

    line: int
    pair_id: str  # "": the pair is given by media and phrase
    media: str  # an id, a uri or a path
    phrase: str  # in normal form
    task: VerdictTask
    mask_ids: tuple[str, ...]  # sorted
    votes: tuple[Vote, ...]  # by person
    referee: Vote | None
    option: Option  # adjudicated
    sampling: Sampling
    batch: str


def read_reviews(path: Path) -> Iterator[Review | Failure]:
    """
    Yield what each line says, in order, or why it cannot be used; blank lines are left out.

    Raises:
        InvalidFileError: If the file is missing, is neither .jsonl nor .csv, or is not in UTF-8.
    """
    if path.suffix.lower() not in (".jsonl", ".csv"):
        raise InvalidFileError(f"{path} is no .jsonl or .csv: give one of these")
    is_table = path.suffix.lower() == ".csv"
    for line, content in _table(path) if is_table else _lines(path):
        failures = Failures(STAGE, path)
        with failures.of(f"line {line}"):
            yield _review(line, _fields(content))
        yield from failures.all()


def _lines(path: Path) -> Iterator[tuple[int, str]]:
    try:
        with path.open(encoding="utf-8-sig") as file:
            yield from ((number, line) for number, line in enumerate(file, 1) if line.strip())
    except OSError as exc:
        raise InvalidFileError(f"{path} cannot be read: {exc.strerror}") from exc
    except UnicodeDecodeError as exc:
        raise InvalidFileError(f"{path} is not in UTF-8: {exc}") from exc


def _table(path: Path) -> Iterator[tuple[int, Mapping[str, str]]]:
    return table_rows(path, needed=["task", "votes", "sampling"], example=_EXAMPLE)


def _fields(content: str | Mapping[str, str]) -> Entry:
    """Return the fields of one line of either form, as JSON has them."""
    if isinstance(content, str):
        try:
            return entry(json.loads(content))
        except (ValueError, RecursionError) as exc:
            raise InvalidFileError(f"the line is no JSON: {exc}") from exc
    fields: dict[str, object] = {key: value.strip() for key, value in content.items() if value}
    fields["masks"] = str(fields.get("masks", "")).split()
    votes = str(fields.get("votes", "")).split(";")
    fields["votes"] = [_said(each) for each in votes if each.strip()]
    if "referee" in fields:
        fields["referee"] = _said(str(fields["referee"]))
    return fields


def _said(cell: str) -> list[str]:
    """Return "anna=Accept" as [person, option]."""
    return [part.strip() for part in cell.split("=", maxsplit=1)]


def _review(line: int, fields: Entry) -> Review:
    task = _task(fields)
    votes = sorted((_vote(each) for each in sequence(fields, "votes")), key=lambda v: v.person)
    referee = _vote(fields["referee"]) if fields.get("referee") else None
    pair_id = text(fields, "pair", "")
    return Review(
        line=line,
        pair_id=pair_id,
        media="" if pair_id else _needed(fields, "media"),
        phrase="" if pair_id else normalise(text(fields, "phrase")),
        task=task,
        mask_ids=_mask_ids(fields, task),
        votes=tuple(votes),
        referee=referee,
        option=adjudicate(task, votes, referee),
        sampling=_sampling(fields),
        batch=text(fields, "batch", ""),
    )


def _task(fields: Entry) -> VerdictTask:
    try:
        return VerdictTask(text(fields, "task"))
    except ValueError as exc:
        known = ", ".join(VerdictTask)
        raise InvalidFileError(f"task {fields.get('task')!r:.40} is none of {known}") from exc


def _sampling(fields: Entry) -> Sampling:
    try:
        return Sampling(text(fields, "sampling"))
    except ValueError as exc:
        known = ", ".join(Sampling)
        msg = f"sampling {fields.get('sampling')!r:.40} is none of {known}"
        raise InvalidFileError(f"{msg}: say how the subject was drawn") from exc


def _mask_ids(fields: Entry, task: VerdictTask) -> tuple[str, ...]:
    masks = sequence(fields, "masks") if "masks" in fields else []
    ids = tuple(sorted({each for each in masks if isinstance(each, str)}))
    if len(ids) != len(masks):
        raise InvalidFileError("'masks' must be a list of different mask ids")
    if task is VerdictTask.MASK and len(ids) != 1:
        raise InvalidFileError(f"mask verification is about one mask, got {len(ids)}")
    if task is VerdictTask.EXHAUSTIVITY and "masks" not in fields:
        raise InvalidFileError("'masks' is missing: list the accepted ones, [] for none")
    if task is VerdictTask.GROUNDABILITY and ids:
        raise InvalidFileError("groundability is about no mask: leave them out")
    return ids


def _vote(value: object) -> Vote:
    if not isinstance(value, list) or len(value) != 2:
        raise InvalidFileError(f"a vote must be a person and an option, got {value!r:.40}")
    said = dict(zip(("person", "option"), value, strict=True))
    try:
        return Vote(person=_needed(said, "person"), option=Option(text(said, "option")))
    except ValueError as exc:
        known = ", ".join(Option)
        raise InvalidFileError(f"{said['option']!r:.40} is none of the options {known}") from exc


def _needed(fields: Entry, key: str) -> str:
    value = text(fields, key).strip()
    if not value:
        raise InvalidFileError(f"{key!r} is empty")
    return value
