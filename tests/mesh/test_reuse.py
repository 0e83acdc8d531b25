"""Two strategies share a node on a mesh: computed once, read by the next, taken over from a runner that was killed."""

from __future__ import annotations

import asyncio
import signal
import sys
import time

import pytest

from examples.ema_cross import EmaCross
from examples.ema_trend import EmaTrend
from qmtl.cli.local.supervisor import Mesh
from qmtl.control.v1 import control_pb2 as controlpb
from qmtl.core.clock import SystemClock
from qmtl.dag.v1 import queue_catalogue_service_pb2 as queuecatalogueservicepb
from qmtl.gateway.v1 import strategy_service_pb2 as strategyservicepb
from qmtl.sdk import Runner
from qmtl.sdk.execution.backtest import replay
from qmtl.sdk.mesh.client import Gateway, open_client
from qmtl.sdk.mesh.retrying import RetryingClient
from qmtl.sdk.mesh.submission.result import SubmitResult
from qmtl.sdk.mesh.submission.submit import Submitter, queue_keys
from qmtl.sdk.strategy.assembly import assemble
from qmtl.world.v1 import binding_pb2 as bindingpb
from qmtl.world.v1 import binding_service_pb2 as bindingservicepb
from tests.mesh.gateway_client import GatewayClient, new_world

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

async def submit(world, address, home):
    async with open_client(Gateway(address=address, home=Path(home))) as client:
        retrying = RetryingClient.open(client, 30.0, SystemClock())
        # many small records, so that it is killed between two of them
        await Submitter(retrying, world, record_rows_max=64).submit(assemble(EmaCross()), None, History(), None)

asyncio.run(submit(*sys.argv[1:]))
"""


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


@pytest.mark.timeout(120)
async def test_a_runner_killed_in_the_middle_is_followed_from_its_last_record(
    mesh: Mesh, client: GatewayClient
) -> None:
    world, address = await new_world(client), mesh.address("gateway")
    async with open_client(Gateway(address=address, home=mesh.home)) as opened:
        submitter = Submitter(RetryingClient.open(opened, 30.0, SystemClock()), world)
        keys = queue_keys(await submitter.bind(assemble(EmaCross())))
        runner = await asyncio.create_subprocess_exec(sys.executable, "-c", KILLED, world, address, str(mesh.home))
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
