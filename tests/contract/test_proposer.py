"""What every proposer promises; the double and the real one pass the same suite."""

from collections.abc import Iterator

import numpy as np
import pytest

from engine.ports import PromptedImage, Proposer
from engine.records import Exemplar, Pair, Prompt
from models.sam3_image import load_proposer
from models.settings import ProposerSettings
from tests.doubles import FakeProposer
from tests.tiny_weights import save_untrained_weights

PRESENT, ALSO_PRESENT = "red circle", "blue square"
FEW_IMAGES = 32
EXEMPLARS = (
    Exemplar(box_xyxy=(2, 3, 20, 30), is_positive=True),
    Exemplar(box_xyxy=(30, 3, 50, 30), is_positive=False),
)


@pytest.fixture(scope="module", params=["fake", "sam3"])
def proposer(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Proposer:
    if request.param == "fake":
        return FakeProposer({PRESENT: 3, ALSO_PRESENT: 2})
    folder = save_untrained_weights(tmp_path_factory.mktemp("weights"))
    # Untrained scores lie around 0.2: without a threshold there is something to look at.
    settings = ProposerSettings(
        weights=str(folder), device="cpu", score_threshold=0, iom_threshold=1, max_proposals=7
    )
    return load_proposer(settings)


def an_image(number: int = 0, *phrases: str, exemplars: tuple[Exemplar, ...] = ()) -> PromptedImage:
    pixels_HWC = np.random.default_rng(number).integers(0, 256, (40, 60, 3), np.uint8)
    prompts = tuple(
        Prompt(pair=Pair(media_id=f"media_{number}", phrase=phrase), exemplars=exemplars)
        for phrase in phrases
    )
    return PromptedImage(media_id=f"media_{number}", pixels_HWC=pixels_HWC, prompts=prompts)


def test_every_prompt_is_answered_in_order(proposer: Proposer) -> None:
    images = [
        an_image(0, PRESENT, ALSO_PRESENT),
        an_image(1, ALSO_PRESENT),
        an_image(2, *(f"{PRESENT} {i}" for i in range(40))),
        an_image(3, PRESENT),
    ]

    answered = [[found.pair_id for found in sets] for sets in proposer.propose(images)]

    assert [[prompt.pair.id for prompt in image.prompts] for image in images] == answered


def test_an_image_without_prompts_gets_an_empty_list(proposer: Proposer) -> None:
    images = [an_image(0), an_image(1, PRESENT), an_image(2)]

    assert [0, 1, 0] == [len(sets) for sets in proposer.propose(images)]


def test_no_images_give_no_answers(proposer: Proposer) -> None:
    assert [] == list(proposer.propose([]))


def test_a_set_names_its_maker(proposer: Proposer) -> None:
    [[found]] = proposer.propose([an_image(0, PRESENT)])

    assert (proposer.name, proposer.inference_settings) == (
        found.proposer,
        found.inference_settings,
    )


def test_a_name_is_a_kind_and_a_digest(proposer: Proposer) -> None:
    kind, digest = proposer.name.split("@")

    assert kind.isalnum()
    assert int(digest, 16) >= 0


def test_a_set_keeps_what_was_prompted(proposer: Proposer) -> None:
    image = an_image(0)
    pair = Pair(media_id="media_0", phrase="scarlet disc")
    prompt = Prompt(pair=pair, prompted_phrase=PRESENT, exemplars=EXEMPLARS)
    image = PromptedImage(media_id="media_0", pixels_HWC=image.pixels_HWC, prompts=(prompt,))

    [[found]] = proposer.propose([image])

    assert (pair.id, PRESENT, EXEMPLARS) == (found.pair_id, found.prompted_phrase, found.exemplars)


def test_proposals_come_best_first_with_scores_in_range(proposer: Proposer) -> None:
    [[found]] = proposer.propose([an_image(0, PRESENT)])
    scores = [proposal.query_score for proposal in found.proposals]

    assert sorted(scores, reverse=True) == scores
    assert len(scores) > 1
    assert all(0 <= score <= 1 for score in [*scores, found.presence])


def test_masks_have_the_size_of_the_image_and_a_pixel_at_least(proposer: Proposer) -> None:
    [sets] = proposer.propose([an_image(0, PRESENT, ALSO_PRESENT)])
    masks = [proposal.mask for found in sets for proposal in found.proposals]

    assert {(40, 60)} == {(mask.height, mask.width) for mask in masks}
    assert min(mask.area_pixels for mask in masks) > 0


def test_asking_again_gives_the_same_answer(proposer: Proposer) -> None:
    images = [an_image(0, PRESENT, ALSO_PRESENT), an_image(1, PRESENT)]

    assert list(proposer.propose(images)) == list(proposer.propose(images))


def test_images_are_pulled_a_bounded_number_ahead(proposer: Proposer) -> None:
    pulled = 0

    def endless() -> Iterator[PromptedImage]:
        nonlocal pulled
        while True:
            yield an_image(pulled, PRESENT)
            pulled += 1

    answers = proposer.propose(endless())
    for _ in range(5):
        next(answers)

    assert pulled <= 5 + FEW_IMAGES
