"""A client of events in random trouble, moved between two gateways while events come: no gap, no duplicate.

It is killed with its place or without, cut off, held up, or away until the broker has forgotten its place; a seed
decides what, where and when. What it folds together from frames must be what the owners say at the end.
"""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from grpc.aio import UnaryStreamCall

from controlbus.bus import Bus, connected
from controlbus.events.control_event import payload_type
from controlbus.jetstream.subjects import orders_subject
from qmtl.broker.v1 import order_pb2 as orderpb
from qmtl.common.v1 import common_pb2 as commonpb
from qmtl.control.v1 import control_pb2 as controlpb
from qmtl.core.errors import QmtlError, Unavailable
from qmtl.core.roles import Role
from qmtl.gateway.v1 import event_pb2 as eventpb
from qmtl.gateway.v1 import event_service_pb2 as eventservicepb
from qmtl.gateway.v1 import gateway_status_service_pb2 as gatewaystatuspb
from qmtl.gateway.v1 import strategy_service_pb2 as strategyservicepb
from qmtl.rpc.auth.tokens import mint_user_token
from qmtl.rpc.client.channel import connect
from qmtl.rpc.client.streams import scoped
from qmtl.rpc.metadata import bearer
from qmtl.world.v1 import activation_pb2 as activationpb
from qmtl.world.v1 import activation_service_pb2 as activationservicepb
from tests.gateway.harness import GatewayHarness, make_world, request_for, running_harness, settled, submitted
from tests.mesh.gateway_client import GatewayClient, client_over, in_chunks
from tests.support.forwarding import Forwarder, forwarding
from tests.support.logbook import lines, logged
from tests.support.nats import NatsServer
from tests.support.waiting import eventually

ORDERS, STRATEGY, ACTIVATION = eventpb.TOPIC_ORDERS, eventpb.TOPIC_STRATEGY, eventpb.TOPIC_ACTIVATION
TOPICS = (ORDERS, STRATEGY, ACTIVATION)
GATEWAYS = ("gateway", "gateway-2")
SEED = 11
TROUBLES = ("killed", "lost", "reset", "closed", "slowed")
AWAY_EVERY = 8  # so many moves until the client stays away for so long that its place is gone
READ_S = 30.0
Reading = UnaryStreamCall[eventservicepb.SubscribeEventsRequest, eventservicepb.SubscribeEventsResponse]
Held = tuple[int, object]


@dataclass
class Folded:
    """What a client makes of its frames. It refuses a gap, a duplicate, and a snapshot nobody announced."""

    resume: str = ""
    states: dict[str, Held] = field(default_factory=dict)
    order_sequence: int | None = None
    due: set[int] = field(default_factory=set)
    too_old: int = 0
    events: int = 0

    def connects(self) -> None:
        """A stream without a place begins with every snapshot."""
        self.due = set() if self.resume else set(TOPICS)

    def take(self, frame: eventpb.Frame) -> None:
        match frame.WhichOneof("body"):
            case "snapshot":
                self._replace(frame.snapshot)
            case "events":
                assert not self.due
                for event in frame.events.events:
                    self._follow(event)
                for step in frame.events.order_events:
                    self._follow_order(step)
            case "notice" if frame.notice.kind == eventpb.NOTICE_KIND_RESUME_TOO_OLD:
                assert self.resume
                assert not frame.notice.resume_token
                self.resume, self.due, self.too_old = "", set(TOPICS), self.too_old + 1
            case "notice":
                assert frame.notice.kind == eventpb.NOTICE_KIND_LAGGING
            case _:
                assert not self.due
        token = frame.events.resume_token or frame.bookmark.resume_token or frame.notice.resume_token
        self.resume = token or self.resume

    def _replace(self, snapshot: eventpb.Snapshot) -> None:
        assert snapshot.topic in self.due
        self.due.remove(snapshot.topic)
        if snapshot.topic == ORDERS:
            self.order_sequence = None  # open orders only: which event comes next is not said
            return
        shown = {_key(state): (state.revision, _value(state)) for state in snapshot.states}
        before = {key: held for key, held in self.states.items() if _topic(key) == snapshot.topic}
        for key, (revision, _) in before.items():
            assert shown[key][0] >= revision, f"{key} went back"
            del self.states[key]
        self.states.update(shown)

    def _follow(self, event: controlpb.ControlEvent) -> None:
        key = _key(event)
        held = self.states.get(key, (0, None))[0]
        assert event.revision == held + 1, f"{key}: {event.revision} after {held}"
        self.states[key] = event.revision, _value(event)
        self.events += 1

    def _follow_order(self, step: orderpb.OrderEvent) -> None:
        if self.order_sequence is not None:
            assert step.account_event_number == self.order_sequence + 1
        self.order_sequence = step.account_event_number
        self.events += 1


def _key(event: controlpb.ControlEvent) -> str:
    return f"{payload_type(event)} {event.key}"


def _topic(key: str) -> int:
    return ACTIVATION if key.startswith("activation_updated") else STRATEGY


def _value(event: controlpb.ControlEvent) -> object:
    """The part of a state that its owner can be asked for."""
    match payload_type(event):
        case "strategy_state_changed":
            return event.strategy_state_changed.state
        case "activation_updated":
            return event.activation_updated.activation.state_hash
    raise AssertionError(f"{payload_type(event)} was not asked for")


@dataclass
class Scene:
    """The harness, a world, and those who change it while the client moves."""

    harness: GatewayHarness
    ann: GatewayClient
    world: str
    bus: Bus
    dice: random.Random  # of those who act: the client has its own, or the two would depend on who is faster
    wires: dict[str, Forwarder]
    token: str
    strategies: list[str] = field(default_factory=list)
    canceled: set[str] = field(default_factory=set)
    orders: int = 0
    frozen: bool = False

    async def act(self) -> None:
        """One change by somebody: a strategy comes or goes, an order steps, the activation freezes or thaws."""
        match self.dice.choice(("submit", "submit", "cancel", "order", "order", "activation")):
            case "submit":
                await self.submit()
            case "cancel":
                gone = self.dice.choice(self.strategies[1:] or [""])  # the first carries the activation
                if gone and gone not in self.canceled:
                    self.canceled.add(gone)
                    await self.ann.strategies.CancelStrategy(strategyservicepb.CancelStrategyRequest(strategy_id=gone))
            case "order":
                await self.step_order()
            case _:
                await self.freeze()

    async def submit(self) -> None:
        """One strategy more; a gateway that has not seen its peers answer yet is asked again, as it wants to be."""
        request = request_for(self.world, f"S{len(self.strategies)}")
        async with asyncio.timeout(READ_S):
            while True:
                try:
                    reply = await self.ann.strategies.SubmitStrategy(in_chunks(request))
                except Unavailable as error:
                    if error.reason != "E_DEGRADED" or error.retry_after_s is None:
                        raise
                    await asyncio.sleep(error.retry_after_s)
                else:
                    self.strategies.append(reply.strategy.strategy_id)
                    return

    async def step_order(self) -> None:
        """An event of an order, as brokerage's outbox publishes it."""
        self.orders += 1
        step = orderpb.OrderEvent(
            account="none", world_id=self.world, strategy_id=self.strategies[0], client_order_id="o",
            order_event_number=self.orders, account_event_number=self.orders,
        )  # fmt: skip
        name, told = f"{self.world}-{self.orders}", orderpb.OrderEvents(events=[step])
        await self.bus.publish(orders_subject(self.world, "none"), told.SerializeToString(), msg_id=name)

    async def freeze(self) -> None:
        """Each time the other way round, so that every call is a new revision."""
        self.frozen = not self.frozen
        change = activationpb.ActivationChange(
            strategy_id=self.strategies[0], side=commonpb.SIDE_LONG, freeze=self.frozen
        )
        request = activationservicepb.SetActivationRequest(world_id=self.world, changes=[change])
        await self.ann.activation.SetActivation(request)

    async def acts(self) -> None:
        for _ in range(self.dice.randrange(2, 7)):
            await self.act()

    async def forget(self, at: str) -> None:
        """Something happens, the broker drops all it has, and a gateway begins anew: an older place is gone there."""
        await self.step_order()
        await self.submit()
        await settled(self.ann, self.strategies[-1])
        await eventually(self._relayed)
        await self.bus.link.js.purge_stream("CONTROL")
        await self.harness.stop(at)
        await self.harness.start_gateway(at)

    async def owners_say(self) -> tuple[dict[str, Held], int]:
        """The states a client should hold, from those who own them, and how many order events there were."""
        states: dict[str, Held] = {}
        page = commonpb.PageRequest(page_size=500)
        while True:
            asked = strategyservicepb.ListStrategiesRequest(world_id=self.world, page=page)
            reply = await self.ann.strategies.ListStrategies(asked)
            for one in reply.strategies:
                states[f"strategy_state_changed {one.strategy_id}"] = one.strategy_revision, one.state
            if not reply.page.next_page_token:
                break
            page.page_token = reply.page.next_page_token
        request = activationservicepb.GetActivationRequest(world_id=self.world)
        activation = (await self.ann.activation.GetActivation(request)).activation
        states[f"activation_updated {self.world}"] = activation.world_revision, activation.state_hash
        return states, self.orders

    async def _relayed(self) -> bool:
        """Whether the gateway's own events have left its outbox."""
        return (await self.ann.status.GetStatus(gatewaystatuspb.GetStatusRequest())).status.outbox_depth == 0


@asynccontextmanager
async def setting(home: Path, nats_url: str, seed: int) -> AsyncIterator[Scene]:
    """Two gateways, each behind a wire that can be cut, and a world with one strategy."""
    async with (
        running_harness(home, nats_url, feed_max=100, bookmark_s=0.5, stream_token_ttl_s=3600) as harness,
        connected(nats_url, service="t") as bus,
        forwarding(harness.mesh_address("gateway")) as one,
    ):
        await harness.start_gateway("gateway-2")
        async with forwarding(harness.mesh_address("gateway-2")) as two:
            ann = await harness.client()
            world = await make_world(ann)
            first = (await submitted(ann, world, "FIRST")).strategy_id
            request = eventservicepb.CreateEventStreamRequest(world_id=world, topics=TOPICS)
            token = (await ann.events.CreateEventStream(request)).stream.stream_token
            wires = dict(zip(GATEWAYS, (one, two), strict=True))
            yield Scene(harness, ann, world, bus, random.Random(seed), wires, token, [first])


async def read_some(call: Reading, folded: Folded, count: int) -> None:
    """So many frames, in a bounded time; a quiet stream has bookmarks."""
    async with asyncio.timeout(READ_S):
        for _ in range(count):
            reply = await call.read()
            assert isinstance(reply, eventservicepb.SubscribeEventsResponse)
            folded.take(reply.frame)


async def read_to_the_cut(call: Reading, folded: Folded) -> None:
    """What still arrives of a stream whose connection is gone."""
    async with asyncio.timeout(READ_S):
        try:
            while isinstance(reply := await call.read(), eventservicepb.SubscribeEventsResponse):
                folded.take(reply.frame)
        except QmtlError:
            return


async def stay(scene: Scene, folded: Folded, at: str, trouble: str, count: int) -> None:
    """One connection to a gateway, for so many frames and until the trouble that ends it."""
    wire, ann = scene.wires[at], mint_user_token(scene.harness.home, Role.READER, "ann")
    folded.connects()
    async with connect(wire.address, user_token=lambda: ann) as channel:
        request = eventservicepb.SubscribeEventsRequest(resume_token=folded.resume)
        with scoped(client_over(channel).events.SubscribeEvents(request, metadata=bearer(scene.token))) as call:
            acting = asyncio.create_task(scene.acts())
            try:
                await read_some(call, folded, count)
                match trouble:
                    case "reset":
                        wire.reset()
                        await read_to_the_cut(call, folded)
                    case "closed":
                        await channel.close()
                    case "slowed":
                        wire.hold()
                        await acting
                        wire.release()
                        await read_some(call, folded, 2)
                    case _:  # killed, with whatever is on its way
                        call.cancel()
                        folded.resume = "" if trouble == "lost" else folded.resume
            finally:
                wire.release()
                await acting


async def wander(scene: Scene, dice: random.Random, moves: int) -> tuple[Folded, Counter[str]]:
    """A client's way through so many moves, then to the end of what there is to see."""
    folded, met = Folded(), Counter[str]()
    troubles = [trouble for _ in range(moves) for trouble in dice.sample(TROUBLES, len(TROUBLES))]  # each in each round
    for move, trouble in enumerate(troubles[:moves]):
        at = dice.choice(GATEWAYS)
        at_least = 1 if trouble in ("reset", "slowed") else 0  # the connection must be there
        if move % AWAY_EVERY == AWAY_EVERY - 1:
            await be_forgotten(scene, folded, at)
            met["away"] += 1
        await stay(scene, folded, at, trouble, dice.randrange(at_least, 6))
        met[trouble] += 1
        met[at] += 1
    for strategy_id in scene.strategies:
        await settled(scene.ann, strategy_id)
    await see_the_end(scene, folded, dice.choice(GATEWAYS))
    await scene.step_order()
    await see_the_end(scene, folded, dice.choice(GATEWAYS), order_too=True)
    assert folded.order_sequence == scene.orders
    return folded, met


async def be_forgotten(scene: Scene, folded: Folded, at: str) -> None:
    """Away with a place until the broker does not keep it; then the gateway must say so and show the states."""
    await see_the_end(scene, folded, at)
    told = folded.too_old
    await scene.forget(at)
    await see_the_end(scene, folded, at)
    assert folded.too_old == told + 1


async def see_the_end(scene: Scene, folded: Folded, at: str, *, order_too: bool = False) -> None:
    """Read until the client holds what the owners say, nobody acting meanwhile, and has a place.

    Without an order's event since the last snapshot it holds no sequence, and `order_too` waits for one.
    """
    said, orders = await scene.owners_say()
    order_ends = {orders} if order_too else {orders, None}
    folded.connects()
    request = eventservicepb.SubscribeEventsRequest(resume_token=folded.resume)
    client = await scene.harness.client(at=at)
    with scoped(client.events.SubscribeEvents(request, metadata=bearer(scene.token))) as call:
        async with asyncio.timeout(READ_S):
            while folded.states != said or folded.order_sequence not in order_ends or not folded.resume:
                await read_some(call, folded, 1)
                said, _ = await scene.owners_say()


@pytest.mark.parametrize("seed", [SEED])
async def test_client_in_trouble_between_two_gateways_ends_with_the_owners_state(
    tmp_path: Path, nats_server: NatsServer, seed: int
) -> None:
    await run(tmp_path, nats_server, seed, 16)


@pytest.mark.soak
@pytest.mark.timeout(600)
@pytest.mark.parametrize("seed", [SEED, SEED + 1])
async def test_client_in_trouble_moved_a_hundred_times_ends_with_the_owners_state(
    tmp_path: Path, nats_server: NatsServer, seed: int
) -> None:
    await run(tmp_path, nats_server, seed, 100)


async def run(home: Path, nats: NatsServer, seed: int, moves: int) -> None:
    with logged() as out:
        async with setting(home / "home", nats.url, seed) as scene:
            folded, met = await wander(scene, random.Random(seed), moves)
        assert {*met} == {*TROUBLES, "away", *GATEWAYS}, "the seed leaves something out"
        assert folded.too_old == met["away"] == moves // AWAY_EVERY
        assert folded.events > moves
        assert not [line for line in lines(out) if line["event"] == "unmapped_error"]
