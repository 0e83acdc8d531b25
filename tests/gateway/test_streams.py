"""Event streams over a real NATS: a place that is not kept any more is told, and a snapshot follows."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import aclosing
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import pytest

from controlbus.bus import Bus, connected
from controlbus.database import Database
from gateway.peers import Peers
from gateway.streams import StreamDoors, frames
from gateway.tokens import Scope, StreamKeys
from qmtl.core.clock import SystemClock
from qmtl.gateway.v1 import gateway_pb2 as gatewaypb
from qmtl.world.v1 import service_pb2 as worldservicepb
from qmtl.world.v1 import world_pb2 as worldpb
from tests.controlbus.states import publish
from tests.support.nats import NatsServer

ACTIVATION = Scope("ada", "w", "", (gatewaypb.TOPIC_ACTIVATION,))
POLICY = Scope("ada", "w", "", (gatewaypb.TOPIC_POLICY,))


class World:
    """worldservice, as far as a snapshot of the activation needs it."""

    async def GetActivation(self, request: worldservicepb.GetActivationRequest) -> worldservicepb.GetActivationResponse:
        activation = worldpb.ActivationEnvelope(world_id=request.world_id, revision=9)
        return worldservicepb.GetActivationResponse(activation=activation)


@pytest.fixture
async def bus(nats_server: NatsServer) -> AsyncIterator[Bus]:
    async with connected(nats_server.url, service="t") as ready:
        yield ready


@pytest.fixture
async def doors(bus: Bus, tmp_path: Path) -> AsyncIterator[StreamDoors]:
    database, clock = Database(f"sqlite:///{tmp_path}/g.db"), SystemClock()
    peers = cast("Peers", SimpleNamespace(world=World()))
    yield StreamDoors(bus, database, peers, StreamKeys(tmp_path / "keys.json", clock), clock, bookmark_s=0.2)
    await database.close()


async def kinds(doors: StreamDoors, scope: Scope, place: int, count: int) -> list[str]:
    """What the first frames of a subscription are that goes on from a place."""
    found: list[str] = []
    async with (
        asyncio.timeout(10),
        aclosing(frames(doors, scope, doors.keys.resume_token(scope, place), asyncio.Event())) as following,
    ):
        async for frame in following:
            (field, _), *_ = frame.ListFields()
            found.append(field.name)
            if len(found) == count:
                break
    return found


async def test_a_place_that_is_no_longer_kept_is_told_and_a_snapshot_follows(doors: StreamDoors) -> None:
    for revision in range(1, 6):
        await publish(doors.bus, "w", revision)
    await doors.bus.link.js.purge_stream("CONTROL", seq=4)
    found = await kinds(doors, ACTIVATION, 1, 4)
    assert found == ["bookmark", "notice", "snapshot", "bookmark"]


async def test_a_place_that_is_kept_goes_on_without_a_snapshot(doors: StreamDoors) -> None:
    for revision in range(1, 6):
        await publish(doors.bus, "w", revision)
    assert await kinds(doors, POLICY, 3, 2) == ["bookmark", "events"]
