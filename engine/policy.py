"""
Where a pair goes after its verdicts, and why. Pure: verdicts and calibrations in, a route out.

  1. masks           each is accepted or rejected alone, or a person looks at the masks
  2. exhaustivity    over the accepted masks: accepted alone, sent to correction, or to a person
  3. groundability   guards the negatives: a pair without masks is one only if the phrase can be
                     pointed at (the guidance of exhaustivity says Accept for vague phrases)

A judge decides alone where a calibration (`engine.calibration`) gives it a threshold and its score
reaches it; without one, people decide. Correction needs no threshold: a person does it. The route
of a pair names the question that decided it and a reason that can be counted.

Source: the state machine and the routing of the SAM 3 data engine (paper, section 4, appendix D.3).
"""

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from engine.calibration import Calibration
from engine.decisions import (
    DECISIONS,
    CalibratedTask,
    CalibrationKey,
    Decision,
    calibrated_task,
    calibration_key,
    score_of,
)
from engine.records import Outcome
from engine.routes import PairRoute, Reason, Route, Step
from engine.thresholds import CalibrationReason
from engine.verdicts import Option, Verdict, accepted_set_id

_WITHOUT_THRESHOLD = {
    CalibrationReason.STOPPED: Reason.STOPPED,
    CalibrationReason.WORSE_THAN_PEOPLE: Reason.WORSE_THAN_PEOPLE,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class PairVerdicts:
    """All that one judge said about one pair."""

    pair_id: str
    domain: str
    masks: Mapping[str, Verdict | None]  # by mask id, all that were proposed; None: no verdict
    exhaustivity: tuple[Verdict, ...] = ()  # over any sets of masks, the empty one included
    groundability: Verdict | None = None

    def all(self) -> tuple[Verdict, ...]:
        """Return every verdict, those on the masks first."""
        groundability = () if self.groundability is None else (self.groundability,)
        return (*filter(None, self.masks.values()), *self.exhaustivity, *groundability)


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """The calibrations in force."""

    calibrations: Mapping[tuple[CalibrationKey, Decision], Calibration]

    @classmethod
    def of(cls, calibrations: Iterable[Calibration]) -> "Policy":
        """Return the policy of *calibrations*; of several with one key the last counts."""
        return cls(calibrations={(each.key, each.decision): each for each in calibrations})


def route_pair(pair: PairVerdicts, policy: Policy) -> PairRoute:
    """Return where *pair* goes."""
    masks = {
        mask_id: _route_mask(verdict, pair.domain, policy)
        for mask_id, verdict in pair.masks.items()
    }
    route = _first(masks.values(), Step.DROP) or _first(masks.values(), Step.HUMAN_MASK)
    if route is None:
        accepted = [own for own, each in masks.items() if each.step is Step.AUTO_ACCEPT]
        route = _route_accepted(pair, accepted, policy)
    return PairRoute(pair_id=pair.pair_id, route=route, masks=masks, outcome=_outcome(route))


def is_shadowed(pair_id: str, *, share: float, seed: int) -> bool:
    """
    Whether people look at the pair though it was accepted without them.

    Args:
        pair_id: Drawn by its id alone, so that asking again changes nothing.

        share: Of all pairs, in [0, 1].

        seed: Another seed draws other pairs.
    """
    digest = hashlib.blake2b(f"{seed}/{pair_id}".encode(), digest_size=8).digest()
    return int.from_bytes(digest) < share * 2**64


def _route_mask(verdict: Verdict | None, domain: str, policy: Policy) -> Route:
    task = CalibratedTask.MASK
    if verdict is None:
        return Route(step=Step.HUMAN_MASK, task=task, reason=Reason.NO_VERDICT)
    for decision, step in (
        (Decision.ACCEPT, Step.AUTO_ACCEPT),
        (Decision.REJECT, Step.AUTO_REJECT),
    ):
        if _may_decide(verdict, decision, domain, policy):
            return Route(step=step, task=task, reason=Reason.SURE)
    if _may_decide(verdict, Decision.DROP, domain, policy):
        return Route(step=Step.DROP, task=task, reason=_drop_reason(verdict))
    reason = _doubt(verdict, domain, policy)
    return Route(step=Step.HUMAN_MASK, task=task, reason=reason)


def _route_accepted(pair: PairVerdicts, accepted: list[str], policy: Policy) -> Route:
    """Return where a pair goes whose masks are all decided."""
    task = CalibratedTask.EXHAUSTIVITY if accepted else CalibratedTask.ABSENCE
    subject_id = accepted_set_id(pair.pair_id, accepted)
    verdict = next((each for each in pair.exhaustivity if each.subject_id == subject_id), None)
    if verdict is None:
        return Route(step=Step.HUMAN_EXHAUSTIVITY, task=task, reason=Reason.NO_VERDICT)
    if _may_decide(verdict, Decision.ACCEPT, pair.domain, policy):
        if not accepted:
            return _route_absent(pair, policy)
        return Route(step=Step.AUTO_ACCEPT, task=task, reason=Reason.POSITIVE)
    return _route_inexhaustive(verdict, pair.domain, policy)


def _route_inexhaustive(verdict: Verdict, domain: str, policy: Policy) -> Route:
    """Return where a pair goes whose exhaustivity the judge cannot accept."""
    task = calibrated_task(verdict)
    if _may_decide(verdict, Decision.DROP, domain, policy):
        return Route(step=Step.DROP, task=task, reason=_drop_reason(verdict))
    doubt = _doubt(verdict, domain, policy)
    corrections = {
        Option.REJECT: Reason.NOT_EXHAUSTIVE,
        Option.REJECT_UNSEPARATED: Reason.NOT_SEPARABLE,
    }
    if doubt is Reason.UNSURE and verdict.option in corrections:
        return Route(step=Step.CORRECTION, task=task, reason=corrections[verdict.option])
    return Route(step=Step.HUMAN_EXHAUSTIVITY, task=task, reason=doubt)


def _route_absent(pair: PairVerdicts, policy: Policy) -> Route:
    """Return where a pair without instances goes: a negative, if its phrase can have any."""
    task, verdict = CalibratedTask.GROUNDABILITY, pair.groundability
    if verdict is None:
        return Route(step=Step.HUMAN_EXHAUSTIVITY, task=task, reason=Reason.NO_VERDICT)
    if _may_decide(verdict, Decision.ACCEPT, pair.domain, policy):
        return Route(step=Step.AUTO_ACCEPT, task=task, reason=Reason.NEGATIVE)
    if _may_decide(verdict, Decision.DROP, pair.domain, policy):
        return Route(step=Step.DROP, task=task, reason=Reason.UNGROUNDABLE)
    doubt = _doubt(verdict, pair.domain, policy)
    return Route(step=Step.HUMAN_EXHAUSTIVITY, task=task, reason=doubt)


def _may_decide(verdict: Verdict, decision: Decision, domain: str, policy: Policy) -> bool:
    found = policy.calibrations.get((calibration_key(verdict, domain=domain), decision))
    return found is not None and found.allows(score_of(verdict, decision))


def _doubt(verdict: Verdict, domain: str, policy: Policy) -> Reason:
    """Return why *verdict* does not decide what it says; what needs no threshold is unsure."""
    said = [own for own, options in _decisions(verdict).items() if verdict.option in options]
    decision = said[0] if said else Decision.ACCEPT
    found = policy.calibrations.get((calibration_key(verdict, domain=domain), decision))
    if found is None:
        return Reason.NO_CALIBRATION
    if found.choice.threshold is not None:
        return Reason.UNSURE
    return _WITHOUT_THRESHOLD.get(found.choice.reason, Reason.NO_THRESHOLD)


def _drop_reason(verdict: Verdict) -> Reason:
    """Return the likeliest of the options that drop a pair."""
    reasons = {
        Option.FLAG_LABEL: Reason.FLAG_LABEL,
        Option.WHOLE_IMAGE: Reason.WHOLE_IMAGE,
        Option.UNGROUNDABLE: Reason.UNGROUNDABLE,
    }
    dropping = _decisions(verdict)[Decision.DROP]
    return reasons[max(sorted(dropping), key=verdict.probability)]


def _decisions(verdict: Verdict) -> Mapping[Decision, frozenset[Option]]:
    return DECISIONS[calibrated_task(verdict)]


def _first(routes: Iterable[Route], step: Step) -> Route | None:
    return next((route for route in routes if route.step is step), None)


def _outcome(route: Route) -> Outcome | None:
    if route.step is Step.DROP:
        return Outcome.DROPPED
    if route.step is not Step.AUTO_ACCEPT:
        return None
    is_negative = route.reason is Reason.NEGATIVE
    return Outcome.NEGATIVE if is_negative else Outcome.INSTANCE_EXHAUSTIVE
