"""Mined hard negatives: what they are made from, and whom they fool."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict

from sqlalchemy import ColumnElement, and_, func, select, text
from sqlalchemy.orm import Session

from db.bulk import add_rows, any_of
from db.ontology_tables import HardNegativeRow, MiningYieldRow, RetiredNegativeRow
from db.pairs import pairs_by_id
from db.planning import proposer_key
from db.resolutions import resolutions
from db.selection import ProposerChoice
from db.tables import PairRow
from engine.hard_negatives import Fooling, MiningRules, Relation
from engine.ids import content_id
from engine.records import Mask, Outcome, Pair, PairState, Resolution
from engine.stages.mine import MediaPhrases, Positive, Tally

_MOST_PHRASES = 20_000  # in use, that words are exchanged from; those of most pairs go first
_NEGATIVE_COLUMNS = (
    *("pair_id", "proposer", "inference_settings", "positive_id", "relation"),
    *("confidence", "overlap"),
)
_RETIRED_COLUMNS = ("pair_id", "proposer", "inference_settings")
_YIELD_COLUMNS = (
    *("pair_id", "key", "relation", "num_candidates", "num_firing", "num_fooling", "num_kept"),
)


def mining_key(choice: ProposerChoice, *, rules: MiningRules, release_id: str) -> str:
    """
    Return the key of what one proposer mines.

    Args:
        choice: Who proposes. What it was fooled by counts for it under whatever rules.

        rules: Other rules are other work,

        release_id: and so are other concepts; "" for none.
    """
    proposer = proposer_key(proposer=choice.proposer, inference_settings=choice.inference_settings)
    return f"{proposer}/{content_id('mining', ontology=release_id, **asdict(rules))}"


def positives_of(session: Session, pair_ids: Sequence[str]) -> list[Positive]:
    """Return those of these pairs that are finished with masks, with their hard negatives."""
    newest = _newest_resolutions(session, pair_ids)
    masks = {pair_id: _masks(found) for pair_id, found in newest.items() if found.masks}
    earlier = _made_from(session, list(masks))
    return [
        Positive(pair=pair, masks=masks[pair.id], earlier=earlier.get(pair.id, {}))
        for pair in pairs_by_id(session, list(masks))
    ]


def phrases_of_media(session: Session, media_ids: Iterable[str]) -> dict[str, MediaPhrases]:
    """Return, by media, the phrases that are asked about it and those that are there."""
    statement = (
        select(PairRow.media_id, PairRow.phrase, PairRow.id, PairRow.state)
        .where(PairRow.media_id == any_of(media_ids))
        .order_by(PairRow.media_id, PairRow.phrase.collate("C"))
    )
    found = session.execute(statement).all()
    finished = [row.id for row in found if row.state == PairState.FINISHED]
    there = {own for own, newest in _newest_resolutions(session, finished).items() if newest.masks}
    taken: defaultdict[str, list[str]] = defaultdict(list)
    positives: defaultdict[str, list[str]] = defaultdict(list)
    for row in found:
        taken[row.media_id].append(row.phrase)
        if row.id in there:
            positives[row.media_id].append(row.phrase)
    return {
        media_id: MediaPhrases(taken=tuple(phrases), positives=tuple(positives[media_id]))
        for media_id, phrases in taken.items()
    }


def phrases_in_use(session: Session) -> frozenset[str]:
    """Return the phrases that most pairs have."""
    statement = (
        select(PairRow.phrase)
        .where(PairRow.state != PairState.DROPPED)
        .group_by(PairRow.phrase)
        .order_by(func.count().desc(), PairRow.phrase.collate("C"))
        .limit(_MOST_PHRASES)
    )
    return frozenset(session.scalars(statement))


def lock_media(session: Session, media_ids: Iterable[str]) -> None:
    """Let nobody else add hard negatives to these media until the transaction ends."""
    statement = text("SELECT FROM media WHERE id = ANY(:ids) ORDER BY id FOR NO KEY UPDATE")
    session.execute(statement, {"ids": sorted(set(media_ids))})


def count_held(
    session: Session, media_ids: Iterable[str], *, choice: ProposerChoice
) -> Counter[str]:
    """Return how many hard negatives of each media fool this proposer."""
    statement = (
        select(PairRow.media_id, func.count())
        .join(HardNegativeRow, HardNegativeRow.pair_id == PairRow.id)
        .where(PairRow.media_id == any_of(set(media_ids)), _is_of(choice))
        .group_by(PairRow.media_id)
    )
    return Counter({row[0]: row[1] for row in session.execute(statement)})


def add_hard_negatives(
    session: Session, found: Iterable[Fooling], *, choice: ProposerChoice
) -> int:
    """Write whom pairs fool, and return how many were new. The pairs must be there."""
    rows = (
        (
            *(each.pair.id, choice.proposer, choice.inference_settings, each.positive_id),
            *(each.relation.value, each.reaction.confidence, each.reaction.overlap),
        )
        for each in found
    )
    return len(add_rows(session, HardNegativeRow, _NEGATIVE_COLUMNS, rows))


def retire(session: Session, pairs: Iterable[Pair], *, choice: ProposerChoice) -> int:
    """Write that *pairs* do not fool this proposer, and return how many were new."""
    rows = ((pair.id, choice.proposer, choice.inference_settings) for pair in pairs)
    return len(add_rows(session, RetiredNegativeRow, _RETIRED_COLUMNS, rows))


def add_yields(
    session: Session, tallies: Iterable[Tally], *, kept: Mapping[tuple[str, str], int], key: str
) -> None:
    """
    Write what was tried for positive pairs: from then on *key* is through with them.

    Args:
        session: An open transaction.

        tallies: One for each pair and relation.

        kept: How many hard negatives each (positive pair, relation) gave; none: left out.

        key: Whose work it was.
    """
    rows = (
        (
            *(each.positive_id, key, each.relation.value),
            *(each.num_candidates, each.num_firing, each.num_fooling),
            kept.get((each.positive_id, each.relation.value), 0),
        )
        for each in tallies
    )
    add_rows(session, MiningYieldRow, _YIELD_COLUMNS, rows)


def _newest_resolutions(session: Session, pair_ids: Sequence[str]) -> dict[str, Resolution]:
    return {found.pair_id: found for found in resolutions(session, pair_ids)}  # oldest first


def _masks(resolution: Resolution) -> tuple[Mask, ...]:
    return tuple(resolved.mask for resolved in resolution.masks)


def _made_from(session: Session, positive_ids: Sequence[str]) -> dict[str, dict[Pair, Relation]]:
    """Return, by positive pair, the hard negatives made from it that are not known to be there."""
    statement = (
        select(HardNegativeRow.positive_id, HardNegativeRow.pair_id, HardNegativeRow.relation)
        .where(HardNegativeRow.positive_id == any_of(positive_ids))
        .order_by(HardNegativeRow.pair_id, HardNegativeRow.recorded_at)
    )
    rows = session.execute(statement).all()
    pairs = {pair.id: pair for pair in pairs_by_id(session, list({row.pair_id for row in rows}))}
    settled = _newest_resolutions(session, list(pairs))
    found: defaultdict[str, dict[Pair, Relation]] = defaultdict(dict)
    for row in rows:
        outcome = settled[row.pair_id].outcome if row.pair_id in settled else Outcome.NEGATIVE
        if outcome is Outcome.NEGATIVE:
            found[row.positive_id].setdefault(pairs[row.pair_id], Relation(row.relation))
    return dict(found)


def _is_of(choice: ProposerChoice) -> ColumnElement[bool]:
    return and_(
        HardNegativeRow.proposer == choice.proposer,
        HardNegativeRow.inference_settings == choice.inference_settings,
    )
