"""
The official evaluator's algorithm as pycocotools runs it: the reference for `engine.metrics`.

Written from its description (sam3/eval/cgf1_eval.py) on top of pycocotools' own COCO and COCOeval:
for each pair and annotator the predictions are loaded as a COCO result, prepared and compared by
COCOeval, and matched by one Hungarian assignment. Slow, and its input is not checked.
"""

import contextlib
import copy
import io
import json
import os
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt
from pycocotools import mask as coco_mask
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval
from scipy.optimize import linear_sum_assignment

Entry: TypeAlias = dict[str, Any]  # as pycocotools hands it around
Values: TypeAlias = npt.NDArray[Any]


class SharedImages(COCO):  # type: ignore[misc]  # pycocotools has no types
    """
    A COCO set as pycocotools makes it, but for one thing: its results share its images.

    Otherwise each call of loadRes would index all images again, and the reference would be slow for
    a reason that the official evaluator does not have.
    """

    imgs: dict[int, Entry]

    def createIndex(self) -> None:  # noqa: N802, pycocotools' name
        images = self.dataset.pop("images", [])
        known = self.imgs
        super().createIndex()
        self.dataset["images"] = images
        self.imgs = known or {image["id"]: image for image in images}

    def loadRes(self, entries: list[Entry]) -> "SharedImages":  # noqa: N802, pycocotools' name
        results = SharedImages()
        results.dataset["images"] = self.dataset["images"]
        results.dataset["info"] = copy.deepcopy(self.dataset.get("info", {}))
        results.dataset["categories"] = copy.deepcopy(self.dataset["categories"])
        assert {entry["image_id"] for entry in entries} <= self.imgs.keys()
        for index, entry in enumerate(entries):
            if entry.get("bbox"):
                entry["area"] = entry["bbox"][2] * entry["bbox"][3]
            else:
                entry["area"] = coco_mask.area(entry["segmentation"])
                entry["bbox"] = coco_mask.toBbox(entry["segmentation"])
            entry["id"], entry["iscrowd"] = index + 1, 0
        results.dataset["annotations"] = entries
        results.imgs = self.imgs
        results.createIndex()
        return results


class PairEval(COCOeval):  # type: ignore[misc]  # pycocotools has no types
    """One annotator's truth; evaluates one pair at a time."""

    def __init__(self, truth: SharedImages, iou_type: str) -> None:
        super().__init__(truth, iouType=iou_type)
        self.params.useCats = False

    def scoring(self, pair_id: int, entries: list[Entry]) -> Entry:
        with Path(os.devnull).open("w") as nowhere, contextlib.redirect_stdout(nowhere):
            self.cocoDt = self.cocoGt.loadRes(entries) if entries else SharedImages()
        self.params.imgIds = list(np.unique([pair_id]))
        self._prepare()
        truth = [t for c in self.params.catIds for t in self._gts[pair_id, c]]
        found = [d for c in self.params.catIds for d in self._dts[pair_id, c]]
        return self._score(truth, found, self._ious(truth, found))

    def _ious(self, truth: list[Entry], found: list[Entry]) -> Values:
        if not truth and not found:
            return np.zeros((0, 0))
        region = "segmentation" if self.params.iouType == "segm" else "bbox"
        crowd = [int(entry["iscrowd"]) for entry in truth]
        ious = coco_mask.iou([d[region] for d in found], [t[region] for t in truth], crowd)
        return np.reshape(ious, (len(found), len(truth)))

    def _score(self, truth: list[Entry], found: list[Entry], ious: Values) -> Entry:
        is_truth = np.array([not entry["ignore"] for entry in truth], bool)
        is_found = np.array([entry["score"] >= 0.5 for entry in found], bool)
        num_truth, num_found = int(is_truth.sum()), int(is_found.sum())
        scoring = {"num_truth": num_truth, "num_found": num_found}
        if num_truth == 0 and num_found == 0:
            return scoring
        if num_found == 0:
            nothing = np.zeros(len(self.params.iouThrs), np.int64)
            return scoring | {
                "tp": nothing,
                "fp": nothing,
                "fn": nothing + num_truth,
                "f1": nothing,
            }
        kept = ious[is_found][:, is_truth]
        matched = kept[linear_sum_assignment(-kept)]
        tp = np.array([(matched >= threshold).sum() for threshold in self.params.iouThrs])
        fp, fn = num_found - tp, num_truth - tp
        precision, recall = tp / (tp + fp + 1e-4), tp / (tp + fn + 1e-4)
        f1 = 2 * precision * recall / (precision + recall + 1e-4)
        return scoring | {"tp": tp, "fp": fp, "fn": fn, "f1": f1}


def evaluate(
    truth_paths: Sequence[Path], predictions_path: Path, iou_type: str
) -> dict[str, float]:
    """Return the official keys and values."""
    with contextlib.redirect_stdout(io.StringIO()):
        truths = [SharedImages(path) for path in truth_paths]
    evals = [PairEval(truth, iou_type) for truth in truths]
    left_out = {
        image["id"]
        for truth in truths[1:]
        for image in truth.dataset["images"]
        if not image["is_instance_exhaustive"]
    }
    entries_of = defaultdict(list)
    for entry in json.loads(Path(predictions_path).read_bytes()):
        entries_of[entry["image_id"]].append(entry)
    scorings = []
    for image in truths[0].dataset["images"]:
        if image["is_instance_exhaustive"] and image["id"] not in left_out:
            entries = entries_of[image["id"]]
            scorings.append(oracle([e.scoring(image["id"], entries) for e in evals]))
    return summary(scorings, iou_type, evals[0].params.iouThrs)


def oracle(scorings: Sequence[Entry]) -> Entry:
    """The best annotator: the first with the best mean F1, unless somebody sees a true negative."""
    best = scorings[0]
    for scoring in scorings[1:]:
        if "f1" not in scoring or ("f1" in best and scoring["f1"].mean() > best["f1"].mean()):
            best = scoring
    return best


def summary(scorings: Sequence[Entry], iou_type: str, thresholds: Values) -> dict[str, float]:
    tp, fp, fn, positive_fp, f1_sum = (np.zeros(len(thresholds)) for _ in range(5))
    image = {"tp": 0, "fp": 0, "tn": 0, "fn": 0}
    for scoring in scorings:
        is_there, is_found = scoring["num_truth"] > 0, scoring["num_found"] > 0
        image[("t" if is_there == is_found else "f") + ("p" if is_found else "n")] += 1
        if "f1" not in scoring:
            continue
        tp, fp, fn = tp + scoring["tp"], fp + scoring["fp"], fn + scoring["fn"]
        if is_there:
            positive_fp = positive_fp + scoring["fp"]
            f1_sum = f1_sum + scoring["f1"]
    ils = image_level(**image)
    values = {"precision": tp / (tp + fp + 1e-4), "recall": tp / (tp + fn + 1e-4)}
    values["positive_micro_precision"] = tp / (tp + positive_fp + 1e-4)
    values["F1"] = harmonic(values["precision"], values["recall"], 1e-4)
    values["positive_micro_F1"] = harmonic(
        values["positive_micro_precision"], values["recall"], 1e-4
    )
    values["positive_macro_F1"] = f1_sum / image["tp"] if image["tp"] else np.full(len(tp), -1.0)
    values["cgF1"] = values["positive_micro_F1"] * ils["IL_MCC"]
    keys = {name: float(value.mean()) for name, value in values.items()} | ils
    for threshold in (0.5, 0.75):
        place = np.flatnonzero(thresholds == threshold)[0]
        keys |= {f"{name}@{threshold}": float(value[place]) for name, value in values.items()}
    return {f"cgF1_eval_{iou_type}_{name}": value for name, value in keys.items()}


def image_level(tp: int, fp: int, tn: int, fn: int) -> dict[str, float]:
    precision, recall = tp / (tp + fp + 1e-6), tp / (tp + fn + 1e-6)
    spread = (float(tp + fp) * float(tp + fn) * float(tn + fp) * float(tn + fn)) ** 0.5
    return {
        "IL_precision": precision,
        "IL_recall": recall,
        "IL_F1": harmonic(precision, recall, 1e-6),
        "IL_FPR": fp / (fp + tn + 1e-6),
        "IL_MCC": (tp * tn - fp * fn) / (spread + 1e-6),
    }


def harmonic(precision: Any, recall: Any, epsilon: float) -> Any:
    return 2 * precision * recall / (precision + recall + epsilon)
