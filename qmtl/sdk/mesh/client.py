"""The gateway as the SDK uses it: one channel, its stubs; address and token are found where none is given."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from qmtl.broker.v1 import account_service_pb2_grpc as accountrpc
from qmtl.broker.v1 import order_service_pb2_grpc as orderrpc
from qmtl.broker.v1 import portfolio_service_pb2_grpc as portfoliorpc
from qmtl.config.home import find_home, gateway_address
from qmtl.core.roles import Role
from qmtl.dag.v1 import queue_catalogue_service_pb2_grpc as queuecataloguerpc
from qmtl.data.v1 import catalogue_service_pb2_grpc as cataloguerpc
from qmtl.data.v1 import data_service_pb2_grpc as datarpc
from qmtl.data.v1 import data_session_service_pb2_grpc as datasessionrpc
from qmtl.gateway.v1 import event_service_pb2_grpc as eventrpc
from qmtl.gateway.v1 import queue_service_pb2_grpc as queuerpc
from qmtl.gateway.v1 import strategy_service_pb2_grpc as strategyrpc
from qmtl.gateway.v1 import trading_service_pb2_grpc as tradingrpc
from qmtl.rpc.auth.identity import TokenSource
from qmtl.rpc.auth.tokens import file_token, user_token_path
from qmtl.rpc.client.channel import connect
from qmtl.world.v1 import activation_service_pb2_grpc as activationrpc
from qmtl.world.v1 import apply_service_pb2_grpc as applyrpc
from qmtl.world.v1 import audit_service_pb2_grpc as auditrpc
from qmtl.world.v1 import binding_service_pb2_grpc as bindingrpc
from qmtl.world.v1 import evaluation_service_pb2_grpc as evaluationrpc
from qmtl.world.v1 import policy_service_pb2_grpc as policyrpc
from qmtl.world.v1 import world_service_pb2_grpc as worldrpc

ADDRESS_VARIABLE = "QMTL_ADDRESS"
TOKEN_VARIABLE = "QMTL_TOKEN"
CALL_S = 15.0


@dataclass(frozen=True, slots=True)
class Gateway:
    """Where a mesh is and who asks. Empty fields are found: environment, then the running mesh of the home.

    `outage_s_max` is how long an unreachable mesh is waited for before a run gives up.
    """

    address: str = ""
    token: str = ""
    home: Path | None = None
    ca: Path | None = None
    outage_s_max: float = 60.0


@dataclass(frozen=True, slots=True)
class Client:
    """Stubs on one channel, all through the gateway."""

    strategies: strategyrpc.StrategyServiceAsyncStub
    events: eventrpc.EventServiceAsyncStub
    trading: tradingrpc.TradingServiceAsyncStub
    queues: queuerpc.QueueServiceAsyncStub
    worlds: worldrpc.WorldServiceAsyncStub
    policies: policyrpc.PolicyServiceAsyncStub
    bindings: bindingrpc.BindingServiceAsyncStub
    evaluation: evaluationrpc.EvaluationServiceAsyncStub
    activation: activationrpc.ActivationServiceAsyncStub
    applies: applyrpc.ApplyServiceAsyncStub
    audit: auditrpc.AuditServiceAsyncStub
    accounts: accountrpc.AccountServiceAsyncStub
    orders: orderrpc.OrderServiceAsyncStub
    portfolios: portfoliorpc.PortfolioServiceAsyncStub
    data: datarpc.DataServiceAsyncStub
    data_sessions: datasessionrpc.DataSessionServiceAsyncStub
    catalogue: cataloguerpc.CatalogueServiceAsyncStub
    queue_catalogue: queuecataloguerpc.QueueCatalogueServiceAsyncStub
    address: str


@asynccontextmanager
async def open_client(gateway: Gateway, environ: Mapping[str, str] = os.environ) -> AsyncIterator[Client]:
    """Open the channel to a gateway; it connects when first used, and again after every break."""
    address = gateway.address or environ.get(ADDRESS_VARIABLE) or gateway_address(find_home(gateway.home))
    token = token_source(gateway, environ)
    async with connect(address, user_token=token, ca=gateway.ca, default_timeout_s=CALL_S) as channel:
        yield Client(
            strategyrpc.StrategyServiceStub(channel),
            eventrpc.EventServiceStub(channel),
            tradingrpc.TradingServiceStub(channel),
            queuerpc.QueueServiceStub(channel),
            worldrpc.WorldServiceStub(channel),
            policyrpc.PolicyServiceStub(channel),
            bindingrpc.BindingServiceStub(channel),
            evaluationrpc.EvaluationServiceStub(channel),
            activationrpc.ActivationServiceStub(channel),
            applyrpc.ApplyServiceStub(channel),
            auditrpc.AuditServiceStub(channel),
            accountrpc.AccountServiceStub(channel),
            orderrpc.OrderServiceStub(channel),
            portfoliorpc.PortfolioServiceStub(channel),
            datarpc.DataServiceStub(channel),
            datasessionrpc.DataSessionServiceStub(channel),
            cataloguerpc.CatalogueServiceStub(channel),
            queuecataloguerpc.QueueCatalogueServiceStub(channel),
            address,
        )


def token_source(gateway: Gateway, environ: Mapping[str, str] = os.environ) -> TokenSource:
    """The token given, that of the environment, or the local operator token, read again when its file changes."""
    told = gateway.token or environ.get(TOKEN_VARIABLE, "")
    return (lambda: told) if told else file_token(user_token_path(find_home(gateway.home), Role.OPERATOR))
