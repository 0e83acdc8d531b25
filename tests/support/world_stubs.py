"""Every stub of worldservice on one channel, as the tests of several rooms call it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from google.protobuf.descriptor import MethodDescriptor
from grpc import aio

from qmtl.risk.v1 import risk_service_pb2_grpc as riskrpc
from qmtl.world.v1 import access_service_pb2 as accessservicepb
from qmtl.world.v1 import access_service_pb2_grpc as accessrpc
from qmtl.world.v1 import activation_service_pb2 as activationservicepb
from qmtl.world.v1 import activation_service_pb2_grpc as activationrpc
from qmtl.world.v1 import allocation_service_pb2_grpc as allocationrpc
from qmtl.world.v1 import apply_service_pb2 as applyservicepb
from qmtl.world.v1 import apply_service_pb2_grpc as applyrpc
from qmtl.world.v1 import audit_service_pb2 as auditservicepb
from qmtl.world.v1 import audit_service_pb2_grpc as auditrpc
from qmtl.world.v1 import binding_service_pb2 as bindingservicepb
from qmtl.world.v1 import binding_service_pb2_grpc as bindingrpc
from qmtl.world.v1 import campaign_service_pb2 as campaignservicepb
from qmtl.world.v1 import campaign_service_pb2_grpc as campaignrpc
from qmtl.world.v1 import divergence_service_pb2 as divergenceservicepb
from qmtl.world.v1 import divergence_service_pb2_grpc as divergencerpc
from qmtl.world.v1 import evaluation_service_pb2 as evaluationservicepb
from qmtl.world.v1 import evaluation_service_pb2_grpc as evaluationrpc
from qmtl.world.v1 import gate_service_pb2 as gateservicepb
from qmtl.world.v1 import gate_service_pb2_grpc as gaterpc
from qmtl.world.v1 import policy_service_pb2 as policyservicepb
from qmtl.world.v1 import policy_service_pb2_grpc as policyrpc
from qmtl.world.v1 import rebalance_progress_service_pb2_grpc as rebalancerpc
from qmtl.world.v1 import session_service_pb2 as sessionservicepb
from qmtl.world.v1 import session_service_pb2_grpc as sessionrpc
from qmtl.world.v1 import status_service_pb2 as statusservicepb
from qmtl.world.v1 import status_service_pb2_grpc as statusrpc
from qmtl.world.v1 import world_graph_service_pb2 as worldgraphservicepb
from qmtl.world.v1 import world_graph_service_pb2_grpc as worldgraphrpc
from qmtl.world.v1 import world_service_pb2 as worldservicepb
from qmtl.world.v1 import world_service_pb2_grpc as worldrpc

if TYPE_CHECKING:
    from qmtl.risk.v1.risk_service_pb2_grpc import RiskServiceAsyncStub
    from qmtl.world.v1.access_service_pb2_grpc import AccessServiceAsyncStub
    from qmtl.world.v1.activation_service_pb2_grpc import ActivationServiceAsyncStub
    from qmtl.world.v1.allocation_service_pb2_grpc import AllocationServiceAsyncStub
    from qmtl.world.v1.apply_service_pb2_grpc import ApplyServiceAsyncStub
    from qmtl.world.v1.audit_service_pb2_grpc import AuditServiceAsyncStub
    from qmtl.world.v1.binding_service_pb2_grpc import BindingServiceAsyncStub
    from qmtl.world.v1.campaign_service_pb2_grpc import CampaignServiceAsyncStub
    from qmtl.world.v1.divergence_service_pb2_grpc import DivergenceServiceAsyncStub
    from qmtl.world.v1.evaluation_service_pb2_grpc import EvaluationServiceAsyncStub
    from qmtl.world.v1.gate_service_pb2_grpc import GateServiceAsyncStub
    from qmtl.world.v1.policy_service_pb2_grpc import PolicyServiceAsyncStub
    from qmtl.world.v1.rebalance_progress_service_pb2_grpc import RebalanceProgressServiceAsyncStub
    from qmtl.world.v1.session_service_pb2_grpc import SessionServiceAsyncStub
    from qmtl.world.v1.status_service_pb2_grpc import StatusServiceAsyncStub
    from qmtl.world.v1.world_graph_service_pb2_grpc import WorldGraphServiceAsyncStub
    from qmtl.world.v1.world_service_pb2_grpc import WorldServiceAsyncStub

# Those of worlds; calls about accounts (allocations, rebalances) are not: their roles are those of accounts.
METHODS: Mapping[str, MethodDescriptor] = {
    name: method
    for file in (
        accessservicepb,
        activationservicepb,
        applyservicepb,
        auditservicepb,
        bindingservicepb,
        campaignservicepb,
        divergenceservicepb,
        evaluationservicepb,
        gateservicepb,
        policyservicepb,
        sessionservicepb,
        statusservicepb,
        worldgraphservicepb,
        worldservicepb,
    )
    for service in file.DESCRIPTOR.services_by_name.values()
    for name, method in service.methods_by_name.items()
}


class WorldStubs:
    """One stub per service of the contract."""

    def __init__(self, channel: aio.Channel) -> None:
        self.worlds: WorldServiceAsyncStub = worldrpc.WorldServiceStub(channel)
        self.policies: PolicyServiceAsyncStub = policyrpc.PolicyServiceStub(channel)
        self.bindings: BindingServiceAsyncStub = bindingrpc.BindingServiceStub(channel)
        self.evaluation: EvaluationServiceAsyncStub = evaluationrpc.EvaluationServiceStub(channel)
        self.activation: ActivationServiceAsyncStub = activationrpc.ActivationServiceStub(channel)
        self.allocations: AllocationServiceAsyncStub = allocationrpc.AllocationServiceStub(channel)
        self.rebalances: RebalanceProgressServiceAsyncStub = rebalancerpc.RebalanceProgressServiceStub(channel)
        self.applies: ApplyServiceAsyncStub = applyrpc.ApplyServiceStub(channel)
        self.world_graph: WorldGraphServiceAsyncStub = worldgraphrpc.WorldGraphServiceStub(channel)
        self.campaigns: CampaignServiceAsyncStub = campaignrpc.CampaignServiceStub(channel)
        self.divergence: DivergenceServiceAsyncStub = divergencerpc.DivergenceServiceStub(channel)
        self.access: AccessServiceAsyncStub = accessrpc.AccessServiceStub(channel)
        self.audit: AuditServiceAsyncStub = auditrpc.AuditServiceStub(channel)
        self.gates: GateServiceAsyncStub = gaterpc.GateServiceStub(channel)
        self.sessions: SessionServiceAsyncStub = sessionrpc.SessionServiceStub(channel)
        self.risk: RiskServiceAsyncStub = riskrpc.RiskServiceStub(channel)
        self.status: StatusServiceAsyncStub = statusrpc.StatusServiceStub(channel)

    def method(self, name: str) -> Callable[..., Any]:
        """The call of an RPC by its name, which no two services of the contract share."""
        stubs = [vars(stub) for stub in vars(self).values()]
        call: Callable[..., Any] = next(found[name] for found in stubs if name in found)
        return call
