"""A client written from the comments of event.proto alone is never wrong, whatever happened before and meanwhile.

Facts change, their events reach the broker later, some twice; the client comes, breaks off and resumes. Its rule is
the contract's: the last revision plus one is applied, one that is not higher is dropped, anything else is a gap.
"""

from __future__ import annotations

import asyncio
import random
from collections import deque
from collections.abc import AsyncIterator
from contextlib import aclosing
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import pytest
from google.protobuf import message as protobuf
from sqlalchemy import Connection

from controlbus.bus import Bus, connected
from controlbus.events.control_event import ControlEventDraft, cloud_headers, number, payload_type
from controlbus.jetstream.subjects import control_subject, orders_subject
from controlbus.outbox.outbox import Row
from gateway.events.feed import Feed
from gateway.events.snapshots import Snapshots
from gateway.events.subscription import StreamLimits, StreamSources, frames
from gateway.events.tokens import Scope
from gateway.events.topics import control_source, orders_source
from gateway.peers import Peers
from gateway.submissions.domain import State, Step
from gateway.submissions.store import strategies
from gateway.submissions.store.room import QueueLimits
from gateway.submissions.tables import OUTBOX
from qmtl.broker.v1 import account_pb2 as accountpb
from qmtl.broker.v1 import account_service_pb2 as accountservicepb
from qmtl.broker.v1 import order_pb2 as orderpb
from qmtl.broker.v1 import order_service_pb2 as orderservicepb
from qmtl.control.v1 import control_pb2 as controlpb
from qmtl.control.v1 import event_state_service_pb2 as eventstateservicepb
from qmtl.core.clock import SystemClock
from qmtl.dag.v1 import queue_catalogue_service_pb2 as queuecatalogueservicepb
from qmtl.dag.v1 import queue_pb2 as queuepb
from qmtl.dag.v1 import sentinel_service_pb2 as sentinelservicepb
from qmtl.gateway.v1 import event_pb2 as eventpb
from qmtl.sql.database import Database
from qmtl.world.v1 import activation_pb2 as activationpb
from qmtl.world.v1 import decision_pb2 as decisionpb
from qmtl.world.v1 import evaluation_pb2 as evaluationpb
from tests.gateway.events.signing import stream_keys
from tests.gateway.submissions.test_store import submission
from tests.support.nats import NatsServer
from tests.support.waiting import eventually

WORLD, ACCOUNT = "w", "a"
TOPICS = (
    eventpb.TOPIC_ACTIVATION, eventpb.TOPIC_QUEUES, eventpb.TOPIC_POLICY,
    eventpb.TOPIC_STRATEGY, eventpb.TOPIC_SENTINEL, eventpb.TOPIC_ORDERS,
)  # fmt: skip
PAYLOADS = {  # as the table of event.proto has them
    eventpb.TOPIC_ACTIVATION: {"activation_updated"},
    eventpb.TOPIC_QUEUES: {"world_queues_updated"},
    eventpb.TOPIC_POLICY: {"policy_updated", "decision_updated"},
    eventpb.TOPIC_STRATEGY: {"strategy_state_changed", "evaluation_run_updated"},
    eventpb.TOPIC_SENTINEL: {"sentinel_weight_updated"},
    eventpb.TOPIC_ORDERS: {"order"},
}
SCOPE = Scope("ada", WORLD, "", TOPICS)
STEPS, ORDER_STEPS = 90, 4
Key = tuple[str, str]
Message = tuple[str, bytes, str, dict[str, str]]  # subject, body, id and headers


@dataclass
class Owner:
    """Who owns the facts: their present states, and the events that have not left their outboxes yet."""

    database: Database
    states: dict[Key, controlpb.ControlEvent] = field(default_factory=dict)
    orders: dict[str, int] = field(default_factory=dict)
    order_events: int = 0
    submitted: list[str] = field(default_factory=list)
    outbox: deque[Message] = field(default_factory=deque)

    async def change(self, chance: random.Random) -> None:
        """One fact changes, with its event in the same commit."""
        match chance.choice(("world", "world", "queues", "submit", "cancel", "sentinel", "run", "order", "order")):
            case "world":
                said = f"{chance.random()}"
                decision = decisionpb.DecisionEnvelope(world_id=WORLD, message=said)
                self._tell(WORLD, chance.choice((
                    controlpb.PolicyUpdated(world_id=WORLD, checksum=said),
                    controlpb.DecisionUpdated(decision=decision),
                    controlpb.ActivationUpdated(activation=activationpb.ActivationEnvelope(state_hash=said)),
                )))  # fmt: skip
            case "queues":
                queue = queuepb.Queue(compute_key=f"{chance.random()}", state=queuepb.QUEUE_STATE_ACTIVE)
                self._tell(WORLD, controlpb.WorldQueuesUpdated(world_id=WORLD, queues=[queue]))
            case "submit":
                made = submission(f"r{len(self.submitted)}", f"blake3:{len(self.submitted)}", (WORLD,))
                await self.database.write(
                    lambda conn: strategies.accept(conn, made, datetime.now(UTC), QueueLimits(1000))
                )
                self.submitted.append(made.strategy_id)
            case _ if not self.submitted:
                return
            case "cancel":
                gone, step = chance.choice(self.submitted), Step(State.CANCELED, "ada", datetime.now(UTC))
                await self.database.write(lambda conn: strategies.cancel(conn, gone, step))
            case "sentinel":
                of = chance.choice(self.submitted)
                self._tell(of, controlpb.SentinelWeightUpdated(strategy_id=of))
            case "run":
                run = evaluationpb.EvaluationRun(run_id=f"{chance.random()}")
                self._tell(f"{WORLD}/{chance.choice(self.submitted)}", controlpb.EvaluationRunUpdated(run=run))
            case _:
                self._step_order(chance)

    def _tell(self, key: str, payload: protobuf.Message) -> None:
        draft = ControlEventDraft("owner", key, payload, datetime.now(UTC))
        kind = payload_type(number(draft, 1)), key
        event = number(draft, self.states[kind].revision + 1 if kind in self.states else 1)
        self.states[kind] = event
        subject = control_subject(payload_type(event), event.key)
        self.outbox.append((subject, event.SerializeToString(), event.event_id, dict(cloud_headers(event))))

    def _step_order(self, chance: random.Random) -> None:
        """A new order, or the next event of one; the last closes it."""
        name = chance.choice([*(name for name, at in self.orders.items() if at < ORDER_STEPS), f"o{len(self.orders)}"])
        self.orders[name] = self.orders.get(name, 0) + 1
        self.order_events += 1
        step = orderpb.OrderEvent(
            account=ACCOUNT, world_id=WORLD, strategy_id="s", client_order_id=name,
            order_event_number=self.orders[name], account_event_number=self.order_events,
        )  # fmt: skip
        told = orderpb.OrderEvents(events=[step])
        self.outbox.append(
            (orders_subject(WORLD, ACCOUNT), told.SerializeToString(), f"{name}-{self.orders[name]}", {})
        )

    async def ListEventStates(  # the RPC's name
        self, request: eventstateservicepb.ListEventStatesRequest
    ) -> AsyncIterator[eventstateservicepb.ListEventStatesResponse]:
        wanted = {
            eventstateservicepb.EventKind.Name(kind).removeprefix("EVENT_KIND_").lower() for kind in request.kinds
        }
        named = {f"{WORLD}/{strategy_id}" for strategy_id in request.strategy_ids}
        for (kind, key), state in sorted(self.states.items()):
            if kind in wanted and (key == WORLD or key in named):
                yield eventstateservicepb.ListEventStatesResponse(state=state)

    async def ListQueues(self, request: object) -> queuecatalogueservicepb.ListQueuesResponse:
        state = self.states.get(("world_queues_updated", WORLD), controlpb.ControlEvent())
        return queuecatalogueservicepb.ListQueuesResponse(
            queues=state.world_queues_updated.queues, world_queues_revision=state.revision
        )

    async def ListSentinels(
        self, request: sentinelservicepb.ListSentinelsRequest
    ) -> sentinelservicepb.ListSentinelsResponse:
        state = self.states.get(("sentinel_weight_updated", request.strategy_id), controlpb.ControlEvent())
        return sentinelservicepb.ListSentinelsResponse(sentinel_set_revision=state.revision)

    async def ListAccounts(self, request: object) -> accountservicepb.ListAccountsResponse:
        return accountservicepb.ListAccountsResponse(accounts=[accountpb.Account(account=ACCOUNT)])

    async def ListOrders(self, request: object) -> orderservicepb.ListOrdersResponse:
        found = [
            orderpb.OrderStatus(
                order=orderpb.Order(account=ACCOUNT, strategy_id="s", client_order_id=name), order_event_number=at
            )
            for name, at in self.orders.items()
            if at < ORDER_STEPS
        ]
        return orderservicepb.ListOrdersResponse(statuses=found)

    async def relay(self, bus: Bus, most: int, chance: random.Random) -> None:
        """Publish some of what waits, in order; now and then a control event goes out twice under another id."""
        await self._collect()
        for _ in range(min(most, len(self.outbox))):
            subject, body, name, headers = self.outbox.popleft()
            for again in range(2 if headers and chance.random() < 0.1 else 1):
                await bus.publish(subject, body, msg_id=f"{name}-{again}", headers=headers)

    async def _collect(self) -> None:
        """What the gateway's own store has to tell of strategies; its submission log is not asked for."""

        def work(conn: Connection) -> list[Row]:
            rows = OUTBOX.unsent(conn, 1000)
            OUTBOX.mark_sent(conn, [row.id for row in rows], 1)
            return rows

        for row in await self.database.write(work):
            if row.subject.startswith("qmtl.control."):
                event = controlpb.ControlEvent.FromString(row.body)
                self.states[payload_type(event), event.key] = event
                self.outbox.append((row.subject, row.body, event.event_id, dict(row.headers)))

    async def revisions(self) -> dict[Key, int]:
        """Where each fact is."""
        await self._collect()
        found = {key: state.revision for key, state in self.states.items()}
        return found | {("order", f"{ACCOUNT}/s/{name}"): at for name, at in self.orders.items()}


@dataclass
class Client:
    """The contract's rule, and nothing else."""

    held: dict[Key, int] = field(default_factory=dict)
    partial: set[str] = field(default_factory=set)
    resume: str = ""
    goes_on: bool = False
    gaps: int = 0
    duplicates: int = 0

    def take(self, frame: eventpb.Frame) -> None:
        """One frame of a stream."""
        if frame.HasField("snapshot"):
            self._replace(frame.snapshot)
        for event in frame.events.events:
            self._apply((payload_type(event), event.key), event.revision)
        for step in frame.events.order_events:
            name = f"{step.account}/{step.strategy_id}/{step.client_order_id}"
            self._apply(("order", name), step.order_event_number)
        self.resume = frame.events.resume_token or frame.bookmark.resume_token or self.resume

    def _replace(self, snapshot: eventpb.Snapshot) -> None:
        kinds = PAYLOADS[snapshot.topic]
        if not self.goes_on:
            self.held = {key: at for key, at in self.held.items() if key[0] not in kinds}
        self.goes_on = snapshot.more
        self.partial = self.partial - kinds | (kinds if snapshot.truncated else set())
        self.held |= {(payload_type(state), state.key): state.revision for state in snapshot.states}
        for status in snapshot.orders:
            name = f"{status.order.account}/{status.order.strategy_id}/{status.order.client_order_id}"
            self.held["order", name] = status.order_event_number

    def _apply(self, key: Key, revision: int) -> None:
        is_first = key not in self.held and key[0] in self.partial
        last = self.held.get(key, 0)
        if is_first or revision == last + 1:
            self.held[key] = revision
        elif revision <= last:
            self.duplicates += key[0] != "order"  # what an orders snapshot showed may follow it, and is dropped
        else:
            self.gaps += 1


@pytest.fixture
async def bus(nats_server: NatsServer) -> AsyncIterator[Bus]:
    async with connected(nats_server.url, service="t") as ready:
        yield ready


def sources_of(bus: Bus, owner: Owner, database: Database) -> StreamSources:
    clock = SystemClock()
    control, orders = Feed(bus, control_source(database), 20), Feed(bus, orders_source(), 20)
    asked = ("world_states", "queues", "sentinels", "accounts", "orders")
    peers = cast("Peers", SimpleNamespace(**dict.fromkeys(asked, owner)))
    keys = stream_keys(clock)
    return StreamSources(control, orders, Snapshots(database, peers), keys, clock, StreamLimits(0.05, 10))


@pytest.mark.parametrize("seed", range(6))
async def test_a_client_of_the_contract_ends_with_the_owners_states(bus: Bus, tmp_path: Path, seed: int) -> None:
    database = Database(f"sqlite:///{tmp_path}/g.db")
    await database.migrate("gateway:migrations")
    chance, owner, client = random.Random(seed), Owner(database), Client()
    sources = sources_of(bus, owner, database)
    reading = [asyncio.create_task(feed.run()) for feed in (sources.control, sources.orders)]
    try:
        await eventually(lambda: sources.control.born != "" and sources.orders.born != "")
        for _ in range(STEPS):
            match chance.choice(("change", "change", "change", "relay", "follow", "forget")):
                case "change":
                    await owner.change(chance)
                case "relay":
                    await owner.relay(bus, chance.randint(1, 8), chance)
                case "follow":
                    await follow(sources, client, chance.randint(1, 9))
                case "forget" if chance.random() < 0.3:
                    client = Client(gaps=client.gaps, duplicates=client.duplicates)
        wanted = await owner.revisions()
        await owner.relay(bus, len(owner.outbox), chance)
        async with asyncio.timeout(30):
            while not knows(client, wanted):
                await follow(sources, client, 9)
    finally:
        for task in reading:
            task.cancel()
        await asyncio.gather(*reading, return_exceptions=True)
        await database.close()
    assert (client.gaps, client.duplicates) == (0, 0)
    assert {kind for kind, _ in wanted} > {"strategy_state_changed", "order"}


def knows(client: Client, wanted: dict[Key, int]) -> bool:
    """Nothing held is old, and nothing lacks but what snapshots leave out: closed orders, sentinels of the canceled."""
    present = {key: at for key, at in client.held.items() if at}
    missing = wanted.keys() - present.keys()
    return present.items() <= wanted.items() and all(kind in client.partial for kind, _ in missing)


async def follow(sources: StreamSources, client: Client, count: int) -> None:
    """Open a stream at the client's place, take some frames, and break off."""
    client.goes_on = False
    async with aclosing(frames(sources, SCOPE, client.resume, asyncio.Event())) as following:
        async for frame in following:
            client.take(frame)
            count -= 1
            if not count:
                return
