"""
Work pools and deployments as code: created when they are needed, the same on every start.

The deployments name their flows by module path; a process worker imports them from the
environment that maskloop is installed in. Worker flows are scheduled by commands, phases by people:
Prefect shows the form of a phase and checks what is filled in.
"""

import contextlib
from collections.abc import Mapping, Sequence
from pkgutil import resolve_name
from typing import Any
from uuid import UUID

from prefect import Flow
from prefect.client.orchestration import get_client
from prefect.client.schemas.actions import WorkPoolCreate
from prefect.client.schemas.filters import FlowRunFilter, FlowRunFilterId
from prefect.client.schemas.objects import FlowRun
from prefect.exceptions import ObjectAlreadyExists
from prefect.utilities.callables import parameter_schema

from flows.flow_names import ENTRYPOINTS


async def deploy_all(work_pool: str) -> None:
    """Create the work pool and the deployments of all flows on it."""
    for name in ENTRYPOINTS:
        await deploy(name, work_pool)


async def deploy(flow_name: str, work_pool: str) -> UUID:
    """
    Create the work pool and the deployment of one flow, and return the deployment's id.

    A pool that exists keeps its type and its limits, and a deployment its schedules.
    """
    entrypoint = ENTRYPOINTS[flow_name]
    deployed: Flow[..., Any] = resolve_name(entrypoint)
    async with get_client() as client:
        with contextlib.suppress(ObjectAlreadyExists):
            await client.create_work_pool(WorkPoolCreate(name=work_pool, type="process"))
        flow_id = await client.create_flow(deployed)
        return await client.create_deployment(
            flow_id=flow_id,
            name=f"pool-{work_pool}",
            work_pool_name=work_pool,
            entrypoint=entrypoint,
            path=".",
            description=deployed.description,
            parameter_openapi_schema=parameter_schema(deployed.fn).model_dump(),
            enforce_parameter_schema=True,
        )


async def schedule(
    flow_name: str, work_pool: str, *, runs: int, parameters: Mapping[str, object]
) -> list[UUID]:
    """Ask for *runs* worker flows on *work_pool* now and return their flow run ids."""
    deployment_id = await deploy(flow_name, work_pool)
    async with get_client() as client:
        made = [
            await client.create_flow_run_from_deployment(deployment_id, parameters=dict(parameters))
            for _ in range(runs)
        ]
    return [run.id for run in made]


async def read_runs(run_ids: Sequence[UUID]) -> list[FlowRun]:
    """Return the flow runs with *run_ids*, in any order."""
    async with get_client() as client:
        chosen = FlowRunFilter(id=FlowRunFilterId(any_=list(run_ids)))
        return await client.read_flow_runs(flow_run_filter=chosen)
