"""
Work pools and deployments as code: created when they are needed, the same on every start.

The deployment names the worker flow by module path; a process worker imports it from the
environment that maskloop is installed in.
"""

import contextlib
from collections.abc import Sequence
from uuid import UUID

from prefect.client.orchestration import get_client
from prefect.client.schemas.actions import WorkPoolCreate
from prefect.client.schemas.filters import FlowRunFilter, FlowRunFilterId
from prefect.client.schemas.objects import FlowRun
from prefect.exceptions import ObjectAlreadyExists

from flows.worker_flow import propose_worker

ENTRYPOINT = "flows.worker_flow.propose_worker"
DEPLOYMENT = "pool"


async def deploy(work_pool: str) -> UUID:
    """
    Create the work pool and the deployment of the worker flow, and return the deployment's id.

    A pool that exists keeps its type and its limits.
    """
    async with get_client() as client:
        with contextlib.suppress(ObjectAlreadyExists):
            await client.create_work_pool(WorkPoolCreate(name=work_pool, type="process"))
        flow_id = await client.create_flow(propose_worker)
        return await client.create_deployment(
            flow_id=flow_id,
            name=f"{DEPLOYMENT}-{work_pool}",
            work_pool_name=work_pool,
            entrypoint=ENTRYPOINT,
            path=".",
            enforce_parameter_schema=False,
        )


async def schedule(work_pool: str, *, runs: int) -> list[UUID]:
    """Ask for *runs* worker flows on *work_pool* now and return their flow run ids."""
    deployment_id = await deploy(work_pool)
    async with get_client() as client:
        made = [await client.create_flow_run_from_deployment(deployment_id) for _ in range(runs)]
    return [run.id for run in made]


async def read_runs(run_ids: Sequence[UUID]) -> list[FlowRun]:
    """Return the flow runs with *run_ids*, in any order."""
    async with get_client() as client:
        chosen = FlowRunFilter(id=FlowRunFilterId(any_=list(run_ids)))
        return await client.read_flow_runs(flow_run_filter=chosen)
