"""
The flows by name, and where Prefect's workers find each: a module and what it is called there.

Naming them imports neither Prefect nor what they do.
"""

from collections.abc import Mapping
from types import MappingProxyType

PROPOSE_FLOW, VERIFY_FLOW, MINE_FLOW = "propose-worker", "verify-worker", "mine-worker"
PHASE_FLOWS = ("phase-1", "phase-2", "phase-3")

ENTRYPOINTS: Mapping[str, str] = MappingProxyType(
    {
        PROPOSE_FLOW: "flows.worker_flow.propose_worker",
        VERIFY_FLOW: "flows.worker_flow.verify_worker",
        MINE_FLOW: "flows.worker_flow.mine_worker",
        **{name: f"flows.phase_flows.{name.replace('-', '_')}" for name in PHASE_FLOWS},
    }
)
