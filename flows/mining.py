"""`maskloop mine`: in this process, or as flow runs on a work pool; and what it has yielded."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict

from db.mining_yields import RelationYield, mining_counts, relation_yields
from db.session import make_engine, transaction
from engine.phases import Phase
from engine.stages.mine import STAGE
from flows.console import print_json, print_table
from flows.flow_names import MINE_FLOW
from flows.runs import Work, work_here, work_on_pool
from flows.services.embedded import start_database
from flows.settings import Settings

_COLUMNS = {
    "num_candidates": "tried",
    "num_firing": "proposed for",
    "num_fooling": "fooled",
    "num_pairs": "pairs",
    "num_negative": "absent",
    "num_present": "present",
    "num_dropped": "dropped",
    "num_open": "open",
    "num_retired": "retired",
}


def mine_here(settings: Settings, *, phase: Phase | None = None) -> Counter[str]:
    """
    Mine with the current proposer, in this process, all verified positive pairs that it has not.

    What fooled an earlier proposer is looked at again, and retired if it does not fool this one.

    Args:
        settings: Of the deployment.

        phase: Only the pairs of this phase. None: all.

    Returns:
        The counts of `db.mining_yields.mining_counts` that came of it, and of shards.
    """
    return work_here(_work(phase), settings)


def mine_on_pool(settings: Settings, *, runs: int, phase: Phase | None = None) -> Counter[str]:
    """Schedule *runs* worker flows on the work pool and wait; see `flows.runs.work_on_pool`."""
    return work_on_pool(_work(phase), settings, runs=runs)


def yields_here(settings: Settings) -> list[RelationYield]:
    """Return what each relation has given so far."""
    with transaction(make_engine(start_database(settings))) as session:
        return relation_yields(session)


def print_yields(yields: Sequence[RelationYield], *, as_json: bool) -> None:
    """Write what each relation has given, as a table or as JSON."""
    if as_json:
        print_json([asdict(each) for each in yields])
        return
    rows = [(each.relation, *(getattr(each, name) for name in _COLUMNS)) for each in yields]
    print_table("hard negatives", ("relation", *_COLUMNS.values()), rows)


def _work(phase: Phase | None) -> Work:
    def run(settings: Settings) -> dict[str, int]:
        from flows import worker_flow  # imports prefect

        return worker_flow.run_here(MINE_FLOW, lambda: worker_flow.mine(settings, phase=phase))

    return Work(
        stages=(STAGE,),
        doing="mining",
        answers=mining_counts,
        flow_name=MINE_FLOW,
        parameters={"phase": phase},
        run=run,
    )
