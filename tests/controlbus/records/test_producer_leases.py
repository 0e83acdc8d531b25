"""Producer leases by explicit calls: one tenure at a time, renewed by epoch from anywhere, refused once over."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta

import pytest

from controlbus.bus import Bus, connected
from controlbus.records.producer_leases import ProducerLeases
from qmtl.core.clock import SystemClock
from qmtl.core.errors import Conflict, InvalidRequest, NotReady
from tests.controlbus.batches import new_queue
from tests.support.waiting import eventually


@pytest.fixture
async def bus(nats_url: str) -> AsyncIterator[Bus]:
    async with connected(nats_url, service="t") as ready:
        yield ready


@pytest.fixture
def leases(bus: Bus) -> ProducerLeases:
    return ProducerLeases(bus, SystemClock())


@pytest.fixture
def key() -> str:
    return new_queue().compute_key


async def test_of_many_one_wins_and_the_others_hear_who(leases: ProducerLeases, key: str) -> None:
    tenures = await asyncio.gather(*(leases.acquire(key, f"run-{i}") for i in range(10)))
    winners = [tenure for tenure in tenures if tenure.acquired]
    assert len(winners) == 1
    assert {(tenure.holder, tenure.epoch) for tenure in tenures} == {(winners[0].holder, winners[0].epoch)}
    now = SystemClock().now()
    assert now < winners[0].expires_at < min(t.expires_at for t in tenures if not t.acquired) < now + timedelta(10)


async def test_who_asks_again_keeps_the_tenure_and_any_process_renews_it(leases: ProducerLeases, key: str) -> None:
    first = await leases.acquire(key, "run")
    again = await leases.acquire(key, "run")
    assert again.acquired
    assert again.epoch == first.epoch
    async with asyncio.timeout(10):
        renewed = await asyncio.gather(*(leases.renew(key, first.epoch) for _ in range(2)))
    assert {(tenure.holder, tenure.epoch) for tenure in renewed} == {("run", first.epoch)}
    present = await leases.current(key)
    assert present is not None
    assert (present.holder, present.epoch) == ("run", first.epoch)


async def test_an_expired_tenure_is_over_for_good(leases: ProducerLeases, key: str) -> None:
    first = await leases.acquire(key, "one", ttl_s=1)

    async def free() -> bool:
        return await leases.current(key) is None

    await eventually(free)
    with pytest.raises(NotReady, match="E_LEASE_LOST"):
        await leases.renew(key, first.epoch)
    second = await leases.acquire(key, "two")
    assert second.acquired
    assert second.epoch > first.epoch
    with pytest.raises(NotReady, match="E_LEASE_LOST"):
        await leases.renew(key, first.epoch)
    assert not (await leases.acquire(key, "one")).acquired


async def test_release_frees_it_at_once_and_only_by_its_own_epoch(leases: ProducerLeases, key: str) -> None:
    first = await leases.acquire(key, "one")
    await leases.release(key, first.epoch + 1)
    assert not (await leases.acquire(key, "two")).acquired
    await leases.release(key, first.epoch)
    assert await leases.current(key) is None
    second = await leases.acquire(key, "two")
    assert second.acquired
    assert second.epoch > first.epoch


@pytest.mark.parametrize(
    ("key", "holder", "ttl_s", "reason"),
    [
        ("x", "h", 10, "E_BUS_KEY"),
        (None, "", 10, "E_BUS_HOLDER"),
        (None, "h" * 201, 10, "E_BUS_HOLDER"),
        (None, "h", 0, "E_LEASE_TTL"),
    ],
)
async def test_what_can_never_be_a_lease_is_refused(
    leases: ProducerLeases, key: str | None, holder: str, ttl_s: int, reason: str
) -> None:
    with pytest.raises(InvalidRequest, match=reason):
        await leases.acquire(key or new_queue().compute_key, holder, ttl_s)


async def test_a_renewal_that_loses_every_race_says_so_and_the_tenure_stands(leases: ProducerLeases, key: str) -> None:
    first = await leases.acquire(key, "run")
    told = await asyncio.gather(*(leases.renew(key, first.epoch) for _ in range(40)), return_exceptions=True)
    lost = [error for error in told if isinstance(error, Conflict)]
    assert {error.reason for error in lost} == {"E_LEASE_CONTENDED"}
    assert {tenure.epoch for tenure in told if not isinstance(tenure, BaseException)} == {first.epoch}
    assert len(lost) < len(told)
