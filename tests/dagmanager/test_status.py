"""The status of the service while the broker is away."""

from __future__ import annotations

from pathlib import Path

from qmtl.dag.v1 import status_service_pb2 as dagstatusservicepb
from tests.dagmanager.graphs import chain
from tests.dagmanager.serving import chunks, diff_request, serving
from tests.support.nats import NatsServer
from tests.support.waiting import eventually


async def test_diffs_go_on_without_a_broker_and_the_status_says_so(home: Path, nats_server: NatsServer) -> None:
    nats_server.kill()
    async with serving(home, nats_server.url) as served, served.stub() as stub:
        assert await chunks(stub, diff_request(chain(1), "r1", "s1"))
        status = await stub.status.GetStatus(dagstatusservicepb.GetStatusRequest())
        assert (status.nodes, status.queues, status.plans) == (1, 1, 1)
        assert status.status.outbox_depth == 2  # of the queue, and of the world's queues
        assert status.status.degraded
        nats_server.start()

        async def is_sent() -> bool:
            return (await stub.status.GetStatus(dagstatusservicepb.GetStatusRequest())).status.outbox_depth == 0

        await eventually(is_sent, 30)
