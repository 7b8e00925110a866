"""
What people and the policy decided about one pair, as tables of text.
"""

from collections.abc import Mapping, Sequence

from sqlalchemy.orm import Session

from db.labels import labels_of
from db.routes import routes_of
from engine.labels import AuditLabel
from engine.routes import RoutedPair
from ui.pair_page import FactTable


def decided_tables(session: Session, pair_id: str) -> tuple[FactTable, FactTable]:
    """Return the audit labels of a pair, and its newest route."""
    labels, routes = labels_of(session, [pair_id]), routes_of(session, [pair_id])
    return _label_table(labels), _route_table(routes)


def _label_table(labels: Sequence[AuditLabel]) -> FactTable:
    """Return what people said about the pair, each subject with its votes."""
    return FactTable(
        title="audit labels",
        columns=("task", "subject", "option", "votes", "sampling", "batch"),
        rows=tuple(
            (
                *(each.task.value, each.subject_id, each.option.value),
                ", ".join(f"{vote.person}: {vote.option}" for vote in each.all_votes),
                *(each.sampling.value, each.batch),
            )
            for each in labels
        ),
    )


def _route_table(routes: Mapping[str, RoutedPair]) -> FactTable:
    """Return where the pair was sent last, and why."""
    return FactTable(
        title="route",
        columns=("step", "question", "reason", "judge", "accepted masks", "shadow review"),
        rows=tuple(
            (
                *(each.route.step.value, each.route.task.value, each.route.reason.value),
                *(each.judge, " ".join(each.mask_ids), "yes" if each.is_shadowed else ""),
            )
            for each in routes.values()
        ),
    )
