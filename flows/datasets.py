"""
Pairs and their facts, read from Postgres as what the formats and pages take.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote, urlsplit

from sqlalchemy.orm import Session

from db.media import media_by_id, sources_of
from db.pairs import pairs_by_id
from db.proposals import proposal_sets
from db.resolutions import resolutions
from db.selection import ProposerChoice, pair_id_pages
from engine.formats.dataset import (
    Dataset,
    DatasetMedia,
    DatasetPair,
    DatasetPrediction,
    ScoredMask,
)
from engine.records import (
    Media,
    MediaSource,
    Outcome,
    Pair,
    ProposalSet,
    Resolution,
    ResolvedMask,
)

MADE_BY_SAM3 = "created by SAM3"  # SA-Co's word for a mask that no person drew


@dataclass(frozen=True, slots=True, kw_only=True)
class PairFacts:
    """One pair and what is known about it."""

    pair: Pair
    media: Media
    source: MediaSource
    resolution: Resolution | None
    proposals: ProposalSet | None


def iter_facts(session: Session, *, choice: ProposerChoice | None) -> Iterator[PairFacts]:
    """
    Yield every pair with its resolution and the proposals of *choice*, in the order of ids.

    Of several resolutions the last by maker counts; use files to compare annotators.
    """
    for page in pair_id_pages(session):
        yield from facts_of(session, page, choice=choice)


def facts_of(
    session: Session, pair_ids: Sequence[str], *, choice: ProposerChoice | None
) -> list[PairFacts]:
    """Return the facts of these pairs, in their order."""
    pairs = pairs_by_id(session, pair_ids)
    media_ids = sorted({pair.media_id for pair in pairs})
    media, sources = media_by_id(session, media_ids), sources_of(session, media_ids)
    resolved = {found.pair_id: found for found in resolutions(session, pair_ids)}
    proposed = _proposed(session, pair_ids, choice)
    return [
        PairFacts(
            pair=pair,
            media=media[pair.media_id],
            source=sources.get(pair.media_id, [_no_source(pair.media_id)])[0],
            resolution=resolved.get(pair.id),
            proposals=proposed.get(pair.id),
        )
        for pair in pairs
    ]


def resolved_dataset(facts: Sequence[PairFacts]) -> Dataset:
    """Return the pairs with what people and imports decided."""
    return _dataset(
        [
            _pair(each, each.resolution.outcome, each.resolution.masks)
            for each in facts
            if each.resolution is not None
        ]
    )


def proposed_dataset(facts: Sequence[PairFacts], *, min_confidence: float) -> Dataset:
    """
    Return the pairs with what was proposed and nobody has verified yet.

    A pair with masks is incomplete until somebody says otherwise; one without masks is no negative
    but a question.
    """
    pairs = []
    for each in facts:
        if each.proposals is None:
            continue
        masks = tuple(
            ResolvedMask(mask=scored.mask, source=MADE_BY_SAM3)
            for scored in scored_masks(each.proposals, min_confidence=min_confidence)
        )
        pairs.append(_pair(each, Outcome.INCOMPLETE if masks else None, masks))
    return _dataset(pairs)


def predictions_of(facts: Sequence[PairFacts]) -> list[DatasetPrediction]:
    """Return what was proposed, scored, for every pair that has an answer."""
    return [
        DatasetPrediction(
            pair=_pair(each, None, ()),
            presence=each.proposals.presence,
            masks=tuple(scored_masks(each.proposals, min_confidence=0.0)),
        )
        for each in facts
        if each.proposals is not None
    ]


def scored_masks(proposals: ProposalSet, *, min_confidence: float) -> list[ScoredMask]:
    """Return the masks with a confidence (presence * query score) of *min_confidence* or more."""
    scored = [
        ScoredMask(mask=proposal.mask, score=proposals.confidence(proposal))
        for proposal in proposals.proposals
    ]
    return [each for each in scored if each.score >= min_confidence]


def file_name_of(source: MediaSource) -> str:
    """Return how exports name a media: a path on this machine, or its uri elsewhere."""
    parts = urlsplit(source.uri)
    return str(Path(unquote(parts.path))) if parts.scheme == "file" else source.uri


def _proposed(
    session: Session, pair_ids: Sequence[str], choice: ProposerChoice | None
) -> dict[str, ProposalSet]:
    if choice is None:
        return {}
    return {
        found.pair_id: found
        for found in proposal_sets(session, pair_ids=pair_ids, proposer=choice.proposer)
        if found.inference_settings == choice.inference_settings and not found.exemplars
    }


def _dataset(pairs: Sequence[DatasetPair]) -> Dataset:
    media = {pair.media.media_id: pair.media for pair in pairs}
    return Dataset(media=tuple(media.values()), pairs=tuple(pairs))


def _pair(
    facts: PairFacts, outcome: Outcome | None, masks: tuple[ResolvedMask, ...]
) -> DatasetPair:
    return DatasetPair(
        source_id=facts.pair.id,
        media=DatasetMedia(
            media_id=facts.media.id,
            file_name=file_name_of(facts.source),
            width=facts.media.width,
            height=facts.media.height,
            caption=facts.source.caption,
            domain=facts.source.domain,
            licence=facts.source.licence,
        ),
        phrase=facts.pair.phrase,
        outcome=outcome,
        masks=masks,
        pair_id=facts.pair.id,
    )


def _no_source(media_id: str) -> MediaSource:
    return MediaSource(media_id=media_id, uri="")
