"""Decisions through the gateway: remembered for their ttl, forgotten at writes, safe when worldservice is away."""

from __future__ import annotations

import asyncio
import signal
import socket
import time
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import pytest

from gateway.peers import Peers
from gateway.proxy.decision_cache import DecisionCache
from qmtl.cli.local.supervisor import Mesh
from qmtl.common.v1 import common_pb2 as commonpb
from qmtl.core.clock import VirtualClock
from qmtl.core.errors import PermissionDenied
from qmtl.core.roles import Role
from qmtl.gateway.v1 import gateway_status_service_pb2 as gatewaystatuspb
from qmtl.rpc.auth.call import Call, enter_call
from qmtl.rpc.auth.identity import Identity
from qmtl.rpc.auth.roles import WorldRoles
from qmtl.world.v1 import decision_pb2 as decisionpb
from qmtl.world.v1 import evaluation_service_pb2 as evaluationservicepb
from qmtl.world.v1 import policy_service_pb2 as policyservicepb
from tests.gateway.harness import GatewayHarness, level_is, make_world
from tests.mesh.gateway_client import GatewayClient, new_world, open_gateway_client
from tests.support.shared.meshes import laid_plan
from tests.support.waiting import eventually
from tests.worldservice.samples import DOCUMENT, NOW

LONGEST_S = 5.0  # for a caller without a deadline: two questions of 2 s each, and the way


async def decision(client: GatewayClient, world_id: str, within_s: float = 5.0) -> decisionpb.DecisionEnvelope:
    return (
        await client.evaluation.Decide(evaluationservicepb.DecideRequest(world_id=world_id), timeout=within_s)
    ).decision


def is_safe(found: decisionpb.DecisionEnvelope) -> bool:
    return found.stale and found.effective_mode == commonpb.EFFECTIVE_MODE_COMPUTE_ONLY and bool(found.reasons)


async def test_decision_is_remembered_for_its_ttl_then_the_safe_default_holds_until_recovery(
    harness: GatewayHarness,
) -> None:
    ann = await harness.client()
    world = await make_world(ann)
    first = await decision(ann, world)
    await harness.stop("worldservice")
    again = await decision(ann, world)
    assert again == first
    harness.clock.slept_s = first.ttl.seconds + 1
    assert is_safe(await decision(ann, world))
    await harness.start("worldservice")

    async def recovered() -> bool:
        return not (await decision(ann, world)).stale

    await eventually(recovered)


async def test_unresponsive_worldservice_gives_the_safe_default_within_the_callers_deadline(
    harness: GatewayHarness,
) -> None:
    ann = await harness.client()
    world = await make_world(ann)
    await harness.stop("worldservice")

    host, port = harness.addresses["worldservice"].split(":")
    with socket.create_server((host, int(port))):  # takes connections and never says a word
        started = time.monotonic()
        assert is_safe(await decision(ann, world, within_s=1.0))
        assert time.monotonic() - started < 1.0


async def test_frozen_worldservice_gives_the_safe_default_in_time_to_each_and_recovery_is_automatic(
    tmp_path: Path,
) -> None:
    """A stopped process keeps its connections and says nothing; nobody's role is remembered either."""
    async with (
        Mesh(laid_plan(tmp_path / "home")) as mesh,
        open_gateway_client(mesh.address("gateway"), mesh.home) as client,
    ):
        world = await new_world(client)

        async def timed(within_s: float | None) -> float:
            """How long a safe default took; the caller's own deadline would raise."""
            started = time.monotonic()
            request = evaluationservicepb.DecideRequest(world_id=world)
            assert is_safe((await client.evaluation.Decide(request, timeout=within_s)).decision)
            return time.monotonic() - started

        mesh.kill("worldservice", signal.SIGSTOP)
        await asyncio.gather(*(timed(within_s) for within_s in (0.4, 1.0, 1.0, 3.0)))
        assert await timed(None) < LONGEST_S
        mesh.kill("worldservice", signal.SIGCONT)

        async def recovered() -> bool:
            return not (await decision(client, world)).stale

        await eventually(recovered)
        await eventually(lambda: level_is(client, gatewaystatuspb.DEGRADATION_LEVEL_NORMAL))


async def test_own_write_is_seen_by_the_next_decision(harness: GatewayHarness) -> None:
    ann = await harness.client()
    world = await make_world(ann)
    before = await decision(ann, world)
    document = DOCUMENT.replace("total: 8", "total: 9")
    put = policyservicepb.PutPolicyRequest(world_id=world, document=document, make_default=True)
    await ann.policies.PutPolicy(put)
    assert (await decision(ann, world)).policy_version == before.policy_version + 1


async def test_decision_of_another_world_is_not_answered_to_a_token_that_may_not_read_it(
    harness: GatewayHarness,
) -> None:
    ann, eve = await harness.client(), await harness.client(Role.OWNER, "eve", ["w-other"])
    world = await make_world(ann)
    await decision(ann, world)
    with pytest.raises(PermissionDenied):
        await decision(eve, world)
    await harness.stop("worldservice")
    with pytest.raises(PermissionDenied):
        await decision(eve, world)


@pytest.mark.parametrize("forgets", [lambda cache: cache.forget("w1"), lambda cache: cache.forget_all()])
async def test_an_answer_on_its_way_is_not_remembered_when_its_world_is_forgotten(
    forgets: Callable[[DecisionCache], None],
) -> None:
    asked: list[asyncio.Event] = []

    async def answer(request: evaluationservicepb.DecideRequest, **_: float) -> evaluationservicepb.DecideResponse:
        asked.append(asyncio.Event())
        await asked[-1].wait()
        found = decisionpb.DecisionEnvelope(world_id=request.world_id, policy_version=len(asked))
        found.ttl.FromSeconds(300)
        return evaluationservicepb.DecideResponse(decision=found)

    async def known(world_id: str, want: Role, patience_s: float) -> None:
        assert want is Role.READER

    peers, roles = SimpleNamespace(evaluation=SimpleNamespace(Decide=answer)), SimpleNamespace(require_known=known)
    cache = DecisionCache(cast("Peers", peers), cast("WorldRoles", roles), VirtualClock(NOW))
    request = evaluationservicepb.DecideRequest(world_id="w1")
    enter_call(Call(identity=Identity("ann", Role.READER, None, "t")))
    for remembered in (False, True):
        asking = asyncio.create_task(cache.decide(request))
        await eventually(lambda: bool(asked) and not asked[-1].is_set())
        if not remembered:
            forgets(cache)
        asked[-1].set()
        await asking
    assert (await cache.decide(request)).policy_version == len(asked) == 2
    forgets(cache)
    asking = asyncio.create_task(cache.decide(request))
    await eventually(lambda: len(asked) == 3)
    asked[-1].set()
    assert (await asking).policy_version == 3
