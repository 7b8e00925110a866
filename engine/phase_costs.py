"""
What a phase will cost, before anything starts: pairs, people's hours, machines' hours.

Rates are measured where there is something to measure; else they are those of the SAM 3 paper, and
the estimate says so. What machines take depends on the machines alone: without a measurement their
hours are unknown.

Source of the assumed rates: SAM 3 paper, section A.4 (seconds of a person per pair).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from engine.phases import Phase, PhasePlan, PhaseStep

ASSUMED_POSITIVE_SHARE = 0.115  # of the paper's data mix
# Seconds of a person per positive and per negative pair: the engine with people alone, and with
# verifiers beside them.
ASSUMED_SECONDS: Mapping[Phase, tuple[float, float]] = MappingProxyType(
    {
        Phase.SYNTHETIC: (0.0, 0.0),
        Phase.HUMAN: (207.0, 30.0),
        Phase.HUMAN_AND_AI: (152.0, 6.0),
        Phase.SCALING: (152.0, 6.0),
    }
)
_SECONDS_PER_HOUR = 3600.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Rates:
    """What was measured so far. None: nothing to measure it from."""

    positive_share: float | None = None  # of the finished pairs
    positive_seconds: float | None = None  # of a person, per finished positive pair
    negative_seconds: float | None = None
    propose_seconds: float | None = None  # of a machine, per pair
    verify_seconds: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Estimate:
    """What a run is expected to take, and what that rests on."""

    pairs: int
    positive_pairs: float
    human_hours: float
    annotation_hours: float | None  # of machines, for proposing and verifying; None: unknown
    training_hours: float | None  # of machines, over all rounds; None: unknown
    bound: str  # the budget that is used up before the pairs are done; "" for none
    assumptions: tuple[str, ...]  # one sentence for each rate that was not measured


def estimate(plan: PhasePlan, rates: Rates, *, num_available: int) -> Estimate:
    """
    Return what a run of *plan* takes.

    Args:
        plan: What is to be done.

        rates: Measured in this database.

        num_available: Pairs that it could take up, and those that an earlier run of its phase
            left. Hard negatives, which count as pairs too, are not foreseen.

    Returns:
        The estimate for all pairs that there are, within the budget of pairs. Where it passes the
        budget of hours, `bound` says so: the run ends before.
    """
    budget = plan.budget
    pairs = min(num_available, num_available if budget.pairs is None else budget.pairs)
    share = ASSUMED_POSITIVE_SHARE if rates.positive_share is None else rates.positive_share
    human_hours = pairs * _seconds_per_pair(plan.phase, rates, share) / _SECONDS_PER_HOUR
    annotation, training = _annotation_hours(plan, rates, pairs), _training_hours(plan)
    return Estimate(
        pairs=pairs,
        positive_pairs=pairs * share,
        human_hours=human_hours,
        annotation_hours=annotation,
        training_hours=training,
        bound=_bound(plan, human_hours, (annotation or 0.0) + (training or 0.0)),
        assumptions=tuple(_assumptions(plan, rates)),
    )


def _seconds_per_pair(phase: Phase, rates: Rates, positive_share: float) -> float:
    if phase is Phase.SYNTHETIC:
        return 0.0
    positive, negative = ASSUMED_SECONDS[phase]
    positive = positive if rates.positive_seconds is None else rates.positive_seconds
    negative = negative if rates.negative_seconds is None else rates.negative_seconds
    return positive_share * positive + (1 - positive_share) * negative


def _annotation_hours(plan: PhasePlan, rates: Rates, pairs: int) -> float | None:
    wanted = [rates.propose_seconds]
    if PhaseStep.VERIFY in plan.steps:
        wanted.append(rates.verify_seconds)
    known = [seconds for seconds in wanted if seconds is not None]
    if len(known) < len(wanted):
        return None
    return pairs * sum(known) / _SECONDS_PER_HOUR


def _training_hours(plan: PhasePlan) -> float | None:
    if plan.loop is None:
        return 0.0
    if plan.loop.train_minutes is None:
        return None
    return plan.rounds * len(plan.loop.roles) * plan.loop.train_minutes / 60


def _bound(plan: PhasePlan, human_hours: float, gpu_hours: float) -> str:
    budget = plan.budget
    if budget.human_hours is not None and human_hours > budget.human_hours:
        return "human hours"
    if budget.gpu_hours is not None and gpu_hours > budget.gpu_hours:
        return "GPU hours"
    return ""


def _assumptions(plan: PhasePlan, rates: Rates) -> list[str]:
    said = []
    if rates.positive_share is None:
        share = f"{100 * ASSUMED_POSITIVE_SHARE:g} %"
        said.append(f"{share} of the pairs are positive, as in the SAM 3 paper, A.4")
    if plan.phase is not Phase.SYNTHETIC:
        named = zip(
            ("positive", "negative"),
            (rates.positive_seconds, rates.negative_seconds),
            ASSUMED_SECONDS[plan.phase],
            strict=True,
        )
        said += [
            f"a {kind} pair takes a person {assumed:g} s, as in the SAM 3 paper, A.4"
            for kind, measured, assumed in named
            if measured is None
        ]
    if _annotation_hours(plan, rates, 1) is None:
        said.append("no machine has worked here yet: what proposing and verifying take is unknown")
    if _training_hours(plan) is None:
        said.append("training is not bounded by minutes: its hours are unknown")
    return said
