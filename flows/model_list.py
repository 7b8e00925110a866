"""`maskloop models`: all versions, what they were made of and what they reach."""

from dataclasses import asdict, dataclass
from datetime import datetime

from sqlalchemy.orm import Session

from db.evaluations import evaluations_on, newest_gold
from db.model_versions import recorded_versions
from db.promotions import promotions_of
from db.session import make_engine, transaction
from db.snapshots import named_snapshots
from engine.model_versions import ModelVersion, Role
from flows.console import print_json, print_table
from flows.evaluations import TEST
from flows.model_names import CANDIDATE, CHAMPION
from flows.services.embedded import start_database
from flows.settings import Settings


@dataclass(frozen=True, slots=True, kw_only=True)
class ListedModel:
    """One line of the list."""

    name: str
    role: str
    alias: str  # champion, candidate, "before" for an earlier champion, or ""
    parent: str
    snapshot: str  # the newest name of what it was trained on, or its id
    cgf1: float | None  # on the gold snapshot that was made last; None: not measured there
    gold: str  # which that is
    weights: str
    recorded_at: str  # ISO 8601


def list_models(role: Role | None, settings: Settings) -> list[ListedModel]:
    """Return all models, those of one role if given, the newest first."""
    engine = make_engine(start_database(settings))
    with transaction(engine) as session:
        gold = newest_gold(session)
        reached = {
            each.key.model: each.cgf1
            for each in evaluations_on(session, gold)
            if each.key.split == TEST
        }
        names = {each.snapshot.id: each.name for each in reversed(named_snapshots(session))}
        versions = recorded_versions(session, role)
        aliases = _aliases(session, [version for version, _ in versions])
    return [
        _listed(version, at, aliases, reached, names, names.get(gold, gold))
        for version, at in versions
    ]


def print_models(models: list[ListedModel], *, as_json: bool) -> None:
    """Show the list."""
    if as_json:
        print_json([asdict(each) for each in models])
        return
    gold = models[0].gold if models else ""
    on_gold = f"cgF1 on {gold}" if gold else "cgF1"
    columns = ("model", "role", "alias", "trained from", "trained on", on_gold, "when")
    rows = [
        (
            *(each.name, each.role, each.alias, each.parent, each.snapshot),
            "" if each.cgf1 is None else f"{100 * each.cgf1:.1f}",
            each.recorded_at[:19].replace("T", " "),
        )
        for each in models
    ]
    print_table("models", columns, rows)


def _aliases(session: Session, newest_first: list[ModelVersion]) -> dict[str, str]:
    aliases: dict[str, str] = {}
    for role in Role:
        history = promotions_of(session, role)
        aliases |= dict.fromkeys((each.model for each in history), "before")
        if history:
            aliases[history[-1].model] = CHAMPION
        trained = [each for each in newest_first if each.role is role and each.recipe]
        if trained:
            aliases.setdefault(trained[0].name, CANDIDATE)
    return aliases


def _listed(
    version: ModelVersion,
    at: datetime,
    aliases: dict[str, str],
    reached: dict[str, float],
    names: dict[str, str],
    gold: str,
) -> ListedModel:
    return ListedModel(
        name=version.name,
        role=version.role.value,
        alias=aliases.get(version.name, ""),
        parent=version.parent,
        snapshot=names.get(version.snapshot_id, version.snapshot_id),
        cgf1=reached.get(version.name),
        gold=gold,
        weights=version.weights_uri,
        recorded_at=at.isoformat(),
    )
