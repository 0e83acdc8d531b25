"""Event streams over a real NATS: a place that is not kept any more is told, and a snapshot follows."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import aclosing
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import pytest

from controlbus.bus import Bus, connected
from controlbus.events.control_event import ControlEventDraft, number
from gateway.events.feed import Feed
from gateway.events.snapshots import Snapshots
from gateway.events.subscription import SharedFrames, StreamLimits, StreamSources, frames
from gateway.events.tokens import Scope, StreamPosition
from gateway.events.topics import control_source, orders_source
from gateway.peers import Peers
from qmtl.broker.v1 import order_pb2 as orderpb
from qmtl.control.v1 import control_pb2 as controlpb
from qmtl.control.v1 import event_state_service_pb2 as eventstateservicepb
from qmtl.core.clock import SystemClock
from qmtl.gateway.v1 import event_pb2 as eventpb
from qmtl.sql.database import Database
from qmtl.world.v1 import activation_pb2 as activationpb
from tests.controlbus.states import policy, publish
from tests.gateway.events.signing import stream_keys
from tests.support.nats import NatsServer
from tests.support.waiting import eventually

ACTIVATION = Scope("ada", "w", "", (eventpb.TOPIC_ACTIVATION,))
POLICY = Scope("ada", "w", "", (eventpb.TOPIC_POLICY,))


class World:
    """worldservice, as far as a snapshot of the activation needs it."""

    async def ListEventStates(
        self, request: eventstateservicepb.ListEventStatesRequest
    ) -> AsyncIterator[eventstateservicepb.ListEventStatesResponse]:
        activation = activationpb.ActivationEnvelope(world_id=request.world_id, world_revision=9)
        payload = controlpb.ActivationUpdated(activation=activation)
        state = number(ControlEventDraft("worldservice", request.world_id, payload, datetime.now(UTC)), 9)
        yield eventstateservicepb.ListEventStatesResponse(state=state)


@pytest.fixture
async def bus(nats_server: NatsServer) -> AsyncIterator[Bus]:
    async with connected(nats_server.url, service="t") as ready:
        yield ready


@pytest.fixture
async def sources(bus: Bus, tmp_path: Path) -> AsyncIterator[StreamSources]:
    database, clock = Database(f"sqlite:///{tmp_path}/g.db"), SystemClock()
    peers = cast("Peers", SimpleNamespace(world_states=World()))
    control, orders = Feed(bus, control_source(database), 100), Feed(bus, orders_source(), 100)
    keys = stream_keys(clock)
    reading = [asyncio.create_task(control.run()), asyncio.create_task(orders.run())]
    await eventually(lambda: control.born != "")
    yield StreamSources(control, orders, Snapshots(database, peers), keys, clock, StreamLimits(0.2, 10))
    for task in reading:
        task.cancel()
    await asyncio.gather(*reading, return_exceptions=True)
    await database.close()


async def kinds(sources: StreamSources, scope: Scope, place: int, count: int) -> list[str]:
    """What the first frames of a subscription are that goes on from a place."""
    found: list[str] = []
    token = sources.keys.resume_token(scope, StreamPosition(place, 0, sources.control.born))
    async with asyncio.timeout(10), aclosing(frames(sources, scope, token, asyncio.Event())) as following:
        async for frame in following:
            (field, _), *_ = frame.ListFields()
            found.append(field.name)
            if len(found) == count:
                break
    return found


async def test_a_place_that_is_no_longer_kept_is_told_and_a_snapshot_follows(sources: StreamSources) -> None:
    for revision in range(1, 121):
        await publish(sources.control.bus, "w", revision)
    await eventually(lambda: sources.control.floor == 20)
    await sources.control.bus.link.js.purge_stream("CONTROL", seq=10)
    found = await kinds(sources, ACTIVATION, 1, 4)
    assert found == ["bookmark", "notice", "snapshot", "bookmark"]


async def test_a_place_that_is_kept_goes_on_without_a_snapshot(sources: StreamSources) -> None:
    for revision in range(1, 6):
        await publish(sources.control.bus, "w", revision)
    assert await kinds(sources, POLICY, 3, 2) == ["bookmark", "events"]


async def test_a_place_older_than_the_feed_is_read_from_the_broker_once(sources: StreamSources) -> None:
    for revision in range(1, 301):
        await publish(sources.control.bus, "w", revision)
    await eventually(lambda: sources.control.head == 300)
    assert sources.control.floor == 200
    assert await revisions(sources, StreamPosition(3, 0, sources.control.born), 297) == list(range(4, 301))


async def test_a_place_in_another_incarnation_of_the_stream_is_too_old(sources: StreamSources) -> None:
    for revision in range(1, 6):
        await publish(sources.control.bus, "w", revision)
    before = sources.control.born
    await sources.control.bus.link.js.delete_stream("CONTROL")
    await sources.control.bus.ensure_streams()
    await eventually(lambda: sources.control.born != before)
    token = sources.keys.resume_token(ACTIVATION, StreamPosition(0, 0, before))
    async with asyncio.timeout(10), aclosing(frames(sources, ACTIVATION, token, asyncio.Event())) as following:
        assert (await anext(following)).notice.kind == eventpb.NOTICE_KIND_RESUME_TOO_OLD


async def revisions(sources: StreamSources, place: StreamPosition, count: int) -> list[int]:
    """Revisions shown after a place."""
    shown: list[int] = []
    token = sources.keys.resume_token(POLICY, place)
    async with asyncio.timeout(10), aclosing(frames(sources, POLICY, token, asyncio.Event())) as following:
        async for frame in following:
            shown += [event.revision for event in frame.events.events]
            if len(shown) >= count:
                break
    return shown


async def test_events_that_came_twice_are_shown_once_from_the_broker_too(sources: StreamSources) -> None:
    for revision in (*range(1, 151), *range(1, 151), 151):  # a relay that died before it marked, back much later
        await publish(sources.control.bus, "w", revision)
    await eventually(lambda: sources.control.head == 301)
    assert await revisions(sources, StreamPosition(0, 0, sources.control.born), 151) == list(range(1, 152))


async def test_what_is_filtered_out_delays_nothing(sources: StreamSources) -> None:
    wide = Feed(sources.control.bus, sources.control.source, 1_000)
    wide.born = sources.control.born
    for revision in range(1, 901):
        await wide.add(revision, number(policy("w", revision), revision).SerializeToString())
    wanted = ControlEventDraft("worldservice", "w", controlpb.ActivationUpdated(), datetime.now(UTC))
    await wide.add(901, number(wanted, 1).SerializeToString())
    patient = replace(sources, control=wide, limits=StreamLimits(0.2, 1_000))
    assert await kinds(patient, ACTIVATION, 0, 2) == ["bookmark", "events"]


async def test_who_is_behind_with_orders_is_told_too(sources: StreamSources) -> None:
    orders = Feed(sources.orders.bus, sources.orders.source, 1_000)
    for place in range(1, 21):
        event = orderpb.OrderEvent(
            account="a", world_id="w", client_order_id="o", order_event_number=place, account_event_number=place
        )
        await orders.add(place, orderpb.OrderEvents(events=[event]).SerializeToString())
    scope = Scope("ada", "w", "", (eventpb.TOPIC_ORDERS,))
    assert await kinds(replace(sources, orders=orders), scope, 0, 3) == ["bookmark", "notice", "events"]


def test_shared_frames_are_bounded_by_their_bytes() -> None:
    shared, frame = SharedFrames(bytes_max=10_000), eventpb.Frame(notice=eventpb.Notice(message="x" * 1_000))
    for place in range(100):
        shared.put(ACTIVATION, StreamPosition(place, 0), StreamPosition(place + 1, 0), frame)
        assert shared.bytes <= 10_000
    assert shared.find(ACTIVATION, StreamPosition(99, 0), StreamPosition(100, 0)) is frame
    assert shared.find(ACTIVATION, StreamPosition(80, 0), StreamPosition(81, 0)) is None
    huge = eventpb.Frame(notice=eventpb.Notice(message="x" * 20_000))
    assert shared.put(ACTIVATION, StreamPosition(0, 0), StreamPosition(9, 0), huge) is huge
    assert shared.bytes == 0
