"""Typed stubs on the gateway of a test mesh, and small DAGs to send through it."""

from __future__ import annotations

import uuid
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from qmtl.broker.v1.account_service_pb2_grpc import AccountServiceStub
from qmtl.broker.v1.order_service_pb2_grpc import OrderServiceStub
from qmtl.broker.v1.portfolio_service_pb2_grpc import PortfolioServiceStub
from qmtl.config.home import user_token_path
from qmtl.core.identity.keys import NodeSpec, node_id, node_ids_crc32
from qmtl.core.identity.nodes import DagNode, QueueClass, SemanticKind
from qmtl.core.roles import Role
from qmtl.dag.v1 import dag_pb2 as dagpb
from qmtl.dag.v1.hotfix_service_pb2_grpc import HotfixServiceStub
from qmtl.dag.v1.plan_service_pb2_grpc import PlanServiceStub
from qmtl.dag.v1.queue_catalogue_service_pb2_grpc import QueueCatalogueServiceStub
from qmtl.dag.v1.sentinel_service_pb2_grpc import SentinelServiceStub
from qmtl.data.v1.coverage_service_pb2_grpc import CoverageServiceStub
from qmtl.data.v1.data_service_pb2_grpc import DataServiceStub
from qmtl.data.v1.data_session_service_pb2_grpc import DataSessionServiceStub
from qmtl.gateway.v1 import strategy_pb2 as strategypb
from qmtl.gateway.v1 import strategy_service_pb2 as strategyservicepb
from qmtl.gateway.v1.event_service_pb2_grpc import EventServiceStub
from qmtl.gateway.v1.gateway_status_service_pb2_grpc import GatewayStatusServiceStub
from qmtl.gateway.v1.queue_service_pb2_grpc import QueueServiceStub
from qmtl.gateway.v1.strategy_service_pb2_grpc import StrategyServiceStub
from qmtl.gateway.v1.trading_service_pb2_grpc import TradingServiceStub
from qmtl.rpc.auth.tokens import file_token
from qmtl.rpc.chunks import Chunked
from qmtl.rpc.client.channel import MeshChannel, connect
from qmtl.wire.graph import node_to_proto
from qmtl.world.v1 import world_service_pb2 as worldservicepb
from qmtl.world.v1.activation_service_pb2_grpc import ActivationServiceStub
from qmtl.world.v1.apply_service_pb2_grpc import ApplyServiceStub
from qmtl.world.v1.audit_service_pb2_grpc import AuditServiceStub
from qmtl.world.v1.binding_service_pb2_grpc import BindingServiceStub
from qmtl.world.v1.evaluation_service_pb2_grpc import EvaluationServiceStub
from qmtl.world.v1.policy_service_pb2_grpc import PolicyServiceStub
from qmtl.world.v1.world_graph_service_pb2_grpc import WorldGraphServiceStub
from qmtl.world.v1.world_service_pb2_grpc import WorldServiceStub

if TYPE_CHECKING:
    from qmtl.broker.v1.account_service_pb2_grpc import AccountServiceAsyncStub
    from qmtl.broker.v1.order_service_pb2_grpc import OrderServiceAsyncStub
    from qmtl.broker.v1.portfolio_service_pb2_grpc import PortfolioServiceAsyncStub
    from qmtl.dag.v1.hotfix_service_pb2_grpc import HotfixServiceAsyncStub
    from qmtl.dag.v1.plan_service_pb2_grpc import PlanServiceAsyncStub
    from qmtl.dag.v1.queue_catalogue_service_pb2_grpc import QueueCatalogueServiceAsyncStub
    from qmtl.dag.v1.sentinel_service_pb2_grpc import SentinelServiceAsyncStub
    from qmtl.data.v1.coverage_service_pb2_grpc import CoverageServiceAsyncStub
    from qmtl.data.v1.data_service_pb2_grpc import DataServiceAsyncStub
    from qmtl.data.v1.data_session_service_pb2_grpc import DataSessionServiceAsyncStub
    from qmtl.gateway.v1.event_service_pb2_grpc import EventServiceAsyncStub
    from qmtl.gateway.v1.gateway_status_service_pb2_grpc import GatewayStatusServiceAsyncStub
    from qmtl.gateway.v1.queue_service_pb2_grpc import QueueServiceAsyncStub
    from qmtl.gateway.v1.strategy_service_pb2_grpc import StrategyServiceAsyncStub
    from qmtl.gateway.v1.trading_service_pb2_grpc import TradingServiceAsyncStub
    from qmtl.world.v1.activation_service_pb2_grpc import ActivationServiceAsyncStub
    from qmtl.world.v1.apply_service_pb2_grpc import ApplyServiceAsyncStub
    from qmtl.world.v1.audit_service_pb2_grpc import AuditServiceAsyncStub
    from qmtl.world.v1.binding_service_pb2_grpc import BindingServiceAsyncStub
    from qmtl.world.v1.evaluation_service_pb2_grpc import EvaluationServiceAsyncStub
    from qmtl.world.v1.policy_service_pb2_grpc import PolicyServiceAsyncStub
    from qmtl.world.v1.world_graph_service_pb2_grpc import WorldGraphServiceAsyncStub
    from qmtl.world.v1.world_service_pb2_grpc import WorldServiceAsyncStub


@dataclass(frozen=True, slots=True)
class GatewayClient:
    """The public services at one address."""

    strategies: StrategyServiceAsyncStub
    events: EventServiceAsyncStub
    trading: TradingServiceAsyncStub
    queues: QueueServiceAsyncStub
    status: GatewayStatusServiceAsyncStub
    worlds: WorldServiceAsyncStub
    policies: PolicyServiceAsyncStub
    bindings: BindingServiceAsyncStub
    evaluation: EvaluationServiceAsyncStub
    activation: ActivationServiceAsyncStub
    applies: ApplyServiceAsyncStub
    audit: AuditServiceAsyncStub
    world_graph: WorldGraphServiceAsyncStub
    plans: PlanServiceAsyncStub
    queue_catalogue: QueueCatalogueServiceAsyncStub
    sentinels: SentinelServiceAsyncStub
    hotfixes: HotfixServiceAsyncStub
    accounts: AccountServiceAsyncStub
    orders: OrderServiceAsyncStub
    portfolios: PortfolioServiceAsyncStub
    data: DataServiceAsyncStub
    data_sessions: DataSessionServiceAsyncStub
    coverage: CoverageServiceAsyncStub


@asynccontextmanager
async def open_gateway_client(
    address: str, home: Path, *, token: str = "", role: Role = Role.OPERATOR
) -> AsyncIterator[GatewayClient]:
    """Stubs with a token given, or that of a role."""
    source = (lambda: token) if token else file_token(user_token_path(home, role))
    async with connect(address, user_token=source, default_timeout_s=30.0) as channel:
        yield client_over(channel)


def client_over(channel: MeshChannel) -> GatewayClient:
    """Stubs of the public services over a channel."""
    return GatewayClient(
        StrategyServiceStub(channel),
        EventServiceStub(channel),
        TradingServiceStub(channel),
        QueueServiceStub(channel),
        GatewayStatusServiceStub(channel),
        WorldServiceStub(channel),
        PolicyServiceStub(channel),
        BindingServiceStub(channel),
        EvaluationServiceStub(channel),
        ActivationServiceStub(channel),
        ApplyServiceStub(channel),
        AuditServiceStub(channel),
        WorldGraphServiceStub(channel),
        PlanServiceStub(channel),
        QueueCatalogueServiceStub(channel),
        SentinelServiceStub(channel),
        HotfixServiceStub(channel),
        AccountServiceStub(channel),
        OrderServiceStub(channel),
        PortfolioServiceStub(channel),
        DataServiceStub(channel),
        DataSessionServiceStub(channel),
        CoverageServiceStub(channel),
    )


async def new_world(gateway_client: GatewayClient, *presets: str) -> str:
    """A world of its own for one test."""
    world_id = f"w-{uuid.uuid4().hex[:12]}"
    request = worldservicepb.CreateWorldRequest(world_id=world_id, data_presets=presets or ("demo.btc.15m",))
    await gateway_client.worlds.CreateWorld(request)
    return world_id


def source_node(symbol: str = "BTC-USD", **params: float | str) -> dagpb.DagNode:
    """A node without inputs, whose id is right."""
    spec = NodeSpec("StreamInput", 900, 96, {"symbol": symbol, **params}, (), "", "ver:test-source")
    return node_to_proto(
        DagNode(
            node_id(spec),
            spec,
            QueueClass.RAW,
            SemanticKind.CAUSAL_STREAM,
            name=f"source-{symbol}-{node_id(spec)[-8:]}",
        )
    )


def child_node(name: str, inputs: Iterable[str], **params: float | str) -> dagpb.DagNode:
    """A node over others, whose id is right."""
    ids = tuple(inputs)
    spec = NodeSpec("indicator.test", 900, 10, {"name": name, **params}, ids, "", "ver:test-child")
    node = DagNode(
        node_id(spec), spec, QueueClass.INDICATOR, SemanticKind.CAUSAL_STREAM, name=name,
        inputs=tuple(("", item) for item in ids),
    )  # fmt: skip
    return node_to_proto(node)


def submission(world_id: str, nodes: Iterable[dagpb.DagNode], request_id: str = "") -> strategypb.StrategySubmission:
    """A well-formed submission of these nodes."""
    dag = dagpb.Dag(nodes=nodes)
    return strategypb.StrategySubmission(
        request_id=request_id or uuid.uuid4().hex,
        meta=strategypb.StrategyMeta(name="test", client="tests"),
        dag=dag,
        node_ids_crc32=node_ids_crc32([node.node_id for node in dag.nodes]),
        world_ids=[world_id],
    )


def in_chunks(asked: strategypb.StrategySubmission) -> Chunked[strategyservicepb.SubmitStrategyRequest]:
    """A submission as SubmitStrategy takes it."""
    return Chunked(strategyservicepb.SubmitStrategyRequest, asked, asked.world_ids)
