"""
Verdicts: what a judge said about a mask, a set of masks or a phrase, and on what it was asked.

Three tasks. Mask verification (MV): is this mask what the phrase says, and good enough?
Exhaustivity verification (EV): do the accepted masks cover every instance? Groundability: can the
phrase be pointed at in an image at all? Options and their names after the SAM 3 paper, appendix
D.4, tables of the verifier options. Groundability is our guard: EV's guidance says Accept for vague
phrases, and such an Accept over zero boxes would make a negative that nobody verified.
"""

import hashlib
import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from types import MappingProxyType

from engine.ids import content_id
from engine.records import Mask, ProposalSet


class VerdictTask(StrEnum):
    MASK = "mask"
    EXHAUSTIVITY = "exhaustivity"
    GROUNDABILITY = "groundability"


class Option(StrEnum):
    """What a judge can answer."""

    ACCEPT = "Accept"
    ACCEPT_AS_TEXT = "Accept as text"  # the mask covers writing, and the phrase is what it says
    FLAG_LABEL = "Flag label"  # the phrase must not be a label
    WHOLE_IMAGE = "Whole image"  # the phrase is about the image and not about a thing in it
    REJECT = "Reject"
    REJECT_UNSEPARATED = "Reject but unseparated"  # what is missing cannot be told apart
    UNGROUNDABLE = "Ungroundable/Vague/Unsure"
    GROUNDABLE = "Groundable"


OPTIONS: Mapping[VerdictTask, tuple[Option, ...]] = MappingProxyType(
    {
        VerdictTask.MASK: (
            Option.ACCEPT,
            Option.ACCEPT_AS_TEXT,
            Option.FLAG_LABEL,
            Option.WHOLE_IMAGE,
            Option.REJECT,
        ),
        VerdictTask.EXHAUSTIVITY: (
            Option.ACCEPT,
            Option.REJECT,
            Option.REJECT_UNSEPARATED,
            Option.FLAG_LABEL,
            Option.WHOLE_IMAGE,
            Option.UNGROUNDABLE,
        ),
        VerdictTask.GROUNDABILITY: (Option.GROUNDABLE, Option.UNGROUNDABLE),
    }
)
ACCEPTING = frozenset({Option.ACCEPT, Option.ACCEPT_AS_TEXT})


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """
    One thing that a judge is asked.

    MV has one mask, EV the accepted masks (none: is the phrase absent?), groundability none.
    """

    task: VerdictTask
    pair_id: str  # in groundability: the pair for whose sake the phrase is asked
    media_id: str
    phrase: str
    masks: tuple[Mask, ...] = ()
    mask_ids: tuple[str, ...] = ()  # as many; see `proposal_mask_id`

    def __post_init__(self) -> None:
        if len(self.masks) != len(self.mask_ids):
            counts = (len(self.masks), len(self.mask_ids))
            raise ValueError(f"question about {self.pair_id}: masks and ids differ: {counts}")
        if self.task is VerdictTask.MASK and len(self.masks) != 1:
            raise ValueError(f"question about {self.pair_id}: MV is about one mask")
        if self.task is VerdictTask.GROUNDABILITY and self.masks:
            raise ValueError(f"question about {self.pair_id}: groundability has no mask")

    @property
    def subject_id(self) -> str:
        """The id of what is judged: a mask, a pair with a set of masks, or a phrase."""
        return subject_id(
            self.task, pair_id=self.pair_id, phrase=self.phrase, mask_ids=self.mask_ids
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """A judge's answer to one question, with all that the answer depended on."""

    task: VerdictTask
    subject_id: str
    pair_id: str
    judge: str  # a model version, such as "llava@3f9c...", or a person
    prompt: str  # content id of the prompt's files; "" for a person
    render: str  # version of the picture that was shown; "" where none was
    order_seed: int  # of the option orders, see `option_orders`
    num_orders: int  # over how many orders the probabilities are averaged
    probabilities: tuple[float, ...]  # in the order of OPTIONS[task]; sum 1
    seconds: float = field(compare=False)  # from the question to the answer

    def __post_init__(self) -> None:
        num_options = len(OPTIONS[self.task])
        if len(self.probabilities) != num_options:
            got = len(self.probabilities)
            raise ValueError(f"verdict on {self.subject_id}: {num_options} options, got {got}")
        if min(self.probabilities) < 0 or abs(sum(self.probabilities) - 1) > 1e-6:
            raise ValueError(f"verdict on {self.subject_id}: not probabilities")

    @property
    def id(self) -> str:
        """Who was asked what, how. The answer is no part of it: asking twice changes nothing."""
        return verdict_id(
            task=self.task,
            subject_id=self.subject_id,
            judge=self.judge,
            prompt=self.prompt,
            render=self.render,
            order_seed=self.order_seed,
            num_orders=self.num_orders,
        )

    @property
    def option(self) -> Option:
        """The most probable option; of equals the first in OPTIONS."""
        return OPTIONS[self.task][self.probabilities.index(max(self.probabilities))]

    def probability(self, *options: Option) -> float:
        """Return the probability in [0, 1] that the answer is one of *options*."""
        each = dict(zip(OPTIONS[self.task], self.probabilities, strict=True))
        return min(1.0, sum(each.get(option, 0.0) for option in options))


@dataclass(frozen=True, slots=True, kw_only=True)
class Verification:
    """One stage is through with one pair: all its questions about it have verdicts."""

    stage: str
    key: str  # whose work: the verifier's name and settings, see `verifier_key`
    pair_id: str
    set_id: str  # the proposal set whose masks were judged
    mask_ids: tuple[str, ...]  # MV: all that were judged; EV: those that were accepted
    verdict_ids: tuple[str, ...]  # in the order of the questions


def subject_id(task: VerdictTask, *, pair_id: str, phrase: str, mask_ids: Sequence[str]) -> str:
    """Return the id of what is judged; of MV there is one mask, of groundability none."""
    if task is VerdictTask.MASK:
        return mask_ids[0]
    if task is VerdictTask.EXHAUSTIVITY:
        return accepted_set_id(pair_id, mask_ids)
    return content_id("phrase", phrase=phrase)


def verdict_id(
    *,
    task: VerdictTask,
    subject_id: str,
    judge: str,
    prompt: str,
    render: str,
    order_seed: int,
    num_orders: int,
) -> str:
    """Return the id of a verdict, see `Verdict`; it is known before the question is asked."""
    return content_id(
        "verdict",
        task=task,
        subject_id=subject_id,
        judge=judge,
        prompt=prompt,
        render=render,
        order_seed=order_seed,
        num_orders=num_orders,
    )


def verifier_key(*, judge: str, settings_hash: str) -> str:
    """Return the key of the work that one verifier does under its settings."""
    return f"{judge}/{settings_hash}"


def proposal_mask_id(set_id: str, index: int) -> str:
    """Return the id of one mask of a proposal set."""
    return f"{set_id}/{index}"


def masks_by_id(proposals: ProposalSet) -> dict[str, Mask]:
    """Return the masks of a proposal set by their ids, best query score first."""
    set_id = proposals.id
    return {
        proposal_mask_id(set_id, index): proposal.mask
        for index, proposal in enumerate(proposals.proposals)
    }


def accepted_set_id(pair_id: str, mask_ids: Sequence[str]) -> str:
    """Return the id of a pair with these masks, in any order."""
    return content_id("accepted", pair_id=pair_id, masks=" ".join(sorted(mask_ids)))


def option_orders(
    task: VerdictTask, *, seed: int, num_orders: int
) -> tuple[tuple[Option, ...], ...]:
    """Return *num_orders* shuffled orders of the task's options; the same seed, the same orders."""
    rng = random.Random(seed)
    return tuple(tuple(rng.sample(OPTIONS[task], len(OPTIONS[task]))) for _ in range(num_orders))


def order_seed(subject_id: str, *, seed: int) -> int:
    """Return a seed of 31 bits: with one seed for all, each option would keep its letter."""
    digest = hashlib.blake2b(f"{seed}/{subject_id}".encode(), digest_size=4).digest()
    return int.from_bytes(digest) >> 1


def presence_of(zero_box_verdict: Verdict) -> float:
    """
    Return the EV presence in [0, 1]: 1 - P(Accept | zero boxes) (SAM 3 paper, caption of the EV
    table).
    """
    return 1.0 - zero_box_verdict.probability(Option.ACCEPT)
