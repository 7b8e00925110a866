import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pycocotools import mask as coco_mask

from engine.errors import InvalidMaskError
from engine.masks import encode
from engine.polygons import from_polygons, joined, outline
from tests.datasets import mask_of, masks

sized_masks = st.tuples(st.integers(1, 12), st.integers(1, 12)).flatmap(
    lambda size: masks(height=size[0], width=size[1])
)


def rasterised(polygon, mask):
    """What pycocotools makes of one polygon, by the even-odd rule."""
    return coco_mask.decode(
        coco_mask.frPyObjects([polygon.ravel().tolist()], mask.height, mask.width)
    )[..., 0]


@settings(deadline=None)
@given(sized_masks)
def test_parts_and_holes_rasterise_to_the_same_mask(mask):
    shape = outline(mask)

    assert mask == encode(rasterised(joined([*shape.parts, *shape.holes]), mask)[None] > 0)[0]


@settings(deadline=None)
@given(sized_masks)
def test_parts_alone_cover_the_mask(mask):
    shape = outline(mask)
    polygons = [part.ravel().tolist() for part in shape.parts]
    whole = from_polygons(polygons, height=mask.height, width=mask.width)

    assert (whole == mask) == (not shape.holes)


@pytest.mark.parametrize(
    ("rows", "num_parts", "num_holes"),
    [
        pytest.param("...... ......", 0, 0, id="empty"),
        pytest.param("###### ######", 1, 0, id="full"),
        pytest.param("#..... .#....", 1, 0, id="touching at a corner is one part"),
        pytest.param("#.#... ......", 2, 0, id="two parts"),
        pytest.param("###... #.#... ###...", 1, 1, id="a hole"),
        pytest.param(".#.... #.#... .#....", 1, 1, id="a hole among corners"),
    ],
)
def test_parts_and_holes_are_counted(rows, num_parts, num_holes):
    shape = outline(mask_of(rows))

    assert (num_parts, num_holes) == (len(shape.parts), len(shape.holes))


def test_corners_are_on_pixel_edges():
    (part,) = outline(mask_of(".... .##. ....")).parts

    assert {(1, 1), (3, 1), (3, 2), (1, 2)} == {(x, y) for x, y in part}


@pytest.mark.parametrize(
    "polygons",
    [
        pytest.param([], id="none"),
        pytest.param([[0, 0, 4, 4]], id="two corners"),
        pytest.param([[0, 0, 4, 0, 4]], id="half a corner"),
        pytest.param([[0, 0, 4, 0, 4, float("nan")]], id="not a number"),
        pytest.param([[0, 0, 4, 0, 4, 1e9]], id="far outside"),
        pytest.param([[0, 0, 4, 0, 4, "5"]], id="a text"),
        pytest.param(["abc"], id="no list"),
    ],
)
def test_a_wrong_polygon_is_refused(polygons):
    with pytest.raises(InvalidMaskError):
        from_polygons(polygons, height=10, width=10)


def test_a_little_outside_is_cut_off():
    mask = from_polygons([[-1, -1, 11, -1, 11, 11, -1, 11]], height=10, width=10)

    assert mask == encode(np.ones((1, 10, 10), bool))[0]
