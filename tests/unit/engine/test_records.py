"""What the ids of facts are made of."""

import numpy as np
import pytest

from engine.records import Exemplar, exemplars_hash


def exemplar(*box_xyxy: float, is_positive: bool = True) -> Exemplar:
    left, top, right, bottom = box_xyxy
    return Exemplar(box_xyxy=(left, top, right, bottom), is_positive=is_positive)


@pytest.mark.parametrize(
    "box_xyxy",
    [
        pytest.param((1, 2, 30, 40), id="whole numbers"),
        pytest.param(tuple(np.array([1.0, 2.0, 30.0, 40.0])), id="numpy's numbers"),
    ],
)
def test_equal_exemplars_have_equal_hashes(box_xyxy: tuple[float, ...]) -> None:
    same = exemplar(1.0, 2.0, 30.0, 40.0)

    assert same == exemplar(*box_xyxy)
    assert exemplars_hash((same,)) == exemplars_hash((exemplar(*box_xyxy),))


def test_a_negative_exemplar_is_another_one() -> None:
    box = (1.0, 2.0, 30.0, 40.0)

    assert exemplars_hash((exemplar(*box),)) != exemplars_hash((exemplar(*box, is_positive=False),))


def test_the_order_of_exemplars_counts() -> None:
    first, second = exemplar(1, 2, 30, 40), exemplar(5, 6, 7, 8)

    assert exemplars_hash((first, second)) != exemplars_hash((second, first))
