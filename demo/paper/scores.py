"""The official metrics of proposals for scenes whose truth is known."""

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import compress
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from scipy.stats import rankdata

from demo.paper.play import Judged
from demo.paper.scenes import Asked
from demo.predictions import prediction_entries
from demo.world.files import gold_file
from engine.evaluation import evaluate
from engine.records import Mask, Proposal, ProposalSet
from engine.verdicts import ACCEPTING, masks_by_id, presence_of

_KEY = "cgF1_eval_segm_"
_MIN_ACCEPTANCE = 0.1  # as the demo's reading, see `demo.verified`


@dataclass(frozen=True, slots=True, kw_only=True)
class Scores:
    """Metrics as shares in [0, 1], as the paper's tables have them times 100."""

    cgf1: float
    il_mcc: float
    pmf1: float
    low: float  # of cgF1, 95 % over draws of images
    high: float

    def as_values(self) -> dict[str, float]:
        return {
            "cgF1": round(100 * self.cgf1, 1),
            "IL_MCC": round(self.il_mcc, 3),
            "pmF1": round(100 * self.pmf1, 1),
            "cgF1_low": round(100 * self.low, 1),
            "cgF1_high": round(100 * self.high, 1),
        }


def score(asked: Sequence[Asked], sets: Sequence[ProposalSet]) -> Scores:
    """Return the metrics of *sets*, one for each pair, against the world's truth."""
    scenes = [(each.pair.media_id, each.known.scene, each.known.truth) for each in asked]
    with TemporaryDirectory() as name:
        truth, predictions = Path(name) / "truth.json", Path(name) / "predictions.json"
        truth.write_text(json.dumps(gold_file(scenes, domain="paper")))
        entries = [
            entry
            for number, found in enumerate(sets, start=1)
            for entry in prediction_entries(number, found)
        ]
        predictions.write_text(json.dumps(entries))
        found = evaluate([truth], predictions, iou_types=["segm"])
    low, high = found.intervals[_KEY + "cgF1"]
    return Scores(
        cgf1=found.metrics[_KEY + "cgF1"],
        il_mcc=found.metrics[_KEY + "IL_MCC"],
        pmf1=found.metrics[_KEY + "positive_micro_F1"],
        low=low,
        high=high,
    )


def ranking(asked: Sequence[Asked], sets: Sequence[ProposalSet]) -> float:
    """
    Return how often a present phrase is answered with more confidence than an absent one.

    The area under the ROC curve of the largest confidence, in [0, 1], of pairs of both kinds; a
    tie counts half. Unlike IL_MCC it asks for no threshold.
    """
    is_there_N = np.array([bool(each.known.truth.indices) for each in asked])
    confidence_N = [
        max((found.presence * each.query_score for each in found.proposals), default=0.0)
        for found in sets
    ]
    rank_N = rankdata(confidence_N)
    num_there = int(is_there_N.sum())
    above = float(rank_N[is_there_N].sum()) - num_there * (num_there + 1) / 2
    return above / (num_there * (len(asked) - num_there))


def with_presence(judged: Judged) -> ProposalSet:
    """Return the proposals with the verifier's presence (SAM 3 paper, A.2)."""
    return replace(judged.proposals, presence=presence_of(judged.exhaustivity(())))


def with_verifiers(judged: Judged) -> ProposalSet:
    """Return the same without the masks that MV surely rejects."""
    kept = [
        judged.verdicts[own].probability(*ACCEPTING) >= _MIN_ACCEPTANCE
        for own in masks_by_id(judged.proposals)
    ]
    found = with_presence(judged)
    return replace(found, proposals=tuple(compress(found.proposals, kept)))


def sure(asked: Asked, masks: Sequence[Mask]) -> ProposalSet:
    """Return masks of a pair as predictions that nobody doubts."""
    return ProposalSet(
        pair_id=asked.pair.id,
        proposer="annotation",
        inference_settings="",
        prompted_phrase="",
        exemplars=(),
        presence=1.0,
        proposals=tuple(Proposal(mask=each, query_score=1.0) for each in masks),
    )
