"""The other services as the gateway calls them: typed stubs, one of each contract."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from grpc import aio

from qmtl.broker.v1 import account_service_pb2_grpc as accountrpc
from qmtl.broker.v1 import instrument_service_pb2_grpc as instrumentrpc
from qmtl.broker.v1 import order_entry_service_pb2_grpc as orderentryrpc
from qmtl.broker.v1 import order_service_pb2_grpc as orderrpc
from qmtl.broker.v1 import portfolio_service_pb2_grpc as portfoliorpc
from qmtl.broker.v1 import reported_fill_service_pb2_grpc as reportedfillrpc
from qmtl.control.v1 import event_state_service_pb2_grpc as eventstaterpc
from qmtl.dag.v1 import diff_service_pb2_grpc as diffrpc
from qmtl.dag.v1 import plan_service_pb2_grpc as planrpc
from qmtl.dag.v1 import queue_catalogue_service_pb2_grpc as queuecataloguerpc
from qmtl.dag.v1 import queue_progress_service_pb2_grpc as queueprogressrpc
from qmtl.dag.v1 import sentinel_service_pb2_grpc as sentinelrpc
from qmtl.data.v1 import artifact_service_pb2_grpc as artifactrpc
from qmtl.world.v1 import access_service_pb2_grpc as accessrpc
from qmtl.world.v1 import activation_service_pb2_grpc as activationrpc
from qmtl.world.v1 import allocation_service_pb2_grpc as allocationrpc
from qmtl.world.v1 import binding_service_pb2_grpc as bindingrpc
from qmtl.world.v1 import evaluation_service_pb2_grpc as evaluationrpc
from qmtl.world.v1 import gate_service_pb2_grpc as gaterpc
from qmtl.world.v1 import policy_service_pb2_grpc as policyrpc
from qmtl.world.v1 import rebalance_progress_service_pb2_grpc as rebalancerpc
from qmtl.world.v1 import session_service_pb2_grpc as sessionrpc
from qmtl.world.v1 import world_service_pb2_grpc as worldrpc

if TYPE_CHECKING:
    from qmtl.broker.v1.account_service_pb2_grpc import AccountServiceAsyncStub
    from qmtl.broker.v1.instrument_service_pb2_grpc import InstrumentServiceAsyncStub
    from qmtl.broker.v1.order_entry_service_pb2_grpc import OrderEntryServiceAsyncStub
    from qmtl.broker.v1.order_service_pb2_grpc import OrderServiceAsyncStub
    from qmtl.broker.v1.portfolio_service_pb2_grpc import PortfolioServiceAsyncStub
    from qmtl.broker.v1.reported_fill_service_pb2_grpc import ReportedFillServiceAsyncStub
    from qmtl.control.v1.event_state_service_pb2_grpc import EventStateServiceAsyncStub
    from qmtl.dag.v1.diff_service_pb2_grpc import DiffServiceAsyncStub
    from qmtl.dag.v1.plan_service_pb2_grpc import PlanServiceAsyncStub
    from qmtl.dag.v1.queue_catalogue_service_pb2_grpc import QueueCatalogueServiceAsyncStub
    from qmtl.dag.v1.queue_progress_service_pb2_grpc import QueueProgressServiceAsyncStub
    from qmtl.dag.v1.sentinel_service_pb2_grpc import SentinelServiceAsyncStub
    from qmtl.data.v1.artifact_service_pb2_grpc import ArtifactServiceAsyncStub
    from qmtl.world.v1.access_service_pb2_grpc import AccessServiceAsyncStub
    from qmtl.world.v1.activation_service_pb2_grpc import ActivationServiceAsyncStub
    from qmtl.world.v1.allocation_service_pb2_grpc import AllocationServiceAsyncStub
    from qmtl.world.v1.binding_service_pb2_grpc import BindingServiceAsyncStub
    from qmtl.world.v1.evaluation_service_pb2_grpc import EvaluationServiceAsyncStub
    from qmtl.world.v1.gate_service_pb2_grpc import GateServiceAsyncStub
    from qmtl.world.v1.policy_service_pb2_grpc import PolicyServiceAsyncStub
    from qmtl.world.v1.rebalance_progress_service_pb2_grpc import RebalanceProgressServiceAsyncStub
    from qmtl.world.v1.session_service_pb2_grpc import SessionServiceAsyncStub
    from qmtl.world.v1.world_service_pb2_grpc import WorldServiceAsyncStub


@dataclass(frozen=True, slots=True)
class Peers:
    """Typed stubs over the mesh's channels."""

    worlds: WorldServiceAsyncStub
    policies: PolicyServiceAsyncStub
    bindings: BindingServiceAsyncStub
    evaluation: EvaluationServiceAsyncStub
    activation: ActivationServiceAsyncStub
    access: AccessServiceAsyncStub
    gates: GateServiceAsyncStub
    sessions: SessionServiceAsyncStub
    diffs: DiffServiceAsyncStub
    plans: PlanServiceAsyncStub
    queues: QueueCatalogueServiceAsyncStub
    queue_progress: QueueProgressServiceAsyncStub
    sentinels: SentinelServiceAsyncStub
    accounts: AccountServiceAsyncStub
    orders: OrderServiceAsyncStub
    order_entry: OrderEntryServiceAsyncStub
    reported_fills: ReportedFillServiceAsyncStub
    artifacts: ArtifactServiceAsyncStub
    world_states: EventStateServiceAsyncStub
    allocations: AllocationServiceAsyncStub
    rebalances: RebalanceProgressServiceAsyncStub
    portfolios: PortfolioServiceAsyncStub
    instruments: InstrumentServiceAsyncStub

    @classmethod
    def over(cls, channels: Mapping[str, aio.Channel]) -> Peers:
        """Stubs over one channel per service name."""
        world = channels["worldservice"]
        return cls(
            worlds=worldrpc.WorldServiceStub(world),
            policies=policyrpc.PolicyServiceStub(world),
            bindings=bindingrpc.BindingServiceStub(world),
            evaluation=evaluationrpc.EvaluationServiceStub(world),
            activation=activationrpc.ActivationServiceStub(world),
            access=accessrpc.AccessServiceStub(world),
            gates=gaterpc.GateServiceStub(world),
            sessions=sessionrpc.SessionServiceStub(world),
            diffs=diffrpc.DiffServiceStub(channels["dagmanager"]),
            plans=planrpc.PlanServiceStub(channels["dagmanager"]),
            queues=queuecataloguerpc.QueueCatalogueServiceStub(channels["dagmanager"]),
            queue_progress=queueprogressrpc.QueueProgressServiceStub(channels["dagmanager"]),
            sentinels=sentinelrpc.SentinelServiceStub(channels["dagmanager"]),
            accounts=accountrpc.AccountServiceStub(channels["brokerage"]),
            orders=orderrpc.OrderServiceStub(channels["brokerage"]),
            order_entry=orderentryrpc.OrderEntryServiceStub(channels["brokerage"]),
            reported_fills=reportedfillrpc.ReportedFillServiceStub(channels["brokerage"]),
            artifacts=artifactrpc.ArtifactServiceStub(channels["seamless"]),
            world_states=eventstaterpc.EventStateServiceStub(world),
            allocations=allocationrpc.AllocationServiceStub(world),
            rebalances=rebalancerpc.RebalanceProgressServiceStub(world),
            portfolios=portfoliorpc.PortfolioServiceStub(channels["brokerage"]),
            instruments=instrumentrpc.InstrumentServiceStub(channels["brokerage"]),
        )
