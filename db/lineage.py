"""What a pair, its snapshots and its models have to do with one another."""

from collections.abc import Iterable
from dataclasses import dataclass

from sqlalchemy import select
from sqlalchemy.orm import Session

from db.model_versions import model_versions
from db.ontology_tables import HardNegativeRow
from db.review_tables import ReviewRow
from db.snapshot_tables import SnapshotNameRow, SnapshotPairRow, SnapshotRecordRow
from db.tables import PairRow, ProposalSetRow, ResolutionRow
from engine.model_versions import ModelVersion

_OWNERS = {
    "proposals": (ProposalSetRow.id, ProposalSetRow.pair_id),
    "review": (ReviewRow.id, ReviewRow.pair_id),
    "resolution": (ResolutionRow.id, ResolutionRow.pair_id),
    "pair": (PairRow.id, PairRow.id),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class HeldBy:
    """A pair as one snapshot holds it."""

    snapshot_id: str
    names: tuple[str, ...]
    purpose: str
    split: str
    resolution_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class FooledBy:
    """A proposer that took a pair for a verified positive."""

    proposer: str
    relation: str
    positive_id: str  # the pair that it was mined from
    confidence: float
    overlap: float


def pair_of_fact(session: Session, fact_id: str) -> str | None:
    """
    Return the pair that a fact is about; None if there is no such fact.

    Args:
        session: An open transaction.

        fact_id: A pair, or a proposal set, a review or a resolution, with the place of a mask or
            without.
    """
    owner_id = fact_id.partition("/")[0]
    kind = owner_id.partition("_")[0]
    if kind not in _OWNERS:
        return None
    own_id, pair_id = _OWNERS[kind]
    return session.scalar(select(pair_id).where(own_id == owner_id))


def snapshots_with(session: Session, pair_id: str) -> list[HeldBy]:
    """Return the snapshots that hold a pair, in the order in which they were made."""
    statement = (
        select(SnapshotPairRow, SnapshotRecordRow.purpose)
        .join(SnapshotRecordRow, SnapshotRecordRow.id == SnapshotPairRow.snapshot_id)
        .where(SnapshotPairRow.pair_id == pair_id)
        .order_by(SnapshotRecordRow.recorded_at, SnapshotRecordRow.id)
    )
    found = session.execute(statement).all()
    names = _names(session)
    return [
        HeldBy(
            snapshot_id=row.snapshot_id,
            names=tuple(names.get(row.snapshot_id, ())),
            purpose=purpose,
            split=row.split,
            resolution_id=row.resolution_id,
        )
        for row, purpose in found
    ]


def trained_on(session: Session, held: Iterable[HeldBy]) -> list[tuple[ModelVersion, str]]:
    """
    Return the models that a pair taught, the oldest first, each with the snapshot it was in.

    A model whose parent was taught so has "" for the snapshot, unless it was in its own as well.
    """
    where = [(each.snapshot_id, each.split) for each in held]
    taught: dict[str, tuple[ModelVersion, str]] = {}
    for version in reversed(model_versions(session)):
        own = [one for one in version.trained_on if (one, version.split) in where]
        if own or version.parent in taught:
            taught[version.name] = (version, own[0] if own else "")
    return list(taught.values())


def ancestry(session: Session, names: Iterable[str]) -> list[ModelVersion]:
    """Return the versions of these names, each followed by its parents; unknown ones left out."""
    known = {version.name: version for version in model_versions(session)}
    found: dict[str, ModelVersion] = {}
    for asked in names:
        name = asked
        while name in known and name not in found:
            found[name] = known[name]
            name = known[name].parent
    return list(found.values())


def fooled_by(session: Session, pair_id: str) -> list[FooledBy]:
    """Return whom a pair fooled as a hard negative, in the order in which that was found."""
    statement = select(HardNegativeRow).where(HardNegativeRow.pair_id == pair_id)
    ordered = statement.order_by(HardNegativeRow.recorded_at, HardNegativeRow.proposer)
    return [
        FooledBy(
            proposer=row.proposer,
            relation=row.relation,
            positive_id=row.positive_id,
            confidence=row.confidence,
            overlap=row.overlap,
        )
        for row in session.scalars(ordered)
    ]


def _names(session: Session) -> dict[str, list[str]]:
    names: dict[str, list[str]] = {}
    statement = select(SnapshotNameRow.snapshot_id, SnapshotNameRow.name)
    for snapshot_id, name in session.execute(statement.order_by(SnapshotNameRow.name)):
        names.setdefault(snapshot_id, []).append(name)
    return names
