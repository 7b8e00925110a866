"""
The worker flows: long Prefect flow runs that load their models once and drain shards.

Prefect schedules, shows and limits them; the work itself is claimed from Postgres. A flow run on a
pool gets everything from the environment of its worker, as every entry point does. Flows are async
because Prefect joins a sleeping thread for a second at the end of every sync flow.
"""

import asyncio
import logging
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING

from prefect import flow
from prefect.context import FlowRunContext
from prefect.logging.handlers import PrefectConsoleHandler
from sqlalchemy import Engine

from db.hard_negatives import phrases_in_use
from db.media import SourceReader
from db.model_versions import add_model_version
from db.ontology import ontology_in_force
from db.session import make_engine, transaction
from engine.exchanges import Vocabulary
from engine.hard_negatives import MiningRules
from engine.phases import Phase
from engine.stages import verify
from flows.blobs import s3_client
from flows.drain import Worker, drain
from flows.flow_names import MINE_FLOW, PROPOSE_FLOW, VERIFY_FLOW
from flows.heartbeat import registered
from flows.inquiries import connected
from flows.jobs import ExhaustivityJob, MaskJob, ProposeJob
from flows.mine_job import MineJob
from flows.registry import with_champions
from flows.routing import route_all
from flows.services.embedded import start_database
from flows.settings import Settings, load_settings

if TYPE_CHECKING:
    from models.sam3_image import Sam3Proposer

log = logging.getLogger(__name__)

_VERIFY_JOBS: dict[str, type[MaskJob] | type[ExhaustivityJob]] = {
    verify.MASKS: MaskJob,
    verify.EXHAUSTIVITY: ExhaustivityJob,
}


@flow(name=PROPOSE_FLOW)
async def propose_worker(phase: Phase | None = None) -> dict[str, int]:
    """Propose with the settings of this machine's environment, for one phase or for all pairs."""
    return await propose(load_settings(), phase=phase)


@flow(name=VERIFY_FLOW)
async def verify_worker(stages: list[str], phase: Phase | None = None) -> dict[str, int]:
    """Verify with the settings of this machine's environment, one stage after the other."""
    return await verify_stages(load_settings(), stages, phase=phase)


@flow(name=MINE_FLOW)
async def mine_worker(phase: Phase | None = None) -> dict[str, int]:
    """Mine hard negatives with the settings of this machine's environment."""
    return await mine(load_settings(), phase=phase)


def run_here(name: str, work: Callable[[], Awaitable[dict[str, int]]]) -> dict[str, int]:
    """Run *work* in this process, as a flow of this name."""

    @flow(name=name)
    async def here() -> dict[str, int]:
        return await work()

    keep_failures_off_the_console()
    return asyncio.run(here())


async def propose(settings: Settings, *, phase: Phase | None = None) -> dict[str, int]:
    """Load the proposer, and drain what it has not answered of *phase*, or of all pairs."""
    with _worker(settings, phase) as worker:
        proposer = _proposer(settings, worker.engine)
        job = ProposeJob(
            engine=worker.engine,
            proposer=proposer,
            reader=SourceReader(worker.engine, client=s3_client(settings)),
            cpu_threads=settings.proposer.cpu_threads,
        )
        return dict(await drain(job, replace(worker, device=proposer.device)))


async def mine(settings: Settings, *, phase: Phase | None = None) -> dict[str, int]:
    """Load the proposer, and drain the positive pairs that it was not tried on yet."""
    with _worker(settings, phase) as worker:
        with transaction(worker.engine) as session:
            vocabulary = Vocabulary(
                ontology=ontology_in_force(session), phrases=phrases_in_use(session)
            )
        proposer = _proposer(settings, worker.engine)
        job = MineJob(
            engine=worker.engine,
            proposer=proposer,
            reader=SourceReader(worker.engine, client=s3_client(settings)),
            cpu_threads=settings.proposer.cpu_threads,
            vocabulary=vocabulary,
            rules=MiningRules(**settings.mining.model_dump()),
        )
        return dict(await drain(job, replace(worker, device=proposer.device)))


async def verify_stages(
    settings: Settings, stages: Sequence[str], *, phase: Phase | None = None
) -> dict[str, int]:
    """
    Connect to the verifier, and drain what it has not answered: each stage to its end.

    After the last stage the pairs go where their verdicts send them.
    """
    counts: Counter[str] = Counter()
    with _worker(settings, phase) as worker:
        async with connected(settings, worker.engine) as inquiry:
            for stage in stages:
                job = _VERIFY_JOBS[stage](engine=worker.engine, inquiry=inquiry)
                counts += await drain(job, worker)
        if verify.EXHAUSTIVITY in stages:
            routes = route_all(worker.engine, key=inquiry.key, settings=settings)
            log.info("pairs routed", extra={"routes": dict(routes)})
    return dict(counts)


def _proposer(settings: Settings, engine: Engine) -> "Sam3Proposer":
    """Load the champion, or what the settings name, and note its version."""
    # What torch needs to start, a verify worker does not.
    from models.sam3_image import load_proposer

    chosen = with_champions(settings, engine=engine).proposer
    proposer = load_proposer(chosen)
    with transaction(engine) as session:
        add_model_version(session, name=proposer.name, role="proposer", weights_uri=chosen.weights)
    return proposer


@contextmanager
def _worker(settings: Settings, phase: Phase | None) -> Iterator[Worker]:
    """Be a worker with signs of life while the block runs."""
    engine, name = make_engine(start_database(settings)), _flow_run_id()
    with registered(name, engine=engine, lease_seconds=settings.shards.lease_seconds):
        yield Worker(name=name, engine=engine, shards=settings.shards, phase=phase)


def keep_failures_off_the_console() -> None:
    """The command says itself what went wrong; Prefect's server keeps the traceback."""
    for shown in logging.getLogger().handlers:
        if isinstance(shown, PrefectConsoleHandler):
            shown.addFilter(lambda record: not record.name.startswith("prefect.flow_runs"))


def _flow_run_id() -> str:
    context = FlowRunContext.get()
    assert context is not None, "the worker flow runs inside Prefect"
    assert context.flow_run is not None, "a flow run has an id"
    return str(context.flow_run.id)
