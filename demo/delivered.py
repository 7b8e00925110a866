"""
What simulated people answered about many scenes, as a file that comes in: more answers than there
is time for in Label Studio. They take the same steps and draw the same masks as those at the desk,
but have been trained for these concepts, and 19 of 20 of their answers are right: an assumption.
"""

from collections.abc import Sequence
from pathlib import Path

from demo.known import Known
from demo.paper.labels import Annotated, by_people
from demo.paper.play import Judged, propose_for
from demo.paper.scenes import Asked
from demo.world.files import FolderPlan, asked_about, image_name
from demo.world.scenes import make_scene
from engine.formats.dataset import Dataset, DatasetMedia, DatasetPair
from engine.formats.saco import write_saco
from engine.queues import Asked as What
from engine.records import Pair
from models.sam3_image import load_proposer
from models.settings import ProposerSettings

ANSWERS = "answers.json"
_ACCURACY = 0.95


class _FolderReader:
    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def read(self, media_id: str) -> bytes:
        return (self._folder / media_id).read_bytes()


def write_answers(folder: Path, plan: FolderPlan) -> Path:
    """
    Let people annotate the scenes of *folder* from the bundled proposer's masks on.

    Args:
        folder: As `demo.world.files` has written it.

        plan: Of the folder.

    Returns:
        The path of a SA-Co file. Pairs that people gave up are not in it.
    """
    asked = [one for seed in plan.seeds for one in _asked(seed, plan)]
    proposer = load_proposer(ProposerSettings(cpu_threads=1))
    sets = propose_for(asked, proposer=proposer, reader=_FolderReader(folder))
    annotated = [
        by_people(
            Judged(asked=one, proposals=found, verdicts={}, accepted=()),
            None,
            accuracy=dict.fromkeys(What, _ACCURACY),
        )
        for one, found in zip(asked, sets, strict=True)
    ]
    path = folder / ANSWERS
    write_saco(_dataset(annotated), path)
    return path


def _asked(seed: int, plan: FolderPlan) -> list[Asked]:
    scene = make_scene(seed, plan.domain)
    return [
        Asked(
            pair=Pair(media_id=image_name(seed), phrase=truth.phrase),
            known=Known(scene=scene, truth=truth),
        )
        for truth in asked_about(scene, seed, plan)
    ]


def _dataset(annotated: Sequence[Annotated]) -> Dataset:
    media: dict[str, DatasetMedia] = {}
    pairs: list[DatasetPair] = []
    for each in annotated:
        pair, found = each.asked.pair, each.resolution
        assert found is not None, "people finish or drop what they begin"
        height, width = each.asked.known.scene.numbers_HW.shape
        name = pair.media_id
        media.setdefault(
            name, DatasetMedia(media_id=name, file_name=name, width=width, height=height)
        )
        pairs.append(
            DatasetPair(
                source_id=pair.id,
                media=media[name],
                phrase=pair.phrase,
                outcome=found.outcome,
                masks=found.masks,
                pair_id=pair.id,
            )
        )
    return Dataset(media=tuple(media.values()), pairs=tuple(pairs))
