"""
How well the tiny proposer learns new words, and how well it keeps the old ones.

    python -m demo.fine_tune --out runs/fine_tune --minutes 3

It begins with the bundled weights and gets answers as people give them: 400 new scenes with four
phrases each, every one of which mentions a word that base training never named. Half of every batch
is replay: base words on other scenes. It trains as `maskloop train` does, without a database, and
measures old and new words before and after on the same scenes, through the product's proposer.
"""

import argparse
import json
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path

import numpy as np
import torch
from PIL import Image

from demo.lessons import DEMO_SEEDS, MEASURING_SEEDS
from demo.measure_tiny import QUESTIONS, Question
from demo.world.files import FolderPlan, asked_about
from demo.world.phrases import PhraseTruth
from demo.world.scenes import Scene, make_scene
from engine.gate import GateDecision, GateRules, decide
from engine.masks import encode
from engine.metrics.pairs import AnsweredPair, measure_pairs, statistics_of
from engine.model_differences import Compared
from engine.ports import PromptedImage, Proposer
from engine.records import Mask, Outcome, Pair, Prompt, ResolvedMask
from engine.training_set import TrainingImage, TrainingPair
from models.sam3_image import load_proposer
from models.settings import BUNDLED_WEIGHTS, ProposerSettings, TrainingSettings
from models.training.proposer import Length, Lesson, ProposerTraining

_NEW, _BASE = QUESTIONS[1], QUESTIONS[0]
_NEW_SEEDS = DEMO_SEEDS[20_000:]
_REPLAY_SEEDS = DEMO_SEEDS[30_000:]
_NUM_SCENES, _NUM_REPLAYED = 400, 1000
_NUM_PHRASES = 4
_NUM_MEASURED = 520  # scenes of each set: more than 2,000 pairs


class SceneReader:
    """Scenes as image files; a media id is the seed of its scene."""

    def read(self, media_id: str) -> bytes:
        file = BytesIO()
        Image.fromarray(make_scene(int(media_id)).image_HW3).save(file, "PNG")
        return file.getvalue()


@dataclass(frozen=True, slots=True, kw_only=True)
class AskedScene:
    """A scene and what is asked about it, with the answers."""

    seed: int
    scene: Scene
    truths: Sequence[PhraseTruth]

    @property
    def media_id(self) -> str:
        return str(self.seed)

    def masks(self, truth: PhraseTruth) -> tuple[Mask, ...]:
        if not truth.indices:
            return ()
        return tuple(encode(np.stack([self.scene.mask(index) for index in truth.indices])))


def asked_scenes(
    seeds: Sequence[int], question: Question, *, with_groups: bool = True
) -> list[AskedScene]:
    """
    Return the scenes of *seeds* with four phrases each, as files of the world have them.

    Args:
        seeds: Of the scenes.

        question: What is asked of them.

        with_groups: Whether phrases about crowds are among them. They cannot be measured.
    """
    plan = FolderPlan(
        seeds=seeds,
        domain=question.domain,
        sampling=question.sampling,
        num_phrases=_NUM_PHRASES,
    )
    found = []
    for seed in seeds:
        scene = make_scene(seed, question.domain)
        asked = asked_about(scene, seed, plan)
        truths = [truth for truth in asked if with_groups or not truth.has_group]
        found.append(AskedScene(seed=seed, scene=scene, truths=truths))
    return [asked for asked in found if asked.truths]


def training_image(asked: AskedScene) -> TrainingImage:
    """Return a scene as a snapshot has it."""
    height, width = asked.scene.numbers_HW.shape
    return TrainingImage(
        media_id=asked.media_id,
        width=width,
        height=height,
        pairs=tuple(
            TrainingPair(
                pair_id=Pair(media_id=asked.media_id, phrase=truth.phrase).id,
                phrase=truth.phrase,
                outcome=_outcome(truth),
                masks=tuple(
                    ResolvedMask(mask=mask, is_group=asked.scene.things[index].is_group)
                    for mask, index in zip(asked.masks(truth), truth.indices, strict=True)
                ),
            )
            for truth in asked.truths
        ),
    )


def _outcome(truth: PhraseTruth) -> Outcome:
    if truth.has_group:
        return Outcome.PIXEL_EXHAUSTIVE
    return Outcome.INSTANCE_EXHAUSTIVE if truth.indices else Outcome.NEGATIVE


def answered(proposer: Proposer, scenes: Sequence[AskedScene]) -> list[AnsweredPair]:
    """Return what *proposer* says about every phrase, beside its truth."""
    images = (
        PromptedImage(
            media_id=asked.media_id,
            pixels_HWC=asked.scene.image_HW3,
            prompts=tuple(
                Prompt(pair=Pair(media_id=asked.media_id, phrase=truth.phrase))
                for truth in asked.truths
            ),
        )
        for asked in scenes
    )
    return [
        AnsweredPair(truth=asked.masks(truth), found=found)
        for asked, sets in zip(scenes, proposer.propose(images), strict=True)
        for truth, found in zip(asked.truths, sets, strict=True)
    ]


def compare(before: str, after: str, scenes: Sequence[AskedScene], *, name: str) -> Compared:
    """Return what two folders of weights make of the same pairs."""
    found = {
        weights: statistics_of(measure_pairs(answered(_proposer(weights), scenes)))
        for weights in (before, after)
    }
    return Compared(
        name=name,
        candidate_PS=found[after],
        champion_PS=found[before],
        media_ids=[asked.media_id for asked in scenes for _ in asked.truths],
        phrases=[truth.phrase for asked in scenes for truth in asked.truths],
    )


def _proposer(weights: str) -> Proposer:
    return load_proposer(ProposerSettings(weights=weights, cpu_threads=1))


def lesson(num_new: int, num_replay: int) -> Lesson:
    """Return what is learnt: new words, and base words as replay."""
    new = asked_scenes(_NEW_SEEDS[:num_new], _NEW)
    old = asked_scenes(_REPLAY_SEEDS[:num_replay], _BASE)
    return Lesson(
        images=[training_image(asked) for asked in new],
        replay=[training_image(asked) for asked in old],
        data_id=f"fine_tune/{num_new}/{num_replay}",
    )


def measured(before: str, after: str, num_scenes: int) -> GateDecision:
    """Return old and new words before and after."""
    seeds = MEASURING_SEEDS[:num_scenes]
    new, old = (
        compare(before, after, asked_scenes(seeds, question, with_groups=False), name=name)
        for question, name in ((_NEW, "new words"), (_BASE, "base words"))
    )
    return decide(new, kept=[old], ontology=None, rules=GateRules(node_pairs=10**9))


def _rows(found: GateDecision) -> Iterator[dict[str, object]]:
    for each in (found.gold, *found.kept):
        yield {
            "set": each.name,
            "pairs": each.num_pairs,
            "cgF1_before": round(each.champion, 4),
            "cgF1_after": round(each.candidate, 4),
            "difference": round(each.value, 4),
            "difference_95%": [round(each.low, 4), round(each.high, 4)],
        }


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="python -m demo.fine_tune",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--out", type=Path, required=True, help="folder of the trainings")
    parser.add_argument("--weights", default=str(BUNDLED_WEIGHTS), help="to begin with")
    parser.add_argument("--minutes", type=float, default=3.0, help="of computing (%(default)s)")
    parser.add_argument("--steps", type=int, default=0, help="instead of minutes")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--scenes", type=int, default=_NUM_SCENES, help="new ones (%(default)s)")
    parser.add_argument("--replay", type=int, default=_NUM_REPLAYED, help="others (%(default)s)")
    parser.add_argument("--measured", type=int, default=_NUM_MEASURED, help="scenes (%(default)s)")
    parser.add_argument("--recipe", type=json.loads, default={}, help="what differs, as JSON")
    arguments = parser.parse_args()
    # On small tensors a second thread costs more than it brings.
    torch.set_num_threads(1)
    training = ProposerTraining(
        arguments.weights,
        lesson(arguments.scenes, arguments.replay),
        SceneReader(),
        home=arguments.out,
        settings=TrainingSettings(recipe=arguments.recipe),
        length=Length(steps=arguments.steps, minutes=arguments.minutes),
        seed=arguments.seed,
    )
    trained = training.fit()
    found = measured(arguments.weights, str(trained.fitted.folder), arguments.measured)
    for row in _rows(found):
        sys.stdout.write(json.dumps({"steps": trained.fitted.num_steps, **row}) + "\n")


if __name__ == "__main__":
    main()
