"""
The facts of pairs, in the form that the formats take.
"""

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from urllib.parse import unquote, urlsplit

from db.facts import PairFacts
from db.selection import ProposerChoice
from engine.formats.dataset import (
    Dataset,
    DatasetMedia,
    DatasetPair,
    DatasetPrediction,
    ScoredMask,
)
from engine.records import (
    MADE_BY_SAM3,
    MediaSource,
    Outcome,
    ProposalSet,
    Resolution,
    ResolvedMask,
)


def resolution_of(facts: PairFacts, *, maker: str | None = None) -> Resolution | None:
    """Return what *maker* decided last; without one, what anybody did."""
    made = [each for each in facts.resolutions if maker in (None, each.maker)]
    return made[-1] if made else None


def proposals_of(facts: PairFacts, choice: ProposerChoice | None) -> ProposalSet | None:
    """Return what the chosen proposer answered to the text alone, or to a coarser one if empty."""
    answers = [
        found
        for found in facts.proposal_sets
        if not found.exemplars
        and choice
        == ProposerChoice(proposer=found.proposer, inference_settings=found.inference_settings)
    ]
    answers.sort(key=lambda found: (not found.proposals, found.prompted_phrase))
    return answers[0] if answers else None


def resolved_dataset(facts: Iterable[PairFacts], *, maker: str | None) -> Dataset:
    """Return the pairs with what people and imports decided, or with what *maker* did."""
    resolved = ((each, resolution_of(each, maker=maker)) for each in facts)
    return _dataset([_pair(each, made.outcome, made.masks) for each, made in resolved if made])


def proposed_dataset(
    facts: Iterable[PairFacts],
    proposals_of: Callable[[PairFacts], ProposalSet | None],
    *,
    min_confidence: float,
) -> Dataset:
    """
    Return the pairs with what was proposed and no person has verified yet.

    A pair with masks is incomplete until somebody says otherwise; one without masks is no negative
    but a question.
    """
    pairs = []
    for each in facts:
        if (proposals := proposals_of(each)) is None:
            continue
        masks = tuple(
            ResolvedMask(mask=scored.mask, source=MADE_BY_SAM3)
            for scored in scored_masks(proposals, min_confidence=min_confidence)
        )
        pairs.append(_pair(each, Outcome.INCOMPLETE if masks else None, masks))
    return _dataset(pairs)


def predictions_of(
    facts: Iterable[PairFacts], proposals_of: Callable[[PairFacts], ProposalSet | None]
) -> list[DatasetPrediction]:
    """Return what was proposed, scored, for every pair that has an answer."""
    answered = ((each, proposals_of(each)) for each in facts)
    return [
        DatasetPrediction(
            pair=_pair(each, None, ()),
            presence=proposals.presence,
            masks=tuple(scored_masks(proposals, min_confidence=0.0)),
        )
        for each, proposals in answered
        if proposals is not None
    ]


def scored_masks(proposals: ProposalSet, *, min_confidence: float) -> list[ScoredMask]:
    """Return the masks with a confidence (presence * query score) of *min_confidence* or more."""
    scored = [
        ScoredMask(mask=proposal.mask, score=proposals.confidence(proposal))
        for proposal in proposals.proposals
    ]
    return [each for each in scored if each.score >= min_confidence]


def source_of(facts: PairFacts) -> MediaSource:
    """Return the source to name the media by: the first that has a caption, else the first."""
    return naming_source(facts.media.id, facts.sources)


def naming_source(media_id: str, sources: Sequence[MediaSource]) -> MediaSource:
    """Return the first of *sources* that has a caption, else the first; an empty one for none."""
    told = [source for source in sources if source.caption]
    return (told or [*sources, MediaSource(media_id=media_id, uri="")])[0]


def dataset_media(source: MediaSource, *, width: int, height: int) -> DatasetMedia:
    """Return a media of this size in pixels as *source* names it."""
    return DatasetMedia(
        media_id=source.media_id,
        file_name=file_name_of(source),
        width=width,
        height=height,
        caption=source.caption,
        domain=source.domain,
        licence=source.licence,
    )


def file_name_of(source: MediaSource) -> str:
    """Return how exports name a media: a path on this machine, or its uri elsewhere."""
    parts = urlsplit(source.uri)
    return str(Path(unquote(parts.path))) if parts.scheme == "file" else source.uri


def _dataset(pairs: Sequence[DatasetPair]) -> Dataset:
    media = {pair.media.media_id: pair.media for pair in pairs}
    return Dataset(media=tuple(media.values()), pairs=tuple(pairs))


def _pair(
    facts: PairFacts, outcome: Outcome | None, masks: tuple[ResolvedMask, ...]
) -> DatasetPair:
    return DatasetPair(
        source_id=facts.pair.id,
        media=dataset_media(source_of(facts), width=facts.media.width, height=facts.media.height),
        phrase=facts.pair.phrase,
        outcome=outcome,
        masks=masks,
        pair_id=facts.pair.id,
    )
