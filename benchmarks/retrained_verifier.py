"""
A verifier learns words that it has never read, from simulated people's decisions.

    python -m benchmarks.retrained_verifier --minutes 4

The concept world gets new names for its held-out words ("moon" becomes "selene"): the bundled
verifier takes them for nothing that is there. People as fallible as the SAM 3 paper's annotators
finish pairs with these names by the product's own steps; their decisions become rows, half of a
step comes from decisions about the old words. Measured is the right option on held-out scenes, by
new and by old words, before and after, the way a server would answer.
"""

import argparse
import io
import json
import random
import sys
import tempfile
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import torch
from PIL import Image

from demo.known import Known
from demo.lessons import MEASURING_SEEDS, TRAINING_SEEDS
from demo.people.answers import answer_to
from demo.people.crew import ACCURACY
from demo.people.screen import SeenTask
from demo.verifier.masks import bad_mask, good_mask
from demo.verifier_truth import exhaustivity_truth, mask_truth, overlap, things_found
from demo.world.phrases import PhraseTruth, Sampling, sample_phrases, special_phrases
from demo.world.scenes import HEAPS, Scene, make_scene
from demo.world.vocabulary import BASE
from engine.ids import bytes_id
from engine.masks import decode, encode
from engine.ports import Drawing
from engine.queues import QueueItem
from engine.records import Mask, Pair, Resolution
from engine.reviews import Correction, Review, review_mask_id
from engine.settling import correction_of
from engine.stages.resolve_reviews import PairForReview, Settled, next_step
from engine.teaching import rows_of_image
from engine.verdicts import OPTIONS, Option, Question, VerdictTask
from engine.verifier_rows import DecidedPair, RowSource, VerifierRow, rows_id, unique_rows
from engine.weights import Weights
from verifiers.settings import BUNDLED_WEIGHTS
from verifiers.tiny.server.llava import Llava
from verifiers.tiny.server.loading import load_model
from verifiers.tiny.server.weights import find_weights
from verifiers.training.draws import Drawn
from verifiers.training.examples import Example, ExampleMaker
from verifiers.training.recipes import Method, VerifierRecipe
from verifiers.training.run import TrainingRows, open_learner, steps_in, train

NEW_NAMES = {
    "moon": "selene",
    "crescent": "selene",
    "star": "astro",
    "asterisk": "astro",
    "heart": "corazon",
    "valentine": "corazon",
}
_NEW = Sampling(positive_share=0.6, must_mention=frozenset({"moon", "star", "heart"}))
_OLD = Sampling(vocabulary=BASE, positive_share=0.55, family_share=0.08)
_NOON = datetime(2026, 1, 1, tzinfo=UTC)


class Album:
    """Media by id, drawn in memory."""

    def __init__(self) -> None:
        self._files: dict[str, bytes] = {}

    def add(self, scene: Scene) -> str:
        file = io.BytesIO()
        Image.fromarray(scene.image_HW3).save(file, "PNG")
        media_id = bytes_id("media", file.getvalue())
        self._files[media_id] = file.getvalue()
        return media_id

    def read(self, media_id: str) -> bytes:
        return self._files[media_id]


def phrases_of(scene: Scene, rng: random.Random, *, are_new: bool) -> list[PhraseTruth]:
    """Return a few phrases about a scene, under their new names where they have one."""
    found = sample_phrases(scene, rng, num=3, sampling=_NEW if are_new else _OLD)
    if are_new:
        return [replace(each, phrase=_renamed(each.phrase)) for each in found]
    return [*found, *(special_phrases(rng) if rng.random() < 0.1 else [])]


def proposals_of(known: Known, pair: Pair, rng: random.Random) -> dict[str, Mask]:
    """Return masks as a proposer might offer them: good, faulty, of other things, or missing."""
    scene = known.scene
    masks = []
    for thing in range(len(scene.things)):
        is_meant = thing in known.truth.indices
        if rng.random() < (0.85 if is_meant else 0.15):
            faulty = bad_mask(scene, thing, rng) if rng.random() < 0.2 else None
            masks.append(faulty[0] if faulty else good_mask(scene, thing, rng))
    kept = [mask for mask in encode(np.stack(masks)) if mask.area_pixels] if masks else []
    return {f"proposals_{pair.id}/{index}": mask for index, mask in enumerate(kept)}


def decided(known: Known, media_id: str, rng: random.Random) -> DecidedPair:
    """Return a pair that people have finished by the product's own steps."""
    pair = Pair(media_id=media_id, phrase=known.truth.phrase)
    proposals = proposals_of(known, pair, rng)
    there, settled = dict(proposals), dict[str, Settled]()
    while True:
        step = next_step(
            PairForReview(
                pair_id=pair.id,
                phrase=pair.phrase,
                masks=proposals,
                route=None,
                settled=settled,
                is_reviewed_twice=False,
            )
        )
        if isinstance(step, Resolution):
            return DecidedPair(
                pair_id=pair.id,
                media_id=media_id,
                phrase=pair.phrase,
                proposals=proposals,
                shown=there,
                settled=tuple(settled.values()),
                resolution=step,
            )
        item = step.items[0]
        settled[item.id] = done = _answered(item, there, known, rng)
        if isinstance(done.answer, Correction):
            left = enumerate(done.answer.masks)
            there |= {review_mask_id(done.review.id, i): each.mask for i, each in left}


def people_rows(seeds: Sequence[int], album: Album, *, are_new: bool) -> list[VerifierRow]:
    """Return what people's decisions about these scenes teach."""
    rows: list[VerifierRow] = []
    for seed in seeds:
        scene, rng = make_scene(seed, HEAPS), random.Random(f"people/{seed}/{are_new}")
        media_id = album.add(scene)
        truths = phrases_of(scene, rng, are_new=are_new)
        pairs = [decided(Known(scene=scene, truth=each), media_id, rng) for each in truths]
        rows += rows_of_image(pairs)
    return unique_rows(rows)


def true_rows(seeds: Sequence[int], album: Album, *, are_new: bool) -> list[VerifierRow]:
    """Return questions about these scenes with the answers of somebody who knows them."""
    rows: list[VerifierRow] = []
    for seed in seeds:
        scene, rng = make_scene(seed, HEAPS), random.Random(f"truth/{seed}/{are_new}")
        media_id = album.add(scene)
        for truth in phrases_of(scene, rng, are_new=are_new):
            rows += _true_rows(Known(scene=scene, truth=truth), media_id, rng)
    return rows


def accuracy(
    weights: Weights, rows: Sequence[VerifierRow], album: Album, *, panel_side: int
) -> dict[str, float]:
    """Return the share of right options by task, zero boxes apart, as a server would answer."""
    _, reader = open_learner(weights, _recipe(weights, rows, ()), max_rows=1)
    model = Llava(load_model(weights, torch.device("cpu")), padding=0)
    maker = ExampleMaker(reader, album, panel_side=panel_side)
    right: defaultdict[str, list[bool]] = defaultdict(list)
    for row in rows:
        options = OPTIONS[row.question.task]
        order = tuple(random.Random(row.id).sample(options, len(options)))
        example = maker.make(Drawn(row=row, order=order))
        assert isinstance(example, Example), example
        (logits_V,) = model.logits([example.prompt])
        letters = list(example.letters)
        is_right = letters[int(logits_V[letters].argmax())] == example.answer
        name = row.question.task.value if row.question.masks else "absence"
        right[name].append(is_right)
        right["all"].append(is_right)
    return {name: round(sum(some) / len(some), 4) for name, some in sorted(right.items())}


def measure(
    minutes: float, *, num_scenes: int, num_measured: int, seed: int, rate: float
) -> dict[str, object]:
    """Return what a training of some CPU-minutes changes, and what it learnt from."""
    album, parent = Album(), find_weights(BUNDLED_WEIGHTS)
    first = 6_000 + seed * num_scenes  # the bundled verifier was trained on those before
    new = people_rows(TRAINING_SEEDS[first : first + num_scenes], album, are_new=True)
    old = people_rows(TRAINING_SEEDS[first : first + num_scenes], album, are_new=False)
    held_out = {
        name: true_rows(MEASURING_SEEDS[:num_measured], album, are_new=name == "new")
        for name in ("new", "old")
    }
    recipe = replace(_recipe(parent, new, old), rate=rate, seed=seed)
    rows = TrainingRows(new=new, general=old)
    num_steps = steps_in(minutes, rows, recipe, weights=parent, media=album, max_rows=16)
    recipe = replace(recipe, num_steps=num_steps)
    with tempfile.TemporaryDirectory() as folder:
        after, _ = train(
            rows,
            recipe,
            weights=parent,
            media=album,
            out=Path(folder),
            max_rows=16,
            steps_per_checkpoint=num_steps,
            on_step=lambda _: None,
        )
        return {
            "rows": {"new": len(new), "old": len(old), "right": _right(new)},
            "steps": num_steps,
            "rate": rate,
            "held_out": {name: len(some) for name, some in held_out.items()},
            "before": _all(parent, held_out, album),
            "after": _all(find_weights(after), held_out, album),
        }


def _all(
    weights: Weights, held_out: Mapping[str, Sequence[VerifierRow]], album: Album
) -> dict[str, dict[str, float]]:
    return {name: accuracy(weights, some, album, panel_side=96) for name, some in held_out.items()}


def _right(rows: Sequence[VerifierRow]) -> dict[str, int]:
    """Return how many rows there are of which task and option."""
    counts: defaultdict[str, int] = defaultdict(int)
    for row in rows:
        counts[f"{row.question.task} {row.option}"] += 1
    return dict(sorted(counts.items()))


def _true_rows(known: Known, media_id: str, rng: random.Random) -> Iterator[VerifierRow]:
    pair = Pair(media_id=media_id, phrase=known.truth.phrase)
    proposals = proposals_of(known, pair, rng)
    masks = dict(zip(proposals, decode(list(proposals.values())), strict=True)) if proposals else {}
    things = known.scene.things
    for own, mask_HW in masks.items():
        best = max(overlap(mask_HW, known.scene.mask(i)) for i in range(len(things)))
        if not 0.42 < best < 0.58:  # nobody has said what is right there
            option = mask_truth(known.truth, known.scene, mask_HW)
            yield _row(VerdictTask.MASK, pair, {own: proposals[own]}, option)
    good = [
        own
        for own, mask_HW in masks.items()
        if mask_truth(known.truth, known.scene, mask_HW) is Option.ACCEPT
    ]
    for shown in ((), good) if good else ((),):
        found = things_found(known.scene, [masks[own] for own in shown])
        option = exhaustivity_truth(known.truth, known.scene, found)
        boxes = {own: proposals[own] for own in shown}
        yield _row(VerdictTask.EXHAUSTIVITY, pair, boxes, option)


def _row(task: VerdictTask, pair: Pair, masks: Mapping[str, Mask], option: Option) -> VerifierRow:
    question = Question(
        task=task,
        pair_id=pair.id,
        media_id=pair.media_id,
        phrase=pair.phrase,
        masks=tuple(masks.values()),
        mask_ids=tuple(masks),
    )
    return VerifierRow(question=question, option=option, source=RowSource.ANSWER)


def _answered(
    item: QueueItem, there: Mapping[str, Mask], known: Known, rng: random.Random
) -> Settled:
    shown = {own: there[own] for own in item.mask_ids}
    task = SeenTask(
        task_id=0,
        queue=item.queue,
        item_id=item.id,
        pair_id=item.pair_id,
        asked=item.asked,
        regions=(),
        masks=shown,
    )
    said = answer_to(task, known, accuracy=ACCURACY[item.asked], rng=rng)
    answer = correction_of(said, shown) if isinstance(said, Drawing) else said
    review = Review(
        item_id=item.id,
        pair_id=item.pair_id,
        person="somebody",
        answer=answer,
        seconds=0.0,
        source="memory",
        submitted_at=_NOON,
    )
    return Settled(item=item, review=review, answer=answer)


def _recipe(
    weights: Weights, new: Sequence[VerifierRow], old: Sequence[VerifierRow]
) -> VerifierRecipe:
    return VerifierRecipe(
        parent=weights.name,
        rows=rows_id(new),
        mix=rows_id(old) if old else "",
        method=Method.FULL,
        num_steps=1,
        batch_size=16,
        mix_share=0.5,
        rate=3e-4,
        weight_decay=0.01,
        warm_up_share=0.05,
        most_gradient=1.0,
        lora_rank=16,
        lora_alpha=32,
        panel_side=96,
        seed=0,
    )


def _renamed(phrase: str) -> str:
    return " ".join(NEW_NAMES.get(word, word) for word in phrase.split())


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.retrained_verifier",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--minutes", type=float, default=4.0, help="of the processor")
    parser.add_argument("--scenes", type=int, default=600, help="that people decide about")
    parser.add_argument("--measured", type=int, default=100, help="scenes to measure on")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--rate", type=float, default=3e-4)
    given = parser.parse_args()
    torch.set_num_threads(1)
    found = measure(
        given.minutes,
        num_scenes=given.scenes,
        num_measured=given.measured,
        seed=given.seed,
        rate=given.rate,
    )
    sys.stdout.write(json.dumps(found, indent=2) + "\n")


if __name__ == "__main__":
    main()
