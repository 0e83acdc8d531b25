"""Data queues over the wire: one producer at a time, each bucket once, readers from any place, worlds apart."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable

import pyarrow as pa
import pyarrow.ipc
import pytest

from qmtl.core.errors import InvalidRequest, NotFound, NotReady, PermissionDenied
from qmtl.core.roles import Role
from qmtl.dag.v1 import queue_catalogue_service_pb2 as queuecatalogueservicepb
from qmtl.data.v1 import records_pb2 as recordspb
from qmtl.gateway.v1 import queue_service_pb2 as queueservicepb
from qmtl.gateway.v1 import strategy_pb2 as strategypb
from qmtl.gateway.v1 import strategy_service_pb2 as strategyservicepb
from qmtl.rpc.client.streams import scoped
from tests.gateway.harness import GatewayHarness, assignments_of, make_world, submitted
from tests.mesh.gateway_client import GatewayClient

BUCKET_S = 900


def batch(compute_key: str, epoch: int, first: int, last: int) -> recordspb.RecordBatch:
    """Buckets first..last, both included."""
    table = pa.table({"time_ns": pa.array(range(first, last + 1), pa.int64())})
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table)
    made = recordspb.RecordBatch(
        compute_key=compute_key, writer_epoch=epoch, input_window_hash="blake3:in",
        arrow_ipc=sink.getvalue().to_pybytes(), node_state=f"[{last}]".encode(),
    )  # fmt: skip
    made.start_time.FromSeconds(first * BUCKET_S)
    made.end_time.FromSeconds(last * BUCKET_S)
    return made


async def sent(batches: Iterable[recordspb.RecordBatch]) -> AsyncIterator[queueservicepb.PublishRecordsRequest]:
    for one in batches:
        yield queueservicepb.PublishRecordsRequest(batch=one)


async def published(client: GatewayClient, *batches: recordspb.RecordBatch) -> queueservicepb.PublishRecordsResponse:
    return await client.queues.PublishRecords(sent(batches))


async def acquired(
    client: GatewayClient, world: str, strategy: strategypb.Strategy, run: str = ""
) -> queueservicepb.ProducerLease:
    request = queueservicepb.AcquireProducerRequest(
        compute_key=await key_of(client, strategy), world_id=world, strategy_id=strategy.strategy_id, run_id=run
    )
    return (await client.queues.AcquireProducer(request)).lease


async def key_of(client: GatewayClient, strategy: strategypb.Strategy) -> str:
    return (await assignments_of(client, strategy))[0].compute_key


async def read(
    client: GatewayClient, request: queueservicepb.ReadQueueRequest, count: int
) -> list[queueservicepb.ReadQueueResponse]:
    found: list[queueservicepb.ReadQueueResponse] = []
    with scoped(client.queues.ReadQueue(request, timeout=10)) as replies:
        async for reply in replies:
            found.append(reply)
            if len(found) == count:
                break
    return found


async def test_one_produces_and_others_read_from_any_place(harness: GatewayHarness) -> None:
    ann = await harness.client()
    world = await make_world(ann)
    strategy = await submitted(ann, world)
    lease = await acquired(ann, world, strategy)
    assert lease.acquired
    other = await acquired(ann, world, strategy, "another-run")
    assert (other.acquired, other.lease_epoch) == (False, lease.lease_epoch)
    key = await key_of(ann, strategy)
    parts = [batch(key, lease.lease_epoch, first, first + 1) for first in (10, 12, 14)]
    told = await published(ann, *parts)
    assert (told.committed, told.already_committed) == (3, 0)
    everything = await read(
        ann, queueservicepb.ReadQueueRequest(compute_key=key, world_id=world, start_queue_sequence=1), 3
    )
    assert [reply.batch for reply in everything] == parts
    later = queueservicepb.ReadQueueRequest(compute_key=key, world_id=world)
    later.start_time.FromSeconds(13 * BUCKET_S)
    assert [reply.batch for reply in await read(ann, later, 2)] == parts[1:]
    last = await read(ann, queueservicepb.ReadQueueRequest(compute_key=key, world_id=world, last=True), 1)
    assert last[0].queue_sequence == told.last_queue_sequence
    queue = (await ann.queue_catalogue.GetQueue(queuecatalogueservicepb.GetQueueRequest(compute_key=key))).queue
    assert (queue.last_bucket.seconds, queue.rows) == (15 * BUCKET_S, 6)


async def test_batches_sent_again_are_committed_once(harness: GatewayHarness) -> None:
    ann = await harness.client()
    world = await make_world(ann)
    strategy = await submitted(ann, world)
    lease = await acquired(ann, world, strategy)
    parts = [batch(await key_of(ann, strategy), lease.lease_epoch, first, first) for first in range(5)]
    first = await published(ann, *parts)
    again = await published(ann, *parts, batch(await key_of(ann, strategy), lease.lease_epoch, 5, 5))
    assert again.last_queue_sequence == first.last_queue_sequence + 1
    request = queueservicepb.ReadQueueRequest(
        compute_key=await key_of(ann, strategy), world_id=world, start_queue_sequence=1
    )
    shown = await read(ann, request, 6)
    assert [reply.batch.end_time.seconds // BUCKET_S for reply in shown] == list(range(6))


async def test_producer_that_lost_its_lease_writes_nothing_and_the_next_goes_on_from_its_state(
    harness: GatewayHarness,
) -> None:
    await harness.start_gateway("gateway-2")
    ann, there = await harness.client(), await harness.client(at="gateway-2")
    world = await make_world(ann)
    strategy = await submitted(ann, world)
    key = await key_of(ann, strategy)
    old = await acquired(ann, world, strategy, "one")
    await published(ann, batch(key, old.lease_epoch, 1, 4))
    renewed = await there.queues.RenewProducer(
        queueservicepb.RenewProducerRequest(compute_key=key, lease_epoch=old.lease_epoch)
    )
    assert renewed.lease.acquired
    with pytest.raises(NotReady) as lost:
        await ann.queues.RenewProducer(
            queueservicepb.RenewProducerRequest(compute_key=key, lease_epoch=old.lease_epoch + 1)
        )
    assert lost.value.reason == "E_LEASE_LOST"
    newer = old.lease_epoch + 1
    last = await read(there, queueservicepb.ReadQueueRequest(compute_key=key, world_id=world, last=True), 1)
    assert last[0].batch.node_state == b"[4]"
    await published(there, batch(key, newer, 5, 5))
    with pytest.raises(NotReady) as refused:
        await published(ann, batch(key, old.lease_epoch, 6, 6))
    assert refused.value.reason == "E_LEASE_LOST"


async def test_only_a_bound_strategy_may_produce_and_only_its_world_reads(harness: GatewayHarness) -> None:
    ann, eve = await harness.client(), await harness.client(Role.OWNER, "eve", ["w-other"])
    world, other = await make_world(ann), await make_world(ann)
    strategy, stranger = await submitted(ann, world, "MINE"), await submitted(ann, other, "OTHER")
    request = queueservicepb.AcquireProducerRequest(
        compute_key=await key_of(ann, strategy), world_id=world, strategy_id=stranger.strategy_id
    )
    with pytest.raises(PermissionDenied) as refused:
        await ann.queues.AcquireProducer(request)
    assert refused.value.reason == "E_NOT_BOUND"
    for world_id, client, error in ((other, ann, NotFound), (world, eve, PermissionDenied)):
        asked = queueservicepb.ReadQueueRequest(compute_key=await key_of(ann, strategy), world_id=world_id, last=True)
        with pytest.raises(error):
            await read(client, asked, 1)
    with pytest.raises(PermissionDenied):
        await published(eve, batch(await key_of(ann, strategy), 1, 1, 1))
    with pytest.raises(InvalidRequest, match="E_POSITION"):
        await read(ann, queueservicepb.ReadQueueRequest(compute_key=await key_of(ann, strategy), world_id=world), 1)
    await ann.strategies.CancelStrategy(strategyservicepb.CancelStrategyRequest(strategy_id=strategy.strategy_id))
    with pytest.raises(PermissionDenied):
        await acquired(ann, world, strategy)


async def test_what_is_no_record_is_refused_and_not_written(harness: GatewayHarness) -> None:
    ann = await harness.client()
    world = await make_world(ann)
    strategy = await submitted(ann, world)
    lease = await acquired(ann, world, strategy)
    for name, value in (("arrow_ipc", b"not arrow"), ("node_state", b"go")):
        broken = batch(await key_of(ann, strategy), lease.lease_epoch, 1, 1)
        setattr(broken, name, value)
        with pytest.raises(InvalidRequest, match="E_RECORD_MALFORMED"):
            await published(ann, broken)
    assert (await published(ann, batch(await key_of(ann, strategy), lease.lease_epoch, 1, 1))).committed == 1


async def test_a_time_that_is_none_is_refused(harness: GatewayHarness) -> None:
    ann = await harness.client()
    strategy = await submitted(ann, await make_world(ann))
    request = queueservicepb.PublishRecordsRequest(batch=batch(await key_of(ann, strategy), 1, 1, 1))
    request.follows_end_time.seconds = 2**62

    async def broken() -> AsyncIterator[queueservicepb.PublishRecordsRequest]:
        yield request

    with pytest.raises(InvalidRequest) as refused:
        await ann.queues.PublishRecords(broken())
    assert (refused.value.reason, refused.value.violations[0].field) == ("E_TIMESTAMP", "follows_end_time")
