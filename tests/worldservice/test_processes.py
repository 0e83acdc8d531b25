"""The real worldservice and brokerage as processes, killed in the middle: fence and activation hold."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from qmtl.broker.v1 import fence_pb2 as fencepb
from qmtl.broker.v1 import fence_service_pb2 as fenceservicepb
from qmtl.broker.v1 import fence_service_pb2_grpc as fencerpc
from qmtl.core.clock import SystemClock
from qmtl.core.roles import Role
from qmtl.rpc.auth.keys import ensure_dev_keys
from qmtl.rpc.auth.tokens import mint_service_token, mint_user_token
from qmtl.rpc.client.channel import connect
from qmtl.world.v1 import activation_pb2 as activationpb
from qmtl.world.v1 import activation_service_pb2 as activationservicepb
from qmtl.world.v1 import binding_service_pb2 as bindingservicepb
from qmtl.world.v1 import policy_service_pb2 as policyservicepb
from qmtl.world.v1 import world_service_pb2 as worldservicepb
from tests.support.nats import free_port
from tests.support.processes import python_env
from tests.support.world_stubs import WorldStubs
from tests.worldservice.harness import LONG, evaluation_at, eventually, raising
from tests.worldservice.samples import CLAIMS

SERVICES = ("worldservice", "brokerage")


class Processes:
    """Two services of one home, each a process of its own."""

    def __init__(self, home: Path, nats_url: str, stack: AsyncExitStack) -> None:
        self.home = home
        self.stack = stack
        self.addresses = {name: f"127.0.0.1:{free_port()}" for name in SERVICES}
        self._env = {**python_env(), "QMTL__MESH__HOME": str(home), "QMTL__MESH__NATS_URL": nats_url}
        for name, address in self.addresses.items():
            self._env[f"QMTL__MESH__ADDRESSES__{name.upper()}"] = address
            self._env[f"QMTL__{name.upper()}__METRICS_PORT"] = "0"
        self._running: dict[str, subprocess.Popen[bytes]] = {}

    def start(self, name: str) -> None:
        log = (self.home / f"{name}.log").open("ab")
        self._running[name] = subprocess.Popen(
            [sys.executable, "-m", name], env=self._env, cwd=self.home, stdout=log, stderr=log
        )
        log.close()

    def kill(self, name: str) -> None:
        process = self._running.pop(name)
        process.kill()
        process.wait()

    def kill_all(self) -> None:
        for name in list(self._running):
            self.kill(name)

    async def answers(self, name: str) -> bool:
        process = self._running[name]
        assert process.poll() is None, (self.home / f"{name}.log").read_text()[-3000:]
        host, port = self.addresses[name].split(":")
        try:
            _, writer = await asyncio.open_connection(host, int(port))
        except OSError:
            return False
        writer.close()
        return True

    async def restart(self, name: str) -> None:
        self.start(name)
        await eventually(lambda: self.answers(name), 30)

    async def world(self) -> WorldStubs:
        user, service = mint_user_token(self.home, Role.OWNER, "ann"), mint_service_token(self.home, "gateway")
        channel = connect(self.addresses["worldservice"], user_token=lambda: user, service_token=lambda: service)
        return WorldStubs(await self.stack.enter_async_context(channel))

    async def fence(self, world_id: str) -> tuple[int, str]:
        service = mint_service_token(self.home, "worldservice")
        async with connect(self.addresses["brokerage"], service_token=lambda: service) as channel:
            stub = fencerpc.FenceServiceStub(channel)
            fence = (await stub.GetFence(fenceservicepb.GetFenceRequest(world_id=world_id))).fence
        return fence.fence_epoch, fencepb.FenceState.Name(fence.state).removeprefix("FENCE_STATE_")


@pytest.fixture
async def processes(tmp_path: Path, nats_url: str) -> AsyncIterator[Processes]:
    ensure_dev_keys(tmp_path)
    async with AsyncExitStack() as stack:
        found = Processes(tmp_path, nats_url, stack)
        stack.callback(found.kill_all)
        for name in SERVICES:
            found.start(name)
        for name in SERVICES:
            await eventually(lambda name=name: found.answers(name), 30)  # type: ignore[misc]  # mypy cannot infer a lambda with a default
        yield found


async def trading(processes: Processes) -> WorldStubs:
    ann = await processes.world()
    await ann.worlds.CreateWorld(worldservicepb.CreateWorldRequest(world_id="w1"))
    await ann.policies.PutPolicy(policyservicepb.PutPolicyRequest(world_id="w1", document=CLAIMS, make_default=True))
    await ann.bindings.BindStrategy(bindingservicepb.BindStrategyRequest(world_id="w1", strategy_id="s"))
    await ann.evaluation.Evaluate(evaluation_at(SystemClock().now(), "w1", "s"))
    shown = (await ann.activation.SetActivation(raising("w1", "s"))).activation
    assert not shown.fence_pending
    return ann


async def activation(processes: Processes) -> activationpb.ActivationEnvelope:
    ann = await processes.world()
    return (await ann.activation.GetActivation(activationservicepb.GetActivationRequest(world_id="w1"))).activation


def freeze() -> activationservicepb.SetActivationRequest:
    change = activationpb.ActivationChange(strategy_id="s", side=LONG, freeze=True)
    return activationservicepb.SetActivationRequest(world_id="w1", changes=[change])


async def test_kills_of_either_service_lose_no_narrowing(processes: Processes) -> None:
    ann = await trading(processes)
    assert await processes.fence("w1") == (1, "OPEN")
    before = await activation(processes)

    processes.kill("worldservice")
    await processes.restart("worldservice")
    assert await activation(processes) == before

    processes.kill("brokerage")
    pending = (await ann.activation.SetActivation(freeze())).activation
    assert pending.fence_pending
    processes.kill("worldservice")
    await processes.restart("brokerage")
    assert await processes.fence("w1") == (1, "OPEN")
    await processes.restart("worldservice")

    async def told() -> bool:
        return await processes.fence("w1") == (2, "FROZEN") and not (await activation(processes)).fence_pending

    await eventually(told, 30)
    assert (await activation(processes)).state_hash == pending.state_hash
