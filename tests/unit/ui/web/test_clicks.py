"""What a person drew, in pixels."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.records import Exemplar
from tests.factories import a_media
from ui.label_studio import names
from ui.web.clicks import (
    Clicks,
    Drawn,
    PercentBox,
    PercentPoint,
    Wish,
    point_to_percent,
    point_to_pixels,
    read_wish,
    to_percent,
    to_pixels,
)
from ui.web.requests import RefusedError

MEDIA = a_media(width=200, height=100)
sides = st.integers(1, 20_000)
shares = st.floats(0, 1)


def drawn(tag: str, value: dict[str, object], **overrides: object) -> Drawn:
    fields = {"id": "r", "from_name": tag, "value": value}
    fields |= {"original_width": MEDIA.width, "original_height": MEDIA.height}
    return Drawn.model_validate({**fields, **overrides})


def click(x: float, y: float, **overrides: object) -> Drawn:
    return drawn(names.CLICKS, {"x": x, "y": y, "width": 1}, **overrides)


def box(x: float, y: float, width: float, height: float, label: str = names.BOX) -> Drawn:
    value = {"x": x, "y": y, "width": width, "height": height, "rectanglelabels": [label]}
    return drawn(names.BOXES, {**value, "rotation": 0})


@given(sides, sides, shares, shares, shares, shares)
def test_boxes_round_trip(width: int, height: int, a: float, b: float, c: float, d: float) -> None:
    box_xyxy = (min(a, b) * width, min(c, d) * height, max(a, b) * width, max(c, d) * height)
    back = to_pixels(to_percent(box_xyxy, width=width, height=height), width=width, height=height)

    assert box_xyxy == pytest.approx(back, abs=1e-6)


@given(sides, sides, shares, shares)
def test_points_round_trip(width: int, height: int, x: float, y: float) -> None:
    point_xy = (x * width, y * height)
    percent = point_to_percent(point_xy, width=width, height=height)

    assert point_xy == pytest.approx(point_to_pixels(percent, width=width, height=height), abs=1e-6)


def test_percent_are_of_each_side() -> None:
    assert (20.0, 90.0) == point_to_pixels(PercentPoint(x=10, y=90), width=200, height=100)
    assert (20.0, 50.0, 120.0, 75.0) == to_pixels(
        PercentBox(x=10, y=50, width=50, height=25), width=200, height=100
    )


def test_a_turned_box_is_the_upright_one_around_it() -> None:
    turned = PercentBox(x=50, y=50, width=10, height=10, rotation=90)

    # 20 x 10 pixels, turned clockwise about (100, 50): 10 to the left, 20 down.
    assert (90.0, 50.0, 100.0, 70.0) == pytest.approx(to_pixels(turned, width=200, height=100))


@given(st.floats(-720, 720), sides, sides)
def test_a_turned_box_keeps_its_diagonal_inside(turn: float, width: int, height: int) -> None:
    turned = PercentBox(x=40, y=40, width=20, height=10, rotation=turn)
    left, top, right, bottom = to_pixels(turned, width=width, height=height)
    diagonal = math.hypot(0.2 * width, 0.1 * height)

    assert right - left <= diagonal * (1 + 1e-9)
    assert bottom - top <= diagonal * (1 + 1e-9)
    assert math.hypot(right - left, bottom - top) >= diagonal * (1 - 1e-9)


def test_clicks_make_one_mask_together() -> None:
    wish = read_wish([click(50, 50), click(25, 10, is_positive=False)], MEDIA)

    assert (
        Clicks(points_xy=((100.0, 50.0), (50.0, 10.0)), are_positive=(True, False), box_xyxy=None),
    ) == wish.clicks


def test_each_box_makes_a_mask_and_clicks_belong_to_the_last() -> None:
    wish = read_wish([box(0, 0, 10, 10), click(60, 60), box(50, 50, 20, 20)], MEDIA)

    assert (
        Clicks(points_xy=(), are_positive=(), box_xyxy=(0.0, 0.0, 20.0, 10.0)),
        Clicks(
            points_xy=((120.0, 60.0),), are_positive=(True,), box_xyxy=(100.0, 50.0, 140.0, 70.0)
        ),
    ) == wish.clicks


def test_examples_ask_for_the_concept_again() -> None:
    boxes = [box(0, 0, 10, 10, names.LIKE_THIS), box(50, 0, 10, 10, names.NOT_LIKE_THIS)]
    wish = read_wish(boxes, MEDIA)

    assert ((), ("r", "r")) == (wish.clicks, wish.region_ids)
    assert (
        Exemplar(box_xyxy=(0.0, 0.0, 20.0, 10.0), is_positive=True),
        Exemplar(box_xyxy=(100.0, 0.0, 120.0, 10.0), is_positive=False),
    ) == wish.exemplars


@pytest.mark.parametrize(
    "pending",
    [
        pytest.param([], id="nothing"),
        pytest.param([click(50, 50, is_positive=False)], id="only where it is not"),
        pytest.param([drawn(names.MASKS, {"format": "rle", "rle": [0]})], id="a mask"),
        pytest.param([drawn("somebody's", {"x": "?"})], id="a tag that is not ours"),
    ],
)
def test_what_asks_for_nothing_makes_nothing(pending: list[Drawn]) -> None:
    wish = read_wish(pending, MEDIA)

    assert ((), ()) == (wish.clicks, wish.exemplars)


@pytest.mark.parametrize(
    ("x", "expected"),
    [
        pytest.param(0.0, 0.0, id="the edge"),
        pytest.param(-0.4, 0.0, id="rounded beyond it"),
        pytest.param(100.0, 200.0, id="the other edge"),
        pytest.param(100.4, 200.0, id="rounded beyond that"),
    ],
)
def test_a_click_on_the_edge_is_on_the_picture(x: float, expected: float) -> None:
    assert expected == read_wish([click(x, 50)], MEDIA).clicks[0].points_xy[0][0]


def test_a_box_drawn_from_its_other_corner_is_the_same() -> None:
    assert (
        read_wish([box(5, 5, 5, 5)], MEDIA).clicks == read_wish([box(10, 10, -5, -5)], MEDIA).clicks
    )


def test_a_box_over_the_edge_ends_there() -> None:
    assert (0.0, 80.0, 20.0, 100.0) == read_wish([box(-5, 80, 15, 50)], MEDIA).clicks[0].box_xyxy


def wish_of(*pending: Drawn) -> Wish:
    return read_wish(pending, MEDIA)


@pytest.mark.parametrize(
    ("pending", "problem"),
    [
        pytest.param(click(-1, 50), "not on the picture", id="left of it"),
        pytest.param(click(50, 101), "not on the picture", id="below it"),
        pytest.param(click(1e308, 50), "not on the picture", id="far away"),
        pytest.param(drawn(names.CLICKS, {"x": 5}), "y: Field required", id="half a point"),
        pytest.param(drawn(names.CLICKS, {"x": 5, "y": "?"}), "y: ", id="no number"),
        pytest.param(drawn(names.CLICKS, {"x": 5, "y": None}), "y: ", id="null"),
        pytest.param(drawn(names.CLICKS, {"x": 5, "y": math.nan}), "finite", id="NaN"),
        pytest.param(drawn(names.CLICKS, {"x": math.inf, "y": 5}), "finite", id="infinity"),
        pytest.param(box(-50, 0, 20, 20), "covers nothing", id="a box beside it"),
        pytest.param(box(10, 10, 0, 20), "covers nothing", id="a box without width"),
        pytest.param(box(0, 0, 1e308, math.inf), "finite", id="a box without end"),
        pytest.param(box(0, 0, 9, 9, "cat"), "use one of box, like this", id="another label"),
        pytest.param(drawn(names.BOXES, {"rectanglelabels": 3}), "label", id="no labels"),
        pytest.param(click(5, 5, original_width=640), "640 x 100", id="another picture"),
        pytest.param(click(5, 5, image_rotation=90), "turned by 90", id="a turned picture"),
    ],
)
def test_what_is_not_on_the_picture_is_named(pending: Drawn, problem: str) -> None:
    with pytest.raises(RefusedError, match=problem) as caught:
        wish_of(pending)

    assert 400 == caught.value.status
