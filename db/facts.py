"""Everything that is known about pairs: what exports and pages read."""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice

from sqlalchemy import select
from sqlalchemy.orm import Session

from db.bulk import any_of
from db.media import sources_of
from db.pairs import origins_of
from db.proposals import proposal_sets
from db.resolutions import resolutions
from db.rows import media_record, pair_record
from db.tables import MediaRow, PairRow
from db.verdicts import verdicts_for
from engine.records import (
    Media,
    MediaSource,
    Pair,
    PairOrigin,
    PairState,
    ProposalSet,
    Resolution,
)
from engine.verdicts import Verdict


@dataclass(frozen=True, slots=True, kw_only=True)
class PairFacts:
    """One pair with its media and all facts about it."""

    pair: Pair
    state: PairState
    media: Media
    sources: tuple[MediaSource, ...]  # by uri
    origins: tuple[PairOrigin, ...]
    proposal_sets: tuple[ProposalSet, ...]  # by id
    resolutions: tuple[Resolution, ...]  # oldest first
    verdicts: tuple[Verdict, ...] = ()  # of the verifier that was asked for, oldest first


def iter_pairs_with_facts(
    session: Session,
    *,
    proposer: str | None = None,
    verifier: str | None = None,
    pairs_per_read: int = 500,
) -> Iterator[PairFacts]:
    """
    Yield every pair with its facts, in the order of media ids, then of phrases.

    Memory stays flat over any number of pairs: a cursor of the server walks over the pairs, and
    the facts are read for some of them at a time.

    Args:
        session: A transaction that stays open as long as the iterator is used. With isolation
            level REPEATABLE READ all facts are of one moment; otherwise facts that are added
            meanwhile may appear.

        proposer: Only this proposer's proposal sets. None: everybody's.

        verifier: Whose verdicts, see `engine.verdicts.verifier_key`. None: nobody's.

        pairs_per_read: How many pairs are in memory.
    """
    statement = (
        select(PairRow, MediaRow)
        .join(MediaRow, MediaRow.id == PairRow.media_id)
        .order_by(PairRow.media_id, PairRow.phrase.collate("C"))
        .execution_options(yield_per=pairs_per_read, stream_results=True)
    )
    found = (
        (pair_record(pair), PairState(pair.state), media_record(media))
        for pair, media in session.execute(statement)
    )
    while batch := list(islice(found, pairs_per_read)):
        yield from _with_facts(session, batch, proposer, verifier)


def facts_of(
    session: Session,
    pair_ids: Sequence[str],
    *,
    proposer: str | None = None,
    verifier: str | None = None,
) -> list[PairFacts]:
    """Return the facts of these pairs, by media and phrase; unknown ids are left out."""
    statement = (
        select(PairRow, MediaRow)
        .join(MediaRow, MediaRow.id == PairRow.media_id)
        .where(PairRow.id == any_of(pair_ids))
        .order_by(PairRow.media_id, PairRow.phrase.collate("C"))
    )
    found = [
        (pair_record(pair), PairState(pair.state), media_record(media))
        for pair, media in session.execute(statement)
    ]
    return list(_with_facts(session, found, proposer, verifier))


def _with_facts(
    session: Session,
    batch: Sequence[tuple[Pair, PairState, Media]],
    proposer: str | None,
    verifier: str | None,
) -> Iterator[PairFacts]:
    pair_ids = [pair.id for pair, _, _ in batch]
    sources = sources_of(session, sorted({media.id for _, _, media in batch}))
    origins = origins_of(session, pair_ids)
    proposed: defaultdict[str, list[ProposalSet]] = defaultdict(list)
    for proposals in proposal_sets(session, pair_ids=pair_ids, proposer=proposer):
        proposed[proposals.pair_id].append(proposals)
    resolved: defaultdict[str, list[Resolution]] = defaultdict(list)
    for resolution in resolutions(session, pair_ids):
        resolved[resolution.pair_id].append(resolution)
    judged = verdicts_for(session, pair_ids, key=verifier) if verifier is not None else {}
    for pair_id, (pair, state, media) in zip(pair_ids, batch, strict=True):
        yield PairFacts(
            pair=pair,
            state=state,
            media=media,
            sources=tuple(sources.get(media.id, ())),
            origins=tuple(origins.get(pair_id, ())),
            proposal_sets=tuple(proposed[pair_id]),
            resolutions=tuple(resolved[pair_id]),
            verdicts=tuple(judged.get(pair_id, ())),
        )
