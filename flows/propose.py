"""
`maskloop propose`: in this process, or as flow runs on a work pool; and the pool's own worker.

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
from dataclasses import asdict
from pathlib import Path
from typing import NoReturn
from uuid import UUID

from sqlalchemy.engine import Engine

from db.selection import answer_counts
from db.session import make_engine, transaction
from db.shards import ShardCounts, shard_counts
from engine.errors import ServiceUnavailableError, TransientError
from flows.console import note, progress
from flows.drain import STAGE
from flows.services import embedded
from flows.settings import Settings, path_variables

_POLL_SECONDS = 0.5
_WAIT_SECONDS = 2.0  # between looks at the flow runs on a pool
_SILENT_LEASES = 3.0  # a worker beats four times a lease; after three leases of silence it is gone


def propose_here(settings: Settings) -> Counter[str]:
    """Run one worker flow in this process, and return the counts of what came of it."""
    engine = _prepare(settings)
    from flows.worker_flow import run_here

    before = _standing(engine)
    with _watched(engine):
        run_here(settings)
    return _counts(engine, before)


def propose_on_pool(settings: Settings, *, runs: int) -> Counter[str]:
    """
    Schedule *runs* worker flows on the work pool, wait, and return the counts of what came of them.

    Raises:
        ServiceUnavailableError: If a flow run failed, crashed or was cancelled.
    """
    engine = _prepare(settings)
    from flows.deployments import schedule

    before = _standing(engine)
    run_ids = asyncio.run(schedule(settings.work_pool, runs=runs))
    note(f"{runs} runs scheduled on pool {settings.work_pool}; `maskloop work` serves it")
    with _watched(engine):
        _wait(run_ids, reap=lambda: _reap(engine, settings))
    return _counts(engine, before)


def serve_pool(settings: Settings, *, limit: int) -> NoReturn:
    """
    Become a Prefect process worker of the work pool, so that signals reach it directly.

    Args:
        settings: Those of this machine; the flow runs get them by the environment.

        limit: Flow runs at a time on this machine. Other machines on the pool have their own.
    """
    _prepare(settings)
    from flows.deployments import deploy

    asyncio.run(deploy(settings.work_pool))
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
    from flows.worker_flow import FLOW_NAME

    silent_seconds = _SILENT_LEASES * settings.shards.lease_seconds
    return len(asyncio.run(reap(engine, flow_name=FLOW_NAME, silent_seconds=silent_seconds)))


def _standing(engine: Engine) -> Counter[str]:
    with transaction(engine) as session:
        answers = answer_counts(session, stage=STAGE)
        shards = asdict(shard_counts(session, stage=STAGE))
    return Counter(answers | {f"shards_{state}": number for state, number in shards.items()})


def _counts(engine: Engine, before: Mapping[str, int]) -> Counter[str]:
    """
    Return what has come since *before*.

    Shards that failed earlier, or wait for another proposer, say nothing of this run.
    """
    return Counter(
        {name: max(0, number - before[name]) for name, number in _standing(engine).items()}
    )


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
def _watched(engine: Engine) -> Iterator[None]:
    """Show how many shards are done, read from the database, while the block runs."""
    ended = threading.Event()
    before = _shards(engine).finished
    shown = threading.Thread(target=_show_shards, args=(engine, before, ended), daemon=True)
    shown.start()
    try:
        yield
    finally:
        ended.set()
        shown.join()


def _show_shards(engine: Engine, before: int, ended: threading.Event) -> None:
    with progress("proposing (shards)", None) as bar:
        is_last = False
        while not is_last:
            is_last = ended.wait(_POLL_SECONDS)
            with contextlib.suppress(TransientError):
                seen = _shards(engine)
                done = seen.finished - before
                bar.reach(done, done + seen.open)


def _shards(engine: Engine) -> ShardCounts:
    with transaction(engine) as session:
        return shard_counts(session, stage=STAGE)
