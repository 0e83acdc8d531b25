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

from controlbus.bus import Bus, connected
from controlbus.events.control_event import ControlEventDraft, cloud_headers, number, payload_type
from controlbus.jetstream.subjects import control_subject
from gateway.events.feed import Feed
from gateway.events.snapshots import Snapshots
from gateway.events.subscription import StreamLimits, StreamSources, frames
from gateway.events.tokens import Scope
from gateway.events.topics import control_source, orders_source
from gateway.peers import Peers
from qmtl.control.v1 import control_pb2 as controlpb
from qmtl.control.v1 import event_state_service_pb2 as eventstateservicepb
from qmtl.core.clock import SystemClock
from qmtl.gateway.v1 import event_pb2 as eventpb
from qmtl.sql.database import Database
from qmtl.world.v1 import activation_pb2 as activationpb
from qmtl.world.v1 import decision_pb2 as decisionpb
from tests.gateway.events.signing import stream_keys
from tests.support.nats import NatsServer
from tests.support.waiting import eventually

WORLD = "w"
SCOPE = Scope("ada", WORLD, "", (eventpb.TOPIC_ACTIVATION, eventpb.TOPIC_POLICY))
STEPS = 60
Key = tuple[str, str]


@dataclass
class Owner:
    """Who owns the facts: their present states, and the events that have not left its outbox yet."""

    states: dict[Key, controlpb.ControlEvent] = field(default_factory=dict)
    outbox: deque[controlpb.ControlEvent] = field(default_factory=deque)

    def change(self, chance: random.Random) -> None:
        """One fact changes, with its event in the same commit."""
        said = f"{chance.random()}"
        payload = chance.choice(
            (
                controlpb.PolicyUpdated(world_id=WORLD, checksum=said),
                controlpb.DecisionUpdated(decision=decisionpb.DecisionEnvelope(world_id=WORLD, message=said)),
                controlpb.ActivationUpdated(activation=activationpb.ActivationEnvelope(state_hash=said)),
            )
        )
        draft = ControlEventDraft("worldservice", WORLD, payload, datetime.now(UTC))
        key = payload_type(number(draft, 1)), WORLD
        event = number(draft, self.states[key].revision + 1 if key in self.states else 1)
        self.states[key] = event
        self.outbox.append(event)

    async def ListEventStates(  # the RPC's name
        self, request: eventstateservicepb.ListEventStatesRequest
    ) -> AsyncIterator[eventstateservicepb.ListEventStatesResponse]:
        wanted = {
            eventstateservicepb.EventKind.Name(kind).removeprefix("EVENT_KIND_").lower() for kind in request.kinds
        }
        for (kind, _), state in sorted(self.states.items()):
            if kind in wanted:
                yield eventstateservicepb.ListEventStatesResponse(state=state)

    async def relay(self, bus: Bus, most: int, chance: random.Random) -> None:
        """Publish some of what waits, in order; now and then a message goes out twice under another id."""
        for _ in range(min(most, len(self.outbox))):
            event = self.outbox.popleft()
            for again in range(2 if chance.random() < 0.1 else 1):
                subject, body = control_subject(payload_type(event), event.key), event.SerializeToString()
                msg_id = f"{event.event_id}-{again}"
                await bus.publish(subject, body, msg_id=msg_id, headers=cloud_headers(event))


@dataclass
class Client:
    """The contract's rule, and nothing else."""

    held: dict[Key, controlpb.ControlEvent] = field(default_factory=dict)
    resume: str = ""
    gaps: int = 0
    duplicates: int = 0

    def take(self, frame: eventpb.Frame) -> None:
        """One frame of a stream."""
        for state in frame.snapshot.states:
            self.held[payload_type(state), state.key] = state
        for event in frame.events.events:
            key = payload_type(event), event.key
            last = self.held[key].revision if key in self.held else 0
            if event.revision == last + 1:
                self.held[key] = event
            elif event.revision <= last:
                self.duplicates += 1
            else:
                self.gaps += 1
                self.resume = ""
                return
        self.resume = frame.events.resume_token or frame.bookmark.resume_token or self.resume


@pytest.fixture
async def bus(nats_server: NatsServer) -> AsyncIterator[Bus]:
    async with connected(nats_server.url, service="t") as ready:
        yield ready


def sources_of(bus: Bus, owner: Owner, database: Database, folder: Path) -> StreamSources:
    clock = SystemClock()
    control, orders = Feed(bus, control_source(database), 20), Feed(bus, orders_source(), 20)
    snapshots = Snapshots(database, cast("Peers", SimpleNamespace(world_states=owner)))
    keys = stream_keys(clock)
    return StreamSources(control, orders, snapshots, keys, clock, StreamLimits(0.05, 10))


@pytest.mark.parametrize("seed", range(4))
async def test_a_client_of_the_contract_ends_with_the_owners_states(bus: Bus, tmp_path: Path, seed: int) -> None:
    chance, owner, client = random.Random(seed), Owner(), Client()
    database = Database(f"sqlite:///{tmp_path}/g.db")
    sources = sources_of(bus, owner, database, tmp_path)
    reading = asyncio.create_task(sources.control.run())
    try:
        await eventually(lambda: sources.control.born != "")
        for _ in range(STEPS):
            match chance.choice(("change", "change", "relay", "follow", "forget")):
                case "change":
                    owner.change(chance)
                case "relay":
                    await owner.relay(bus, chance.randint(1, 8), chance)
                case "follow":
                    await follow(sources, client, chance.randint(1, 6))
                case "forget" if chance.random() < 0.3:
                    client = Client(gaps=client.gaps, duplicates=client.duplicates)
        await owner.relay(bus, len(owner.outbox), chance)
        async with asyncio.timeout(20):
            while names(client.held) != names(owner.states):
                await follow(sources, client, 3)
    finally:
        reading.cancel()
        await asyncio.gather(reading, return_exceptions=True)
        await database.close()
    assert (client.gaps, client.duplicates) == (0, 0)


def names(states: dict[Key, controlpb.ControlEvent]) -> dict[Key, tuple[int, str]]:
    """Which event each state is of; an activation is relayed with what follows from it."""
    return {key: (state.revision, state.event_id) for key, state in states.items()}


async def follow(sources: StreamSources, client: Client, count: int) -> None:
    """Open a stream at the client's place, take some frames, and break off."""
    async with aclosing(frames(sources, SCOPE, client.resume, asyncio.Event())) as following:
        async for frame in following:
            before = client.gaps
            client.take(frame)
            count -= 1
            if client.gaps > before or not count:
                return
