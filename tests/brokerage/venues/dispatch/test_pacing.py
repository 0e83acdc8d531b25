"""Request limits put orders off: nothing is sent, and nothing is called rejected, while they leave no room."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry

from brokerage.domain.orders.denials import Denial
from brokerage.domain.orders.states import OrderState
from brokerage.domain.risk.fence import FenceState
from brokerage.fences import change
from brokerage.venues.ccxt.venue import CcxtVenue
from brokerage.venues.dispatch.dispatcher import Dispatcher, DispatchMetrics
from controlbus.bus import Bus
from controlbus.bus import connected as connected_bus
from qmtl.exchanges.budgets import Purpose, RequestBudget
from qmtl.exchanges.connection import Connection
from qmtl.exchanges.published import limits_of
from tests.brokerage.samples import ACTOR, fence
from tests.brokerage.venues.reconcile.live import Live, living
from tests.controlbus.states import unique

TOKEN_S = 1_000.0
LIMITS = limits_of(2_000, 10_000.0, 20, 10_000.0)  # ten orders at once, one in 1,000 s, two are the reserve
FREE = 8


@pytest.fixture
async def bus(nats_url: str) -> AsyncIterator[Bus]:
    async with connected_bus(nats_url, service="t") as found:
        yield found


@pytest.fixture
async def live(tmp_path: Path, bus: Bus) -> AsyncIterator[Live]:
    """An account whose limits have room for no order but those that may use the reserve."""
    async with living(f"sqlite:///{tmp_path / 'store.db'}") as found:
        name, place = unique("a"), found.place
        budget = RequestBudget(bus, found.clock, "test", egress=name, account=name, limits=LIMITS)
        known = {one.symbol: one for one in found.market.instruments.listed() if one.symbol in place.symbols}
        at = Connection(found.client.ccxt, found.clock, budget, wait_s=0.1)
        venue = found.venue = CcxtVenue(place.dialect(), at, found.clock, known)
        metrics = DispatchMetrics(CollectorRegistry())
        found.dispatcher = Dispatcher(found.db, found.market, lambda _: venue, found.clock, metrics, venue.pace)
        assert await budget.take_orders(Purpose.INCREASE, FREE) == 0.0
        yield found


def sent(live: Live) -> int:
    return len([order for order in live.exchange.orders.values() if order.account == "client"])


async def test_an_order_waits_for_room_and_goes_once(live: Live) -> None:
    await live.order("o1")
    live.advance(0.01)
    await live.order("o2", price="97")
    await live.dispatch()
    assert {record.state for record in (await live.records()).values()} == {OrderState.RELEASED}
    assert sent(live) == 0
    live.advance(TOKEN_S)
    await live.dispatch()
    records = await live.records()
    assert (records["o1"].state, records["o2"].state) == (OrderState.ACCEPTED, OrderState.RELEASED)
    live.advance(TOKEN_S)
    await live.dispatch()
    assert (await live.records())["o2"].state is OrderState.ACCEPTED
    assert sent(live) == 2
    await live.require_books_of_the_exchange()


async def test_what_is_to_be_done_at_once_is_told_as_not_sent(live: Live) -> None:
    await live.order("o1", price=None)
    await live.dispatch()
    live.advance(4.9)
    await live.dispatch(1)
    assert (await live.records())["o1"].state is OrderState.RELEASED
    live.advance(0.1)
    await live.dispatch(1)
    record = (await live.records())["o1"]
    assert (record.state, record.denial) == (OrderState.DENIED, Denial.RATE_ABOVE_LIMIT)
    assert "nothing was sent" in record.detail
    live.advance(TOKEN_S)
    await live.dispatch()
    assert sent(live) == 0


async def test_a_fence_that_moves_meanwhile_is_looked_at_without_waiting(live: Live) -> None:
    await live.order("o1")
    await live.dispatch()
    await live.db.write(lambda conn: change.set_fence(conn, fence(2, FenceState.FROZEN), ACTOR, 6))
    await live.dispatch(1)
    record = (await live.records())["o1"]
    assert (record.state, record.denial) == (OrderState.DENIED, Denial.FENCED)
    assert sent(live) == 0


async def test_a_cancel_passes_an_order_that_waits(live: Live) -> None:
    await live.order("o1")
    live.advance(TOKEN_S)
    await live.dispatch()
    await live.order("o2", price="97")
    await live.dispatch()
    await live.cancel("o1")
    await live.dispatch()
    records = await live.records()
    assert (records["o1"].state, records["o2"].state) == (OrderState.CANCELED, OrderState.RELEASED)


async def test_what_was_taken_for_an_order_that_did_not_go_is_the_nexts(live: Live) -> None:
    live.advance(TOKEN_S)
    assert await live.venue.pace(Purpose.INCREASE, 1) == 0.0
    assert await live.venue.pace(Purpose.INCREASE, 2) == pytest.approx(TOKEN_S, abs=1.0)
    await live.order("o1")
    await live.dispatch()
    await live.order("o2", price="97")
    await live.dispatch()
    records = await live.records()
    assert (records["o1"].state, records["o2"].state) == (OrderState.ACCEPTED, OrderState.RELEASED)
