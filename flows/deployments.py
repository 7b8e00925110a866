"""
Work pools and deployments as code: created when they are needed, the same on every start.

The deployment names the worker flow by module path; a process worker imports it from the
environment that maskloop is installed in.
"""

import contextlib
from collections.abc import Sequence
from uuid import UUID

from prefect.client.orchestration import PrefectClient, get_client
from prefect.client.schemas.actions import WorkPoolCreate, WorkPoolUpdate
from prefect.client.schemas.filters import FlowRunFilter, FlowRunFilterId
from prefect.client.schemas.objects import FlowRun
from prefect.exceptions import ObjectAlreadyExists

from flows.worker_flow import propose_worker

ENTRYPOINT = "flows.worker_flow.propose_worker"
DEPLOYMENT = "pool"


async def deploy(work_pool: str, *, limit: int | None = None) -> UUID:
    """
    Create the work pool and the deployment of the worker flow, and return the deployment's id.

    Args:
        work_pool: Name of the pool. A pool that exists keeps its type.

        limit: Flow runs at a time on the whole pool. None: leave it as it is.
    """
    async with get_client() as client:
        await _ensure_pool(client, work_pool, limit)
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


async def _ensure_pool(client: PrefectClient, work_pool: str, limit: int | None) -> None:
    with contextlib.suppress(ObjectAlreadyExists):
        await client.create_work_pool(WorkPoolCreate(name=work_pool, type="process"))
    if limit is not None:
        await client.update_work_pool(work_pool, WorkPoolUpdate(concurrency_limit=limit))
