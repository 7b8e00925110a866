"""Test doubles with a name and a home. The contract suites hold them to what the real ones do."""

from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Mapping
from itertools import pairwise

import numpy as np

from engine.errors import UnreadableMediaError
from engine.masks import encode
from engine.ports import PromptedImage, ShownQuestion
from engine.records import Failure, Prompt, Proposal, ProposalSet
from engine.verdicts import (
    OPTIONS,
    Option,
    Question,
    Verdict,
    VerdictTask,
    order_seed,
    verdict_id,
)


class FakeProposer:
    """
    Proposes vertical bands for the phrases it has been told about, and nothing for others.

    Args:
        bands: Phrase to number of bands, at most the width of the images.
    """

    name = "fake@0"
    inference_settings = "inference_fake"

    def __init__(self, bands: Mapping[str, int]) -> None:
        self._bands = bands
        self.asked: list[str] = []  # the text of every prompt, in order

    def propose(self, images: Iterable[PromptedImage]) -> Iterator[list[ProposalSet]]:
        for image in images:
            height, width = image.pixels_HWC.shape[:2]
            yield [self._answer(prompt, height, width) for prompt in image.prompts]

    def _answer(self, prompt: Prompt, height: int, width: int) -> ProposalSet:
        self.asked.append(prompt.text)
        num_bands = self._bands.get(prompt.text, 0)
        masks_NHW = np.zeros((num_bands, height, width), np.bool_)
        for band, (left, right) in enumerate(pairwise(np.linspace(0, width, num_bands + 1))):
            masks_NHW[band, :, int(left) : int(right)] = True
        proposals = tuple(
            Proposal(mask=mask, query_score=1 / (1 + rank))
            for rank, mask in enumerate(encode(masks_NHW))
        )
        return ProposalSet(
            pair_id=prompt.pair.id,
            proposer=self.name,
            inference_settings=self.inference_settings,
            prompted_phrase=prompt.prompted_phrase,
            exemplars=prompt.exemplars,
            presence=0.9 if proposals else 0.1,
            proposals=proposals,
        )


class MemoryReader:
    """Reads media from a dictionary of bytes."""

    def __init__(self, contents: Mapping[str, bytes]) -> None:
        self.contents = contents

    def read(self, media_id: str) -> bytes:
        if media_id not in self.contents:
            raise UnreadableMediaError(f"media {media_id} has no source that can be read")
        return self.contents[media_id]


class FakeVerifier:
    """
    Judges by a rule, two questions at a time, the second one first.

    Args:
        rule: The answer to a question. None: there is no answer, which is a failure.
    """

    name = "fake@0"
    settings_hash = "verifier_fake"
    render = "0/8"
    tokens_spent = 0

    def __init__(self, rule: Callable[[Question], Option | None]) -> None:
        self._rule = rule
        self.asked: list[ShownQuestion] = []

    def verdict_id(self, question: Question) -> str:
        return verdict_id(
            task=question.task,
            subject_id=question.subject_id,
            judge=self.name,
            prompt=f"prompt_{question.task}",
            render="" if question.task is VerdictTask.GROUNDABILITY else self.render,
            order_seed=order_seed(question.subject_id, seed=0),
            num_orders=1,
        )

    async def judge(self, questions: Iterable[ShownQuestion]) -> AsyncIterator[Verdict | Failure]:
        waiting: list[ShownQuestion] = []
        for shown in questions:
            self.asked.append(shown)
            waiting.append(shown)
            if len(waiting) == 2:
                yield self._answer(waiting.pop().question)
                yield self._answer(waiting.pop().question)
        for shown in waiting:
            yield self._answer(shown.question)

    def _answer(self, question: Question) -> Verdict | Failure:
        subject_id, option = question.subject_id, self._rule(question)
        if option is None:
            return Failure(stage="judge", subject_id=subject_id, reason="no_answer", detail="cut")
        others = 0.25 / (len(OPTIONS[question.task]) - 1)
        return Verdict(
            task=question.task,
            subject_id=subject_id,
            pair_id=question.pair_id,
            judge=self.name,
            prompt=f"prompt_{question.task}",
            render="" if question.task is VerdictTask.GROUNDABILITY else self.render,
            order_seed=order_seed(subject_id, seed=0),
            num_orders=1,
            probabilities=tuple(
                0.75 if each is option else others for each in OPTIONS[question.task]
            ),
            seconds=0.0,
        )
