"""
The things that tables measure with: proposers, a trainer, a judge, and how much work there is.

What a table needs twice (a fine-tune, judged scenes) is kept below the lab's folder or in memory.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path

from demo.paper.labels import training_images, truth_of_all
from demo.paper.play import Judged, calibrated, judge, propose_for
from demo.paper.scenes import BASE_WORDS, Asked, SceneReader, SceneSet
from demo.world.scenes import NIGHT, PAPER, SCATTER
from engine.ids import content_id
from engine.policy import Policy
from engine.ports import Proposer
from engine.records import ProposalSet
from engine.thresholds import Goal
from engine.training_set import TrainingImage
from flows.settings import Settings
from models.sam3_image import load_proposer
from models.settings import BUNDLED_WEIGHTS, ProposerSettings
from models.training.proposer import Length, Lesson, ProposerTraining

READER = SceneReader(PAPER, SCATTER, NIGHT)
_LABELS_PER_TASK = 1_500
_GENERAL = 8  # number of the scenes of general data


@dataclass(frozen=True, slots=True, kw_only=True)
class Size:
    """How much work a table is."""

    training_scenes: int = 250
    general_scenes: int = 400
    measured_scenes: int = 250
    calibration_scenes: int = 400
    steps: int = 600  # of a fine-tune: 2.5 CPU-minutes


@dataclass(frozen=True, kw_only=True)
class Lab:
    """What one run of `maskloop paper` works with."""

    settings: Settings
    folder: Path
    size: Size = Size()
    _judged: dict[str, list[Judged]] = field(default_factory=dict, repr=False)

    @property
    def bundled(self) -> Path:
        return BUNDLED_WEIGHTS

    def judged(self, asked: Sequence[Asked], weights: Path) -> list[Judged]:
        """
        Return pairs with what these weights propose and what the verifier says about it.

        Arms of a table ask about the same pairs: what was judged is remembered.
        """
        ids = " ".join(each.pair.id for each in asked)
        key = content_id("judged", pairs=ids, proposer=proposer_of(weights).name)
        if key not in self._judged:
            sets = self.proposed(asked, weights)
            self._judged[key] = judge(asked, sets, reader=READER, settings=self.settings)
        return self._judged[key]

    def proposed(self, asked: Sequence[Asked], weights: Path) -> list[ProposalSet]:
        """Return what these weights propose."""
        return propose_for(asked, proposer=proposer_of(weights), reader=READER)

    def policy(self, scenes: SceneSet, weights: Path, *, domain: str) -> Policy:
        """Return what the verifier may decide alone about proposals like those for *scenes*."""
        judged = self.judged(scenes.asked(), weights)
        return calibrated(judged, domain=domain, goal=Goal(), per_task=_LABELS_PER_TASK)

    def tuned(
        self,
        name: str,
        seed: int,
        images: Sequence[TrainingImage],
        replay: Sequence[TrainingImage],
        weights: Path = BUNDLED_WEIGHTS,
    ) -> Path:
        """
        Return the weights of a fine-tune, made by the product's trainer; a finished one is kept.

        Args:
            name: Of the fine-tune.

            seed: Of the order of training.

            images: What is learnt.

            replay: General data, mixed in one to one; none: nothing is mixed in.

            weights: To begin with.
        """
        training = ProposerTraining(
            str(weights),
            Lesson(images=images, replay=replay, data_id=_data_id(name, seed, images, replay)),
            READER,
            home=self.folder / "training",
            settings=self.settings.training,
            length=Length(steps=self.size.steps),
            seed=seed,
        )
        return training.fit().fitted.folder

    def general(self, seed: int) -> list[TrainingImage]:
        """Return general data with truth: base words, as the bundled weights were taught."""
        scenes = SceneSet(
            number=_GENERAL, seed=seed, num_scenes=self.size.general_scenes, sampling=BASE_WORDS
        )
        return training_images(truth_of_all(scenes.asked()))


def _data_id(name: str, seed: int, *sets: Sequence[TrainingImage]) -> str:
    """Name data by what is in it, so that a fine-tune of other data is another one."""
    pairs = [
        f"{index} {each.pair_id} {each.outcome} {' '.join(one.mask.counts for one in each.masks)}"
        for index, images in enumerate(sets)
        for image in images
        for each in image.pairs
    ]
    return f"paper/{name}/{seed}/{content_id('lesson', pairs=' '.join(pairs))}"


@lru_cache(maxsize=2)
def proposer_of(weights: Path) -> Proposer:
    """Return the proposer of a folder, loaded once."""
    return load_proposer(ProposerSettings(weights=str(weights), cpu_threads=1))
