"""
Where a pair goes when nobody is asked: the verifier's likeliest answers decide.

  positive, all there        finished, instance-exhaustive
  positive, some missing     finished as incomplete: it is not corrected, and its outcome says so
  nothing there, groundable  finished, negative
  nothing accepted, and yet something is there; or a phrase that cannot be used: dropped

What becomes of a positive pair that is not exhaustive is unpublished. Ours is kept with its
accepted masks: they are verified one by one, and trainers know that an incomplete pair says nothing
about the rest of its image. The error bound of calibrations does not hold for what is decided here;
the phase of a pair tells, and snapshots can leave it out.

Source: SA-Co/SYN (SAM 3 paper, appendix E.1), which takes the likeliest options.
"""

from collections.abc import Mapping

from engine.decisions import CalibratedTask
from engine.policy import PairVerdicts
from engine.records import Outcome
from engine.routes import PairRoute, Reason, Route, Step
from engine.verdicts import ACCEPTING, Option, Verdict, accepted_set_id

_DROPS: Mapping[Option, Reason] = {
    Option.FLAG_LABEL: Reason.FLAG_LABEL,
    Option.WHOLE_IMAGE: Reason.WHOLE_IMAGE,
    Option.UNGROUNDABLE: Reason.UNGROUNDABLE,
}
_MISSING: Mapping[Option, Reason] = {
    Option.REJECT: Reason.NOT_EXHAUSTIVE,
    Option.REJECT_UNSEPARATED: Reason.NOT_SEPARABLE,
}


def route_without_people(pair: PairVerdicts) -> PairRoute:
    """Return where *pair* goes: it is finished or dropped, whatever was said about it."""
    masks = {mask_id: _route_mask(verdict) for mask_id, verdict in pair.masks.items()}
    accepted = [own for own, each in masks.items() if each.step is Step.AUTO_ACCEPT]
    dropping = next((each for each in masks.values() if each.step is Step.DROP), None)
    route, outcome = (dropping, Outcome.DROPPED) if dropping else _route_accepted(pair, accepted)
    return PairRoute(pair_id=pair.pair_id, route=route, masks=masks, outcome=outcome)


def _route_mask(verdict: Verdict | None) -> Route:
    task = CalibratedTask.MASK
    if verdict is None:
        return Route(step=Step.AUTO_REJECT, task=task, reason=Reason.NO_VERDICT)
    if verdict.option in _DROPS:
        return Route(step=Step.DROP, task=task, reason=_DROPS[verdict.option])
    step = Step.AUTO_ACCEPT if verdict.option in ACCEPTING else Step.AUTO_REJECT
    return Route(step=step, task=task, reason=Reason.SURE)


def _route_accepted(pair: PairVerdicts, accepted: list[str]) -> tuple[Route, Outcome]:
    task = CalibratedTask.EXHAUSTIVITY if accepted else CalibratedTask.ABSENCE
    subject_id = accepted_set_id(pair.pair_id, accepted)
    verdict = next((each for each in pair.exhaustivity if each.subject_id == subject_id), None)
    if verdict is None:
        return _dropped(task, Reason.NO_VERDICT)
    if verdict.option in _DROPS:
        return _dropped(task, _DROPS[verdict.option])
    if verdict.option in _MISSING:
        reason = _MISSING[verdict.option]
        if not accepted:
            return _dropped(task, reason)
        return Route(step=Step.AUTO_ACCEPT, task=task, reason=reason), Outcome.INCOMPLETE
    if accepted:
        route = Route(step=Step.AUTO_ACCEPT, task=task, reason=Reason.POSITIVE)
        return route, Outcome.INSTANCE_EXHAUSTIVE
    return _route_absent(pair.groundability)


def _route_absent(groundability: Verdict | None) -> tuple[Route, Outcome]:
    task = CalibratedTask.GROUNDABILITY
    if groundability is None:
        return _dropped(task, Reason.NO_VERDICT)
    if groundability.option is not Option.GROUNDABLE:
        return _dropped(task, Reason.UNGROUNDABLE)
    route = Route(step=Step.AUTO_ACCEPT, task=task, reason=Reason.NEGATIVE)
    return route, Outcome.NEGATIVE


def _dropped(task: CalibratedTask, reason: Reason) -> tuple[Route, Outcome]:
    return Route(step=Step.DROP, task=task, reason=reason), Outcome.DROPPED
