"""Queues over a real wire: unknown ones, watches, and the end of the process."""

from __future__ import annotations

from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from qmtl.core.errors import NotFound, Unavailable
from qmtl.core.roles import Role
from qmtl.dag.v1 import diff_service_pb2 as diffservicepb
from qmtl.dag.v1 import queue_catalogue_service_pb2 as queuecatalogueservicepb
from qmtl.rpc.client.streams import scoped
from tests.dagmanager.graphs import chain, context
from tests.dagmanager.serving import Served, chunks, diff_request, serving, tag_query


async def test_a_queue_of_another_world_is_as_unknown_as_one_that_is_nowhere(served: Served) -> None:
    async with served.stub() as gateway:
        await chunks(gateway, diff_request(chain(1), "r1", "theirs", [context("w2")]))
        theirs = (
            (await gateway.queues.ListQueues(queuecatalogueservicepb.ListQueuesRequest(world_id="w2")))
            .queues[0]
            .compute_key
        )
    async with served.stub(role=Role.OPERATOR, worlds=["w1"]) as stub:
        for key in (theirs, "blake3:0"):
            for refused in (
                stub.queues.GetQueue(queuecatalogueservicepb.GetQueueRequest(compute_key=key)),
                stub.queues.GetQueueStats(queuecatalogueservicepb.GetQueueStatsRequest(compute_keys=[key, "blake3:1"])),
            ):
                with pytest.raises(NotFound) as caught:
                    await refused
                assert (caught.value.reason, caught.value.message) == ("E_QUEUE_UNKNOWN", f"no queue {key!r}")


async def test_a_watch_is_a_snapshot_then_each_change_with_growing_revision(served: Served) -> None:
    async with served.stub(role=Role.READER) as stub:
        await chunks(stub, diff_request(chain(1, "a", tags=["btc"]), "r1", "s1"))
        call = stub.queues.WatchQueues(queuecatalogueservicepb.WatchQueuesRequest(query=tag_query("w1")))
        with scoped(call):
            told = aiter(call)
            first = await anext(told)
            await chunks(stub, diff_request(chain(1, "b", tags=["eth"]), "r2", "s2"))
            await chunks(stub, diff_request(chain(2, "c", tags=["btc"]), "r3", "s3"))
            second = await anext(told)
            await stub.diffs.ReleasePlan(diffservicepb.ReleasePlanRequest(strategy_id="s1", version=1, world_id="w1"))
            third = await anext(told)
        sizes = [(len(reply.queues), reply.queue_set_revision) for reply in (first, second, third)]
        assert sizes == [(1, 1), (3, 2), (2, 3)]
        asked = await stub.queues.QueryQueues(queuecatalogueservicepb.QueryQueuesRequest(query=tag_query("w1")))
        assert (asked.queues, asked.queue_set_revision) == (third.queues, third.queue_set_revision)


async def test_watchers_are_told_to_go_when_the_process_stops(home: Path, nats_url: str) -> None:
    async with AsyncExitStack() as outliving:
        async with serving(home, nats_url) as served:
            stub = await outliving.enter_async_context(served.stub(role=Role.READER))
            told = aiter(stub.queues.WatchQueues(queuecatalogueservicepb.WatchQueuesRequest(query=tag_query("w1"))))
            await anext(told)
        with pytest.raises(Unavailable) as caught:
            await anext(told)
        assert caught.value.reason == "E_GOING_AWAY"
