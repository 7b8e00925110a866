"""
Worker flows as commands run them: in this process, or on a work pool; and the pool's own worker.

Prefect reads its settings when it is imported: what imports it is imported after `_prepare` has
started the server and pointed Prefect at it.
"""

import asyncio
import contextlib
import os
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import NoReturn
from uuid import UUID

from sqlalchemy.engine import Engine
from sqlalchemy.orm import Session

from db.session import make_engine, transaction
from db.shards import ShardCounts, shard_counts
from engine.errors import ServiceUnavailableError, TransientError
from flows.console import note, progress
from flows.flow_names import ENTRYPOINTS
from flows.services import embedded
from flows.settings import Settings, path_variables

_POLL_SECONDS = 0.5
_WAIT_SECONDS = 2.0  # between looks at the flow runs on a pool
_SILENT_LEASES = 3.0  # a worker beats four times a lease; after three leases of silence it is gone


@dataclass(frozen=True, slots=True, kw_only=True)
class Work:
    """What one kind of worker flow does, as its command sees it."""

    stages: tuple[str, ...]
    doing: str  # beside the progress bar, such as "proposing"
    answers: Callable[[Session], Mapping[str, int]]  # counts of the facts that it adds
    flow_name: str
    parameters: Mapping[str, object]  # of the flow, on a pool
    run: Callable[[Settings], dict[str, int]]  # the flow in this process


def work_here(work: Work, settings: Settings) -> Counter[str]:
    """Run one worker flow in this process, and return the counts of what came of it."""
    engine = _prepare(settings)
    before = _standing(engine, work)
    with _watched(engine, work):
        work.run(settings)
    return _counts(engine, work, before, settings)


def work_on_pool(work: Work, settings: Settings, *, runs: int) -> Counter[str]:
    """
    Schedule *runs* worker flows on the work pool, wait, and return the counts of what came of them.

    Raises:
        ServiceUnavailableError: If a flow run failed, crashed or was cancelled.
    """
    engine = _prepare(settings)
    from flows.deployments import schedule

    before = _standing(engine, work)
    scheduled = schedule(work.flow_name, settings.work_pool, runs=runs, parameters=work.parameters)
    run_ids = asyncio.run(scheduled)
    note(f"{runs} runs scheduled on pool {settings.work_pool}; `maskloop work` serves it")
    with _watched(engine, work):
        _wait(run_ids, reap=lambda: _reap(engine, settings))
    return _counts(engine, work, before, settings)


def serve_pool(settings: Settings, *, limit: int) -> NoReturn:
    """
    Become a Prefect process worker of the work pool, so that signals reach it directly.

    Args:
        settings: Those of this machine; the flow runs get them by the environment.

        limit: Flow runs at a time on this machine. Other machines on the pool have their own.
    """
    _prepare(settings)
    from flows.deployments import deploy_all

    asyncio.run(deploy_all(settings.work_pool))
    os.environ.update(path_variables(settings))  # Prefect runs each flow in a folder of its own
    executable = str(Path(sys.executable).with_name("prefect"))
    pool = ["--pool", settings.work_pool, "--type", "process", "--limit", str(limit)]
    os.execv(executable, [executable, "worker", "start", *pool])


def _prepare(settings: Settings) -> Engine:
    """Start what is needed, and reap the runs of workers that are gone."""
    addresses = embedded.up(settings)
    engine = make_engine(addresses.database_url)
    if _reap(engine, settings):
        note("flow runs were still called running though their workers are gone: now crashed")
    return engine


def _reap(engine: Engine, settings: Settings) -> int:
    """Mark the runs of workers that fell silent as crashed, and return how many there were."""
    from flows.reaper import reap

    silent_seconds = _SILENT_LEASES * settings.shards.lease_seconds
    return len(asyncio.run(reap(engine, flow_names=[*ENTRYPOINTS], silent_seconds=silent_seconds)))


def _standing(engine: Engine, work: Work) -> Counter[str]:
    with transaction(engine) as session:
        answers = dict(work.answers(session))
    shards = asdict(_shards(engine, work))
    return Counter(answers | {f"shards_{state}": number for state, number in shards.items()})


def _counts(
    engine: Engine, work: Work, before: Mapping[str, int], settings: Settings
) -> Counter[str]:
    """Return the counts of what came of a run, and say what is left to do."""
    counts = counts_since(before, _standing(engine, work))
    if counts["failed"]:
        note(f"{counts['failed']} failed: `maskloop failures` says why, --retry tries them again")
    if counts["shards_leased"]:
        note(
            f"{counts['shards_leased']} shards are held by other workers; if one of these died, run"
            f" this again in {settings.shards.lease_seconds:g} seconds"
        )
    return counts


def counts_since(before: Mapping[str, int], standing: Mapping[str, int]) -> Counter[str]:
    """
    Return what has come since *before*, and the shards that others hold now.

    Shards that failed earlier, or wait for another model, say nothing of a run, also where the
    lease of such a one ran out meanwhile.
    """
    counts = Counter({name: max(0, number - before[name]) for name, number in standing.items()})
    num_new = _num_open(standing) - _num_open(before)
    counts["shards_waiting"] = max(0, min(counts["shards_waiting"], num_new))
    counts["shards_leased"] = standing["shards_leased"]
    return counts


def _num_open(standing: Mapping[str, int]) -> int:
    return standing["shards_waiting"] + standing["shards_leased"]


def _wait(run_ids: Sequence[UUID], *, reap: Callable[[], int]) -> None:
    """
    Wait until all runs ended, those of machines that were lost meanwhile included.

    Raises:
        ServiceUnavailableError: If one did not complete.
    """
    from flows.deployments import read_runs

    while True:
        runs = asyncio.run(read_runs(run_ids))
        if all(run.state is not None and run.state.is_final() for run in runs):
            break
        time.sleep(_WAIT_SECONDS)
        reap()
    unfinished = [run.name for run in runs if not (run.state and run.state.is_completed())]
    if unfinished:
        names = ", ".join(unfinished)
        raise ServiceUnavailableError(
            f"flow runs {names} did not complete: see their logs in Prefect"
        )


@contextlib.contextmanager
def _watched(engine: Engine, work: Work) -> Iterator[None]:
    """Show how many shards are done, read from the database, while the block runs."""
    ended = threading.Event()
    before = _shards(engine, work).finished
    shown = threading.Thread(target=_show_shards, args=(engine, work, before, ended), daemon=True)
    shown.start()
    try:
        yield
    finally:
        ended.set()
        shown.join()


def _show_shards(engine: Engine, work: Work, before: int, ended: threading.Event) -> None:
    with progress(f"{work.doing} (shards)", None) as bar:
        is_last = False
        while not is_last:
            is_last = ended.wait(_POLL_SECONDS)
            with contextlib.suppress(TransientError):
                seen = _shards(engine, work)
                done = seen.finished - before
                bar.reach(done, done + seen.open)


def _shards(engine: Engine, work: Work) -> ShardCounts:
    with transaction(engine) as session:
        return shard_counts(session, stages=work.stages)
