"""Evaluations: what each pair counts for, written as it is measured, and what came out in all."""

from collections.abc import Iterable

from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from db.bulk import add_rows, array_text
from db.registry_tables import EvaluationPairRow, EvaluationRow
from db.snapshot_tables import SnapshotRecordRow
from db.tables import PairRow
from engine.metrics.pairs import MeasuredPair
from engine.model_evaluations import CountedPair, EvaluationKey, StoredEvaluation
from engine.snapshots import Purpose

_PAIR_COLUMNS = ("evaluation_id", "pair_id", "num_truth", "num_predicted", "true_positives")


def add_measured_pairs(
    session: Session, evaluation_id: str, pairs: Iterable[MeasuredPair]
) -> list[str]:
    """Write what *pairs* count for unless it is there, and return the ids of the new ones."""
    rows = [
        (
            *(evaluation_id, each.pair_id, each.num_truth, each.num_predicted),
            array_text(map(str, each.true_positives)),
        )
        for each in pairs
    ]
    return add_rows(session, EvaluationPairRow, _PAIR_COLUMNS, rows)


def measured_pair_ids(session: Session, evaluation_id: str) -> set[str]:
    """Return the pairs that are measured already."""
    statement = select(EvaluationPairRow.pair_id).where(
        EvaluationPairRow.evaluation_id == evaluation_id
    )
    return set(session.scalars(statement))


def counted_pairs(session: Session, evaluation_id: str) -> list[CountedPair]:
    """Return all pairs of an evaluation, by media and pair id."""
    statement = (
        select(EvaluationPairRow, PairRow.media_id, PairRow.phrase)
        .join(PairRow, PairRow.id == EvaluationPairRow.pair_id)
        .where(EvaluationPairRow.evaluation_id == evaluation_id)
        .order_by(PairRow.media_id, PairRow.id)
    )
    return [
        CountedPair(
            media_id=media_id,
            phrase=phrase,
            counts=MeasuredPair(
                pair_id=row.pair_id,
                num_truth=row.num_truth,
                num_predicted=row.num_predicted,
                true_positives=tuple(row.true_positives),
            ),
        )
        for row, media_id, phrase in session.execute(statement)
    ]


def add_evaluation(session: Session, evaluation: StoredEvaluation) -> None:
    """Write what came out unless it is there; all its pairs are written already."""
    key = evaluation.key
    values = {
        "id": evaluation.id,
        "model": key.model,
        "snapshot_id": key.snapshot_id,
        "split": key.split,
        "inference_settings": key.inference_settings,
        "num_pairs": evaluation.num_pairs,
        "cgf1": evaluation.cgf1,
        "metrics": dict(evaluation.metrics),
        "intervals": {name: list(bounds) for name, bounds in evaluation.intervals.items()},
        "nodes": [dict(row) for row in evaluation.nodes],
        "counts": dict(evaluation.counts),
    }
    session.execute(insert(EvaluationRow).values(**values).on_conflict_do_nothing())


def stored_evaluation(session: Session, evaluation_id: str) -> StoredEvaluation | None:
    """Return the evaluation with this id, None if it is not finished."""
    row = session.get(EvaluationRow, evaluation_id)
    return evaluation_record(row) if row else None


def evaluations_on(session: Session, snapshot_id: str) -> list[StoredEvaluation]:
    """Return all evaluations on a snapshot, oldest first."""
    statement = (
        select(EvaluationRow)
        .where(EvaluationRow.snapshot_id == snapshot_id)
        .order_by(EvaluationRow.recorded_at, EvaluationRow.id)
    )
    return [evaluation_record(row) for row in session.scalars(statement)]


def newest_gold(session: Session) -> str:
    """Return the id of the gold snapshot that was made last, "" if there is none."""
    statement = (
        select(SnapshotRecordRow.id)
        .where(SnapshotRecordRow.purpose == Purpose.GOLD.value)
        .order_by(SnapshotRecordRow.recorded_at.desc(), SnapshotRecordRow.id)
        .limit(1)
    )
    return session.scalars(statement).first() or ""


def evaluation_record(row: EvaluationRow) -> StoredEvaluation:
    """Return the record that *row* holds."""
    return StoredEvaluation(
        key=EvaluationKey(
            model=row.model,
            snapshot_id=row.snapshot_id,
            split=row.split,
            inference_settings=row.inference_settings,
        ),
        num_pairs=row.num_pairs,
        metrics=row.metrics,
        intervals=row.intervals,
        nodes=row.nodes,
        counts=row.counts,
    )
