"""Two replicas on one PostgreSQL serve one world: neither undoes the other, and either continues an apply."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from qmtl.common.v1 import common_pb2 as commonpb
from qmtl.config.settings import MeshSettings
from qmtl.core.errors import NotReady
from qmtl.core.roles import Role
from qmtl.rpc.auth.tokens import mint_service_token, mint_user_token
from qmtl.rpc.client.channel import connect
from qmtl.rpc.run import Runtime
from qmtl.world.v1 import activation_pb2 as activationpb
from qmtl.world.v1 import activation_service_pb2 as activationservicepb
from qmtl.world.v1 import apply_pb2 as applypb
from qmtl.world.v1 import apply_service_pb2 as applyservicepb
from qmtl.world.v1 import binding_pb2 as bindingpb
from qmtl.world.v1 import binding_service_pb2 as bindingservicepb
from qmtl.world.v1 import decision_pb2 as decisionpb
from qmtl.world.v1 import evaluation_service_pb2 as evaluationservicepb
from qmtl.world.v1 import gate_service_pb2 as gateservicepb
from qmtl.world.v1 import policy_service_pb2 as policyservicepb
from qmtl.world.v1 import world_graph_pb2 as worldgraphpb
from qmtl.world.v1 import world_graph_service_pb2 as worldgraphservicepb
from qmtl.world.v1 import world_service_pb2 as worldservicepb
from tests.support.nats import free_port
from tests.support.world_stubs import WorldStubs
from tests.worldservice.harness import LONG, WorldHarness, evaluation, eventually, raising, running_harness
from tests.worldservice.samples import CLAIMS
from worldservice.__main__ import compose
from worldservice.config import Settings

COMPLETED = applypb.APPLY_STATE_COMPLETED


class Replicas:
    """Two services over one store; a user's stub on each."""

    def __init__(self, harness: WorldHarness, url: str, stack: AsyncExitStack) -> None:
        self.harness, self._url, self._stack = harness, url, stack
        self._running: dict[int, tuple[Runtime, asyncio.Task[None]]] = {}
        self.stubs: list[WorldStubs] = []

    async def start(self, number: int) -> None:
        addresses = {**self.harness.addresses, "worldservice": f"127.0.0.1:{free_port()}"}
        mesh = MeshSettings(home=self.harness.home, nats_url=self.harness.mesh.nats_url, addresses=addresses)
        settings = Settings(service="worldservice", mesh=mesh, metrics_port=0, database_url=self._url)
        runtime = Runtime(settings, "worldservice", self.harness.clock)
        self._running[number] = (runtime, asyncio.create_task(compose(runtime, settings)))
        user = mint_user_token(self.harness.home, Role.OWNER, "ann", clock=self.harness.clock)
        service = mint_service_token(self.harness.home, "gateway", clock=self.harness.clock)
        channel = connect(addresses["worldservice"], user_token=lambda: user, service_token=lambda: service)
        self.stubs.append(WorldStubs(await self._stack.enter_async_context(channel)))
        host, port = addresses["worldservice"].split(":")

        async def answers() -> bool:
            if self._running[number][1].done():
                self._running[number][1].result()
            try:
                _, writer = await asyncio.open_connection(host, int(port))
            except OSError:
                return False
            writer.close()
            return True

        await eventually(answers)

    async def stop(self, number: int) -> None:
        runtime, task = self._running.pop(number)
        runtime.stop()
        await task
        await runtime.close()

    async def stop_all(self) -> None:
        for number in list(self._running):
            await self.stop(number)


@pytest.fixture
async def replicas(tmp_path: Path, nats_url: str, postgres_url: str) -> AsyncIterator[Replicas]:
    async with running_harness(tmp_path, nats_url) as harness, AsyncExitStack() as stack:
        await harness.stop()
        made = Replicas(harness, postgres_url, stack)
        stack.push_async_callback(made.stop_all)
        for number in (0, 1):
            await made.start(number)
        one = made.stubs[0]
        await one.worlds.CreateWorld(worldservicepb.CreateWorldRequest(world_id="w1"))
        await one.policies.PutPolicy(
            policyservicepb.PutPolicyRequest(world_id="w1", document=CLAIMS, make_default=True)
        )
        for name in ("s", "t"):
            await one.bindings.BindStrategy(bindingservicepb.BindStrategyRequest(world_id="w1", strategy_id=name))
            await one.evaluation.Evaluate(evaluation(harness, "w1", name))
            await one.activation.SetActivation(raising("w1", name))
        yield made


def weighted(weight: float) -> activationservicepb.SetActivationRequest:
    change = activationpb.ActivationChange(strategy_id="s", side=LONG, weight=str(weight))
    return activationservicepb.SetActivationRequest(world_id="w1", changes=[change])


def plan(run_id: str) -> applyservicepb.ApplyRequest:
    target = applypb.ApplyTarget(strategy_id="t", side=LONG, weight="0.5", stage=bindingpb.STAGE_PAPER)
    targets = applypb.ApplyTargets(targets=[target])
    return applyservicepb.ApplyRequest(world_id="w1", run_id=run_id, targets=targets)


async def test_changes_through_both_make_one_history(replicas: Replicas) -> None:
    calls = [replicas.stubs[number % 2].activation.SetActivation(weighted(number / 20)) for number in range(1, 17)]
    replies = [reply.activation for reply in await asyncio.gather(*calls)]
    revisions = sorted(reply.world_revision for reply in replies)
    assert revisions == list(range(revisions[0], revisions[0] + 16))
    last = max(replies, key=lambda reply: reply.world_revision)
    for stub in replicas.stubs:
        shown = (
            await stub.activation.GetActivation(activationservicepb.GetActivationRequest(world_id="w1"))
        ).activation
        assert (shown.world_revision, shown.state_hash) == (last.world_revision, last.state_hash)
    assert replicas.harness.brokerage.state("w1")[0] == last.fence_epoch


async def test_both_decide_the_same(replicas: Replicas) -> None:
    first, second = [
        (await stub.evaluation.Decide(evaluationservicepb.DecideRequest(world_id="w1"))).decision
        for stub in replicas.stubs
    ]
    assert first == second


async def test_a_bind_knows_what_the_other_has_written(replicas: Replicas) -> None:
    one, two = replicas.stubs
    request = bindingservicepb.BindStrategyRequest(world_id="w1", strategy_id="s")
    await one.bindings.BindStrategy(request)
    await two.worlds.UpdateWorld(
        worldservicepb.UpdateWorldRequest(
            world_id="w1", circuit_breaker=True, update_mask={"paths": ["circuit_breaker"]}
        )
    )
    told = (await one.bindings.BindStrategy(request)).decision
    assert list(told.reasons) == [decisionpb.DECISION_REASON_CIRCUIT_BREAKER]
    assert told == (await two.evaluation.Decide(evaluationservicepb.DecideRequest(world_id="w1"))).decision


async def test_one_apply_whichever_is_asked_and_whoever_is_left_finishes_it(replicas: Replicas) -> None:
    one, two = replicas.stubs
    await one.gates.OpenGateSession(gateservicepb.OpenGateSessionRequest(gateway_id="g", boot_id="b"))
    asked = await asyncio.gather(one.applies.Apply(plan("r1")), two.applies.Apply(plan("r2")), return_exceptions=True)
    refused = [answer for answer in asked if isinstance(answer, BaseException)]
    assert len(refused) == 1
    assert isinstance(refused[0], NotReady)
    run_id = "r2" if isinstance(asked[0], BaseException) else "r1"
    owner = 1 if run_id == "r2" else 0
    await replicas.stop(owner)
    left = replicas.stubs[1 - owner]
    for sequence in (1, 3):
        await left.gates.AckActivation(
            gateservicepb.AckActivationRequest(
                world_id="w1", run_id=run_id, apply_sequence=sequence, gateway_id="g", boot_id="b"
            )
        )

    async def ended() -> bool:
        replicas.harness.clock.advance(0.1)
        run = (await left.applies.GetApplyRun(applyservicepb.GetApplyRunRequest(world_id="w1", run_id=run_id))).run
        return run.state == COMPLETED

    await eventually(ended)


async def test_an_edge_switched_off_at_one_is_off_at_the_other(replicas: Replicas) -> None:
    """Also when nodes, overrides and binds come through both at once."""
    here, there = replicas.stubs
    a, b, c = (f"blake3:{letter * 64}" for letter in "abc")
    tell = [
        bindingservicepb.BindStrategyRequest(world_id="w1", strategy_id=name, node_ids=n)
        for name, n in (("s", [a, b]), ("t", [a, c]))
    ]
    edge = worldgraphpb.EdgeOverride(
        world_id="w1", from_node_id=a, to_node_id=b, to_domain=commonpb.EXECUTION_DOMAIN_DRYRUN
    )
    await asyncio.gather(
        here.bindings.BindStrategy(tell[0]),
        there.bindings.BindStrategy(tell[1]),
        there.world_graph.PutEdgeOverride(worldgraphservicepb.PutEdgeOverrideRequest(override=edge)),
    )
    for stub in replicas.stubs:
        reply = await stub.evaluation.ListReports(evaluationservicepb.ListReportsRequest(world_id="w1"))
        assert list(reply.decision.selected) == ["t"]
        with pytest.raises(NotReady):
            await stub.activation.SetActivation(raising("w1", "s"))
        bound = await stub.bindings.BindStrategy(
            bindingservicepb.BindStrategyRequest(world_id="w1", strategy_id="u", node_ids=[a])
        )
        assert list(bound.decision.selected) == ["t"]
    gone = worldgraphservicepb.DeleteEdgeOverrideRequest(
        world_id="w1", from_node_id=a, to_node_id=b, to_domain=commonpb.EXECUTION_DOMAIN_DRYRUN
    )
    await there.world_graph.DeleteEdgeOverride(gone)
    again = await here.bindings.BindStrategy(
        bindingservicepb.BindStrategyRequest(world_id="w1", strategy_id="v", node_ids=[a])
    )
    assert sorted(again.decision.selected) == ["s", "t"]
