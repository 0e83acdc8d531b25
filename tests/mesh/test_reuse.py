"""Two strategies share a node on a mesh: computed once, read by the next, taken over from a runner that was killed."""

from __future__ import annotations

import asyncio
import signal
import sys
import time
from collections.abc import AsyncIterator

import numpy as np
import polars as pl
import pytest

from examples.ema_cross import EmaCross
from examples.ema_trend import EmaTrend
from qmtl.cli.local.supervisor import Mesh
from qmtl.control.v1 import control_pb2 as controlpb
from qmtl.core.clock import SystemClock
from qmtl.dag.v1 import queue_catalogue_service_pb2 as queuecatalogueservicepb
from qmtl.data.v1 import records_pb2 as recordspb
from qmtl.gateway.v1 import queue_service_pb2 as queueservicepb
from qmtl.gateway.v1 import strategy_service_pb2 as strategyservicepb
from qmtl.rpc.client.streams import scoped
from qmtl.sdk import Runner
from qmtl.sdk.data.outputs import batch_outputs
from qmtl.sdk.execution.backtest import replay
from qmtl.sdk.graph.vertices import FoldNode
from qmtl.sdk.mesh.client import Client, Gateway, open_client
from qmtl.sdk.mesh.retrying import RetryingClient
from qmtl.sdk.mesh.submission.result import SubmitResult
from qmtl.sdk.mesh.submission.submit import BoundStrategy, Submitter, queue_keys
from qmtl.sdk.mesh.wire.records import NodeRecord, record_from_proto
from qmtl.sdk.strategy.assembly import assemble
from qmtl.world.v1 import binding_pb2 as bindingpb
from qmtl.world.v1 import binding_service_pb2 as bindingservicepb
from tests.mesh.gateway_client import GatewayClient, new_world
from tests.support.waiting import eventually

KILLED = """
import asyncio
import sys
from pathlib import Path
from examples.ema_cross import EmaCross
from qmtl.core.clock import SystemClock
from qmtl.sdk.mesh.client import Gateway, open_client
from qmtl.sdk.mesh.history import History
from qmtl.sdk.mesh.retrying import RetryingClient
from qmtl.sdk.mesh.submission.submit import Submitter
from qmtl.sdk.strategy.assembly import assemble

async def submit(world, address, home, rows):
    async with open_client(Gateway(address=address, home=Path(home))) as client:
        retrying = RetryingClient.open(client, 30.0, SystemClock())
        # many small records, so that it is killed between two of them
        await Submitter(retrying, world, record_rows_max=int(rows)).submit(assemble(EmaCross()), None, History(), None)

asyncio.run(submit(*sys.argv[1:]))
"""
SHARED = "ema_192"
GARBAGE = pl.DataFrame({"time_ns": [1_632_751_200_000_000_000], "value": [1.5]}).write_ipc_stream(None).getvalue()


def check_equal_to_computing(result: SubmitResult, alone: EmaCross | EmaTrend) -> None:
    local = replay(assemble(alone), result.bars)
    assert result.replay.equity == local.equity
    assert result.replay.fills == local.fills
    assert result.metrics == local.metrics


async def submit(mesh: Mesh, world: str, strategy: EmaCross | EmaTrend) -> SubmitResult:
    gateway = Gateway(address=mesh.address("gateway"), home=mesh.home)
    return await Runner.submit_async(strategy, world=world, gateway=gateway)


@pytest.mark.timeout(120)
async def test_the_second_strategy_reads_what_the_first_computed(mesh: Mesh, client: GatewayClient) -> None:
    world = await new_world(client)
    first = await submit(mesh, world, EmaCross())
    assert (first.reused.read, sorted(first.reused.computed)) == ([], ["ema_192", "ema_48"])
    second = await submit(mesh, world, EmaTrend())
    assert (second.reused.read, second.reused.computed) == (["ema_192"], ["slope"])
    check_equal_to_computing(first, EmaCross())
    check_equal_to_computing(second, EmaTrend())
    again = await submit(mesh, world, EmaCross())
    assert (sorted(again.reused.read), again.reused.computed) == (["ema_192", "ema_48"], [])
    assert again.replay.equity == first.replay.equity


class Fails(EmaCross):
    """Raises when its replay begins."""

    def on_start(self) -> None:
        raise ZeroDivisionError("boom")


@pytest.mark.timeout(120)
async def test_a_submission_that_fails_leaves_no_binding(mesh: Mesh, client: GatewayClient) -> None:
    world = await new_world(client)
    with pytest.raises(ZeroDivisionError) as raised:
        await submit(mesh, world, Fails())
    (note,) = raised.value.__notes__
    asked = strategyservicepb.ListStrategiesRequest(world_id=world)
    (ended,) = (await client.strategies.ListStrategies(asked)).strategies
    assert ended.state == controlpb.STRATEGY_STATE_CANCELED
    assert note == f"strategy {ended.strategy_id} was withdrawn from world {world}"
    standing = await client.bindings.ListBindings(bindingservicepb.ListBindingsRequest(world_id=world))
    assert [one.state for one in standing.bindings] == [bindingpb.BINDING_STATE_REMOVED]


@pytest.mark.soak
@pytest.mark.timeout(120)
async def test_a_runner_killed_in_the_middle_is_followed_from_its_last_record(
    mesh: Mesh, client: GatewayClient
) -> None:
    world, address = await new_world(client), mesh.address("gateway")
    async with open_client(Gateway(address=address, home=mesh.home)) as opened:
        submitter = Submitter(RetryingClient.open(opened, 30.0, SystemClock()), world)
        keys = queue_keys(await submitter.bind(assemble(EmaCross())))
        runner = await asyncio.create_subprocess_exec(
            sys.executable, "-c", KILLED, world, address, str(mesh.home), "64"
        )
        rows = 0
        deadline = time.monotonic() + 60.0
        while rows == 0 and time.monotonic() < deadline:
            for key in keys.values():
                asked = queuecatalogueservicepb.GetQueueRequest(compute_key=key)
                rows = max(rows, (await opened.queue_catalogue.GetQueue(asked)).queue.rows)
        runner.kill()
        assert await runner.wait() == -signal.SIGKILL, "it was done before it was killed"
    after = await submit(mesh, world, EmaCross())
    assert after.reused.continued
    assert after.reused.nodes_reused_total + len(after.reused.computed) == 2
    check_equal_to_computing(after, EmaCross())


def key_of_shared(bound: BoundStrategy) -> str:
    names = assemble(EmaCross()).dag.names
    return next(key for node_id, key in queue_keys(bound).items() if names[node_id] == SHARED)


async def check_queue_is_whole(opened: Client, key: str, world: str, result: SubmitResult) -> None:
    """Every row of the shared node once, in order, as computing alone makes it, by two writers one after the other."""
    dag = assemble(EmaTrend()).dag
    (shared,) = [vertex for vertex in dag.nodes if dag.names[vertex.node_id] == SHARED]
    assert isinstance(shared, FoldNode)
    asked = queueservicepb.ReadQueueRequest(compute_key=key, world_id=world, start_queue_sequence=1)
    alone = batch_outputs(dag, result.bars)[shared]
    records: list[NodeRecord] = []
    epochs: list[int] = []
    async with asyncio.timeout(20):
        with scoped(opened.queues.ReadQueue(asked)) as replies:
            async for reply in replies:
                records.append(record_from_proto(reply.batch, shared.schema.fields, shared.fold.state_size))
                epochs.append(reply.batch.writer_epoch)
                if sum(len(one.series.time_ns) for one in records) >= len(alone.time_ns):
                    break
    assert np.concatenate([one.series.time_ns for one in records]).tolist() == alone.time_ns.tolist()
    assert np.concatenate([one.series.rows for one in records]).tobytes() == alone.rows.tobytes()
    assert (len(set(epochs)), epochs) == (2, sorted(epochs))


@pytest.mark.timeout(120)
@pytest.mark.parametrize("ending", [signal.SIGKILL, pytest.param(signal.SIGINT, marks=pytest.mark.soak)])
async def test_of_two_strategies_at_once_the_second_takes_over_from_the_first(
    mesh: Mesh, client: GatewayClient, ending: signal.Signals
) -> None:
    world, address = await new_world(client), mesh.address("gateway")
    async with open_client(Gateway(address=address, home=mesh.home)) as opened:
        submitter = Submitter(RetryingClient.open(opened, 30.0, SystemClock()), world)
        key = key_of_shared(await submitter.bind(assemble(EmaCross())))
        runner = await asyncio.create_subprocess_exec(
            sys.executable, "-c", KILLED, world, address, str(mesh.home), "16", stderr=asyncio.subprocess.DEVNULL
        )
        asked = queuecatalogueservicepb.GetQueueRequest(compute_key=key)
        both = strategyservicepb.ListStrategiesRequest(world_id=world)

        async def published() -> bool:
            return (await opened.queue_catalogue.GetQueue(asked)).queue.rows > 0

        async def bound() -> bool:
            return len((await client.strategies.ListStrategies(both)).strategies) == 2

        await eventually(published, 60)
        second = asyncio.create_task(submit(mesh, world, EmaTrend()))
        await eventually(bound, 60)
        runner.send_signal(ending)
        assert await runner.wait() == -ending, "it was done before it was stopped"
        result = await second
        assert (result.reused.continued, result.reused.computed) == ([SHARED], ["slope"])
        check_equal_to_computing(result, EmaTrend())
        await check_queue_is_whole(opened, key, world, result)


@pytest.mark.soak
@pytest.mark.timeout(120)
async def test_garbage_of_another_producer_stops_nobody(mesh: Mesh, client: GatewayClient) -> None:
    world, address = await new_world(client), mesh.address("gateway")
    async with open_client(Gateway(address=address, home=mesh.home)) as opened:
        submitter = Submitter(RetryingClient.open(opened, 30.0, SystemClock()), world)
        bound = await submitter.bind(assemble(EmaCross()))
        key = key_of_shared(bound)
        asked = queueservicepb.AcquireProducerRequest(
            compute_key=key, world_id=world, strategy_id=bound.strategy.strategy_id, run_id="another"
        )
        lease = (await opened.queues.AcquireProducer(asked)).lease
        batch = recordspb.RecordBatch(
            compute_key=key, writer_epoch=lease.lease_epoch, arrow_ipc=GARBAGE, node_state=b"[1]"
        )
        batch.start_time.FromSeconds(1_632_750_300)
        batch.end_time.FromSeconds(1_632_750_300)
        batch.input_window_hash = "blake3:" + "0" * 64

        async def sent() -> AsyncIterator[queueservicepb.PublishRecordsRequest]:
            yield queueservicepb.PublishRecordsRequest(batch=batch, follows_nothing=True)

        await opened.queues.PublishRecords(sent())
        for make in (EmaCross, EmaTrend):
            result = await submit(mesh, world, make())
            assert (result.reused.malformed_records, result.reused.continued) == (1, [])
            check_equal_to_computing(result, make())
