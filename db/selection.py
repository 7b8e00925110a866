"""What an export or a page goes through: pairs in pages, and whose proposals to show."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from db.tables import (
    FailureRow,
    PairOriginRow,
    PairRow,
    ProposalSetRow,
    VerdictRow,
    VerificationRow,
)
from engine.stages import propose


@dataclass(frozen=True, slots=True, kw_only=True)
class ProposerChoice:
    """One proposer under one set of settings, as proposal sets name it."""

    proposer: str
    inference_settings: str


def pair_id_pages(session: Session, *, page_size: int = 1000) -> Iterator[list[str]]:
    """Yield the ids of all pairs in the order of ids, *page_size* at a time."""
    after = ""
    while True:
        statement = select(PairRow.id).where(PairRow.id > after)
        page = list(session.scalars(statement.order_by(PairRow.id).limit(page_size)))
        if not page:
            return
        yield page
        after = page[-1]


def newest_proposer(session: Session) -> ProposerChoice | None:
    """Return whose proposals were written last; None if there are none."""
    statement = (
        select(ProposalSetRow.proposer, ProposalSetRow.inference_settings)
        .group_by(ProposalSetRow.proposer, ProposalSetRow.inference_settings)
        .order_by(func.max(ProposalSetRow.recorded_at).desc(), ProposalSetRow.proposer)
        .limit(1)
    )
    found = session.execute(statement).first()
    if found is None:
        return None
    return ProposerChoice(proposer=found.proposer, inference_settings=found.inference_settings)


def proposal_counts(session: Session) -> dict[str, int]:
    """
    Return how many proposal sets there are (pairs), how many masks they hold, and how many failed.

    Sets and failures of all proposers count: what one run adds is the difference of two counts.
    """
    held = select(func.count(), func.coalesce(func.sum(ProposalSetRow.num_proposals), 0))
    pairs, masks = session.execute(held.select_from(ProposalSetRow)).one()
    return {"pairs": pairs, "masks": masks, "failed": _num_failed(session, [propose.STAGE])}


def verification_counts(session: Session, *, stages: Sequence[str]) -> dict[str, int]:
    """Return how many pairs verifiers are through with by stage, all verdicts, and failures."""
    counted = select(VerificationRow.stage, func.count()).group_by(VerificationRow.stage)
    pairs = {row[0]: row[1] for row in session.execute(counted)}
    verdicts = session.scalar(select(func.count()).select_from(VerdictRow)) or 0
    through = {f"pairs_{stage}": pairs.get(stage, 0) for stage in stages}
    return {"verdicts": verdicts, **through, "failed": _num_failed(session, stages)}


def _num_failed(session: Session, stages: Sequence[str]) -> int:
    counted = select(func.count()).select_from(FailureRow).where(FailureRow.stage.in_(stages))
    return session.scalar(counted) or 0


def pairs_of_source(session: Session, source: str) -> dict[str, list[str]]:
    """
    Return the pairs that an imported file named, by the file's own id of each.

    Args:
        source: The id of the file, as ingest writes it before the "#" of an origin.
    """
    statement = select(PairOriginRow.source, PairOriginRow.pair_id).where(
        PairOriginRow.source.startswith(f"{source}#", autoescape=True)
    )
    found: dict[str, list[str]] = {}
    for origin, pair_id in session.execute(statement):
        found.setdefault(origin.partition("#")[2], []).append(pair_id)
    return found
