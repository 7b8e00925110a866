"""The steps of a phase that close the loop: snapshot, train, gate."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

from sqlalchemy import Engine

from db.labels import audit_labels
from db.session import transaction
from db.snapshots import named_snapshots, snapshot_named
from engine.errors import ConfigError
from engine.labels import Sampling, by_subject
from engine.model_versions import Role
from engine.phases import Loop, PhasePlan
from engine.selection import Selection
from engine.snapshots import Purpose
from flows.phase_run import LiveRun
from flows.snapshots import SnapshotRequest, create_snapshot

if TYPE_CHECKING:
    from flows.training import TrainRequest

Result = Mapping[str, object]

_NO_LABELS = "a verifier is measured on random audit labels, and there are none: maskloop audit"


def check_loop(plan: PhasePlan, engine: Engine) -> None:
    """
    Look whether the snapshots that *plan* names are there.

    Raises:
        ConfigError: If one is not, or is of the other purpose.
    """
    if plan.loop is None:
        return
    wanted = dict.fromkeys((plan.loop.gold, *plan.loop.keep), Purpose.GOLD)
    wanted[plan.loop.mix] = Purpose.TRAINING
    with transaction(engine) as session:
        for name, purpose in wanted.items():
            if name and snapshot_named(session, name).purpose is not purpose:
                raise ConfigError(f"snapshot {name} is no {purpose} snapshot: name another one")


def make_snapshot(live: LiveRun, number: int) -> Result:
    """Select all finished pairs of the phase; a round whose snapshot is there keeps it."""
    name = f"phase-{live.run_id}-round-{number}"
    with transaction(live.engine) as session:
        known = {each.name: each.snapshot.id for each in named_snapshots(session)}
    if name not in known:
        request = SnapshotRequest(
            name=name,
            purpose=Purpose.TRAINING,
            selection=Selection(phases=(live.plan.phase.value,)),
        )
        known[name] = create_snapshot(request, settings=live.settings).id
    return {"snapshot": known[name], "name": name}


def train_models(live: LiveRun, number: int, snapshot: Result) -> Result:
    """Train each model of the plan on the round's snapshot."""
    from flows.training import TrainRequest

    loop = _loop(live)
    request = TrainRequest(
        snapshot=str(snapshot["snapshot"]),
        mix=loop.mix,
        steps=loop.train_steps or 0,
        minutes=loop.train_minutes or 0.0,
        seed=loop.seed + number - 1,
    )
    candidates = {}
    for role in loop.roles:
        live.go_on()
        with live.machine_time():
            candidates[role.value] = _train(role, request, live)
    return {"candidates": candidates}


def gate_candidates(live: LiveRun, trained: Result) -> Result:
    """
    Measure each proposer on gold and each verifier on audit labels; promote it, or refuse it.

    A new champion mines hard negatives at once; the next round annotates them.
    """
    from flows.promotions import promote

    loop, promoted, refused = _loop(live), [], {}
    candidates = trained["candidates"]
    assert isinstance(candidates, Mapping), "what training left"
    with transaction(live.engine) as session:
        has_labels = bool(by_subject(audit_labels(session), sampling=Sampling.RANDOM))
    for role, candidate in candidates.items():
        if role == Role.VERIFIER and not has_labels:
            refused[candidate] = _NO_LABELS
            continue
        live.go_on()
        try:
            with live.machine_time():
                report = promote(
                    candidate,
                    role=Role(role),
                    snapshot=loop.gold,
                    keep=loop.keep,
                    settings=live.settings,
                )
        except ConfigError as error:  # such as trained on images of gold: no other try can succeed
            refused[candidate] = str(error)
            continue
        if report.is_champion:
            promoted.append(candidate)
        else:
            refused[candidate] = "; ".join(report.refusals)
    return {"promoted": promoted, "refused": refused}


def _train(role: Role, request: "TrainRequest", live: LiveRun) -> str:
    if role is Role.PROPOSER:
        from flows.training import train_proposer

        return train_proposer(request, settings=live.settings).name
    from flows.verifier_training import train_verifier

    return train_verifier(request, settings=live.settings).name


def _loop(live: LiveRun) -> Loop:
    assert live.plan.loop is not None, "only a plan with a loop has these steps"
    return live.plan.loop
