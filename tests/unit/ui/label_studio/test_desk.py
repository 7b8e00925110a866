"""The desk against a server that does what a Label Studio might: mix up, cut off, send too much."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from engine.errors import ConfigError, ServiceUnavailableError
from engine.ports import DeskAnswer, ReviewTask
from engine.queues import Asked, Purpose, Queue, QueueItem
from engine.records import Failure
from engine.verdicts import Option
from tests.desk_server import Reply, Request, serving
from tests.label_studio_people import a_choice
from tests.reviewing import HEIGHT, WIDTH
from ui.label_studio import names, pull
from ui.label_studio.desk import LabelStudioDesk
from ui.label_studio.http import Http

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
QUEUE = Queue.EXHAUSTIVITY
PROJECT = 7
PAGE = pull._TASKS_A_PAGE


class Server:
    """Keeps rows of tasks as Label Studio's data manager lists them, and answers as it does."""

    def __init__(self) -> None:
        self.rows: list[dict[str, Any]] = []
        self.members = {1: "anna@example.org"}
        self.is_mixed_up = False  # numbers of an import come in another order
        self.loses_one = False  # numbers of an import
        self.asked: list[str] = []

    def add(self, *annotations: dict[str, Any], stamp: datetime, item: str = "") -> None:
        number = len(self.rows) + 1
        data = {
            names.DATA_ITEM: item or f"item_{number}",
            names.DATA_ASKED: Asked.EXHAUSTIVITY.value,
            names.DATA_WIDTH: WIDTH,
            names.DATA_HEIGHT: HEIGHT,
            names.DATA_MASK_IDS: [],
        }
        ids = ",".join(str(each["id"]) for each in annotations)[:500]
        row = {"id": number, "data": data, "updated_at": stamp.isoformat(), "annotations_ids": ids}
        self.rows.append({**row, "annotations": list(annotations)})

    def __call__(self, request: Request) -> Reply:
        self.asked.append(request.path)
        url = urlsplit(request.path)
        return Reply(body=json.dumps(self._answer(url.path, parse_qs(url.query), request)).encode())

    def _answer(self, path: str, given: dict[str, list[str]], request: Request) -> object:
        match path.strip("/").split("/")[1:]:
            case ["projects"]:
                mark = f"renamed [maskloop:{QUEUE}]"
                return {"results": [{"id": PROJECT, "description": mark}], "next": None}
            case ["projects", _, "import"]:
                return {"task_ids": self._imported(json.loads(request.body))}
            case ["users"]:
                return [{"id": own, "email": email} for own, email in self.members.items()]
            case ["tasks"]:
                return {"tasks": self._listed(given)}
            case ["tasks", number]:
                return next(row for row in self.rows if row["id"] == int(number))
            case ["tasks", number, "annotations"]:
                row = next(row for row in self.rows if row["id"] == int(number))
                return [{"id": each["id"]} for each in row["annotations"]]
            case ["annotations", number]:
                every = [each for row in self.rows for each in row["annotations"]]
                return next(each for each in every if each["id"] == int(number))
        raise AssertionError(path)

    def _imported(self, tasks: list[dict[str, Any]]) -> list[int]:
        first = len(self.rows)
        for task in tasks:
            self.add(stamp=NOON, item=task["data"][names.DATA_ITEM])
        numbers = [row["id"] for row in self.rows[first:]]
        if self.is_mixed_up:
            numbers.reverse()
        return numbers[1:] if self.loses_one else numbers

    def _listed(self, given: dict[str, list[str]]) -> list[dict[str, Any]]:
        query = json.loads(given["query"][0])
        rows = list(self.rows)
        for each in query["filters"]["items"]:
            match each["filter"].removeprefix("filter:tasks:"), each["operator"]:
                case "updated_at", "greater_or_equal":
                    moment = datetime.fromisoformat(each["value"])
                    rows = [r for r in rows if datetime.fromisoformat(r["updated_at"]) >= moment]
                case "id", "greater":
                    rows = [row for row in rows if row["id"] > each["value"]]
                case "annotations_ids", "empty":
                    rows = [row for row in rows if row["annotations"]]
        [ordering] = query["ordering"]
        rows.sort(key=lambda row: row[ordering.removeprefix("tasks:")])
        page, size = int(given["page"][0]), int(given["page_size"][0])
        fields = given["include"][0].split(",")
        chosen = rows[(page - 1) * size : page * size]
        return [{name: row[name] for name in fields if name in row} for row in chosen]


def an_annotation(number: int, stamp: datetime, **fields: object) -> dict[str, Any]:
    return {
        "id": number,
        "completed_by": 1,
        "result": [a_choice(Option.ACCEPT.value)],
        "was_cancelled": False,
        "lead_time": 1.0,
        "updated_at": stamp.isoformat(),
        **fields,
    }


@contextmanager
def a_desk(server: Server, *, most_bytes: int = 1 << 20) -> Iterator[LabelStudioDesk]:
    with serving(server) as address, Http(address, "token", most_bytes=most_bytes) as http:
        yield LabelStudioDesk(http)


def read(server: Server, *, since: datetime | None = None) -> list[DeskAnswer | Failure]:
    with a_desk(server) as desk:
        return list(desk.answers(QUEUE, since=since))


def some_tasks(num: int) -> list[ReviewTask]:
    return [
        ReviewTask(
            item=QueueItem(
                queue=QUEUE,
                asked=Asked.EXHAUSTIVITY,
                purpose=Purpose.WORK,
                pair_id=f"pair_{number}",
                subject_id=f"subject_{number}",
                mask_ids=(),
            ),
            phrase="red circle",
            definition="",
            media_url="http://app/1",
            width=WIDTH,
            height=HEIGHT,
            masks=(),
        )
        for number in range(num)
    ]


@pytest.mark.parametrize("is_mixed_up", [False, True])
def test_each_item_gets_its_own_number_in_whatever_order_they_come(is_mixed_up: bool) -> None:
    server, tasks = Server(), some_tasks(350)  # imports of 100 and 250
    server.is_mixed_up = is_mixed_up
    with a_desk(server) as desk:
        numbers = desk.push(QUEUE, tasks)

    assert {task.item.id: number for number, task in enumerate(tasks, 1)} == numbers
    assert 2 == sum("/import" in path for path in server.asked)


def test_an_import_that_is_not_counted_right_is_asked_about_again() -> None:
    server = Server()
    server.loses_one = True
    with a_desk(server) as desk, pytest.raises(ServiceUnavailableError, match="2 numbers for 3"):
        desk.push(QUEUE, some_tasks(3))


def test_large_tasks_go_in_imports_of_their_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ui.label_studio.desk._BYTES_AN_IMPORT", 600)  # one task has some 500
    server = Server()
    with a_desk(server) as desk:
        assert 3 == len(desk.push(QUEUE, some_tasks(3)))

    assert 3 == sum("/import" in path for path in server.asked)


def test_a_queue_without_a_project_is_to_be_prepared() -> None:
    with a_desk(Server()) as desk, pytest.raises(ConfigError, match="prepare the desk"):
        desk.tasks(Queue.GOLD)


def test_any_number_of_tasks_is_listed() -> None:
    server = Server()
    for number in range(2500):
        server.add(stamp=NOON + timedelta(seconds=number))
    with a_desk(server) as desk:
        shown = desk.tasks(QUEUE)

    assert [*range(1, 2501)] == [each.task_id for each in shown]


def test_a_list_of_annotations_that_was_cut_off_is_asked_for() -> None:
    server = Server()
    numbers = range(1000, 1300)
    server.add(*(an_annotation(number, NOON) for number in numbers), stamp=NOON)
    with a_desk(server) as desk:
        [shown] = desk.tasks(QUEUE)

    assert set(numbers) == shown.annotation_ids


@pytest.mark.parametrize("seconds_apart", [0, 1])
@pytest.mark.parametrize("num", [PAGE - 1, PAGE, PAGE + 1, 3 * PAGE + 10])
def test_every_answer_is_read_once(num: int, seconds_apart: int) -> None:
    """Also where a whole page, and more, was changed in one moment."""
    server = Server()
    for number in range(num):
        stamp = NOON + timedelta(seconds=seconds_apart * number)
        server.add(an_annotation(number, stamp), stamp=stamp)
        server.add(stamp=stamp)  # one that nobody has answered

    found = read(server, since=NOON)

    assert [*range(num)] == [each.annotation_id for each in found if isinstance(each, DeskAnswer)]


def test_of_a_task_only_the_answers_that_are_new_are_read() -> None:
    server = Server()
    late = NOON + timedelta(minutes=1)
    server.add(an_annotation(2, late), an_annotation(1, NOON), stamp=late)

    assert [1, 2] == [each.annotation_id for each in read(server) if isinstance(each, DeskAnswer)]
    [only] = read(server, since=NOON + timedelta(microseconds=1))
    assert isinstance(only, DeskAnswer)
    assert 2 == only.annotation_id


def test_a_member_who_came_meanwhile_is_asked_for_once() -> None:
    server = Server()
    for number in (1, 2, 3):
        server.add(an_annotation(number, NOON, completed_by=9), stamp=NOON)

    assert ["unknown_person"] * 3 == [
        each.reason for each in read(server) if isinstance(each, Failure)
    ]
    assert 2 == sum("/users" in path for path in server.asked)


@pytest.mark.parametrize("nobody", [None, [1], {"id": 1}, "anna"])
def test_an_author_who_is_none_is_a_failure(nobody: object) -> None:
    server = Server()
    server.add(an_annotation(1, NOON, completed_by=nobody), stamp=NOON)

    assert all(isinstance(each, Failure) for each in read(server))


def test_an_answer_that_is_far_too_large_fails_alone() -> None:
    server = Server()
    huge = an_annotation(2, NOON, result=[{"type": "x", "value": {"rle": [255] * 300_000}}])
    server.add(an_annotation(1, NOON), huge, stamp=NOON)
    server.add(an_annotation(3, NOON), stamp=NOON)
    with a_desk(server, most_bytes=100_000) as desk:
        found = list(desk.answers(QUEUE, since=None))
        name = desk.name

    assert [1, 3] == [each.annotation_id for each in found if isinstance(each, DeskAnswer)]
    [failure] = [each for each in found if isinstance(each, Failure)]
    assert (f"{name}/2", "too_large") == (failure.subject_id, failure.reason)
    assert "delete annotation 2" in failure.detail
