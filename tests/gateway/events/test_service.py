"""Event streams over the wire: scope, snapshots, resuming, moving between gateways, tokens, drains, stuck readers."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from grpc.aio import EOF, UnaryStreamCall

from controlbus.bus import connected
from controlbus.events.control_event import ControlEventDraft, number, payload_type
from controlbus.jetstream.subjects import control_subject
from gateway.events.topics import TYPES
from qmtl.common.v1 import common_pb2 as commonpb
from qmtl.control.v1 import control_pb2 as controlpb
from qmtl.core.errors import Exhausted, InvalidRequest, PermissionDenied, Unauthenticated, Unavailable
from qmtl.core.roles import Role
from qmtl.gateway.v1 import event_pb2 as eventpb
from qmtl.gateway.v1 import event_service_pb2 as eventservicepb
from qmtl.gateway.v1 import gateway_status_service_pb2 as gatewaystatuspb
from qmtl.gateway.v1 import strategy_service_pb2 as strategyservicepb
from qmtl.rpc.client.streams import scoped
from qmtl.rpc.metadata import bearer
from tests.gateway.harness import GatewayHarness, make_world, request_for, running_harness, submitted
from tests.mesh.gateway_client import GatewayClient, in_chunks
from tests.support.waiting import eventually

ACTIVATION, STRATEGY, POLICY = eventpb.TOPIC_ACTIVATION, eventpb.TOPIC_STRATEGY, eventpb.TOPIC_POLICY
SEED = 7


async def created(client: GatewayClient, world_id: str, *topics: eventpb.Topic, strategy: str = "") -> str:
    """A stream's token."""
    request = eventservicepb.CreateEventStreamRequest(world_id=world_id, strategy_id=strategy, topics=topics)
    return (await client.events.CreateEventStream(request)).stream.stream_token


@asynccontextmanager
async def following(client: GatewayClient, token: str, resume: str = "") -> AsyncIterator[AsyncIterator[eventpb.Frame]]:
    """The frames of a stream."""
    call = client.events.SubscribeEvents(
        eventservicepb.SubscribeEventsRequest(resume_token=resume), metadata=bearer(token)
    )
    with scoped(call) as replies:
        yield (reply.frame async for reply in replies)


@dataclass
class Seen:
    """What a client has put together from frames; it refuses a gap and a duplicate."""

    revisions: dict[str, int] = field(default_factory=dict)
    shown: list[tuple[str, int]] = field(default_factory=list)
    resume: str = ""
    snapshots: int = 0
    notices: list[int] = field(default_factory=list)

    def take(self, frame: eventpb.Frame) -> None:
        body = frame.WhichOneof("body")
        if body == "snapshot":
            self.snapshots += 1
            self.revisions.update({state.key: state.revision for state in frame.snapshot.states})
        for event in frame.events.events:
            assert event.revision == self.revisions.get(event.key, 0) + 1, (event.key, event.revision, self.revisions)
            self.revisions[event.key] = event.revision
            self.shown.append((event.key, event.revision))
        if body == "notice":
            self.notices.append(frame.notice.kind)
        token = frame.events.resume_token or frame.bookmark.resume_token or frame.notice.resume_token
        self.resume = token or self.resume


async def submit_many(client: GatewayClient, world_id: str, count: int) -> None:
    for symbol in range(count):
        await client.strategies.SubmitStrategy(in_chunks(request_for(world_id, f"S{symbol}")))


async def test_snapshot_then_each_change_in_order(harness: GatewayHarness) -> None:
    ann = await harness.client()
    world = await make_world(ann)
    first = await submitted(ann, world, "FIRST")
    seen = Seen()
    async with following(ann, await created(ann, world, STRATEGY)) as frames:
        seen.take(await anext(frames))
        assert seen.revisions == {first.strategy_id: 3}
        second = await submitted(ann, world, "SECOND")
        while seen.revisions.get(second.strategy_id, 0) < 3:
            seen.take(await anext(frames))
    assert [key for key, _ in seen.shown] == [second.strategy_id] * 3


async def test_activation_is_shown_with_its_domain(harness: GatewayHarness) -> None:
    ann = await harness.client()
    world = await make_world(ann)
    async with following(ann, await created(ann, world, ACTIVATION)) as frames:
        states = (await anext(frames)).snapshot.states
    assert [state.key for state in states] == [world]
    assert states[0].activation_updated.activation.execution_domain == commonpb.EXECUTION_DOMAIN_BACKTEST


async def test_every_topic_has_a_snapshot(harness: GatewayHarness) -> None:
    ann = await harness.client()
    world = await make_world(ann)
    strategy = await submitted(ann, world)
    topics = list(TYPES)
    async with following(ann, await created(ann, world, *topics)) as frames:
        shown = {frame.snapshot.topic: frame.snapshot for frame in [await anext(frames) for _ in topics]}
    assert set(shown) == set(topics)
    assert len(shown[eventpb.TOPIC_QUEUES].states[0].world_queues_updated.queues) == 1
    said = {payload_type(state) for state in shown[eventpb.TOPIC_POLICY].states}
    assert said == {"policy_updated", "decision_updated"}
    kept = {eventpb.TOPIC_POLICY, eventpb.TOPIC_QUEUES, eventpb.TOPIC_STRATEGY}
    assert all(state.revision > 0 for topic in kept for state in shown[topic].states)
    assert [state.key for state in shown[eventpb.TOPIC_SENTINEL].states] == [strategy.strategy_id]
    with pytest.raises(InvalidRequest):
        await created(ann, world)


async def test_a_new_queue_is_an_event_that_follows_on_the_snapshot(harness: GatewayHarness) -> None:
    ann = await harness.client()
    world = await make_world(ann)
    await submitted(ann, world, "ONE")
    async with following(ann, await created(ann, world, eventpb.TOPIC_QUEUES)) as frames:
        (before,) = (await anext(frames)).snapshot.states
        await anext(frames)
        await submitted(ann, world, "TWO")
        (event,) = (await anext(frames)).events.events
    assert (event.key, event.revision) == (before.key, before.revision + 1)
    assert len(before.world_queues_updated.queues) == 1
    assert len(event.world_queues_updated.queues) == 2


async def test_events_of_other_worlds_and_strategies_are_not_shown(harness: GatewayHarness) -> None:
    ann = await harness.client()
    mine, other = await make_world(ann), await make_world(ann)
    one = await submitted(ann, mine, "ONE")
    async with following(ann, await created(ann, mine, STRATEGY, strategy=one.strategy_id)) as frames:
        await anext(frames)
        await anext(frames)
        await submitted(ann, other, "OTHER")
        await submitted(ann, mine, "TWO")
        await ann.strategies.CancelStrategy(strategyservicepb.CancelStrategyRequest(strategy_id=one.strategy_id))
        frame = await anext(frames)
    assert [event.key for event in frame.events.events] == [one.strategy_id]


async def test_scope_and_token_are_checked(harness: GatewayHarness) -> None:
    ann, eve = await harness.client(), await harness.client(Role.OWNER, "eve", ["w-other"])
    world = await make_world(ann)
    token = await created(ann, world, STRATEGY)
    with pytest.raises(PermissionDenied):
        await created(eve, world, STRATEGY)
    with pytest.raises(Unauthenticated) as stolen:
        await eve.events.RefreshEventStream(eventservicepb.RefreshEventStreamRequest(stream_token=token))
    assert stolen.value.reason == "E_STREAM_TOKEN"
    async with following(ann, "nonsense") as frames:
        with pytest.raises(Unauthenticated) as bad:
            await anext(frames)
    assert bad.value.reason == "E_STREAM_TOKEN"
    async with following(ann, token, "nonsense") as frames:
        with pytest.raises(InvalidRequest) as broken:
            await anext(frames)
    assert broken.value.reason == "E_RESUME_TOKEN"
    seen = Seen()
    async with following(ann, token) as frames:
        seen.take(await anext(frames))
        seen.take(await anext(frames))
    async with following(ann, await created(ann, world, POLICY), seen.resume) as frames:
        with pytest.raises(PermissionDenied) as refused:
            await anext(frames)
    assert refused.value.reason == "E_RESUME_SCOPE"


async def test_client_moved_between_two_gateways_at_random_sees_each_event_once(harness: GatewayHarness) -> None:
    await harness.start_gateway("gateway-2")
    ann = await harness.client()
    clients = [ann, await harness.client(at="gateway-2")]
    world = await make_world(ann)
    token = await created(ann, world, STRATEGY)
    dice, seen = random.Random(SEED), Seen()
    work = asyncio.create_task(submit_many(ann, world, 40))
    while not work.done():
        async with following(dice.choice(clients), token, seen.resume) as frames:
            for _ in range(dice.randrange(1, 5)):
                seen.take(await anext(frames))
    await work
    listed = (await ann.strategies.ListStrategies(strategyservicepb.ListStrategiesRequest(world_id=world))).strategies
    final = {one.strategy_id: one.strategy_revision for one in listed}
    async with following(dice.choice(clients), token, seen.resume) as frames:
        while seen.revisions != final:
            seen.take(await anext(frames))
    assert len(seen.shown) == len(set(seen.shown))
    assert seen.snapshots == 1


async def test_drain_says_going_away_with_a_place(harness: GatewayHarness) -> None:
    await harness.start_gateway("gateway-2")
    ann, there = await harness.client(), await harness.client(at="gateway-2")
    world = await make_world(ann)
    token = await created(ann, world, STRATEGY)
    seen = Seen()
    async with following(there, token) as frames:
        seen.take(await anext(frames))
        seen.take(await anext(frames))
        stopping = asyncio.create_task(harness.stop("gateway-2"))
        while eventpb.NOTICE_KIND_GOING_AWAY not in seen.notices:
            seen.take(await anext(frames))
        await stopping
    await submitted(ann, world)
    async with following(ann, token, seen.resume) as frames:
        while len(seen.shown) < 3:
            seen.take(await anext(frames))


async def test_stream_ends_with_its_token_unless_renewed(harness: GatewayHarness) -> None:
    ann = await harness.client()
    world = await make_world(ann)
    token = await created(ann, world, STRATEGY)
    kept = await created(ann, world, STRATEGY)
    seen, other = Seen(), Seen()
    async with following(ann, token) as frames, following(ann, kept) as renewed:
        for shown, stream in ((seen, frames), (other, renewed)):
            shown.take(await anext(stream))
            shown.take(await anext(stream))
        harness.clock.slept_s = 290
        fresh = (
            await ann.events.RefreshEventStream(eventservicepb.RefreshEventStreamRequest(stream_token=kept))
        ).stream.stream_token
        harness.clock.slept_s = 310
        while eventpb.NOTICE_KIND_GOING_AWAY not in seen.notices:
            seen.take(await anext(frames))
        await submitted(ann, world)
        while len(other.shown) < 3:
            other.take(await anext(renewed))
    async with following(ann, token, seen.resume) as frames:
        with pytest.raises(Unauthenticated) as refused:
            await anext(frames)
    assert refused.value.reason == "E_STREAM_TOKEN"
    async with following(ann, fresh, other.resume) as frames:
        assert (await anext(frames)).HasField("bookmark")


async def test_one_stuck_reader_among_many_delays_nobody_and_is_dropped(tmp_path: Path, nats_url: str) -> None:
    async with running_harness(tmp_path, nats_url, subscriber_write_s=1.0, workers=1) as harness:
        ann = await harness.client()
        world = await make_world(ann)
        token = await created(ann, world, STRATEGY)
        stuck = (await harness.client()).events.SubscribeEvents(
            eventservicepb.SubscribeEventsRequest(), metadata=bearer(token)
        )
        await stuck.read()
        readers = [Seen() for _ in range(20)]

        async def read_all(seen: Seen, final: asyncio.Future[dict[str, int]]) -> None:
            async with following(ann, token) as frames:
                async for frame in frames:
                    seen.take(frame)
                    if final.done() and seen.revisions == final.result():
                        return

        final: asyncio.Future[dict[str, int]] = asyncio.get_running_loop().create_future()
        reading = [asyncio.create_task(read_all(seen, final)) for seen in readers]
        await eventually(lambda: all(seen.snapshots for seen in readers))  # what is published below has no owner to ask
        await publish_much(harness, world, 3_000)
        final.set_result({"big": 3_000})
        async with asyncio.timeout(30):
            await asyncio.gather(*reading)

        async def dropped() -> bool:
            status = await ann.status.GetStatus(gatewaystatuspb.GetStatusRequest())
            return status.event_subscribers == 0

        await eventually(dropped)
        with pytest.raises((Exhausted, Unavailable)):  # the second when not even the status could be sent
            await drain(stuck)


async def drain(stuck: UnaryStreamCall[Any, Any]) -> None:
    """Read all that is left."""
    while await stuck.read() is not EOF:
        pass


async def publish_much(harness: GatewayHarness, world_id: str, count: int) -> None:
    """Revisions of one key that fill every buffer on the way to a reader that reads nothing."""
    payload = controlpb.StrategyStateChanged(strategy_id="big", reason="x" * 1000, world_ids=[world_id])
    async with connected(harness.mesh.nats_url, service="t") as bus:
        for start in range(1, count + 1, 100):
            events = [
                number(ControlEventDraft("gateway", "big", payload, harness.clock.now()), revision)
                for revision in range(start, start + 100)
            ]
            for event in events:
                subject = control_subject("strategy_state_changed", "big")
                await bus.publish(subject, event.SerializeToString(), msg_id=event.event_id)


async def test_a_descriptor_s_own_place_begins_after_what_there_was_without_a_snapshot(harness: GatewayHarness) -> None:
    ann = await harness.client()
    world = await make_world(ann)
    await submitted_and_told(ann, world)
    request = eventservicepb.CreateEventStreamRequest(world_id=world, topics=[STRATEGY])
    stream = (await ann.events.CreateEventStream(request)).stream
    after = await submitted(ann, world, "ETH-USD")
    seen = Seen()
    async with following(ann, stream.stream_token, stream.resume_token) as frames:
        while len(seen.shown) < 3:
            seen.take(await anext(frames))
    assert seen.snapshots == 0
    assert {key for key, _ in seen.shown} == {after.strategy_id}


async def submitted_and_told(client: GatewayClient, world_id: str) -> None:
    """Submit a strategy and see all three of its events: its relay may be behind its answer."""
    seen = Seen()
    async with following(client, await created(client, world_id, STRATEGY)) as frames:
        while not seen.resume:
            seen.take(await anext(frames))
        await submitted(client, world_id)
        while len(seen.shown) < 3:
            seen.take(await anext(frames))
