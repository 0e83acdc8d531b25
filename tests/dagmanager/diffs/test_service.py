"""The service behind its contract: a real server, a real broker, the callers' real tokens."""

from __future__ import annotations

import pytest

from controlbus.bus import connected
from dagmanager.diffs.service import SMALL_BYTES, SMALL_NODES, is_small
from qmtl.core.errors import (
    Conflict,
    InvalidRequest,
    PermissionDenied,
    Unauthenticated,
)
from qmtl.core.roles import Role
from qmtl.dag.v1 import diff_pb2 as diffpb
from qmtl.dag.v1 import diff_service_pb2 as diffservicepb
from qmtl.dag.v1 import hotfix_service_pb2 as hotfixservicepb
from qmtl.dag.v1 import plan_service_pb2 as planservicepb
from qmtl.dag.v1 import sentinel_service_pb2 as sentinelservicepb
from qmtl.dag.v1 import status_service_pb2 as dagstatusservicepb
from qmtl.rpc.chunks import Chunked
from tests.dagmanager.graphs import chain, node
from tests.dagmanager.serving import Served, chunks, diff_request


async def test_a_diff_streams_chunks_of_a_hundred_and_a_summary(served: Served) -> None:
    nodes = chain(250)
    async with served.stub() as stub:
        got = await chunks(stub, diff_request(nodes, "r1", "s1"))
    assert [len(chunk.assignments) for chunk in got] == [100, 100, 50]
    assert [chunk.chunk_index for chunk in got] == [0, 1, 2]
    assert [chunk.HasField("summary") for chunk in got] == [False, False, True]
    assert (got[-1].summary.new_nodes, got[-1].summary.chunks) == (250, 3)
    assert {each.node_id for chunk in got for each in chunk.assignments} == {each.node_id for each in nodes}


async def test_a_lost_stream_resumes_where_it_was(served: Served) -> None:
    request = diff_request(chain(250), "r1", "s1")
    async with served.stub() as stub:
        whole = await chunks(stub, request)
        request.from_chunk = 1
        assert await chunks(stub, request) == whole[1:]
        request.ClearField("dag")
        assert await chunks(stub, request) == whole[1:]
        request.from_chunk = 3
        with pytest.raises(InvalidRequest) as caught:
            await chunks(stub, request)
        assert caught.value.reason == "E_CHUNK_OUT_OF_RANGE"
        request.request_id = "never sent"
        with pytest.raises(InvalidRequest) as caught:
            await chunks(stub, request)
        assert caught.value.reason == "E_REQUEST_UNKNOWN"


async def test_a_small_diff_is_answered_in_one_message_and_resumes_by_stream(served: Served) -> None:
    request = diff_request(chain(120), "r1", "s1")
    async with served.stub() as stub:
        first = (await stub.diffs.DiffSmall(diffservicepb.DiffSmallRequest(question=request))).chunk
        whole = await chunks(stub, request)
        assert [first, len(whole)] == [whole[0], 2]
        request.from_chunk = 1
        request.ClearField("dag")
        assert await chunks(stub, request) == whole[1:]
        request.from_chunk = 2
        with pytest.raises(InvalidRequest) as caught:
            await stub.diffs.DiffSmall(diffservicepb.DiffSmallRequest(question=request))
        assert caught.value.reason == "E_CHUNK_OUT_OF_RANGE"


async def test_a_dry_run_says_what_a_diff_would(served: Served) -> None:
    made = diff_request(chain(3), "r1", "s1")
    async with served.stub() as stub:
        (said,) = [
            reply.chunk
            async for reply in stub.diffs.DryRunDiff(
                Chunked(diffservicepb.DryRunDiffRequest, diffpb.DiffQuestion(dag=made.dag, contexts=made.contexts))
            )
        ]
        (done,) = await chunks(stub, made)
    assert list(said.assignments) == list(done.assignments)
    assert said.summary.version == 0


async def test_bad_dags_are_refused_with_stable_reasons(served: Served) -> None:
    good = diff_request(chain(2), "r1", "s1")
    wrong_id = diff_request(chain(2), "r1", "s1")
    wrong_id.dag.nodes[1].spec.period += 1
    orphan = diff_request(chain(2), "r1", "s1")
    del orphan.dag.nodes[0]
    looped = diff_request(chain(2), "r1", "s1")
    looped.dag.nodes[0].spec.dependencies.append(looped.dag.nodes[1].node_id)
    looped.dag.nodes[0].input_ids.append(looped.dag.nodes[1].node_id)
    too_many = diff_request([], "r1", "s1")
    too_many.dag.nodes.extend([good.dag.nodes[0]] * 11_000)
    nowhere = diff_request(chain(2), "r1", "s1", [])
    nobody = diff_request(chain(2), "r1", "")
    unknown = diff_request(chain(2), "r1", "s1")
    unknown.contexts[0].execution_domain = 9  # type: ignore[assignment]  # a domain of a later build
    cases = {
        "E_NODE_ID_MISMATCH": wrong_id,
        "E_UNKNOWN_DEPENDENCY": orphan,
        "E_CYCLE": looped,
        "E_TOO_MANY_NODES": too_many,
        "E_WORLD_IDS_REQUIRED": nowhere,
        "E_REQUEST_FIELDS": nobody,
        "E_ENUM": unknown,
    }
    async with served.stub() as stub:
        for reason, request in cases.items():
            with pytest.raises(InvalidRequest) as caught:
                await chunks(stub, request)
            assert caught.value.reason == reason
        assert await chunks(stub, good)


async def test_eight_mebibytes_are_answered(served: Served) -> None:
    """As much as the gateway lets come here; it must do no harm."""
    request = diff_request([node("n")], "r1", "s1")
    request.dag.nodes[0].spec.params.update({f"pad{index}": "x" * 95_000 for index in range(90)})
    assert request.ByteSize() > 8 * 1024 * 1024
    async with served.stub() as stub:
        with pytest.raises(InvalidRequest) as caught:
            await chunks(stub, request)
        assert caught.value.reason == "E_NODE_ID_MISMATCH"
        assert (await stub.status.GetStatus(dagstatusservicepb.GetStatusRequest())).nodes == 0


def test_few_nodes_of_many_bytes_are_not_small() -> None:
    """They are parsed in another thread, as many nodes are: the loop serves the others meanwhile."""
    few, many = diff_request(chain(SMALL_NODES), "r", "s").dag, diff_request(chain(SMALL_NODES + 1), "r", "s").dag
    assert is_small(few)
    assert not is_small(many)
    few.nodes[0].spec.params.update({"table": "x" * SMALL_BYTES})
    assert not is_small(few)


async def test_only_granted_services_diff_and_only_tokens_read(served: Served) -> None:
    request = diff_request(chain(1), "r1", "s1")
    async with served.stub(service="brokerage") as stub:
        with pytest.raises(PermissionDenied):
            await chunks(stub, request)
    async with served.stub(service=None) as stub:
        with pytest.raises((Unauthenticated, PermissionDenied)):
            await chunks(stub, request)
    async with served.stub(service=None, role=Role.OWNER) as stub:
        with pytest.raises((Unauthenticated, PermissionDenied)):
            await stub.plans.ListPlans(planservicepb.ListPlansRequest())


async def test_events_reach_the_bus(served: Served, nats_url: str) -> None:
    async with connected(nats_url, service="t") as bus:
        await bus.wait_ready(10)
        async with (
            bus.subscribe(["sentinel_weight_updated"], keys=["heard"]) as deliveries,
            served.stub() as stub,
        ):
            await chunks(stub, diff_request(chain(1), "r1", "heard"))
            delivery = await anext(aiter(deliveries))
            await delivery.ack()
    assert (delivery.event.source, delivery.event.revision) == ("dagmanager", 1)
    assert delivery.event.sentinel_weight_updated.sentinels[0].sentinel_id == "heard@1"


async def test_a_hotfix_takes_the_traffic_of_the_version_it_redoes(served: Served) -> None:
    async with served.stub(role=Role.OPERATOR) as stub:
        (chunk,) = await chunks(stub, diff_request(chain(2), "r1", "s1"))
        (before,) = (
            await stub.sentinels.ListSentinels(sentinelservicepb.ListSentinelsRequest(strategy_id="s1"))
        ).sentinels
        request = hotfixservicepb.RedoDiffRequest(
            request_id="redo", strategy_id="s1", version=1, hotfix_label="v1-hotfix", etag=before.etag
        )
        done = await stub.hotfixes.RedoDiff(request)
        assert await stub.hotfixes.RedoDiff(request) == done
        assert (done.plan.version, done.plan.version_label, list(done.plan.live_worlds)) == (2, "v1-hotfix", ["w1"])
        redone = await stub.plans.ListPlanNodes(planservicepb.ListPlanNodesRequest(strategy_id="s1"))
        assert [each.node_id for each in redone.nodes] == [each.node_id for each in chunk.assignments]
        assert redone.version == 2
        weights = {
            each.version: each.traffic_weight
            for each in (
                await stub.sentinels.ListSentinels(sentinelservicepb.ListSentinelsRequest(strategy_id="s1"))
            ).sentinels
        }
        assert weights == {1: "0", 2: "1"}
        request.request_id = "late"
        with pytest.raises(Conflict) as caught:
            await stub.hotfixes.RedoDiff(request)
        assert caught.value.reason == "E_ETAG_MISMATCH"
        released = [
            (
                await stub.diffs.ReleasePlan(
                    diffservicepb.ReleasePlanRequest(strategy_id="s1", version=version, world_id="w1")
                )
            )
            for version in (1, 2)
        ]
        assert [each.released_queues for each in released] == [0, 2]
