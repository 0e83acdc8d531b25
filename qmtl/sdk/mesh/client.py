"""The gateway as the SDK uses it: one channel, its stubs; address and token are found where none is given."""

from __future__ import annotations

import logging
import os
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass

from qmtl.broker.v1 import account_service_pb2_grpc as accountrpc
from qmtl.broker.v1 import instrument_service_pb2_grpc as instrumentrpc
from qmtl.broker.v1 import order_service_pb2_grpc as orderrpc
from qmtl.broker.v1 import portfolio_service_pb2_grpc as portfoliorpc
from qmtl.config.endpoint import EndpointOptions, find_endpoint
from qmtl.dag.v1 import queue_catalogue_service_pb2_grpc as queuecataloguerpc
from qmtl.data.v1 import catalogue_service_pb2_grpc as cataloguerpc
from qmtl.data.v1 import data_service_pb2_grpc as datarpc
from qmtl.data.v1 import data_session_service_pb2_grpc as datasessionrpc
from qmtl.data.v1 import feature_service_pb2_grpc as featurerpc
from qmtl.gateway.v1 import event_service_pb2_grpc as eventrpc
from qmtl.gateway.v1 import queue_service_pb2_grpc as queuerpc
from qmtl.gateway.v1 import strategy_service_pb2_grpc as strategyrpc
from qmtl.gateway.v1 import trading_service_pb2_grpc as tradingrpc
from qmtl.rpc.client.gateway import open_gateway, unreachable
from qmtl.world.v1 import activation_service_pb2_grpc as activationrpc
from qmtl.world.v1 import allocation_service_pb2_grpc as allocationrpc
from qmtl.world.v1 import apply_service_pb2_grpc as applyrpc
from qmtl.world.v1 import audit_service_pb2_grpc as auditrpc
from qmtl.world.v1 import binding_service_pb2_grpc as bindingrpc
from qmtl.world.v1 import campaign_service_pb2_grpc as campaignrpc
from qmtl.world.v1 import divergence_service_pb2_grpc as divergencerpc
from qmtl.world.v1 import evaluation_service_pb2_grpc as evaluationrpc
from qmtl.world.v1 import policy_service_pb2_grpc as policyrpc
from qmtl.world.v1 import world_service_pb2_grpc as worldrpc

CALL_S = 15.0
log = logging.getLogger("qmtl.sdk.mesh")


@dataclass(frozen=True, slots=True)
class Gateway(EndpointOptions):
    """Where a mesh is and who asks. An empty field is looked up: environment, then the mesh of the home.

    `address`: host:port. `token` or `token_file`. `ca`: the CA's file, for TLS; `cert` and `key`: a client's own pair
    where the gateway demands one. qmtl.config.endpoint says what wins over what, and the names in the environment.
    `outage_s_max` is how long an unreachable mesh is waited for before a run gives up.
    """

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
    allocations: allocationrpc.AllocationServiceAsyncStub
    campaigns: campaignrpc.CampaignServiceAsyncStub
    divergence: divergencerpc.DivergenceServiceAsyncStub
    accounts: accountrpc.AccountServiceAsyncStub
    instruments: instrumentrpc.InstrumentServiceAsyncStub
    orders: orderrpc.OrderServiceAsyncStub
    portfolios: portfoliorpc.PortfolioServiceAsyncStub
    data: datarpc.DataServiceAsyncStub
    data_sessions: datasessionrpc.DataSessionServiceAsyncStub
    catalogue: cataloguerpc.CatalogueServiceAsyncStub
    features: featurerpc.FeatureServiceAsyncStub
    queue_catalogue: queuecataloguerpc.QueueCatalogueServiceAsyncStub
    address: str


@asynccontextmanager
async def open_client(gateway: Gateway, environ: Mapping[str, str] = os.environ) -> AsyncIterator[Client]:
    """Open the channel to a gateway; it connects when first used, and again after every break.

    What keeps a gateway from answering now is logged within two seconds, and raised at once where waiting cannot help:
    Unavailable (E_GATEWAY_UNREACHABLE) for certificates, NotReady (E_NOT_RUNNING) for a local mesh that does not run.
    """
    endpoint = find_endpoint(gateway, environ)
    async with open_gateway(endpoint, CALL_S) as channel:
        if (why := await unreachable(endpoint)) is not None:
            if not why.may_pass:
                raise why.error
            log.warning("%s; trying for %g s", why.error.message, gateway.outage_s_max)
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
            allocationrpc.AllocationServiceStub(channel),
            campaignrpc.CampaignServiceStub(channel),
            divergencerpc.DivergenceServiceStub(channel),
            accountrpc.AccountServiceStub(channel),
            instrumentrpc.InstrumentServiceStub(channel),
            orderrpc.OrderServiceStub(channel),
            portfoliorpc.PortfolioServiceStub(channel),
            datarpc.DataServiceStub(channel),
            datasessionrpc.DataSessionServiceStub(channel),
            cataloguerpc.CatalogueServiceStub(channel),
            featurerpc.FeatureServiceStub(channel),
            queuecataloguerpc.QueueCatalogueServiceStub(channel),
            endpoint.address,
        )
