"""
Measures a tiny proposer on scenes that no training has seen, by the arithmetic of SA-Co.

    python -m demo.measure_tiny --weights models/tiny/proposer

It goes the way of every proposal: files as `demo.world.files` writes them, the product's proposer,
the product's metrics. Three sets are asked:

  base       phrases of base words
  held out   phrases that each mention a word which base training never named
  scatter    phrases of base words in another domain: smaller and more things
"""

import argparse
import json
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import torch
from PIL import Image

from demo.lessons import MEASURING_SEEDS
from demo.world.files import FolderPlan, write_folder
from demo.world.phrases import Sampling
from demo.world.scenes import PAPER, SCATTER, Domain
from demo.world.vocabulary import BASE, WORLD
from engine.masks import to_coco
from engine.metrics.cgf1 import image_level_counts, metrics_of, pair_statistics
from engine.metrics.files import TruthPair, evaluated_pairs, read_predictions, read_truth
from engine.metrics.matching import count_pairs
from engine.ports import PromptedImage, Proposer
from engine.records import Pair, Prompt, ProposalSet
from models.sam3_image import load_proposer
from models.settings import ProposerSettings

_HELD_OUT = frozenset(word.name for word in WORLD.words if not word.is_base)
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


QUESTIONS = (
    Question(name="base", sampling=Sampling(vocabulary=BASE)),
    Question(name="held out", sampling=Sampling(must_mention=_HELD_OUT)),
    Question(name="scatter", sampling=Sampling(vocabulary=BASE), domain=SCATTER),
)


def measure(
    proposer: Proposer, question: Question, *, seeds: Sequence[int] = MEASURING_SEEDS
) -> dict[str, float]:
    """Return the metrics of *proposer* on scenes of *seeds*, rounded for reading."""
    with TemporaryDirectory() as folder:
        plan = FolderPlan(seeds=seeds, domain=question.domain, sampling=question.sampling)
        truth_path = write_folder(Path(folder), plan)
        truth = read_truth(truth_path, ["segm"])
        predictions_path = Path(folder) / "predictions.json"
        found = _predictions(proposer, list(truth.pairs.values()), Path(folder))
        predictions_path.write_text(json.dumps(list(found)))
        predictions = read_predictions(predictions_path, truth, ["segm"])
    pairs = evaluated_pairs([truth])
    counts = count_pairs([pair.id for pair in pairs], [truth.instances], predictions, "segm")
    sums = pair_statistics(counts).sum(axis=0)
    metrics = metrics_of(sums, "segm")
    shown = {name: metrics[f"cgF1_eval_segm_{key}"] for key, name in _REPORTED.items()}
    return {
        "num_pairs": len(pairs),
        **{name: round(value, 4) for name, value in shown.items()},
        **image_level_counts(sums),
    }


def _predictions(
    proposer: Proposer, pairs: Sequence[TruthPair], folder: Path
) -> Iterator[dict[str, object]]:
    """Yield what the proposer finds, as a file of predictions holds it."""
    by_image = [list(group) for _, group in groupby(pairs, key=lambda pair: pair.file_name)]
    answers = proposer.propose(_prompted(group, folder) for group in by_image)
    for group, sets in zip(by_image, answers, strict=True):
        for pair, proposal_set in zip(group, sets, strict=True):
            yield from _entries(pair, proposal_set)


def _prompted(pairs: Sequence[TruthPair], folder: Path) -> PromptedImage:
    name = pairs[0].file_name
    with Image.open(folder / name) as image:
        pixels_HW3 = np.asarray(image.convert("RGB"))
    prompts = tuple(Prompt(pair=Pair(media_id=name, phrase=pair.phrase)) for pair in pairs)
    return PromptedImage(media_id=name, pixels_HWC=pixels_HW3, prompts=prompts)


def _entries(pair: TruthPair, found: ProposalSet) -> Iterator[dict[str, object]]:
    for proposal in found.proposals:
        x, y, width, height = proposal.mask.box_xywh
        yield {
            "image_id": pair.id,
            "category_id": 1,
            "score": found.confidence(proposal),
            "bbox": [x / pair.width, y / pair.height, width / pair.width, height / pair.height],
            "segmentation": to_coco(proposal.mask),
        }


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="python -m demo.measure_tiny",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--weights", default="models/tiny/proposer", help="folder of the proposer")
    parser.add_argument("--scenes", type=int, default=320, help="scenes of each set")
    arguments = parser.parse_args()
    # On small tensors a second thread costs more than it brings.
    torch.set_num_threads(1)
    proposer = load_proposer(ProposerSettings(weights=arguments.weights, cpu_threads=1))
    for question in QUESTIONS:
        measured = measure(proposer, question, seeds=MEASURING_SEEDS[: arguments.scenes])
        sys.stdout.write(json.dumps({"set": question.name, **measured}) + "\n")


if __name__ == "__main__":
    main()
