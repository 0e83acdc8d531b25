"""Who may change what: the token's role in the mesh, or the grants of every world a change concerns."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

from dagmanager.config import Settings
from qmtl.config.settings import MeshSettings
from qmtl.core.errors import NotFound, PermissionDenied, Unavailable
from qmtl.core.identity.nodes import QueueClass
from qmtl.core.roles import Role
from qmtl.dag.v1 import graph_service_pb2 as graphservicepb
from qmtl.dag.v1 import hotfix_service_pb2 as hotfixservicepb
from qmtl.dag.v1 import maintenance_service_pb2 as maintenanceservicepb
from qmtl.dag.v1 import plan_service_pb2 as planservicepb
from qmtl.dag.v1 import sentinel_service_pb2 as sentinelservicepb
from tests.dagmanager.graphs import chain, context, node
from tests.dagmanager.serving import Served, asking, diff_request, running
from tests.support.nats import free_port


async def submitted(served: Served, strategy_id: str, worlds: Sequence[str]) -> list[str]:
    """A strategy in these worlds; the ComputeKeys of its queues, by world."""
    async with served.stub() as stub:
        nodes = chain(1, strategy_id, queue_class=QueueClass.RAW)
        request = diff_request(nodes, f"r-{strategy_id}", strategy_id, [context(world) for world in worlds])
        return [
            each.compute_key async for reply in stub.diffs.Diff(asking(request)) for each in reply.chunk.assignments
        ]


def half(strategy_id: str) -> sentinelservicepb.SetTrafficWeightRequest:
    return sentinelservicepb.SetTrafficWeightRequest(sentinel_id=f"{strategy_id}@1", traffic_weight="0.5")


async def test_a_grant_of_the_world_is_enough(served: Served) -> None:
    await submitted(served, "s1", ["w1"])
    served.grants.roles = {"w1": {"alice": Role.OPERATOR}}
    async with served.stub(role=Role.READER) as stub:
        assert (await stub.sentinels.SetTrafficWeight(half("s1"))).sentinel.traffic_weight == "0.5"
        redo = hotfixservicepb.RedoDiffRequest(request_id="redo", strategy_id="s1", version=1, hotfix_label="fix")
        assert (await stub.hotfixes.RedoDiff(redo)).plan.version == 2


@pytest.mark.parametrize("roles", [{}, {"w1": {}}, {"w1": {"bob": Role.OWNER}}, {"w1": {"alice": Role.READER}}])
async def test_without_a_grant_of_the_world_a_reader_changes_nothing(
    served: Served, roles: dict[str, dict[str, Role]]
) -> None:
    (key,) = await submitted(served, "s1", ["w1"])
    served.grants.roles = roles
    async with served.stub(role=Role.READER) as stub:
        for refused in (
            stub.sentinels.SetTrafficWeight(half("s1")),
            stub.hotfixes.RedoDiff(
                hotfixservicepb.RedoDiffRequest(request_id="r", strategy_id="s1", version=1, hotfix_label="fix")
            ),
            stub.maintenance.CollectGarbage(
                maintenanceservicepb.CollectGarbageRequest(compute_keys=[key], dry_run=True)
            ),
        ):
            with pytest.raises(PermissionDenied) as caught:
                await refused
            assert caught.value.reason == "E_ROLE_REQUIRED"


async def test_a_change_that_concerns_two_worlds_needs_a_grant_of_both(served: Served) -> None:
    await submitted(served, "s1", ["w1", "w2"])
    served.grants.roles = {"w1": {"alice": Role.OPERATOR}, "w2": {}}
    async with served.stub(role=Role.READER) as stub:
        with pytest.raises(PermissionDenied):
            await stub.sentinels.SetTrafficWeight(half("s1"))
        served.grants.roles["w2"] = {"alice": Role.OPERATOR}
        assert (await stub.sentinels.SetTrafficWeight(half("s1"))).sentinel.traffic_weight == "0.5"
    async with served.stub(role=Role.OPERATOR, worlds=["w1"]) as stub:
        with pytest.raises(PermissionDenied) as caught:
            await stub.sentinels.SetTrafficWeight(half("s1"))
        assert caught.value.reason == "E_WORLD_FORBIDDEN"


async def test_versions_in_other_worlds_share_the_traffic_and_are_asked_too(served: Served) -> None:
    async with served.stub() as stub:
        for index, world in enumerate(("w1", "w2")):
            request = diff_request(chain(index + 1), f"r{index}", "s1", [context(world)])
            assert [reply async for reply in stub.diffs.Diff(asking(request))]
    async with served.stub(role=Role.OPERATOR, worlds=["w1"]) as stub:
        with pytest.raises(PermissionDenied):
            await stub.sentinels.SetTrafficWeight(half("s1"))


async def test_an_operator_of_the_estate_needs_no_worldservice(home: Path, nats_url: str) -> None:
    addresses = {"worldservice": f"127.0.0.1:{free_port()}"}
    mesh = MeshSettings(home=home, nats_url=nats_url, addresses=addresses)
    async with running(Settings(mesh=mesh, bind="127.0.0.1:0")) as port:
        served = Served(home, port)
        await submitted(served, "s1", ["w1"])
        async with served.stub(role=Role.OPERATOR) as stub:
            assert (await stub.sentinels.SetTrafficWeight(half("s1"))).sentinel.traffic_weight == "0.5"
        async with served.stub(role=Role.READER) as stub:
            with pytest.raises(Unavailable):
                await stub.sentinels.SetTrafficWeight(half("s1"))


async def test_garbage_of_all_worlds_is_not_for_tokens_of_some(served: Served) -> None:
    mine, theirs = [(await submitted(served, f"s-{world}", [world]))[0] for world in ("w1", "w2")]
    async with served.stub(role=Role.OPERATOR, worlds=["w1"]) as stub:
        for names in ([], [theirs], ["blake3:0"], [theirs, "blake3:0"]):
            with pytest.raises(PermissionDenied) as caught:
                await stub.maintenance.CollectGarbage(
                    maintenanceservicepb.CollectGarbageRequest(compute_keys=names, dry_run=True)
                )
            assert caught.value.reason == "E_WORLD_FORBIDDEN"
        asked = maintenanceservicepb.CollectGarbageRequest(compute_keys=[mine, theirs, "blake3:0"])
        seen = await stub.maintenance.CollectGarbage(asked)
    said = {each.compute_key: each.kept for each in seen.skipped}
    unknown = maintenanceservicepb.GARBAGE_KEPT_QUEUE_UNKNOWN
    assert said == {mine: maintenanceservicepb.GARBAGE_KEPT_IN_USE, theirs: unknown, "blake3:0": unknown}
    assert seen.observed == 1
    async with served.stub(role=Role.OPERATOR) as stub:
        assert (await stub.maintenance.CollectGarbage(maintenanceservicepb.CollectGarbageRequest())).observed == 0


async def test_garbage_is_not_for_readers(served: Served) -> None:
    async with served.stub(role=Role.READER) as stub:
        with pytest.raises(PermissionDenied) as caught:
            await stub.maintenance.CollectGarbage(maintenanceservicepb.CollectGarbageRequest(dry_run=True))
    assert caught.value.reason == "E_ROLE_REQUIRED"


async def test_a_token_for_one_world_sees_no_node_and_no_world_of_others(served: Served) -> None:
    """A chain of theirs goes on from a node that both submitted."""
    common = chain(1, "common")
    theirs = [*common, node("secret", common[0])]
    async with served.stub() as gateway:
        for index, (nodes, world) in enumerate(((common, "w1"), (theirs, "w2"))):
            request = diff_request(nodes, f"r{index}", f"s{index}", [context(world)])
            assert [reply async for reply in gateway.diffs.Diff(asking(request))]
        both = diff_request(common, "r3", "s0", [context("w1"), context("w3")])
        assert [reply async for reply in gateway.diffs.Diff(asking(both))]
    async with served.stub(role=Role.READER, worlds=["w1"]) as stub:
        listed = [each.node_id for each in (await stub.graph.ListNodes(graphservicepb.ListNodesRequest())).nodes]
        around = await stub.graph.GetGraph(graphservicepb.GetGraphRequest(node_id=common[0].node_id))
        plan = (await stub.plans.GetPlan(planservicepb.GetPlanRequest(strategy_id="s0"))).plan
        for hidden in (theirs[1].node_id, "blake3:0"):
            with pytest.raises(NotFound):
                await stub.graph.GetNode(graphservicepb.GetNodeRequest(node_id=hidden))
        with pytest.raises(NotFound):
            await stub.graph.GetGraph(graphservicepb.GetGraphRequest(node_id=theirs[1].node_id))
    assert listed == [each.node_id for each in around.nodes] == [common[0].node_id]
    assert list(plan.live_worlds) == ["w1"]
    async with served.stub(role=Role.READER) as stub:
        assert len((await stub.graph.GetGraph(graphservicepb.GetGraphRequest(node_id=common[0].node_id))).nodes) == 2
