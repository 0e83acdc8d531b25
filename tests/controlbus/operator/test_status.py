"""The operator service's status while the broker is away."""

from __future__ import annotations

from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from controlbus.bus import Bus
from qmtl.common.v1 import common_pb2 as commonpb
from qmtl.control.v1 import dead_letter_service_pb2 as deadletterservicepb
from qmtl.control.v1 import event_tail_service_pb2 as eventtailservicepb
from qmtl.control.v1 import status_service_pb2 as controlstatusservicepb
from qmtl.core.errors import Unavailable
from qmtl.rpc.auth.keys import ensure_dev_keys
from tests.controlbus.operator.serving import serving
from tests.controlbus.operator.test_event_tail import tail
from tests.support.nats import NatsServer
from tests.support.waiting import eventually

KIND = "policy_updated"


async def test_the_service_answers_while_the_broker_is_down(nats_server: NatsServer, tmp_path: Path) -> None:
    ensure_dev_keys(tmp_path)
    nats_server.kill()
    async with AsyncExitStack() as stack:
        bus = await Bus.connect(nats_server.url, service="controlbus")
        stack.push_async_callback(bus.close)
        stubs = (await serving(bus, tmp_path, stack)).stubs()
        status = (await stubs.status.GetStatus(controlstatusservicepb.GetStatusRequest())).status
        assert status.degraded
        assert status.dependencies[0].state == commonpb.DEPENDENCY_STATE_UNREACHABLE
        with pytest.raises(Unavailable, match="E_BUS_UNAVAILABLE"):
            await tail(stubs, eventtailservicepb.TailRequest(), 1)
        with pytest.raises(Unavailable, match="E_BUS_UNAVAILABLE"):
            await stubs.letters.ReplayDeadLetter(deadletterservicepb.ReplayDeadLetterRequest(dead_letter_sequence=1))
        nats_server.start()
        await bus.wait_ready(10)

        async def is_well() -> bool:
            return not (await stubs.status.GetStatus(controlstatusservicepb.GetStatusRequest())).status.degraded

        await eventually(is_well)
