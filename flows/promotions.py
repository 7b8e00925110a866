"""
Who is the champion: promotions and rollbacks, and what follows from them.

A promotion is one row, numbered within its role, so that of two at once one is refused. What
follows (mining with a new proposer, asking a new verifier about finished pairs) comes after it and
does only what is missing: promoting the champion again goes on where it was killed.
"""

import getpass
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from sqlalchemy import Engine

from db.promotions import add_promotion, newest_promotion, promotions_of
from db.session import make_engine, transaction
from engine.errors import ConfigError, PermanentError
from engine.model_versions import ModelVersion, Promotion, PromotionKind, Role, before
from flows.console import note, print_counts, print_json
from flows.gating import GateReport, gate, print_gate
from flows.model_names import find_version
from flows.registry import folder_of
from flows.services.embedded import start_database
from flows.settings import Settings


@dataclass(frozen=True, slots=True, kw_only=True)
class PromotionReport:
    """What came of a wish to promote or to roll back."""

    model: str  # that was to be the champion; "" for the settings' own weights
    role: Role
    promotion: Promotion | None  # None: refused, or it was the champion already
    is_champion: bool
    gate: GateReport | None = None  # None: it was not asked
    followed: Mapping[str, int] = field(default_factory=dict)  # counts of what came after

    @property
    def refusals(self) -> list[str]:
        """Why it was not promoted, in sentences; none where it is the champion."""
        return self.gate.sentences if self.gate and not self.is_champion else []

    def as_json(self) -> dict[str, object]:
        return {
            "model": self.model,
            "role": self.role.value,
            "is_champion": self.is_champion,
            "promotion": self.promotion.id if self.promotion else "",
            "replaces": self.promotion.replaces if self.promotion else "",
            "gate": self.gate.as_json() if self.gate else None,
            "followed": dict(self.followed),
        }


def promote(
    model: str,
    *,
    snapshot: str = "",
    keep: Sequence[str] = (),
    by_hand: str = "",
    person: str = "",
    role: Role | None = None,
    follow: bool = True,
    settings: Settings,
) -> PromotionReport:
    """
    Make a model the champion of its role if the gate lets it, then do what follows from it.

    Args:
        model: Name of a registered version; with *role* also an alias.

        snapshot: The gold snapshot that decides about proposers; audit labels do about verifiers.

        keep: Further gold snapshots, on which a proposer may lose nothing.

        by_hand: Why somebody promotes it without the gate; "" asks the gate.

        person: Who asks for it; "" for the user of this process.

        role: What it must be. None: whatever it is.

        follow: Whether to mine again, or to ask about finished pairs again.

        settings: Of the deployment.

    Raises:
        ConfigError: If the model, its role, its weights or a snapshot is not what it must be.
        PermanentError: If somebody else promoted a model of the role meanwhile.
    """
    engine = make_engine(start_database(settings))
    version = find_version(model, role, engine=engine)
    _check_reachable(version, settings)
    with transaction(engine) as session:
        history = promotions_of(session, version.role)
    is_in_use = bool(history) and history[-1].model == version.name
    report, promotion = None, None
    if not (is_in_use or by_hand):
        report = gated(version, snapshot=snapshot, keep=keep, settings=settings)
    is_refused = report is not None and not report.passes
    if not (is_in_use or is_refused):
        promotion = _next(version, history, report, by_hand=by_hand, person=person)
        _write(promotion, engine)
    return PromotionReport(
        model=version.name,
        role=version.role,
        promotion=promotion,
        gate=report,
        followed=follow_up(version.role, settings=settings) if follow and not is_refused else {},
        is_champion=not is_refused,
    )


def dry_run(
    model: str,
    *,
    snapshot: str,
    keep: Sequence[str] = (),
    role: Role | None = None,
    settings: Settings,
) -> GateReport:
    """Return what the gate would say if *model* were promoted; see `promote`."""
    version = find_version(model, role, engine=make_engine(start_database(settings)))
    return gated(version, snapshot=snapshot, keep=keep, settings=settings)


def gated(
    version: ModelVersion, *, snapshot: str, keep: Sequence[str] = (), settings: Settings
) -> GateReport:
    """
    Return what the gate of its role says of a version; nothing is promoted.

    A proposer is measured on the gold snapshot, a verifier on the audit labels.
    """
    if version.role is Role.VERIFIER:
        from flows.verifier_gating import gate_verifier

        return gate_verifier(version, settings=settings)
    return gate(version.name, snapshot=snapshot, keep=keep, settings=settings)


def roll_back(role: Role, *, reason: str = "", person: str = "", settings: Settings) -> Promotion:
    """
    Make the champion before the current one the champion again, and return the promotion.

    Raises:
        ConfigError: If nothing was promoted yet, or the weights of the one before are out of reach.
        PermanentError: If somebody else promoted a model of the role meanwhile.
    """
    engine = make_engine(start_database(settings))
    with transaction(engine) as session:
        history = promotions_of(session, role)
    if not history or not history[-1].model:
        raise ConfigError(f"no {role} is promoted: there is nothing to roll back")
    model = before(history)
    if model:
        _check_reachable(find_version(model, role, engine=engine), settings)
    promotion = Promotion(
        role=role,
        number=len(history) + 1,
        model=model,
        replaces=history[-1].model,
        kind=PromotionKind.ROLLBACK,
        evaluation_id="",
        person=person or getpass.getuser(),
        reason=reason or f"rolled back from {history[-1].model}",
    )
    _write(promotion, engine)
    return promotion


def follow_up(role: Role, *, settings: Settings) -> dict[str, int]:
    """
    Do what a new champion asks for, as far as it is not done, and return counts of it.

    A proposer mines hard negatives: phrases that fool it, and not those that fooled the one before.
    A verifier is asked about finished pairs; what it doubts is listed by `maskloop reverify`.
    """
    if role is Role.PROPOSER:
        from flows.mining import mine_here  # imports prefect

        return dict(mine_here(settings))
    from flows.reverify import reverify_here

    found = reverify_here(settings)
    return {
        "pairs": found.num_pairs,
        "claims": found.num_claims,
        "doubted": len(found.flips),
        "failed": found.num_failed,
    }


def print_promotion(report: PromotionReport, *, as_json: bool) -> None:
    """Show what came of a wish to promote."""
    if as_json:
        print_json(report.as_json())
        return
    if report.gate is not None:
        print_gate(report.gate, as_json=False)
    if not report.is_champion:
        note(f"{report.model} stays a candidate")
        return
    if report.promotion is None:
        note(f"{report.model} is the {report.role} in use already")
    else:
        before_it = report.promotion.replaces or "the weights of the settings"
        note(f"{report.model} is the {report.role} in use now, in the place of {before_it}")
    if report.followed:
        title = "mined again" if report.role is Role.PROPOSER else "asked about finished pairs"
        print_counts(title, report.followed, as_json=False)


def print_rollback(promotion: Promotion, *, as_json: bool) -> None:
    """Say who is in use now."""
    if as_json:
        print_json({"model": promotion.model, "replaces": promotion.replaces, "id": promotion.id})
    else:
        model = promotion.model or "what the settings name"
        note(f"{model} is the {promotion.role} in use again, in the place of {promotion.replaces}")


def _next(
    version: ModelVersion,
    history: Sequence[Promotion],
    report: GateReport | None,
    *,
    by_hand: str,
    person: str,
) -> Promotion:
    """Return the promotion of *version* that follows those of its role."""
    return Promotion(
        role=version.role,
        number=len(history) + 1,
        model=version.name,
        replaces=history[-1].model if history else "",
        kind=PromotionKind.BY_HAND if by_hand else PromotionKind.GATE,
        evaluation_id=report.evaluation_id if report else "",
        person=person or getpass.getuser(),
        reason=by_hand or _reason(report),
    )


def _reason(report: GateReport | None) -> str:
    assert report is not None, "who is not promoted by hand went through the gate"
    gold = report.decision.gold
    return f"better on {gold.name}: {gold.measure} {gold.text}, {gold.num_pairs} of them"


def _check_reachable(version: ModelVersion, settings: Settings) -> None:
    """Raise ConfigError or WeightsError unless the weights can be had: workers will want them."""
    if not version.weights_uri.startswith(("http://", "https://")):
        folder_of(version, settings)


def _write(promotion: Promotion, engine: Engine) -> None:
    with transaction(engine) as session:
        if add_promotion(session, promotion):
            return
        newest = newest_promotion(session, promotion.role)
    assert newest is not None, "its number is taken"
    if newest.model != promotion.model:
        msg = f"{newest.model or 'nothing'} became the {promotion.role} in use meanwhile"
        raise PermanentError(f"{msg}, by {newest.person}: run this again to be measured against it")
