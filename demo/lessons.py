"""
Training batches for the tiny proposer, drawn from the concept world.

Batch *k* follows from the seed and *k* alone, so a run that was killed goes on with the batches it
would have seen.

Letters: B images, M things of an image, N pairs, P phrases of an image, K exemplar boxes, S cells
along a side of the feature map, H and W height and width in pixels.
"""

import random
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import torch
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

from demo.world.phrases import Concept, PhraseTruth, Sampling, sample_phrases, truth_of
from demo.world.scenes import HEAPS, Scene, make_scene
from demo.world.vocabulary import BASE, Kind
from models.preprocessing import normalise
from models.sam3_image import VISUAL_PROMPT
from models.training.alignment import IGNORED, ThingCells
from models.training.forward import Exemplars
from models.training.targets import PairTarget, Targets, boxes_of, collate, shrink

# Seeds of scenes. Nothing else may train on or be shown from the first two ranges.
TRAINING_SEEDS = range(1_000_000, 1_012_000)
MEASURING_SEEDS = range(2_000_000, 2_001_000)
DEMO_SEEDS = range(0, 1_000_000)

BASE_SAMPLING = Sampling(vocabulary=BASE, family_share=0.08, synonym_share=0.06, foreign_share=0.15)
_TARGET_SIZE = 48  # pixels; twice the model's own masks, as inference enlarges them too
_CELLS = 12  # along a side of the feature map
_MOST_EXEMPLARS = 2
_PADDED_LABEL = -10  # transformers' mark of a box that is not there
_NOTHING = PhraseTruth(phrase="mountain")  # a foreign word, to fill up with
_VISUAL_SHARE = 0.4  # of the pairs with exemplars


@dataclass(frozen=True, slots=True, kw_only=True)
class Lesson:
    """A scene as tensors."""

    scene: Scene
    pixels_3HW: Tensor  # uint8
    masks_MHW: Tensor  # float, at the size of the targets
    boxes_M4: Tensor
    shares_MSS: Tensor
    words_MD: Tensor


@dataclass(frozen=True, slots=True, kw_only=True)
class Pairs:
    """Phrases about the first images of a batch."""

    phrases: list[str]
    image_of_N: Tensor
    targets: Targets
    exemplars: Exemplars | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    """What one step learns from."""

    pixels_B3HW: Tensor  # normalised
    things: ThingCells
    phrases: list[list[str]]  # for alignment: as many for each image
    phrase_shares_BPSS: Tensor
    pairs: Pairs | None


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchPlan:
    """How large a batch is, and what it asks."""

    num_images: int
    num_aligned_phrases: int = 12  # for each image
    num_paired_images: int = 0  # of them, how many are asked phrases through the whole model
    num_phrases: int = 4  # for each paired image
    with_exemplars: bool = False


def draw_batch(plan: BatchPlan, *, seed: int, step: int) -> Batch:
    """Return batch number *step*."""
    rng = random.Random(f"{seed}/{step}")
    lessons = [make_lesson(s) for s in rng.sample(TRAINING_SEEDS, plan.num_images)]
    aligned = [_aligned_phrases(lesson, rng, plan.num_aligned_phrases) for lesson in lessons]
    return Batch(
        pixels_B3HW=normalise(torch.stack([lesson.pixels_3HW for lesson in lessons])),
        things=_things(lessons),
        phrases=[[truth.phrase for truth in truths] for truths in aligned],
        phrase_shares_BPSS=torch.stack(
            [_shares(*pair) for pair in zip(lessons, aligned, strict=True)]
        ),
        pairs=_pairs(lessons[: plan.num_paired_images], rng, plan),
    )


@lru_cache(maxsize=len(TRAINING_SEEDS))
def make_lesson(seed: int) -> Lesson:
    """Return the scene of *seed* with what training needs of it."""
    # Harder than what is measured: who can tell heaps apart can tell apart what lies loose.
    scene = make_scene(seed, HEAPS)
    numbers_HW = torch.from_numpy(scene.numbers_HW)
    things_M = torch.arange(1, len(scene.things) + 1)
    masks_MHW = numbers_HW[None] == things_M[:, None, None]
    return Lesson(
        scene=scene,
        pixels_3HW=torch.from_numpy(scene.image_HW3).movedim(-1, 0),
        masks_MHW=shrink(masks_MHW, _TARGET_SIZE),
        boxes_M4=boxes_of(masks_MHW),
        shares_MSS=shrink(masks_MHW, _CELLS),
        words_MD=_words(scene),
    )


def base_words() -> tuple[list[str], list[int]]:
    """Return the base words, kind by kind, and how many each kind has."""
    names = [BASE.names(kind) for kind in Kind]
    return [name for of_kind in names for name in of_kind], [len(of_kind) for of_kind in names]


def _words(scene: Scene) -> Tensor:
    """The base word of each thing and kind, shape (M, 3); held-out words are not to be learnt."""
    names = {kind: BASE.names(kind) for kind in Kind}
    rows = [
        [
            names[kind].index(word) if (word := getattr(thing, kind)) in names[kind] else IGNORED
            for kind in Kind
        ]
        for thing in scene.things
    ]
    return torch.tensor(rows, dtype=torch.long).reshape(-1, len(Kind))


def _things(lessons: Sequence[Lesson]) -> ThingCells:
    return ThingCells(
        shares_BMSS=pad_sequence([x.shares_MSS for x in lessons], batch_first=True),
        boxes_BM4=pad_sequence([x.boxes_M4 for x in lessons], batch_first=True),
        words_BMD=pad_sequence(
            [x.words_MD for x in lessons], batch_first=True, padding_value=IGNORED
        ),
    )


def _aligned_phrases(lesson: Lesson, rng: random.Random, num: int) -> list[PhraseTruth]:
    """Exactly *num* phrases: what a scene lacks is filled up with words it cannot hold."""
    truths = sample_phrases(lesson.scene, rng, num=num, sampling=BASE_SAMPLING)
    return [*truths, *[_NOTHING] * (num - len(truths))]


def _shares(lesson: Lesson, truths: Sequence[PhraseTruth]) -> Tensor:
    """How much of each cell belongs to each phrase, shape (P, S, S)."""
    shares = [lesson.shares_MSS[list(truth.indices)].sum(0) for truth in truths]
    return torch.stack(shares).clamp(max=1)


def _pairs(lessons: Sequence[Lesson], rng: random.Random, plan: BatchPlan) -> Pairs | None:
    if not lessons:
        return None
    asked = [_asked(lesson, rng, plan) for lesson in lessons]
    flat = [(lesson, one) for lesson, some in zip(lessons, asked, strict=True) for one in some]
    counts = torch.tensor([len(some) for some in asked])
    exemplars = None
    if plan.with_exemplars:
        exemplars = _stacked([_exemplars(lesson, truth, rng) for lesson, truth in flat])
    return Pairs(
        phrases=[truth.phrase for _, truth in flat],
        image_of_N=torch.repeat_interleave(torch.arange(len(lessons)), counts),
        targets=collate([_target(lesson, truth) for lesson, truth in flat]),
        exemplars=exemplars,
    )


def _asked(lesson: Lesson, rng: random.Random, plan: BatchPlan) -> list[PhraseTruth]:
    """Phrases whose truth is complete: crowds have no instances to learn."""
    truths = sample_phrases(lesson.scene, rng, num=plan.num_phrases, sampling=BASE_SAMPLING)
    if plan.with_exemplars:
        truths = [_unnamed(lesson, rng) or truth for truth in truths]
    return [truth for truth in truths if not truth.has_group]


def _unnamed(lesson: Lesson, rng: random.Random) -> PhraseTruth | None:
    """Sometimes, things that look like one thing of the scene; base looks only."""
    known = [
        thing
        for thing, words in zip(lesson.scene.things, lesson.words_MD, strict=True)
        if (words != IGNORED).all()
    ]
    if not known or rng.random() >= _VISUAL_SHARE:
        return None
    thing = rng.choice(known)
    looks = Concept(shape=thing.shape, colour=thing.colour)
    return truth_of(looks, lesson.scene, phrase=VISUAL_PROMPT)


def _target(lesson: Lesson, truth: PhraseTruth) -> PairTarget:
    indices = list(truth.indices)
    masks_MHW = lesson.masks_MHW[indices]
    return PairTarget(
        boxes_M4=lesson.boxes_M4[indices],
        masks_MHW=masks_MHW,
        semantic_HW=lesson.masks_MHW.new_zeros(masks_MHW.shape[1:])
        if not indices
        else masks_MHW.sum(0).clamp(max=1),
        is_present=bool(indices),
    )


def _exemplars(lesson: Lesson, truth: PhraseTruth, rng: random.Random) -> tuple[Tensor, list[int]]:
    """Boxes of some things that are meant, and perhaps of one that is not."""
    meant = list(truth.indices)
    others = [i for i in range(len(lesson.boxes_M4)) if i not in meant]
    shown = rng.sample(meant, min(len(meant), rng.randint(1, _MOST_EXEMPLARS)))
    wrong = rng.sample(others, min(len(others), rng.randint(0, 1) if meant else 1))
    noise_K4 = torch.tensor([[rng.gauss(0, 0.01) for _ in range(4)] for _ in shown + wrong])
    boxes_K4 = lesson.boxes_M4[shown + wrong] + noise_K4.reshape(-1, 4)
    return boxes_K4.clamp(0.02, 0.98), [1] * len(shown) + [0] * len(wrong)


def _stacked(exemplars: Sequence[tuple[Tensor, list[int]]]) -> Exemplars:
    boxes, labels = zip(*exemplars, strict=True)
    return Exemplars(
        boxes_NK4=pad_sequence(list(boxes), batch_first=True, padding_value=0.5),
        labels_NK=pad_sequence(
            [torch.tensor(some, dtype=torch.long) for some in labels],
            batch_first=True,
            padding_value=_PADDED_LABEL,
        ),
    )
