"""
The gate: a candidate is measured against the champion, pair by pair, and let through or refused.

What is missing is measured first: both models on the gold snapshot, and on each snapshot that must
be kept. Nothing is measured twice.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass

from sqlalchemy import Engine
from sqlalchemy.orm import Session

from db.evaluations import counted_pairs
from db.model_versions import model_version
from db.ontology import ontology_in_force
from db.session import make_engine, transaction
from db.snapshot_candidates import hashes_by_age
from db.snapshots import media_of_split, snapshot_named
from engine.errors import ConfigError
from engine.gate import GateDecision, decide
from engine.metrics.pairs import statistics_of
from engine.model_differences import Compared, Difference
from engine.model_evaluations import StoredEvaluation
from engine.model_versions import ModelVersion, Role
from engine.near_duplicates import alike_to, groups_of_alike
from engine.snapshots import Purpose
from flows.console import note, print_json, print_table
from flows.evaluations import TEST, evaluate_model
from flows.model_names import CHAMPION, find_model, find_version
from flows.services.embedded import start_database
from flows.settings import Settings

_SHOWN_NODES = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class GateReport:
    """What the gate found about a candidate."""

    candidate: str
    champion: str  # the model in use, promoted or not
    evaluation_id: str  # the candidate's, on the gold snapshot
    decision: GateDecision

    @property
    def passes(self) -> bool:
        return self.decision.passes

    @property
    def sentences(self) -> list[str]:
        """Why it is refused; none where it passes."""
        return [refusal.sentence for refusal in self.decision.refusals]

    def as_json(self) -> dict[str, object]:
        decision = self.decision
        return {
            "candidate": self.candidate,
            "champion": self.champion,
            "evaluation": self.evaluation_id,
            "passes": self.passes,
            "gold": _as_json(decision.gold),
            "nodes": [_as_json(node) for node in decision.nodes],
            "kept": [_as_json(each) for each in decision.kept],
            "refusals": [
                {"reason": each.reason.value, "sentence": each.sentence}
                for each in decision.refusals
            ],
        }


def gate(
    candidate: str,
    *,
    snapshot: str,
    keep: Sequence[str] = (),
    split: str = TEST,
    settings: Settings,
) -> GateReport:
    """
    Measure a candidate against the proposer in use; nothing is promoted.

    Args:
        candidate: The name or alias of a registered proposer.

        snapshot: The gold snapshot that decides, by id or name.

        keep: Further gold snapshots, on which nothing may be lost.

        split: Of all of them.

        settings: Of the deployment; `settings.gate` says what is asked.

    Raises:
        ConfigError: If a model or snapshot is unknown or no gold, the candidate is no proposer or
            is the champion, or was trained on images of a snapshot that it is measured on.
    """
    if not snapshot:
        raise ConfigError("name the gold snapshot that decides: --snapshot")
    engine = make_engine(start_database(settings))
    version = find_version(candidate, Role.PROPOSER, engine=engine)
    champion = find_model(CHAMPION, Role.PROPOSER, settings=settings, engine=engine)
    if version.name == champion.name:
        raise ConfigError(f"model {version.name} is the champion: there is nothing to compare")
    for name in (snapshot, *keep):
        _check_gold(version, name, split, engine)
    sets = []
    for name in (snapshot, *keep):
        one = evaluate_model(version.name, name, split=split, settings=settings)
        other = evaluate_model(champion.weights, name, split=split, settings=settings)
        sets.append((name, one, other))
    with transaction(engine) as session:
        compared = [compared_pairs(session, *each) for each in sets]
        ontology = ontology_in_force(session)
    return GateReport(
        candidate=version.name,
        champion=champion.name,
        evaluation_id=sets[0][1].id,
        decision=decide(
            compared[0], kept=compared[1:], ontology=ontology, rules=settings.gate.rules
        ),
    )


def print_gate(report: GateReport, *, as_json: bool) -> None:
    """Show both models on all pairs and by concept, and what stands against the candidate."""
    if as_json:
        print_json(report.as_json())
        return
    decision = report.decision
    columns = ("pairs of", "measure", "pairs", "before", "after", "difference", "95 % interval")
    rows = [_row(each) for each in (decision.gold, *decision.kept)]
    print_table(f"{report.candidate} against {report.champion} (points)", columns, rows)
    if decision.nodes:
        shown = decision.nodes[:_SHOWN_NODES]
        title = f"concepts ({len(shown)} of {len(decision.nodes)}, largest loss first)"
        print_table(title, ("concept", *columns[1:]), [_row(node) for node in shown])
    for sentence in report.sentences:
        note(f"refused: {sentence}")


def trained_on(session: Session, version: ModelVersion) -> set[str]:
    """Return the ids of the media that a version or one of its parents was trained on."""
    return {
        media_id
        for each in with_parents(session, version)
        for snapshot_id in each.trained_on
        for media_id in media_of_split(session, snapshot_id, split=each.split)
    }


def with_parents(session: Session, version: ModelVersion) -> list[ModelVersion]:
    """Return a version and, as far as they are known, those that it was trained from."""
    line: dict[str, ModelVersion] = {}
    each: ModelVersion | None = version
    while each is not None and each.name not in line:
        line[each.name] = each
        each = model_version(session, each.parent)
    return list(line.values())


def _check_gold(version: ModelVersion, snapshot: str, split: str, engine: Engine) -> None:
    """Raise ConfigError if a candidate must not be judged by *snapshot*."""
    with transaction(engine) as session:
        chosen = snapshot_named(session, snapshot)
        if chosen.purpose is not Purpose.GOLD:
            msg = f"snapshot {snapshot} is made for {chosen.purpose}"
            raise ConfigError(f"{msg}: the gate takes gold snapshots, which nothing trains on")
        gold = media_of_split(session, chosen.id, split=split)
        # A training snapshot leaves out what looks like gold, but gold may have been made later.
        alike = alike_to(trained_on(session, version), groups_of_alike(hashes_by_age(session)))
        seen = alike.intersection(gold)
    if seen:
        msg = f"model {version.name} was trained on {len(seen)} of the {len(gold)} media"
        raise ConfigError(
            f"{msg} of snapshot {snapshot}, or on what looks the same: measure it on media that it"
            " has not seen"
        )


def compared_pairs(
    session: Session, name: str, one: StoredEvaluation, other: StoredEvaluation
) -> Compared:
    """Return the pairs that both models have an answer to."""
    candidate = {each.counts.pair_id: each for each in counted_pairs(session, one.id)}
    champion = {each.counts.pair_id: each for each in counted_pairs(session, other.id)}
    shared = [each for pair_id, each in candidate.items() if pair_id in champion]
    ids = [each.counts.pair_id for each in shared]
    return Compared(
        name=name,
        candidate_PS=statistics_of(candidate[pair_id].counts for pair_id in ids),
        champion_PS=statistics_of(champion[pair_id].counts for pair_id in ids),
        media_ids=[each.media_id for each in shared],
        phrases=[each.phrase for each in shared],
    )


def _row(found: Difference) -> tuple[object, ...]:
    return (
        *(found.name, found.measure.value, found.num_pairs),
        *(f"{100 * found.champion:.1f}", f"{100 * found.candidate:.1f}"),
        *(f"{100 * found.value:+.1f}", f"{100 * found.low:+.1f} .. {100 * found.high:+.1f}"),
    )


def _as_json(found: Difference) -> dict[str, object]:
    return {**asdict(found), "measure": found.measure.value, "difference": found.value}
