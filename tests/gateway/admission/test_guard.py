"""When something is away or too much: safe decisions, breakers, levels, limits; and the live guard."""

from __future__ import annotations

import asyncio
from pathlib import Path

import grpc
import pytest
from grpc import aio

from qmtl.broker.v1 import order_pb2 as orderpb
from qmtl.common.v1 import common_pb2 as commonpb
from qmtl.core.errors import NotFound, PermissionDenied, Unavailable
from qmtl.core.roles import Role
from qmtl.gateway.v1 import gateway_status_service_pb2 as gatewaystatuspb
from qmtl.gateway.v1 import strategy_service_pb2 as strategyservicepb
from qmtl.gateway.v1 import trading_service_pb2 as tradingservicepb
from qmtl.gateway.v1.strategy_service_pb2_grpc import StrategyServiceStub
from qmtl.rpc.auth.tokens import mint_user_token
from qmtl.world.v1 import activation_service_pb2 as activationservicepb
from qmtl.world.v1.activation_service_pb2_grpc import ActivationServiceStub
from tests.gateway.harness import (
    GatewayHarness,
    gateway_status,
    level_is,
    make_world,
    request_for,
    running_harness,
    submitted,
)
from tests.mesh.gateway_client import in_chunks
from tests.support.waiting import eventually

ROLE_TTL_S = 11


async def test_no_submission_without_worldservice_and_its_breaker_opens_and_closes(harness: GatewayHarness) -> None:
    ann = await harness.client()
    world = await make_world(ann)
    await harness.stop("worldservice")

    async def breaker_is_closed(closed: bool) -> bool:
        found = {one.name: one.breaker for one in (await gateway_status(ann)).status.dependencies}
        return (found["worldservice"] == commonpb.BREAKER_STATE_CLOSED) == closed

    await eventually(lambda: level_is(ann, gatewaystatuspb.DEGRADATION_LEVEL_MINIMAL))
    with pytest.raises(Unavailable) as refused:
        await ann.strategies.SubmitStrategy(in_chunks(request_for(world)), timeout=1.0)
    assert refused.value.reason == "E_DEGRADED"
    await eventually(lambda: breaker_is_closed(False))
    await harness.start("worldservice")
    await eventually(lambda: breaker_is_closed(True))
    await eventually(lambda: level_is(ann, gatewaystatuspb.DEGRADATION_LEVEL_PARTIAL))
    await submitted(ann, world)


async def test_cancel_passes_long_after_worldservice_went_away(harness: GatewayHarness) -> None:
    ann, bob = await harness.client(Role.OPERATOR), await harness.client(Role.READER, "bob")
    await harness.stop("worldservice")
    harness.clock.slept_s = ROLE_TTL_S
    key = orderpb.OrderKey(account="none", world_id="w", strategy_id="s", client_order_id="o")
    with pytest.raises(NotFound):
        await ann.trading.CancelOrder(tradingservicepb.CancelOrderRequest(key=key))
    with pytest.raises(PermissionDenied):
        await bob.trading.CancelOrder(tradingservicepb.CancelOrderRequest(key=key))


async def test_identity_that_calls_too_often_is_told_when_to_come_back(tmp_path: Path, nats_url: str) -> None:
    async with running_harness(tmp_path, nats_url, rate_per_s=0.5, rate_burst=500.0) as harness:
        token = mint_user_token(harness.home, Role.READER, "hasty")
        async with aio.insecure_channel(harness.mesh_address("gateway")) as channel:
            stub = StrategyServiceStub(channel)
            said = (("authorization", f"Bearer {token}"),)

            async def call() -> grpc.StatusCode:
                try:
                    await stub.ListStrategies(strategyservicepb.ListStrategiesRequest(), metadata=said)
                except aio.AioRpcError as error:
                    return error.code()
                return grpc.StatusCode.OK

            codes = [code for _ in range(11) for code in await asyncio.gather(*(call() for _ in range(50)))]
            narrowing = ActivationServiceStub(channel).SetActivation
            for _ in range(20):  # what narrows is judged, and never too often
                with pytest.raises(aio.AioRpcError) as judged:
                    await narrowing(activationservicepb.SetActivationRequest(world_id="w-none"), metadata=said)
                assert judged.value.code() == grpc.StatusCode.INVALID_ARGUMENT
        assert set(codes) == {grpc.StatusCode.OK, grpc.StatusCode.RESOURCE_EXHAUSTED}
        assert 500 <= codes.count(grpc.StatusCode.OK) <= 510
        ann = await harness.client()
        assert (await gateway_status(ann)).status.service == "gateway"
