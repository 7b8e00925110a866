"""
Measures a tiny proposer on scenes that no training has seen, by the arithmetic of SA-Co.

    python -m demo.measure_tiny --weights models/tiny/proposer

It goes the way of every proposal: files as `demo.world.files` writes them, the product's proposer,
the product's metrics. Five sets are asked:

  base       phrases of base words
  held out   phrases that each mention a word which base training never named
  heaps      phrases of base words about things that hide more of one another
  scatter    phrases of base words in another domain: smaller and more things
  one box    no words but a box on one thing, for all things of its shape and colour; no negative
             pairs, so that only pmF1 has a meaning
"""

import argparse
import json
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import groupby
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import torch
from PIL import Image

from demo.lessons import MEASURING_SEEDS
from demo.predictions import prediction_entries
from demo.world.files import FolderPlan, write_folder
from demo.world.phrases import Sampling
from demo.world.scenes import HEAPS, PAPER, SCATTER, Domain
from demo.world.vocabulary import BASE, WORD_OF, WORLD, Kind
from engine.evaluation import evaluate
from engine.masks import FloatArray
from engine.metrics.files import TruthPair, read_truth
from engine.ports import PromptedImage, Proposer
from engine.records import Exemplar, Pair, Prompt
from models.sam3_image import VISUAL_PROMPT, load_proposer
from models.settings import ProposerSettings

_HELD_OUT = frozenset(word.name for word in WORLD.words if not word.is_base)
_NUM_SCENES = 400  # of each set; enough for an interval of cgF1 of 3 points to either side
_LOOK = (Kind.COLOUR, Kind.SHAPE)
_KEY = "cgF1_eval_segm_"
_REPORTED = {
    "cgF1": "cgF1",
    "positive_micro_F1": "pmF1",
    "positive_micro_F1@0.5": "pmF1@0.5",
    "IL_MCC": "IL_MCC",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """One set of scenes and the phrases that are asked about them."""

    name: str
    sampling: Sampling
    domain: Domain = PAPER
    by_box: bool = False  # a box asks instead of the phrase


QUESTIONS = (
    Question(name="base", sampling=Sampling(vocabulary=BASE)),
    Question(name="held out", sampling=Sampling(must_mention=_HELD_OUT)),
    Question(name="heaps", sampling=Sampling(vocabulary=BASE), domain=HEAPS),
    Question(name="scatter", sampling=Sampling(vocabulary=BASE), domain=SCATTER),
    Question(name="one box", sampling=Sampling(vocabulary=BASE, positive_share=1.0), by_box=True),
)


def measure(
    proposer: Proposer, question: Question, *, seeds: Sequence[int] = MEASURING_SEEDS[:_NUM_SCENES]
) -> dict[str, float | list[float]]:
    """Return the metrics of *proposer* on scenes of *seeds*, and the 95 % interval of cgF1."""
    plan = FolderPlan(seeds=seeds, domain=question.domain, sampling=question.sampling)
    with TemporaryDirectory() as name:
        folder = Path(name)
        truth_path, predictions_path = write_folder(folder, plan), folder / "predictions.json"
        if question.by_box:
            _keep_looks(truth_path)
        asked = _asked(truth_path, by_box=question.by_box)
        predictions_path.write_text(json.dumps(list(_predictions(proposer, asked, folder))))
        found = evaluate([truth_path], predictions_path, iou_types=["segm"])
    values = {name: round(found.metrics[_KEY + key], 4) for key, name in _REPORTED.items()}
    interval = [round(bound, 4) for bound in found.intervals[_KEY + "cgF1"]]
    return {"scenes": len(seeds), **values, "cgF1_95%": interval}


def _keep_looks(truth_path: Path) -> None:
    """Leave only pairs whose phrase is a colour and a shape, of things that are there."""
    truth = json.loads(truth_path.read_text())
    present = {annotation["image_id"] for annotation in truth["annotations"]}
    truth["images"] = [
        entry
        for entry in truth["images"]
        if entry["id"] in present and tuple(map(_kind_of, entry["text_input"].split())) == _LOOK
    ]
    kept = {entry["id"] for entry in truth["images"]}
    truth["annotations"] = [one for one in truth["annotations"] if one["image_id"] in kept]
    truth_path.write_text(json.dumps(truth))


def _kind_of(word: str) -> Kind | None:
    return WORD_OF[word].kind if word in WORD_OF else None


def _asked(truth_path: Path, *, by_box: bool) -> list[tuple[TruthPair, Prompt]]:
    """Return each pair and how to ask for it; a box is that of the first thing it names."""
    truth = read_truth(truth_path, ["bbox"])
    boxes = dict(
        zip(reversed(truth.instances.pair_ids), reversed(truth.instances.boxes_N4), strict=True)
    )
    prompts = {
        pair.id: Prompt(pair=Pair(media_id=pair.file_name, phrase=pair.phrase))
        for pair in truth.pairs.values()
    }
    if by_box:
        for pair in truth.pairs.values():
            prompts[pair.id] = _shown(prompts[pair.id], pair, boxes[pair.id])
    return [(pair, prompts[pair.id]) for pair in truth.pairs.values()]


def _shown(prompt: Prompt, pair: TruthPair, box_4: FloatArray) -> Prompt:
    """The prompt with a box, x, y, width, height as shares of the image, instead of its phrase."""
    x, y, width, height = box_4 * (pair.width, pair.height, pair.width, pair.height)
    exemplar = Exemplar(box_xyxy=(x, y, x + width, y + height), is_positive=True)
    return replace(prompt, exemplars=(exemplar,), prompted_phrase=VISUAL_PROMPT)


def _predictions(
    proposer: Proposer, asked: Sequence[tuple[TruthPair, Prompt]], folder: Path
) -> Iterator[dict[str, object]]:
    """Yield what the proposer finds, as a file of predictions holds it."""
    by_image = [list(group) for _, group in groupby(asked, key=lambda one: one[0].file_name)]
    answers = proposer.propose(_prompted(group, folder) for group in by_image)
    for group, sets in zip(by_image, answers, strict=True):
        for (pair, _), proposal_set in zip(group, sets, strict=True):
            yield from prediction_entries(pair.id, proposal_set)


def _prompted(asked: Sequence[tuple[TruthPair, Prompt]], folder: Path) -> PromptedImage:
    name = asked[0][0].file_name
    with Image.open(folder / name) as image:
        pixels_HW3 = np.array(image.convert("RGB"))
    prompts = tuple(prompt for _, prompt in asked)
    return PromptedImage(media_id=name, pixels_HWC=pixels_HW3, prompts=prompts)


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="python -m demo.measure_tiny",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "--weights", default="models/tiny/proposer", help="folder of the proposer (%(default)s)"
    )
    parser.add_argument(
        "--scenes", type=int, default=_NUM_SCENES, help="scenes of each set (%(default)s)"
    )
    arguments = parser.parse_args()
    # On small tensors a second thread costs more than it brings.
    torch.set_num_threads(1)
    proposer = load_proposer(ProposerSettings(weights=arguments.weights, cpu_threads=1))
    for question in QUESTIONS:
        measured = measure(proposer, question, seeds=MEASURING_SEEDS[: arguments.scenes])
        sys.stdout.write(json.dumps({"set": question.name, **measured}) + "\n")


if __name__ == "__main__":
    main()
