"""Which weights there have been, so that the names in proposals and verdicts mean something."""

from datetime import datetime

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from db.bulk import add_rows, any_of
from db.tables import ModelVersionRow
from engine.model_versions import ModelVersion, Role

_COLUMNS = ("name", "role", "weights_uri", "parent", "snapshot_id", "recipe")


def add_model_version(
    session: Session, *, name: str, role: str, weights_uri: str, parent: str = ""
) -> bool:
    """
    Write a model version that was used unless it is known, and return whether it was new.

    Args:
        session: An open transaction.

        name: Kind and weights digest, such as "sam3@3f9c0a12b4d5e6f7", as facts name their maker.

        role: What it does, such as "proposer".

        weights_uri: Where the weights lie.

        parent: The name of the version it was trained from; "" for none.
    """
    values = (name, role, weights_uri, parent, "", "")
    return bool(add_rows(session, ModelVersionRow, _COLUMNS, [values]))


def add_trained_version(session: Session, version: ModelVersion) -> bool:
    """
    Write how a version was made and where it is kept, and return whether that was new.

    A version that is known by its use alone is completed. What is known of its making stays:
    the same weights may come out of two recipes.
    """
    values = (version.name, version.role.value, version.weights_uri)
    made = (version.parent, version.snapshot_id, version.recipe)
    if add_rows(session, ModelVersionRow, _COLUMNS, [(*values, *made)]):
        return True
    completed = session.scalars(
        update(ModelVersionRow)
        .where(ModelVersionRow.name == version.name, ModelVersionRow.recipe == "")
        .values(**dict(zip(_COLUMNS[2:], (version.weights_uri, *made), strict=True)))
        .returning(ModelVersionRow.name)
    )
    return bool(completed.all())


def model_version(session: Session, name: str) -> ModelVersion | None:
    """Return the version of this name, or None."""
    row = session.get(ModelVersionRow, name)
    return model_version_record(row) if row else None


def model_versions(session: Session, role: Role | None = None) -> list[ModelVersion]:
    """Return all versions, those of one role if given, the newest first."""
    return [version for version, _ in recorded_versions(session, role)]


def recorded_versions(
    session: Session, role: Role | None = None
) -> list[tuple[ModelVersion, datetime]]:
    """Return the same with when each was written."""
    roles = [each.value for each in ([role] if role else Role)]
    statement = (
        select(ModelVersionRow)
        .where(ModelVersionRow.role == any_of(roles))
        .order_by(ModelVersionRow.recorded_at.desc(), ModelVersionRow.name)
    )
    return [(model_version_record(row), row.recorded_at) for row in session.scalars(statement)]


def model_version_record(row: ModelVersionRow) -> ModelVersion:
    """Return the record that *row* holds."""
    return ModelVersion(
        name=row.name,
        role=Role(row.role),
        weights_uri=row.weights_uri,
        parent=row.parent,
        snapshot_id=row.snapshot_id,
        recipe=row.recipe,
    )
