"""What the losses of a batch are about."""

from dataclasses import replace

import pytest

from models.sam3_image import VISUAL_PROMPT
from tests.tiny_weights import save_untrained_weights
from tests.train_squares import training


@pytest.fixture(scope="module")
def squares(tmp_path_factory):
    weights = save_untrained_weights(tmp_path_factory.mktemp("weights"))
    return training(weights, tmp_path_factory.mktemp("home"), exemplar_share=1.0)


def test_pairs_that_are_shown_by_boxes_alone_teach_no_word(squares):
    batch = squares.maker.batch(0)
    assert batch.exemplars is not None
    objective = squares.run._objective
    named = objective(replace(batch, phrases=("red square",) * batch.num_pairs))
    alone = objective(replace(batch, phrases=(VISUAL_PROMPT,) * batch.num_pairs))

    assert named.parts["phrases"] > 0
    assert alone.parts["phrases"] == 0
    alone.total.backward()
