"""The measure is 1 for a proposer that knows the truth, and asks what it says it asks."""

import random
from collections.abc import Iterable, Iterator

import pytest

from demo.lessons import MEASURING_SEEDS
from demo.measure_tiny import QUESTIONS, Question, measure
from demo.world.phrases import PhraseTruth, sample_phrases
from demo.world.scenes import Scene, make_scene
from demo.world.vocabulary import mentions_held_out
from engine.masks import encode
from engine.ports import PromptedImage
from engine.records import Prompt, Proposal, ProposalSet

SEEDS = MEASURING_SEEDS[:15]
BY_NAME = {question.name: question for question in QUESTIONS}


class KnowingProposer:
    """Proposes the true masks of the scene whose seed is in the image's name."""

    name = "knowing@0"
    inference_settings = ""

    def __init__(self, question: Question) -> None:
        self._question = question
        self.prompts: list[Prompt] = []

    def propose(self, images: Iterable[PromptedImage]) -> Iterator[list[ProposalSet]]:
        for image in images:
            self.prompts += image.prompts
            seed = int(image.media_id.removeprefix("images/").removesuffix(".png"))
            scene = make_scene(seed, self._question.domain)
            truths = sample_phrases(
                scene, random.Random(f"phrases/{seed}"), num=4, sampling=self._question.sampling
            )
            known = {truth.phrase: truth for truth in truths}
            yield [self._answer(p, scene, known[p.pair.phrase]) for p in image.prompts]

    def _answer(self, prompt: Prompt, scene: Scene, truth: PhraseTruth) -> ProposalSet:
        masks = [mask for i in truth.indices for mask in encode(scene.mask(i)[None])]
        return ProposalSet(
            pair_id=prompt.pair.id,
            proposer=self.name,
            inference_settings="",
            prompted_phrase=prompt.prompted_phrase,
            exemplars=prompt.exemplars,
            presence=1.0,
            proposals=tuple(Proposal(mask=mask, query_score=1.0) for mask in masks),
        )


class BlindProposer(KnowingProposer):
    """Never finds anything."""

    def _answer(self, prompt: Prompt, scene: Scene, truth: PhraseTruth) -> ProposalSet:
        return super()._answer(prompt, scene, PhraseTruth(phrase=truth.phrase))


@pytest.mark.parametrize("name", ["base", "held out", "scatter"])
def test_knowing_the_truth_measures_one(name):
    measured = measure(KnowingProposer(BY_NAME[name]), BY_NAME[name], seeds=SEEDS)

    for key in ("cgF1", "pmF1", "IL_MCC"):
        assert measured[key] == pytest.approx(1, abs=1e-3), key


def test_finding_nothing_measures_zero():
    measured = measure(BlindProposer(BY_NAME["base"]), BY_NAME["base"], seeds=SEEDS)

    assert measured["cgF1"] == measured["pmF1"] == 0


def test_a_box_asks_for_things_of_one_look():
    proposer = KnowingProposer(BY_NAME["one box"])
    measured = measure(proposer, BY_NAME["one box"], seeds=SEEDS)

    assert measured["pmF1"] == pytest.approx(1, abs=1e-3)
    assert len(proposer.prompts) > 5
    for prompt in proposer.prompts:
        assert prompt.text == "visual"
        (exemplar,) = prompt.exemplars
        x0, y0, x1, y1 = exemplar.box_xyxy
        assert 5 < x1 - x0 < 60
        assert 5 < y1 - y0 < 60


def test_each_held_out_question_mentions_a_held_out_word():
    proposer = KnowingProposer(BY_NAME["held out"])
    measure(proposer, BY_NAME["held out"], seeds=SEEDS)

    assert proposer.prompts
    assert all(mentions_held_out(prompt.pair.phrase) for prompt in proposer.prompts)
