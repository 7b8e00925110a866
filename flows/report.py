"""Tables of what was measured."""

from collections.abc import Mapping

from engine.evaluation import Evaluation
from engine.model_evaluations import StoredEvaluation
from flows.console import print_table

_SHOWN = (
    ("cgF1", "cgF1_eval_segm_cgF1"),
    ("cgF1 at IoU 0.5", "cgF1_eval_segm_cgF1@0.5"),
    ("pmF1 (positive micro F1)", "cgF1_eval_segm_positive_micro_F1"),
    ("IL_MCC (image level)", "cgF1_eval_segm_IL_MCC"),
    ("cgF1 of boxes", "cgF1_eval_bbox_cgF1"),
)
_SHOWN_CONCEPTS = 20


def print_evaluation(evaluation: Evaluation) -> None:
    """Show the metrics that decisions are made on, and the concepts with the most pairs."""
    found = evaluation.as_json()
    metrics, intervals = found["metrics"], found["intervals"]
    rows = [
        (name, metrics[key], interval_text(intervals.get(key)))
        for name, key in _SHOWN
        if key in metrics
    ]
    print_table("evaluation (values in 0..1)", ("metric", "value", "95 % interval"), rows)
    print_table("counts", ("what", "number"), list(found["counts"].items()))
    if found["concepts"]:
        _print_concepts(found["concepts"])


def print_model_evaluation(found: StoredEvaluation) -> None:
    """Show what a model reached on a snapshot, and the concepts with the most pairs."""
    rows = [
        (name, found.metrics[key], interval_text([*found.intervals.get(key, ())]))
        for name, key in _SHOWN
        if key in found.metrics
    ]
    title = f"{found.key.model} on {found.key.snapshot_id}, {found.key.split} (values in 0..1)"
    print_table(title, ("metric", "value", "95 % interval"), rows)
    print_table("counts", ("what", "number"), list(found.counts.items()))
    if found.nodes:
        _print_concepts([*found.nodes])


def interval_text(interval: "list[float] | None") -> str:
    """Return "low .. high", or nothing where there is no interval."""
    return f"{interval[0]:.4f} .. {interval[1]:.4f}" if interval else ""


def _print_concepts(concepts: "list[Mapping[str, object]]") -> None:
    columns = tuple(concepts[0])
    rows = [tuple(concept.values()) for concept in concepts[:_SHOWN_CONCEPTS]]
    title = f"concepts ({len(rows)} of {len(concepts)} with the most pairs)"
    print_table(title, columns, rows)
