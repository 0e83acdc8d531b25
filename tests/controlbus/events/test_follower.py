"""Snapshot-then-follow on a real broker: late joiners, gaps, an owner that is away, a broker that lost its store."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import AsyncIterator, Sequence
from contextlib import aclosing, asynccontextmanager

from controlbus.bus import Bus, connected
from controlbus.events.follower import Follower
from controlbus.events.revisions import Current
from qmtl.control.v1 import control_pb2 as controlpb
from qmtl.core.errors import Unavailable
from tests.controlbus.states import publish, unique
from tests.support.nats import NatsServer
from tests.support.waiting import eventually

KIND = "policy_updated"


class Owner:
    """A service that answers snapshot calls; `published` says what reached the broker."""

    def __init__(self) -> None:
        self.revisions: dict[str, int] = {}
        self.asked: list[str | None] = []
        self.failures = 0

    async def snapshot(self, kind: str, key: str | None) -> Sequence[Current]:
        self.asked.append(key)
        if self.failures:
            self.failures -= 1
            raise Unavailable("DOWN", "the owner is away")
        return [
            Current(kind, each, revision, controlpb.PolicyUpdated(world_id=each, policy_version=revision))
            for each, revision in self.revisions.items()
            if key in (None, each)
        ]

    async def change(self, bus: Bus, key: str, *, publishes: bool = True) -> None:
        self.revisions[key] = self.revisions.get(key, 0) + 1
        if publishes:
            await publish(bus, key, self.revisions[key])


class Copy:
    def __init__(self, follower: Follower) -> None:
        self.follower = follower
        self.revisions: dict[str, int] = {}

    async def keep(self) -> None:
        async with aclosing(self.follower.states()) as states:
            async for state in states:
                if state.payload is None:
                    self.revisions.pop(state.key)
                else:
                    self.revisions[state.key] = state.revision


@asynccontextmanager
async def copying(bus: Bus, owner: Owner, keys: list[str] | None) -> AsyncIterator[Copy]:
    copy = Copy(bus.follower([KIND], owner.snapshot, keys=keys))
    task = asyncio.create_task(copy.keep())
    yield copy
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


async def test_a_late_joiner_has_the_snapshot_and_then_the_changes(nats_url: str) -> None:
    owner, keys = Owner(), [unique("w") for _ in range(3)]
    async with connected(nats_url, service="t") as bus:
        for key in keys[:2] * 3:
            await owner.change(bus, key)
        async with copying(bus, owner, keys) as copy:
            await eventually(lambda: copy.revisions == owner.revisions)
            await owner.change(bus, keys[2])
            await owner.change(bus, keys[0])
            await eventually(lambda: copy.revisions == owner.revisions)
            assert owner.asked == [None]


async def test_a_gap_reloads_that_key_only(nats_url: str) -> None:
    owner, keys = Owner(), [unique("w") for _ in range(2)]
    async with connected(nats_url, service="t") as bus, copying(bus, owner, keys) as copy:
        await asyncio.wait_for(copy.follower.synced.wait(), 10)
        await owner.change(bus, keys[0])
        await owner.change(bus, keys[0], publishes=False)
        await owner.change(bus, keys[0])
        await owner.change(bus, keys[1])
        await eventually(lambda: copy.revisions == owner.revisions)
        assert owner.asked == [None, keys[0]]


async def test_an_owner_that_is_away_is_asked_again(nats_url: str) -> None:
    owner, key = Owner(), unique("w")
    owner.failures = 2
    async with connected(nats_url, service="t") as bus, copying(bus, owner, [key]) as copy:
        await owner.change(bus, key)
        await eventually(lambda: copy.revisions == owner.revisions)
        assert copy.follower.synced.is_set()


async def test_changes_during_an_outage_of_the_broker_arrive(nats_server: NatsServer) -> None:
    owner = Owner()
    async with connected(nats_server.url, service="t") as bus, copying(bus, owner, None) as copy:
        await owner.change(bus, "a")
        await eventually(lambda: copy.revisions == owner.revisions)
        for _ in range(3):
            nats_server.kill()
            nats_server.start()
            await owner.change(bus, "a")
            await owner.change(bus, "b")
        await eventually(lambda: copy.revisions == owner.revisions)
        assert owner.asked == [None]


async def test_a_broker_that_lost_its_store_makes_followers_load_again(nats_server: NatsServer) -> None:
    owner = Owner()
    async with connected(nats_server.url, service="t") as bus, copying(bus, owner, None) as copy:
        await owner.change(bus, "a")
        await owner.change(bus, "gone")
        await eventually(lambda: copy.revisions == owner.revisions)
        nats_server.kill()
        del owner.revisions["gone"]
        await owner.change(bus, "a", publishes=False)
        shutil.rmtree(nats_server.folder / "store")
        nats_server.start()
        await eventually(lambda: copy.revisions == owner.revisions)
        await owner.change(bus, "a")
        await eventually(lambda: copy.revisions == owner.revisions)
