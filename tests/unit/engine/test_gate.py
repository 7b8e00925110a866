"""Which candidates may take the champion's place."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.gate import GateDecision, GateReason, GateRules, decide, has_lost, nodes_of
from engine.metrics.pairs import MeasuredPair, statistics_of
from engine.model_differences import Compared, Difference, Measure
from engine.ontology import Concept, Ontology

RULES = GateRules(bootstrap_samples=200)
ANIMALS = Ontology(
    version="1",
    concepts=(
        Concept(id="a", name="animal"),
        Concept(id="d", name="dog", synonyms=("hound",), parents=("a",)),
        Concept(id="c", name="cat", parents=("a",)),
    ),
)


def a_pair(truth: int, found: int, right: int) -> MeasuredPair:
    """A pair whose matches all overlap by 0.7."""
    hits = (*([right] * 5), *([0] * 5))
    return MeasuredPair(pair_id="", num_truth=truth, num_predicted=found, true_positives=hits)


def answers(share_right: float, num: int = 200, *, seed: int = 0) -> np.ndarray:
    """Half positive pairs, half negative ones; a model is right about a share of each."""
    is_right = np.random.default_rng(seed).random(num) < share_right
    pairs = [
        (a_pair(1, 1, 1) if right else a_pair(1, 0, 0))
        if place % 2
        else (a_pair(0, 0, 0) if right else a_pair(0, 1, 0))
        for place, right in enumerate(is_right)
    ]
    return statistics_of(pairs)


def compared(candidate: np.ndarray, champion: np.ndarray, *, phrase: str = "dog") -> Compared:
    return Compared(
        name="gold",
        candidate_PS=candidate,
        champion_PS=champion,
        media_ids=[f"media_{place // 4}" for place in range(len(champion))],
        phrases=[phrase] * len(champion),
    )


def gate(gold: Compared, **changes: object) -> GateDecision:
    return decide(gold, ontology=changes.pop("ontology", None), rules=RULES, **changes)


def reasons(decision: GateDecision) -> list[GateReason]:
    return [refusal.reason for refusal in decision.refusals]


statistics = st.tuples(st.floats(0, 1), st.integers(0, 50)).map(
    lambda drawn: answers(drawn[0], 40, seed=drawn[1])
)


@settings(max_examples=25, deadline=None)
@given(statistics)
def test_a_model_never_passes_against_itself(model: np.ndarray) -> None:
    decision = gate(compared(model, model.copy()))

    assert (0.0, 0.0, 0.0) == (decision.gold.value, decision.gold.low, decision.gold.high)
    assert [GateReason.NOT_BETTER] == reasons(decision)


@settings(max_examples=25, deadline=None)
@given(statistics, statistics)
def test_the_difference_turns_round_with_the_models(one: np.ndarray, other: np.ndarray) -> None:
    there, back = gate(compared(one, other)).gold, gate(compared(other, one)).gold

    assert (there.value, there.low, there.high) == pytest.approx(
        (-back.value, -back.high, -back.low)
    )


@settings(max_examples=25, deadline=None)
@given(statistics, statistics)
def test_of_two_models_at_most_one_passes(one: np.ndarray, other: np.ndarray) -> None:
    assert not (gate(compared(one, other)).passes and gate(compared(other, one)).passes)


@pytest.mark.parametrize("seed", range(5))
def test_a_clearly_better_model_passes_and_a_worse_one_does_not(seed: int) -> None:
    better, worse = answers(0.9, seed=seed), answers(0.6, seed=seed + 100)

    assert gate(compared(better, worse)).passes
    refused = gate(compared(worse, better))
    assert {GateReason.NOT_BETTER, GateReason.NODE_LOST} == set(reasons(refused))
    assert "not better on gold: cgF1" in refused.refusals[0].sentence


def test_equally_good_models_seldom_pass() -> None:
    """By chance, no more often than the interval of 95 % promises: 2.5 %."""
    passed = [
        gate(compared(answers(0.7, seed=2 * seed), answers(0.7, seed=2 * seed + 1))).passes
        for seed in range(200)
    ]

    assert sum(passed) <= 12  # 5 expected; more than 12 have a probability of 0.2 %


def test_shared_difficulty_falls_out_of_the_interval() -> None:
    champion = answers(0.5, 400)
    candidate = champion.copy()
    candidate[::40] = statistics_of([a_pair(0, 0, 0)])  # better on ten negative pairs or equal
    candidate[1::40] = statistics_of([a_pair(1, 1, 1)])
    paired = gate(compared(candidate, champion)).gold
    single = gate(compared(candidate, np.roll(champion, 200, axis=0))).gold

    assert paired.high - paired.low < 0.5 * (single.high - single.low)


def test_a_node_that_lost_refuses_a_model_that_is_better_in_all() -> None:
    cats, dogs = answers(0.4, 400, seed=1), answers(0.9, 100, seed=2)
    gold = replace(
        compared(
            np.concatenate([answers(0.95, 400, seed=3), answers(0.5, 100, seed=4)]),
            np.concatenate([cats, dogs]),
        ),
        phrases=["cat"] * 400 + ["hound"] * 100,
    )
    decision = gate(gold, ontology=ANIMALS)

    assert [GateReason.NODE_LOST] == reasons(decision)
    assert "'dog' lost: cgF1" in decision.refusals[0].sentence
    assert ["dog", "animal", "cat"] == [node.name for node in decision.nodes]
    assert {"dog": 100, "animal": 500, "cat": 400} == {
        node.name: node.num_pairs for node in decision.nodes
    }


def test_a_loss_that_may_be_chance_refuses_nobody() -> None:
    gold = replace(
        compared(
            np.concatenate([answers(0.95, 400, seed=3), answers(0.7, 40, seed=5)]),
            np.concatenate([answers(0.4, 400, seed=1), answers(0.8, 40, seed=11)]),
        ),
        phrases=["cat"] * 400 + ["dog"] * 40,
    )
    decision = gate(gold)

    assert decision.passes
    assert "dog" == decision.nodes[0].name
    assert decision.nodes[0].value < -RULES.node_loss
    assert decision.nodes[0].high > 0


def test_a_node_with_few_pairs_is_not_judged() -> None:
    gold = replace(
        compared(answers(0.95, 438, seed=3), answers(0.4, 438, seed=1)),
        phrases=["cat"] * 400 + ["dog"] * 38,  # 19 of each kind
    )

    assert ["cat"] == [node.name for node in gate(gold).nodes]


@pytest.mark.parametrize(
    ("num_positive", "num_negative", "measure"),
    [
        (20, 20, Measure.CGF1),
        (20, 19, Measure.POSITIVE_MICRO_F1),
        (19, 20, Measure.TRUE_NEGATIVE_RATE),
    ],
)
def test_a_node_is_measured_by_what_it_has(
    num_positive: int, num_negative: int, measure: Measure
) -> None:
    pairs = [a_pair(1, 1, 1)] * num_positive + [a_pair(0, 0, 0)] * num_negative
    [node] = gate(compared(statistics_of(pairs), statistics_of(pairs))).nodes

    assert measure is node.measure


def test_what_was_known_before_must_be_kept() -> None:
    gold = compared(answers(0.9, seed=1), answers(0.6, seed=2))
    lost = replace(compared(answers(0.7, seed=3), answers(0.9, seed=4)), name="old gold")
    same = replace(lost, candidate_PS=lost.champion_PS)

    assert gate(gold, kept=[same]).passes
    refused = gate(gold, kept=[same, lost])
    assert [GateReason.OLD_LOST] == reasons(refused)
    assert "old gold may be lost" in refused.refusals[0].sentence
    assert 2 == len(refused.kept)


@pytest.mark.parametrize(("kind", "word"), [((1, 1, 1), "negative"), ((0, 0, 0), "positive")])
def test_one_kind_of_pairs_says_nothing(kind: tuple[int, int, int], word: str) -> None:
    good = statistics_of([a_pair(*kind)] * 30)
    decision = gate(compared(good, good))

    assert [GateReason.ONE_KIND] == reasons(decision)
    assert f"no {word} pair" in decision.refusals[0].sentence


def test_one_kind_of_pairs_does_not_show_that_anything_is_kept() -> None:
    gold = compared(answers(0.9, seed=1), answers(0.6, seed=2))
    before, after = statistics_of([a_pair(1, 1, 1)] * 30), statistics_of([a_pair(1, 0, 0)] * 30)
    lost = replace(compared(after, before), name="old gold")

    refused = gate(gold, kept=[lost])

    assert [GateReason.ONE_KIND] == reasons(refused)
    assert "old gold has no negative pair" in refused.refusals[0].sentence


def test_a_gain_below_the_one_asked_for_is_none() -> None:
    gold = compared(answers(0.9, seed=1), answers(0.6, seed=2))
    low = gate(gold).gold.low
    strict = decide(gold, ontology=None, rules=replace(RULES, min_gain=low))
    mild = decide(gold, ontology=None, rules=replace(RULES, min_gain=low - 1e-6))

    assert (True, False) == (mild.passes, strict.passes)


def test_a_phrase_belongs_to_its_concept_and_all_above() -> None:
    found = nodes_of(["hound", "two-headed calf", "dogs", "animal"], ANIMALS)

    assert {"dog": [0, 2], "animal": [0, 2, 3], "two-headed calf": [1]} == found
    assert {"hound": [0], "dog": [1]} == nodes_of(["hound", "dog"], None)


def test_both_models_need_the_same_pairs() -> None:
    with pytest.raises(ValueError, match="same pairs"):
        compared(answers(0.5, 10), answers(0.5, 12))


def test_the_numbers_are_in_points() -> None:
    found = Difference(
        name="gold",
        measure=Measure.CGF1,
        num_pairs=9,
        candidate=0.5,
        champion=0.25,
        low=-0.011,
        high=0.5,
    )

    assert "50.0 against 25.0, difference +25.0 (-1.1 to +50.0)" == found.text


def lost_node(value: float, high: float) -> Difference:
    return Difference(
        name="node",
        measure=Measure.CGF1,
        num_pairs=40,
        candidate=0.5 + value,
        champion=0.5,
        low=2 * value - high,
        high=high,
    )


def test_what_one_node_would_have_lost_may_be_chance_among_many() -> None:
    node = lost_node(-0.105, -0.025)
    assert has_lost(node, GateRules(), of=1)
    assert not has_lost(node, GateRules(), of=60)


def test_a_loss_beyond_all_chance_is_one_among_many_too() -> None:
    assert has_lost(lost_node(-0.4, -0.3), GateRules(), of=60)


def test_a_small_loss_is_allowed_however_sure() -> None:
    assert not has_lost(lost_node(-0.04, -0.03), GateRules(), of=1)
