"""The sender's loop on a real store and clock, and what a kill between any two of its steps leaves behind."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import replace
from decimal import Decimal
from functools import partial
from pathlib import Path

import pytest
import sqlalchemy as sa
from prometheus_client import CollectorRegistry

from brokerage import schema
from brokerage.domain.models.latency import Link
from brokerage.domain.money import RATE_ONE
from brokerage.domain.orders.order import Order, OrderName, order_id
from brokerage.domain.orders.reports import VenueAct
from brokerage.domain.orders.states import OrderState, OrderType
from brokerage.domain.risk.fence import FenceState
from brokerage.domain.simulation.arrivals import NOT_AT_VENUE
from brokerage.market.context import MarketContext
from brokerage.orders import store as orders_store
from brokerage.venues.dispatch.dispatcher import Dispatcher, DispatchMetrics
from brokerage.venues.paper.store import Change, add_change, change, clamp_arrivals
from brokerage.venues.paper.venue import PaperVenue
from qmtl.core.clock import SystemClock
from qmtl.core.errors import Unavailable
from qmtl.core.instants import to_ns
from tests.brokerage.mesh import until
from tests.brokerage.samples import ACCOUNT, MARKET, OWNER, Book, bar, fence, open_book, order
from tests.brokerage.venues.dispatch.test_emulation import stop

SOON = Link(latency_ms=1, answer_timeout_ns=20_000_000, query_after_ns=20_000_000)
STOPS = replace(MARKET, link=SOON, emulate_stops=True)


@asynccontextmanager
async def sending(book: Book) -> AsyncIterator[None]:
    """The sender at work; leaving is a kill as far as what it holds in memory goes."""
    clock = SystemClock()
    venue_of = partial(PaperVenue, book.db, book.market, clock)
    sender = Dispatcher(book.db, book.market, venue_of, clock, DispatchMetrics(CollectorRegistry()))
    running = asyncio.create_task(sender.run())
    try:
        yield
    finally:
        running.cancel()
        with suppress(asyncio.CancelledError):
            await running


@asynccontextmanager
async def opened(tmp_path: Path, market: MarketContext) -> AsyncIterator[Book]:
    async with open_book(f"sqlite:///{tmp_path / 'store.db'}", market) as book:
        await book.open()
        await book.show(bar(0))
        yield book


def state(book: Book, name: str = "o1") -> Callable[[], Awaitable[OrderState]]:
    return lambda: book.state(name)


async def test_an_order_is_sent_and_answered_without_being_asked(tmp_path: Path) -> None:
    async with opened(tmp_path, replace(MARKET, link=SOON)) as book, sending(book):
        await book.submit(order("o1"))
        await until(state(book), lambda found: found is OrderState.ACCEPTED)
        assert await book.show(bar(1)) == 1


async def test_a_lost_answer_is_asked_for(tmp_path: Path) -> None:
    market = replace(MARKET, link=replace(SOON, answer_loss=RATE_ONE))
    async with opened(tmp_path, market) as book, sending(book):
        await book.submit(order("o1"))
        await until(state(book), lambda found: found is OrderState.ACCEPTED)
        kinds = [event.kind.value for event in (await book.order("o1")).events]
        assert kinds == ["INITIALIZED", "RELEASED", "SUBMITTED", "UPDATED", "ACCEPTED"]


async def test_a_process_that_died_with_the_order_in_its_hands_does_not_send_it_again(tmp_path: Path) -> None:
    async with opened(tmp_path, replace(MARKET, link=replace(SOON, latency_ms=60_000))) as book:
        async with sending(book):
            await book.submit(order("o1"))
            await until(state(book), lambda found: found is OrderState.SUBMITTED)
        assert await book.fence(fence(2, FenceState.FROZEN)) == ["o1"]
        async with sending(book):
            await until(state(book), lambda found: found is OrderState.CANCELED)
        assert (await book.order("o1")).record.detail == NOT_AT_VENUE
        assert await book.reached_venue() == set()


async def test_an_arrival_of_before_the_clock_was_set_back_is_brought_in(tmp_path: Path) -> None:
    async with opened(tmp_path, replace(MARKET, link=replace(SOON, answer_timeout_ns=3600 * 10**9))) as book:
        await book.submit(order("o1"))
        assert await book.to_wire("o1")
        await book.arrive("o1")
        now_ns = to_ns(SystemClock().now())
        hour = 3600 * 10**9
        for session, late in (("replay", 0), ("", 1)):
            await book.db.write(
                lambda conn, session=session: (  # type: ignore[misc]  # default binds the loop's value
                    conn.execute(sa.update(schema.account_feeds).values(session_id=session)),
                    conn.execute(sa.update(schema.venue_orders).values(arrives_ns=now_ns + hour)),
                )
            )
            found = await book.db.write(lambda conn: clamp_arrivals(conn, now_ns, latency_bars=1))
            assert found == late, session
        async with sending(book):
            await until(state(book), lambda found: found is OrderState.ACCEPTED)


@pytest.mark.parametrize(("session", "moved"), [("replay", 0), ("", 1)])
async def test_a_cancel_of_before_the_clock_was_set_back_is_brought_in(
    tmp_path: Path, session: str, moved: int
) -> None:
    async with opened(tmp_path, replace(MARKET, link=SOON)) as book:
        await book.submit(order("o1"))
        now_ns, of = to_ns(SystemClock().now()), (await book.order("o1")).record.id
        done = Change(now_ns + 3600 * 10**9, False)
        await book.db.write(lambda conn: add_change(conn, ACCOUNT.account, of, of, VenueAct.CANCEL, done))
        await book.db.write(lambda conn: conn.execute(sa.update(schema.account_feeds).values(session_id=session)))
        assert await book.db.write(lambda conn: clamp_arrivals(conn, now_ns, latency_bars=1)) == moved
        found = await book.db.read(lambda conn: change(conn, of, VenueAct.CANCEL))
        assert found == (Change(now_ns, False) if moved else done)


async def test_an_intent_written_before_a_death_is_checked_again_and_sent_after_it(tmp_path: Path) -> None:
    async with opened(tmp_path, replace(MARKET, link=SOON)) as book:
        await book.submit(order("o1"))
        await book.submit(order("o2"))
        await book.to_wire("o2")
        await book.arrive("o2")
        async with sending(book):
            await until(state(book), lambda found: found is OrderState.ACCEPTED)
            await until(state(book, "o2"), lambda found: found is OrderState.ACCEPTED)
        assert await book.show(bar(1)) == 2


def far_below(name: str = "o1") -> Order:
    """An order that rests."""
    return order(name, type=OrderType.LIMIT, limit_price=Decimal(90))


async def kinds(book: Book, name: str = "o1") -> list[str]:
    return [event.kind.value for event in (await book.order(name)).events[2:]]


@pytest.mark.parametrize("loss", [0, RATE_ONE])
async def test_replaces_and_cancels_go_over_the_wire_and_lost_answers_are_asked_for(tmp_path: Path, loss: int) -> None:
    async with opened(tmp_path, replace(MARKET, link=replace(SOON, answer_loss=loss))) as book, sending(book):
        await book.submit(far_below())
        await until(state(book), lambda found: found is OrderState.ACCEPTED)
        assert (await book.replace("o1", quantity=4, limit_price=91)).refusal is None
        await until(state(book), lambda found: found is OrderState.ACCEPTED)
        record = (await book.order("o1")).record
        assert (record.quantity, record.limit, record.generation, record.wanted) == (4, 91_00, 1, None)
        assert (await book.cancel("o1")).record.state is OrderState.PENDING_CANCEL
        await until(state(book), lambda found: found is OrderState.CANCELED)
        unknown = ["PENDING_UPDATE"] * bool(loss), ["PENDING_CANCEL"] * bool(loss)
        first = ["SUBMITTED", "ACCEPTED"] if not loss else ["SUBMITTED", "UPDATED", "ACCEPTED"]
        told = ["PENDING_UPDATE", *unknown[0], "UPDATED", "PENDING_CANCEL", *unknown[1], "CANCELED"]
        assert await kinds(book) == [*first, *told]
        assert await book.verify() == 1


@pytest.mark.parametrize("act", [VenueAct.REPLACE, VenueAct.CANCEL])
@pytest.mark.parametrize("died", ["before the wire", "before the venue", "before the answer"])
async def test_a_death_with_a_replace_or_a_cancel_under_way(tmp_path: Path, act: VenueAct, died: str) -> None:
    """A cancel is done in the end; a replace that may have come is asked about and never sent again."""
    async with opened(tmp_path, replace(MARKET, link=SOON)) as book:
        async with sending(book):
            await book.submit(far_below())
            await until(state(book), lambda found: found is OrderState.ACCEPTED)
        await (book.cancel("o1") if act is VenueAct.CANCEL else book.replace("o1", quantity=4))
        if died != "before the wire":
            assert await book.to_wire("o1", act)
        if died == "before the answer":
            await book.reach("o1", act)
        ends = OrderState.CANCELED if act is VenueAct.CANCEL else OrderState.ACCEPTED
        async with sending(book):
            await until(state(book), lambda found: found is ends)
        record = (await book.order("o1")).record
        made = act is VenueAct.REPLACE and died != "before the venue"
        assert (record.quantity, record.wanted) == (4 if made else 10, None)
        assert await book.verify() == 1


async def test_a_bar_meets_the_order_as_the_venue_has_it_whatever_was_heard(tmp_path: Path) -> None:
    async with opened(tmp_path, replace(MARKET, link=replace(SOON, answer_loss=RATE_ONE))) as book:
        async with sending(book):
            for name in ("o1", "o2"):
                await book.submit(far_below(name))
                await until(state(book, name), lambda found: found is OrderState.ACCEPTED)
        await book.replace("o1", quantity=4)
        await book.cancel("o2")
        for name, act in (("o1", VenueAct.REPLACE), ("o2", VenueAct.CANCEL)):
            assert await book.to_wire(name, act)
            await book.reach(name, act)
        assert await book.show(bar(1, 90)) == 1
        assert (await book.order("o1")).record.filled == 4
        assert [await book.state(name) for name in ("o1", "o2")] == [OrderState.FILLED, OrderState.CANCELED]
        assert await book.verify() == 1


@pytest.mark.parametrize("frozen", [False, True])
async def test_a_death_between_a_stops_trigger_and_its_send(tmp_path: Path, frozen: bool) -> None:
    async with opened(tmp_path, STOPS) as book:
        async with sending(book):
            await book.submit(order("o1"))
            await until(state(book), lambda found: found is OrderState.ACCEPTED)
        await book.show(bar(1))
        await book.submit(stop())
        await book.show(bar(2, 94))
        assert await book.state("stop") is OrderState.RELEASED
        if frozen:
            await book.fence(fence(2, FenceState.FROZEN))
            await book.show(bar(3, 94))
        async with sending(book):
            if frozen:
                await until(state(book), lambda found: found is OrderState.FILLED)
                assert order_id(OWNER, "stop") not in await book.reached_venue()
                await book.fence(fence(3))
            await until(state(book, "stop"), lambda found: found is OrderState.ACCEPTED)
        assert await book.show(bar(4, 94)) == 1


async def test_a_stop_held_through_a_freeze_goes_when_the_fence_reopens(tmp_path: Path) -> None:
    async with opened(tmp_path, replace(MARKET, emulate_stops=True)) as book, sending(book):
        await book.submit(order("o1"))
        await book.show(bar(1))
        await book.submit(stop())
        await book.fence(fence(2, FenceState.FROZEN))
        await book.show(bar(2, 90))
        assert await book.state("stop") is OrderState.EMULATED
        await book.fence(fence(3))
        await until(state(book, "stop"), lambda found: found is OrderState.ACCEPTED)


async def test_an_account_whose_venue_cannot_be_reached_holds_up_no_other(tmp_path: Path) -> None:
    def venue_of(account: str) -> PaperVenue:
        if account == OWNER.account:
            raise Unavailable("E_VENUE_UNREACHABLE", "its venue is away")
        return PaperVenue(book.db, book.market, clock, account)

    clock, other = SystemClock(), replace(OWNER, account="other")
    async with opened(tmp_path, replace(MARKET, link=SOON)) as book:
        await book.open(replace(ACCOUNT, account=other.account))
        await book.show(bar(1))
        await book.submit(order("o1"))
        await book.submit(order("o2", owner=other))
        sender = Dispatcher(book.db, book.market, venue_of, clock, DispatchMetrics(CollectorRegistry()))
        running = asyncio.create_task(sender.run())
        try:

            async def found() -> OrderState:
                read = partial(orders_store.order, name=OrderName(other, "o2"), instruments=book.market.instruments)
                return (await book.db.read(lambda conn: read(conn))).record.state

            await until(found, lambda state: state is OrderState.ACCEPTED)
        finally:
            running.cancel()
            with suppress(asyncio.CancelledError):
                await running
        assert (await book.order("o1")).record.state is OrderState.SUBMITTED
