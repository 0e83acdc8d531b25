"""Leases on a real broker: one holder, growing epochs, lost a margin early."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime

import pytest

from controlbus.bus import Bus, connected
from controlbus.coordination.lease import Lease
from qmtl.core.clock import SystemClock, VirtualClock
from qmtl.core.errors import InvalidRequest
from tests.controlbus.states import unique
from tests.support.nats import NatsServer
from tests.support.waiting import eventually


@pytest.fixture
async def bus(nats_url: str) -> AsyncIterator[Bus]:
    async with connected(nats_url, service="t") as ready:
        yield ready


def two(bus: Bus, ttl_s: int = 1) -> tuple[Lease, Lease]:
    name = unique("lease/x")
    return Lease(bus, name, SystemClock(), ttl_s=ttl_s), Lease(bus, name, SystemClock(), ttl_s=ttl_s)


async def test_one_contender_holds_and_renews(bus: Bus) -> None:
    one, other = two(bus, ttl_s=10)
    epoch = await one.acquire()
    assert epoch
    assert await other.acquire() is None
    assert await one.renew()
    assert await one.acquire() == epoch == one.epoch
    assert not await other.renew()


async def test_of_many_contenders_one_wins(bus: Bus) -> None:
    name = unique("lease")
    leases = [Lease(bus, name, SystemClock(), ttl_s=10) for _ in range(20)]
    assert sum(epoch is not None for epoch in await asyncio.gather(*(lease.acquire() for lease in leases))) == 1


async def test_who_is_cancelled_while_it_acquires_leaves_nothing_behind(bus: Bus) -> None:
    """At whichever step: between what was written and its answer the lease would else be held until it expires."""
    steps = 0
    while True:
        one, other = two(bus, ttl_s=10)
        acquiring = asyncio.create_task(one.acquire())
        for _ in range(steps):
            await asyncio.sleep(0)
        if acquiring.done():
            break
        for _ in range(3):  # who ends a task cancels it again and again
            acquiring.cancel()
            await asyncio.sleep(0)
        await asyncio.gather(acquiring, return_exceptions=True)
        assert acquiring.cancelled()
        assert not one.held
        assert await other.acquire(), f"cancelled after {steps} steps"
        steps += 1
    assert steps > 5


async def test_an_expired_lease_is_taken_over_with_a_higher_epoch_and_the_old_holder_knows_first(bus: Bus) -> None:
    one, other = two(bus)
    epochs: list[int] = []
    for holder, contender in [(one, other), (other, one), (one, other)]:
        assert holder.held or await holder.acquire()
        epochs.append(holder.epoch)

        async def taken(holder: Lease = holder, contender: Lease = contender) -> bool:
            won = await contender.acquire() is not None
            assert not (won and holder.held), "two holders at once"
            return won

        await eventually(taken)
        assert not await holder.renew()
    epochs.append(other.epoch)
    assert epochs == sorted(set(epochs))
    assert len(epochs) == 4


async def test_a_released_lease_is_free_at_once_with_a_higher_epoch(bus: Bus) -> None:
    one, other = two(bus, ttl_s=60)
    first = await one.acquire()
    await one.release()
    assert not one.held
    second = await other.acquire()
    assert first is not None
    assert second is not None
    assert second > first


async def test_the_holder_counts_it_as_lost_a_margin_early(bus: Bus) -> None:
    clock = VirtualClock(datetime(2026, 1, 1, tzinfo=UTC))
    lease = Lease(bus, unique("lease"), clock, ttl_s=40)
    assert await lease.acquire()
    clock.advance(29)
    assert lease.held
    clock.advance(1)
    assert not lease.held


async def test_work_runs_while_held_and_moves_when_its_holder_dies(bus: Bus) -> None:
    one, other = two(bus)
    running: list[int] = []

    async def work(epoch: int) -> None:
        running.append(epoch)
        await asyncio.Event().wait()

    first = asyncio.create_task(one.run(work))
    await eventually(lambda: len(running) == 1)
    second = asyncio.create_task(other.run(work))
    await asyncio.sleep(1.5)  # longer than the time to live: renewals must hold it
    assert running == [one.epoch]
    first.cancel()
    await eventually(lambda: len(running) == 2)
    assert other.epoch > one.epoch
    second.cancel()
    await asyncio.gather(first, second, return_exceptions=True)


async def test_work_is_cancelled_when_the_broker_stays_away(nats_server: NatsServer) -> None:
    async with connected(nats_server.url, service="t") as bus:
        lease = Lease(bus, "x", SystemClock(), ttl_s=2, poll_s=0.1)
        started, stopped = asyncio.Event(), asyncio.Event()
        epochs = []

        async def work(epoch: int) -> None:
            epochs.append(epoch)
            started.set()
            try:
                await asyncio.Event().wait()
            finally:
                stopped.set()

        task = asyncio.create_task(lease.run(work))
        await asyncio.wait_for(started.wait(), 10)
        nats_server.kill()
        await asyncio.wait_for(stopped.wait(), 10)
        assert not lease.held
        nats_server.start()
        await eventually(lambda: len(epochs) == 2)
        assert epochs[1] > epochs[0]
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def test_a_time_to_live_below_a_second_is_refused(bus: Bus) -> None:
    with pytest.raises(InvalidRequest, match="E_LEASE_TTL"):
        Lease(bus, "x", SystemClock(), ttl_s=0)
