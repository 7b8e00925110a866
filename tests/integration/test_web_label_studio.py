"""The web app as the real Label Studio speaks to it: its assist backend, and its webhook."""

import json
from collections.abc import Iterator

import numpy as np
import pytest

from engine.masks import decode, encode
from engine.ports import ReviewTask
from engine.queues import Asked, Purpose, Queue, QueueItem
from engine.records import Mask
from flows.services.label_studio import Served
from tests.web_world import HEIGHT, PHRASE, SECRETS, URLS, WIDTH, World, a_picture, serving
from ui.label_studio import names
from ui.label_studio.api import Api
from ui.label_studio.brush import decode_brush
from ui.label_studio.http import DeskRefusedError, Http
from ui.label_studio.links import WEBHOOK_PATH, Links, link_projects
from ui.label_studio.projects import screen
from ui.label_studio.regions import brush_region
from ui.label_studio.to_tasks import to_task
from ui.web.ports import AskedPair
from ui.web.requests import SECRET_HEADER, USER

pytestmark = pytest.mark.service

FRAME = {"to_name": names.IMAGE, "original_width": WIDTH, "original_height": HEIGHT}
FRAME |= {"image_rotation": 0}


def a_block(left: int) -> Mask:
    """A block of 10 x 10 pixels in the top rows."""
    inside_HW = np.zeros((HEIGHT, WIDTH), np.bool_)
    inside_HW[:10, left : left + 10] = True
    return encode(inside_HW[None])[0]


SHOWN = a_block(0)


def a_box(left: int, label: str, region_id: str) -> dict[str, object]:
    """A box around the block there, as the editor sends it."""
    value = {"x": 100 * left / WIDTH, "y": 0, "width": 1000 / WIDTH, "height": 1000 / HEIGHT}
    named = {"id": region_id, "type": "rectanglelabels", "from_name": names.BOXES}
    return {**FRAME, **named, "value": {**value, "rotation": 0, "rectanglelabels": [label]}}


@pytest.fixture
def world() -> World:
    return World()


@pytest.fixture
def asked(world: World) -> AskedPair:
    return world.add(a_picture())


@pytest.fixture
def app_address(world: World, asked: AskedPair) -> Iterator[str]:
    with serving(world.app()) as address:
        yield address


@pytest.fixture
def http(label_studio: Served) -> Iterator[Http]:
    with Http(label_studio.address, label_studio.token) as http:
        yield http


@pytest.fixture
def project(http: Http) -> Iterator[int]:
    """A project in which people draw; it goes at the end."""
    body = {"title": "a test of the web app", "label_config": screen(Queue.CORRECTION)}
    project_id = int(http.post("/api/projects/", body)["id"])
    yield project_id
    http.delete(f"/api/projects/{project_id}/")


@pytest.fixture
def task_id(http: Http, project: int, asked: AskedPair) -> int:
    item = QueueItem(
        queue=Queue.CORRECTION,
        asked=Asked.CORRECTION,
        purpose=Purpose.WORK,
        pair_id=asked.pair.id,
        subject_id=asked.pair.id,
        mask_ids=("proposals_a/0",),
    )
    task = ReviewTask(
        item=item,
        phrase=PHRASE,
        definition="",
        media_url=URLS.media_url(asked.media.id, now=0),
        width=WIDTH,
        height=HEIGHT,
        masks=(SHOWN,),
    )
    [task_id] = Api(http).import_tasks(project, json.dumps([to_task(task)]).encode())
    return task_id


def links_to(address: str, *, password: str = SECRETS.assist) -> Links:
    return Links(
        app=address,
        webhook_headers={SECRET_HEADER: SECRETS.webhook},
        assist_user=USER,
        assist_password=password,
    )


def backend_of(http: Http, project: int) -> dict[str, object]:
    [backend] = http.get("/api/ml/", project=project)
    assert isinstance(backend, dict)
    return backend


def test_it_is_taken_as_a_backend_and_names_its_model(
    http: Http, project: int, app_address: str, world: World
) -> None:
    link_projects(Api(http), {Queue.CORRECTION: project}, links_to(app_address))
    first, later = backend_of(http, project), backend_of(http, project)

    assert ("CO", True) == (first["state"], first["is_interactive"])
    assert "nearest@0" == later["model_version"]
    assert 1 == world.num_loads


def test_a_wrong_password_is_not_taken(http: Http, project: int, app_address: str) -> None:
    with pytest.raises(DeskRefusedError, match="authentication parameters"):
        link_projects(
            Api(http), {Queue.CORRECTION: project}, links_to(app_address, password="guess")
        )


def test_an_app_that_moved_is_told_and_is_there_once(
    http: Http, project: int, app_address: str, world: World
) -> None:
    projects = {Queue.CORRECTION: project}
    link_projects(Api(http), projects, links_to(app_address))
    with serving(world.app()) as moved:
        link_projects(Api(http), projects, links_to(moved))
    hooks = [each["url"] for each in Api(http).listed("/api/webhooks/", project=project)]

    assert f"{moved}/assist" == backend_of(http, project)["url"]
    assert [f"{moved}{WEBHOOK_PATH}"] == hooks, "Label Studio's own for a backend is gone"


def test_a_click_comes_back_as_a_region(
    http: Http, project: int, app_address: str, task_id: int
) -> None:
    link_projects(Api(http), {Queue.CORRECTION: project}, links_to(app_address))
    named = {"id": "c1", "type": "keypoint", "from_name": names.CLICKS, "is_positive": True}
    click = {**FRAME, **named, "value": {"x": 25, "y": 50, "width": 0.5, "labels": []}}
    path = f"/api/ml/{backend_of(http, project)['id']}/interactive-annotating"
    answer = http.post(path, {"task": task_id, "context": {"result": [click]}})
    [region] = answer["data"]["result"]
    mask = decode_brush(region["value"]["rle"], height=HEIGHT, width=WIDTH)
    rows, columns = np.nonzero(decode([mask])[0])

    # The shown mask has the first colour.
    label = names.INSTANCES[1]
    assert (names.MASKS, [label]) == (region["from_name"], region["value"]["brushlabels"])
    assert (20, 30) == (round(columns.mean() + 0.5), round(rows.mean() + 0.5))


def test_an_example_finds_what_is_not_shown_yet(
    http: Http, project: int, app_address: str, task_id: int, world: World
) -> None:
    link_projects(Api(http), {Queue.CORRECTION: project}, links_to(app_address))
    world.found = [SHOWN, a_block(40)]
    path = f"/api/ml/{backend_of(http, project)['id']}/interactive-annotating"
    body = {"task": task_id, "context": {"result": [a_box(40, names.LIKE_THIS, "b1")]}}
    [region] = http.post(path, body)["data"]["result"]

    assert a_block(40) == decode_brush(region["value"]["rle"], height=HEIGHT, width=WIDTH)
    assert [(PHRASE, [True])] == [
        (phrase, [each.is_positive for each in exemplars]) for phrase, exemplars in world.reruns
    ]


def test_the_draft_tells_what_else_is_pending(
    http: Http, project: int, app_address: str, task_id: int, world: World
) -> None:
    link_projects(Api(http), {Queue.CORRECTION: project}, links_to(app_address))
    world.found = [SHOWN, a_block(40)]
    drafted = [a_box(20, names.NOT_LIKE_THIS, "b0"), brush_region(a_block(40), region_id="m")]
    http.post(f"/api/tasks/{task_id}/drafts", {"result": drafted, "lead_time": 1})
    path = f"/api/ml/{backend_of(http, project)['id']}/interactive-annotating"
    body = {"task": task_id, "context": {"result": [a_box(0, names.LIKE_THIS, "b1")]}}
    [region] = http.post(path, body)["data"]["result"]

    assert SHOWN == decode_brush(region["value"]["rle"], height=HEIGHT, width=WIDTH)
    assert [False, True] == [each.is_positive for each in world.reruns[0][1]]


def test_an_error_is_told_and_the_next_click_works(
    http: Http, project: int, app_address: str, task_id: int, world: World
) -> None:
    link_projects(Api(http), {Queue.CORRECTION: project}, links_to(app_address))
    path = f"/api/ml/{backend_of(http, project)['id']}/interactive-annotating"
    kept = dict(world.contents)
    world.contents.clear()
    click = {**FRAME, "id": "c1", "from_name": names.CLICKS, "value": {"x": 25, "y": 50}}
    body = {"task": task_id, "context": {"result": [click]}}
    failed = http.post(path, body)
    world.contents.update(kept)

    assert "410" in failed["errors"][0]
    assert 1 == len(http.post(path, body)["data"]["result"])


def test_an_answer_hints(
    http: Http, project: int, app_address: str, task_id: int, world: World
) -> None:
    link_projects(Api(http), {Queue.CORRECTION: project}, links_to(app_address))
    assert not world.hints
    http.post(f"/api/tasks/{task_id}/annotations/", {"result": [], "lead_time": 3})

    assert world.was_hinted.wait(10)
