"""
Verified positive pairs in, hard negatives out: phrases that the proposer falls for.

A positive pair is mined once by each proposer under its settings. What an earlier proposer fell for
is looked at again: it fools this one too, or it is retired.
"""

from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass

from engine.exchanges import Vocabulary
from engine.hard_negatives import (
    Candidate,
    Fooling,
    MiningRules,
    Reaction,
    Relation,
    candidates,
    reaction_to,
)
from engine.records import Failure, Mask, Pair, Prompt, ProposalSet
from engine.stages.output import StageOutput

STAGE = "mine"


@dataclass(frozen=True, slots=True, kw_only=True)
class Positive:
    """A verified pair with its masks, and the hard negatives that were made from it before."""

    pair: Pair
    masks: tuple[Mask, ...]
    earlier: Mapping[Pair, Relation]


@dataclass(frozen=True, slots=True, kw_only=True)
class MediaPhrases:
    """What is asked about one media."""

    taken: Collection[str]  # the phrases of all its pairs
    positives: Collection[str]  # those of them that are verified to be there


@dataclass(frozen=True, slots=True, kw_only=True)
class Tally:
    """How many candidates of one relation a positive pair had, and what became of them."""

    positive_id: str
    relation: Relation
    num_candidates: int
    num_firing: int
    num_fooling: int


@dataclass(frozen=True, slots=True, kw_only=True)
class MineOutput:
    """What came of one batch. Each positive has a tally for every relation, or a failure."""

    fooling: tuple[Fooling, ...]  # candidates; which are kept depends on the budget
    still_fooling: tuple[Fooling, ...]  # earlier hard negatives
    retired: tuple[Pair, ...]  # earlier hard negatives that do not fool this proposer
    sets: Mapping[str, ProposalSet]  # of all the above, by pair
    tallies: tuple[Tally, ...]
    failures: tuple[Failure, ...]  # of positive pairs


def mine(
    positives: Sequence[Positive],
    *,
    phrases: Mapping[str, MediaPhrases],
    vocabulary: Vocabulary,
    rules: MiningRules,
    propose: Callable[[Sequence[Prompt]], StageOutput[ProposalSet]],
) -> MineOutput:
    """
    Try phrases that are near to those of *positives*.

    Args:
        positives: The batch, in any order.

        phrases: By media, of all media of the batch.

        vocabulary: What candidates are made of.

        rules: How many are tried, and what counts as being fooled.

        propose: The stage `propose` with the current proposer.

    Raises:
        TransientError: If media cannot be reached now. Nothing of the batch counts then.
    """
    tried = {each.pair.id: _candidates(each, phrases, vocabulary, rules) for each in positives}
    asked = [
        Prompt(pair=pair) for each in positives for pair in (*each.earlier, *tried[each.pair.id])
    ]
    output = propose(list(dict.fromkeys(asked)))
    sets = {found.pair_id: found for found in output.items}
    failures = _failures(positives, tried, output.failures)
    failed = {failure.subject_id for failure in failures}
    found = [each for each in positives if each.pair.id not in failed]
    new = [one for each in found for one in _reactions(each, tried[each.pair.id], sets, rules)]
    again = [one for each in found for one in _reactions(each, each.earlier, sets, rules)]
    fooling = [one for one in new if one.reaction.is_fooled]
    still = [one for one in again if one.reaction.is_fooled]
    retired = {one.pair for one in again} - {one.pair for one in still}
    return MineOutput(
        fooling=tuple(fooling),
        still_fooling=tuple(still),
        retired=tuple(sorted(retired, key=lambda pair: pair.id)),
        sets={one.pair.id: sets[one.pair.id] for one in (*fooling, *again)},
        tallies=tuple(_tallies(found, new)),
        failures=tuple(failures),
    )


def _candidates(
    positive: Positive,
    phrases: Mapping[str, MediaPhrases],
    vocabulary: Vocabulary,
    rules: MiningRules,
) -> dict[Pair, Relation]:
    of_media = phrases[positive.pair.media_id]
    found: Sequence[Candidate] = candidates(
        positive.pair,
        taken=of_media.taken,
        positives=of_media.positives,
        vocabulary=vocabulary,
        limit=rules.tried_per_positive,
    )
    media_id = positive.pair.media_id
    return {Pair(media_id=media_id, phrase=each.phrase): each.relation for each in found}


def _reactions(
    positive: Positive,
    pairs: Mapping[Pair, Relation],
    sets: Mapping[str, ProposalSet],
    rules: MiningRules,
) -> list[Fooling]:
    """Return how the proposer takes each of *pairs*, fooled or not."""
    return [
        Fooling(
            pair=pair,
            positive_id=positive.pair.id,
            relation=relation,
            reaction=reaction_to(sets[pair.id], positive.masks, rules=rules),
        )
        for pair, relation in pairs.items()
    ]


def _tallies(positives: Iterable[Positive], tried: Iterable[Fooling]) -> list[Tally]:
    reactions: defaultdict[tuple[str, Relation], list[Reaction]] = defaultdict(list)
    for each in tried:
        reactions[each.positive_id, each.relation].append(each.reaction)
    return [
        Tally(
            positive_id=positive.pair.id,
            relation=relation,
            num_candidates=len(found := reactions[positive.pair.id, relation]),
            num_firing=sum(one.is_firing for one in found),
            num_fooling=sum(one.is_fooled for one in found),
        )
        for positive in positives
        for relation in Relation
    ]


def _failures(
    positives: Iterable[Positive],
    tried: Mapping[str, Mapping[Pair, Relation]],
    failures: Iterable[Failure],
) -> list[Failure]:
    """Return the first failure of each positive pair that something failed for."""
    by_pair = {failure.subject_id: failure for failure in failures}
    found: dict[str, Failure] = {}
    for each in positives:
        for pair in (*each.earlier, *tried[each.pair.id]):
            if (failure := by_pair.get(pair.id)) is not None and each.pair.id not in found:
                detail = f"{pair.phrase!r}: {failure.detail}"
                found[each.pair.id] = Failure(
                    stage=STAGE, subject_id=each.pair.id, reason=failure.reason, detail=detail
                )
    return list(found.values())
