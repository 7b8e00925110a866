"""Audit labels: what people agreed on about subjects that judges are measured by."""

import json
from collections.abc import Iterable, Sequence

from sqlalchemy import select
from sqlalchemy.orm import Session

from db.bulk import Value, add_rows, any_of, array_text
from db.tables import AuditLabelRow
from engine.labels import AuditLabel, Sampling, Vote
from engine.verdicts import Option, VerdictTask

_COLUMNS = (
    *("id", "task", "subject_id", "pair_id", "mask_ids", "votes", "referee", "option"),
    *("sampling", "batch", "source"),
)


def add_labels(session: Session, labels: Iterable[AuditLabel], *, source: str) -> int:
    """
    Write *labels* and return how many were new. Their pairs must be there.

    Args:
        session: An open transaction.

        labels: A label that is there already, from whatever file, changes nothing.

        source: The id of the file that they came in.
    """
    rows = ((*_values(label), source) for label in labels)
    return len(add_rows(session, AuditLabelRow, _COLUMNS, rows))


def audit_labels(session: Session) -> list[AuditLabel]:
    """Return all labels, oldest first."""
    statement = select(AuditLabelRow).order_by(AuditLabelRow.recorded_at, AuditLabelRow.id)
    return [label_record(row) for row in session.scalars(statement)]


def labels_of(session: Session, pair_ids: Sequence[str]) -> list[AuditLabel]:
    """Return the labels that were given for these pairs, oldest first."""
    statement = (
        select(AuditLabelRow)
        .where(AuditLabelRow.pair_id == any_of(pair_ids))
        .order_by(AuditLabelRow.recorded_at, AuditLabelRow.id)
    )
    return [label_record(row) for row in session.scalars(statement)]


def label_record(row: AuditLabelRow) -> AuditLabel:
    """Return the record that *row* holds."""
    option = Option(row.option)
    return AuditLabel(
        task=VerdictTask(row.task),
        subject_id=row.subject_id,
        pair_id=row.pair_id,
        mask_ids=tuple(row.mask_ids),
        votes=tuple(Vote(person=person, option=Option(said)) for person, said in row.votes),
        referee=Vote(person=row.referee, option=option) if row.referee else None,
        option=option,
        sampling=Sampling(row.sampling),
        batch=row.batch,
    )


def _values(label: AuditLabel) -> tuple[Value, ...]:
    votes = [[each.person, each.option.value] for each in label.votes]
    return (
        *(label.id, label.task.value, label.subject_id, label.pair_id, array_text(label.mask_ids)),
        json.dumps(votes),
        "" if label.referee is None else label.referee.person,
        *(label.option.value, label.sampling.value, label.batch),
    )
