"""Every committed event arrives, in key order, applied once: broker down, killed, a cluster's leader killed.

The service under test is killed between commit and publish all the while. The long versions run in `make soak`.
"""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from controlbus.bus import Bus
from qmtl.core.errors import Unavailable
from qmtl.sql.database import Database
from tests.controlbus.outbox.traffic import Traffic, flowing
from tests.support.nats import NatsCluster, NatsServer
from tests.support.waiting import eventually


@pytest.fixture
def url(tmp_path: Path) -> str:
    """Of the store `sqlite_db` opens."""
    return f"sqlite:///{tmp_path / 'one.db'}"


async def killed(traffic: Traffic, times: int) -> None:
    target = traffic.deaths + times
    await eventually(lambda: traffic.deaths >= target, timeout_s=120)


async def down(server: NatsServer, seconds: float) -> None:
    """SIGKILL, stay away, come back with the same store."""
    server.kill()
    await asyncio.sleep(seconds)
    await asyncio.to_thread(server.start)


async def test_the_broker_is_down_during_traffic(sqlite_db: Database, url: str, nats_server: NatsServer) -> None:
    async with flowing(sqlite_db, url, nats_server.url) as traffic:
        await traffic.more(20)
        before = await traffic.committed()
        await down(nats_server, 3.0)
        during = await traffic.committed()
        assert all(during[key] > before[key] for key in before), "commits must go on while the broker is away"
        await traffic.more(20)
        await killed(traffic, 1)


async def test_the_broker_is_killed_again_and_again(sqlite_db: Database, url: str, nats_server: NatsServer) -> None:
    async with flowing(sqlite_db, url, nats_server.url) as traffic:
        for _ in range(4):
            await traffic.more(10)
            await down(nats_server, 0.0)
        await killed(traffic, 1)


@pytest.mark.soak
@pytest.mark.timeout(600)
async def test_soak_the_broker_is_down_for_thirty_seconds_and_then_killed_many_times(
    sqlite_db: Database, url: str, nats_server: NatsServer
) -> None:
    async with flowing(sqlite_db, url, nats_server.url) as traffic:
        await traffic.more(50)
        await down(nats_server, 30.0)
        await killed(traffic, 2)
        for _ in range(10):
            await traffic.more(30)
            await down(nats_server, 0.5)
        await killed(traffic, 5)


async def leader_of_control(bus: Bus) -> str:
    """The node that leads the CONTROL stream now, once there is one."""
    found: list[str] = []

    async def elected() -> bool:
        try:
            info = await bus.link.find(bus.link.js.stream_info("CONTROL"))
        except Unavailable:  # nobody leads at the moment
            return False
        found[:] = [info.cluster.leader] if info and info.cluster and info.cluster.leader else []
        return bool(found)

    await eventually(elected, timeout_s=60)
    return found[0]


@pytest.mark.soak
@pytest.mark.timeout(600)
async def test_soak_a_cluster_survives_the_kill_of_its_leader(
    sqlite_db: Database, url: str, nats_cluster: NatsCluster
) -> None:
    watch = await Bus.connect(nats_cluster.url, service="watch", replicas=3)
    await watch.wait_ready(60)
    async with flowing(sqlite_db, url, nats_cluster.url, replicas=3) as traffic:
        for _ in range(3):
            await traffic.more(50)
            leader = await leader_of_control(watch)
            nats_cluster.nodes[leader].kill()
            await traffic.more(50)
            assert await leader_of_control(watch) != leader
            await asyncio.to_thread(nats_cluster.nodes[leader].start)
        await killed(traffic, 2)
    await watch.close()


@pytest.mark.soak
async def test_a_lost_quorum_is_seen_within_five_seconds_and_over_by_itself(nats_cluster: NatsCluster) -> None:
    bus = await Bus.connect(nats_cluster.url, service="gateway", replicas=3)
    try:
        await bus.wait_ready(60)
        await eventually(lambda: bus.status().connected, timeout_s=20)
        nodes = list(nats_cluster.nodes.values())
        for node in nodes[:2]:
            node.kill()
        await eventually(lambda: not bus.status().connected, timeout_s=5)
        assert bus.status().detail
        for node in nodes[:2]:
            await asyncio.to_thread(node.start)
        await eventually(lambda: bus.status().connected, timeout_s=60)
    finally:
        await bus.close()
