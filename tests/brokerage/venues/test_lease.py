"""One process drives an account at a venue; nothing of a fenced one is accepted there."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import TypeVar

import pytest
from sqlalchemy import Connection

from brokerage.domain.orders.reports import Outcome
from brokerage.domain.orders.states import OrderState
from brokerage.venues.ccxt.dialects.binance import SPOT
from brokerage.venues.lease import VenueLease
from qmtl.core.clock import VirtualClock
from qmtl.core.errors import Unavailable
from qmtl.sql.database import Database
from tests.brokerage.venues.reconcile.live import Live, living
from tests.support.clocks import START

TTL_S = 10.0
WINDOW_S = 3.0  # two of the venue's, and a second
T = TypeVar("T")


READ_S = 5.0


class Slow(Database):
    """A store that takes its time to answer."""

    clock: VirtualClock

    async def read(self, fn: Callable[[Connection], T]) -> T:
        self.clock.advance(READ_S)
        return await super().read(fn)


@pytest.fixture
async def db(database_url: str) -> AsyncIterator[Database]:
    found = Database(database_url)
    await found.migrate("brokerage:migrations")
    yield found
    await found.close()


async def test_one_holds_it_and_another_takes_it_after_its_time_and_the_window(db: Database) -> None:
    clock = VirtualClock(START)
    first, second = (VenueLease(db, "acc", SPOT, clock) for _ in range(2))
    assert await first.acquire()
    assert not await second.acquire()
    clock.advance(TTL_S)
    assert await first.renew()
    assert not await second.acquire()  # it changed: the wait begins anew
    clock.advance(TTL_S + WINDOW_S - 0.1)
    assert not await second.acquire()
    clock.advance(0.1)
    assert await second.acquire()
    assert (first.epoch, second.epoch) == (1, 2)
    assert not await first.renew()
    assert first.left_s == 0.0


async def test_a_look_that_took_long_counts_from_when_it_saw(database_url: str, db: Database) -> None:
    clock, slow = VirtualClock(START), Slow(database_url)
    slow.clock = clock
    first, second = VenueLease(db, "acc", SPOT, clock), VenueLease(slow, "acc", SPOT, clock)
    assert await first.acquire()
    assert not await second.acquire()  # it saw after READ_S, when there may have been a renewal
    clock.advance(TTL_S + WINDOW_S - READ_S)
    assert not await second.acquire()
    assert await second.acquire()
    await slow.close()


async def test_what_is_given_up_is_free_at_once(db: Database) -> None:
    clock = VirtualClock(START)
    first, second = (VenueLease(db, "acc", SPOT, clock) for _ in range(2))
    assert await first.acquire()
    await first.release()
    assert await second.acquire()
    assert second.epoch == 2


async def test_nothing_is_signed_that_the_venue_may_accept_after_the_lease(db: Database) -> None:
    clock = VirtualClock(START)
    lease = VenueLease(db, "acc", SPOT, clock)
    await lease.acquire()
    clock.advance(TTL_S - WINDOW_S - 0.1)
    assert lease.signing_ms() == int(START.timestamp() * 1_000) + 6_900
    clock.advance(0.1)
    with pytest.raises(Unavailable, match="another process may drive") as raised:
        lease.signing_ms()
    assert raised.value.reason == "E_VENUE_UNREACHABLE"


async def test_between_two_renewals_there_is_always_enough_left_to_sign_with(db: Database) -> None:
    clock = VirtualClock(START)
    lease = VenueLease(db, "acc", SPOT, clock, ttl_s=4.0)
    await lease.acquire()
    for _ in range(5):
        clock.advance(lease.renew_s)
        assert lease.signing_ms()
        await lease.renew()
    with pytest.raises(ValueError, match="more than the venue's window"):
        VenueLease(db, "acc", SPOT, clock, ttl_s=3.0)


@pytest.fixture
async def live(tmp_path: Path) -> AsyncIterator[Live]:
    async with living(f"sqlite:///{tmp_path / 'store.db'}") as found:
        yield found


async def test_orders_of_a_fenced_process_never_reach_the_exchange(live: Live) -> None:
    live.leased = True
    assert await live.lease.acquire()
    live.restart()
    fenced = live.dispatcher
    await live.order("o1")
    await live.dispatch()
    assert (await live.records())["o1"].state is OrderState.ACCEPTED
    live.advance(TTL_S)
    await live.order("o2")
    for _ in range(3):
        await fenced.work()
        live.advance(0.01)
    assert [one.ask.client_id for one in live.exchange.open_orders("client")] == [(await live.records())["o1"].id]
    assert (await live.records())["o2"].state is OrderState.SUBMITTED  # not known, and no refusal
    live.lease = VenueLease(live.db, "acc", SPOT, live.clock)
    assert not await live.lease.acquire()
    live.advance(TTL_S + WINDOW_S + 0.1)
    assert await live.lease.acquire()
    live.restart()
    for _ in range(8):
        await live.lease.renew()
        await live.dispatch()
        live.advance(1)
    assert (await live.records())["o2"].state is OrderState.CANCELED
    await live.require_books_of_the_exchange()


async def test_a_request_that_was_held_up_is_too_old_for_the_exchange(live: Live) -> None:
    signed = live.clock.now()
    live.client.ccxt.nonce = lambda: int(signed.timestamp() * 1_000)
    live.advance(2.1)
    sent = await live.at_venue((await live.order("o1")).record.id)
    answer = await live.venue.submit(sent)
    assert answer.outcome is not Outcome.ACCEPTED
    assert live.exchange.open_orders("client") == []
