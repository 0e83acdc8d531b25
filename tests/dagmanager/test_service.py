"""The service behind its contract: a real server, a real broker, the callers' real tokens."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from controlbus.bus import connected
from dagmanager.service import SMALL_BYTES, SMALL_NODES, is_small
from qmtl.common.v1 import common_pb2 as commonpb
from qmtl.core.errors import (
    Conflict,
    InvalidRequest,
    NotFound,
    PermissionDenied,
    Unauthenticated,
    Unavailable,
)
from qmtl.core.modes import ExecutionDomain
from qmtl.dag.v1 import dag_pb2 as dagpb
from qmtl.dag.v1 import service_pb2 as pb
from qmtl.dag.v1 import service_pb2_grpc as rpc
from qmtl.rpc.auth import Role
from qmtl.rpc.streams import scoped
from tests.dagmanager.graphs import chain, context, node, tag_query_node
from tests.dagmanager.serving import Served, diff_request, serving
from tests.support.nats import NatsServer
from tests.support.waiting import eventually


async def chunks(stub: rpc.DagManagerServiceAsyncStub, request: pb.DiffRequest) -> list[pb.DiffChunk]:
    return [reply.chunk async for reply in stub.Diff(request)]


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


async def test_a_dry_run_says_what_a_diff_would(served: Served) -> None:
    made = diff_request(chain(3), "r1", "s1")
    async with served.stub() as stub:
        (said,) = [
            reply.chunk async for reply in stub.DryRunDiff(pb.DryRunDiffRequest(dag=made.dag, contexts=made.contexts))
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


async def test_nine_mebibytes_are_answered(served: Served) -> None:
    """The gateway refuses them before they come here; here they must do no harm."""
    request = diff_request([node("n")], "r1", "s1")
    request.dag.nodes[0].spec.params.update({f"pad{index}": "x" * 95_000 for index in range(100)})
    assert request.ByteSize() > 9 * 1024 * 1024
    async with served.stub() as stub:
        with pytest.raises(InvalidRequest) as caught:
            await chunks(stub, request)
        assert caught.value.reason == "E_NODE_ID_MISMATCH"
        assert (await stub.GetStatus(pb.GetStatusRequest())).nodes == 0


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
            await stub.ListPlans(pb.ListPlansRequest())


async def test_a_token_for_one_world_sees_nothing_of_another(served: Served) -> None:
    async with served.stub() as gateway:
        await chunks(gateway, diff_request(chain(1), "r1", "theirs", [context("w2")]))
        (chunk,) = await chunks(gateway, diff_request(chain(2), "r2", "mine", [context("w1")]))
    async with served.stub(role=Role.OPERATOR, worlds=["w1"]) as stub:
        assert {plan.strategy_id for plan in (await stub.ListPlans(pb.ListPlansRequest())).plans} == {"mine"}
        assert {queue.world_id for queue in (await stub.ListQueues(pb.ListQueuesRequest())).queues} == {"w1"}
        node_id = chunk.assignments[0].node_id
        assert (await stub.GetNode(pb.GetNodeRequest(node_id=node_id))).node.strategies == ["mine"]
        for refused in (
            stub.GetPlan(pb.GetPlanRequest(strategy_id="theirs")),
            stub.ListQueues(pb.ListQueuesRequest(world_id="w2")),
            stub.QueryQueues(pb.QueryQueuesRequest(query=tag_query("w2"))),
            stub.QueryQueues(pb.QueryQueuesRequest(query=tag_query(""))),
            stub.SetTrafficWeight(pb.SetTrafficWeightRequest(sentinel_id="theirs@1")),
        ):
            with pytest.raises(PermissionDenied) as caught:
                await refused
            assert caught.value.reason == "E_WORLD_FORBIDDEN"


async def test_a_queue_of_another_world_is_as_unknown_as_one_that_is_nowhere(served: Served) -> None:
    async with served.stub() as gateway:
        await chunks(gateway, diff_request(chain(1), "r1", "theirs", [context("w2")]))
        theirs = (await gateway.ListQueues(pb.ListQueuesRequest(world_id="w2"))).queues[0].compute_key
    async with served.stub(role=Role.OPERATOR, worlds=["w1"]) as stub:
        for key in (theirs, "blake3:0"):
            for refused in (
                stub.GetQueue(pb.GetQueueRequest(compute_key=key)),
                stub.GetQueueStats(pb.GetQueueStatsRequest(compute_keys=[key, "blake3:1"])),
            ):
                with pytest.raises(NotFound) as caught:
                    await refused
                assert (caught.value.reason, caught.value.message) == ("E_QUEUE_UNKNOWN", f"no queue {key!r}")


async def test_a_version_that_is_live_nowhere_still_belongs_to_its_worlds(served: Served) -> None:
    async with served.stub() as gateway:
        await chunks(gateway, diff_request(chain(1), "r1", "theirs", [context("w2")]))
        await gateway.ReleasePlan(pb.ReleasePlanRequest(strategy_id="theirs", version=1, world_id="w2"))
    async with served.stub(role=Role.OPERATOR, worlds=["w1"]) as stub:
        for refused in (
            stub.SetTrafficWeight(pb.SetTrafficWeightRequest(sentinel_id="theirs@1", traffic_weight=0.5)),
            stub.RedoDiff(pb.RedoDiffRequest(request_id="r2", strategy_id="theirs", version=1, hotfix_label="h")),
        ):
            with pytest.raises(PermissionDenied) as caught:
                await refused
            assert caught.value.reason == "E_WORLD_FORBIDDEN"


def tag_query(world_id: str) -> dagpb.TagQuery:
    return dagpb.TagQuery(tags=["btc"], match_mode=dagpb.MATCH_MODE_ANY, interval_s=900, world_id=world_id)


async def test_a_weight_needs_an_operator(served: Served) -> None:
    async with served.stub() as gateway:
        await chunks(gateway, diff_request(chain(1), "r1", "s1"))
    async with served.stub(role=Role.READER) as stub:
        with pytest.raises(PermissionDenied):
            await stub.SetTrafficWeight(pb.SetTrafficWeightRequest(sentinel_id="s1@1", traffic_weight=0.5))
    async with served.stub(role=Role.OPERATOR) as stub:
        (before,) = (await stub.ListSentinels(pb.ListSentinelsRequest(strategy_id="s1"))).sentinels
        change = pb.SetTrafficWeightRequest(sentinel_id="s1@1", traffic_weight=0.5, etag=before.etag)
        after = (await stub.SetTrafficWeight(change)).sentinel
        assert (after.traffic_weight, after.revision) == (0.5, 2)
        with pytest.raises(NotFound):
            await stub.SetTrafficWeight(pb.SetTrafficWeightRequest(sentinel_id="s1@9"))


async def test_the_graph_can_be_walked(served: Served) -> None:
    nodes = [*chain(3, tags=["btc"]), tag_query_node(["btc"], "all")]
    async with served.stub(role=Role.READER) as stub:
        await chunks(stub, diff_request(nodes, "r1", "s1", [context("w1", ExecutionDomain.DRYRUN)]))
        graph = await stub.GetGraph(pb.GetGraphRequest(strategy_id="s1"))
        assert {(edge.from_node_id, edge.to_node_id) for edge in graph.edges} == {
            (nodes[0].node_id, nodes[1].node_id),
            (nodes[1].node_id, nodes[2].node_id),
        }
        around = await stub.GetGraph(pb.GetGraphRequest(node_id=nodes[0].node_id))
        assert {each.node_id for each in around.nodes} == {nodes[0].node_id, nodes[1].node_id}
        found = (await stub.GetNode(pb.GetNodeRequest(node_id=nodes[1].node_id))).node
        assert found.spec == diff_request([nodes[1]], "", "").dag.nodes[0].spec
        query = dagpb.TagQuery(
            tags=[" btc"],
            match_mode=dagpb.MATCH_MODE_ALL,
            interval_s=900,
            world_id="w1",
            execution_domain=commonpb.EXECUTION_DOMAIN_DRYRUN,
        )
        answered = await stub.QueryQueues(pb.QueryQueuesRequest(query=query))
        assert (len(answered.queues), answered.revision) == (3, 1)
        tagged = await stub.ListNodes(pb.ListNodesRequest(tag="btc"))
        assert len(tagged.nodes) == 3
        with pytest.raises(InvalidRequest) as caught:
            await stub.GetGraph(pb.GetGraphRequest())
        assert caught.value.reason == "E_GRAPH_ROOT"
        with pytest.raises(NotFound):
            await stub.GetNode(pb.GetNodeRequest(node_id="blake3:0"))


async def test_listings_come_in_pages(served: Served) -> None:
    async with served.stub(role=Role.READER) as stub:
        for index in range(3):
            await chunks(stub, diff_request(chain(index + 1), f"r{index}", f"s{index}"))
        first = await stub.ListPlans(pb.ListPlansRequest(page=commonpb.PageRequest(page_size=2)))
        token = first.page.next_page_token
        rest = await stub.ListPlans(pb.ListPlansRequest(page=commonpb.PageRequest(page_size=2, page_token=token)))
        assert [plan.strategy_id for plan in (*first.plans, *rest.plans)] == ["s2", "s1", "s0"]
        assert rest.page.next_page_token == ""
        pages = [reply async for reply in pages_of_queues(stub, "s2", 2)]
        queues = [queue.compute_key for page in pages for queue in page]
        assert [len(page) for page in pages] == [2, 1]
        assert queues == sorted(set(queues))
        for bad in ("nonsense", "WzFd", token[:-4]):
            with pytest.raises(InvalidRequest) as caught:
                await stub.ListQueues(pb.ListQueuesRequest(page=commonpb.PageRequest(page_token=bad)))
            assert caught.value.reason == "E_PAGE_TOKEN"


async def pages_of_queues(
    stub: rpc.DagManagerServiceAsyncStub, strategy_id: str, size: int
) -> AsyncIterator[list[dagpb.Queue]]:
    page = commonpb.PageRequest(page_size=size)
    while True:
        reply = await stub.ListQueues(pb.ListQueuesRequest(strategy_id=strategy_id, page=page))
        yield list(reply.queues)
        page.page_token = reply.page.next_page_token
        if not page.page_token:
            return


async def test_release_is_idempotent_and_shows_in_the_plan(served: Served) -> None:
    async with served.stub() as stub:
        await chunks(stub, diff_request(chain(2), "r1", "s1"))
        request = pb.ReleasePlanRequest(strategy_id="s1", version=1, world_id="w1")
        assert [(await stub.ReleasePlan(request)).released_queues for _ in range(2)] == [2, 0]
        assert list((await stub.GetPlan(pb.GetPlanRequest(strategy_id="s1"))).plan.live_worlds) == []


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


async def test_diffs_go_on_without_a_broker_and_the_status_says_so(home: Path, nats_server: NatsServer) -> None:
    nats_server.kill()
    async with serving(home, nats_server.url) as served, served.stub() as stub:
        assert await chunks(stub, diff_request(chain(1), "r1", "s1"))
        status = await stub.GetStatus(pb.GetStatusRequest())
        assert (status.nodes, status.queues, status.plans, status.status.outbox_depth) == (1, 1, 1, 1)
        assert status.status.degraded
        nats_server.start()

        async def is_sent() -> bool:
            return (await stub.GetStatus(pb.GetStatusRequest())).status.outbox_depth == 0

        await eventually(is_sent, 30)


async def test_a_watch_is_a_snapshot_then_each_change_with_growing_revision(served: Served) -> None:
    async with served.stub(role=Role.READER) as stub:
        await chunks(stub, diff_request(chain(1, "a", tags=["btc"]), "r1", "s1"))
        call = stub.WatchQueues(pb.WatchQueuesRequest(query=tag_query("w1")))
        with scoped(call):
            told = aiter(call)
            first = await anext(told)
            await chunks(stub, diff_request(chain(1, "b", tags=["eth"]), "r2", "s2"))
            await chunks(stub, diff_request(chain(2, "c", tags=["btc"]), "r3", "s3"))
            second = await anext(told)
            await stub.ReleasePlan(pb.ReleasePlanRequest(strategy_id="s1", version=1, world_id="w1"))
            third = await anext(told)
        sizes = [(len(reply.queues), reply.revision) for reply in (first, second, third)]
        assert sizes == [(1, 1), (3, 2), (2, 3)]
        asked = await stub.QueryQueues(pb.QueryQueuesRequest(query=tag_query("w1")))
        assert (asked.queues, asked.revision) == (third.queues, third.revision)


async def test_watchers_are_told_to_go_when_the_process_stops(home: Path, nats_url: str) -> None:
    async with AsyncExitStack() as outliving:
        async with serving(home, nats_url) as served:
            stub = await outliving.enter_async_context(served.stub(role=Role.READER))
            told = aiter(stub.WatchQueues(pb.WatchQueuesRequest(query=tag_query("w1"))))
            await anext(told)
        with pytest.raises(Unavailable) as caught:
            await anext(told)
        assert caught.value.reason == "E_GOING_AWAY"


async def test_a_hotfix_takes_the_traffic_of_the_version_it_redoes(served: Served) -> None:
    async with served.stub(role=Role.OPERATOR) as stub:
        (chunk,) = await chunks(stub, diff_request(chain(2), "r1", "s1"))
        (before,) = (await stub.ListSentinels(pb.ListSentinelsRequest(strategy_id="s1"))).sentinels
        request = pb.RedoDiffRequest(
            request_id="redo", strategy_id="s1", version=1, hotfix_label="v1-hotfix", etag=before.etag
        )
        done = await stub.RedoDiff(request)
        assert await stub.RedoDiff(request) == done
        assert (done.plan.version, done.plan.version_label, list(done.plan.live_worlds)) == (2, "v1-hotfix", ["w1"])
        assert [each.node_id for each in done.plan.dag.nodes] == [each.node_id for each in chunk.assignments]
        weights = {
            each.version: each.traffic_weight
            for each in (await stub.ListSentinels(pb.ListSentinelsRequest(strategy_id="s1"))).sentinels
        }
        assert weights == {1: 0.0, 2: 1.0}
        request.request_id = "late"
        with pytest.raises(Conflict) as caught:
            await stub.RedoDiff(request)
        assert caught.value.reason == "E_ETAG_MISMATCH"
        released = [
            (await stub.ReleasePlan(pb.ReleasePlanRequest(strategy_id="s1", version=version, world_id="w1")))
            for version in (1, 2)
        ]
        assert [each.released_queues for each in released] == [0, 2]
