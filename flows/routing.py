"""
Pairs with verdicts find their way: the policy decides, and what it decided is written at once.

A route, the resolution of a finished or dropped pair and the pair's state are one transaction per
page of pairs, under a lock on these pairs. A process that dies anywhere leaves whole pages; routing
again changes nothing where neither verdicts nor calibrations have changed.
"""

from collections import Counter
from collections.abc import Mapping, Sequence

from sqlalchemy import Engine
from sqlalchemy.orm import Session

from db.calibrations import add_calibrations, calibrations_in_force
from db.domains import domains_of, judged_subjects
from db.labels import audit_labels
from db.pairs import move_pairs
from db.phases import phases_of
from db.proposals import newest_proposal_sets
from db.resolutions import add_resolutions
from db.routes import OPEN_STATES, add_routes, claim_routable
from db.session import make_engine, transaction
from db.verdicts import newest_verifier, verdicts_by_id, verifications_of
from engine.calibration import Calibration, newest_answers, stopped_by
from engine.decisions import calibration_key
from engine.ids import content_id
from engine.labels import Sampling
from engine.phases import Phase
from engine.policy import PairVerdicts, Policy, is_shadowed, route_pair
from engine.records import (
    MADE_BY_SAM3,
    Outcome,
    PairState,
    ProposalSet,
    Resolution,
    ResolvedMask,
)
from engine.routes import PairRoute, RoutedPair, Step
from engine.stages.verify import EXHAUSTIVITY, MASKS
from engine.synthetic import route_without_people
from engine.verdicts import Verdict, VerdictTask, Verification, masks_by_id
from flows.advance import advance, demand
from flows.audits import queue_shadowed
from flows.console import note
from flows.services.embedded import start_database
from flows.settings import RoutingSettings, Settings

_PAIRS_PER_PAGE = 500
_STATES = {
    Step.HUMAN_MASK: PairState.MASK_VERIFICATION,
    Step.HUMAN_EXHAUSTIVITY: PairState.EXHAUSTIVITY_VERIFICATION,
    Step.CORRECTION: PairState.CORRECTION,
}


def route_here(settings: Settings) -> Counter[str]:
    """Route by the verifier that worked last; return how many pairs went where, and why."""
    engine = make_engine(start_database(settings))
    with transaction(engine) as session:
        key = newest_verifier(session)
    return Counter() if key is None else route_all(engine, key=key, settings=settings)


def route_all(engine: Engine, *, key: str, settings: Settings) -> Counter[str]:
    """
    Route every pair that the verifier of *key* is through with and that is not finished.

    Thresholds that shadow review has refuted end first. What people have to do waits in the queues
    afterwards. In phase 1 no verifier decides, so its pairs get no route; synthetic pairs are
    finished or dropped by what the verifier finds likeliest.
    """
    with transaction(engine) as session:
        stopped = stop_refuted(session)
        wanted = demand(session)
    for each in stopped:
        note(
            f"{each.key.task} in domain {each.key.domain!r}: {each.decision} stopped, shadow "
            f"review found {each.choice.num_errors} errors in {each.choice.num_labels}"
        )
    counts: Counter[str] = Counter()
    after = ""
    while True:
        with transaction(engine) as session:
            page = claim_routable(session, key=key, after=after, limit=_PAIRS_PER_PAGE)
            routed = _route_page(session, page, key, settings.routing)
            advance(session, page, wanted=wanted, settings=settings.queues)
            queue_shadowed(session, routed)
        if not page:
            return counts
        after = page[-1]
        counts.update(each.route.name for each in routed)


def stop_refuted(session: Session) -> list[Calibration]:
    """End the calibrations in force that shadow review has refuted, and return what ended them."""
    shadow = [each for each in audit_labels(session) if each.sampling is Sampling.SHADOW]
    judged = newest_answers(judged_subjects(session, sorted({each.subject_id for each in shadow})))
    ended = []
    for calibration in calibrations_in_force(session):
        own = [verdict for (key, _), verdict in judged.items() if key == calibration.key]
        if (stopped := stopped_by(calibration, own, shadow)) is not None:
            ended.append(stopped)
    add_calibrations(session, ended)
    return ended


def _route_page(
    session: Session, pair_ids: Sequence[str], key: str, settings: RoutingSettings
) -> list[RoutedPair]:
    policy = Policy.of(calibrations_in_force(session))
    phases = phases_of(session, pair_ids)
    judged = [own for own in pair_ids if phases.get(own) is not Phase.HUMAN]
    sets = newest_proposal_sets(session, judged)
    told = _verdicts(session, sets, key)
    alone = {own for own, phase in phases.items() if phase is Phase.SYNTHETIC}
    routes = [
        route_without_people(each) if each.pair_id in alone else route_pair(each, policy)
        for each in told
    ]
    routed = [
        _fact(route, each, policy, settings, is_watched=each.pair_id not in alone)
        for route, each in zip(routes, told, strict=True)
    ]
    add_routes(session, routed)
    finished = zip(routes, routed, strict=True)
    add_resolutions(
        session,
        [
            _resolution(route, route.outcome, fact.judge, sets[route.pair_id])
            for route, fact in finished
            if route.outcome is not None
        ],
    )
    waiting = {each.pair_id: _STATES[each.route.step] for each in routes if each.outcome is None}
    move_pairs(session, waiting, sources=OPEN_STATES)
    return routed


def _verdicts(session: Session, sets: Mapping[str, ProposalSet], key: str) -> list[PairVerdicts]:
    """Return what the verifier said about the newest proposals of each pair it is through with."""
    through: dict[tuple[str, str], Verification] = {
        (each.stage, each.set_id): each for each in verifications_of(session, list(sets), key=key)
    }
    ids = {own for each in through.values() for own in each.verdict_ids}
    verdicts = verdicts_by_id(session, ids)
    domains = domains_of(session, list(sets))
    found = []
    for pair_id, proposals in sets.items():
        set_id = proposals.id
        done = [through.get((stage, set_id)) for stage in (MASKS, EXHAUSTIVITY)]
        if done[1] is None:
            continue  # proposed for anew: its turn comes
        said = [verdicts[own] for each in done if each for own in each.verdict_ids]
        by_mask = {each.subject_id: each for each in said if each.task is VerdictTask.MASK}
        phrase = [each for each in said if each.task is VerdictTask.GROUNDABILITY]
        found.append(
            PairVerdicts(
                pair_id=pair_id,
                domain=domains[pair_id],
                masks={own: by_mask.get(own) for own in masks_by_id(proposals)},
                exhaustivity=tuple(e for e in said if e.task is VerdictTask.EXHAUSTIVITY),
                groundability=phrase[0] if phrase else None,
            )
        )
    return found


def _fact(
    route: PairRoute,
    told: PairVerdicts,
    policy: Policy,
    settings: RoutingSettings,
    *,
    is_watched: bool,
) -> RoutedPair:
    verdicts = told.all()
    is_auto = route.route.step is Step.AUTO_ACCEPT
    drawn = is_shadowed(route.pair_id, share=settings.shadow_share, seed=settings.shadow_seed)
    return RoutedPair(
        pair_id=route.pair_id,
        judge=verdicts[0].judge,
        route=route.route,
        mask_ids=route.accepted,
        undecided_ids=route.undecided,
        is_shadowed=is_watched and is_auto and drawn,
        evidence=_evidence(verdicts, told.domain, policy),
    )


def _evidence(verdicts: Sequence[Verdict], domain: str, policy: Policy) -> str:
    """Return an id of what the route rests on."""
    keys = {calibration_key(verdict, domain=domain) for verdict in verdicts}
    used = [each.id for (key, _), each in policy.calibrations.items() if key in keys]
    said = sorted(verdict.id for verdict in verdicts)
    return content_id("evidence", verdicts=" ".join(said), calibrations=" ".join(sorted(used)))


def _resolution(
    route: PairRoute, outcome: Outcome, judge: str, proposals: ProposalSet
) -> Resolution:
    has_masks = outcome in (Outcome.INSTANCE_EXHAUSTIVE, Outcome.INCOMPLETE)
    kept = set(route.accepted) if has_masks else set()
    return Resolution(
        pair_id=route.pair_id,
        maker=judge,
        outcome=outcome,
        masks=tuple(
            ResolvedMask(mask=mask, source=MADE_BY_SAM3)
            for mask_id, mask in masks_by_id(proposals).items()
            if mask_id in kept
        ),
        reason=route.route.reason.value if outcome is Outcome.DROPPED else "",
    )
