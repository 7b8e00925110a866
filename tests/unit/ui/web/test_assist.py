"""The assist backend: clicks in, regions out, as Label Studio speaks and with nobody else."""

import base64
import concurrent.futures
import json
import time
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from fastapi.testclient import TestClient

from engine.errors import WeightsError
from engine.masks import decode, encode
from engine.records import Exemplar, Mask
from tests.clickers import NearestClicker
from tests.web_world import BASIC, HEADERS, HEIGHT, PHRASE, WIDTH, World, a_picture
from ui.label_studio import names
from ui.label_studio.brush import decode_brush
from ui.label_studio.regions import brush_region
from ui.web.ports import AskedPair

Region = dict[str, Any]


@pytest.fixture
def asked(world: World) -> AskedPair:
    return world.add(a_picture())


def region(tag: str, value: dict[str, object], region_id: str, **overrides: object) -> Region:
    """As Label Studio 1.23.2 writes it."""
    return {
        "id": region_id,
        "from_name": tag,
        "to_name": names.IMAGE,
        "type": "rectanglelabels" if tag == names.BOXES else "keypointlabels",
        "origin": "manual",
        "original_width": WIDTH,
        "original_height": HEIGHT,
        "image_rotation": 0,
        "value": value,
        **overrides,
    }


def click(x: float, y: float, region_id: str = "c", *, is_positive: bool = True) -> Region:
    """A click at pixel (x, y)."""
    value = {"x": 100 * x / WIDTH, "y": 100 * y / HEIGHT, "width": 0.5, "labels": []}
    return region(names.CLICKS, value, region_id, is_positive=is_positive)


def box(xyxy: tuple[int, int, int, int], label: str = names.BOX, region_id: str = "b") -> Region:
    """A box in pixels."""
    left, top, right, bottom = xyxy
    value: dict[str, object] = {"rotation": 0, "rectanglelabels": [label]}
    value |= {"x": 100 * left / WIDTH, "width": 100 * (right - left) / WIDTH}
    value |= {"y": 100 * top / HEIGHT, "height": 100 * (bottom - top) / HEIGHT}
    return region(names.BOXES, value, region_id)


def request(asked: AskedPair, *pending: Region, **task: object) -> dict[str, Any]:
    """What Label Studio posts when a person has drawn something."""
    data = {names.DATA_PAIR: asked.pair.id, names.DATA_IMAGE: "http://169.254.169.254/secret"}
    return {
        "tasks": [{"id": 17, "data": data, "project": 3, "annotations": [], **task}],
        "project": "3.1700000000",
        "label_config": "<View/>",
        "params": {"login": None, "password": None, "context": {"result": list(pending)}},
    }


def predicted(client: TestClient, body: object) -> list[Region]:
    reply = client.post("/assist/predict", json=body, headers=BASIC)
    assert 200 == reply.status_code, reply.text
    [answer] = reply.json()["results"]
    regions: list[Region] = answer["result"]
    return regions


def masks_of(regions: Sequence[Region]) -> list[Mask]:
    return [decode_brush(each["value"]["rle"], height=HEIGHT, width=WIDTH) for each in regions]


def a_block(left: int, top: int, right: int, bottom: int) -> Mask:
    inside_HW = np.zeros((HEIGHT, WIDTH), np.bool_)
    inside_HW[top:bottom, left:right] = True
    return encode(inside_HW[None])[0]


def pixel(mask: Mask, x: int, y: int) -> bool:
    return bool(decode([mask])[0, y, x])


def test_a_click_becomes_a_region_to_edit(client: TestClient, asked: AskedPair) -> None:
    [found] = predicted(client, request(asked, click(20, 30)))
    [mask] = masks_of([found])

    assert (names.MASKS, names.IMAGE, "brushlabels") == (
        found["from_name"],
        found["to_name"],
        found["type"],
    )
    assert [names.INSTANCE] == found["value"]["brushlabels"]
    assert (WIDTH, HEIGHT, 0) == (
        found["original_width"],
        found["original_height"],
        found["image_rotation"],
    )
    assert (True, False) == (pixel(mask, 20, 30), pixel(mask, 40, 30))


def test_a_click_with_alt_says_not_this(client: TestClient, asked: AskedPair) -> None:
    pending = [click(20, 30, "c1"), click(26, 30, "c2", is_positive=False)]
    [mask] = masks_of(predicted(client, request(asked, *pending)))

    assert (True, False) == (pixel(mask, 20, 30), pixel(mask, 25, 30))


def test_each_box_becomes_its_own_region(client: TestClient, asked: AskedPair) -> None:
    regions = predicted(
        client, request(asked, box((0, 0, 10, 10), region_id="b1"), box((40, 20, 60, 50)))
    )

    assert [a_block(0, 0, 10, 10), a_block(40, 20, 60, 50)] == masks_of(regions)
    assert 2 == len({each["id"] for each in regions})
    assert [["instance"], ["instance 2"]] == [each["value"]["brushlabels"] for each in regions]


@pytest.mark.parametrize("told_by", ["predictions", "drafts"])
def test_a_click_comes_in_a_colour_that_the_picture_has_least_of(
    client: TestClient, asked: AskedPair, told_by: str
) -> None:
    there = [
        brush_region(a_block(0, 0, 4, 4), region_id=f"mask-{place}", label=label)
        for place, label in enumerate((*names.INSTANCES[:2], names.GROUP, *names.INSTANCES[3:]))
    ]
    task = {told_by: [{"id": 5, "result": [*there, click(3, 3)]}]}
    [free] = predicted(client, request(asked, click(20, 30), **task))
    full = {told_by: [{"id": 5, "result": [*there, *there[:1], free]}]}
    [next_one] = predicted(client, request(asked, click(20, 30), **full))

    assert [names.INSTANCES[2]] == free["value"]["brushlabels"]
    assert [names.INSTANCES[1]] == next_one["value"]["brushlabels"]


def test_the_same_request_names_its_regions_alike_and_another_does_not(
    client: TestClient, asked: AskedPair
) -> None:
    first, again, other = (
        predicted(client, request(asked, click(20, 30, region_id)))[0]
        for region_id in ("c1", "c1", "c2")
    )

    assert first == again
    assert first["id"] != other["id"]
    assert first["value"] == other["value"]


@pytest.mark.parametrize(
    "pending",
    [
        pytest.param([], id="the last click was deleted"),
        pytest.param([click(20, 30, is_positive=False)], id="only where it is not"),
    ],
)
def test_nothing_comes_of_nothing(
    world: World, client: TestClient, asked: AskedPair, pending: list[Region]
) -> None:
    world.contents.clear()  # the picture is not even read

    assert [] == predicted(client, request(asked, *pending))
    assert 0 == world.num_loads


def test_an_empty_mask_is_no_region(client: TestClient, asked: AskedPair) -> None:
    between_pixels = region(
        names.BOXES, {"x": 1, "y": 1, "width": 0.1, "height": 0.1, "rectanglelabels": ["box"]}, "b"
    )

    assert [] == predicted(client, request(asked, between_pixels))


def test_predictions_that_nobody_clicked_for_are_none(
    world: World, client: TestClient, asked: AskedPair
) -> None:
    body = request(asked)
    body["params"]["context"] = None
    body["tasks"] *= 3
    reply = client.post("/assist/predict", json=body, headers=BASIC)

    assert {"results": [[], [], []]} == reply.json()
    assert 0 == world.num_loads


def test_an_example_asks_for_the_concept_again(
    world: World, client: TestClient, asked: AskedPair
) -> None:
    world.found = [a_block(0, 0, 10, 10), a_block(40, 20, 60, 50)]
    regions = predicted(client, request(asked, box((0, 0, 20, 15), names.LIKE_THIS)))

    assert world.found == masks_of(regions)
    assert [(PHRASE, (Exemplar(box_xyxy=(0, 0, 20, 15), is_positive=True),))] == world.reruns
    assert [] == world.clicker.asked


def test_examples_under_the_other_label_come_from_the_draft(
    world: World, client: TestClient, asked: AskedPair
) -> None:
    wrong = box((40, 20, 60, 50), names.NOT_LIKE_THIS, "b2")
    old = box((0, 0, 9, 9), names.NOT_LIKE_THIS, "b0")
    stale = box((0, 0, 10, 10), names.LIKE_THIS, "b1")
    moved = box((2, 2, 12, 12), names.LIKE_THIS, "b1")
    other = box((70, 50, 80, 60), names.BOX, "b3")
    drafts = [{"id": 1, "result": [old]}, {"id": 2, "result": [wrong, stale, other]}]
    predicted(client, request(asked, moved, drafts=drafts))
    [(_, exemplars)] = world.reruns

    assert {((2, 2, 12, 12), True), ((40, 20, 60, 50), False)} == {
        (tuple(round(side) for side in each.box_xyxy), each.is_positive) for each in exemplars
    }


@pytest.mark.parametrize("told_by", ["predictions", "drafts"])
def test_what_is_on_the_picture_already_does_not_come_again(
    world: World, client: TestClient, asked: AskedPair, told_by: str
) -> None:
    present, missing = a_block(0, 0, 10, 10), a_block(40, 20, 60, 50)
    world.found = [a_block(0, 0, 10, 9), missing]
    shown = [brush_region(present, region_id="mask-0"), click(3, 3)]
    task = {told_by: [{"id": 5, "result": shown}]}
    regions = predicted(client, request(asked, box((40, 20, 60, 50), names.LIKE_THIS), **task))

    assert [missing] == masks_of(regions)


@pytest.mark.parametrize("label", ["", names.REMOVE])
def test_what_a_person_removed_may_come_again(
    world: World, client: TestClient, asked: AskedPair, label: str
) -> None:
    world.found = [a_block(0, 0, 10, 10)]
    pushed = [{"id": 5, "result": [brush_region(world.found[0], region_id="mask-0")]}]
    left = [brush_region(world.found[0], region_id="mask-0", label=label)] if label else []
    task = {"predictions": pushed, "drafts": [{"id": 6, "result": left}]}
    regions = predicted(client, request(asked, box((0, 0, 10, 10), names.LIKE_THIS), **task))

    assert world.found == masks_of(regions)


@pytest.mark.parametrize("rle", [[1, 2, 3], "x", [None], {}, [300]])
def test_a_shown_mask_that_is_broken_hides_nothing(
    world: World, client: TestClient, asked: AskedPair, rle: object
) -> None:
    world.found = [a_block(0, 0, 10, 10)]
    broken = {**brush_region(world.found[0], region_id="mask-0"), "value": {"rle": rle}}
    task = {"predictions": [{"id": 5, "result": [broken, {"value": 3}, {}]}]}
    regions = predicted(client, request(asked, box((0, 0, 10, 10), names.LIKE_THIS), **task))

    assert world.found == masks_of(regions)


def spoilt(**changes: object) -> dict[str, object]:
    return {**click(20, 30), **changes}


@pytest.mark.parametrize(
    ("pending", "problem"),
    [
        pytest.param(spoilt(value={"x": -3, "y": 5}), "not on the picture", id="negative"),
        pytest.param(spoilt(value={"x": 3, "y": 250}), "not on the picture", id="outside"),
        pytest.param(spoilt(value={"x": "3; DROP TABLE"}), "x: ", id="text"),
        pytest.param(spoilt(value=[3, 5]), "value: ", id="a list"),
        pytest.param(spoilt(original_width=81), "81 x 60", id="another picture"),
        pytest.param(spoilt(is_positive="perhaps"), "is_positive: ", id="perhaps positive"),
        pytest.param({"id": "c"}, "from_name: ", id="no region"),
        pytest.param("c", "result.0: ", id="a text"),
    ],
)
def test_a_region_that_is_none_is_named(
    client: TestClient, asked: AskedPair, pending: Region, problem: str
) -> None:
    reply = client.post("/assist/predict", json=request(asked, pending), headers=BASIC)

    assert 400 == reply.status_code
    assert problem in reply.text


@pytest.mark.parametrize("number", [b"NaN", b"Infinity", b"-Infinity", b"1e999"])
def test_what_is_no_number_is_refused(client: TestClient, asked: AskedPair, number: bytes) -> None:
    body = (
        json.dumps(request(asked, click(20, 30))).encode().replace(b'"x": 25.0', b'"x": ' + number)
    )
    assert number in body
    reply = client.post("/assist/predict", content=body, headers=HEADERS)

    assert 400 == reply.status_code


@pytest.mark.parametrize(
    ("body", "status"),
    [
        pytest.param({}, 400, id="nothing"),
        pytest.param([], 400, id="a list"),
        pytest.param({"tasks": "all"}, 400, id="no tasks"),
        pytest.param({"tasks": [], "params": {"context": {"result": []}}}, 400, id="no task"),
        pytest.param(
            {"tasks": [{"id": 1, "data": {}}] * 2, "params": {"context": {"result": []}}},
            400,
            id="a click on two tasks",
        ),
        pytest.param(
            {"tasks": [{"id": 1, "data": {}}], "params": {"context": {"result": []}}},
            400,
            id="a task that is not ours",
        ),
        pytest.param(
            {"tasks": [{"id": 1, "data": {"pair": 7}}], "params": {"context": {"result": []}}},
            400,
            id="a pair that is no id",
        ),
        pytest.param(
            {"tasks": [{"id": 1, "data": {"pair": "p\0"}}], "params": {"context": {"result": []}}},
            400,
            id="a pair that Postgres would choke on",
        ),
        pytest.param(
            {"tasks": [{"id": 1, "data": {"pair": "p"}}], "params": {"context": {"result": []}}},
            404,
            id="an unknown pair",
        ),
    ],
)
def test_a_bad_request_is_one_plain_sentence(client: TestClient, body: object, status: int) -> None:
    reply = client.post("/assist/predict", json=body, headers=BASIC)

    assert (status, 1) == (reply.status_code, reply.text.count("\n"))


@pytest.mark.parametrize(
    ("gone", "status"), [pytest.param(True, 410, id="gone"), pytest.param(False, 422, id="broken")]
)
def test_media_that_cannot_be_read_say_so(
    world: World, client: TestClient, asked: AskedPair, gone: bool, status: int
) -> None:
    world.contents = {} if gone else {asked.media.id: b"<html>"}
    with TestClient(world.app()) as client:
        body = request(asked, click(20, 30))
        first = client.post("/assist/predict", json=body, headers=BASIC)
        world.contents[asked.media.id] = a_picture()
        again = client.post("/assist/predict", json=body, headers=BASIC)

    assert [status, 200] == [first.status_code, again.status_code]


@pytest.mark.parametrize(
    "given",
    [
        pytest.param("", id="nothing"),
        pytest.param("Basic", id="no password"),
        pytest.param("Basic !!!", id="no base64"),
        pytest.param("Basic " + base64.b64encode(b"maskloop:hel").decode(), id="a part"),
        pytest.param("Basic " + base64.b64encode(b"maskloop:").decode(), id="empty"),
        pytest.param("Basic " + base64.b64encode(b"root:help").decode(), id="another user"),
        pytest.param("Basic " + base64.b64encode("maskloop:hölp".encode()).decode(), id="UTF-8"),
        pytest.param(BASIC["Authorization"].replace("Basic", "Bearer"), id="another scheme"),
    ],
)
def test_only_who_knows_the_password_is_answered(
    world: World, client: TestClient, asked: AskedPair, given: str
) -> None:
    headers = {"Authorization": given} if given else {}
    replies = [
        client.get("/assist/health", headers=headers),
        client.post("/assist/setup", json={}, headers=headers),
        client.post("/assist/webhook", json={}, headers=headers),
        client.post("/assist/predict", json=request(asked, click(9, 9)), headers=headers),
    ]

    assert {401} == {reply.status_code for reply in replies}
    assert {'Basic realm="maskloop"'} == {reply.headers["www-authenticate"] for reply in replies}
    assert 0 == world.num_loads


def test_who_knows_it_is(client: TestClient) -> None:
    assert 200 == client.get("/assist/health", headers=BASIC).status_code
    assert 204 == client.post("/assist/webhook", json={"action": "X"}, headers=BASIC).status_code


def version(client: TestClient) -> str:
    reply = client.post("/assist/setup", json={"access_token": "t"}, headers=BASIC)
    assert 200 == reply.status_code
    return str(reply.json()["model_version"])


def version_at_last(client: TestClient) -> str:
    deadline = time.monotonic() + 5
    while (found := version(client)) == "" and time.monotonic() < deadline:
        time.sleep(0.01)
    return found


def test_setup_begins_to_load_and_then_names_the_model(world: World, client: TestClient) -> None:
    assert "" == version(client)
    assert ("nearest@0", 1) == (version_at_last(client), world.num_loads)


def test_setup_tries_again_what_could_not_be_loaded(world: World) -> None:
    tries: list[int] = []

    def load() -> NearestClicker:
        tries.append(1)
        if len(tries) == 1:
            raise WeightsError("weights are not there")
        return world.clicker

    world.load = load  # type: ignore[method-assign]  # the port that fails
    with TestClient(world.app()) as client:
        assert "nearest@0" == version_at_last(client)
    assert [1, 1] == tries


def test_a_model_that_cannot_be_loaded_is_tried_again(world: World, asked: AskedPair) -> None:
    tries: list[int] = []

    def load() -> NearestClicker:
        tries.append(1)
        if len(tries) < 3:
            raise WeightsError("weights /srv/secret are not there")
        return world.clicker

    world.load = load  # type: ignore[method-assign]  # the port that fails
    with TestClient(world.app(), raise_server_exceptions=False) as client:
        assert 200 == client.post("/assist/setup", json={}, headers=BASIC).status_code
        body = request(asked, click(20, 30))
        replies = [client.post("/assist/predict", json=body, headers=BASIC) for _ in range(2)]

    assert [500, 200] == [reply.status_code for reply in replies]
    assert "secret" not in replies[0].text


def test_models_take_one_call_at_a_time_and_others_are_answered_meanwhile(
    world: World, asked: AskedPair
) -> None:
    world.clicker = NearestClicker(seconds=0.2)
    with TestClient(world.app()) as client, concurrent.futures.ThreadPoolExecutor(6) as pool:
        started = time.monotonic()
        slow = [
            pool.submit(predicted, client, request(asked, click(20, 30, f"c{n}"))) for n in range(5)
        ]
        time.sleep(0.1)
        asked_at = time.monotonic()
        assert 200 == client.get("/health").status_code
        answered_after = time.monotonic() - asked_at
        regions = [each.result() for each in slow]
        took = time.monotonic() - started

    assert 1 == world.clicker.most_running
    assert answered_after < 0.15
    assert took >= 5 * 0.2
    assert [1] * 5 == [len(each) for each in regions]


def test_too_many_who_wait_are_sent_away(
    world: World, asked: AskedPair, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ui.web.threads.MAX_WAITING", 2)
    world.clicker = NearestClicker(seconds=0.3)
    with TestClient(world.app()) as client, concurrent.futures.ThreadPoolExecutor(6) as pool:
        body = request(asked, click(20, 30))
        replies = [
            pool.submit(client.post, "/assist/predict", json=body, headers=BASIC) for _ in range(6)
        ]
        statuses = sorted(each.result().status_code for each in replies)
        later = client.post("/assist/predict", json=body, headers=BASIC)

    assert [200, 200, 503, 503, 503, 503] == statuses
    assert 200 == later.status_code


def test_a_picture_is_read_once_for_all_its_clicks(
    world: World, client: TestClient, asked: AskedPair
) -> None:
    reads: list[str] = []
    contents = dict(world.contents)

    class Counted(dict[str, bytes]):
        def __getitem__(self, media_id: str) -> bytes:
            reads.append(media_id)
            return super().__getitem__(media_id)

    world.contents = Counted(contents)
    with TestClient(world.app()) as client:
        for n in range(4):
            predicted(client, request(asked, click(20 + n, 30)))

    assert [asked.media.id] == reads


def test_a_mask_comes_back_as_it_was_made(
    world: World, client: TestClient, asked: AskedPair
) -> None:
    rng = np.random.default_rng(0)
    world.found = encode(
        rng.random((3, HEIGHT, WIDTH)) < np.array([0.5, 0.02, 0.98])[:, None, None]
    )
    regions = predicted(client, request(asked, box((0, 0, 9, 9), names.LIKE_THIS)))

    assert world.found == masks_of(regions)


def test_a_huge_body_is_refused(client: TestClient, asked: AskedPair) -> None:
    body = request(asked, click(20, 30), drafts=[{"result": [{"x": "y" * (1 << 20)}]}])

    assert 413 == client.post("/assist/predict", json=body, headers=BASIC).status_code


@pytest.mark.parametrize("path", ["/assist/setup", "/assist/predict", "/assist/webhook"])
def test_html_is_refused(client: TestClient, path: str) -> None:
    page = b"<html><body>502 Bad Gateway</body></html>"
    as_page = client.post(path, content=page, headers={**BASIC, "Content-Type": "text/html"})
    as_json = client.post(path, content=page, headers=HEADERS)

    assert (415, 400) == (as_page.status_code, as_json.status_code)
