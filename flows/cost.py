"""What finished pairs cost, by node of the ontology, by phase or by domain."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Literal, TypeAlias

from sqlalchemy.orm import Session

from db.costs import SpentOnPair, SpentOnStage, iter_spent, spent_by_stage
from db.domains import domains_of
from db.ontology import ontology_in_force
from db.phases import phases_of
from db.session import make_engine, transaction
from db.snapshot_candidates import of_one_moment
from engine.costs import Cost, CostLine, Standing, cost_lines, standing_of
from engine.errors import ConfigError
from flows.console import print_json, print_table
from flows.services.embedded import start_database
from flows.settings import Settings

GroupedBy: TypeAlias = Literal["all", "node", "phase", "domain"]
_Grouping: TypeAlias = Callable[[Sequence[SpentOnPair]], Mapping[str, str]]  # groups by pair id

_SHOWN_GROUPS = 20
_WITHOUT = "(none)"  # the group of pairs that name no node, or are in no phase or domain


@dataclass(frozen=True, slots=True, kw_only=True)
class CostReport:
    """What all pairs cost."""

    by: GroupedBy
    lines: tuple[CostLine, ...]
    stages: tuple[SpentOnStage, ...]

    def as_json(self) -> dict[str, object]:
        """Return sums of each line, and beside them what one pair of it cost."""
        return {
            "by": self.by,
            "lines": [
                {
                    "group": line.group,
                    "standing": line.standing.value,
                    "pairs": line.num_pairs,
                    "cost": asdict(line.cost),
                    "per_pair": asdict(line.per_pair),
                }
                for line in self.lines
            ],
            "stages": [asdict(stage) for stage in self.stages],
        }


def costs_here(settings: Settings, *, by: GroupedBy = "all") -> CostReport:
    """
    Return what the pairs of this database cost.

    Raises:
        ConfigError: If pairs shall be grouped by node and no ontology is in force.
    """
    with transaction(make_engine(start_database(settings))) as session:
        of_one_moment(session)
        grouping = _grouping(session, by)
        return CostReport(
            by=by,
            lines=tuple(cost_lines(_spent(session, grouping))),
            stages=tuple(spent_by_stage(session)),
        )


def print_costs(report: CostReport, *, as_json: bool) -> None:
    """Print costs per pair, the groups with the most finished pairs first, and those of stages."""
    if as_json:
        print_json(report.as_json())
        return
    columns = ("group", "standing", "pairs", "model s", "tokens", "human s", "measuring s")
    rows = [_row(line) for line in _most_finished(report.lines)]
    print_table(f"cost per pair, by {report.by}", columns, rows)
    of_stages = ("stage", "device", "shards", "pairs", "model s", "tokens")
    stages = [
        (each.stage, each.device, each.num_shards, each.num_pairs, each.seconds, each.tokens)
        for each in report.stages
    ]
    print_table("cost by stage", of_stages, stages)


def _grouping(session: Session, by: GroupedBy) -> _Grouping:
    if by == "domain":
        return lambda batch: domains_of(session, [each.pair_id for each in batch])
    if by == "phase":
        return lambda batch: phases_of(session, [each.pair_id for each in batch])
    if by == "node":
        ontology = ontology_in_force(session)
        if ontology is None:
            raise ConfigError("no ontology is in force: import one to see costs by node")

        def nodes(batch: Sequence[SpentOnPair]) -> dict[str, str]:
            found = {each.pair_id: ontology.concept_of(each.phrase) for each in batch}
            return {own: node.name for own, node in found.items() if node is not None}

        return nodes
    return lambda batch: dict.fromkeys((each.pair_id for each in batch), "all")


def _spent(session: Session, grouping: _Grouping) -> Iterator[tuple[str, Standing, Cost]]:
    for batch in iter_spent(session):
        groups = grouping(batch)
        for each in batch:
            group = groups.get(each.pair_id, "") or _WITHOUT
            yield group, standing_of(each.outcome), each.cost


def _most_finished(lines: Sequence[CostLine]) -> list[CostLine]:
    """Return the lines of the groups with the most finished pairs."""
    finished: dict[str, int] = {}
    for line in lines:
        counts = line.standing in {Standing.POSITIVE, Standing.NEGATIVE}
        finished[line.group] = finished.get(line.group, 0) + counts * line.num_pairs
    first = sorted(finished, key=lambda group: (-finished[group], group))[:_SHOWN_GROUPS]
    return [line for group in first for line in lines if line.group == group]


def _row(line: CostLine) -> tuple[object, ...]:
    cost = line.per_pair
    seconds = (cost.model_seconds, cost.tokens, cost.human_seconds, cost.measuring_seconds)
    return (line.group, line.standing.value, line.num_pairs, *seconds)
