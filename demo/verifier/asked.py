"""
What is asked about one picture, and the answers.

Beside the verdicts with letters there are two easier sorts of question, which teach what the
letters need: the verdict as a word, and the letter of a word that is named.
"""

import random
from collections.abc import Sequence
from dataclasses import dataclass

from demo.verifier.cases import Case, special_phrase
from demo.verifier_truth import groundability_truth
from demo.world.phrases import PhraseKind, PhraseTruth
from engine.verdicts import OPTIONS, VerdictTask
from verifiers.prompts import LETTERS, user_text

NUM_WORDED = 3  # verdicts of a picture as a word; the others are letters
NUM_CASES = 7


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """One question and its answer."""

    text: str  # what the user says
    answer: str  # one token
    sees_picture: bool = True
    meant: tuple[int, ...] | None = None  # the things that its phrase names, if it names any


def asked_of(
    task: VerdictTask, cases: Sequence[Case], rng: random.Random, *, has_masks: bool
) -> tuple[Asked, ...]:
    """Return the questions about one picture; *cases* has NUM_CASES of them."""
    worded = [_worded(task, case, has_masks) for case in cases[:NUM_WORDED]]
    lettered = [_lettered(task, case, rng, has_masks) for case in cases[NUM_WORDED:]]
    return (*worded, *lettered, _named(task, rng), _groundable(cases[0].truth, rng))


def _worded(task: VerdictTask, case: Case, has_masks: bool) -> Asked:
    text = user_text(task, case.truth.phrase, (), has_masks=has_masks)
    return Asked(text=text, answer=case.option.value, meant=_meant(case.truth))


def _lettered(task: VerdictTask, case: Case, rng: random.Random, has_masks: bool) -> Asked:
    order = rng.sample(OPTIONS[task], len(OPTIONS[task]))
    text = user_text(task, case.truth.phrase, order, has_masks=has_masks)
    letter = LETTERS[order.index(case.option)]
    return Asked(text=text, answer=letter, meant=_meant(case.truth))


def _named(task: VerdictTask, rng: random.Random) -> Asked:
    """The letter of an option that is named."""
    order = rng.sample(OPTIONS[task], len(OPTIONS[task]))
    option = rng.choice(order)
    lines = user_text(VerdictTask.GROUNDABILITY, "", order, has_masks=False).split("\n")[1:]
    text = "\n".join([option.value, *lines])
    return Asked(text=text, answer=LETTERS[order.index(option)], sees_picture=False)


def _groundable(truth: PhraseTruth, rng: random.Random) -> Asked:
    if rng.random() < 0.4:
        truth = special_phrase(rng)
    order = rng.sample(OPTIONS[VerdictTask.GROUNDABILITY], 2)
    text = user_text(VerdictTask.GROUNDABILITY, truth.phrase, order, has_masks=False)
    answer = LETTERS[order.index(groundability_truth(truth.kind))]
    return Asked(text=text, answer=answer, sees_picture=False)


def _meant(truth: PhraseTruth) -> tuple[int, ...] | None:
    is_named = truth.kind in (PhraseKind.PLAIN, PhraseKind.TEXT)
    return truth.indices if is_named else None
