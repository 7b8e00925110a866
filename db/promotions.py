"""Promotions: which model version is the champion of its role. The newest one counts."""

from sqlalchemy import select
from sqlalchemy.orm import Session

from db.bulk import add_rows
from db.registry_tables import PromotionRow
from engine.model_versions import Promotion, PromotionKind, Role

_COLUMNS = (
    *("id", "role", "number", "model", "replaces", "kind", "evaluation_id", "person", "reason"),
)


def add_promotion(session: Session, promotion: Promotion) -> bool:
    """
    Write a promotion, and return whether it came first.

    False: another promotion of the role has its number, and may not be committed yet when this one
    begins to wait for it. The champion is another one then.
    """
    values = (
        *(promotion.id, promotion.role.value, promotion.number, promotion.model),
        *(promotion.replaces, promotion.kind.value, promotion.evaluation_id),
        *(promotion.person, promotion.reason),
    )
    return bool(add_rows(session, PromotionRow, _COLUMNS, [values]))


def promotions_of(session: Session, role: Role) -> list[Promotion]:
    """Return all promotions of *role*, oldest first."""
    statement = (
        select(PromotionRow).where(PromotionRow.role == role.value).order_by(PromotionRow.number)
    )
    return [promotion_record(row) for row in session.scalars(statement)]


def newest_promotion(session: Session, role: Role) -> Promotion | None:
    """Return the promotion of *role* that counts, None before the first one."""
    statement = (
        select(PromotionRow)
        .where(PromotionRow.role == role.value)
        .order_by(PromotionRow.number.desc())
        .limit(1)
    )
    row = session.scalars(statement).first()
    return promotion_record(row) if row else None


def promotion_record(row: PromotionRow) -> Promotion:
    """Return the record that *row* holds."""
    return Promotion(
        role=Role(row.role),
        number=row.number,
        model=row.model,
        replaces=row.replaces,
        kind=PromotionKind(row.kind),
        evaluation_id=row.evaluation_id,
        person=row.person,
        reason=row.reason,
    )
