"""The wall clock of a whole mesh is set under traffic: what should pass passes, what should be denied is denied."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import pytest

from qmtl.broker.v1 import order_pb2 as orderpb
from qmtl.core.errors import Unauthenticated
from qmtl.core.roles import Role
from qmtl.rpc.auth.tokens import mint_user_token
from qmtl.rpc.steady import SteadyClock
from tests.gateway.harness import GatewayHarness, gateway_status, running_harness
from tests.gateway.orders.test_service import trading_world, verdict
from tests.mesh.gateway_client import client_over
from tests.support.clocks import SetSystem

SESSION_S = 7.0  # a gate session's ttl and both margins


@pytest.fixture
def machine() -> SetSystem:
    return SetSystem()


@pytest.fixture
async def harness(tmp_path: Path, nats_url: str, machine: SetSystem) -> AsyncIterator[GatewayHarness]:
    async with running_harness(tmp_path, nats_url, lambda: SteadyClock(machine)) as harness:
        yield harness


async def test_orders_pass_and_are_denied_as_before(harness: GatewayHarness, machine: SetSystem) -> None:
    ann, world, strategy_id = await trading_world(harness)
    for by_s in (-3600.0, 3620.0):
        machine.set_by(by_s)
        until, asked = time.monotonic() + SESSION_S, 0
        while time.monotonic() < until:
            assert await verdict(ann, world, strategy_id) is None, by_s
            assert await verdict(ann, world, "s-other") == orderpb.DENIAL_GATE_INACTIVE, by_s
            asked += 1
        assert asked > 10


async def test_status_tells_and_tokens_hold(harness: GatewayHarness, machine: SetSystem) -> None:
    ann = await harness.client()
    machine.set_by(-3600)
    told = {one.name: one.detail for one in (await gateway_status(ann)).status.dependencies}
    assert told["clock"].startswith("wall clock set back by 3600.")
    short = mint_user_token(harness.home, Role.READER, "bob", ttl=timedelta(minutes=1), clock=machine)
    assert (await gateway_status(client_over(await harness.channel(token=short)))).status.service == "gateway"
    over = mint_user_token(harness.home, Role.READER, "eve", ttl=timedelta(minutes=-5), clock=machine)
    with pytest.raises(Unauthenticated) as refused:
        await gateway_status(client_over(await harness.channel(token=over)))
    assert refused.value.reason == "E_TOKEN_EXPIRED"
