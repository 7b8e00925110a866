"""
May a candidate take the champion's place?

  difference   what the candidate has more than the champion, and its 95 % interval, see
               `engine.model_differences`
  node         a concept with all that lies below it; without an ontology, a phrase

A candidate passes if all of these hold:

  1. The interval of the cgF1 difference on the gold pairs lies above `min_gain`.
  2. No node with enough pairs lost more than `node_loss` beyond chance. There are many nodes, so
     that the interval of each is widened: all of them together err in 5 % (Bonferroni).
  3. On each further set of pairs, such as the concepts that were there before, the interval of the
     cgF1 difference lies above -`kept_loss`.

A set that has only positive or only negative pairs says nothing by cgF1, so it refuses.

Points are hundredths of cgF1, as papers print it.
"""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from itertools import chain
from statistics import NormalDist

import numpy as np

from engine.masks import IntArray
from engine.metrics.bootstrap import LEVEL
from engine.model_differences import Compared, Difference, Measure, difference, num_positive
from engine.ontology import Ontology


class GateReason(StrEnum):
    """Why a candidate is refused, as a countable word."""

    NOT_BETTER = "not_better"
    NODE_LOST = "node_lost"
    OLD_LOST = "old_lost"
    ONE_KIND = "one_kind"  # only positive or only negative pairs: cgF1 is 0 for whatever model


@dataclass(frozen=True, slots=True, kw_only=True)
class GateRules:
    """What is asked of a candidate. Losses and gains are in cgF1, in [0, 1]."""

    min_gain: float = 0.0
    node_loss: float = 0.05
    kept_loss: float = 0.03
    node_pairs: int = 20  # positive or negative ones
    bootstrap_samples: int = 1000
    seed: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    """One rule that does not hold."""

    reason: GateReason
    sentence: str


@dataclass(frozen=True, slots=True, kw_only=True)
class GateDecision:
    """What was found. Without a refusal the candidate may be promoted."""

    gold: Difference
    nodes: tuple[Difference, ...]  # largest loss first
    kept: tuple[Difference, ...]  # one for each further set
    refusals: tuple[Refusal, ...]

    @property
    def passes(self) -> bool:
        return not self.refusals


def decide(
    gold: Compared,
    *,
    kept: Sequence[Compared] = (),
    ontology: Ontology | None,
    rules: GateRules,
) -> GateDecision:
    """
    Return whether the candidate may take the champion's place, and what that rests on.

    Args:
        gold: The pairs that decide.

        kept: Further sets on which nothing may be lost.

        ontology: Whose concepts are nodes; without one each phrase is a node.

        rules: What is asked.
    """
    found = compare(gold, np.arange(len(gold.phrases)), gold.name, Measure.CGF1, rules)
    nodes = sorted(_node_differences(gold, ontology, rules), key=lambda node: node.value)
    others = tuple(
        compare(each, np.arange(len(each.phrases)), each.name, Measure.CGF1, rules) for each in kept
    )
    refusals = [
        *_gain_refusals(found, gold, rules),
        *(node_refusal(node, rules) for node in nodes if has_lost(node, rules, of=len(nodes))),
        *chain.from_iterable(
            _kept_refusals(found, each, rules) for found, each in zip(others, kept, strict=True)
        ),
    ]
    return GateDecision(gold=found, nodes=tuple(nodes), kept=others, refusals=tuple(refusals))


def nodes_of(phrases: Sequence[str], ontology: Ontology | None) -> dict[str, list[int]]:
    """
    Return the places of the phrases that belong to each node, by its name.

    A phrase belongs to the concept that it names and to all above; one that names none is a node.
    """
    found: defaultdict[str, list[int]] = defaultdict(list)
    names: dict[str, tuple[str, ...]] = {}
    for place, phrase in enumerate(phrases):
        if phrase not in names:
            names[phrase] = _node_names(phrase, ontology)
        for name in names[phrase]:
            found[name].append(place)
    return dict(found)


def _node_names(phrase: str, ontology: Ontology | None) -> tuple[str, ...]:
    concept = ontology.concept_of(phrase) if ontology else None
    if ontology is None or concept is None:
        return (phrase,)
    return (concept.name, *(above.name for above in ontology.ancestors(concept)))


def _node_differences(
    gold: Compared, ontology: Ontology | None, rules: GateRules
) -> Iterator[Difference]:
    """Yield the nodes with enough pairs of a kind."""
    for name, places in nodes_of(gold.phrases, ontology).items():
        place_N = np.array(places, np.int64)
        positive = num_positive(gold.champion_PS[place_N])
        measure = _measure_for(positive, len(places) - positive, rules.node_pairs)
        if measure is not None:
            yield compare(gold, place_N, name, measure, rules)


def _measure_for(num_positive: int, num_negative: int, enough: int) -> Measure | None:
    if num_positive >= enough:
        return Measure.CGF1 if num_negative >= enough else Measure.POSITIVE_MICRO_F1
    return Measure.TRUE_NEGATIVE_RATE if num_negative >= enough else None


def compare(
    compared: Compared, place_N: IntArray, name: str, measure: Measure, rules: GateRules
) -> Difference:
    """Return what two models reach on some pairs, with the draws that *rules* ask for."""
    return difference(
        compared,
        place_N,
        name,
        measure,
        num_samples=rules.bootstrap_samples,
        seed=rules.seed,
    )


def _gain_refusals(found: Difference, gold: Compared, rules: GateRules) -> Iterator[Refusal]:
    if (refusal := _one_kind_refusal(gold)) is not None:
        yield refusal
    elif found.low <= rules.min_gain:
        sentence = (
            f"not better on {gold.name}: cgF1 {found.text} on {found.num_pairs} pairs;"
            f" the interval must lie above {100 * rules.min_gain:+.1f}"
        )
        yield Refusal(reason=GateReason.NOT_BETTER, sentence=sentence)


def has_lost(node: Difference, rules: GateRules, *, of: int) -> bool:
    """
    Whether a node lost more than is allowed, and not by chance.

    Args:
        node: What was measured.

        rules: What is allowed.

        of: How many nodes were looked at. The more there are, the wider the interval of each.
    """
    widening = _normal_bound(LEVEL, num=of) / _normal_bound(LEVEL, num=1)
    highest = node.value + widening * (node.high - node.value)
    return node.value < -rules.node_loss and highest < 0


def _normal_bound(level: float, *, num: int) -> float:
    """Return the deviations to the ends of *num* intervals that hold together at *level*."""
    return NormalDist().inv_cdf(1 - (1 - level) / (2 * num))


def node_refusal(node: Difference, rules: GateRules) -> Refusal:
    """Return the refusal of a candidate for what it lost on one node."""
    sentence = (
        f"{node.name!r} lost: {node.measure} {node.text} on {node.num_pairs} pairs;"
        f" at most {100 * rules.node_loss:.1f} points may go"
    )
    return Refusal(reason=GateReason.NODE_LOST, sentence=sentence)


def _kept_refusals(found: Difference, kept: Compared, rules: GateRules) -> Iterator[Refusal]:
    if (refusal := _one_kind_refusal(kept)) is not None:
        yield refusal
    elif found.low <= -rules.kept_loss:
        sentence = (
            f"{found.name} may be lost: cgF1 {found.text} on {found.num_pairs} pairs;"
            f" the interval must lie above {-100 * rules.kept_loss:+.1f}"
        )
        yield Refusal(reason=GateReason.OLD_LOST, sentence=sentence)


def _one_kind_refusal(compared: Compared) -> Refusal | None:
    positive = num_positive(compared.champion_PS)
    if positive not in (0, len(compared.phrases)):
        return None
    missing = "negative" if positive else "positive"
    sentence = f"{compared.name} has no {missing} pair: cgF1 needs both kinds to say anything"
    return Refusal(reason=GateReason.ONE_KIND, sentence=sentence)
