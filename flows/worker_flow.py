"""
The worker flow: one long Prefect flow run that loads its model once and drains shards.

Prefect schedules, shows and limits it; the work itself is claimed from Postgres. A flow run on a
pool gets everything from the environment of its worker, as every entry point does. It is async
because Prefect joins a sleeping thread for a second at the end of every sync flow.
"""

import asyncio
import logging

from prefect import flow
from prefect.context import FlowRunContext
from prefect.logging.handlers import PrefectConsoleHandler

from db.media import SourceReader
from db.model_versions import add_model_version
from db.planning import plan_shards
from db.session import make_engine, transaction
from flows.blobs import s3_client
from flows.drain import STAGE, Resources, drain, shard_key
from flows.heartbeat import registered
from flows.services.embedded import start_database
from flows.settings import Settings, load_settings
from models.sam3_image import load_proposer

FLOW_NAME = "propose-worker"


@flow(name=FLOW_NAME)
async def propose_worker() -> dict[str, int]:
    """Work with the settings of this machine's environment."""
    return _work(load_settings())


def run_here(settings: Settings) -> dict[str, int]:
    """Run the worker flow in this process, with *settings*."""

    @flow(name=FLOW_NAME)
    async def propose_here() -> dict[str, int]:
        return _work(settings)

    _keep_failures_off_the_console()
    return asyncio.run(propose_here())


def _keep_failures_off_the_console() -> None:
    """The command says itself what went wrong; Prefect's server keeps the traceback."""
    for shown in logging.getLogger().handlers:
        if isinstance(shown, PrefectConsoleHandler):
            shown.addFilter(lambda record: not record.name.startswith("prefect.flow_runs"))


def _work(settings: Settings) -> dict[str, int]:
    """Load the proposer, plan what is missing, and drain shards until nothing is left."""
    engine = make_engine(start_database(settings))
    worker = _flow_run_id()
    with registered(worker, engine=engine, lease_seconds=settings.shards.lease_seconds):
        resources = Resources(
            engine=engine,
            proposer=load_proposer(settings.proposer),
            reader=SourceReader(engine, client=s3_client(settings)),
            lease_seconds=settings.shards.lease_seconds,
            cpu_threads=settings.proposer.cpu_threads,
        )
        with transaction(engine) as session:
            add_model_version(
                session,
                name=resources.proposer.name,
                role="proposer",
                weights_uri=settings.proposer.weights,
            )
            plan_shards(
                session,
                stage=STAGE,
                key=shard_key(resources.proposer),
                pairs_per_shard=settings.shards.pairs_per_shard,
            )
        return dict(drain(resources, worker=worker))


def _flow_run_id() -> str:
    context = FlowRunContext.get()
    assert context is not None, "the worker flow runs inside Prefect"
    assert context.flow_run is not None, "a flow run has an id"
    return str(context.flow_run.id)
