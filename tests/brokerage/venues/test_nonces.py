"""Nonces of a key only grow: over restarts, clocks set back, and from one holder of the lease to the next."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import timedelta

import pytest

from brokerage.venues.ccxt.dialects.kraken import SPOT
from brokerage.venues.lease import VenueLease
from brokerage.venues.nonces import BLOCK, KeyNonces
from qmtl.core.clock import VirtualClock
from qmtl.core.errors import Unavailable
from qmtl.core.instants import to_ns
from qmtl.sql.database import Database
from tests.support.clocks import START

TTL_S = 20.0
TAKEN_OVER_S = TTL_S + 6.0  # and the window, and a second


@pytest.fixture
async def db(database_url: str) -> AsyncIterator[Database]:
    found = Database(database_url)
    await found.migrate("brokerage:migrations")
    yield found
    await found.close()


async def held(db: Database, clock: VirtualClock) -> VenueLease:
    lease = VenueLease(db, "acc", SPOT, clock, ttl_s=TTL_S)
    while not await lease.acquire():
        clock.advance(TAKEN_OVER_S)
    return lease


async def drawn(nonces: KeyNonces, count: int) -> list[int]:
    found = []
    for _ in range(count):
        await nonces.reserve()
        found.append(nonces.next())
    return found


async def test_each_is_above_the_one_before_and_begins_at_the_clock(db: Database) -> None:
    clock = VirtualClock(START)
    found = await drawn(KeyNonces(db, "key", await held(db, clock), clock), 2 * BLOCK + 5)
    assert found == sorted(set(found))
    assert found[0] == to_ns(START) // 1_000 + 1


async def test_a_restart_and_a_clock_set_back_give_none_again(db: Database) -> None:
    clock = VirtualClock(START)
    before = await drawn(KeyNonces(db, "key", await held(db, clock), clock), 3)
    back = VirtualClock(START - timedelta(days=1))
    again = await drawn(KeyNonces(db, "key", await held(db, back), back), 3)
    assert again[0] > before[-1]


async def test_keys_count_apart(db: Database) -> None:
    clock = VirtualClock(START)
    lease = await held(db, clock)
    assert await drawn(KeyNonces(db, "key", lease, clock), 1) == await drawn(KeyNonces(db, "other", lease, clock), 1)


async def test_who_has_lost_the_lease_has_lower_ones_and_gets_no_more(db: Database) -> None:
    clock = VirtualClock(START)
    fenced = KeyNonces(db, "key", await held(db, clock), clock)
    await drawn(fenced, 1)
    [first] = await drawn(KeyNonces(db, "key", await held(db, clock), clock), 1)
    rest = await drawn(fenced, BLOCK - 1)
    assert rest[-1] < first
    with pytest.raises(Unavailable, match="driven elsewhere"):
        await fenced.reserve()


async def test_who_has_it_again_goes_on_above_those_of_who_had_it_meanwhile(db: Database) -> None:
    clock = VirtualClock(START)
    lease = await held(db, clock)
    first = KeyNonces(db, "key", lease, clock)
    await drawn(first, 1)
    other = await held(db, clock)
    [between] = await drawn(KeyNonces(db, "key", other, clock), 1)
    await other.release()
    assert await lease.acquire()
    [again] = await drawn(first, 1)
    assert again > between
