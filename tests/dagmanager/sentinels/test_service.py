"""Shares of the traffic over a real wire: who may change them."""

from __future__ import annotations

import pytest

from qmtl.core.errors import NotFound, PermissionDenied
from qmtl.core.roles import Role
from qmtl.dag.v1 import diff_service_pb2 as diffservicepb
from qmtl.dag.v1 import hotfix_service_pb2 as hotfixservicepb
from qmtl.dag.v1 import sentinel_service_pb2 as sentinelservicepb
from tests.dagmanager.graphs import chain, context
from tests.dagmanager.serving import Served, chunks, diff_request


async def test_a_version_that_is_live_nowhere_still_belongs_to_its_worlds(served: Served) -> None:
    async with served.stub() as gateway:
        await chunks(gateway, diff_request(chain(1), "r1", "theirs", [context("w2")]))
        await gateway.diffs.ReleasePlan(
            diffservicepb.ReleasePlanRequest(strategy_id="theirs", version=1, world_id="w2")
        )
    async with served.stub(role=Role.OPERATOR, worlds=["w1"]) as stub:
        for refused in (
            stub.sentinels.SetTrafficWeight(
                sentinelservicepb.SetTrafficWeightRequest(sentinel_id="theirs@1", traffic_weight="0.5")
            ),
            stub.hotfixes.RedoDiff(
                hotfixservicepb.RedoDiffRequest(request_id="r2", strategy_id="theirs", version=1, hotfix_label="h")
            ),
        ):
            with pytest.raises(PermissionDenied) as caught:
                await refused
            assert caught.value.reason == "E_WORLD_FORBIDDEN"


async def test_a_weight_needs_an_operator(served: Served) -> None:
    async with served.stub() as gateway:
        await chunks(gateway, diff_request(chain(1), "r1", "s1"))
    async with served.stub(role=Role.READER) as stub:
        with pytest.raises(PermissionDenied):
            await stub.sentinels.SetTrafficWeight(
                sentinelservicepb.SetTrafficWeightRequest(sentinel_id="s1@1", traffic_weight="0.5")
            )
    async with served.stub(role=Role.OPERATOR) as stub:
        (before,) = (
            await stub.sentinels.ListSentinels(sentinelservicepb.ListSentinelsRequest(strategy_id="s1"))
        ).sentinels
        change = sentinelservicepb.SetTrafficWeightRequest(sentinel_id="s1@1", traffic_weight="0.5", etag=before.etag)
        after = (await stub.sentinels.SetTrafficWeight(change)).sentinel
        assert (after.traffic_weight, after.sentinel_revision) == ("0.5", 2)
        with pytest.raises(NotFound, match="E_SENTINEL_UNKNOWN"):
            await stub.sentinels.SetTrafficWeight(sentinelservicepb.SetTrafficWeightRequest(sentinel_id="s1@9"))
