"""The desk on the real Label Studio: what people are given, tokens, odd annotations."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from engine.errors import ConfigError
from engine.ports import DeskAnswer
from engine.queues import VOTES, Asked, Queue
from engine.records import Failure
from engine.reviews import NoAnswer
from engine.verdicts import Option
from flows.services import label_studio as label_studio_service
from flows.services.label_studio import Served
from tests.desk_tasks import a_correction, a_task
from tests.label_studio_home import VENV
from tests.label_studio_people import People, a_choice
from tests.reviewing import a_square
from ui.label_studio import names, pull
from ui.label_studio.api import Api
from ui.label_studio.desk import LabelStudioDesk
from ui.label_studio.http import TOKEN_SETTING, DeskRefusedError, Http
from ui.label_studio.projects import find_projects
from ui.label_studio.screens import screen
from ui.label_studio.to_tasks import to_task

pytestmark = pytest.mark.service

ANNA, BEN, CLEO, DORA = (f"{name}@example.org" for name in ("anna", "ben", "cleo", "dora"))
MASKS = Queue.MASK_VERIFICATION


@pytest.fixture(scope="module")
def http(label_studio: Served) -> Iterator[Http]:
    with Http(label_studio.address, label_studio.token) as client:
        yield client


@pytest.fixture(scope="module")
def people(label_studio: Served, label_studio_home: Path) -> Iterator[People]:
    tokens = label_studio_service.reviewers(label_studio_home, [ANNA, BEN, CLEO, DORA], venv=VENV)
    speaking = People(label_studio.address, tokens)
    yield speaking
    speaking.close()


@pytest.fixture
def desk(http: Http) -> Iterator[LabelStudioDesk]:
    """A prepared desk; what a test showed is taken away."""
    made = LabelStudioDesk(http)
    made.prepare()
    yield made
    for queue in Queue:
        made.remove(queue, [each.task_id for each in made.tasks(queue)])


@pytest.fixture
def projects(http: Http, desk: LabelStudioDesk) -> dict[Queue, int]:
    return find_projects(Api(http))


@pytest.fixture
def written(http: Http, monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, Any]]:
    """What is changed on the server, as path and body."""
    sent: list[tuple[str, Any]] = []
    patch = http.patch

    def noted(path: str, body: Any) -> Any:
        sent.append((path, body))
        return patch(path, body)

    monkeypatch.setattr(http, "patch", noted)
    return sent


def given(people: People, person: str, project: int) -> dict[str, Any] | None:
    """Return what the editor loads when *person* asks for work, None for no work."""
    try:
        task: dict[str, Any] = people.as_(person).get(f"/api/projects/{project}/next/")
    except DeskRefusedError as error:
        if error.status != 404:
            raise
        return None
    return task


def number_given(people: People, person: str, project: int) -> int:
    task = given(people, person, project)
    return 0 if task is None else int(task["id"])


def test_preparing_what_is_prepared_writes_nothing(
    http: Http, projects: dict[Queue, int], written: list[tuple[str, Any]]
) -> None:
    LabelStudioDesk(http).prepare()

    assert [] == written
    assert projects == find_projects(Api(http))


def test_a_project_that_was_renamed_is_found_again(http: Http, projects: dict[Queue, int]) -> None:
    http.patch(f"/api/projects/{projects[Queue.GOLD]}/", {"title": "Ours"})

    LabelStudioDesk(http).prepare()

    assert projects == find_projects(Api(http))
    assert "Ours" == http.get(f"/api/projects/{projects[Queue.GOLD]}/")["title"]


def test_what_a_project_is_held_to_is_changed_back(
    http: Http, projects: dict[Queue, int], written: list[tuple[str, Any]]
) -> None:
    path = f"/api/projects/{projects[MASKS]}/"
    changed = {"maximum_annotations": 9, "label_config": screen(Queue.EXHAUSTIVITY)}
    http.patch(path, changed)
    written.clear()

    LabelStudioDesk(http).prepare()

    assert [(path, {"maximum_annotations": 1, "label_config": screen(MASKS)})] == [
        (path, dict(sorted(body.items(), reverse=True))) for path, body in written
    ]


def test_work_is_given_in_the_order_in_which_it_was_pushed(
    desk: LabelStudioDesk, people: People, projects: dict[Queue, int]
) -> None:
    pushed = desk.push(MASKS, [a_task(name, a_square(1)) for name in "cab"]).values()
    given_to_anna = []
    for _ in pushed:
        given_to_anna.append(number_given(people, ANNA, projects[MASKS]))
        people.answer(given_to_anna[-1], Option.ACCEPT, ANNA)

    assert [*pushed] == given_to_anna
    assert given(people, BEN, projects[MASKS]) is None


@pytest.mark.parametrize("queue", [MASKS, Queue.GOLD])
def test_a_task_is_given_to_as_many_people_as_its_queue_needs(
    desk: LabelStudioDesk, people: People, projects: dict[Queue, int], queue: Queue
) -> None:
    [number] = desk.push(queue, [a_task("a", asked=Asked.CORRECTION, queue=queue)]).values()
    voters = []
    for person in (ANNA, BEN, CLEO, DORA):
        if number_given(people, person, projects[queue]) == number:
            people.submit(number, [], person)
            voters.append(person)

    assert VOTES[queue] == len(voters)


def test_what_somebody_skips_is_given_to_somebody_else(
    desk: LabelStudioDesk, people: People, projects: dict[Queue, int]
) -> None:
    [number] = desk.push(MASKS, [a_task("a", a_square(1))]).values()
    people.answer(number, NoAnswer.SKIPPED, ANNA)

    assert given(people, ANNA, projects[MASKS]) is None
    assert number == number_given(people, BEN, projects[MASKS])


def test_the_editor_is_given_the_masks_as_they_were_made(
    http: Http, desk: LabelStudioDesk, people: People, projects: dict[Queue, int]
) -> None:
    task = a_correction("a", a_square(1), a_square(6))
    desk.push(Queue.CORRECTION, [task])
    loaded = given(people, ANNA, projects[Queue.CORRECTION])

    assert loaded is not None
    [prediction] = loaded["predictions"]
    assert to_task(task)["predictions"][0]["result"] == prediction["result"]
    assert to_task(task)["data"] == loaded["data"]
    project = http.get(f"/api/projects/{projects[Queue.CORRECTION]}/")
    assert project["show_collab_predictions"], "each answer begins with the prediction"


def test_a_draft_is_no_answer(desk: LabelStudioDesk, people: People) -> None:
    [number] = desk.push(MASKS, [a_task("a", a_square(1))]).values()
    draft = {"result": [a_choice("Accept")], "lead_time": 1}
    people.as_(ANNA).post(f"/api/tasks/{number}/drafts", draft)

    assert [] == list(desk.answers(MASKS, since=None))
    assert [frozenset()] == [each.annotation_ids for each in desk.tasks(MASKS)]


def test_a_task_that_somebody_else_made_is_foreign_and_can_be_removed(
    http: Http, desk: LabelStudioDesk, people: People, projects: dict[Queue, int]
) -> None:
    data = to_task(a_task("a", a_square(1)))["data"]
    del data[names.DATA_ITEM]
    [number] = Api(http).import_tasks(projects[MASKS], json.dumps([{"data": data}]).encode())
    own = people.submit(number, [a_choice("Accept")], ANNA)

    [failure] = desk.answers(MASKS, since=None)

    assert isinstance(failure, Failure)
    assert (f"{desk.name}/{own}", "foreign_task") == (failure.subject_id, failure.reason)
    assert [(number, "")] == [(each.task_id, each.item_id) for each in desk.tasks(MASKS)]
    desk.remove(MASKS, [number])
    assert [] == desk.tasks(MASKS)


@pytest.mark.parametrize(
    ("result", "reason"),
    [
        pytest.param([], "no_choice", id="submitted without a choice"),
        pytest.param([a_choice("Accept"), a_choice("Reject")], "two_choices", id="two choices"),
        pytest.param([a_choice("Perhaps")], "unknown_choice", id="no option"),
        pytest.param([{"nothing": 1}], "unreadable", id="no region at all"),
        pytest.param({"a": 1}, None, id="no list: Label Studio itself refuses it"),
    ],
)
def test_what_label_studio_takes_and_we_cannot_use(
    desk: LabelStudioDesk, people: People, result: object, reason: str | None
) -> None:
    numbers = desk.push(MASKS, [a_task(name, a_square(1)) for name in "ab"])
    first, second = numbers.values()
    if reason is None:
        with pytest.raises(DeskRefusedError):
            people.submit(first, result, ANNA)
        return
    own = people.submit(first, result, ANNA)
    people.answer(second, Option.ACCEPT, ANNA)

    failure, answer = desk.answers(MASKS, since=None)

    assert isinstance(failure, Failure)
    assert (f"{desk.name}/{own}", reason) == (failure.subject_id, failure.reason)
    assert isinstance(answer, DeskAnswer)


def test_an_answer_that_is_changed_while_others_are_read_is_met_again(
    http: Http, desk: LabelStudioDesk, people: People, projects: dict[Queue, int]
) -> None:
    num = 2 * pull._TASKS_A_PAGE + 1
    answered = [
        to_task(a_task(str(number), a_square(1)))
        | {"annotations": [{"result": [a_choice("Accept")], "completed_by": {"email": ANNA}}]}
        for number in range(num)
    ]
    tasks = Api(http).import_tasks(projects[MASKS], json.dumps(answered).encode())
    reading = desk.answers(MASKS, since=None)

    first = next(reading)
    assert isinstance(first, DeskAnswer)
    people.change(first.annotation_id, first.task_id, Option.REJECT, ANNA)
    rest = list(reading)

    assert [*tasks[1:], tasks[0]] == [each.task_id for each in rest if isinstance(each, DeskAnswer)]
    assert isinstance(rest[-1], DeskAnswer)
    assert (ANNA, Option.REJECT) == (rest[-1].person, rest[-1].answer)


def test_a_personal_access_token_is_let_in_until_it_is_revoked(
    label_studio: Served, people: People
) -> None:
    anna = people.as_(ANNA)
    token = anna.post("/api/token/", {})["token"]
    with Http(label_studio.address, token) as client:
        LabelStudioDesk(client).prepare()
        assert [] == LabelStudioDesk(client).tasks(MASKS)
    anna.post("/api/token/blacklist/", {"refresh": token})

    with (
        Http(label_studio.address, token) as client,
        pytest.raises(ConfigError, match=TOKEN_SETTING),
    ):
        LabelStudioDesk(client).tasks(MASKS)


def test_a_revoked_legacy_token_names_the_setting(label_studio: Served, people: People) -> None:
    token = people.as_(DORA).get("/api/current-user/token")["token"]
    new = people.as_(DORA).post("/api/current-user/reset-token/", {})["token"]
    with Http(label_studio.address, new) as client:
        assert [] == LabelStudioDesk(client).tasks(MASKS)

    with (
        Http(label_studio.address, token) as client,
        pytest.raises(ConfigError, match=TOKEN_SETTING),
    ):
        LabelStudioDesk(client).tasks(MASKS)
