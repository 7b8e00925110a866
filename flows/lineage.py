"""
Where a mask or a pair comes from, and what was made of it: from the pixels to the models that it
taught.
"""

from collections.abc import Collection, Sequence

from sqlalchemy.orm import Session

from db.facts import PairFacts, facts_of
from db.lineage import (
    HeldBy,
    ancestry,
    fooled_by,
    pair_of_fact,
    snapshots_with,
    trained_on,
)
from db.queues import items_by_id
from db.reviews import reviews_of
from db.rows import resolution_id
from db.session import make_engine, transaction
from engine.errors import ConfigError
from engine.lineage import MadeMask, line_of, made_masks
from engine.reviews import Correction, Review, Standing
from flows.console import print_json, print_table
from flows.decided import decided_tables
from flows.judged import Judged, judged, verdict_table
from flows.services.embedded import start_database
from flows.settings import Settings
from ui.pair_page import FactTable


def print_lineage(fact_id: str, *, settings: Settings, as_json: bool) -> None:
    """
    Print where a mask or a pair comes from, and what was made of it.

    Raises:
        ConfigError: If there is no such mask or pair.
    """
    with transaction(make_engine(start_database(settings))) as session:
        tables = lineage(session, fact_id)
    if as_json:
        print_json({each.title: each.as_rows() for each in tables})
        return
    for each in tables:
        print_table(each.title, each.columns, each.rows)


def lineage(session: Session, fact_id: str) -> list[FactTable]:
    """
    Return the lineage of a mask or a pair as tables of text, the pixels first.

    Of a mask, only what has to do with it is shown.

    Raises:
        ConfigError: If there is no such mask or pair.
    """
    pair_id = pair_of_fact(session, fact_id)
    if pair_id is None:
        msg = f"{fact_id!r} is neither a pair nor a mask"
        raise ConfigError(f"{msg}: copy an id from a contact sheet or `maskloop show pair`")
    (facts,) = facts_of(session, [pair_id])
    given = reviews_of(session, [pair_id])
    masks = made_masks(
        facts.proposal_sets,
        [review for review, _ in given],
        {resolution_id(each): each for each in facts.resolutions},
    )
    verdicts = judged(session, facts)
    held = snapshots_with(session, pair_id)
    if "/" in fact_id:
        if fact_id not in masks:
            raise ConfigError(f"{fact_id.partition('/')[0]} has no mask {fact_id!r}")
        line = line_of(fact_id, masks)
        owners = {one.owner for one in line}
        verdicts = [each for each in verdicts if _is_about(each, {one.id for one in line})]
        given = [each for each in given if _has_seen(session, each[0], line)]
        held = [each for each in held if each.resolution_id in owners]
    else:
        line, owners = list(masks.values()), set()
    return [
        *_pixels(facts),
        _fooled(session, pair_id),
        _prompts(facts, owners),
        _mask_table(line),
        verdict_table(verdicts),
        _people(session, given),
        *decided_tables(session, pair_id),
        _resolutions(facts, owners),
        _weights(session, line, facts, verdicts),
        *use_tables(session, held),
    ]


def use_tables(session: Session, held: Sequence[HeldBy]) -> tuple[FactTable, FactTable]:
    """Return the snapshots that hold a pair, and the models that it taught."""
    snapshots = FactTable(
        title="snapshots",
        columns=("snapshot", "names", "purpose", "split", "resolution"),
        rows=tuple(
            (each.snapshot_id, ", ".join(each.names), each.purpose, each.split, each.resolution_id)
            for each in held
        ),
    )
    taught = FactTable(
        title="models trained on it",
        columns=("model", "role", "snapshot", "parent"),
        rows=tuple(
            (version.name, version.role.value, snapshot or "by its parent", version.parent)
            for version, snapshot in trained_on(session, held)
        ),
    )
    return snapshots, taught


def _pixels(facts: PairFacts) -> list[FactTable]:
    media = facts.media
    return [
        FactTable(
            title="pair",
            columns=("pair", "phrase", "state", "media", "size"),
            rows=(
                (
                    *(facts.pair.id, facts.pair.phrase, facts.state.value, media.id),
                    f"{media.width} x {media.height}",
                ),
            ),
        ),
        FactTable(
            title="sources",
            columns=("uri", "domain", "licence", "caption"),
            rows=tuple(
                (each.uri, each.domain, each.licence, each.caption) for each in facts.sources
            ),
        ),
        FactTable(
            title="origins",
            columns=("kind", "source", "domain", "phase"),
            rows=tuple(
                (each.kind.value, each.source, each.domain, each.phase) for each in facts.origins
            ),
        ),
    ]


def _fooled(session: Session, pair_id: str) -> FactTable:
    return FactTable(
        title="hard negative for",
        columns=("proposer", "relation", "mined from", "confidence", "overlap"),
        rows=tuple(
            (
                *(each.proposer, each.relation, each.positive_id),
                *(f"{each.confidence:.3f}", f"{each.overlap:.3f}"),
            )
            for each in fooled_by(session, pair_id)
        ),
    )


def _prompts(facts: PairFacts, owners: Collection[str]) -> FactTable:
    """Return what proposers were asked; with *owners*, only the proposal sets among them."""
    return FactTable(
        title="prompts",
        columns=("proposal set", "proposer", "inference settings", "text", "exemplars", "presence"),
        rows=tuple(
            (
                *(each.id, each.proposer, each.inference_settings),
                *(each.prompted_phrase or facts.pair.phrase, str(len(each.exemplars))),
                f"{each.presence:.3f}",
            )
            for each in facts.proposal_sets
            if not owners or each.id in owners
        ),
    )


def _mask_table(line: Sequence[MadeMask]) -> FactTable:
    return FactTable(
        title="masks",
        columns=("mask", "how", "maker", "made from", "query score", "confidence", "pixels"),
        rows=tuple(
            (
                *(one.id, one.how, one.maker, " ".join(one.parents)),
                *_scores(one),
                str(one.mask.area_pixels),
            )
            for one in line
        ),
    )


def _scores(one: MadeMask) -> tuple[str, str]:
    if one.scores is None:
        return "", ""
    return f"{one.scores['query_score']:.3f}", f"{one.scores['confidence']:.3f}"


def _people(session: Session, given: Sequence[tuple[Review, Standing]]) -> FactTable:
    items = items_by_id(session, {review.item_id for review, _ in given})
    return FactTable(
        title="people",
        columns=("review", "person", "queue", "purpose", "answer", "seconds", "standing", "when"),
        rows=tuple(
            (
                *(review.id, review.person, items[review.item_id].item.queue.value),
                *(items[review.item_id].item.purpose.value, _answer_text(review)),
                *(f"{review.seconds:.1f}", standing.value),
                review.submitted_at.isoformat(timespec="seconds"),
            )
            for review, standing in given
        ),
    )


def _answer_text(review: Review) -> str:
    answer = review.answer
    if not isinstance(answer, Correction):
        return answer.value
    if answer.rejection is not None:
        return answer.rejection.value
    return f"{len(answer.masks)} masks, {len(answer.removed)} removed"


def _resolutions(facts: PairFacts, owners: Collection[str]) -> FactTable:
    named = [(resolution_id(each), each) for each in facts.resolutions]
    return FactTable(
        title="resolutions",
        columns=("resolution", "maker", "outcome", "masks", "reason"),
        rows=tuple(
            (own_id, each.maker, each.outcome.value, str(len(each.masks)), each.reason)
            for own_id, each in named
            if not owners or own_id in owners
        ),
    )


def _weights(
    session: Session, line: Sequence[MadeMask], facts: PairFacts, verdicts: Sequence[Judged]
) -> FactTable:
    """Return the models that proposed or judged, each followed by those it was trained from."""
    proposers = {each.proposer for each in facts.proposal_sets}
    makers = [one.maker for one in line if one.maker in proposers]
    used = dict.fromkeys([*makers, *(each.verdict.judge for each in verdicts)])
    return FactTable(
        title="weights",
        columns=("model", "role", "weights", "parent", "snapshot", "recipe"),
        rows=tuple(
            (
                *(each.name, each.role.value, each.weights_uri, each.parent),
                *(each.snapshot_id, each.recipe),
            )
            for each in ancestry(session, used)
        ),
    )


def _is_about(each: Judged, mask_ids: Collection[str]) -> bool:
    """Whether a verdict is on one of the masks, or on a set that it was shown with."""
    shown = each.about.replace(",", " ").split()
    return each.verdict.subject_id in mask_ids or any(one in mask_ids for one in shown)


def _has_seen(session: Session, review: Review, line: Sequence[MadeMask]) -> bool:
    """Whether a review was about one of the masks, left it or removed it."""
    own = {one.id for one in line}
    item = items_by_id(session, [review.item_id])[review.item_id].item
    removed = review.answer.removed if isinstance(review.answer, Correction) else ()
    is_owner = review.id in {one.owner for one in line}
    return is_owner or not own.isdisjoint({item.subject_id, *item.mask_ids, *removed})
