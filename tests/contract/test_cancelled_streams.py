"""Streams that are opened and cancelled, thousands of times: no process of the mesh keeps anything of them."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Iterator
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from qmtl.cli.local.supervisor import Mesh
from qmtl.core.roles import Role
from qmtl.gateway.v1 import event_pb2 as eventpb
from qmtl.gateway.v1 import event_service_pb2 as eventservicepb
from qmtl.gateway.v1.event_service_pb2_grpc import EventServiceStub
from qmtl.rpc.auth.tokens import mint_user_token
from qmtl.rpc.client.channel import MeshChannel, connect
from qmtl.rpc.client.streams import scoped
from qmtl.world.v1 import activation_service_pb2 as activationservicepb
from qmtl.world.v1.activation_service_pb2_grpc import ActivationServiceStub
from tests.mesh.gateway_client import new_world, open_gateway_client
from tests.support.shared.meshes import laid_plan

SUBJECTS = 20  # each below its rate
STREAMS, WARM = 10_000, 2_000
GROWTH_MAX = 16 * 2**20  # a KiB and a half of each stream would be seen


@pytest.fixture
def mesh(tmp_path: Path) -> Iterator[Mesh]:
    with Mesh(laid_plan(tmp_path / "home")) as running:
        yield running


def resident(mesh: Mesh) -> dict[str, int]:
    """Bytes of each process that are in memory."""
    page = os.sysconf("SC_PAGE_SIZE")
    return {
        process.name: int(Path(f"/proc/{process.pid}/statm").read_text().split()[1]) * page
        for process in mesh.running()
    }


async def cancel_some(channel: MeshChannel, world: str, count: int) -> None:
    """Streams of the gateway and of an owner behind it, one after the other, each cancelled at its first reply."""
    events, activation = EventServiceStub(channel), ActivationServiceStub(channel)
    made = await events.CreateEventStream(
        eventservicepb.CreateEventStreamRequest(world_id=world, topics=[eventpb.TOPIC_ACTIVATION])
    )
    own = (("authorization", f"Bearer {made.stream.stream_token}"),)
    for number in range(count):
        if number % 2:
            with scoped(events.SubscribeEvents(eventservicepb.SubscribeEventsRequest(), metadata=own)) as frames:
                await anext(aiter(frames))
        else:
            asked = activationservicepb.WatchActivationRequest(world_id=world)
            with scoped(activation.WatchActivation(asked)) as changes:
                await anext(aiter(changes))


@pytest.mark.soak
@pytest.mark.timeout(1800)
async def test_ten_thousand_cancelled_streams_leave_nothing_in_memory(mesh: Mesh) -> None:
    async with open_gateway_client(mesh.address("gateway"), mesh.home) as client, AsyncExitStack() as stack:
        world = await new_world(client)
        channels = []
        for number in range(SUBJECTS):
            token = mint_user_token(mesh.home, Role.OWNER, f"watcher-{number}")
            channel = connect(mesh.address("gateway"), user_token=lambda token=token: token)  # type: ignore[misc]  # default binds the loop's value
            channels.append(await stack.enter_async_context(channel))
        await asyncio.gather(*(cancel_some(channel, world, WARM // SUBJECTS) for channel in channels))
        before = resident(mesh)
        await asyncio.gather(*(cancel_some(channel, world, STREAMS // SUBJECTS) for channel in channels))
        after = resident(mesh)
    grown = {name: after[name] - before[name] for name in after}
    assert all(growth < GROWTH_MAX for growth in grown.values()), grown
